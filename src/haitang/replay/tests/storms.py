"""A storm and a network small enough to reckon with."""

from __future__ import annotations

from typing import Any

from haitang.replay import coefficients, scenario
from haitang.replay.coefficients import Coefficients
from haitang.replay.scenario import Scenario
from haitang.replay.simulate import Simulation, Site

FIXES = [
    ["2024-09-15T00:00Z", 29.6, 127.1, 965, 75, 150, 120],
    ["2024-09-15T06:00Z", 30.2, 126.1, 965, 75, 150, 120],
    ["2024-09-15T12:00Z", 30.4, 124.7, 965, 75, 120, 120],
    ["2024-09-15T18:00Z", 30.5, 123.3, 970, 70, 120, 120],
    ["2024-09-16T00:00Z", 30.9, 121.8, 980, 65, 120, 120],
    ["2024-09-16T06:00Z", 31.5, 120.5, 985, 60, 90, 90],
    ["2024-09-16T12:00Z", 31.7, 119.3, 992, 50, 90, 90],
]

DOCUMENT: dict[str, Any] = {
    "name_zh": "试风",
    "name_en": "Test storm",
    "description_zh": "测试",
    "description_en": "For tests",
    "start": "2024-09-15T12:00:00+08:00",
    "end": "2024-09-16T20:00:00+08:00",
    "seed": 7,
    "ambient_hpa": 1008,
    "track": {"source": "tests", "fixes": FIXES},
}

SHARED: dict[str, Any] = {
    "wind": {
        "default": "inland",
        "exposures": {"inland": {"mean": 0.8, "gust": 1.66}, "sea": {"mean": 1.0, "gust": 1.23}},
        "stations": {"SEA": "sea"},
    },
    "tide": {"GAUGE": {"constants": "here", "factor": 1.0, "mean_m": 2.0, "onshore_from_deg": 90.0}},
    "steady": {"chloride": {"value": 120.0, "spread": 10.0}},
    "forecast": {"LAND.gust24": 24, "LAND.gust6": 6},
}
TIDE: dict[str, Any] = {"constants": {"here": {"constituents": [["M2", 1.0, 0.0], ["S2", 0.4, 30.0]]}}}

SITES = [
    Site("LAND.wind", "LAND", "wind_speed", 121.5, 31.67, 600),
    Site("LAND.gust", "LAND", "wind_gust", 121.5, 31.67, 600),
    Site("LAND.dir", "LAND", "wind_direction", 121.5, 31.67, 600),
    Site("LAND.pressure", "LAND", "pressure", 121.5, 31.67, 600),
    Site("LAND.rain", "LAND", "rain", 121.5, 31.67, 300),
    Site("LAND.gust24", "LAND", "wind_gust", 121.5, 31.67, 3600),
    Site("LAND.gust6", "LAND", "wind_gust", 121.5, 31.67, 3600),
    Site("SEA.gust", "SEA", "wind_gust", 121.5, 31.67, 600),
    Site("GAUGE.level", "GAUGE", "tide_level", 121.4, 31.6, 300),
    Site("GAUGE.salt", "GAUGE", "chloride", 121.4, 31.6, 3600),
    Site("CANAL.level", "CANAL", "water_level", 121.5, 31.6, 600),
    Site("STREET.depth", "STREET", "water_depth", 121.5, 31.6, 300),
    Site("SHAKE.acc", "SHAKE", "acceleration", 121.5, 31.6, 60),
]


def storm(**changes: Any) -> Scenario:
    """The test storm, with what a test changes of it."""
    return scenario.read("test", {**DOCUMENT, **changes})


def shared(**changes: Any) -> Coefficients:
    """The coefficients of the test network."""
    return coefficients.read({**SHARED, **changes}, TIDE)


def simulation(sites: list[Site] | None = None, **changes: Any) -> Simulation:
    """The test storm on the test network."""
    return Simulation(storm(**changes), shared(), SITES if sites is None else sites)
