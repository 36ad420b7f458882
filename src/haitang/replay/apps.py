"""Replays: real storms run through the platform in exercise spaces."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReplayApp(AppConfig):
    """The replay slice."""

    name = "haitang.replay"
    verbose_name = _("Replay")
