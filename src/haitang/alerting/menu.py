"""Warnings' places in the navigation."""

from django.utils.translation import gettext_lazy as _

from haitang.accounts.roles import OFFICIALS, STAFF, Role
from haitang.frame import Menu, menu_item

RECEIVED = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP})
CHECKERS = STAFF
menu_item("alerting:warnings", label=_("Warnings"), icon="speakerphone", group=Menu.WARNING, order=5, roles=STAFF)
menu_item("alerting:received", label=_("Received warnings"), icon="inbox", group=Menu.WARNING, order=40, roles=RECEIVED)
menu_item(
    "alerting:check", label=_("Check a CAP message"), icon="shield-check", group=Menu.SETTINGS, order=46, roles=CHECKERS
)
menu_item("alerting:rules", label=_("Warning rules"), icon="file-text", group=Menu.SETTINGS, order=50, roles=OFFICIALS)
menu_item(
    "alerting:performance",
    label=_("Warning performance"),
    icon="chart-bar",
    group=Menu.WARNING,
    order=30,
    roles=OFFICIALS,
)
