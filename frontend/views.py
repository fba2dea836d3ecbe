"""The todo page; everything on it comes from the API."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


@login_required
def todos(request: HttpRequest) -> HttpResponse:
    """The lists of whoever is logged in."""
    return render(request, "frontend/todos.html")
