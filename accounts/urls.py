"""Where to log in and out."""

from django.contrib.auth import views as auth
from django.urls import path

from accounts.views import LogoutEverywhereView

urlpatterns = [
    path("login/", auth.LoginView.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("logout-everywhere/", LogoutEverywhereView.as_view(), name="logout-everywhere"),
]
