"""How an exercise's messages fare: latency, loss, reading and answering, all drawn from a seed. Pure; opens nothing.

A delivery's whole course is drawn at once from its seed, so that it is the same however often and whenever it is
asked for: `course(seed, channel)` gives what happens how many seconds after the message was queued. The figures are
plausible for the channels, not measured; they make an exercise's boards live and let the escalation be seen.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Manner:
    """How a channel behaves. Times are medians in seconds of a log-normal with spread `sigma` (of the logarithm)."""

    send_s: float = 1.0
    deliver_s: float = 5.0
    sigma: float = 0.6
    # Shares of all letters: refused by the network, accepted but never heard of again.
    failed: float = 0.0
    lost: float = 0.0
    failed_reason: str = "failed"
    # Share of delivered letters that are read or answered, and how long that takes.
    read: float = 0.0
    read_s: float = 120.0
    answered: float = 0.0
    answered_s: float = 20.0
    # What an unanswered call means.
    unanswered_reason: str = ""


MANNERS: Mapping[str, Manner] = {
    "sms": Manner(send_s=0.8, deliver_s=4.0, sigma=0.8, failed=0.02, lost=0.02, failed_reason="absent subscriber"),
    "voice": Manner(send_s=2.0, deliver_s=8.0, sigma=0.4, failed=0.03, failed_reason="not reachable", answered=0.8,
                    answered_s=12.0, unanswered_reason="no answer"),
    "email": Manner(send_s=1.5, deliver_s=20.0, sigma=1.0, failed=0.01, lost=0.02, failed_reason="mailbox unknown"),
    "wecom": Manner(send_s=0.5, deliver_s=0.6, sigma=0.4, lost=0.005),
    "dingtalk": Manner(send_s=0.5, deliver_s=0.6, sigma=0.4, lost=0.005),
    "feishu": Manner(send_s=0.5, deliver_s=0.6, sigma=0.4, lost=0.005),
    "webhook": Manner(send_s=0.3, deliver_s=0.3, sigma=0.5, failed=0.01, failed_reason="no answer from the system"),
    "webpush": Manner(send_s=0.4, deliver_s=1.5, sigma=0.8, failed=0.02, lost=0.05, failed_reason="browser gone"),
}  # fmt: skip
DEFAULT = Manner(failed=0.01, lost=0.01)


@dataclass(frozen=True)
class Event:
    """Something that happens to a letter `after_s` seconds after it was queued; `state` is a delivery's state."""

    after_s: float
    state: str
    reason: str = ""


def course(seed: str, channel: str, manners: Mapping[str, Manner] = MANNERS) -> tuple[Event, ...]:
    """All that happens to one letter, in order of time; never empty, the first is that it was sent."""
    manner = manners.get(channel, DEFAULT)
    draw = random.Random(f"{seed}|{channel}")
    fate, reads, answers = draw.random(), draw.random(), draw.random()
    sent = _log_normal(draw, manner.send_s, manner.sigma)
    arrived = sent + _log_normal(draw, manner.deliver_s, manner.sigma)
    read = arrived + _log_normal(draw, manner.read_s, manner.sigma)
    answered = arrived + _log_normal(draw, manner.answered_s, manner.sigma)
    events = [Event(sent, "sent")]
    if fate < manner.failed:
        return (*events, Event(arrived, "failed", manner.failed_reason))
    if fate < manner.failed + manner.lost:
        return tuple(events)
    if manner.answered:
        # A call is delivered only by being answered.
        return (*events, Event(answered, "answered") if answers < manner.answered
                else Event(answered, "failed", manner.unanswered_reason))  # fmt: skip
    events.append(Event(arrived, "delivered"))
    if reads < manner.read:
        events.append(Event(read, "read"))
    return tuple(events)


def _log_normal(draw: random.Random, median_s: float, sigma: float) -> float:
    # Box-Muller by hand: random.gauss keeps a half of each pair, which would tie letters together.
    u, v = 1.0 - draw.random(), draw.random()
    return median_s * math.exp(sigma * math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v))
