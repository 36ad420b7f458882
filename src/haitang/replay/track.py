"""A cyclone's best track as arrays: where it was between two fixes, and where somebody would have expected it to go.

Pure: NumPy and SciPy, no Django, no clock. Times are Unix seconds (UTC), positions WGS-84 degrees, pressures hPa, winds
m/s as 10-minute means, radii km. Positions follow a monotone cubic (Fritsch and Carlson 1980, SIAM J. Numer. Anal. 17,
238-246), which passes through every fix and never overshoots; intensities are linear between fixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from haitang.survey import wind_field

Floats = NDArray[np.float64]

KM_PER_DEGREE: Final = wind_field.EARTH_RADIUS_KM * np.pi / 180.0
KNOT_MS: Final = 1852.0 / 3600.0
MILE_KM: Final = 1.852
"""One nautical mile."""
MEMORY_S: Final = 6 * 3600.0
"""Persistence extrapolates the movement of the last six hours, the spacing of the fixes of a best track."""


@dataclass(frozen=True, slots=True)
class Track:
    """Fixes of one cyclone in order of time; every field has shape (N,). `outer_km` is the mean radius of `outer_wind_ms`."""

    time_s: Floats
    lon: Floats
    lat: Floats
    central_hpa: Floats
    max_wind_ms: Floats
    outer_km: Floats
    outer_wind_ms: float = 30 * KNOT_MS

    def __post_init__(self) -> None:
        if len(self.time_s) < 2 or not (np.diff(self.time_s) > 0).all():
            raise ValueError("a track needs two fixes or more, each later than the one before")

    @property
    def begin_s(self) -> float:
        """Time of the first fix."""
        return float(self.time_s[0])

    @property
    def end_s(self) -> float:
        """Time of the last fix."""
        return float(self.time_s[-1])


@dataclass(frozen=True, slots=True)
class Passage:
    """The storm at T moments, with the radius where its wind has fallen to `outer_wind_ms`: all that a wind field needs."""

    time_s: Floats
    storm: wind_field.Storm
    outer_km: Floats
    outer_wind_ms: float


def along(track: Track, time_s: ArrayLike, *, ambient_hpa: float) -> Passage:
    """The storm as it was. Outside the track's time it stands still, with the intensity of its nearest fix."""
    asked = np.asarray(time_s, dtype=np.float64)
    when = np.clip(asked, track.begin_s, track.end_s)
    inside = (asked >= track.begin_s) & (asked <= track.end_s)
    hours = (track.time_s - track.begin_s) / 3600.0
    from scipy.interpolate import PchipInterpolator  # a second of loading that only a replay needs

    lon_of, lat_of = PchipInterpolator(hours, track.lon), PchipInterpolator(hours, track.lat)
    at = (when - track.begin_s) / 3600.0
    lat = lat_of(at)
    east, north = _velocity_ms(lon_of(at, 1) * inside, lat_of(at, 1) * inside, lat)
    return _passage(track, asked, when, (lon_of(at), lat, east, north), ambient_hpa)


def expected(track: Track, issued_s: float, lead_s: ArrayLike, *, ambient_hpa: float) -> Passage:
    """The storm as a persistence forecast of `issued_s` expects it at each lead: same movement, same intensity.

    It uses nothing that was not known at `issued_s`, so that what it announces comes as late as it would have come.
    """
    leads = np.asarray(lead_s, dtype=np.float64)
    now = along(track, [issued_s], ambient_hpa=ambient_hpa)
    since = max(issued_s - MEMORY_S, track.begin_s)
    span_h = max((min(max(issued_s, track.begin_s), track.end_s) - since) / 3600.0, 0.0)
    if span_h > 0:
        before = along(track, [since], ambient_hpa=ambient_hpa).storm
        lon_h = float(now.storm.lon[0] - before.lon[0]) / span_h
        lat_h = float(now.storm.lat[0] - before.lat[0]) / span_h
    else:
        lon_h = lat_h = 0.0
    hours = leads / 3600.0
    lon, lat = now.storm.lon[0] + lon_h * hours, now.storm.lat[0] + lat_h * hours
    east, north = _velocity_ms(np.full_like(hours, lon_h), np.full_like(hours, lat_h), lat)
    when = np.full_like(hours, float(np.clip(issued_s, track.begin_s, track.end_s)))
    return _passage(track, issued_s + leads, when, (lon, lat, east, north), ambient_hpa)


def _velocity_ms(lon_h: Floats, lat_h: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Degrees an hour as metres a second, eastward and northward."""
    metres = KM_PER_DEGREE * 1000.0 / 3600.0
    return lon_h * metres * np.cos(np.radians(lat)), lat_h * metres


def _passage(
    track: Track, time_s: Floats, when: Floats, motion: tuple[Floats, Floats, Floats, Floats], ambient_hpa: float
) -> Passage:
    lon, lat, east, north = motion
    central = np.interp(when, track.time_s, track.central_hpa)
    ambient = np.full_like(central, ambient_hpa)
    storm = wind_field.Storm(
        lon=lon,
        lat=lat,
        central_hpa=np.minimum(central, ambient - 1.0),
        ambient_hpa=ambient,
        max_wind_ms=np.interp(when, track.time_s, track.max_wind_ms),
        rmax_km=wind_field.rmax_vickery_wadhera_km(np.maximum(ambient - central, 1.0), lat),
        east_ms=east,
        north_ms=north,
    )
    return Passage(time_s, storm, np.interp(when, track.time_s, track.outer_km), track.outer_wind_ms)


def field(passage: Passage, lon: ArrayLike, lat: ArrayLike) -> wind_field.Field:
    """Wind over open water and pressure at S places for the T moments of a passage; arrays of shape (T, S)."""
    return wind_field.surface_field(
        passage.storm, lon, lat, outer_radius_km=passage.outer_km[:, None], outer_wind_ms=passage.outer_wind_ms
    )
