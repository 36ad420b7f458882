"""Shelters 应急避难场所: what they can take, whether they are open in a world, how many people were counted in them."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.scope import Scope, ScopedManager
from haitang.registry.records import Record
from haitang.spaces.models import Space


class ShelterKind(models.TextChoices):
    """What the building or ground is in ordinary life."""

    SCHOOL = "school", _("School")
    SPORTS = "sports", _("Sports hall or ground")
    COMMUNITY = "community", _("Community or village hall")
    OFFICE = "office", _("Office building")
    HOTEL = "hotel", _("Hotel or hostel")
    PARK = "park", _("Park or square")
    DEDICATED = "dedicated", _("Dedicated shelter")
    OTHER = "other", pgettext_lazy("shelter", "Other")


class Setting(models.TextChoices):
    """Under a roof or not: in a typhoon only a roof will do."""

    INDOOR = "indoor", _("Indoor")
    OUTDOOR = "outdoor", _("Outdoor")


class Term(models.TextChoices):
    """For how long people can stay, as GB/T 44013 divides shelters 紧急、短期、长期."""

    EMERGENCY = "emergency", _("Up to a day")
    SHORT = "short", _("Up to 14 days")
    LONG = "long", _("15 days and more")


class Shelter(Record):
    """A place where people are taken in."""

    kind = models.CharField(pgettext_lazy("resource", "kind"), max_length=10, choices=ShelterKind, db_index=True)
    setting = models.CharField(_("setting"), max_length=8, choices=Setting, default=Setting.INDOOR)
    term = models.CharField(_("length of stay"), max_length=10, choices=Term, default=Term.SHORT)
    address = models.CharField(_("address"), max_length=120, blank=True)
    address_en = models.CharField(_("address (English)"), max_length=160, blank=True)
    area_m2 = models.PositiveIntegerField(_("usable area (m²)"), null=True, blank=True)
    capacity = models.PositiveIntegerField(
        _("capacity (people)"), db_index=True, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    manager = models.CharField(_("person in charge"), max_length=40, blank=True)
    phone = models.CharField(_("telephone of the person in charge"), max_length=30, blank=True)

    class Meta(Record.Meta):
        verbose_name = _("shelter")
        verbose_name_plural = _("shelters")


class ShelterState(models.Model):
    """A time in which a shelter is or was open in one world."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    shelter = models.ForeignKey(Shelter, models.PROTECT, related_name="states", verbose_name=_("shelter"))
    opened_at = models.DateTimeField(pgettext_lazy("shelter time", "opened"))
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(pgettext_lazy("shelter time", "closed"), null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    scope = Scope(place="shelter__place__path", organisation="shelter__owner__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("opening of a shelter")
        verbose_name_plural = _("openings of shelters")
        ordering = ("-opened_at", "-id")
        constraints = (
            # One opening at a time, whoever presses twice.
            models.UniqueConstraint(
                fields=("space", "shelter"), condition=Q(closed_at__isnull=True), name="resources_shelter_open_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.shelter} {self.opened_at:%m-%d %H:%M}"


class HeadCount(models.Model):
    """People counted in a shelter at a time, in one world. A later count does not overwrite an earlier one."""

    space = models.ForeignKey(Space, models.PROTECT, related_name="+")
    shelter = models.ForeignKey(Shelter, models.PROTECT, related_name="head_counts", verbose_name=_("shelter"))
    at = models.DateTimeField(_("counted at"))
    people = models.PositiveIntegerField(_("people"))
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("reported by")
    )
    source = models.CharField(_("source"), max_length=80, blank=True)
    # Set on the count that is the last by its time; lists and sums of the present ask for it alone.
    is_newest = models.BooleanField(default=True, editable=False)

    scope = Scope(place="shelter__place__path", organisation="shelter__owner__path")
    objects = ScopedManager()

    class Meta:
        verbose_name = _("head count")
        verbose_name_plural = _("head counts")
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("space", "shelter"), condition=Q(is_newest=True), name="resources_heads_one_newest"
            ),
        )
        # The newest count of a shelter at a moment.
        indexes = (models.Index(fields=("space", "shelter", "-at", "-id"), name="resources_heads_newest"),)

    def __str__(self) -> str:
        return f"{self.shelter} {self.people}"
