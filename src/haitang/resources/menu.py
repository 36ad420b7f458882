"""The slice's place in the navigation; its registers bring their own."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import STAFF
from haitang.frame import Menu, menu_item

menu_item(
    "resources:overview",
    label=_("Forces and resources"),
    icon="building-warehouse",
    group=Menu.RESOURCES,
    order=10,
    roles=STAFF,
)
