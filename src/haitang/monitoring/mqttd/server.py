"""The endpoint at work: sockets and TLS, who is connected, and the group commit.

One thread speaks with the clients; another makes durable what they brought. While it waits for the disk the next group
gathers, so a group is as large as the load asks for, and no message waits longer than the commit before its own. When
the store falls behind, sockets are no longer read, and the clients' own buffers fill.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import resource
import secrets
import socket
import ssl
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from haitang.config.env import env
from haitang.monitoring import counts, engine
from haitang.monitoring.limits import BURST, READINGS_PER_S, Bucket, Limiter
from haitang.monitoring.mqttd import commit, signin, sta, status, topics
from haitang.monitoring.mqttd.commit import Load
from haitang.monitoring.mqttd.link import Limits, Link
from haitang.monitoring.mqttd.packets import Reason
from haitang.monitoring.mqttd.signin import NotLetIn, Sender
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)
T = TypeVar("T")

GROUP_MESSAGES, GROUP_BYTES = 20_000, 8_000_000
WAITING_BYTES, WAITING_MESSAGES = 32_000_000, 200_000
CONNECT_S = 10.0
LOOK_S, CHECK_S, TELL_S, KNOWN_S = 1.0, 10.0, 5.0, 2.0
RETRY_S = 1.0
SIGN_IN_REFUSED, PROTOCOL = "sign_in_refused", "protocol"
SHARE, SHARE_BURST = 10 * READINGS_PER_S, 10 * BURST
"""What one sender may bring: more than by HTTP, for here he is slowed down where he would be refused there."""
FAILURES_PER_S, FAILURES_BURST = 5.0, 100.0
"""Failed sign-ins of one address; beyond them nobody from there is looked up."""
_GOOD_ENDS = frozenset({Reason.SUCCESS, Reason.TAKEN_OVER, Reason.KEEP_ALIVE, Reason.ADMINISTRATIVE, Reason.BUSY})
_SIGN_IN_ENDS = frozenset(
    {Reason.BAD_SIGN_IN, Reason.NOT_AUTHORISED, Reason.CONNECTION_RATE, Reason.QUOTA, Reason.AUTH_METHOD}
)


@dataclass(frozen=True)
class Settings:
    """How this endpoint is run."""

    listen: str = ""
    tls_listen: str = ""
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    connections: int = 20_000
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def read(cls) -> Settings:
        """From the environment."""
        return cls(
            listen=env("HAITANG_MQTT_LISTEN"), tls_listen=env("HAITANG_MQTT_TLS_LISTEN"),
            certificate=env("HAITANG_MQTT_CERT"), key=env("HAITANG_MQTT_KEY"), client_ca=env("HAITANG_MQTT_CLIENT_CA"),
            connections=env("HAITANG_MQTT_CONNECTIONS"),
        )  # fmt: skip

    def tls(self) -> ssl.SSLContext | None:
        """What TLS needs; None without a certificate."""
        if not self.certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key or None)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def address(text: str) -> tuple[str, int]:
    """Host and port of "1884" or "0.0.0.0:1884"; without a host, HAITANG_ADDRESS."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or env("HAITANG_ADDRESS"), int(port)


class Wire(asyncio.Protocol):
    """One client."""

    __slots__ = ("_bucket", "_full", "_hall", "_paused", "_slow", "began", "heard", "link", "sender", "transport")

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._paused = self._full = False
        self._slow: asyncio.TimerHandle | None = None
        self._bucket: Bucket | None = None
        self.link = Link(hall.settings.limits)
        self.sender: Sender | None = None
        self.transport: asyncio.Transport | None = None
        self.began = self.heard = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        given = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            given.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        hall = self._hall
        hall.wires.add(self)
        if len(hall.wires) > hall.settings.connections:
            self.link.ended, self.link.why = Reason.BUSY, "too many connections"
            hall.refused["too_many_connections"] += 1
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        link, hall = self.link, self._hall
        self.heard = hall.clock
        was_new = link.connect is None
        link.feed(data)
        if link.runs:
            hall.bring(self)
        if link.out:
            self._write()
        if link.ended is not None:
            self.close()
        elif was_new and link.connect is not None:
            self._read(on=False)
            hall.let_in(self)

    def _write(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(self.link.out))
        self.link.out.clear()

    def eof_received(self) -> None:
        """The client says nothing more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over; what it brought before is still stored."""
        if self.link.ended is None:
            self.link.ended, self.link.why = Reason.SUCCESS, "the connection is gone"
        if self._slow is not None:
            self._slow.cancel()
        self._hall.forget(self)
        self.transport = None

    def pause_writing(self) -> None:
        """The client does not read our answers: then we do not read his messages."""
        self._full = True
        self._read(on=False)

    def resume_writing(self) -> None:
        """He reads again."""
        self._full = False
        self.look()

    def borrow(self, size: int) -> None:
        """Count what was read against the sender's share; beyond it, read no more for a while."""
        assert self.sender is not None
        if self._bucket is None:
            self._bucket = self._hall.bucket(self.sender.token)
        wait = self._bucket.borrow(max(1.0, size / 40), self._hall.clock)
        if wait and self._slow is None:
            self._slow = asyncio.get_running_loop().call_later(wait, self._go_on)
            self._read(on=False)
            self._hall.slowed += 1

    def _go_on(self) -> None:
        self._slow = None
        self.look()

    def look(self) -> None:
        """Read again if nothing stands against it."""
        held = (
            self._full or self._slow is not None or self._hall.is_full or not self.link.is_open
            or self.link.in_flight >= self.link.limits.in_flight
        )  # fmt: skip
        if not held:
            self._read(on=True)

    def hold(self) -> None:
        """Read no more until `look`."""
        self._read(on=False)

    def _read(self, *, on: bool) -> None:
        if self.transport is None or self._paused is not on or self.transport.is_closing():
            return
        self._paused = not on
        if on:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    @property
    def is_held(self) -> bool:
        """Whether it is not read at present."""
        return self._paused

    def answer(self, data: bytes) -> None:
        """Send acknowledgements."""
        if self.transport is not None and data:
            self.transport.write(data)

    def end(self, reason: Reason, text: str = "") -> None:
        """End it from our side."""
        self.link.end(reason, text)
        self.close()

    def close(self) -> None:
        """Say what is left to say, and close."""
        self._hall.count_end(self)
        self.heard = self._hall.clock
        if self.link.out:
            self._write()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()


class Hall:
    """Everything that the connections of one process have in common."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.wires: set[Wire] = set()
        self.sessions: dict[tuple[int, str], Wire] = {}
        self.clock = time.monotonic()
        self.refused: Counter[str] = Counter()
        self.slowed = self.stored_messages = self.groups = 0
        self.waiting_bytes = self.waiting_messages = 0
        self.is_full = False
        self._queue: deque[tuple[Wire, Load]] = deque()
        self._work = asyncio.Event()
        self._store = ThreadPoolExecutor(1, "mqtt-store")
        self._other = ThreadPoolExecutor(1, "mqtt-signin")
        self._buckets: dict[int, Bucket] = {}
        self._known: dict[tuple[str, bytes], tuple[float, Sender]] = {}
        self._failures = Limiter(FAILURES_PER_S, FAILURES_BURST)
        self._tally: Counter[tuple[str, str]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = timezone.now()

    # -- signing in ---------------------------------------------------------------------------------------------

    def let_in(self, wire: Wire) -> None:
        """Find out who it is, and let him in or not."""
        task = asyncio.get_running_loop().create_task(self._let_in(wire))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _let_in(self, wire: Wire) -> None:
        connect, transport = wire.link.connect, wire.transport
        if connect is None or transport is None:
            return
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        if self._failures.due(host, 1.0, self.clock):
            wire.end(Reason.CONNECTION_RATE, "too many failed sign-ins from this address; wait a minute")
            return
        name = signin.common_name(transport.get_extra_info("peercert"))
        try:
            if name:
                sender = await self._aside(signin.by_certificate, name, connect.user)
            elif connect.user is None or connect.password is None:
                raise NotLetIn("user name (number of the access token) and password (its secret) are needed")
            else:
                sender = await self._by_password(connect.user, connect.password)
        except NotLetIn as error:
            self._failures.take(host, 1.0, self.clock)
            wire.end(Reason.NOT_AUTHORISED if error.known else Reason.BAD_SIGN_IN, str(error))
            return
        except (DatabaseError, InterfaceError, OSError):
            logger.exception("a client cannot be let in: the database does not answer")
            wire.end(Reason.UNAVAILABLE, "the platform cannot look up access tokens at present")
            return
        if wire.link.ended is not None or wire.transport is None:
            return
        self._seat(wire, sender)

    async def _by_password(self, user: str, password: bytes) -> Sender:
        """Ten thousand sensors of one gateway that come back together are looked up once, not each."""
        key = (user, hashlib.sha256(password).digest())
        kept = self._known.get(key)
        if kept is None or self.clock - kept[0] > KNOWN_S:
            if len(self._known) > 10_000:
                self._known.clear()
            sender = await self._aside(signin.by_password, user, password.decode(errors="replace"))
            kept = self._known[key] = (self.clock, sender)
        return kept[1]

    def _seat(self, wire: Wire, sender: Sender) -> None:
        link = wire.link
        assigned = link.client_id or f"haitang-{secrets.token_hex(8)}"
        before = self.sessions.get((sender.token, assigned))
        if before is not None:
            before.end(Reason.TAKEN_OVER, "another connection has the same client identifier")
        self.sessions[sender.token, assigned] = wire
        wire.sender = sender
        link.accept(lambda topic: topics.find(topic, sender.token), assigned)
        if link.runs:
            self.bring(wire)
        if link.out:
            wire._write()
        if link.ended is not None:
            wire.close()
        else:
            wire.look()

    def _aside(self, function: Callable[..., T], *given: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._other, _with_database, function, given)

    # -- readings -----------------------------------------------------------------------------------------------

    def bring(self, wire: Wire) -> None:
        """Put what a client sent in the queue."""
        link, sender = wire.link, wire.sender
        assert sender is not None
        runs, link.runs = link.runs, []
        now, size = timezone.now(), 0
        for run in runs:
            self._queue.append((wire, Load(link, sender, run, now)))
            size += run.size
            self.waiting_messages += len(run.bodies)
        self.waiting_bytes += size
        self._work.set()
        wire.borrow(size)
        if self.waiting_bytes > WAITING_BYTES or self.waiting_messages > WAITING_MESSAGES:
            if not self.is_full:
                self.is_full = True
                for each in self.wires:
                    each.hold()
            wire.hold()
        elif link.in_flight >= link.limits.in_flight:
            wire.hold()

    def _next(self) -> list[tuple[Wire, Load]]:
        messages = size = 0
        group = []
        while self._queue and messages < GROUP_MESSAGES and size < GROUP_BYTES:
            group.append(self._queue.popleft())
            run = group[-1][1].run
            messages += len(run.bodies)
            size += run.size
        if not self._queue:
            self._work.clear()
        return group

    async def warm(self) -> None:
        """Take up rules and state before the first message, which would have to wait for it."""
        loop = asyncio.get_running_loop()
        await self._quietly(lambda: loop.run_in_executor(self._store, _with_database, _warm, ()))

    async def work(self) -> None:
        """Store group after group, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            group = self._next()
            if not group:
                continue
            loads = [load for _wire, load in group]
            while not await loop.run_in_executor(self._store, _with_database, _store, (loads,)):
                await asyncio.sleep(RETRY_S)
            self._answer(group)

    def _answer(self, group: Sequence[tuple[Wire, Load]]) -> None:
        self.groups += 1
        held = set()
        for wire, load in group:
            run = load.run
            self.waiting_bytes -= run.size
            self.waiting_messages -= len(run.bodies)
            self.stored_messages += len(run.bodies)
            wire.link.in_flight -= sum(map(bool, run.acks))
            wire.answer(load.answer)
            if load.end is not None:
                wire.end(*load.end)
            elif wire.is_held:
                held.add(wire)
        if self.is_full and self.waiting_bytes <= WAITING_BYTES // 2 and self.waiting_messages <= WAITING_MESSAGES // 2:
            self.is_full = False
            held = self.wires.copy()
        for wire in held:
            wire.look()

    def bucket(self, token: int) -> Bucket:
        """The share of one sender, over all his connections."""
        return self._buckets.setdefault(token, Bucket(SHARE, SHARE_BURST))

    # -- keeping house ------------------------------------------------------------------------------------------

    def forget(self, wire: Wire) -> None:
        """A connection is gone."""
        self.wires.discard(wire)
        if wire.sender is not None:
            key = (wire.sender.token, wire.link.client_id)
            if self.sessions.get(key) is wire:
                del self.sessions[key]

    def count_end(self, wire: Wire) -> None:
        """Count a connection that was ended for a reason that is the client's."""
        link = wire.link
        if link.ended is None or link.ended in _GOOD_ENDS or link.why == "":
            return
        outcome = SIGN_IN_REFUSED if not link.is_open and link.ended in _SIGN_IN_ENDS else PROTOCOL
        self.refused[link.ended.name.lower()] += 1
        self._tally[wire.sender.source if wire.sender else "mqtt", outcome] += 1
        link.why = ""

    async def keep_house(self) -> None:
        """Every second: who is silent for too long, who may not be here any more; tell how things are."""
        checked = told = self.clock
        while True:
            await asyncio.sleep(LOOK_S)
            self.clock = time.monotonic()
            self._hush()
            if self.clock - checked >= CHECK_S:
                checked = self.clock
                await self._quietly(self._check)
            if self.clock - told >= TELL_S:
                told = self.clock
                await self._quietly(self.tell)

    def _hush(self) -> None:
        now = self.clock
        for wire in list(self.wires):
            link = wire.link
            if link.ended is not None:
                if now - wire.heard > CONNECT_S and wire.transport is not None:
                    wire.transport.abort()  # he does not even read that it is over
            elif not link.is_open:
                if now - wire.began > CONNECT_S:
                    wire.end(Reason.KEEP_ALIVE, "no CONNECT in time")
            elif link.keep_alive_s and now - wire.heard > link.keep_alive_s:
                if wire.is_held:
                    wire.heard = now  # we do not listen; he may well have spoken
                else:
                    wire.end(Reason.KEEP_ALIVE, "nothing was heard for one and a half times the keep-alive time")

    async def _check(self) -> None:
        present = {wire.sender.token for wire in self.wires if wire.sender is not None}
        valid = await self._aside(signin.still_valid, present) if present else set()
        for wire in list(self.wires):
            if wire.sender is not None and wire.sender.token in present - valid:
                wire.end(Reason.ADMINISTRATIVE, "the access token is no longer valid")
        self._buckets = {token: bucket for token, bucket in self._buckets.items() if token in valid}

    async def tell(self) -> None:
        """Add refusals to the counts, and write what the intake page shows."""
        tally, self._tally = self._tally, Counter()
        state = {
            "at": timezone.now().isoformat(), "since": self._began.isoformat(), "connections": len(self.wires),
            "signed_in": len(self.sessions), "messages": self.stored_messages, "groups": self.groups,
            "waiting": self.waiting_messages, "slowed": self.slowed, "refused": dict(self.refused),
        }  # fmt: skip
        try:
            await self._aside(_tell, tally, state)
        except Exception:
            self._tally.update(tally)
            raise

    async def _quietly(self, work: Callable[[], Any]) -> None:
        try:
            await work()
        except Exception:
            logger.exception("the MQTT endpoint's housekeeping stumbled; it goes on")

    async def close(self) -> None:
        """End everything: what is queued stays unacknowledged, and clients send it again."""
        for wire in list(self.wires):
            wire.end(Reason.BUSY, "the platform is stopping")
        await asyncio.sleep(0)
        for pool in (self._store, self._other):
            pool.submit(_leave_database)
            pool.shutdown(wait=True)


def _with_database(function: Callable[..., T], given: Sequence[Any]) -> T:
    close_old_connections()
    try:
        return function(*given)
    except (DatabaseError, InterfaceError):
        connection.close()
        raise


def _store(loads: Sequence[Load]) -> bool:
    """Store a group; False if the database does not answer, and it is to be tried again."""
    try:
        commit.store(loads)
    except (DatabaseError, InterfaceError, OSError):
        logger.exception("readings from MQTT are not stored yet; they are kept and tried again")
        connection.close()
        return False
    except Exception:
        parts = commit.halves(loads)
        if not parts:
            logger.exception("a message of %s cannot be handled and is given up", loads[0].sender.source)
            commit.give_up(loads[0], "this message cannot be handled")
            return True
        for part in parts:
            if not _store(part):
                return False
        for load in loads:
            pieces = [piece for part in parts for piece in part if piece.link is load.link and piece is not load]
            if pieces and len(loads) == 1:
                load.answer = b"".join(piece.answer for piece in pieces)
    return True


def _leave_database() -> None:
    connection.close()  # looked up here, in the thread whose connection it is


def _warm() -> None:
    for space in Space.objects.filter(is_open=True):
        engine.advance(space)


def _tell(tally: Counter[tuple[str, str]], state: dict[str, Any]) -> None:
    status.write(state)
    if tally:
        counts.add(Space.live(), tally)


async def serve(
    settings: Settings, stop: threading.Event, ready: Callable[[list[int]], None] = lambda _ports: None
) -> None:
    """Serve until `stop` is set. `ready` is told the ports that were opened."""
    loop, hall = asyncio.get_running_loop(), Hall(settings)
    opened = []
    tls = settings.tls()
    sta.connect()
    await hall.warm()
    for text, context in ((settings.listen, None), (settings.tls_listen if tls else "", tls)):
        if text:
            host, port = address(text)
            opened.append(
                await loop.create_server(
                    lambda: Wire(hall),
                    host,
                    port,
                    ssl=context,
                    backlog=4096,
                    reuse_address=True,
                    ssl_handshake_timeout=CONNECT_S if context else None,
                )
            )
    tasks = [loop.create_task(hall.work()), loop.create_task(hall.keep_house())]
    ready([each.sockets[0].getsockname()[1] for each in opened])
    await hall._quietly(hall.tell)
    try:
        while not stop.is_set():
            await asyncio.sleep(0.2)
            for task in tasks:
                if task.done():
                    task.result()
    finally:
        for server in opened:
            server.close()
        for task in tasks:
            task.cancel()
        await hall.close()


def run(stop: threading.Event) -> None:
    """The process behind `haitang mqtt`."""
    settings = Settings.read()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections + 200
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    sys.setswitchinterval(0.001)  # the thread that answers clients waits no longer than this for the one that stores
    asyncio.run(serve(settings, stop, lambda ports: logger.info("MQTT endpoint on %s", ports)))
