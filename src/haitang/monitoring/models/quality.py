"""Quality of readings: what is tested, what was found not good, what was corrected; and the outlook of each series."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.scope import Scope, ScopedManager
from haitang.monitoring.models.network import Series, quantity_choices
from haitang.monitoring.quality import Flag, LimitError, Limits, Test
from haitang.spaces.models import Space

NUMBERS: tuple[str, ...] = tuple(
    each.name for each in fields(Limits) if each.name not in {"interval_s", "climatology", "near_age_s"}
)


class QualityFlag(models.IntegerChoices):
    """QARTOD's flags in words."""

    GOOD = Flag.GOOD.value, pgettext_lazy("reading", "good")
    UNKNOWN = Flag.UNKNOWN.value, pgettext_lazy("reading", "not evaluated")
    SUSPECT = Flag.SUSPECT.value, pgettext_lazy("reading", "suspect")
    FAIL = Flag.FAIL.value, pgettext_lazy("reading", "fail")
    MISSING = Flag.MISSING.value, pgettext_lazy("reading", "missing")

    @property
    def colour(self) -> str:
        """What the page's badge wears."""
        return {self.SUSPECT: "yellow", self.FAIL: "orange", self.GOOD: "green"}.get(self, "grey")


TEST_NAMES: dict[Test, Any] = {
    Test.RANGE: _("range"),
    Test.CLIMATOLOGY: _("climatology"),
    Test.SPIKE: _("spike"),
    Test.RATE: _("rate of change"),
    Test.FLAT: _("stuck value"),
    Test.ATTENUATED: _("attenuated signal"),
    Test.GAP: _("gap"),
    Test.NEIGHBOUR: _("neighbours"),
    Test.CLOCK: _("clock"),
}


def number(label: Any) -> Any:
    """A limit: a number or nothing."""
    return models.FloatField(label, null=True, blank=True)


def span(label: Any) -> Any:
    """A limit in seconds, or nothing."""
    return models.FloatField(label, null=True, blank=True, validators=[MinValueValidator(1.0)])


class QualityLimits(models.Model):
    """What readings are tested against: of a quantity, or of one series where it differs. Master data.

    What a series' own row leaves empty it takes from its quantity's; a quantity without a row has the built-in limits.
    """

    quantity = models.CharField(_("quantity"), max_length=30, choices=quantity_choices, blank=True)
    series = models.OneToOneField(
        Series, models.CASCADE, null=True, blank=True, related_name="quality_limits", verbose_name=pgettext_lazy("monitoring", "series")
    )  # fmt: skip
    suspect_low, suspect_high = number(_("suspect below")), number(_("suspect above"))
    fail_low, fail_high = number(_("fails below")), number(_("fails above"))
    climatology = models.JSONField(_("lowest and highest by month"), default=list, blank=True)
    spike_suspect, spike_fail = number(_("spike: suspect")), number(_("spike: fails"))
    rate_suspect, rate_fail = number(_("change per hour: suspect")), number(_("change per hour: fails"))
    flat_suspect_s, flat_fail_s = span(_("stuck for (s): suspect")), span(_("stuck for (s): fails"))
    flat_tolerance = number(_("stuck: moves less than"))
    attenuated_s = span(_("attenuated: over (s)"))
    attenuated_suspect, attenuated_fail = number(_("attenuated: suspect below")), number(_("attenuated: fails below"))
    gap_suspect_s, gap_fail_s = span(_("gap (s): suspect")), span(_("gap (s): fails"))
    late_suspect_s, late_fail_s = span(_("late by (s): suspect")), span(_("late by (s): fails"))
    ahead_suspect_s = span(_("ahead by (s): suspect"))
    near_suspect, near_fail = number(_("from neighbours: suspect")), number(_("from neighbours: fails"))
    near_km = models.FloatField(_("neighbours within (km)"), null=True, blank=True, validators=[MinValueValidator(0.1)])
    off = models.CharField(_("tests switched off"), max_length=120, blank=True, help_text=_("Names divided by |"))
    mutes = models.BooleanField(
        _("a failed reading opens no alarm"), default=False,
        help_text=_("Off: it does, and the alarm says that the quality is doubtful."),
    )  # fmt: skip
    source = models.CharField(_("source"), max_length=300, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = Scope(roles=OFFICIALS)
    objects = ScopedManager()

    class Meta:
        verbose_name = _("quality limits")
        verbose_name_plural = _("quality limits")
        ordering = ("quantity", "series__code")
        constraints = (
            models.UniqueConstraint(
                fields=("quantity",), condition=Q(series=None), name="monitoring_one_quality_quantity"
            ),
        )

    def __str__(self) -> str:
        return self.series.code if self.series is not None else str(self.get_quantity_display())

    def over(self, base: Limits) -> Limits:
        """`base` with what this row says."""
        said = {name: value for name in NUMBERS if (value := getattr(self, name)) is not None}
        if self.climatology:
            said["climatology"] = tuple((float(low), float(high)) for low, high in self.climatology)
        limits = replace(base, **said)
        return replace(limits, **{name: () if name == "climatology" else None for name in self._off()})

    def _off(self) -> set[str]:
        found: set[str] = set()
        for word in (each.strip().lower() for each in self.off.split("|")):
            found |= set(FIELDS_OF.get(word, ()))
        return found

    def clean(self) -> None:
        """One of quantity and series; limits that do not contradict each other."""
        if bool(self.quantity) == (self.series is not None):
            raise ValidationError({"quantity": _("Give a quantity or a series, one of the two.")})
        unknown = [
            word for word in (each.strip().lower() for each in self.off.split("|")) if word and word not in FIELDS_OF
        ]
        if unknown:
            raise ValidationError(
                {"off": _("%(word)s is no test; use %(known)s") % {"word": unknown[0], "known": ", ".join(FIELDS_OF)}}
            )
        if not isinstance(self.climatology, list) or any(
            not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(x, int | float) for x in pair)
            for pair in self.climatology
        ):
            raise ValidationError({"climatology": _("Twelve pairs [lowest, highest], January first; or empty.")})
        try:
            self.over(Limits()).check()
        except LimitError as error:
            raise ValidationError({error.name: str(error)}) from error


FIELDS_OF: dict[str, tuple[str, ...]] = {
    "range": ("suspect_low", "suspect_high", "fail_low", "fail_high"),
    "climatology": ("climatology",),
    "spike": ("spike_suspect", "spike_fail"),
    "rate": ("rate_suspect", "rate_fail"),
    "flat": ("flat_suspect_s", "flat_fail_s"),
    "attenuated": ("attenuated_suspect", "attenuated_fail"),
    "gap": ("gap_suspect_s", "gap_fail_s"),
    "neighbour": ("near_suspect", "near_fail"),
    "clock": ("late_suspect_s", "late_fail_s", "ahead_suspect_s"),
}
"""The limits of each test, by the name with which it is switched off."""


class ReadingFlag(models.Model):
    """A reading that is not good: the gravest flag, and which tests found it suspect or failed (bits of `quality.Test`).

    Readings that are good have no row. Read through the series that somebody may see.
    """

    pk = models.CompositePrimaryKey("space_id", "series_id", "time_ms")
    space_id = models.IntegerField()
    series_id = models.IntegerField()
    time_ms = models.BigIntegerField()
    value = models.FloatField()
    flag = models.SmallIntegerField(choices=QualityFlag)
    suspect = models.IntegerField(default=0)
    fail = models.IntegerField(default=0)
    # True where no rule saw the reading, for its series keeps failed readings from them.
    muted = models.BooleanField(default=False)

    class Meta:
        indexes = (models.Index(fields=("space_id", "time_ms"), name="monitoring_flag_time"),)


class CorrectionKind(models.TextChoices):
    """What a correction does to the readings in its span."""

    OFFSET = "offset", _("add to each reading")
    REPLACE = "replace", _("put in place of each reading")
    REMOVE = "remove", _("take out of use")


class Correction(models.Model):
    """What a steward says of a stretch of readings. The readings themselves stay as they came."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    series = models.ForeignKey(
        Series, models.CASCADE, related_name="corrections", verbose_name=pgettext_lazy("monitoring", "series")
    )
    start = models.DateTimeField(pgettext_lazy("correction", "from"))
    end = models.DateTimeField(pgettext_lazy("correction", "to (and with it)"))
    kind = models.CharField(_("what to do"), max_length=8, choices=CorrectionKind)
    value = models.FloatField(_("by, or to, how much"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=300)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    scope = Scope(
        place="series__station__place__path", organisation="series__station__operator__path",
        public=Q(series__station__is_public=True),
    )  # fmt: skip
    objects = ScopedManager()

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ("-made_at", "-pk")
        indexes = (models.Index(fields=("space", "series", "start"), name="monitoring_correction_span"),)

    def __str__(self) -> str:
        return f"{self.series.code} {self.get_kind_display()}"


class Outlook(models.Model):
    """The latest forecast of a series, with how good such forecasts have been. One row a series and space."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    series = models.ForeignKey(Series, models.CASCADE, related_name="outlooks")
    method = models.CharField(max_length=20)
    made_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)
    start_ms = models.BigIntegerField()
    step_s = models.PositiveIntegerField()
    # Columns of numbers: expected value, and the band that held 80 % of what came, by step.
    middle = models.JSONField(default=list)
    low = models.JSONField(default=list)
    high = models.JSONField(default=list)
    # {"1": {"n":, "mae":, "persistence":, "climatology":}, ...} by horizon in hours.
    skill = models.JSONField(default=dict)

    scope = Scope(
        place="series__station__place__path", organisation="series__station__operator__path",
        public=Q(series__station__is_public=True),
    )  # fmt: skip
    objects = ScopedManager()

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        constraints = (models.UniqueConstraint(fields=("space", "series"), name="monitoring_one_outlook"),)

    def __str__(self) -> str:
        return self.series.code
