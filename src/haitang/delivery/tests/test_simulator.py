"""The pure model of how an exercise's messages fare (P1)."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from haitang.delivery.reasons import REASONS
from haitang.delivery.simulator import MANNERS, course
from haitang.delivery.states import State, may_follow

SEEDS = st.text(max_size=30)
CHANNELS = st.sampled_from([*MANNERS, "unheard of"])


@given(SEEDS, CHANNELS)
def test_the_same_seed_lives_the_same_course(seed, channel):
    assert course(seed, channel) == course(seed, channel)


@given(SEEDS, CHANNELS)
def test_events_follow_each_other_in_time_and_by_the_rules_of_the_states(seed, channel):
    events = course(seed, channel)
    assert events[0].state == "sent" and events[0].after_s > 0
    assert [e.after_s for e in events] == sorted(e.after_s for e in events)
    states = ["queued", *(e.state for e in events)]
    assert all(may_follow(a, b) for a, b in pairwise(states))


@given(SEEDS, CHANNELS)
def test_a_failure_says_why_in_words_we_know(seed, channel):
    for event in course(seed, channel):
        assert (event.state == State.FAILED) == bool(event.reason)
        assert not event.reason or event.reason in REASONS


def test_shares_are_as_set():
    ends = [course(f"letter {n}", "sms")[-1].state for n in range(4000)]
    assert 0.01 < ends.count("failed") / 4000 < 0.03
    assert 0.01 < ends.count("sent") / 4000 < 0.03
    calls = [course(f"letter {n}", "voice")[-1].state for n in range(4000)]
    assert 0.75 < calls.count("answered") / 4000 < 0.82
