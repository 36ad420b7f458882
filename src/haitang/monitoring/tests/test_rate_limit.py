"""P4: how much one sender may send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haitang.monitoring.limits import Bucket, Limiter


def test_a_burst_passes_and_then_the_lasting_rate_holds():
    bucket = Bucket(rate=10, burst=20)
    assert bucket.take(20, 0.0) == 0
    assert bucket.take(5, 0.0) == 0.5
    assert bucket.take(5, 0.5) == 0


def test_more_than_a_burst_at_once_waits_for_a_full_bucket_and_empties_it():
    bucket = Bucket(rate=10, burst=20)
    assert bucket.take(50, 0.0) == 0
    assert bucket.take(50, 0.0) == 2.0
    assert bucket.take(1, 0.0) == 0.1


def test_senders_do_not_share():
    limiter = Limiter(rate=1, burst=1)
    assert limiter.take("a", 1, 0.0) == 0
    assert limiter.take("a", 1, 0.0) > 0
    assert limiter.take("b", 1, 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 40)), max_size=50))
def test_never_more_than_burst_and_rate_times_time(steps):
    bucket, moment, taken = Bucket(rate=10, burst=20), 0.0, 0.0
    for pause, amount in steps:
        moment += pause
        if bucket.take(amount, moment) == 0:
            taken += min(amount, 20)
        assert taken <= 20 + 10 * moment + 1e-6
