"""When readings are an alarm: rules. What they mean is in `rules.py`, how they are written in `rule_text.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager
from haitang.geo.names import localised
from haitang.monitoring.models.network import CODE, Colour, Series
from haitang.monitoring.quantities import shown
from haitang.monitoring.rule_text import mask
from haitang.monitoring.rules import Aggregate, Direction, RuleSpec

_UNRESOLVED = {"span_ms": 0, "colours": {"1": {"k": 1, "at": 1, "groups": [[[0]]]}}}
"""Stands for a condition whose codes are not looked up yet."""


class Rule(models.Model):
    """When a series is an alarm, by colour."""

    code = models.CharField(_("code"), max_length=80, unique=True, validators=[CODE])
    series = models.ForeignKey(Series, models.CASCADE, related_name="rules", verbose_name=_("series"))
    name_zh = models.CharField(_("name (Chinese)"), max_length=80, blank=True)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)
    direction = models.CharField(
        _("danger lies"), max_length=8, default=Direction.RISING,
        choices=[(Direction.RISING.value, _("above the threshold")), (Direction.FALLING.value, _("below the threshold"))],
    )  # fmt: skip
    aggregate = models.CharField(
        _("compared value"), max_length=8, default=Aggregate.LAST,
        choices=[
            (Aggregate.LAST.value, _("the reading itself")), (Aggregate.SUM.value, _("sum over the window")),
            (Aggregate.MAX.value, _("highest in the window")), (Aggregate.MIN.value, _("lowest in the window")),
            (Aggregate.MEAN.value, _("mean over the window")),
            (Aggregate.COUNT.value, _("number of readings in the window")),
            (Aggregate.RATE.value, _("change per hour over the window")),
            (Aggregate.TREND.value, _("outlook by the window's trend")),
            (Aggregate.BASELINE.value, _("deviations from the window's mean")),
        ],
    )  # fmt: skip
    window_s = models.PositiveIntegerField(_("window (s)"), default=0, validators=[MaxValueValidator(7 * 86400)])
    minus = models.ForeignKey(
        Series, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("difference to"),
        help_text=_("What is compared is the series less this one: the head across a gate."),
    )  # fmt: skip
    lead_s = models.PositiveIntegerField(_("outlook (s)"), default=0, validators=[MaxValueValidator(72 * 3600)])
    damping_s = models.PositiveIntegerField(_("damping of the trend (s)"), default=0)
    blue = models.FloatField(pgettext_lazy("warning colour", "Blue"), null=True, blank=True)
    yellow = models.FloatField(pgettext_lazy("warning colour", "Yellow"), null=True, blank=True)
    orange = models.FloatField(pgettext_lazy("warning colour", "Orange"), null=True, blank=True)
    red = models.FloatField(pgettext_lazy("warning colour", "Red"), null=True, blank=True)
    hysteresis = models.FloatField(_("hysteresis"), default=0.0, validators=[MinValueValidator(0.0)])
    hold_s = models.PositiveIntegerField(_("minimum duration (s)"), default=0)
    clear_s = models.PositiveIntegerField(_("clear delay (s)"), default=0)
    lower_s = models.PositiveIntegerField(_("de-escalation delay (s)"), default=0)
    latch = models.BooleanField(_("held until reset by hand"), default=False)
    months = models.CharField(_("months"), max_length=40, blank=True)
    hours = models.CharField(_("hours"), max_length=40, blank=True)
    inhibited_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("held back by"),
        help_text=_("While that rule stands, this one opens no alarm."),
    )  # fmt: skip
    inhibited_at = models.CharField(_("held back from colour"), max_length=6, choices=Colour, default=Colour.BLUE)
    group_key = models.CharField(_("group"), max_length=40, blank=True)
    # What a compound rule waits for, by codes (see rule_text.py); None for a rule about readings.
    condition = models.JSONField(_("condition"), null=True, blank=True)
    tests = models.JSONField(_("test cases"), default=list, blank=True)
    # A draft is tried on history and opens no alarm until somebody makes it live.
    is_draft = models.BooleanField(_("draft"), default=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    silence_s = models.PositiveIntegerField(_("silent after (s)"), default=0)
    silence_colour = models.CharField(_("colour of silence"), max_length=6, choices=Colour, default=Colour.BLUE)
    source = models.CharField(_("source of the thresholds"), max_length=500, blank=True)
    confidence = models.CharField(_("confidence"), max_length=60, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = Scope(
        place="series__station__place__path",
        organisation="series__station__operator__path",
        public=Q(series__station__is_public=True),
    )
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("monitoring", "alarm rule")
        verbose_name_plural = pgettext_lazy("monitoring", "alarm rules")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language; the code where it has none."""
        return localised(self.name_zh, self.name_en) or self.code

    @property
    def thresholds(self) -> tuple[float | None, float | None, float | None, float | None]:
        """Blue, yellow, orange, red, in the canonical unit of the series."""
        return (self.blue, self.yellow, self.orange, self.red)

    @property
    def coloured(self) -> list[tuple[Colour, float]]:
        """The colours this rule has, with their thresholds."""
        return [(colour, value) for colour, value in zip(Colour, self.thresholds, strict=True) if value is not None]

    @property
    def silence_minutes(self) -> str:
        """Minutes of silence that raise it."""
        return f"{self.silence_s / 60:g}"

    @property
    def unit(self) -> str:
        """The unit of what it compares."""
        if self.condition is not None or self.aggregate in (Aggregate.COUNT, Aggregate.BASELINE):
            return ""
        return self.symbol if self.aggregate == Aggregate.RATE else self.series.kind.unit

    @property
    def symbol(self) -> str:
        """Its unit as people write it."""
        return f"{self.series.kind.symbol}/h" if self.aggregate == Aggregate.RATE else shown(self.unit)

    @property
    def is_compound(self) -> bool:
        """Whether it is about other rules."""
        return self.condition is not None

    def spec(self, combines: Mapping[str, Any] | None = None) -> RuleSpec:
        """The rule in the evaluator's terms; of a compound with its condition by ids (see rule_network.py)."""
        offset = timezone.get_default_timezone().utcoffset(datetime(2024, 1, 1))  # noqa: DTZ001 - asked of the zone
        return RuleSpec(
            id=self.pk or 0,
            series=self.series_id,
            thresholds=self.thresholds,
            direction=Direction(self.direction),
            hysteresis=self.hysteresis,
            hold_s=self.hold_s,
            aggregate=Aggregate(self.aggregate),
            window_s=self.window_s,
            silence_s=self.silence_s,
            silence_level=Colour(self.silence_colour).level,
            minus=self.minus_id,
            lead_s=self.lead_s,
            damping_s=self.damping_s,
            clear_s=self.clear_s,
            lower_s=self.lower_s,
            latch=self.latch,
            months=mask("months", self.months),
            hours=mask("hours", self.hours),
            zone_s=0 if offset is None else int(offset.total_seconds()),
            inhibited_by=self.inhibited_by_id,
            inhibited_at=Colour(self.inhibited_at).level,
            combines=combines if self.condition is not None else None,
        )

    def clean(self) -> None:
        """A rule must not contradict itself."""
        try:
            self.spec(_UNRESOLVED).check()
        except ValueError as error:  # RuleError, or a choice that the field's own check names too
            raise ValidationError(str(error)) from error

    def describe(self, language: str) -> str:
        """What the rule compares, for a sentence: "1 h sum of rainfall"."""
        with translation.override(language):
            if self.condition is not None:
                return self.name
            if self.minus is not None:
                label = _("difference of %(a)s and %(b)s") % {"a": self.series.label, "b": self.minus.station.name}
                return str(label)
            return described(self.series.label, Aggregate(self.aggregate), self.window_s, self.lead_s)

    def get_absolute_url(self) -> str:
        """The rule's page."""
        return reverse("monitoring:rule", args=[self.pk])


def described(label: str, aggregate: Aggregate, window_s: float, lead_s: float = 0) -> str:
    """What is made of a series over a window, for a sentence in the reader's language: "1 h sum of rainfall"."""
    if label[1:2].islower():  # "Tide level" inside a sentence; "PM2.5" stays
        label = label[0].lower() + label[1:]
    if not window_s:
        return label
    span = _span(lead_s or window_s)
    form = {
        Aggregate.SUM: _("%(span)s sum of %(what)s"),
        Aggregate.MAX: _("%(span)s highest %(what)s"),
        Aggregate.MIN: _("%(span)s lowest %(what)s"),
        Aggregate.MEAN: _("%(span)s mean %(what)s"),
        Aggregate.COUNT: _("readings of %(what)s in %(span)s"),
        Aggregate.RATE: _("change of %(what)s over %(span)s"),
        Aggregate.TREND: _("%(what)s in %(span)s by its trend (outlook)"),
        Aggregate.BASELINE: _("deviation of %(what)s from the last %(span)s"),
    }[aggregate]
    return str(form % {"span": span, "what": label})


def _span(seconds: float) -> str:
    hours = seconds / 3600
    return str(_("%(n)g h") % {"n": hours} if hours >= 1 else _("%(n)g min") % {"n": seconds / 60})
