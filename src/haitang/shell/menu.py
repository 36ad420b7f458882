"""The frame's own places in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS, Role
from haitang.frame import Menu, menu_item

menu_item("shell:desk", label=_("Desk"), icon="layout-dashboard", group=Menu.SITUATION, order=10)
menu_item("shell:wall", label=_("Wall display"), icon="device-tv", group=Menu.SITUATION, order=80, roles=OFFICIALS)
menu_item("shell:journal", label=_("Journal"), icon="history", group=Menu.SYSTEM, order=20, roles=OFFICIALS)
menu_item("shell:permissions", label=_("Who may do what"), icon="lock", group=Menu.SYSTEM, order=80, roles={Role.ADMIN})
