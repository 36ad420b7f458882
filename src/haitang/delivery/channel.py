"""What a channel is. Each stands in one file of `channels/`; adding one is adding a file there.

A channel says how a recipient is addressed on it and has one method that sends: `send(letter, permit)`. It runs in a
thread of its channel's own pool, touches no database, opens connections only through `transport` (which wants the
permit that `outlet` gives out for live messages alone) and answers with an outcome or raises `Trouble`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.functional import Promise

if TYPE_CHECKING:
    from haitang.accounts.models import Organisation
    from haitang.delivery.gateways import Gateway
    from haitang.delivery.models import Delivery
    from haitang.delivery.permit import Permit
    from haitang.delivery.recipients import Recipient

Text = str | Promise


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What one recipient is sent on one channel, in his language. `key` stays the same across every attempt."""

    key: str
    to: str
    name: str = ""
    title: str
    text: str = ""
    url: str = ""
    language: str = "zh-hans"
    colour: str = ""
    about: str = ""
    # What the channel looked up for this delivery: a hook's address and secret, a person's browsers.
    extra: Any = None
    # What the message carries besides words: the area of a cell broadcast, until when it holds.
    data: Mapping[str, Any] = field(default_factory=dict)
    # Group channels: accounts and telephone numbers to be mentioned.
    mentions: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The gateway took it. `delivered` where that already means arrived; `ref` is the gateway's own number for it."""

    ref: str = ""
    delivered: bool = False
    # What the channel wants to note afterwards, with the database at hand.
    note: Any = None


class Trouble(Exception):
    """It was not taken this time: worth another attempt, after `after_s` seconds where the gateway asked for that."""

    def __init__(self, reason: str, *, after_s: float | None = None, note: Any = None) -> None:
        super().__init__(reason)
        self.reason, self.after_s, self.note = reason, after_s, note


class Undeliverable(Trouble):
    """It will never be taken: wrong number, no such account, message refused. No further attempt."""


class Channel:
    """One way to reach people."""

    name: ClassVar[str]
    label: ClassVar[Text]
    icon: ClassVar[str] = "send"
    # Heard or seen by the public: blocked in every exercise.
    public: ClassVar[bool] = False
    # One post for an organisation's group, not one for each person.
    group: ClassVar[bool] = False
    # The address is a person's own: a number or mailbox that others see masked.
    personal: ClassVar[bool] = False
    # Reaches an organisation by an address registered for it.
    hooked: ClassVar[bool] = False
    # The row in the outbox is the delivery itself: nothing is sent anywhere.
    here: ClassVar[bool] = False
    # Letters a second to the gateway on average, and at once; threads that send; attempts before giving up.
    rate_per_s: ClassVar[float] = 50.0
    burst: ClassVar[int] = 100
    concurrency: ClassVar[int] = 4
    attempts: ClassVar[int] = 8
    # Seconds that the gateway has to answer in.
    timeout_s: ClassVar[float] = 6.0
    # Letters handed over in one request where many wait; 1 where the gateway takes one at a time.
    batch: ClassVar[int] = 1
    # What it means to have no address on this channel: a code of reasons.py.
    missing: ClassVar[str] = "no_account"
    # Seconds within which a receipt tells what became of a letter; 0 where the channel has no receipts.
    receipt_within_s: ClassVar[float] = 0.0

    def address(self, recipient: Recipient) -> str:
        """Where this recipient is reached on this channel; empty if nowhere."""
        raise NotImplementedError

    def willing(self, people: Sequence[Recipient]) -> Container[int] | None:
        """Channels that people switch on for themselves: the accounts that did; others are passed over. None: everybody."""
        return None

    def look_up(self, deliveries: Sequence[Delivery]) -> Mapping[int, Any]:
        """What `send` needs from the database, for many deliveries at once: `Letter.extra` by delivery."""
        return {}

    def owners(self, organisations: Sequence[Organisation]) -> Mapping[int, Organisation]:
        """Group channels: whose group an organisation listens to, where that is not its own."""
        return {}

    def gateway(self, letter: Letter) -> Gateway | None:
        """The gateway that this letter goes to; letters to one address share a bucket."""
        return None

    def pace(self) -> tuple[float, int]:
        """Letters a second on average, and at once."""
        return self.rate_per_s, self.burst

    def at_once(self) -> int:
        """How many letters go in one request; 1 where the gateway takes one at a time."""
        return self.batch

    def send(self, letter: Letter, permit: Permit) -> Accepted:
        """Hand one letter to the gateway."""
        raise NotImplementedError

    def send_many(self, letters: Sequence[Letter], permits: Sequence[Permit]) -> list[Accepted | Trouble]:
        """Hand several letters to one gateway in one request; an outcome for each. Trouble raised concerns them all."""
        raise NotImplementedError

    def collect(self) -> Iterable[tuple[list[dict[str, Any]], Callable[[], None]]]:
        """Receipts that came on a connection held open: rows as `receipts.take` wants them, and what to call once stored."""
        return ()

    def note(self, delivery: Delivery, note: Any) -> None:
        """Store what `send` noted (the outcome's `note`), with the database at hand."""


CHANNELS: dict[str, Channel] = {}


def add_channel(channel: type[Channel]) -> type[Channel]:
    """Declare a channel."""
    if channel.name in CHANNELS and type(CHANNELS[channel.name]).__qualname__ != channel.__qualname__:
        raise RuntimeError(f"channel {channel.name} is declared twice")
    CHANNELS[channel.name] = channel()
    return channel


def channel_of(name: str) -> Channel:
    """The channel of this name; LookupError names those there are."""
    try:
        return CHANNELS[name]
    except KeyError:
        raise LookupError(f"no channel {name!r}; there are {', '.join(sorted(CHANNELS))}") from None
