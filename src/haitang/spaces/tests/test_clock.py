"""The one clock: real, scaled or stepped; it never goes back, and the live one cannot be moved. P1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.spaces.clock import now, scaled
from haitang.spaces.models import ClockMode, Space
from haitang.spaces.services import open_exercise, set_speed, step_to

START = datetime(2024, 9, 14, 12, tzinfo=UTC)
REAL = datetime(2026, 11, 1, tzinfo=UTC)


@given(st.floats(0, 10_000), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_scaled_clock_runs_speed_times_life_and_never_back(speed: float, earlier: float, more: float) -> None:
    one = scaled(START, REAL, speed, REAL + timedelta(seconds=earlier))
    other = scaled(START, REAL, speed, REAL + timedelta(seconds=earlier + more))
    assert other >= one >= START
    assert (other - one).total_seconds() == pytest.approx(more * speed, rel=1e-6, abs=1e-3)


def test_it_shows_its_base_at_its_anchor() -> None:
    assert scaled(START, REAL, 600.0, REAL) == START
    assert scaled(START, REAL, 600.0, REAL + timedelta(minutes=1)) == START + timedelta(hours=10)


@pytest.mark.django_db
def test_the_live_clock_is_the_real_one() -> None:
    before = datetime.now(UTC)
    assert before <= now(Space.live()) <= datetime.now(UTC)
    assert before <= now() <= datetime.now(UTC)


@pytest.mark.django_db
def test_the_live_clock_cannot_be_moved() -> None:
    live = Space.live()
    with pytest.raises(Refused):
        set_speed(live, speed=60, by=SYSTEM)
    with pytest.raises(Refused):
        step_to(live, START)


@pytest.mark.django_db
def test_a_change_of_speed_does_not_make_the_clock_jump() -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM, start=START, speed=3600)
    before = now(space)
    set_speed(space, speed=0, by=SYSTEM)
    paused = now(space)
    assert before <= paused
    assert now(space) == paused  # speed 0 is a pause
    set_speed(space, speed=1, by=SYSTEM)
    assert paused <= now(space) < paused + timedelta(minutes=10)


@pytest.mark.django_db
def test_another_process_that_moves_the_clock_is_seen_at_once() -> None:
    space = open_exercise(name_zh="演练", by=SYSTEM, start=START, stepped=True)
    elsewhere = Space.objects.get(pk=space.pk)
    step_to(elsewhere, START + timedelta(hours=3))
    assert now(space) == START + timedelta(hours=3)


@pytest.mark.django_db
@given(st.lists(st.integers(-5_000, 5_000), max_size=8))
def test_a_stepped_clock_goes_forward_only(steps: list[int]) -> None:
    space = Space.objects.create(
        slug=f"s{Space.objects.count()}",
        kind="exercise",
        name_zh="演练",
        clock_mode=ClockMode.STEPPED,
        clock_base=START,
    )
    shown = [now(space)]
    for step in steps:
        step_to(space, START + timedelta(minutes=step))
        shown.append(now(space))
        assert space.clock_base == shown[-1]
    assert shown == sorted(shown)
    assert shown[-1] == START + timedelta(minutes=max([0, *steps]))
