"""Timeliness: 50, 90 and 95 % answer times and the gaps between steps. 3.4.2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.alerting import measure

START = datetime(2024, 9, 15, tzinfo=UTC)


def _at(*seconds: float | None) -> list[datetime | None]:
    return [None if s is None else START + timedelta(seconds=s) for s in seconds]


def test_a_share_is_of_everybody_asked() -> None:
    found = measure.answers(START, _at(10, 20, 30, 40, 50, 60, 70, 80, 90, None))
    assert found.seconds_to == {0.5: 50, 0.9: 90, 0.95: None}
    assert (found.asked, found.answered, found.rate) == (10, 9, 0.9)


def test_nobody_asked_is_no_share() -> None:
    found = measure.answers(START, [])
    assert found.rate == 0 and found.seconds_to[0.5] is None


@given(st.lists(st.none() | st.floats(0, 1e5), min_size=1, max_size=60), st.sampled_from(measure.SHARES))
def test_at_the_share_time_that_share_has_answered_and_not_before(seconds: list[float | None], share: float) -> None:
    at = _at(*seconds)
    reached = measure.answers(START, at).seconds_to[share]
    exact = sorted((moment - START).total_seconds() for moment in at if moment)
    if reached is None:
        assert len(exact) < share * len(seconds)
    else:
        assert sum(s <= reached for s in exact) >= share * len(seconds) - 1e-9
        assert sum(s < reached for s in exact) < share * len(seconds)


def test_the_curve_rises_to_the_rate() -> None:
    assert measure.curve(START, _at(20, None, 10, None)) == [(0, 0), (10, 0.25), (20, 0.5)]


def test_steps_skip_what_has_not_happened() -> None:
    made = measure.steps([("reading", START), ("alarm", None), ("warning", START + timedelta(seconds=90))])
    assert made == [measure.Step("reading", "warning", 90)]


def test_a_share_outside_its_range_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        measure.time_to(0, 1, [1.0])
