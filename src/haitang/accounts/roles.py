"""Roles: who somebody is to the platform. Verbs name roles; scope gives a role its reach."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The user roles of the plan (一级平台、多级用户)."""

    ADMIN = "admin", _("Administrator")
    DUTY_OFFICER = "duty_officer", _("Duty officer")  # 区应急指挥中心值班员
    COMMANDER = "commander", _("Commander")  # 指挥长、值班领导
    DEPARTMENT = "department", _("Department officer")  # 部门
    TOWNSHIP = "township", _("Township officer")  # 乡镇应急办
    GRID = "grid", _("Grid worker")  # 网格员、信息员
    ENTERPRISE = "enterprise", _("Enterprise user")  # 企业安全员
    SOCIAL = "social", _("Social force")  # 社会力量
    RESIDENT = "resident", _("Resident")  # 公众
    MACHINE = "machine", _("Machine")  # 市级平台、邻区平台


# Groups that many verbs share.
OPERATIONS = frozenset({Role.DUTY_OFFICER, Role.COMMANDER})
OFFICIALS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP, Role.GRID})
STAFF = OFFICIALS | {Role.ENTERPRISE, Role.SOCIAL}
# A second factor is required of those who can speak to the public or change who may.
PRIVILEGED = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER})
# Whose reach is their organisation's whole place subtree, whatever organisation a row belongs to.
SEES_PLACE = frozenset(
    {Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP, Role.GRID, Role.MACHINE}
)
EVERYONE = frozenset(Role)
