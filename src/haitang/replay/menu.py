"""Replay's place in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS
from haitang.frame import Menu, menu_item

menu_item(
    "replay:index",
    label=_("Replay and exercises"),
    icon="player-play",
    group=Menu.SITUATION,
    order=90,
    roles=OFFICIALS,
)
