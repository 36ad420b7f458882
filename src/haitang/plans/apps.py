"""Emergency plans."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PlansApp(AppConfig):
    """The plans slice."""

    name = "haitang.plans"
    verbose_name = _("Plans")
