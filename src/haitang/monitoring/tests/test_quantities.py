"""P4: units are checked and converted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring.quantities import QUANTITIES, SPELLINGS, UNITS, UnitError, convert


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "expected"),
    [
        (455, "cm", "tide_level", 4.55),
        (100, "kn", "wind_speed", 51.4444444),
        (212, "degF", "air_temperature", 100.0),
        (273.15, "K", "air_temperature", 0.0),
        (97.5, "kPa", "pressure", 975.0),
        (0.5, "1", "humidity", 50.0),
        (0.2, "A", "residual_current", 200.0),
        (1, "m", "snow_depth", 100.0),
        (250, "mg/L", "chloride", 250.0),
        (31.2, "℃", "air_temperature", 31.2),
        (3, "米", "water_level", 3.0),
        (12, "mm/s", "ground_velocity", 1.2),
        (5, "cm/s", "wind_speed", 0.05),
        (0.01, "mm/d", "settlement_rate", 3.6525),
        (7200, "m3/h", "flow", 2.0),
        (2, "L/s", "tank_flow", 7.2),
        (10, "mrad", "tilt", 0.572957795),
        (36, "角秒", "tilt", 0.01),
        (250, "με", "strain", 250.0),
        (10_000, "V", "supply_voltage", 10.0),
        (5500, "W", "pump_power", 5.5),
        (0.1, "g", "acceleration", 0.980665),
        (1500, "μS/cm", "conductivity", 1.5),
        (812, "头/百丛", "pest_density", 812.0),
        (850, "日度", "degree_days", 850.0),
        (0.02, "MPa", "pore_pressure", 20.0),
        (1480, "转/分", "pump_speed", 1480.0),
    ],
)
def test_it_converts_to_the_canonical_unit(value, unit, quantity, expected):
    assert convert(value, unit, quantity) == pytest.approx(expected)


def test_a_unit_of_another_dimension_is_refused_with_what_is_accepted():
    with pytest.raises(UnitError, match="tide_level: unit 'hPa' does not fit; send one of m, cm, mm"):
        convert(1, "hPa", "tide_level")


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda q: q.code)
def test_every_quantity_is_complete(quantity):
    assert quantity.unit in UNITS
    assert quantity.low < quantity.high
    assert quantity.name_en
    assert any("\u4e00" <= c <= "\u9fff" for c in quantity.name_zh) or quantity.code == "pm25"
    assert quantity.factor(quantity.unit) == (1.0, 0.0)


def test_every_spelling_leads_to_a_unit():
    assert {symbol for symbol in SPELLINGS.values() if symbol} <= set(UNITS)


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same(code, value):
    quantity = QUANTITIES[code]
    for unit in quantity.accepted:
        scale, offset = quantity.factor(unit)
        assert (value * scale + offset - offset) / scale == pytest.approx(value, abs=1e-6)
