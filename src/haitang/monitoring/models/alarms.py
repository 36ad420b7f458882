"""What readings meant: alarms and their life."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager
from haitang.monitoring.models.events import Episode
from haitang.monitoring.models.network import Colour, Series, Station
from haitang.monitoring.models.rules import Rule
from haitang.monitoring.quantities import shown
from haitang.spaces.models import Space


class AlarmKind(models.TextChoices):
    """What set it off."""

    THRESHOLD = "threshold", _("Threshold")
    SILENCE = "silence", _("Silence")
    COMPOUND = "compound", pgettext_lazy("alarm", "Several conditions together")


class AlarmState(models.TextChoices):
    """Where an alarm stands in its life."""

    ACTIVE = "active", pgettext_lazy("alarm", "Active")
    ACKNOWLEDGED = "acknowledged", pgettext_lazy("alarm", "Acknowledged")
    CLEARED = "cleared", pgettext_lazy("alarm", "Cleared")
    CLOSED = "closed", pgettext_lazy("alarm", "Closed")


# What may follow what. A rise of colour makes an acknowledged alarm active again: somebody must look anew.
MOVES: dict[AlarmState, frozenset[AlarmState]] = {
    AlarmState.ACTIVE: frozenset({AlarmState.ACKNOWLEDGED, AlarmState.CLEARED}),
    AlarmState.ACKNOWLEDGED: frozenset({AlarmState.ACTIVE, AlarmState.CLEARED}),
    AlarmState.CLEARED: frozenset({AlarmState.CLOSED}),
    AlarmState.CLOSED: frozenset(),
}
OPEN = (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED)


class Alarm(models.Model):
    """One episode in which a rule held. Times are of the alarm's space, but for the two that end in `_wall`."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="alarms")
    rule = models.ForeignKey(Rule, models.SET_NULL, null=True, related_name="alarms", verbose_name=_("rule"))
    series = models.ForeignKey(Series, models.PROTECT, related_name="alarms", verbose_name=_("series"))
    station = models.ForeignKey(Station, models.PROTECT, related_name="alarms", verbose_name=_("station"))
    place = models.ForeignKey(
        "geo.Place", models.PROTECT, null=True, blank=True, related_name="alarms", verbose_name=_("place")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=AlarmKind, default=AlarmKind.THRESHOLD)
    state = models.CharField(_("state"), max_length=12, choices=AlarmState, default=AlarmState.ACTIVE)
    colour = models.CharField(_("colour"), max_length=6, choices=Colour)
    peak_colour = models.CharField(_("highest colour"), max_length=6, choices=Colour)
    # 1 blue to 4 red, for sorting: red on top.
    level = models.PositiveSmallIntegerField(editable=False)
    what_zh = models.CharField(max_length=120)
    what_en = models.CharField(max_length=160)
    unit = models.CharField(_("unit"), max_length=12)
    threshold = models.FloatField(_("threshold"), null=True, blank=True)
    first_value = models.FloatField(_("first value"))
    peak_value = models.FloatField(_("peak"))
    peak_at = models.DateTimeField(_("time of peak"))
    opened_at = models.DateTimeField(_("opened"))
    # Of the server's own clock: when the reading that opened it reached the door, and when the alarm stood in the store.
    received_wall = models.DateTimeField(null=True, blank=True)
    recorded_wall = models.DateTimeField()
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("acknowledged by"),
    )
    cleared_at = models.DateTimeField(_("cleared"), null=True, blank=True)
    closed_at = models.DateTimeField(_("time of closing"), null=True, blank=True)
    assignee = models.ForeignKey(
        "accounts.Organisation", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("assigned to")
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    episode = models.ForeignKey(
        Episode, models.PROTECT, null=True, blank=True, related_name="alarms", verbose_name=_("event")
    )
    # While shelved an open alarm is off the desk; it comes back by itself at this time, or at once when it rises.
    shelved_until = models.DateTimeField(_("shelved until"), null=True, blank=True)
    shelved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("shelved by")
    )
    shelf_reason = models.CharField(_("reason for shelving"), max_length=200, blank=True)

    scope = Scope(place="place__path", organisation="station__operator__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("monitoring", "alarm")
        verbose_name_plural = pgettext_lazy("monitoring", "alarms")
        ordering = ("-level", "-opened_at", "-id")
        constraints = (
            # One episode at a time: what keeps evaluation from opening an alarm twice, whatever happens.
            models.UniqueConstraint(
                fields=("space", "rule"),
                condition=Q(state__in=("active", "acknowledged")),
                name="monitoring_one_open_alarm",
            ),
        )
        indexes = (
            models.Index(fields=("space", "state", "-opened_at"), name="monitoring_alarm_board"),
            # What comes back from the shelf.
            models.Index(
                fields=("space", "shelved_until"),
                condition=Q(shelved_until__isnull=False),
                name="monitoring_alarm_shelf",
            ),
        )

    def __str__(self) -> str:
        return f"{self.station} {self.what}"

    @property
    def what(self) -> str:
        """What was compared, in the reader's language."""
        from haitang.geo.names import localised

        return localised(self.what_zh, self.what_en)

    @property
    def symbol(self) -> str:
        """The unit as people write it."""
        return shown(self.unit)

    @property
    def is_shelved(self) -> bool:
        """Whether it is off the desk for a while."""
        return self.shelved_until is not None

    @property
    def is_open(self) -> bool:
        """Whether the rule still holds."""
        return self.state in OPEN

    def get_absolute_url(self) -> str:
        """The alarm's page."""
        return reverse("monitoring:alarm", args=[self.pk])
