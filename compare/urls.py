"""Include this at ``compare/``."""

from django.urls import path

from compare import views

app_name = "compare"
urlpatterns = [
    path("", views.CompareView.as_view(), name="compare"),
    path("scratch/", views.ScratchView.as_view(), name="scratch"),
    path("request/", views.RequestView.as_view(), name="request"),
]
