"""ASGI entry point: live streams, on their own port."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "haitang.config.settings")

import django

django.setup()

from haitang.journal.live import application  # noqa: E402 - needs the apps

__all__ = ["application"]
