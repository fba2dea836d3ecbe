"""The pages."""

from django.urls import path

from frontend import views

urlpatterns = [
    path("", views.TodosView.as_view(), name="todos"),
]
