"""Hits, misses, false alarms, lead times: worked values and what must always hold (issue 3, "Measure")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.alerting.verification import Span, Table, by_hazard_and_rank, merged, verify

T0 = datetime(2024, 9, 15, tzinfo=UTC)


def span(start: float, end: float, rank: int = 2, place: str = "E", hazard: str = "rain", name: str = "") -> Span:
    return Span(hazard, place, rank, T0 + timedelta(hours=start), T0 + timedelta(hours=end), name)


def test_finley_s_tornadoes_of_1884():
    """The table every textbook opens with (Wilks, table 8.1): a=28, b=72, c=23."""
    table = Table(hits=28, misses=23, false_alarms=72, true_forecasts=28)
    assert (table.pod, table.far) == (pytest.approx(28 / 51), pytest.approx(0.72))
    assert table.csi == pytest.approx(28 / 123) and table.bias == pytest.approx(100 / 51)


def test_a_warning_before_the_crossing_is_a_hit_with_its_lead():
    found = verify([span(0, 12, name="w")], [span(3, 5)], 2)
    assert (found.table.hits, found.table.misses, found.table.false_alarms) == (1, 0, 0)
    assert found.seen[0].lead_s == 3 * 3600 and found.seen[0].forecast == "w"


def test_after_it_had_begun_it_is_late_and_no_false_alarm():
    table = verify([span(4, 12)], [span(3, 5)], 2).table
    assert (table.hits, table.late, table.false_alarms, table.pod, table.far) == (0, 1, 0, 0.0, 0.0)


def test_for_another_place_or_hazard_it_is_a_miss_and_a_false_alarm():
    for other in (span(0, 12, place="W"), span(0, 12, hazard="wind"), span(20, 30)):
        table = verify([other], [span(3, 5)], 2).table
        assert (table.hits, table.misses, table.false_alarms, table.csi) == (0, 1, 1, 0.0)


def test_a_colour_too_low_is_a_miss_at_the_graver_one():
    forecasts, events = [span(0, 12, rank=2)], [span(3, 5, rank=4)]
    tables = {rank: each.table for (_hazard, rank), each in by_hazard_and_rank(forecasts, events).items()}
    assert [tables[rank].hits for rank in (1, 2, 3, 4)] == [1, 1, 0, 0]
    assert [tables[rank].misses for rank in (1, 2, 3, 4)] == [0, 0, 1, 1]


def test_an_update_continues_its_warning_and_one_rain_with_a_pause_is_one_event():
    forecasts, events = [span(0, 6, name="a"), span(6, 12, rank=3, name="b")], [span(7, 8), span(10, 11)]
    found = verify(forecasts, events, 2)
    assert (found.table.hits, found.table.forecasts) == (1, 1)
    assert found.table.lead_s == 7 * 3600
    assert verify(forecasts, events, 2, gap=timedelta(hours=1)).table.hits == 2


def test_what_is_still_in_force_is_not_false_yet():
    at = T0 + timedelta(hours=12)
    assert verify([span(0, 12)], [], 2, until=at).table.false_alarms == 0
    assert verify([span(0, 11)], [], 2, until=at).table.false_alarms == 1


def test_nothing_divides_by_nothing():
    table = verify([], [], 1).table
    assert (table.pod, table.far, table.csi, table.bias, table.lead_s) == (None, None, None, None, None)
    assert Table(false_alarms=2).csi == 0.0 and Table(misses=2).csi == 0.0


def test_a_span_cannot_end_before_it_starts():
    with pytest.raises(ValueError, match="before it starts"):
        span(2, 1)


SPANS = st.lists(
    st.builds(lambda a, n, r, p: span(a, a + n, r, p), st.integers(0, 60), st.integers(0, 9), st.integers(1, 4), st.sampled_from("EWM")),
    max_size=12,
)  # fmt: skip


@given(SPANS, SPANS)
def test_every_event_and_every_forecast_is_counted_once(forecasts, events):
    for rank in (1, 2, 3, 4):
        found = verify(forecasts, events, rank)
        assert found.table.events == len(merged((e for e in events if e.rank >= rank), timedelta(hours=3)))
        assert found.table.forecasts == len(merged(f for f in forecasts if f.rank >= rank))
        for share in (found.table.pod, found.table.far, found.table.csi):
            assert share is None or 0 <= share <= 1
        assert all(lead >= 0 for lead in found.table.leads_s)


@given(SPANS, SPANS, SPANS)
def test_the_order_does_not_matter_and_more_warning_never_detects_less(forecasts, more, events):
    before, after = verify(forecasts, events, 1).table, verify([*more, *forecasts], events, 1).table
    assert verify(forecasts[::-1], events[::-1], 1).table == before
    assert after.hits >= before.hits


@given(SPANS)
def test_merged_spans_of_a_place_do_not_touch(spans):
    found = merged(spans)
    for one, two in pairwise(found):
        assert (one.hazard, one.place) != (two.hazard, two.place) or two.start > one.end
