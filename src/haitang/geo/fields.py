"""Geometry on any store: WKB in a binary column, the envelope in four indexed ones, shapely in and out.

Declared once in `GeometryMixin`; asked with the verbs of `GeometryQuerySet`. WGS-84 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

import numpy as np
import shapely
from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Field, ForeignObject, Q
from django.db.models.query_utils import DeferredAttribute
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from shapely.geometry.base import BaseGeometry

from haitang.geo.among import Among
from haitang.geo.shapes import GeometryError, around, distances_m, parse

ENVELOPE = ("west", "south", "east", "north")
_Row = TypeVar("_Row", bound=models.Model)

Field.register_lookup(Among)
ForeignObject.register_lookup(Among)  # a foreign key has a list of lookups of its own


class _Stored(bytes):
    """WKB that came from the database: known to be good, decoded only when somebody looks."""


class _GeometryAttribute(DeferredAttribute):
    """Decodes on first look and keeps the envelope columns in step with what is assigned."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            super().__get__(instance, cls)  # deferred: fetch
        value = instance.__dict__.get(self.field.attname)
        if isinstance(value, _Stored):
            value = instance.__dict__[self.field.attname] = shapely.from_wkb(bytes(value))
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        if not isinstance(value, _Stored):
            value = self.field.to_python(value)
            bounds = value.bounds if value is not None else (None, None, None, None)
            for name, bound in zip(ENVELOPE, bounds, strict=True):
                instance.__dict__[name] = bound
        instance.__dict__[self.field.attname] = value


class GeometryField(models.BinaryField):  # type: ignore[type-arg]
    """A shape in WGS-84 degrees. `kinds` limits it, for example to ("Point",).

    Assigning anything `haitang.geo.shapes.parse` reads is allowed; ValidationError says what is wrong with the rest.
    """

    description = _("geometry (WGS-84)")
    descriptor_class = _GeometryAttribute

    def __init__(self, *args: Any, kinds: Iterable[str] = (), **kwargs: Any) -> None:
        self.kinds = tuple(kinds)
        kwargs.setdefault("editable", True)
        super().__init__(*args, **kwargs)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Refuse a model that has the geometry but not the envelope columns before it."""
        found = list(super().check(**kwargs))
        names = [field.name for field in self.model._meta.concrete_fields]
        if any(name not in names or names.index(name) > names.index(self.name) for name in ENVELOPE):
            found.append(checks.Error("A GeometryField belongs in a model that inherits GeometryMixin.", obj=self))
        return found

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """What a migration writes."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        if self.kinds:
            kwargs["kinds"] = self.kinds
        return name, path, args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> _Stored | None:
        """Keep the bytes; nobody may want the shape."""
        return None if value is None else _Stored(value)

    def to_python(self, value: Any) -> BaseGeometry | None:
        """A checked shape, or ValidationError."""
        if value is None or value in ("", b""):
            return None
        if isinstance(value, _Stored):
            return shapely.from_wkb(bytes(value))
        try:
            return parse(value, self.kinds)
        except GeometryError as error:
            raise ValidationError(gettext(error.template), code="invalid_geometry", params=error.params) from error

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """WKB bytes, little-endian, two dimensions."""
        if isinstance(value, _Stored):
            value = bytes(value)
        elif value is not None:
            shape = self.to_python(value)
            value = None if shape is None else shapely.to_wkb(shape, output_dimension=2, byte_order=1)
        return super().get_db_prep_value(value, connection, prepared)

    def value_to_string(self, obj: Any) -> str:
        """WKT, for Django's serialisers."""
        shape = self.value_from_object(obj)
        return "" if shape is None else shapely.to_wkt(shape, rounding_precision=-1)

    def validate(self, value: Any, model_instance: Any) -> None:
        """Blank and null rules; the shape itself was checked when it was assigned."""
        if value is None and not self.null:
            raise ValidationError(self.error_messages["null"], code="null")

    def formfield(self, **kwargs: Any) -> Any:
        """A text field that takes GeoJSON, WKT or 'longitude,latitude'; the map draws over it."""
        from haitang.geo.forms import GeometryFormField

        options = {"required": not self.blank, "label": self.verbose_name, "help_text": self.help_text}
        return GeometryFormField(kinds=self.kinds, **{**options, **kwargs})


class GeometryVerbs:
    """The spatial verbs, for any QuerySet of a model that inherits GeometryMixin.

    The envelope decides in SQL; shapely decides exactly only where the envelope cannot.
    """

    def within(self, shape: BaseGeometry) -> Self:
        """Rows whose geometry lies wholly in `shape` (its edge included). One query, or two if an edge must be checked."""
        west, south, east, north = shape.bounds
        inside = Q(west__gte=west, south__gte=south, east__lte=east, north__lte=north)
        if _is_box(shape):
            return self._rows().filter(inside)  # type: ignore[return-value]
        return self._exactly(inside, lambda geometries: shapely.covers(_prepared(shape), geometries))

    def intersecting(self, shape: BaseGeometry) -> Self:
        """Rows whose geometry shares a point with `shape`. One query, or two if an edge must be checked."""
        west, south, east, north = shape.bounds
        touching = Q(west__lte=east, east__gte=west, south__lte=north, north__gte=south)

        def test(geometries: Any) -> Any:
            return shapely.intersects(_prepared(shape), geometries)

        if not _is_box(shape):
            return self._exactly(touching, test)
        inside = Q(west__gte=west, south__gte=south, east__lte=east, north__lte=north)
        sure = Q(inside)
        hits = self._hits(touching & ~inside, test)
        if hits:
            sure |= Q(pk__among=hits)
        return self._rows().filter(sure)  # type: ignore[return-value]

    def containing(self, lon: float, lat: float) -> Self:
        """Rows whose geometry holds the point."""
        return self.intersecting(shapely.Point(lon, lat))

    def nearest(self, lon: float, lat: float, k: int = 1, max_m: float | None = None) -> list[Any]:
        """The `k` rows nearest to a point, nearest first, each with `distance_m`; none farther than `max_m` metres.

        The search widens until enough are found, so it costs a few index scans, not a table.
        """
        radius = 500.0 if max_m is None else min(500.0, max_m)
        world = 21_000_000.0
        limit = world if max_m is None else max_m
        while True:
            west, south, east, north = around(lon, lat, radius)
            near = self._rows().filter(west__lte=east, east__gte=west, south__lte=north, north__gte=south)
            if radius >= limit or near.count() >= k:
                pks, shapes = _columns(near)
                metres = distances_m(shapes, lon, lat) if len(pks) else np.empty(0)
                good = np.flatnonzero(metres <= radius)
                if len(good) >= k or radius >= limit:
                    order = good[np.argsort(metres[good], kind="stable")][:k]
                    rows = self._rows().in_bulk([pks[i] for i in order])
                    return [_with_distance(rows[pks[i]], float(metres[i])) for i in order]
            radius = min(radius * 4, limit)

    def update(self, **kwargs: Any) -> int:
        """As Django's, and the envelope goes with the geometry (an expression brings its own)."""
        if "geometry" in kwargs and not hasattr(kwargs["geometry"], "resolve_expression"):
            field = self._rows().model._meta.get_field("geometry")
            shape = kwargs["geometry"] = field.to_python(kwargs["geometry"])
            kwargs.update(zip(ENVELOPE, shape.bounds if shape is not None else (None,) * 4, strict=True))
        return super().update(**kwargs)  # type: ignore[misc,no-any-return]

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        """As Django's, and the envelope goes with the geometry."""
        return super().bulk_update(objs, _with_envelope(fields), batch_size=batch_size)  # type: ignore[misc,no-any-return]

    def _rows(self) -> models.QuerySet[Any]:
        return self  # type: ignore[return-value]

    def _exactly(self, envelope: Q, test: Callable[[Any], Any]) -> Self:
        return self._rows().filter(pk__among=self._hits(envelope, test))  # type: ignore[return-value]

    def _hits(self, envelope: Q, test: Callable[[Any], Any]) -> list[Any]:
        pks, shapes = _columns(self._rows().filter(envelope))
        if not len(pks):
            return []
        return [pks[i] for i in np.flatnonzero(test(shapes))]


class GeometryQuerySet(GeometryVerbs, models.QuerySet[_Row]):
    """A QuerySet with the spatial verbs."""


class GeometryMixin(models.Model):
    """Geometry with its envelope. West, south, east and north follow whatever is assigned to `geometry`."""

    # The envelope stands before the geometry, so that the constructor's defaults do not overwrite what it sets.
    west = models.FloatField(null=True, blank=True, editable=False)
    south = models.FloatField(null=True, blank=True, editable=False)
    east = models.FloatField(null=True, blank=True, editable=False)
    north = models.FloatField(null=True, blank=True, editable=False)
    geometry = GeometryField(_("geometry"), null=True, blank=True)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north; None without a geometry. Costs nothing, also where the geometry is deferred."""
        if self.west is None or self.south is None or self.east is None or self.north is None:
            return None
        return self.west, self.south, self.east, self.north

    class Meta:
        abstract = True
        indexes = (models.Index(fields=("west", "south", "east", "north"), name="%(app_label)s_%(class)s_box"),)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As Django's, and the envelope goes with the geometry."""
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = _with_envelope(kwargs["update_fields"])
        super().save(*args, **kwargs)


def _with_envelope(fields: Iterable[str]) -> list[str]:
    names = list(fields)
    return [*names, *(n for n in ENVELOPE if n not in names)] if "geometry" in names else names


def _columns(rows: models.QuerySet[Any]) -> tuple[list[Any], Any]:
    found = list(rows.filter(geometry__isnull=False).order_by().values_list("pk", "geometry"))
    return [pk for pk, _wkb in found], shapely.from_wkb(np.array([bytes(wkb) for _pk, wkb in found], dtype=object))


def _is_box(shape: BaseGeometry) -> bool:
    if shape.geom_type != "Polygon" or shapely.get_num_coordinates(shape) != 5:
        return False
    return bool(shape.equals(shapely.box(*shape.bounds)))


def _prepared(shape: BaseGeometry) -> BaseGeometry:
    shapely.prepare(shape)
    return shape


def _with_distance(row: Any, metres: float) -> Any:
    row.distance_m = metres
    return row
