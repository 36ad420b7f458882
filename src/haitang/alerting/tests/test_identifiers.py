"""Chinese identifiers, colours and event codes. P4; GB/T 35965.1-2018."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.alerting import colours, identifiers
from haitang.alerting.colours import Colour
from haitang.alerting.event_codes import EventCode, EventCodes
from haitang.alerting.tests.samples import SHARED

UNIT = "99000160000000"
MORNING = datetime(2024, 9, 15, 0, 0, tzinfo=UTC)


def test_the_time_in_an_identifier_is_beijing_time() -> None:
    assert identifiers.make(UNIT, MORNING, 0) == "99000160000000_20240915080000_0"


@given(
    st.from_regex(r"[0-9]{14}", fullmatch=True),
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 9),
)
def test_an_identifier_reads_back(unit: str, moment: datetime, serial: int) -> None:
    text = identifiers.make(unit, moment, serial)
    found = identifiers.parse(text)
    assert found is not None and found.is_full and str(found) == text
    assert (found.unit, found.entered, found.serial) == (unit, moment.replace(microsecond=0), serial)


@pytest.mark.parametrize("text", ["11000041600000_20250614083511", "31011541600_20250614083511_3"])
def test_shortened_forms_are_read_but_not_full(text: str) -> None:
    found = identifiers.parse(text)
    assert found is not None and not found.is_full and str(found) == text


@pytest.mark.parametrize("text", ["", "abc", "99000160000000_20241315080000_0", "9900016000000_20240915080000_0"])
def test_other_text_is_no_identifier(text: str) -> None:
    assert identifiers.parse(text) is None


def test_ten_messages_a_second_have_names_and_the_eleventh_is_refused() -> None:
    taken: set[str] = set()
    for _ in range(10):
        taken.add(identifiers.next_free(UNIT, MORNING, taken))
    assert len(taken) == 10
    with pytest.raises(ValueError, match="try again in a second"):
        identifiers.next_free(UNIT, MORNING, taken)


def test_a_unit_code_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="14 digits"):
        identifiers.make("310151", MORNING, 0)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared records are not beside this repository")
def test_the_identifiers_of_real_records_are_read() -> None:
    records = [row["record"] for row in json.loads((SHARED / "cn_records.json").read_text("utf-8"))]
    keys = [str(record.get(name)) for record in records for name in ("id", "identifier", "alertId") if record.get(name)]
    shaped = [key for key in keys if key.partition("_")[0].isdigit() and len(key) >= 26]
    assert len(shaped) >= 5
    assert all(identifiers.parse(key) for key in shaped), [key for key in shaped if not identifiers.parse(key)]


@pytest.mark.parametrize("colour", list(Colour))
def test_colour_and_severity_map_both_ways(colour: Colour) -> None:
    assert colours.from_severity(colour.severity) is colour
    assert colours.parse(colour.value.upper()) is colour
    assert colours.parse(colour.zh + "色") is colour


def test_what_is_no_colour_is_none() -> None:
    assert colours.parse("WHITE") is None
    assert colours.from_severity("Unknown") is None


def test_red_ranks_above_blue() -> None:
    assert [c.value for c in sorted(Colour, key=lambda c: c.rank)] == ["blue", "yellow", "orange", "red"]


@pytest.mark.parametrize(
    ("headline", "colour"),
    [
        ("示范区气象台发布暴雨蓝色预警", Colour.BLUE),
        ("更新高温橙色预警信号为高温红色预警信号", Colour.RED),
        ("暴雨黄色预警升级为橙色预警", Colour.ORANGE),
        ("解除大雾预警", None),
    ],
)
def test_the_colour_of_a_headline(headline: str, colour: Colour | None) -> None:
    assert colours.in_headline(headline) is colour


def test_a_table_of_event_codes_refuses_a_code_twice() -> None:
    rain = EventCode("11B03", "rain", "暴雨", "Rainstorm")
    assert EventCodes([rain]).of_hazard("rain") == rain
    with pytest.raises(ValueError, match="11B03 stands twice"):
        EventCodes([rain, rain])
