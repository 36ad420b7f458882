"""The one place where messages leave, and where it is decided that an exercise's never do.

`pump` takes what is due in a space. In an exercise, and for drills, the pure simulator answers in the transaction of
the row it answers for, in the space's own time. Live letters are claimed (a lease that expires, so that a killed
process loses nothing), handed to their channel in threads of the channel's own (a slow gateway holds up nobody
else), and settled by the thread that called `pump`; a gateway asked twice knows the letter by its key.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from haitang.delivery import backoff, gates, outbox, receipts, simulator
from haitang.delivery.breaker import Breakers, concerns
from haitang.delivery.bucket import Buckets
from haitang.delivery.channel import CHANNELS, Accepted, Channel, Letter, Trouble, Undeliverable
from haitang.delivery.letters import letter_of
from haitang.delivery.models import Delivery
from haitang.delivery.permit import ExerciseLeak, Permit
from haitang.delivery.states import State
from haitang.spaces.clock import now
from haitang.spaces.models import Space

log = logging.getLogger(__name__)

# Longer than the slowest channel can take for a letter; so long a letter waits whose process was killed.
LEASE_S = 30.0
# A letter that a gateway out of order has kept for so long is given up; somebody must look.
GIVE_UP = timedelta(hours=6)
# A letter that waited this long for its thread is given back untouched: its lease could end while it is sent.
LATEST_S = 5.0
SLICE_S = 0.05


def pump(space: Space | None = None, limit: int = 500, *, patience_s: float = 5.0) -> int:
    """Hand out what is due in a space, or in all open ones; returns how many deliveries moved.

    Waits at most `patience_s` for gateways; what they answer later is settled by the next call in this process.
    """
    spaces = [space] if space is not None else list(Space.objects.filter(is_open=True))
    moved = sum(_simulated(each, limit) + _overdue(each, limit) for each in spaces)
    live = [each for each in spaces if not each.is_exercise]
    moved += OUTLET.pump(live, limit, patience_s) if live else 0
    for each in spaces:
        outbox.tell_failures(each)
    return moved


# -- exercises --------------------------------------------------------------------------------------------------


def _due(space: Space, moment: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(space=space, next_at__lte=moment)


def _locked(rows: QuerySet[Delivery], limit: int) -> list[Delivery]:
    rows = rows.select_for_update(of=("self",), skip_locked=True)
    rows = rows.select_related(
        "message__space", "message__place", "message__organisation", "user", "organisation", "space"
    )
    return list(rows.order_by("priority", "next_at", "pk")[:limit])


def _simulated(space: Space, limit: int) -> int:
    """Everything that happens up to now, also on the channels that follow a failed one."""
    moved = 0
    while moved < limit and (more := _simulate(space, limit)):
        moved += more
    return moved


def _simulate(space: Space, limit: int) -> int:
    """Let time pass for the drills of a space: every event of their courses up to now happens, at its own time."""
    moment = now(space)
    due = _due(space, moment).filter(message__is_drill=True, state__in=(State.QUEUED, State.SENT))
    if not due.exists():
        return 0
    moved = 0
    with transaction.atomic():
        failed: list[tuple[Delivery, str, datetime]] = []
        for delivery in _locked(due, limit):
            if delivery.state == State.QUEUED and outbox.is_expired(delivery.message, moment):
                failed.append((delivery, "message_expired", moment))
                continue
            moved += _live_through(delivery, moment, failed)
        moved += outbox.fail(failed)
    return moved


def _live_through(delivery: Delivery, moment: datetime, failed: list[tuple[Delivery, str, datetime]]) -> int:
    moved, waits_until = 0, delivery.next_at
    # Of what is the same whenever an exercise is run again; the message's key holds numbers that are not.
    message = delivery.message
    seed = f"{message.created_at:%y%m%d%H%M%S}|{message.title_zh}|{delivery.name}|{delivery.number}"
    start = max(delivery.created_at, message.not_before or delivery.created_at)
    for event in simulator.course(seed, delivery.channel):
        at = start + timedelta(seconds=event.after_s)
        if at > moment:
            if waits_until != at or moved:
                Delivery.objects.filter(pk=delivery.pk).update(next_at=at)
            return moved
        if event.state == State.FAILED:
            failed.append((delivery, event.reason, at))
            return moved
        moved += outbox.advance(delivery, State(event.state), at)
    if not moved and delivery.state == State.SENT and delivery.next_at and delivery.next_at <= moment:
        failed.append((delivery, "no_receipt", delivery.next_at))
    return moved


# -- receipts that did not come ---------------------------------------------------------------------------------


def _overdue(space: Space, limit: int) -> int:
    """Give up live letters whose receipt did not come in time, where another channel waits behind them."""
    due = _due(space, now(space)).filter(state=State.SENT, message__is_drill=False)
    if not due.exists():
        return 0
    with transaction.atomic():
        return outbox.fail([(d, "no_receipt", d.next_at) for d in _locked(due, limit) if d.next_at])


# -- live letters -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Flight:
    """A letter in a thread: whose it is, and by which claim."""

    delivery: int
    claim: str
    channel: Channel
    gateway: str
    simulated: bool


class Outlet:
    """The live letters of this process: threads, buckets, and what is under way. Used by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._buckets: dict[str, Buckets] = {}
        self._flights: dict[Future[Accepted], _Flight] = {}
        self._breakers = Breakers()

    def pump(self, spaces: Sequence[Space], limit: int, patience_s: float) -> int:
        """Launch what is due and settle what came back; returns how many deliveries moved."""
        if not self._lock.acquire(blocking=False):
            return 0  # another thread of this process is at it
        try:
            until = time.monotonic() + patience_s
            moved, left = self._collect() + self._land(), limit
            while True:
                started = sum(self._launch(space, left) for space in spaces) if left > 0 else 0
                left -= started
                rest = until - time.monotonic()
                if not self._flights or rest <= 0:
                    return moved
                wait(self._flights, timeout=min(rest, SLICE_S), return_when=FIRST_COMPLETED)
                moved += self._land()
        finally:
            self._lock.release()

    def rest(self) -> None:
        """Forget threads, buckets and flights, as a new process does. What is under way is found again by its lease."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self.__init__()  # type: ignore[misc]

    def _launch(self, space: Space, limit: int) -> int:
        moment = now(space)
        due = _due(space, moment).filter(state=State.QUEUED, message__is_drill=False)
        started = 0
        for name in sorted(set(due.order_by().values_list("channel", flat=True).distinct())):
            channel = CHANNELS.get(name)
            if channel is None:
                with transaction.atomic():
                    outbox.fail([(d, "no_channel", moment) for d in _locked(due.filter(channel=name), limit)])
                continue
            busy = sum(flight.channel is channel for flight in self._flights.values())
            room = min(limit - started, channel.concurrency - busy)
            if room > 0:
                started += self._send(channel, self._claim(due.filter(channel=name), room, moment), moment)
        return started

    def _collect(self) -> int:
        """Take what gateways reported on connections that we hold open; acknowledged once it is stored."""
        taken = 0
        for channel in CHANNELS.values():
            for rows, stored in channel.collect():
                taken += receipts.take(channel.name, rows).taken
                stored()
        return taken

    def _claim(self, due: QuerySet[Delivery], room: int, moment: datetime) -> list[Delivery]:
        """Take deliveries for this process, until the lease ends."""
        claim, lease = uuid.uuid4().hex, moment + timedelta(seconds=LEASE_S)
        with transaction.atomic():
            rows = _locked(due, room)
            Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
                claim=claim, next_at=lease, attempts=F("attempts") + 1
            )
        for row in rows:
            row.claim, row.next_at, row.attempts = claim, lease, row.attempts + 1
        return rows

    def _send(self, channel: Channel, rows: Sequence[Delivery], moment: datetime) -> int:
        if not rows:
            return 0
        extras = channel.look_up(rows)
        buckets = self._buckets.setdefault(channel.name, Buckets(*channel.pace()))
        pool = self._pools.get(channel.name)
        if pool is None:
            pool = ThreadPoolExecutor(channel.concurrency, thread_name_prefix=f"delivery-{channel.name}")
            self._pools[channel.name] = pool
        started = 0
        lost: list[tuple[Delivery, str, datetime]] = []
        for row in rows:
            if outbox.is_expired(row.message, moment):
                lost.append((row, "message_expired", moment))
                continue
            try:
                permit = Permit(row)
            except ExerciseLeak:
                log.exception("an exercise's delivery came to the outlet; it is blocked")
                Delivery.objects.filter(pk=row.pk).update(state=State.BLOCKED, next_at=None, claim="")
                continue
            letter = letter_of(row, channel, extras.get(row.pk))
            gateway = channel.gateway(letter)
            address = gateway.url if gateway else channel.name
            breaker = self._breakers.of(channel.name, address)
            pause = breaker.wait(row.key, time.monotonic())
            if pause and (row.contact.get("next") or moment - row.created_at > GIVE_UP):
                # Another channel waits behind it, or it has waited long enough: nobody waits for a gateway out of order.
                lost.append((row, "gateway_down", moment))
                continue
            pause = pause or buckets.take(address, time.monotonic())
            if pause:
                breaker.released(row.key)
                self._give_back(row, moment + timedelta(seconds=pause))
                continue
            flight = _Flight(row.pk, row.claim, channel, address, bool(gateway and gateway.simulated))
            self._flights[pool.submit(_carry, channel, letter, permit, time.monotonic() + LATEST_S)] = flight
            started += 1
        if lost:
            with transaction.atomic():
                outbox.fail(lost)
        return started + len(lost)

    def _give_back(self, row: Delivery, at: datetime) -> None:
        """Not tried: the attempt does not count."""
        Delivery.objects.filter(pk=row.pk, claim=row.claim).update(claim="", next_at=at, attempts=F("attempts") - 1)

    def _land(self) -> int:
        """Settle what has come back, in one transaction; if that fails the flights stay and are settled later."""
        done = [future for future in self._flights if future.done()]
        if not done:
            return 0
        flights = {self._flights[future].delivery: (self._flights[future], future) for future in done}
        with transaction.atomic():
            rows = Delivery.objects.select_for_update(of=("self",)).filter(pk__in=flights).order_by("pk")
            rows = rows.select_related(
                "message__space", "message__place", "message__organisation", "user", "organisation", "space"
            )
            failed: list[tuple[Delivery, str, datetime]] = []
            moved = sum(self._settle(row, *flights[row.pk], failed) for row in rows)
            moved += outbox.fail(failed)
        for future in done:
            del self._flights[future]
        return moved

    def _settle(self, row: Delivery, flight: _Flight, future: Future[Accepted], failed: list[Any]) -> int:
        moment = now(row.space)
        try:
            taken = future.result()
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises concerns its own letter only
            return self._settle_trouble(row, flight, error, moment, failed)
        if taken.note is not None:
            flight.channel.note(row, taken.note)
        self._heard(flight, row, "")
        Delivery.objects.filter(pk=row.pk).update(is_simulated=flight.simulated, gateway_ref=taken.ref[:200])
        # A receipt may have been faster than the answer; then this changes nothing.
        return int(outbox.advance(row, State.DELIVERED if taken.delivered else State.SENT, moment))

    def _heard(self, flight: _Flight, row: Delivery, reason: str) -> None:
        """Tell the gateway's breaker how a letter fared, and keep what changes where pages can see it."""
        breaker = self._breakers.of(flight.channel.name, flight.gateway)
        if concerns(reason):
            changed = breaker.failed(row.key, reason, time.monotonic())
        else:
            changed = breaker.succeeded()
        if changed:
            gates.keep(flight.channel.name, flight.gateway, breaker, time.monotonic())

    def _settle_trouble(
        self, row: Delivery, flight: _Flight, error: Exception, moment: datetime, failed: list[Any]
    ) -> int:
        if not isinstance(error, _TooLate):
            self._heard(flight, row, error.reason if isinstance(error, Trouble) else "program")
        if row.claim != flight.claim or row.state != State.QUEUED:
            return 0  # the lease ended and another process has it, or a receipt says that it arrived after all
        if isinstance(error, _TooLate):
            self._give_back(row, moment)
            return 0
        trouble = error if isinstance(error, Trouble) else Trouble("program")
        if trouble is not error:
            log.error("channel %s failed", flight.channel.name, exc_info=error)
        if trouble.note is not None:
            flight.channel.note(row, trouble.note)
        if trouble.after_s:
            self._buckets[flight.channel.name].drain(flight.gateway, time.monotonic(), trouble.after_s)
        if isinstance(trouble, Undeliverable) or row.attempts >= flight.channel.attempts:
            failed.append((row, trouble.reason, moment))
            return 0
        pause = max(trouble.after_s or 0.0, backoff.pause_s(row.attempts, row.key))
        Delivery.objects.filter(pk=row.pk).update(
            claim="",
            next_at=moment + timedelta(seconds=pause),
            reason=trouble.reason[:300],
            is_simulated=flight.simulated,
        )
        return 0


class _TooLate(Exception):
    """The letter waited too long for its thread and was not sent."""


def _carry(channel: Channel, letter: Letter, permit: Permit, latest: float) -> Accepted:
    """In a thread of the channel's own: no database here."""
    if time.monotonic() > latest:
        raise _TooLate
    return channel.send(letter, permit)


OUTLET = Outlet()
