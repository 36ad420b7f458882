"""Monitoring's places in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS, Role
from haitang.frame import Menu, menu_item

WATCH = OFFICIALS | {Role.ENTERPRISE}
menu_item("monitoring:alarms", label=_("Alarms"), icon="alert-triangle", group=Menu.WARNING, order=10, roles=WATCH)
menu_item("monitoring:stations", label=_("Stations"), icon="antenna", group=Menu.WARNING, order=20, roles=WATCH)
menu_item(
    "monitoring:health",
    label=_("Data intake"),
    icon="activity-heartbeat",
    group=Menu.SETTINGS,
    order=30,
    roles=OFFICIALS,
)
menu_item("monitoring:rules", label=_("Rules"), icon="adjustments-alt", group=Menu.SETTINGS, order=5, roles=OFFICIALS)
menu_item("monitoring:chains", label=_("Hazard chains"), icon="sitemap", group=Menu.WARNING, order=14, roles=WATCH)
menu_item("monitoring:blind_spots", label=_("Blind spots"), icon="eye-off", group=Menu.WARNING, order=24, roles=WATCH)
menu_item(
    "monitoring:quality", label=_("Data quality"), icon="checkup-list", group=Menu.SETTINGS, order=32, roles=OFFICIALS
)
