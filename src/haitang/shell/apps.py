"""The frame people see: navigation, desk, wall display, phone, theme."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShellApp(AppConfig):
    """The shell slice."""

    name = "haitang.shell"
    verbose_name = _("Frame")
