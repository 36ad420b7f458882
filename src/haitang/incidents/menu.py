"""Incidents' place in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS
from haitang.frame import Menu, menu_item

menu_item("incidents:index", label=_("Incidents"), icon="urgent", group=Menu.RESPONSE, order=10, roles=OFFICIALS)
