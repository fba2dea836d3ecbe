"""The todo page."""

from django.urls import path

from frontend.views import todos

urlpatterns = [path("", todos, name="todos")]
