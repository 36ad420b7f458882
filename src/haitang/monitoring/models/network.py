"""The network: stations, their series, and the rules that watch them. Master data; it belongs to no space."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager, ScopedQuerySet
from haitang.geo.fields import GeometryField, GeometryMixin, GeometryVerbs
from haitang.geo.names import localised
from haitang.monitoring.quantities import QUANTITIES, Quantity
from haitang.monitoring.rules import Level

CODE = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$", _("Use letters, digits, dot, dash and underscore; begin with a letter or digit.")
)


class Colour(models.TextChoices):
    """The four colours of a warning, lowest first."""

    BLUE = "blue", pgettext_lazy("warning colour", "Blue")
    YELLOW = "yellow", pgettext_lazy("warning colour", "Yellow")
    ORANGE = "orange", pgettext_lazy("warning colour", "Orange")
    RED = "red", pgettext_lazy("warning colour", "Red")

    @property
    def colour(self) -> str:
        """What the page's badge wears."""
        return str(self.value)

    @property
    def level(self) -> Level:
        """The colour as a number, blue 1 to red 4."""
        return Level(list(Colour).index(self) + 1)

    @property
    def zh(self) -> str:
        """One Chinese character, for the journal's Chinese text."""
        return "蓝黄橙红"[list(Colour).index(self)]

    @classmethod
    def of(cls, level: int) -> Colour:
        """The colour of a level from 1 to 4."""
        return list(cls)[int(level) - 1]


_localised = lazy(localised, str)


def quantity_choices() -> list[tuple[str, Any]]:
    """Every quantity with its name in the reader's language."""
    return [(kind.code, _localised(kind.name_zh, kind.name_en)) for kind in QUANTITIES.values()]


class StationKind(models.TextChoices):
    """What a station watches."""

    TIDE = "tide", _("Tide gauge")
    RIVER = "river", _("River or canal gauge")
    RAIN = "rain", _("Rain gauge")
    WEATHER = "weather", _("Weather station")
    WATERLOGGING = "waterlogging", _("Waterlogging gauge")
    SLUICE = "sluice", _("Sluice or pump")
    SALINITY = "salinity", _("Salinity gauge")
    GROUND = "ground", _("Soil, groundwater or subsidence")
    SEISMIC = "seismic", _("Seismic station")
    FOREST = "forest", _("Forest fire or pest watch")
    FIRE = "fire", _("Fire sensor")
    GAS = "gas", _("Gas or tank sensor")
    STRUCTURE = "structure", _("Bridge or sea-wall sensor")
    AIR = "air", _("Air quality station")
    OTHER = "other", pgettext_lazy("station", "Other")


class StationQuerySet(GeometryVerbs, ScopedQuerySet):
    """Stations, with scope and spatial verbs."""


class StationManager(ScopedManager.from_queryset(StationQuerySet)):  # type: ignore[misc]
    """The manager of stations."""


class Station(GeometryMixin):
    """A place where something is measured."""

    code = models.CharField(_("code"), max_length=40, unique=True, validators=[CODE])
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=14, choices=StationKind, db_index=True)
    geometry = GeometryField(_("position"), kinds=("Point",), null=True, blank=True)
    place = models.ForeignKey(
        "geo.Place", models.PROTECT, null=True, blank=True, related_name="stations", verbose_name=_("place")
    )
    operator = models.ForeignKey(
        "accounts.Organisation",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="stations",
        verbose_name=_("operator"),
    )
    is_active = models.BooleanField(_("in use"), default=True)
    is_public = models.BooleanField(_("open to the public"), default=False)
    is_approximate = models.BooleanField(_("position is approximate"), default=False)
    confidence = models.CharField(_("confidence"), max_length=60, blank=True)
    source = models.CharField(_("source"), max_length=500, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    scope = Scope(place="place__path", organisation="operator__path", public=Q(is_public=True))
    objects = StationManager()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("station")
        verbose_name_plural = _("stations")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    def get_absolute_url(self) -> str:
        """The station's page."""
        return reverse("monitoring:station", args=[self.pk])


class Series(models.Model):
    """One quantity at one station: what readings belong to."""

    code = models.CharField(_("code"), max_length=60, unique=True, validators=[CODE])
    station = models.ForeignKey(Station, models.CASCADE, related_name="series", verbose_name=_("station"))
    quantity = models.CharField(_("quantity"), max_length=30, choices=quantity_choices, db_index=True)
    unit = models.CharField(_("unit of readings"), max_length=12, blank=True)
    label_zh = models.CharField(_("label (Chinese)"), max_length=60, blank=True)
    label_en = models.CharField(_("label (English)"), max_length=60, blank=True)
    datum = models.CharField(_("height datum"), max_length=60, blank=True)
    # Of what, where the quantity does not say it: "褐飞虱 Nilaparvata lugens" of a trap, "液氨 NH3" of a gas sensor.
    subject = models.CharField(_("species or substance"), max_length=80, blank=True)
    interval_s = models.PositiveIntegerField(_("interval (s)"), default=300, validators=[MinValueValidator(1)])
    low = models.FloatField(_("lowest plausible value"), null=True, blank=True)
    high = models.FloatField(_("highest plausible value"), null=True, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)
    source = models.CharField(_("source"), max_length=500, blank=True)

    scope = Scope(
        place="station__place__path", organisation="station__operator__path", public=Q(station__is_public=True)
    )
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("monitoring", "series")
        verbose_name_plural = pgettext_lazy("monitoring", "series (plural)")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code

    @property
    def kind(self) -> Quantity:
        """The quantity with its canonical unit."""
        return QUANTITIES[self.quantity]

    @property
    def label(self) -> str:
        """What is measured, in the reader's language."""
        return localised(self.label_zh or self.kind.name_zh, self.label_en or self.kind.name_en)

    def clean(self) -> None:
        """The unit must fit the quantity, and the bounds each other."""
        if self.unit and self.quantity in QUANTITIES:
            try:
                self.kind.factor(self.unit)
            except KeyError:
                accepted = ", ".join(self.kind.accepted)
                raise ValidationError(
                    {"unit": _("%(unit)s does not fit %(quantity)s; use one of %(accepted)s")
                     % {"unit": self.unit, "quantity": self.quantity, "accepted": accepted}}
                ) from None  # fmt: skip
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValidationError({"high": _("The highest plausible value must be above the lowest.")})

    def save(self, *args: object, **kwargs: object) -> None:
        """A unit left out is the quantity's own."""
        self.unit = self.unit or self.kind.unit
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def get_absolute_url(self) -> str:
        """The station's page, at this series."""
        return f"{self.station.get_absolute_url()}?series={self.pk}"
