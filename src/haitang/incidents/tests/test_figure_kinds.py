"""A large jump of a figure is explained in writing; what cannot be a number of its kind is refused (law.md; 3.5.2)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.incidents.figure_kinds import FigureError, check, is_jump, kind, kinds, read, shown


def test_the_kinds_we_ship_can_be_read() -> None:
    assert {"moved", "to_move", "sheltered", "injured", "dead", "missing", "trees", "outages", "loss"} <= set(kinds())
    assert all(each.name_zh and each.name_en and each.unit_zh for each in kinds().values())


@pytest.mark.parametrize(
    ("code", "before", "after", "jump"),
    [
        ("moved", None, 9000, False),
        ("moved", 300, 800, True),
        ("moved", 300, 799, False),
        ("moved", 4000, 4600, False),
        ("moved", 4000, 0, True),
        ("dead", 0, 1, True),
        ("dead", 3, 3, False),
        ("dead", 3, 2, True),
        ("trees", 9000, 10_000, False),
        ("loss", 10, 200, True),
    ],
)
def test_what_a_jump_is(code: str, before: float | None, after: float, jump: bool) -> None:
    assert is_jump(kind(code), before, after) is jump


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-1, "negative"),
        (1.5, "not a whole number"),
        (1e9, "more than is believed"),
        (math.inf, "not finite"),
        (math.nan, "not finite"),
    ],
)
def test_what_cannot_be_is_refused(value: float, says: str) -> None:
    with pytest.raises(FigureError) as caught:
        check(kind("moved"), value)
    assert says in str(caught.value)


def test_parts_are_taken_where_parts_can_be() -> None:
    assert check(kind("loss"), 12.5) == 12.5


def test_a_kind_that_is_used_no_more_still_shows() -> None:
    assert kind("horses").name_zh == "horses"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"code": "x", "colur": "red"}, "colur is not a field"),
        ({"code": "x"}, "missing"),
        ({"code": "x", "name_zh": "a", "name_en": "a", "unit_zh": "", "unit_en": "", "jump_min": -1, "jump_share": 0, "max": 1}, "not negative"),
    ],
)  # fmt: skip
def test_a_faulty_table_says_what_is_wrong(row: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError) as caught:
        read([row])
    assert says in str(caught.value)


@given(st.sampled_from(sorted(kinds())), st.integers(0, 10_000))
def test_no_change_is_no_jump(code: str, value: int) -> None:
    assert not is_jump(kind(code), value, value)


@given(st.sampled_from(sorted(kinds())), st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 1000))
def test_a_larger_rise_is_a_jump_if_a_smaller_one_is(code: str, before: int, rise: int, more: int) -> None:
    if is_jump(kind(code), before, before + rise):
        assert is_jump(kind(code), before, before + rise + more)


def test_numbers_are_shown_without_needless_digits() -> None:
    assert [shown(each) for each in (0, 9318, 12.5, 1234.567)] == ["0", "9,318", "12.5", "1,234.57"]
