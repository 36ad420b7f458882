"""How an exercise's messages fare: latency, loss and answering, all drawn from a seed. Pure; opens nothing.

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
    # Whether the channel tells that a letter arrived; without, "sent" is the last that is heard.
    receipts: bool = True
    # Calls: share that is answered, and how long it rings; what an unanswered call means.
    answered: float = 0.0
    answered_s: float = 20.0
    unanswered_reason: str = ""


MANNERS: Mapping[str, Manner] = {
    "sms": Manner(send_s=0.8, deliver_s=4.0, sigma=0.8, failed=0.02, lost=0.02, failed_reason="absent"),
    "voice": Manner(send_s=2.0, deliver_s=8.0, sigma=0.4, failed=0.03, failed_reason="absent", answered=0.8,
                    answered_s=12.0, unanswered_reason="no_answer"),
    "email": Manner(send_s=1.5, deliver_s=20.0, sigma=1.0, failed=0.01, failed_reason="mailbox_unknown", receipts=False),
    "wecom": Manner(send_s=0.5, deliver_s=0.1, sigma=0.4, failed=0.002),
    "dingtalk": Manner(send_s=0.5, deliver_s=0.1, sigma=0.4, failed=0.002),
    "feishu": Manner(send_s=0.5, deliver_s=0.1, sigma=0.4, failed=0.002),
    "webhook": Manner(send_s=0.3, deliver_s=0.1, sigma=0.5, failed=0.01, failed_reason="connection"),
    "webpush": Manner(send_s=0.4, deliver_s=1.5, sigma=0.8, failed=0.02, failed_reason="browser_gone", receipts=False),
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
    fate, answers = draw.random(), draw.random()
    sent = _log_normal(draw, manner.send_s, manner.sigma)
    arrived = sent + _log_normal(draw, manner.deliver_s, manner.sigma)
    rung = arrived + _log_normal(draw, manner.answered_s, manner.sigma)
    event = Event(sent, "sent")
    if fate < manner.failed:
        return (event, Event(arrived, "failed", manner.failed_reason))
    if not manner.receipts or fate < manner.failed + manner.lost:
        return (event,)
    if manner.answered:
        # A call has arrived only when it is answered.
        last = Event(rung, "answered") if answers < manner.answered else Event(rung, "failed", manner.unanswered_reason)
        return (event, last)
    return (event, Event(arrived, "delivered"))


def _log_normal(draw: random.Random, median_s: float, sigma: float) -> float:
    # Box-Muller by hand: random.gauss keeps a half of each pair, which would tie letters together.
    u, v = 1.0 - draw.random(), draw.random()
    return median_s * math.exp(sigma * math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v))
