"""Delivery's places in the navigation."""

from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OFFICIALS
from haitang.frame import Menu, menu_item

menu_item(
    "delivery:outbox",
    label=pgettext_lazy("delivery", "Messages"),
    icon="send",
    group=Menu.WARNING,
    order=60,
    roles=OFFICIALS,
)
