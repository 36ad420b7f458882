"""The cast decides the same whenever it is asked, and says what is wrong with its directions. Issue 2.5."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.replay.cast.parts import CASTS, EVERYBODY, CastError, Directions, Manner, Manners, draw, manner, minutes


@given(st.integers(), st.text(max_size=20), st.floats(0.1, 100))
def test_a_decision_is_the_same_however_often_it_is_asked_for(seed: int, name: str, median: float) -> None:
    assert minutes(median, 0.45, draw(seed, name)) == minutes(median, 0.45, draw(seed, name))
    assert median * 0.1 <= minutes(median, 0.45, draw(seed, name)) <= median * 5.0
    assert manner(Manners(), draw(seed, name)) is manner(Manners(), draw(seed, name))


def test_times_have_their_median_and_manners_their_shares() -> None:
    many = [minutes(10.0, 0.45, draw(1, number)) for number in range(4000)]
    assert statistics.median(many) == pytest.approx(10.0, rel=0.06)
    found = [manner(Manners(late=0.2, silent=0.1), draw(2, number)) for number in range(4000)]
    assert found.count(Manner.SILENT) / 4000 == pytest.approx(0.1, abs=0.02)
    assert found.count(Manner.LATE) / 4000 == pytest.approx(0.2, abs=0.025)


def test_the_graver_the_fewer_are_silent() -> None:
    calm = sum(manner(Manners(), draw(3, n)) is Manner.SILENT for n in range(2000))
    grave = sum(manner(Manners(), draw(3, n), urgency=0.4) is Manner.SILENT for n in range(2000))
    assert grave < calm


def test_what_the_command_line_takes_are_casts() -> None:
    assert CASTS["all"] == EVERYBODY and CASTS["none"] == frozenset()


def test_directions_are_read_whole() -> None:
    told = Directions.of(
        {
            "answer_min": 3, "wide": ["typhoon"], "moved": {"A": 5}, "losses": {"trees": 7},
            "losses_from": datetime(2024, 9, 16, tzinfo=UTC),
            "order": [{"level": 2, "after_min": 5, "text": "x", "to": ["B"], "due_min": 30}],
        }
    )  # fmt: skip
    assert (told.manners.answer_min, told.moved["A"], told.orders[0].to, told.wide) == (3.0, 5, ["B"], {"typhoon"})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"anwser_min": 3}, "anwser_min"), ({"late": "often"}, "late"), ({"late": -1}, "late"), ({"wide": "typhoon"}, "wide"),
        ({"moved": {"A": "many"}}, "moved"), ({"losses_from": "later"}, "losses_from"), ({"order": [{"level": 2}]}, "order"),
        ({"order": [{"level": 9, "text": "x", "to": []}]}, "level"),
    ],
)  # fmt: skip
def test_wrong_directions_are_named(table: dict, message: str) -> None:
    with pytest.raises(CastError, match=message):
        Directions.of(table)
