"""3.4.1, P4: readings are tested as they come: the flags of ioos_qc where it has the test, and the same however batched."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import quality, quality_loop
from haitang.monitoring.quality import NEVER, Flag, LimitError, Limits, Memory, Plan, Test
from haitang.monitoring.quality_defaults import default
from haitang.monitoring.quantities import QUANTITIES

# Flags that ioos_qc 3.0.0 (Apache-2.0) gave this series; `benchmarks/quality.py --expect` makes the file anew.
EXPECTED = json.loads((Path(__file__).parent / "data/ioos_qc_flags.json").read_text())
TIME = np.array(EXPECTED["time"], np.int64) * 1000
VALUE = np.array([np.nan if v is None else v for v in EXPECTED["value"]])
LIMITS = Limits(
    interval_s=300, fail_low=-2, fail_high=8, suspect_low=0, suspect_high=5,
    climatology=tuple((low, high) for low, high in EXPECTED["months"]), spike_suspect=0.2, spike_fail=0.6,
    rate_suspect=1.0, rate_fail=6.0, flat_suspect_s=3600, flat_fail_s=9000, flat_tolerance=0.015,
    attenuated_s=14_400, attenuated_suspect=0.05, attenuated_fail=0.01, gap_fail_s=3600, late_fail_s=86_400,
)  # fmt: skip
NAMES = {
    "range": Test.RANGE, "climatology": Test.CLIMATOLOGY, "spike": Test.SPIKE, "rate": Test.RATE, "flat": Test.FLAT,
    "attenuated": Test.ATTENUATED, "gap": Test.GAP, "clock": Test.CLOCK,
}  # fmt: skip


def flags_of(name, cuts):
    """The flags of one test, the series given in pieces; what is revised later counts."""
    plan = Plan([LIMITS])
    memory = Memory.fresh(plan)
    found = np.zeros(len(TIME), int)
    for a, b in pairwise(cuts):
        rows = np.arange(a, b)
        result = quality.take(memory, plan, rows * 0, TIME[a:b], VALUE[a:b], np.full(b - a, TIME[-1]))
        found[a:b] = result.of(NAMES[name])
        # A reading whose spike test was waiting is good once the next one says nothing against it.
        if name == "spike" and a and not np.isnan(VALUE[a - 2 : a + 1]).any() and a > 1:
            found[a - 1] = Flag.GOOD
        if name == "spike":
            for when, suspect, fail in zip(result.revised_ms, result.revised_suspect, result.revised_fail, strict=True):
                found[np.flatnonzero(when == TIME)] = Flag.FAIL if fail else Flag.SUSPECT if suspect else Flag.GOOD
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [400, 1, 7, 64])
def test_the_flags_are_those_of_ioos_qc(name, size):
    cuts = [*range(0, 400, size), 400]
    given_ = ~np.isnan(VALUE)  # of a value that is not there ioos_qc says "good" in some tests; we say "missing" in all
    assert flags_of(name, cuts)[given_].tolist() == [
        int(c) for c, kept in zip(EXPECTED[name], given_, strict=True) if kept
    ]


@pytest.fixture(scope="module")
def compiled():
    """The compiled loop, for this module only."""
    quality.warm()
    yield quality_loop.ready() is not None
    quality_loop._ready.clear()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_compiled_loop_finds_the_same(compiled, data):
    if not compiled:
        pytest.skip("numba is not installed")
    readings = data.draw(READINGS)
    cut = data.draw(st.integers(0, 70))
    stories = []
    for how in (quality.vectorised, quality.take):
        found = story(readings, sorted({0, min(cut, len(readings)), len(readings)}), how=how)
        memory = found[1]
        held = [[part.tolist() for part in memory.readings(s)] for s in range(4) if memory.slot[s] >= 0]
        stories.append((found[0], held, memory.time.tolist(), memory.time2.tolist()))
    assert stories[0] == stories[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_loop_flags_as_ioos_qc_does(compiled, name):
    given_ = ~np.isnan(VALUE)
    found = flags_of(name, [0, 150, 151, 400])[given_].tolist()
    assert found == [int(c) for c, kept in zip(EXPECTED[name], given_, strict=True) if kept]


PROFILES = [
    Limits(
        interval_s=60, suspect_low=-2, suspect_high=2, fail_high=2.5, spike_suspect=0.5, spike_fail=1.5, rate_suspect=60,
        flat_suspect_s=180, flat_fail_s=300, flat_tolerance=0.2, attenuated_s=600, attenuated_suspect=0.3,
        attenuated_fail=0.1, gap_suspect_s=120, near_suspect=1.0, near_fail=2.0, near_age_s=200,
    ),
    Limits(interval_s=60, spike_suspect=0.5, rate_fail=100, near_suspect=0.5),
]  # fmt: skip


def story(readings, cuts, n=4, how=quality.vectorised):
    """What is found of each (series, time), in whatever pieces the readings come."""
    plan = Plan([PROFILES[0], PROFILES[1], PROFILES[0], PROFILES[1]][:n], {0: [1, 2], 1: [0, 3], 2: [0, 1, 3]})
    memory = Memory.fresh(plan)
    found = {}
    for a, b in pairwise(cuts):
        part = readings[a:b]
        if not part:
            continue
        at, minute, value = (np.array(column) for column in zip(*part, strict=True))
        result = how(memory, plan, at.astype(np.int64), minute.astype(np.int64) * 60_000, value.astype(float))
        for i, (series, when, _) in enumerate(part):
            found[series, when] = [int(result.suspect[i]), int(result.fail[i])]
        told = zip(result.revised_at, result.revised_ms, result.revised_suspect, result.revised_fail, strict=True)
        for series, when, suspect, fail in told:
            entry = found[int(series), int(when) // 60_000]
            entry[0] |= int(suspect)
            entry[1] |= int(fail)
    return found, memory, plan


READINGS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 60),
        st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.4, 0.9, 1.0, 1.9, 2.2, 2.6]),
    ),
    max_size=70,
    unique_by=lambda row: (row[0], row[1]),
)


@settings(max_examples=120, deadline=None)
@given(READINGS, st.lists(st.integers(0, 70), max_size=6), st.booleans())
def test_flags_do_not_depend_on_the_batches(readings, cuts, in_order):
    if in_order:
        readings = sorted(readings, key=lambda row: row[1])
    n = len(readings)
    one_by_one, _, _ = story(readings, list(range(n + 1)))
    pieces, _, _ = story(readings, sorted({0, n, *(c for c in cuts if c < n)}))
    assert pieces == one_by_one


@settings(max_examples=60, deadline=None)
@given(READINGS, READINGS)
def test_who_recalls_the_newest_readings_goes_on_as_if_nothing_had_happened(readings, later):
    """A process that starts anew has the store only."""
    known = {(s, t) for s, t, _ in readings}
    later = [row for row in later if row[:2] not in known]
    _, memory, plan = story(readings, [0, len(readings)])
    again = Memory.fresh(plan)
    for series in range(4):
        mine = sorted((t, v) for s, t, v in readings if s == series)[-again.need(series) :]
        again.recall(series, np.array([t for t, _ in mine], np.int64) * 60_000, np.array([v for _, v in mine], float))
    if not later:
        return
    at, minute, value = (np.array(column) for column in zip(*later, strict=True))
    given_ = (at.astype(np.int64), minute.astype(np.int64) * 60_000, value.astype(float))
    one, two = quality.take(memory, plan, *given_), quality.take(again, plan, *given_)
    for name in ("suspect", "fail", "known", "revised_at", "revised_ms", "revised_suspect", "revised_fail"):
        assert getattr(one, name).tolist() == getattr(two, name).tolist(), name


def test_a_gauge_away_from_its_neighbours_is_suspect():
    plan = Plan([PROFILES[1]] * 3, {0: [1, 2], 1: [0, 2], 2: [0, 1]})
    memory = Memory.fresh(plan)
    time = np.full(3, 60_000, np.int64)
    first = quality.take(memory, plan, np.array([1, 2, 0]), time, np.array([1.0, 1.2, 3.0]))
    assert first.of(Test.NEIGHBOUR).tolist() == [Flag.UNKNOWN, Flag.UNKNOWN, Flag.SUSPECT]


def test_a_reading_ahead_of_the_clock_or_long_behind_it_is_suspect():
    plan = Plan([Limits(late_suspect_s=600, late_fail_s=3600, ahead_suspect_s=60)])
    arrived = np.array([0, 0, 0, 0, NEVER], np.int64) + np.array([0, 0, 0, 0, 0])
    time = np.array([-4_000_000, -700_000, 0, 61_000, 99_000], np.int64)
    found = quality.take(Memory.fresh(plan), plan, np.zeros(5, np.int64), time, np.zeros(5), arrived)
    assert found.of(Test.CLOCK).tolist() == [4, 3, 1, 3, 1]


def test_a_late_reading_has_the_tests_that_need_no_order():
    found = quality.take(
        Memory.fresh(Plan([PROFILES[0]])), Plan([PROFILES[0]]), np.zeros(2, np.int64), np.array([60_000, 0]), np.array([0, 9.0])
    )  # fmt: skip
    assert quality.tests_in(int(found.suspect[1])) == [Test.RANGE]
    assert found.of(Test.RATE).tolist() == [Flag.GOOD, Flag.UNKNOWN]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"suspect_low": 3, "suspect_high": 2}, "suspect_low"),
        ({"flat_suspect_s": 60}, "flat_tolerance"),
        ({"attenuated_suspect": 1.0}, "attenuated_s"),
        ({"climatology": ((0.0, 1.0),)}, "climatology"),
        ({"rate_suspect": 3, "rate_fail": 2}, "rate_suspect"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(fields, name):
    with pytest.raises(LimitError) as error:
        Limits(**fields).check()
    assert error.value.name == name


def test_built_in_limits_are_consistent_and_grow_with_the_interval():
    for quantity in QUANTITIES:
        for interval in (60, 300, 3600, 86_400):
            default(quantity, interval).check()
    assert default("rain", 3600).fail_high == pytest.approx(60 * 12**0.5)
    assert default("tide_level", 3600).spike_suspect == pytest.approx(1.2)
