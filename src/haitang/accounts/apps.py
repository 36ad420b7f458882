"""Organisations, people, roles, scope, sign-in."""

from django.apps import AppConfig


class AccountsApp(AppConfig):
    """The accounts slice."""

    name = "haitang.accounts"
