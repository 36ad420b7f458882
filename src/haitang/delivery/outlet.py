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
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from haitang.delivery import backoff, gates, outbox, receipts, simulator
from haitang.delivery.breaker import Breakers, concerns
from haitang.delivery.bucket import Buckets
from haitang.delivery.channel import CHANNELS, Accepted, Channel, Letter, Trouble, Undeliverable
from haitang.delivery.letters import letter_of
from haitang.delivery.models import Delivery, Message
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
ORPHANS_S = 60.0
# Fewer than so many letters go one by one.
FEW = 20
# Of the live space, the newest drills that are still played.
DRILLS = 200
# Messages whose channels follow each other, the newest, that wait for receipts.
ORDERED = 500


def pump(space: Space | None = None, limit: int = 500, *, patience_s: float = 5.0) -> int:
    """Hand out what is due in a space, or in all open ones; returns how many deliveries moved.

    Waits at most `patience_s` for gateways; what they answer later is settled by the next call in this process.
    """
    spaces = [space] if space is not None else list(Space.objects.filter(is_open=True))
    # Where nothing is due nothing is looked for: one question a round and space.
    busy = [each for each in spaces if _due(each, now(each)).exists()]
    moved = sum(_simulated(each, limit) + _overdue(each, limit) for each in busy)
    live = [each for each in spaces if not each.is_exercise]
    moved += OUTLET.pump([each for each in live if each in busy], limit, patience_s) if live else 0
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
    if not space.is_exercise:
        # Drills are rare in the live space: not every letter that waits there is looked at for them.
        drills = list(
            Message.objects.filter(space=space, is_drill=True).order_by("-pk").values_list("pk", flat=True)[:DRILLS]
        )
        if not drills:
            return 0
        due = due.filter(message__in=drills)
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
    due = _due(space, now(space)).filter(state=State.SENT, message__is_drill=False, message__in_order=True)
    ordered = (
        Message.objects.filter(space=space, in_order=True, is_drill=False)
        .order_by("-pk")
        .values_list("pk", flat=True)[:ORDERED]
    )
    due = due.filter(message__in=list(ordered))
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


@dataclass(frozen=True)
class _Crowd:
    """Many letters in one request."""

    deliveries: Sequence[int]
    key: str
    claim: str
    channel: Channel
    gateway: str
    simulated: bool
    # The space's time when they were handed over, and our clock's.
    at: datetime
    since: float = field(default_factory=time.monotonic)


class Outlet:
    """The live letters of this process: threads, buckets, and what is under way. Used by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._buckets: dict[str, Buckets] = {}
        self._flights: dict[Future[Accepted], _Flight] = {}
        self._crowds: dict[Future[list[Accepted | Trouble]], _Crowd] = {}
        self._breakers = Breakers()
        self._orphans_at = 0.0

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
                if not (self._flights or self._crowds) or rest <= 0:
                    return moved
                under_way: list[Future[Any]] = [*self._flights, *self._crowds]
                wait(under_way, timeout=min(rest, SLICE_S), return_when=FIRST_COMPLETED)
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
        self._drop_orphans(due, moment, limit)
        # Channel by channel, so that the index finds the first ones however many wait.
        for name, channel in CHANNELS.items():
            if not due.filter(channel=name).exists():
                continue
            started += self._launch_many(channel, due.filter(channel=name, message__in_order=False), moment)
            busy = sum(flight.channel is channel for flight in self._flights.values())
            busy += sum(crowd.channel is channel for crowd in self._crowds.values())
            room = min(limit - started, channel.concurrency - busy)
            if room > 0:
                started += self._send(channel, self._claim(due.filter(channel=name), room, moment), moment)
        return started

    def _drop_orphans(self, due: QuerySet[Delivery], moment: datetime, limit: int) -> None:
        """Give up letters of a channel that was taken out of the platform; looked for once a minute."""
        if time.monotonic() < self._orphans_at:
            return
        self._orphans_at = time.monotonic() + ORPHANS_S
        with transaction.atomic():
            outbox.fail([(d, "no_channel", moment) for d in _locked(due.exclude(channel__in=CHANNELS), limit)])

    def _launch_many(self, channel: Channel, due: QuerySet[Delivery], moment: datetime) -> int:
        """Where a gateway takes many letters in one request and many wait, hand them over so; returns how many went."""
        most, started = channel.at_once(), 0
        if most < 2:
            return 0
        while sum(crowd.channel is channel for crowd in self._crowds.values()) < channel.concurrency:
            rows = self._claim_many(due, most, moment)
            if len(rows) < FEW:
                self._free([row.pk for row in rows], moment)
                return started
            started += self._send_many(channel, rows, moment)
        return started

    def _claim_many(self, due: QuerySet[Delivery], most: int, moment: datetime) -> list[Delivery]:
        """Take many deliveries, with no more of each than a letter needs."""
        claim, lease = uuid.uuid4().hex, moment + timedelta(seconds=LEASE_S)
        with transaction.atomic():
            turn = due.select_for_update(of=("self",), skip_locked=True).order_by("priority", "next_at", "pk")
            rows = list(
                turn.only(
                    "key", "address", "name", "language", "url", "attempts", "message", "space", "created_at", "contact"
                )[:most]
            )
            Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
                claim=claim, next_at=lease, attempts=F("attempts") + 1
            )
        messages = Message.objects.select_related("space").in_bulk({row.message_id for row in rows})
        for row in rows:
            row.claim, row.message, row.attempts = claim, messages[row.message_id], row.attempts + 1
            row.space = messages[row.message_id].space
        return rows

    def _free(self, pks: Sequence[int], at: datetime) -> None:
        """Not tried: the attempts do not count."""
        if pks:
            Delivery.objects.filter(pk__in=pks).update(claim="", next_at=at, attempts=F("attempts") - 1)

    def _send_many(self, channel: Channel, rows: Sequence[Delivery], moment: datetime) -> int:
        alive = [row for row in rows if not outbox.is_expired(row.message, moment)]
        if len(alive) < len(rows):
            gone = [row.pk for row in rows if outbox.is_expired(row.message, moment)]
            Delivery.objects.filter(pk__in=gone, state=State.QUEUED).update(
                state=State.FAILED, reason="message_expired", next_at=None, claim="", failed_at=moment, is_untold=True
            )
        permits, letters, sent = [], [], []
        for row in alive:
            try:
                permits.append(Permit(row))
            except ExerciseLeak:
                log.exception("an exercise's delivery came to the outlet; it is blocked")
                Delivery.objects.filter(pk=row.pk).update(state=State.BLOCKED, next_at=None, claim="")
                continue
            letters.append(letter_of(row, channel))
            sent.append(row)
        if not sent:
            return len(rows)
        gateway = channel.gateway(letters[0])
        address = gateway.url if gateway else channel.name
        breaker = self._breakers.of(channel.name, address)
        pause = breaker.wait(sent[0].key, time.monotonic())
        pause = pause or self._buckets.setdefault(channel.name, Buckets(*channel.pace())).take_many(
            address, time.monotonic(), len(sent)
        )
        if pause:
            breaker.released(sent[0].key)
            self._free([row.pk for row in sent], moment + timedelta(seconds=pause))
            return len(rows) - len(sent)
        pool = self._pools.setdefault(
            channel.name, ThreadPoolExecutor(channel.concurrency, thread_name_prefix=f"delivery-{channel.name}")
        )
        crowd = _Crowd(
            [row.pk for row in sent],
            sent[0].key,
            sent[0].claim,
            channel,
            address,
            bool(gateway and gateway.simulated),
            moment,
        )
        self._crowds[pool.submit(channel.send_many, letters, permits)] = crowd
        return len(rows)

    def _land_many(self) -> int:
        """Settle the crowds that came back: what was taken in one update, the rest back to be sent one by one."""
        moved = 0
        for future in [each for each in self._crowds if each.done()]:
            crowd, moved_before = self._crowds[future], moved
            try:
                outcomes: Sequence[Accepted | Trouble] = future.result()
            except Trouble as error:
                outcomes = [error] * len(crowd.deliveries)
            except Exception:
                log.exception("channel %s failed", crowd.channel.name)
                outcomes = [Trouble("program")] * len(crowd.deliveries)
            with transaction.atomic():
                moved += self._settle_many(crowd, outcomes)
            del self._crowds[future]
            breaker = self._breakers.of(crowd.channel.name, crowd.gateway)
            reasons = {each.reason for each in outcomes if isinstance(each, Trouble)}
            bad = next((reason for reason in reasons if concerns(reason)), "")
            # A crowd refused as a whole counts as one letter; its first key stands for it.
            changed = (
                breaker.failed(crowd.key, bad, time.monotonic())
                if bad and moved == moved_before
                else breaker.succeeded()
            )
            if changed:
                gates.keep(crowd.channel.name, crowd.gateway, breaker, time.monotonic())
        return moved

    def _settle_many(self, crowd: _Crowd, outcomes: Sequence[Accepted | Trouble]) -> int:
        own = Delivery.objects.filter(claim=crowd.claim, state=State.QUEUED)
        moment = crowd.at + timedelta(seconds=max(0.0, time.monotonic() - crowd.since))
        taken = [pk for pk, outcome in zip(crowd.deliveries, outcomes, strict=True) if isinstance(outcome, Accepted)]
        moved = own.filter(pk__in=taken).update(
            state=State.SENT, sent_at=moment, next_at=None, claim="", reason="", is_simulated=crowd.simulated
        )
        # What was faster than the answer keeps its state; that it was sent is filled in with the receipt.
        Delivery.objects.filter(pk__in=taken, claim=crowd.claim).update(claim="", is_simulated=crowd.simulated)
        rest = {
            pk: outcome for pk, outcome in zip(crowd.deliveries, outcomes, strict=True) if isinstance(outcome, Trouble)
        }
        if rest:
            failed: list[tuple[Delivery, str, datetime]] = []
            rows = own.filter(pk__in=rest).select_related(
                "message__space", "message__place", "message__organisation", "user", "organisation", "space"
            )
            for row in rows.order_by("pk"):
                trouble = rest[row.pk]
                if isinstance(trouble, Undeliverable) or row.attempts >= crowd.channel.attempts:
                    failed.append((row, trouble.reason, moment))
                    continue
                pause = max(trouble.after_s or 0.0, backoff.pause_s(row.attempts, row.key))
                Delivery.objects.filter(pk=row.pk).update(
                    claim="", next_at=moment + timedelta(seconds=pause), reason=trouble.reason[:300]
                )
            moved += outbox.fail(failed)
        return moved

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
        crowds = self._land_many()
        done = [future for future in self._flights if future.done()]
        if not done:
            return crowds
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
        return moved + crowds

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
