"""P3, 3.1.3: losses per event and year. Grouped equals asset by asset; order, blocks and units change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.survey import compiled
from haitang.survey.curve import Curve, CurveError, emanuel_2011
from haitang.survey.exceedance import annual_loss, exceedance
from haitang.survey.exposure import Exposure, ExposureError
from haitang.survey.hazard import Hazard, HazardError
from haitang.survey.loss import LossError, Losses, asset_loss, event_loss, scenario_loss

WIND = emanuel_2011("wind", 74.7)
STEEP = Curve("steep", "m/s", np.array([0.0, 20.0, 21.0, 60.0]), np.array([0.0, 0.0, 0.5, 1.0]), "invented", 60, "hold")
CURVES = [WIND, STEEP]


def world(seed: int, events: int = 30, cells: int = 12, assets: int = 80) -> tuple[Hazard, Exposure]:
    dice = np.random.default_rng(seed)
    table = np.where(dice.random((events, cells)) < 0.4, dice.uniform(5, 80, (events, cells)), 0.0)
    hazard = Hazard.from_dense(table, dice.uniform(0, 0.05, events), "m/s", averaging_s=60)
    exposure = Exposure(
        dice.integers(0, cells, assets), dice.integers(0, 2, assets), dice.lognormal(10, 2, assets), cells, 2, "CNY",
        dice.integers(0, 3, assets),
    )  # fmt: skip
    return hazard, exposure


def plain(hazard: Hazard, exposure: Exposure) -> np.ndarray:
    """Loss of each event, straight from the definition: every asset in every event."""
    table = np.zeros((hazard.n_events, hazard.n_cells))
    event = np.repeat(np.arange(hazard.n_events), np.diff(hazard.start))
    table[event, hazard.cell] = hazard.intensity
    ratio = np.stack([curve.at(table) for curve in CURVES])
    return np.asarray((ratio[exposure.curve, :, exposure.cell] * exposure.value[:, None]).sum(axis=0))


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_grouped_asset_by_asset_and_by_definition_agree(seed: int) -> None:
    hazard, exposure = world(seed)
    grouped = event_loss(hazard, exposure, CURVES)
    none, all_ = np.zeros(len(exposure)), np.full(len(exposure), np.inf)
    single, per_asset = asset_loss(hazard, exposure, CURVES, deductible=none, cap=all_)
    assert grouped.at_event == pytest.approx(plain(hazard, exposure), rel=1e-12)
    assert single == pytest.approx(grouped.at_event, rel=1e-12)
    assert per_asset == pytest.approx(exposure.spread(grouped.rate), rel=1e-12)
    # What a year costs, seen from the events and from the assets.
    assert grouped.annual == pytest.approx(per_asset.sum(), rel=1e-12)


def test_the_loops_give_the_same_compiled_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    hazard, exposure = world(3)
    fast = event_loss(hazard, exposure, CURVES)
    monkeypatch.setattr(compiled, "has_numba", lambda: False)
    slow = event_loss(hazard, exposure, CURVES)
    assert fast.at_event == pytest.approx(slow.at_event, rel=1e-14) and fast.rate == pytest.approx(slow.rate, rel=1e-14)


def test_blocks_of_events_add_up_and_their_order_does_not_matter() -> None:
    hazard, exposure = world(4)
    whole = event_loss(hazard, exposure, CURVES)
    parts = [event_loss(hazard.block(a, b), exposure, CURVES) for a, b in ((20, 30), (0, 7), (7, 20))]
    assert sum(part.annual for part in parts) == pytest.approx(whole.annual, rel=1e-12)
    assert np.concatenate([parts[1].at_event, parts[2].at_event, parts[0].at_event]).tolist() == whole.at_event.tolist()


def scaled(found: Losses, factor: float) -> tuple[np.ndarray, float]:
    return found.at_event * factor, found.annual * factor


def test_twice_the_value_loses_twice_and_twice_the_frequency_costs_twice_a_year() -> None:
    hazard, exposure = world(5)
    once = event_loss(hazard, exposure, CURVES)
    double = Exposure(exposure.cell, exposure.curve, exposure.value * 2, exposure.n_cells, 2, "CNY")
    at_event, annual = scaled(once, 2)
    richer = event_loss(hazard, double, CURVES)
    assert richer.at_event == pytest.approx(at_event) and richer.annual == pytest.approx(annual)
    often = Hazard(hazard.start, hazard.cell, hazard.intensity, hazard.frequency * 2, hazard.n_cells, "m/s", 60)
    assert event_loss(often, exposure, CURVES).annual == pytest.approx(annual)


@given(st.floats(0, 20))
@settings(max_examples=15)
def test_more_wind_never_costs_less(more: float) -> None:
    hazard, exposure = world(6)
    stronger = Hazard(hazard.start, hazard.cell, hazard.intensity + more, hazard.frequency, hazard.n_cells, "m/s", 60)
    before, after = (event_loss(each, exposure, CURVES).at_event for each in (hazard, stronger))
    assert (after >= before - 1e-9 * np.abs(before)).all()


def test_deductible_and_cap_hold_for_each_asset_in_each_event() -> None:
    hazard = Hazard.from_dense(np.array([[21.0, 60.0]]), np.array([0.1]), "m/s")
    exposure = Exposure(np.array([0, 1, 1]), np.array([1, 1, 1]), np.array([100.0, 100.0, 10.0]), 2, 2, "CNY")
    at_event, annual = asset_loss(hazard, exposure, CURVES, deductible=np.full(3, 10.0), cap=np.full(3, 60.0))
    assert at_event.tolist() == [40 + 60 + 0] and annual == pytest.approx([4, 6, 0])


def test_a_scenario_is_summed_by_township() -> None:
    _, exposure = world(8)
    intensity = np.linspace(0, 70, 12)
    found = scenario_loss(intensity, exposure, CURVES, 3)
    hazard = Hazard.from_dense(intensity[None], np.array([1.0]), "m/s")
    assert found.sum() == pytest.approx(event_loss(hazard, exposure, CURVES).annual) and (found > 0).all()


def test_two_events_and_three_assets_by_hand() -> None:
    # The losses are the intensities: a curve of slope 1 over values of 1 would do; here value 10, curve h/10.
    line = Curve("line", "m", np.array([0.0, 10.0]), np.array([0.0, 1.0]), "by hand")
    hazard = Hazard.from_dense(np.array([[1.0, 0, 1], [2, 2, 0]]), np.array([1, 0.1]), "m")
    found = event_loss(hazard, Exposure(np.arange(3), np.zeros(3, np.int64), np.full(3, 10.0), 3, 1, "CNY"), [line])
    assert found.at_event == pytest.approx([2, 4])
    assert found.rate[0] * 10 == pytest.approx([1.2, 0.2, 1.0]) and found.annual == pytest.approx(2.4)


@pytest.mark.parametrize(("wind", "ratio"), [(25, 0), (30, 0.0006753419543492556), (50, 0.10870556455111065), (75, 0.5045777092933046), (120, 0.8769633232141456)])  # fmt: skip
def test_emanuel_2011_gives_the_published_ratios(wind: float, ratio: float) -> None:
    """The default set of Emanuel (2011): threshold 25.7, half damage at 74.7 m/s."""
    assert WIND.at(wind) == pytest.approx(ratio, abs=1e-12)


def test_the_exceedance_curve_of_ten_events() -> None:
    # Frequencies of 1/T add up from the rarest: three events of a hundred years are reached in 100, 50 and 33.3 years.
    curve = exceedance([5.0, 9.0, 1.0], [0.01, 0.01, 0.01])
    assert curve.loss.tolist() == [1, 5, 9] and curve.period == pytest.approx([100 / 3, 50, 100])
    assert curve.at([10, 50, 75, 100]) == pytest.approx([0, 5, 7, 9]) and np.isnan(curve.at(200))


def test_annual_loss_of_a_curve_that_grows_with_the_logarithm_has_a_closed_form() -> None:
    # D = 100 ln T from T = 1: the area under D over f is 100 (for D = a ln(1/f), integral 0..1 of -a ln f = a).
    years = np.geomspace(1, 1e6, 40)
    assert annual_loss(years, 100 * np.log(years)) == pytest.approx(100, rel=2e-3)
    assert annual_loss([10, 100], [1, 2], "trapezoid") == pytest.approx(1.5 * 0.09 + 0.02)


def test_what_does_not_fit_is_refused_with_its_remedy() -> None:
    hazard, exposure = world(1)
    with pytest.raises(LossError, match="convert one"):
        event_loss(Hazard(hazard.start, hazard.cell, hazard.intensity, hazard.frequency, 12, "km/h"), exposure, CURVES)
    with pytest.raises(LossError, match="one grid"):
        event_loss(Hazard(hazard.start, hazard.cell, hazard.intensity, hazard.frequency, 13, "m/s"), exposure, CURVES)
    with pytest.raises(LossError, match="means over"):
        event_loss(
            Hazard(hazard.start, hazard.cell, hazard.intensity, hazard.frequency, 12, "m/s", 600), exposure, CURVES
        )
    with pytest.raises(CurveError, match="above the curve's last level"):
        Curve("short", "m", np.array([0.0, 1.0]), np.array([0.0, 1.0]), "x").at([0.5, 2.0])
    with pytest.raises(CurveError, match="does not lie above"):
        Curve("bad", "m", np.array([0.0, 0.0]), np.array([0.0, 1.0]), "x")
    with pytest.raises(CurveError, match="not between 0 and 1"):
        Curve("per cent", "m", np.array([0.0, 1.0]), np.array([0.0, 50.0]), "x")
    with pytest.raises(LossError, match="begin it with 0"):
        event_loss(hazard, exposure, [WIND, Curve("wet", "m/s", np.array([0.0, 200.0]), np.array([0.1, 1.0]), "x")])
    with pytest.raises(ExposureError, match="asset 1: cell 99"):
        Exposure(np.array([0, 99]), np.zeros(2, np.int64), np.ones(2), 12, 1, "CNY")
    with pytest.raises(ExposureError, match="0 or more"):
        Exposure(np.array([0]), np.zeros(1, np.int64), np.array([np.nan]), 12, 1, "CNY")
    with pytest.raises(HazardError, match="not a finite number"):
        Hazard.from_dense(np.array([[np.inf]]), np.array([1.0]), "m/s")
