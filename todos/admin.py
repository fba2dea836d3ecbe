"""Lists and items for administrators."""

from django.contrib import admin

from todos.models import Membership, TodoItem, TodoList


class MembershipInline(admin.TabularInline):
    """Who shares a list."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(TodoList)
class TodoListAdmin(admin.ModelAdmin):
    """Lists with their members."""

    list_display = ("name", "owner", "created_at", "updated_at")
    search_fields = ("name", "description", "owner__username")
    autocomplete_fields = ("owner",)
    inlines = (MembershipInline,)


@admin.register(TodoItem)
class TodoItemAdmin(admin.ModelAdmin):
    """Items of all lists."""

    list_display = ("text", "todo_list", "done", "position", "updated_at")
    list_filter = ("done",)
    search_fields = ("text",)
    autocomplete_fields = ("todo_list",)
