"""3.5.2: shifts follow each other without a gap, and everybody gets his turn."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.duty.rotation import parse_changes, score, turns, whose

ZONE = ZoneInfo("Asia/Shanghai")


def test_two_changes_a_day_make_two_shifts_in_turn():
    changes = parse_changes(["20:00", "08:00"])
    start = datetime(2024, 9, 15, 0, tzinfo=ZONE)
    found = list(turns(changes, date(2024, 9, 15), ZONE, start, start + timedelta(days=2)))
    assert [(turn.number, turn.start.hour, turn.end.hour) for turn in found] == [
        (0, 8, 20),
        (1, 20, 8),
        (2, 8, 20),
        (3, 20, 8),
    ]
    assert [whose(["a", "b", "c"], turn.number) for turn in found] == ["a", "b", "c", "a"]


@given(
    st.lists(st.integers(0, 23).map(time), min_size=1, max_size=4, unique=True).map(sorted),
    st.datetimes(datetime(2024, 1, 3), datetime(2026, 1, 1)),
    st.integers(1, 200),
)
def test_every_moment_after_the_first_day_lies_in_exactly_one_shift(changes, moment, hours):
    since = moment.replace(tzinfo=UTC)
    until = since + timedelta(hours=hours)
    found = list(turns(changes, date(2024, 1, 1), ZONE, since, until))
    assert found[0].start <= since < found[0].end
    assert found[-1].start < until <= found[-1].end
    for before, after in itertools.pairwise(found):
        assert before.end == after.start and before.number + 1 == after.number


@pytest.mark.parametrize("texts", [[], ["8 o'clock"], ["08:00", "08:00"]])
def test_a_time_of_day_that_cannot_be_read_is_named(texts):
    with pytest.raises(ValueError):
        parse_changes(texts)


@given(st.integers(0, 4000))
def test_marks_fall_as_the_telephone_rings_on(seconds):
    assert 0 <= score(seconds) <= score(max(0, seconds - 1)) <= 100
    assert score(None) == 0 and score(30) == 100 and score(180) == 50 and score(300) == 0


def test_a_post_without_people_stays_empty():
    assert whose([], 3) is None
