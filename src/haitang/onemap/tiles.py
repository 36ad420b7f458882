"""A layer's vector tile, cut within the viewer's scope and kept until the layer changes."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db.models import QuerySet

from haitang.accounts.scope import Scope, same_reach
from haitang.geo.catalogue import Layer, Look
from haitang.geo.mvt import Tile, choose, encode
from haitang.onemap.features import read
from haitang.onemap.versions import version_of

KEEP_SECONDS = 3600
# A layer with a time changes without an entry, when a row's time has come: its tiles of the present live this long.
_PRESENT_SECONDS = 5
# Changes when the bytes of a tile change for another reason than its data.
_FORMAT = 1


def etag_of(layer: Layer, look: Look, tile: Tile) -> str:
    """The name of one state of one tile for one reach. Two viewers share it when they see the same rows."""
    parts: list[Any] = [
        _FORMAT,
        layer.id,
        version_of(layer, look.space),
        look.space.pk,
        look.language,
        reach_of(layer, look),
    ]
    parts += [tile.z, tile.x, tile.y]
    if look.is_past:
        parts.append(look.at.isoformat())
    elif layer.time:
        parts.append(int(look.at.timestamp()) // _PRESENT_SECONDS)
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]


def reach_of(layer: Layer, look: Look) -> str:
    """What decides which rows of the layer this viewer sees."""
    scope = getattr(layer.rows(look).model, "scope", None)
    reach = str(same_reach(look.user))
    return f"{reach}:{look.user.pk}" if isinstance(scope, Scope) and scope.person else reach


def tile_of(layer: Layer, look: Look, tile: Tile, etag: str) -> bytes:
    """The gzipped tile, from the cache or cut now."""
    key = f"tile:{etag}"
    found: bytes | None = cache.get(key)
    if found is None:
        # A fixed time, so that the same data give the same bytes.
        found = gzip.compress(cut(layer, look, tile), 5, mtime=0)
        cache.set(key, found, KEEP_SECONDS)
    return found


def cut(layer: Layer, look: Look, tile: Tile) -> bytes:
    """The tile's bytes. Two queries: envelopes of all rows in the tile, then what is needed of those that are shown."""
    rows = layer.at(look).filter(layer.touching(tile.bounds()))
    west, south, east, north = layer.envelope
    table = _numbers(rows, "pk", west, south, east, north, layer.rank or "pk")
    if not table:
        return b""
    ids = [row[0] for row in table]
    numbers = np.array([row[1:5] for row in table], dtype=np.float64)
    boxes = (numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3])
    chosen = choose(tile, *boxes, _rank([row[5] for row in table]))
    counts = {ids[k]: count for k, count in zip(chosen.rows.tolist(), chosen.counts.tolist(), strict=True)}
    # All shown: the same condition again is cheaper than a list of keys.
    wanted = rows if len(counts) == len(ids) else rows.filter(pk__among=list(counts))
    features = read(layer, look, wanted.order_by())
    names = sorted({name for properties in features.properties for name in properties})
    columns = {name: [properties.get(name) for properties in features.properties] for name in names}
    # One that stands only for itself does not say so.
    columns["point_count"] = [count if (count := counts.get(pk, 1)) > 1 else None for pk in features.ids]
    return encode(tile, layer.id, features.shapes, features.ids, columns)


def _numbers(rows: QuerySet[Any], *columns: str) -> list[tuple[Any, ...]]:
    return [row for row in rows.order_by().values_list(*columns) if None not in row[1:5]]


def _rank(values: list[Any]) -> np.ndarray[Any, Any]:
    """Ranks as numbers, of a column of any sort; rows without a rank come last."""
    if all(isinstance(value, int | float) for value in values):
        return np.array(values)
    return np.argsort(np.argsort(np.array(["\uffff" if value is None else str(value) for value in values])))
