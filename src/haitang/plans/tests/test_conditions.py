"""A level's condition is text that people read and the platform weighs, never code (3.1.4, 3.5.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.plans.conditions import (
    COLOURS,
    RANK,
    And,
    Comparison,
    ConditionError,
    Ground,
    Or,
    Signal,
    can_hold,
    describe,
    holds,
    parse,
)

D, E, W, S = "9/", "9/1/", "9/2/", "9/3/"
GROUND = Ground(D, (E, W, S), {"9": D, "1": E, "2": W, "3": S})


def signal(hazard: str = "typhoon", colour: str = "orange", *places: str) -> Signal:
    return Signal(hazard, colour, frozenset(places or (D,)))


def met(text: str, *signals: Signal, ground: Ground = GROUND) -> bool:
    return holds(parse(text), signals, ground)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("typhoon >= yellow", True),
        ("typhoon >= orange", True),
        ("typhoon > orange", False),
        ("typhoon = orange", True),
        ("typhoon <= red", True),
        ("typhoon < orange", False),
        ("rainstorm >= blue", False),
        ("any >= orange", True),
        ("rainstorm >= blue or typhoon >= yellow", True),
        ("rainstorm >= blue and typhoon >= yellow", False),
        ("TYPHOON >= Orange AND (any = orange)", True),
    ],
)
def test_it_compares_colours(text: str, expected: bool) -> None:
    assert met(text, signal()) is expected


def test_and_binds_closer_than_or() -> None:
    assert isinstance(parse("a >= red or b >= red and c >= red"), Or)
    assert isinstance(parse("(a >= red or b >= red) and c >= red"), And)


def test_it_looks_at_the_gravest_warning_of_the_hazard() -> None:
    assert not met("typhoon = yellow", signal(colour="yellow"), signal(colour="red"))
    assert met("typhoon = red", signal(colour="yellow"), signal(colour="red"))


def test_a_warning_for_the_district_touches_each_of_its_places() -> None:
    assert met("typhoon >= orange in 1", signal())
    assert met("typhoon >= orange", signal("typhoon", "orange", W))
    assert not met("typhoon >= orange in 1", signal("typhoon", "orange", W))
    assert met("typhoon >= orange in 3 townships", signal())


def test_it_counts_townships() -> None:
    two = (signal("typhoon", "orange", E), signal("typhoon", "red", W))
    assert met("typhoon >= orange in 2 townships", *two)
    assert not met("typhoon >= orange in 3 townships", *two)
    assert not met("typhoon = red in 2 townships", *two)


def test_a_place_that_is_not_known_is_never_touched() -> None:
    assert not met("typhoon >= blue in 77", signal())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("typhoon", "a comparison"),
        ("typhoon >= oragne", "“oragne” at position 12 is not a colour"),
        ("typhoon >= red and", "ends too early"),
        ("(typhoon = red", "“)”"),
        ("typhoon = red)", "is not expected"),
        ("typhoon = red in 0 townships", "is not a number of townships"),
        ("typhoon = red in x townships", "is not a number of townships"),
        ("typhoon = red in", "ends too early"),
        ("and", "is not expected"),
        ("__import__('os')", "means nothing here"),
        ("typhoon ! red", "“!” at position 9 means nothing here"),
        ("a = red " * 2, "is not expected"),
        ("(" * 30 + "a = red" + ")" * 30, "nested deeper"),
        (" or ".join(["a = red"] * 25), "more than 24 comparisons"),
        ("a = red or " * 60, "at most 500"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, says: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("typhoon > red", False),
        ("typhoon < blue", False),
        ("typhoon = red and typhoon = blue", False),
        ("typhoon >= orange and typhoon <= yellow", False),
        ("typhoon = red in 1 and typhoon = blue in 2", True),
        ("typhoon = red and rainstorm = blue", True),
        ("(typhoon = red and typhoon = blue) or rainstorm = red", True),
        ("typhoon >= red in 4 townships", False),
        ("typhoon >= red in 3 townships", True),
        ("any = red and any = blue", True),
    ],
)
def test_it_knows_what_can_never_be(text: str, possible: bool) -> None:
    assert can_hold(parse(text), townships=3) is possible


def test_it_is_told_in_both_languages() -> None:
    node = parse("typhoon >= orange or (rainstorm = red in 1 and any > blue)")
    zh = describe(node, "zh-hans", hazards={"typhoon": "台风", "rainstorm": "暴雨"}, places={"1": "东港镇"})
    assert zh == "台风预警达到橙色及以上；或（暴雨预警在东港镇为红色，且任一预警高于蓝色）"
    assert (
        describe(parse("typhoon >= yellow in 3 townships"), "en")
        == "the typhoon warning is yellow or above in at least 3 townships"
    )


tests = st.builds(
    Comparison, st.sampled_from(["typhoon", "rainstorm", "any"]), st.sampled_from(["=", "<", "<=", ">", ">="]), st.sampled_from(COLOURS),
    st.sampled_from(["", "", "1", "2"]),
)  # fmt: skip
nodes = st.recursive(
    tests, lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(lambda parts: st.sampled_from([And(tuple(parts)), Or(tuple(parts))])),
    max_leaves=8,
)  # fmt: skip
signals = st.lists(
    st.builds(Signal, st.sampled_from(["typhoon", "rainstorm"]), st.sampled_from(COLOURS), st.sets(st.sampled_from([D, E, W]), min_size=1).map(frozenset)),
    max_size=4,
)  # fmt: skip


def written(node: object) -> str:
    if isinstance(node, Comparison):
        return f"{node.hazard} {node.operator} {node.colour}" + (f" in {node.place}" if node.place else "")
    assert isinstance(node, And | Or)
    return "(" + (" and " if isinstance(node, And) else " or ").join(written(part) for part in node.parts) + ")"


@given(nodes)
def test_what_is_written_is_read_back(node: And | Or | Comparison) -> None:
    assert parse(written(node)) == node


@given(nodes, signals)
def test_a_condition_that_holds_was_possible(node: And | Or | Comparison, found: list[Signal]) -> None:
    if holds(node, found, GROUND):
        assert can_hold(node)


@given(nodes)
def test_no_condition_holds_in_silence(node: And | Or | Comparison) -> None:
    assert not holds(node, [], GROUND)


@given(st.sampled_from(COLOURS), st.sampled_from(COLOURS))
def test_at_or_above_means_the_order_of_the_colours(found: str, wanted: str) -> None:
    assert met(f"typhoon >= {wanted}", signal(colour=found)) is (RANK[found] >= RANK[wanted])


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except ConditionError as error:
        assert str(error)  # noqa: PT017
    else:
        assert describe(node, "zh") and describe(node, "en")
