"""Parametric tropical-cyclone wind and pressure fields after Holland (1980) and Holland, Belanger and Fritz (2010).

Pure: NumPy arrays in and out, no Django, no clock. Angles in degrees, distances in km, speeds in m/s, pressures in hPa,
longitudes and latitudes in WGS-84 degrees. Radial functions broadcast; `surface_field` is vectorised over (time, station).

Valid where the vortex is a closed, mature cyclone: roughly a pressure deficit above 5 hPa, within about 500 km of the
centre, between 5 and 45 degrees of latitude. Nothing here knows of land, fronts or extratropical transition; a station's
exposure is a factor applied by the caller. The three usual profiles differ by up to 30 % at one place: treat a single
field as one member of a band, not as the truth.

Sources
-------
Holland (1980), Mon. Wea. Rev. 108, 1212-1218. Holland (2008), Mon. Wea. Rev. 136, 3432-3445.
Holland, Belanger, Fritz (2010), Mon. Wea. Rev. 138, 4393-4401. Vickery, Wadhera (2008), J. Appl. Meteor. Climatol. 47,
2497-2517. Willoughby, Darling, Rahn (2006), Mon. Wea. Rev. 134, 1102-1120. Lin, Chavas (2012), J. Geophys. Res. 117,
D09120. Bretschneider (1972) as given by Phadke et al. (2003), Ocean Eng. 30, 553-578. Harper, Kepert, Ginger (2010),
WMO/TD-No. 1555.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

AIR_DENSITY_KG_M3: Final = 1.15
"""Air density used by both Holland papers, kg/m3."""

GRADIENT_TO_SURFACE: Final = 0.9
"""Ratio of the 10 m wind over open sea to the gradient wind near the eyewall (Powell et al. 2003: 0.8 to 0.95)."""

EARTH_RADIUS_KM: Final = 6371.0088
EARTH_ROTATION_RAD_S: Final = 7.292115e-5

B_RANGE: Final = (0.8, 2.5)
"""Range Holland (1980) found for B in the Australian region was 1.0 to 2.5; weak, broad storms at sea fall to 0.8."""

# Table 1.1 of Harper et al. (2010): largest 3 s gust within 10 minutes over the 10-minute mean.
GUST_FACTOR_3S_600S: Final = {"inland": 1.66, "offshore": 1.52, "onshore": 1.38, "sea": 1.23}


def coriolis(lat: ArrayLike) -> Floats:
    """Magnitude of the Coriolis parameter, 1/s, at a latitude in degrees."""
    return np.abs(2.0 * EARTH_ROTATION_RAD_S * np.sin(np.radians(np.asarray(lat, dtype=np.float64))))


def holland_b(
    pressure_deficit_hpa: ArrayLike,
    gradient_wind_ms: ArrayLike,
    *,
    density: float = AIR_DENSITY_KG_M3,
    limits: tuple[float, float] = (1.0, 2.5),
) -> Floats:
    """Shape parameter B = rho e v^2 / dp of Holland (1980), clipped to `limits`; v is the gradient wind at Rmax."""
    deficit_pa = 100.0 * np.maximum(np.asarray(pressure_deficit_hpa, dtype=np.float64), 0.1)
    wind = np.asarray(gradient_wind_ms, dtype=np.float64)
    return np.clip(density * np.e * wind**2 / deficit_pa, *limits)


def holland_b_surface(
    pressure_deficit_hpa: ArrayLike,
    pressure_tendency_hpa_h: ArrayLike,
    lat: ArrayLike,
    translation_ms: ArrayLike,
) -> Floats:
    """Surface shape parameter b_s of Holland (2008, eq. 11) from what a track without winds still tells.

    `pressure_tendency_hpa_h` is the intensity change dp_c/dt; translation speed is in m/s. Clipped to 0.8..2.5.
    """
    deficit = np.asarray(pressure_deficit_hpa, dtype=np.float64)
    exponent = 0.6 * (1.0 - deficit / 215.0)
    speed = np.maximum(np.asarray(translation_ms, dtype=np.float64), 0.0)
    b_s = (
        -4.4e-5 * deficit**2
        + 0.01 * deficit
        + 0.03 * np.asarray(pressure_tendency_hpa_h, dtype=np.float64)
        - 0.014 * np.abs(np.asarray(lat, dtype=np.float64))
        + 0.15 * speed**exponent
        + 1.0
    )
    return np.clip(b_s, *B_RANGE)


def max_wind_from_deficit(
    pressure_deficit_hpa: ArrayLike, b_s: ArrayLike, *, density: float = AIR_DENSITY_KG_M3
) -> Floats:
    """Greatest surface wind, m/s, of a storm with that deficit and b_s: sqrt(b_s dp / (rho e)), Holland (2008, eq. 10)."""
    deficit_pa = 100.0 * np.maximum(np.asarray(pressure_deficit_hpa, dtype=np.float64), 0.0)
    return np.sqrt(np.asarray(b_s, dtype=np.float64) * deficit_pa / (density * np.e))


def rmax_vickery_wadhera_km(pressure_deficit_hpa: ArrayLike, lat: ArrayLike) -> Floats:
    """Radius of maximum wind, km: exp(3.015 - 6.291e-5 dp^2 + 0.0337 lat), Vickery and Wadhera (2008, eq. 11).

    Fitted to Atlantic and Gulf hurricanes; the scatter is about a factor of 1.5 either way.
    """
    deficit = np.asarray(pressure_deficit_hpa, dtype=np.float64)
    return np.exp(3.015 - 6.291e-5 * deficit**2 + 0.0337 * np.abs(np.asarray(lat, dtype=np.float64)))


def rmax_willoughby_km(max_wind_ms: ArrayLike, lat: ArrayLike) -> Floats:
    """Radius of maximum wind, km: 46.4 exp(-0.0155 v + 0.0169 lat), Willoughby et al. (2006, eq. 7a); v at flight level."""
    wind = np.asarray(max_wind_ms, dtype=np.float64)
    return 46.4 * np.exp(-0.0155 * wind + 0.0169 * np.abs(np.asarray(lat, dtype=np.float64)))


def holland_1980_wind(
    distance_km: ArrayLike,
    rmax_km: ArrayLike,
    b: ArrayLike,
    pressure_deficit_hpa: ArrayLike,
    lat: ArrayLike | None = None,
    *,
    density: float = AIR_DENSITY_KG_M3,
) -> Floats:
    """Gradient wind, m/s, of Holland (1980, eq. 5); with no latitude the cyclostrophic wind (eq. 6). Zero at the centre."""
    radius_km = np.maximum(np.asarray(distance_km, dtype=np.float64), 1e-3)
    ratio = (np.asarray(rmax_km, dtype=np.float64) / radius_km) ** np.asarray(b, dtype=np.float64)
    deficit_pa = 100.0 * np.asarray(pressure_deficit_hpa, dtype=np.float64)
    square = np.asarray(b, dtype=np.float64) / density * ratio * deficit_pa * np.exp(-ratio)
    if lat is None:
        return np.sqrt(square)
    half = 0.5 * 1000.0 * radius_km * coriolis(lat)
    return np.sqrt(square + half**2) - half


def holland_2010_exponent(
    distance_km: ArrayLike,
    rmax_km: ArrayLike,
    max_wind_ms: ArrayLike,
    b_s: ArrayLike,
    *,
    outer_radius_km: ArrayLike = 300.0,
    outer_wind_ms: ArrayLike = 17.0,
    limits: tuple[float, float] = (0.0, 0.9),
) -> Floats:
    """Exponent x of Holland et al. (2010, eq. 7-10): 0.5 inside Rmax, then linear in r so that v(outer radius) = outer wind.

    Beyond the outer radius the profile falls on as with 0.5, the paper's default: going on linearly, a weak storm's wind
    would rise again with distance. The default holds everywhere for a storm no stronger than the outer wind. `limits` bound
    x at the outer radius where the profile falls too fast or too slowly to be fitted.
    """
    outer = np.asarray(outer_radius_km, dtype=np.float64)
    distance = np.asarray(distance_km, dtype=np.float64)
    rmax = np.asarray(rmax_km, dtype=np.float64)
    wind = np.asarray(max_wind_ms, dtype=np.float64)
    edge = np.asarray(outer_wind_ms, dtype=np.float64)
    at_edge = np.log(_shape(outer, rmax, b_s))
    with np.errstate(divide="ignore", invalid="ignore"):
        x_n = np.clip(
            np.nan_to_num(np.log(edge / wind) / at_edge, nan=0.5, posinf=limits[1], neginf=limits[0]), *limits
        )
        x_n = np.where((edge < wind) & (outer > rmax), x_n, 0.5)
        slope = (x_n - 0.5) / np.maximum(outer - rmax, 1.0)
        within = np.clip(0.5 + np.maximum(distance - rmax, 0.0) * slope, *limits)
        here = np.log(_shape(distance, rmax, b_s))
        beyond = 0.5 + (x_n - 0.5) * at_edge / here
    return np.where(distance > np.maximum(outer, rmax), np.nan_to_num(beyond, nan=0.5), within)


def holland_2010_wind(
    distance_km: ArrayLike, rmax_km: ArrayLike, max_wind_ms: ArrayLike, b_s: ArrayLike, exponent: ArrayLike = 0.5
) -> Floats:
    """Surface wind, m/s: v_ms [(rm/r)^b exp(1 - (rm/r)^b)]^x, Holland et al. (2010, eq. 10). Zero at the centre."""
    wind = np.asarray(max_wind_ms, dtype=np.float64)
    return wind * _shape(distance_km, rmax_km, b_s) ** np.asarray(exponent, dtype=np.float64)


def holland_pressure_hpa(
    distance_km: ArrayLike, rmax_km: ArrayLike, b: ArrayLike, central_hpa: ArrayLike, ambient_hpa: ArrayLike
) -> Floats:
    """Sea-level pressure p_c + (p_n - p_c) exp(-(rm/r)^B), Holland (1980, eq. 3)."""
    radius = np.maximum(np.asarray(distance_km, dtype=np.float64), 1e-3)
    ratio = (np.asarray(rmax_km, dtype=np.float64) / radius) ** np.asarray(b, dtype=np.float64)
    central = np.asarray(central_hpa, dtype=np.float64)
    return central + (np.asarray(ambient_hpa, dtype=np.float64) - central) * np.exp(-ratio)


def inflow_angle_deg(distance_km: ArrayLike, rmax_km: ArrayLike) -> Floats:
    """Angle by which the surface wind turns inward: 10 to 20 degrees inside Rmax, 25 beyond 1.2 Rmax (Bretschneider 1972)."""
    ratio = np.asarray(distance_km, dtype=np.float64) / np.asarray(rmax_km, dtype=np.float64)
    middle = 20.0 + 25.0 * (ratio - 1.0)
    return np.where(ratio < 1.0, 10.0 * (1.0 + ratio), np.where(ratio < 1.2, middle, 25.0))


def gust_factor(exposure: str) -> float:
    """Ratio of the largest 3 s gust to the 10-minute mean for `inland`, `offshore`, `onshore` or `sea` (WMO/TD-1555)."""
    try:
        return GUST_FACTOR_3S_600S[exposure]
    except KeyError:
        known = ", ".join(sorted(GUST_FACTOR_3S_600S))
        raise ValueError(f"exposure: {exposure!r} is unknown; use one of {known}") from None


def distance_bearing(lon0: ArrayLike, lat0: ArrayLike, lon1: ArrayLike, lat1: ArrayLike) -> tuple[Floats, Floats]:
    """Great-circle distance, km, and initial bearing, degrees clockwise from north, from point 0 to point 1 (sphere)."""
    phi0, phi1 = np.radians(np.asarray(lat0, dtype=np.float64)), np.radians(np.asarray(lat1, dtype=np.float64))
    dlam = np.radians(np.asarray(lon1, dtype=np.float64) - np.asarray(lon0, dtype=np.float64))
    chord = np.sin((phi1 - phi0) / 2.0) ** 2 + np.cos(phi0) * np.cos(phi1) * np.sin(dlam / 2.0) ** 2
    distance = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    east = np.sin(dlam) * np.cos(phi1)
    north = np.cos(phi0) * np.sin(phi1) - np.sin(phi0) * np.cos(phi1) * np.cos(dlam)
    return distance, np.degrees(np.arctan2(east, north)) % 360.0


@dataclass(frozen=True, slots=True)
class Storm:
    """A cyclone at T moments; every field is an array of shape (T,).

    `max_wind_ms` is the 10-minute mean at 10 m over sea including the storm's motion; `east_ms` and `north_ms` are the
    centre's velocity. Use `rmax_vickery_wadhera_km` where no radius was observed.
    """

    lon: Floats
    lat: Floats
    central_hpa: Floats
    ambient_hpa: Floats
    max_wind_ms: Floats
    rmax_km: Floats
    east_ms: Floats
    north_ms: Floats


@dataclass(frozen=True, slots=True)
class Field:
    """Surface wind and pressure at (T, S): 10-minute mean at 10 m over open water, direction the wind comes from."""

    speed_ms: Floats
    direction_deg: Floats
    pressure_hpa: Floats
    distance_km: Floats


# Lin and Chavas (2012): the surface background wind is 0.55 of the translation, turned 20 degrees to the left.
_MOTION_SHARE: Final = 0.55
_MOTION_TURN_DEG: Final = 20.0


def surface_field(
    storm: Storm,
    lon: ArrayLike,
    lat: ArrayLike,
    *,
    outer_radius_km: ArrayLike = 300.0,
    outer_wind_ms: ArrayLike = 17.0,
) -> Field:
    """Wind and pressure of a northern-hemisphere storm at S stations for each of its T moments.

    Holland (2010) profile fitted to the storm's wind less its motion; the motion is added back as a vector that fades
    with the profile, so the right-hand side is stronger; the wind turns inward by the inflow angle. An outer radius and
    wind of each moment are given as arrays of shape (T, 1).
    """
    centre = [np.asarray(part, dtype=np.float64)[:, None] for part in (storm.lon, storm.lat)]
    places = [np.asarray(part, dtype=np.float64)[None, :] for part in (lon, lat)]
    distance, bearing = distance_bearing(*centre, *places)
    rmax, deficit = storm.rmax_km[:, None], (storm.ambient_hpa - storm.central_hpa)[:, None]

    turn = np.radians(_MOTION_TURN_DEG)
    east = _MOTION_SHARE * (storm.east_ms * np.cos(turn) - storm.north_ms * np.sin(turn))[:, None]
    north = _MOTION_SHARE * (storm.east_ms * np.sin(turn) + storm.north_ms * np.cos(turn))[:, None]
    still = np.maximum(storm.max_wind_ms[:, None] - np.hypot(east, north), 1.0)

    b_s = holland_b(deficit, still, limits=B_RANGE)
    exponent = holland_2010_exponent(
        distance, rmax, still, b_s, outer_radius_km=outer_radius_km, outer_wind_ms=outer_wind_ms
    )
    symmetric = holland_2010_wind(distance, rmax, still, b_s, exponent)

    # Counter-clockwise flow: at bearing 90 degrees (east of the centre) the wind blows to the north, then bends inward.
    towards = np.radians(bearing - 90.0 - inflow_angle_deg(distance, rmax))
    share = symmetric / still
    wind_east = symmetric * np.sin(towards) + share * east
    wind_north = symmetric * np.cos(towards) + share * north
    return Field(
        speed_ms=np.hypot(wind_east, wind_north),
        direction_deg=np.degrees(np.arctan2(-wind_east, -wind_north)) % 360.0,
        pressure_hpa=holland_pressure_hpa(distance, rmax, b_s, storm.central_hpa[:, None], storm.ambient_hpa[:, None]),
        distance_km=distance,
    )


def _shape(distance_km: ArrayLike, rmax_km: ArrayLike, b: ArrayLike) -> Floats:
    radius = np.maximum(np.asarray(distance_km, dtype=np.float64), 1e-3)
    ratio = (np.asarray(rmax_km, dtype=np.float64) / radius) ** np.asarray(b, dtype=np.float64)
    return ratio * np.exp(1.0 - np.minimum(ratio, 700.0))
