"""What hangs at the stations: instruments with calibration and maintenance; and cameras, by address only."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.monitoring.models.network import Station
from haitang.registry.records import Record


class EquipmentKind(models.TextChoices):
    """What an instrument is."""

    SENSOR = "sensor", _("Sensor")
    LOGGER = "logger", _("Data logger")
    POWER = "power", _("Battery or solar supply")
    LINK = "link", _("Radio or modem")
    TRAP = "trap", _("Pest trap or lamp")
    ACTUATOR = "actuator", _("Gate or pump drive")
    OTHER = "other", pgettext_lazy("equipment", "Other")


class Equipment(Record):
    """An instrument at a station. What is due first becomes its owner's obligation (`due.py`)."""

    kind = models.CharField(pgettext_lazy("equipment", "kind"), max_length=10, choices=EquipmentKind, db_index=True)
    station = models.ForeignKey(Station, models.PROTECT, related_name="equipment", verbose_name=_("station"))
    maker = models.CharField(_("maker and type"), max_length=120, blank=True)
    serial = models.CharField(_("serial number"), max_length=80, blank=True)
    installed_on = models.DateField(_("installed on"), null=True, blank=True)
    calibrated_on = models.DateField(_("calibrated on"), null=True, blank=True)
    calibration_due = models.DateField(_("calibration due"), null=True, blank=True, db_index=True)
    certificate = models.CharField(_("certificate"), max_length=120, blank=True)
    serviced_on = models.DateField(_("serviced on"), null=True, blank=True)
    service_due = models.DateField(_("service due"), null=True, blank=True, db_index=True)
    # The due dates for which the owner has been asked already.
    calibration_asked = models.DateField(null=True, blank=True, editable=False)
    service_asked = models.DateField(null=True, blank=True, editable=False)

    class Meta(Record.Meta):
        verbose_name = _("instrument")
        verbose_name_plural = _("instruments")

    @property
    def next_due(self) -> date | None:
        """What is due first."""
        return min((each for each in (self.calibration_due, self.service_due) if each), default=None)

    def clean(self) -> None:
        """Nothing is due before it was done."""
        for done, due in (("calibrated_on", "calibration_due"), ("serviced_on", "service_due")):
            first, second = getattr(self, done), getattr(self, due)
            if first and second and second < first:
                raise ValidationError({due: _("It would be due before it was last done.")})


def without_credentials(value: str) -> None:
    """Refuse an address that carries a user name, a password or a token of access."""
    parts = urlsplit(value)
    words = ("password", "passwd", "pwd", "token", "secret", "access_key")
    if parts.username or parts.password or any(f"{word}=" in parts.query.lower() for word in words):
        raise ValidationError(
            _("Leave user name, password and token out of the address: credentials are not stored here.")
        )


class VideoPoint(Record):
    """A camera: where it stands and where its picture is to be had. No picture and no credentials are stored."""

    station = models.ForeignKey(
        Station, models.PROTECT, null=True, blank=True, related_name="video_points", verbose_name=_("station")
    )
    looks_at = models.CharField(_("looks at"), max_length=120, blank=True)
    bearing_deg = models.PositiveSmallIntegerField(_("bearing (°)"), null=True, blank=True)
    stream_url = models.CharField(
        _("address of the stream"), max_length=300, blank=True,
        validators=[URLValidator(schemes=["rtsp", "rtsps", "http", "https"]), without_credentials],
    )  # fmt: skip
    snapshot_url = models.CharField(
        _("address of a snapshot"), max_length=300, blank=True,
        validators=[URLValidator(schemes=["http", "https"]), without_credentials],
    )  # fmt: skip

    class Meta(Record.Meta):
        verbose_name = _("video point")
        verbose_name_plural = _("video points")
