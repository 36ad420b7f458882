"""Plans' place in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS
from haitang.frame import Menu, menu_item

menu_item("plans:index", label=_("Plans"), icon="book", group=Menu.RESPONSE, order=50, roles=OFFICIALS)
