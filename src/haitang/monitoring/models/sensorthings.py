"""What the SensorThings view holds beside our registers: what they have no column for, and entities they have no row for."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from haitang.accounts.scope import Scope, ScopedManager
from haitang.monitoring.models.network import Series, Station
from haitang.spaces.models import Space


class StaKind(models.TextChoices):
    """Which entity of the standard a record is, or adds to."""

    THING = "Thing", "Thing"
    LOCATION = "Location", "Location"
    HISTORICAL_LOCATION = "HistoricalLocation", "HistoricalLocation"
    DATASTREAM = "Datastream", "Datastream"
    SENSOR = "Sensor", "Sensor"
    OBSERVED_PROPERTY = "ObservedProperty", "ObservedProperty"
    FEATURE = "FeatureOfInterest", "FeatureOfInterest"


class StaRecord(models.Model):
    """An entity that came by SensorThings; for a Thing or Datastream what its station or series has no column for."""

    kind = models.CharField(_("kind"), max_length=20, choices=StaKind)
    body = models.JSONField(default=dict)
    operator = models.ForeignKey("accounts.Organisation", models.SET_NULL, null=True, blank=True, related_name="+")
    is_gone = models.BooleanField(default=False)
    # The station of a Thing, Datastream or HistoricalLocation; the series of a Datastream.
    station = models.ForeignKey(Station, models.CASCADE, null=True, blank=True, related_name="+")
    series = models.ForeignKey(Series, models.CASCADE, null=True, blank=True, related_name="+")
    sensor = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    observed_property = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    # A Location's Things, a HistoricalLocation's Locations.
    things = models.ManyToManyField(Station, related_name="+", blank=True)
    locations = models.ManyToManyField("self", symmetrical=False, related_name="+", blank=True)

    scope = Scope(place="station__place__path", organisation="operator__path", public=Q(station__is_public=True))
    objects = ScopedManager()

    class Meta:
        verbose_name = _("SensorThings record")
        verbose_name_plural = _("SensorThings records")
        indexes = (models.Index(fields=("kind", "is_gone"), name="monitoring_sta_kind"),)
        constraints = (
            models.UniqueConstraint(fields=("station",), condition=Q(kind="Thing"), name="monitoring_sta_one_thing"),
            models.UniqueConstraint(
                fields=("series",), condition=Q(kind="Datastream"), name="monitoring_sta_one_datastream"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.body.get('name', self.pk)}"


class StaAmendment(models.Model):
    """What a client said of one reading beside its value and time, or changed of it. The reading itself stays as it came."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="+")
    series = models.ForeignKey(Series, models.CASCADE, related_name="+")
    time_ms = models.BigIntegerField()
    body = models.JSONField(default=dict)
    feature = models.ForeignKey(StaRecord, models.SET_NULL, null=True, blank=True, related_name="+")
    is_gone = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("space", "series", "time_ms"), name="monitoring_sta_one_amendment"),
        )
