"""The place of obligations in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import STAFF
from haitang.frame import Menu, menu_item

menu_item("obligations:mine", label=_("To do"), icon="checklist", group=Menu.SITUATION, order=20, roles=STAFF)
