"""What is stored of replays: a run of a scenario in its exercise space, and where the storm stood as time went on."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.scope import Scope, ScopedManager, ScopedQuerySet
from haitang.geo.fields import GeometryField, GeometryMixin, GeometryVerbs
from haitang.geo.names import localised
from haitang.replay.what_if import Change
from haitang.spaces.models import Space


class RunState(models.TextChoices):
    """Where a run stands."""

    RUNNING = "running", pgettext_lazy("replay", "Running")
    PAUSED = "paused", pgettext_lazy("replay", "Paused")
    ENDED = "ended", pgettext_lazy("replay", "Over")
    STOPPED = "stopped", pgettext_lazy("replay", "Stopped")
    FAILED = "failed", pgettext_lazy("replay", "Failed")

    @property
    def colour(self) -> str:
        """What the page's badge wears."""
        return {"running": "green", "paused": "yellow", "failed": "orange"}.get(self.value, "grey")


# From each state, the states it can move to; `services._move` is the only one that moves.
MOVES: dict[str, frozenset[str]] = {
    RunState.RUNNING: frozenset({RunState.PAUSED, RunState.ENDED, RunState.STOPPED, RunState.FAILED}),
    RunState.PAUSED: frozenset({RunState.RUNNING, RunState.STOPPED}),
    RunState.ENDED: frozenset({RunState.STOPPED}),
    RunState.FAILED: frozenset({RunState.RUNNING, RunState.STOPPED}),
}
UNDER_WAY = (RunState.RUNNING, RunState.PAUSED, RunState.FAILED)


class Driver(models.TextChoices):
    """How a run is moved on."""

    SCALED = "scaled", _("As time passes, by the background worker")
    STEPPED = "stepped", _("At once, by the command line")


class Run(models.Model):
    """One run of a scenario. Everything a process needs to take it up again after another was killed stands here."""

    space = models.OneToOneField(Space, models.PROTECT, related_name="replay")
    scenario = models.CharField(_("scenario"), max_length=60)
    pack = models.CharField(_("data pack"), max_length=60)
    name_zh = models.CharField(_("name (Chinese)"), max_length=120)
    name_en = models.CharField(_("name (English)"), max_length=160)
    begin = models.DateTimeField(_("begins"))
    end = models.DateTimeField(_("ends"))
    seed = models.BigIntegerField(_("seed"))
    speed = models.FloatField(_("speed"))
    kind = models.CharField(max_length=8, choices=Driver, default=Driver.SCALED)
    # Whom the scripted cast plays (`cast.Part` values), and the organisations it leaves to people all the same.
    parts = models.JSONField(_("played by the script"), default=list)
    spared = models.JSONField(default=list, blank=True)
    # What of the storm is different (`what_if.Change.plain`); empty: as it was.
    change = models.JSONField(default=dict, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=RunState, default=RunState.RUNNING)
    # Everything reported up to this moment of the space is in; the next readings come after it.
    position = models.DateTimeField(_("position"))
    sent = models.PositiveBigIntegerField(_("readings sent"), default=0)
    door = models.CharField(max_length=10, blank=True)
    trouble = models.CharField(_("what is wrong"), max_length=300, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("started by")
    )
    # The process that drives it now, and when it was last seen by the server's own clock.
    driver = models.CharField(max_length=40, blank=True)
    seen_wall = models.DateTimeField(null=True, blank=True)
    started_wall = models.DateTimeField(_("started at"), auto_now_add=True)
    ended_wall = models.DateTimeField(null=True, blank=True)

    scope = Scope(roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("replay", "run")
        verbose_name_plural = pgettext_lazy("replay", "runs")
        ordering = ("-pk",)
        indexes = (models.Index(fields=("state",), name="replay_run_under_way", condition=Q(state="running")),)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The scenario's name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def what_if(self) -> Change:
        """What of the storm is different."""
        return Change.of(self.change)

    @property
    def state_info(self) -> RunState:
        """The state as an enum member."""
        return RunState(self.state)

    @property
    def is_under_way(self) -> bool:
        """Whether it can still go on."""
        return self.state in UNDER_WAY

    def share(self, at: datetime) -> float:
        """How much of the scenario is over at that moment, 0 to 1."""
        whole = (self.end - self.begin).total_seconds()
        return min(1.0, max(0.0, (at - self.begin).total_seconds() / whole)) if whole else 1.0

    def get_absolute_url(self) -> str:
        """The run's page."""
        return reverse("replay:run", args=[self.pk])


class StormFixQuerySet(GeometryVerbs, ScopedQuerySet):
    """Positions of storms, with scope and spatial verbs."""


class StormFixManager(ScopedManager.from_queryset(StormFixQuerySet)):  # type: ignore[misc]
    """The manager of storm positions."""


class StormFix(GeometryMixin):
    """Where the storm of an exercise stood at one moment of its space; the shape is the ring of 30-knot wind."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    at = models.DateTimeField(_("time"))
    until = models.DateTimeField(_("until"))
    lon = models.FloatField(_("longitude"))
    lat = models.FloatField(_("latitude"))
    name_zh = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160)
    central_hpa = models.FloatField(_("central pressure"))
    wind_ms = models.FloatField(_("greatest wind"))
    outer_km = models.FloatField(_("radius of 30-knot wind"))
    geometry = GeometryField(_("ring"), kinds=("Polygon",), null=True, blank=True)

    scope = Scope(roles=OFFICIALS)
    objects = StormFixManager()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("storm position")
        verbose_name_plural = _("storm positions")
        ordering = ("at",)
        constraints = (models.UniqueConstraint(fields=("space", "at"), name="replay_one_fix"),)

    def __str__(self) -> str:
        return f"{localised(self.name_zh, self.name_en)} {self.at:%m-%d %H:%M}"
