"""The duty room's place in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS, Role
from haitang.frame import Menu, menu_item

menu_item(
    "duty:index", label=_("Duty"), icon="calendar-time", group=Menu.SITUATION, order=60, roles=OFFICIALS - {Role.GRID}
)
