"""What no station watches, and where further ones would help most. Pure, vectorised.

Places and key targets are points with a weight (people). A point is *watched* when a live station of the kind stands
within `reach_m`. `best_sites` chooses k places for further stations, one after the other, each the one that brings the
most weight under watch (maximal covering location, Church and ReVelle 1974). The greedy choice covers at least
1 - (1 - 1/k)^k of what the best possible choice of k places covers, so never less than 63 % (Nemhauser, Wolsey and Fisher
1978, the gain being submodular); `bound` gives a second limit that holds for the case at hand and is mostly tighter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

EARTH_M = 6_371_008.8
_MOST = 4_000_000


def distances_m(lon: Floats, lat: Floats, to_lon: Floats, to_lat: Floats) -> Floats:
    """Great-circle distances [n, m] on the sphere (haversine); within 0.6 % of the ellipsoid."""
    a, b, c, d = (np.radians(each) for each in (lon, lat, to_lon, to_lat))
    half = np.sin((b[:, None] - d[None, :]) / 2) ** 2
    half = half + np.cos(b)[:, None] * np.cos(d)[None, :] * np.sin((a[:, None] - c[None, :]) / 2) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))), np.float64)


def nearest(lon: Floats, lat: Floats, to_lon: Floats, to_lat: Floats) -> tuple[Floats, Ints]:
    """Distance [n] in metres to the nearest of the others, and which it is; infinite and -1 where there is none."""
    far, which = np.full(len(lon), np.inf), np.full(len(lon), -1, np.int64)
    if not len(to_lon):
        return far, which
    step = max(1, _MOST // len(to_lon))
    for start in range(0, len(lon), step):
        part = slice(start, start + step)
        found = distances_m(lon[part], lat[part], to_lon, to_lat)
        which[part] = found.argmin(axis=1)
        far[part] = found[np.arange(len(found)), which[part]]
    return far, which


@dataclass(frozen=True)
class Sites:
    """The chosen places, in order: index of the candidate, weight it adds; the weight under watch in the end and its upper limit."""

    chosen: tuple[int, ...]
    gains: tuple[float, ...]
    covered: float
    # No choice of as many places can cover more.
    bound: float

    @property
    def share(self) -> float:
        """What is covered, as a share of the upper limit: at least so good is the choice."""
        return self.covered / self.bound if self.bound else 1.0


def best_sites(reached: Bools, weight: Floats, k: int, *, watched: Bools | None = None) -> Sites:
    """Choose up to k of the candidates. `reached` [candidates, points]; `watched` [points] are under watch already.

    Ties go to the first candidate. Candidates that add nothing are not chosen. `covered` and `bound` count what the
    chosen ones add to what is watched.
    """
    open_ = np.where(watched, 0.0, weight) if watched is not None else weight.astype(np.float64)
    table = reached.astype(np.float64)
    chosen: list[int] = []
    gains: list[float] = []
    bound = float(open_.sum())
    covered = 0.0
    for _ in range(max(0, k)):
        gain = table @ open_
        # Whatever the best k are: they cover no more than what is covered and the k largest gains that are left.
        bound = min(bound, covered + float(np.sort(gain)[::-1][:k].sum()))
        best = int(gain.argmax()) if len(gain) else -1
        if best < 0 or gain[best] <= 0:
            break
        chosen.append(best)
        gains.append(float(gain[best]))
        covered += float(gain[best])
        open_ = np.where(reached[best], 0.0, open_)
    if len(table):
        bound = min(bound, covered + float(np.sort(table @ open_)[::-1][:k].sum()))
    return Sites(tuple(chosen), tuple(gains), covered, max(bound, covered))


def grid_between(west: float, south: float, east: float, north: float, step_m: float) -> tuple[Floats, Floats]:
    """Candidates on a regular grid: longitudes and latitudes, at most 2,500."""
    tall = max(1, round((north - south) * 111_195 / step_m))
    wide = max(1, round((east - west) * 111_195 * np.cos(np.radians((north + south) / 2)) / step_m))
    while tall * wide > 2500:
        tall, wide = max(1, tall * 9 // 10), max(1, wide * 9 // 10)
    lat = south + (np.arange(tall) + 0.5) * (north - south) / tall
    lon = west + (np.arange(wide) + 0.5) * (east - west) / wide
    x, y = np.meshgrid(lon, lat)
    return x.ravel(), y.ravel()
