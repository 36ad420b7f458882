"""Rows of a layer as features: properties in the reader's language, GeoJSON in one sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import shapely
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from numpy.typing import NDArray

from haitang.geo.catalogue import Layer, Look, Pair

# A centimetre: more decimals are noise, and a third of the bytes.
_DIGITS = 7


@dataclass(frozen=True)
class Features:
    """Features as columns: keys, shapes in degrees, and one mapping of properties each."""

    ids: list[Any]
    shapes: NDArray[np.object_]
    properties: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.ids)


def read(layer: Layer, look: Look, rows: QuerySet[Any]) -> Features:
    """The rows as features. One query, and what the layer's `extra` asks."""
    where = list(layer.point) if layer.point else [layer.geometry]
    names = list(layer.properties)
    columns: list[str] = []
    for name in names:
        path = layer.properties[name]
        columns += [path.zh, path.en] if isinstance(path, Pair) else [path]
    found = [
        row for row in rows.values_list("pk", *where, *columns) if row[1] is not None and row[len(where)] is not None
    ]
    ids = [row[0] for row in found]
    shapes = _shapes(layer, found)
    chinese = look.language.startswith("zh")
    extra = layer.extra(look, ids) if layer.extra and ids else {}  # noqa: S610 - a layer's, not a queryset's
    properties = [
        _finished(layer, _properties(layer, names, row[1 + len(where) :], chinese), extra.get(row[0])) for row in found
    ]
    return Features(ids, shapes, properties)


def _shapes(layer: Layer, found: Sequence[Sequence[Any]]) -> NDArray[np.object_]:
    if layer.point:
        xy = np.array([row[1:3] for row in found], dtype=np.float64).reshape(-1, 2)
        return np.asarray(shapely.points(xy), dtype=object)
    return np.asarray(shapely.from_wkb(np.array([bytes(row[1]) for row in found], dtype=object)), dtype=object)


def _properties(layer: Layer, names: Sequence[str], values: Sequence[Any], chinese: bool) -> dict[str, Any]:
    result: dict[str, Any] = {}
    at = 0
    for name in names:
        if isinstance(layer.properties[name], Pair):
            zh, en = values[at], values[at + 1]
            result[name] = (zh or en) if chinese else (en or zh)
            at += 2
        else:
            result[name] = values[at]
            at += 1
    return result


def _finished(layer: Layer, properties: dict[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    if extra:
        properties.update(extra)
    if layer.finish:
        properties = dict(layer.finish(properties))
    return {name: plain(value) for name, value in properties.items() if value is not None and value != ""}


def plain(value: Any) -> Any:
    """A value that JSON and tiles carry: times in local ISO 8601, decimals as numbers, lazy texts as text."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, datetime):
        return (
            timezone.localtime(value).isoformat(timespec="seconds") if timezone.is_aware(value) else value.isoformat()
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def geojson(features: Features, more: Mapping[str, Any] | None = None) -> Iterator[str]:
    """A FeatureCollection as text, piece by piece; `more` are further members of the collection."""
    head = json.dumps({"type": "FeatureCollection", **(more or {})}, ensure_ascii=False)
    yield head[:-1] + ', "features": ['
    geometries = shapely.to_geojson(shapely.transform(features.shapes, lambda xy: np.round(xy, _DIGITS)))
    for k, (pk, geometry, properties) in enumerate(zip(features.ids, geometries, features.properties, strict=True)):
        yield (
            ("," if k else "")
            + '{"type":"Feature","id":'
            + json.dumps(pk if isinstance(pk, int) else str(pk))
            + ',"geometry":'
            + geometry
            + ',"properties":'
            + json.dumps(properties, ensure_ascii=False)
            + "}"
        )
    yield "]}"
