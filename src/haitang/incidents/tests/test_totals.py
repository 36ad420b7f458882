"""Every figure is a series with its source; the total is the latest of each place and nothing twice (3.4.5, 3.5.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from haitang.incidents.totals import Difference, Row, course, first_at_least, latest, total

T0 = datetime(2024, 9, 15, tzinfo=UTC)


def row(path: str, minute: float, value: float, order: int = 0) -> Row:
    return Row(path, T0 + timedelta(minutes=minute), order, value)


def test_nobody_has_reported() -> None:
    assert total([]) is None
    assert course([]) == []


def test_the_latest_of_each_place_counts() -> None:
    found = total([row("d/a/", 0, 10), row("d/b/", 5, 7), row("d/a/", 9, 12)])
    assert found is not None and found.value == 19
    assert {path: part.value for path, part in found.parts.items()} == {"d/a/": 12, "d/b/": 7}


def test_of_the_same_moment_the_one_written_last_counts() -> None:
    assert latest([row("d/a/", 0, 10, 1), row("d/a/", 0, 11, 2)])["d/a/"].value == 11


def test_a_number_reported_late_for_an_earlier_moment_does_not_replace_a_newer_one() -> None:
    found = total([row("d/a/", 9, 12, 1), row("d/a/", 3, 99, 2)])
    assert found is not None and found.value == 12


def test_what_was_known_at_a_moment() -> None:
    rows = [row("d/a/", 0, 10), row("d/a/", 60, 50), row("d/b/", 90, 5)]
    assert [total(rows, T0 + timedelta(minutes=m)).value for m in (0, 59, 60, 90)] == [10, 10, 50, 55]  # type: ignore[union-attr]
    assert total(rows, T0 - timedelta(minutes=1)) is None


def test_a_township_stands_for_its_villages_and_the_difference_is_told() -> None:
    found = total([row("d/a/v1/", 0, 30), row("d/a/v2/", 1, 25), row("d/a/", 2, 60), row("d/b/w/", 3, 4)])
    assert found is not None and found.value == 64
    assert found.differences == (Difference("d/a/", 60, 55),)


def test_no_difference_where_the_villages_add_up() -> None:
    found = total([row("d/a/v1/", 0, 30), row("d/a/v2/", 1, 25), row("d/a/", 2, 55)])
    assert found is not None and found.differences == ()


def test_the_course_is_a_step_curve() -> None:
    points = course([row("d/a/", 0, 10), row("d/b/", 5, 7), row("d/a/", 9, 12), row("d/b/", 9, 8, 1)])
    assert points == [(T0, 10), (T0 + timedelta(minutes=5), 17), (T0 + timedelta(minutes=9), 20)]
    assert first_at_least(points, 17) == T0 + timedelta(minutes=5)
    assert first_at_least(points, 21) is None


rows = st.lists(
    st.builds(row, st.sampled_from(["d/", "d/a/", "d/a/v/", "d/a/w/", "d/b/", "d/ab/"]), st.integers(0, 50), st.integers(0, 1000), st.integers(0, 99)),
    max_size=20,
)  # fmt: skip


@given(rows)
def test_the_course_ends_at_the_total(found: list[Row]) -> None:
    unique = [Row(each.path, each.at, number, each.value) for number, each in enumerate(found)]
    whole = total(unique)
    assert (course(unique)[-1][1] if whole else None) == (whole.value if whole else None)


@given(rows)
def test_the_order_in_which_rows_come_does_not_matter(found: list[Row]) -> None:
    unique = [Row(each.path, each.at, number, each.value) for number, each in enumerate(found)]
    assert total(unique) == total(list(reversed(unique)))
    assert course(unique) == course(list(reversed(unique)))


@given(rows)
def test_nothing_is_counted_twice(found: list[Row]) -> None:
    whole = total(found)
    if whole is not None:
        paths = sorted(whole.parts)
        assert not any(b.startswith(a) for a in paths for b in paths if a != b)
        assert whole.value == sum(part.value for part in whole.parts.values())
