"""What many connections brought, made durable with one commit; and what each is answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from haitang.accounts.verbs import Refused
from haitang.monitoring import door
from haitang.monitoring.batch import BatchError, Lot
from haitang.monitoring.mqttd import packets
from haitang.monitoring.mqttd.link import Link, Run
from haitang.monitoring.mqttd.packets import V5, Reason
from haitang.monitoring.mqttd.signin import Sender
from haitang.monitoring.mqttd.topics import Route
from haitang.spaces.models import Space


@dataclass(eq=False)
class Load:
    """A run of one connection on its way to the store, and what is to be said to it afterwards."""

    link: Link
    sender: Sender
    run: Run
    received_at: datetime
    answer: bytes = b""
    end: tuple[Reason, str] | None = None
    unreadable: dict[int, str] = field(default_factory=dict)


def store(loads: Sequence[Load]) -> None:
    """Make the readings durable and write the answers. Database errors go through: nothing is answered then."""
    spaces = Space.objects.in_bulk({load.sender.space.pk for load in loads})
    by_space: defaultdict[int, list[Load]] = defaultdict(list)
    for load in loads:
        if load.run.route is None:
            door.count_refusal(load.sender.space, load.sender.source, "forbidden")
            load.answer = _all(load, Reason.NOT_AUTHORISED, "this client may not publish to that topic")
        else:
            by_space[load.sender.space.pk].append(load)
    for number, mine in by_space.items():
        try:
            if number not in spaces:
                raise Refused("This world is gone")
            _store(spaces[number], mine)
        except Refused as error:
            for load in mine:
                load.answer = _all(load, Reason.NOT_AUTHORISED, str(error))
                load.end = (Reason.ADMINISTRATIVE, str(error))


def _store(space: Space, loads: Sequence[Load]) -> None:
    by_token: defaultdict[int, list[Load]] = defaultdict(list)
    for load in loads:
        by_token[load.sender.token].append(load)
    sacks = [
        door.Sack(
            [body for load in mine for body in _bodies(load)], mine[0].sender.source, mine[0].sender.allowed,
            mine[0].received_at,
        )
        for mine in by_token.values()
    ]  # fmt: skip
    for mine, lot in zip(by_token.values(), door.receive_sacks(space, sacks), strict=True):
        edges = [0]
        for load in mine:
            edges.append(edges[-1] + len(load.run.bodies))
        for load, (begin, end) in zip(mine, pairwise(edges), strict=True):
            clear = not lot.unreadable and not lot.short
            load.answer = b"".join(load.run.acks) if clear or load.link.level != V5 else _told(load, lot, begin, end)


def _bodies(load: Load) -> list[bytes]:
    route = load.run.route
    if not isinstance(route, Route) or route.translate is None:
        return load.run.bodies
    bodies = []
    for number, payload in enumerate(load.run.bodies):
        try:
            bodies.append(route.translate(route.topic, payload))
        except BatchError as error:
            load.unreadable[number] = str(error)
            bodies.append(b"")  # the door counts it
    return bodies


def _told(load: Load, lot: Lot, begin: int, end: int) -> bytes:
    """One answer for each message, in their order, where not all was well."""
    answers = []
    for number, ack in zip(range(begin, end), load.run.acks, strict=True):
        if not ack:
            continue
        if number in lot.unreadable:
            text = load.unreadable.get(number - begin) or str(lot.unreadable[number])
            answers.append(_one(load, ack, Reason.PAYLOAD, text))
        elif number in lot.short:
            taken, refused = lot.short[number]
            why = ", ".join(f"{reason.value} {count}" for reason, count in refused.items())
            reason = Reason.SUCCESS if taken else Reason.REFUSED_HERE
            answers.append(_one(load, ack, reason, f"{taken} readings taken; refused: {why}"))
        else:
            answers.append(ack)
    return b"".join(answers)


def _one(load: Load, ack: bytes, reason: Reason, text: str) -> bytes:
    connect = load.link.connect
    if connect is None or not connect.wants_reasons or (connect.largest or 1000) < 300:
        text = ""
    return packets.puback(ack[2:4], reason, text[:200])


def _all(load: Load, reason: Reason, text: str) -> bytes:
    """The same no to every message. A client of 3.1.1 knows no no: it gets no answer."""
    if load.link.level != V5:
        return b""
    return b"".join(_one(load, ack, reason, text) for ack in load.run.acks if ack)


def give_up(load: Load, text: str) -> None:
    """Nothing can be made of this: say so, and let it hold nobody up."""
    if load.link.level == V5:
        load.answer = _all(load, Reason.UNSPECIFIED, text)
    else:
        load.answer = b"".join(load.run.acks)


def halves(loads: Sequence[Load]) -> list[list[Load]]:
    """Two smaller groups, to find the one message that breaks a group; nothing for a single message."""
    if len(loads) > 1:
        return [list(loads[: len(loads) // 2]), list(loads[len(loads) // 2 :])]
    run, load = loads[0].run, loads[0]
    if len(run.bodies) < 2:
        return []
    parts = []
    for begin in range(0, len(run.bodies), (len(run.bodies) + 1) // 2):
        end = begin + (len(run.bodies) + 1) // 2
        part = Run(run.route, run.bodies[begin:end], run.acks[begin:end])
        parts.append([Load(load.link, load.sender, part, load.received_at)])
    return parts
