"""Events: alarms of one hazard in one township within a few hours, shown as one. A storm is not a thousand alarms."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager
from haitang.monitoring.models.network import Colour
from haitang.spaces.models import Space


class Hazard(models.TextChoices):
    """What alarms speak of."""

    RAIN = "rain", _("Heavy rain")
    WIND = "wind", _("Strong wind")
    SURGE = "surge", _("Tide and surge")
    FLOOD = "flood", _("River and canal water")
    WATERLOGGING = "waterlogging", _("Waterlogging")
    FOG = "fog", _("Fog")
    HEAT = "heat", _("Heat or cold")
    SNOW = "snow", _("Snow")
    DROUGHT = "drought", _("Drought")
    SALINITY = "salinity", _("Salt water")
    AIR = "air", _("Air pollution")
    GAS = "gas", _("Gas leak")
    TANK = "tank", _("Tank or process")
    FIRE = "fire", _("Fire")
    WILDFIRE = "wildfire", _("Forest fire")
    PEST = "pest", _("Pests")
    STRUCTURE = "structure", _("Bridge or sea wall")
    GROUND = "ground", _("Ground movement")
    EARTHQUAKE = "earthquake", _("Earthquake")
    POWER = "power", _("Power supply")
    SILENCE = "silence", _("Stations gone silent")
    OTHER = "other", pgettext_lazy("hazard", "Other")


class Episode(models.Model):
    """One event: what it speaks of, where, since when; its alarms point at it. It ends by itself, `GAP_H` after the last."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    hazard = models.CharField(pgettext_lazy("event", "hazard"), max_length=14, choices=Hazard)
    place = models.ForeignKey(
        "geo.Place", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("place")
    )
    opened_at = models.DateTimeField(_("opened"))
    # When an alarm last opened or rose, or a report came in.
    last_at = models.DateTimeField(_("last change"))
    peak_colour = models.CharField(_("highest colour"), max_length=6, choices=Colour)
    level = models.PositiveSmallIntegerField(editable=False)
    alarm_count = models.PositiveIntegerField(default=0, editable=False)
    report_count = models.PositiveIntegerField(default=0, editable=False)

    scope = Scope(place="place__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = pgettext_lazy("monitoring", "event")
        verbose_name_plural = pgettext_lazy("monitoring", "events")
        ordering = ("-level", "-last_at", "-id")
        # Which event an alarm belongs to.
        indexes = (models.Index(fields=("space", "hazard", "place", "-last_at"), name="monitoring_episode_of"),)

    def __str__(self) -> str:
        return f"{self.place} {self.get_hazard_display()}" if self.place else str(self.get_hazard_display())

    def get_absolute_url(self) -> str:
        """The event's page."""
        return reverse("monitoring:episode", args=[self.pk])
