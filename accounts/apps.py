"""Logging in and out."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Has no models of its own: users, sessions and tokens are Django's and REST framework's."""

    name = "accounts"
