"""Places: the tree of jurisdictions, district - township - village - grid cell, and their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import shapely
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Concat, Substr
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from shapely.geometry.base import BaseGeometry

from haitang.geo.fields import GeometryMixin, GeometryQuerySet
from haitang.geo.names import localised


class Level(models.TextChoices):
    """How deep in the tree of jurisdictions a place stands."""

    DISTRICT = "district", pgettext_lazy("level", "District")
    TOWNSHIP = "township", pgettext_lazy("level", "Township")
    VILLAGE = "village", pgettext_lazy("level", "Village or neighbourhood")
    GRID = "grid", pgettext_lazy("level", "Grid cell")


class PublicGround(GeometryQuerySet[Any]):
    """Rows that everybody may see: administrative divisions and the ground itself are public knowledge."""

    def visible_to(self, user: object) -> Self:
        """All rows; the method stands here so that places are read as every other row is."""
        return self.all()


class PlaceQuerySet(models.QuerySet["Place"]):
    """Places, and the question which of them hold a point or shape."""

    def visible_to(self, user: object) -> Self:
        """All rows; administrative divisions are public."""
        return self.all()

    def under(self, place: Place | str) -> Self:
        """The place (or path) itself and everything below it."""
        return self.filter(path__startswith=place if isinstance(place, str) else place.path)

    def touching(self, shape: BaseGeometry) -> Self:
        """Places whose outline shares a point with the shape."""
        return self.filter(shape__in=PlaceShape.objects.intersecting(shape))

    def holding(self, lon: float, lat: float) -> Self:
        """Places whose outline holds the point, the district first."""
        return self.touching(shapely.Point(lon, lat)).order_by("path")


class Place(models.Model):
    """A jurisdiction. Its shape lives in `PlaceShape`, so that lists that join to a place do not carry it."""

    Level = Level

    code = models.CharField(_("code"), max_length=30, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    level = models.CharField(_("level"), max_length=10, choices=Level, db_index=True)
    # 镇, 乡, 农场, 园区, 村, 居 ...: what the place is called in its own administration.
    kind = models.CharField(_("kind"), max_length=30, blank=True)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    # The codes from the root down, each ended by a slash: "310151/310151101/". A subtree is a prefix.
    path = models.CharField(max_length=200, unique=True, editable=False)
    population = models.PositiveIntegerField(_("population"), null=True, blank=True)
    population_note = models.CharField(_("note on population"), max_length=300, blank=True)
    area_km2 = models.FloatField(_("area (km²)"), null=True, blank=True)
    lon = models.FloatField(_("longitude"), null=True, blank=True)
    lat = models.FloatField(_("latitude"), null=True, blank=True)
    is_approximate = models.BooleanField(_("position or outline is approximate"), default=False)
    confidence = models.CharField(_("confidence"), max_length=20, blank=True)
    source = models.CharField(_("source"), max_length=500, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    objects = PlaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("place")
        verbose_name_plural = _("places")
        ordering = ("path",)

    if TYPE_CHECKING:
        shape: PlaceShape

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)

    @property
    def geometry(self) -> BaseGeometry | None:
        """The outline (WGS-84), None if unknown. Costs a query; `select_related("shape")` saves it."""
        shape = PlaceShape.objects.filter(place=self).first() if "shape" not in self._state.fields_cache else self.shape
        return shape.geometry if shape else None

    @property
    def depth(self) -> int:
        """1 for the root."""
        return self.path.count("/")

    def contains(self, other: Place | str) -> bool:
        """True if the other place (or path) is this one or lies under it. Costs nothing."""
        return (other if isinstance(other, str) else other.path).startswith(self.path)

    def ancestors(self) -> models.QuerySet[Place]:
        """The places above this one, root first. One query."""
        codes = self.path.rstrip("/").split("/")[:-1]
        return Place.objects.filter(code__in=codes).order_by("path")

    def subtree(self) -> models.QuerySet[Place]:
        """This place and all under it. One query."""
        return Place.objects.filter(path__startswith=self.path)

    def clean(self) -> None:
        """The tree's rules: no slash in a code, no place under itself."""
        if "/" in self.code or not self.code:
            raise ValidationError({"code": _("A code is not empty and has no slash.")})
        if self.parent and self.pk and self.parent.path.startswith(self.path or "\0"):
            raise ValidationError({"parent": _("A place cannot stand under itself: choose another parent.")})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save with the path that follows from the parent; move the subtree along when it changed."""
        self.clean()
        before = self.path
        self.path = f"{self.parent.path if self.parent else ''}{self.code}/"
        if kwargs.get("update_fields") is not None and before != self.path:
            kwargs["update_fields"] = {*kwargs["update_fields"], "path"}
        super().save(*args, **kwargs)
        if before and before != self.path:
            below = Place.objects.filter(path__startswith=before).exclude(pk=self.pk)
            below.update(path=Concat(Value(self.path), Substr(F("path"), len(before) + 1)))


class PlaceShape(GeometryMixin):
    """The outline of a place."""

    place = models.OneToOneField(Place, models.CASCADE, primary_key=True, related_name="shape")
    level = models.CharField(max_length=10, choices=Level)
    is_approximate = models.BooleanField(_("outline is approximate"), default=False)
    source = models.CharField(_("source"), max_length=500, blank=True)

    objects = PublicGround.as_manager()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("outline")
        verbose_name_plural = _("outlines")

    def __str__(self) -> str:
        return f"{self.place_id}"


class FeatureKind(models.TextChoices):
    """What a line or area on the ground is."""

    COAST = "coast", _("Coastline")
    RIVER = "river", _("River or canal")
    LAKE = "lake", _("Lake or reservoir")
    SEAWALL = "seawall", _("Sea wall")
    SLUICE = "sluice", _("Sluice")
    ROAD = "road", _("Road")
    BRIDGE = "bridge", _("Bridge or tunnel")
    FERRY = "ferry", _("Ferry line")
    OTHER = "other", pgettext_lazy("feature", "Other")


class Feature(GeometryMixin):
    """Something on the ground that the map shows and nobody administers: a river, the sea wall, the bridge."""

    Kind = FeatureKind

    code = models.CharField(_("code"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=FeatureKind, db_index=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    name_en = models.CharField(_("name (English)"), max_length=120, blank=True)
    is_approximate = models.BooleanField(_("position or outline is approximate"), default=False)
    source = models.CharField(_("source"), max_length=500, blank=True)
    is_demo = models.BooleanField(_("demonstration data"), default=False)

    objects = PublicGround.as_manager()

    class Meta(GeometryMixin.Meta):
        verbose_name = _("ground feature")
        verbose_name_plural = _("ground features")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return localised(self.name_zh, self.name_en)
