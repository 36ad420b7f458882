"""Tide from harmonic constants. P4 (tide and surge series), issue 2.5."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring.tide import CONSTITUENTS, Constituent, predict, speed_deg_h

ROOT = Path(__file__).resolve().parents[4]
PREDICTIONS = sorted((ROOT / "../shared/data/chongming/replay").glob("lusi_astronomical_tide_*.csv"))
START = datetime(2024, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("M2", 28.9841042),
        ("S2", 30.0),
        ("N2", 28.4397295),
        ("K2", 30.0821373),
        ("K1", 15.0410686),
        ("O1", 13.9430356),
        ("P1", 14.9589314),
        ("Q1", 13.3986609),
        ("NU2", 28.5125831),
        ("LAMBDA2", 29.4556253),
        ("L2", 29.5284789),
        ("T2", 29.9589333),
        ("J1", 15.5854433),
        ("OO1", 16.1391017),
        ("RHO1", 13.4715145),
        ("MM", 0.5443747),
        ("MF", 1.0980331),
        ("SSA", 0.0821373),
        ("M4", 57.9682084),
        ("2SM2", 31.0158958),
    ],
)
def test_constituent_speeds_equal_the_published_ones(name: str, speed: float) -> None:
    """Speeds as tabulated by NOAA and the IHO, degrees per hour."""
    assert speed_deg_h(name) == pytest.approx(speed, abs=2e-6)


@pytest.mark.skipif(not PREDICTIONS, reason="the shared predictions are not beside the repository")
@pytest.mark.parametrize("path", PREDICTIONS, ids=lambda path: path.stem[-16:])
def test_lusi_agrees_with_an_independent_predictor_to_four_centimetres(path: Path) -> None:
    """Independent predictor: @neaps/tide-predictor 0.11 with the same TICON-4 constants (range 6 m)."""
    import tomllib

    table = tomllib.loads((ROOT / "packs/chongming/scenarios/tide.toml").read_text("utf-8"))["constants"]["lusi"]
    constants = [Constituent(*row) for row in table["constituents"]]
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    levels = predict(constants, [datetime.fromisoformat(row["time_utc"]) for row in rows])
    gap = levels - np.array([float(row["level_m_rel_msl"]) for row in rows])
    assert np.abs(gap).max() < 0.04
    assert gap.std() < 0.02


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        predict([Constituent("M2", 1.0, 0.0)], [datetime(2024, 9, 15)])


def test_an_unknown_constituent_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'M99' is unknown; use one of .*M2"):
        Constituent("M99", 1.0, 0.0)


@given(name=st.sampled_from(sorted(CONSTITUENTS)), amplitude=st.floats(0, 3), phase=st.floats(0, 360))
def test_one_constituent_stays_within_its_amplitude_and_nodal_factor(name: str, amplitude: float, phase: float) -> None:
    levels = predict([Constituent(name, amplitude, phase)], [START + timedelta(hours=hour) for hour in range(48)])
    assert np.abs(levels).max() <= 2.5 * amplitude + 1e-12


@given(phase=st.floats(0, 360), scale=st.floats(0.1, 3))
def test_prediction_is_linear_in_amplitude_and_additive(phase: float, scale: float) -> None:
    times = [START + timedelta(minutes=20 * step) for step in range(12)]
    one, two = Constituent("M2", 1.0, phase), Constituent("K1", 0.3, phase)
    scaled = Constituent("M2", scale, phase)
    assert predict([scaled], times) == pytest.approx(scale * predict([one], times), abs=1e-9)
    assert predict([one, two], times) == pytest.approx(predict([one], times) + predict([two], times), abs=1e-9)
