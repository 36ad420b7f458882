"""Rescue teams 应急救援队伍: who they are, what they can do, and what they are doing in a world."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager
from haitang.registry.records import Record
from haitang.registry.words import WordsField
from haitang.spaces.models import Space


class TeamKind(models.TextChoices):
    """Whose team it is."""

    FIRE = "fire", _("Fire and rescue brigade")  # 国家综合性消防救援队伍
    PROFESSIONAL = "professional", _("Professional rescue team")  # 专业
    GRASSROOTS = "grassroots", _("Grass-roots team")  # 基层
    MILITARY = "military", _("Military and militia")  # 军队、民兵
    SOCIAL = "social", _("Social force team")  # 社会
    REGIONAL = "regional", _("Regional support team")  # 区域
    EXPERT = "expert", _("Experts")  # 专家


class Skill(models.TextChoices):
    """What a team can do; one team may do many things 一队多能."""

    FLOOD = "flood", pgettext_lazy("skill", "Flood rescue")
    FIRE = "fire", pgettext_lazy("skill", "Fire fighting")
    COLLAPSE = "collapse", pgettext_lazy("skill", "Collapsed buildings")
    HAZMAT = "hazmat", pgettext_lazy("skill", "Hazardous materials")
    MEDICAL = "medical", pgettext_lazy("skill", "Medical aid")
    WATER = "water", pgettext_lazy("skill", "Water rescue")
    POWER = "power", pgettext_lazy("skill", "Power repair")
    TELECOM = "telecom", pgettext_lazy("skill", "Communications")
    TRAFFIC = "traffic", pgettext_lazy("skill", "Road clearing")
    FOREST = "forest", pgettext_lazy("skill", "Forest fires")
    MOUNTAIN = "mountain", pgettext_lazy("skill", "Rope and height rescue")


class TeamStatus(models.TextChoices):
    """What a team is doing."""

    AVAILABLE = "available", pgettext_lazy("team", "Available")
    ASSIGNED = "assigned", pgettext_lazy("team", "Assigned")
    EN_ROUTE = "en_route", pgettext_lazy("team", "On the way")
    ON_SCENE = "on_scene", pgettext_lazy("team", "On the scene")
    RETURNING = "returning", pgettext_lazy("team", "Returning")
    OUT_OF_SERVICE = "out_of_service", pgettext_lazy("team", "Out of service")

    @property
    def colour(self) -> str:
        """What the page's badge wears."""
        return _COLOURS[self]


_COLOURS = {
    TeamStatus.AVAILABLE: "green",
    TeamStatus.ASSIGNED: "yellow",
    TeamStatus.EN_ROUTE: "blue",
    TeamStatus.ON_SCENE: "blue",
    TeamStatus.RETURNING: "yellow",
    TeamStatus.OUT_OF_SERVICE: "grey",
}

# What may follow what. A team on its way, on the scene or on its way back can be sent on to another task.
MOVES: dict[TeamStatus, frozenset[TeamStatus]] = {
    TeamStatus.AVAILABLE: frozenset({TeamStatus.ASSIGNED, TeamStatus.OUT_OF_SERVICE}),
    TeamStatus.ASSIGNED: frozenset({TeamStatus.EN_ROUTE, TeamStatus.AVAILABLE, TeamStatus.OUT_OF_SERVICE}),
    TeamStatus.EN_ROUTE: frozenset({TeamStatus.ON_SCENE, TeamStatus.RETURNING, TeamStatus.ASSIGNED}),
    TeamStatus.ON_SCENE: frozenset({TeamStatus.RETURNING, TeamStatus.ASSIGNED}),
    TeamStatus.RETURNING: frozenset({TeamStatus.AVAILABLE, TeamStatus.ASSIGNED, TeamStatus.OUT_OF_SERVICE}),
    TeamStatus.OUT_OF_SERVICE: frozenset({TeamStatus.AVAILABLE}),
}


class Team(Record):
    """A team that can be sent."""

    kind = models.CharField(pgettext_lazy("resource", "kind"), max_length=12, choices=TeamKind, db_index=True)
    skills = WordsField(_("skills"), words=Skill)
    address = models.CharField(_("stationed at"), max_length=120, blank=True)
    members = models.PositiveIntegerField(_("members"), db_index=True, validators=[MaxValueValidator(100_000)])
    vehicles = models.PositiveIntegerField(_("vehicles"), default=0, validators=[MaxValueValidator(10_000)])
    boats = models.PositiveIntegerField(_("boats"), default=0, validators=[MaxValueValidator(10_000)])
    pumps = models.PositiveIntegerField(_("pumps"), default=0, validators=[MaxValueValidator(10_000)])
    commander = models.CharField(_("team leader"), max_length=40, blank=True)
    phone = models.CharField(_("telephone of the team leader"), max_length=30, blank=True)

    class Meta(Record.Meta):
        verbose_name = _("rescue team")
        verbose_name_plural = _("rescue teams")


class TeamState(models.Model):
    """A team's status from a moment on, in one world. The newest row is what the team is doing; the rows are its log."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    team = models.ForeignKey(Team, models.PROTECT, related_name="states", verbose_name=_("rescue team"))
    status = models.CharField(pgettext_lazy("team", "status"), max_length=15, choices=TeamStatus)
    at = models.DateTimeField(_("since"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    # The larger thing it belongs to ("incidents.incident:7"), and where to or what for in words.
    thread = models.CharField(max_length=80, blank=True)
    task = models.CharField(_("task"), max_length=200, blank=True)
    # Set on the last row of a team; lists and sums of the present ask for it alone.
    is_newest = models.BooleanField(default=True, editable=False)

    scope = Scope(place="team__place__path", organisation="team__owner__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("status of a team")
        verbose_name_plural = _("statuses of teams")
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("space", "team"), condition=Q(is_newest=True), name="resources_team_one_newest"
            ),
        )
        # The newest status of a team at a moment.
        indexes = (models.Index(fields=("space", "team", "-at", "-id"), name="resources_team_newest"),)

    def __str__(self) -> str:
        return f"{self.team} {self.get_status_display()}"
