"""The live stream: journal entries to browsers as server-sent events, from an asyncio process on its own port.

One poller per watched space asks for entries after the last one it saw; each distinct reach filters them once,
however many browsers share it. The event id is the entry's id, so a browser that comes back with `Last-Event-ID`
(or `last=` in the address) gets everything it missed, in order, once.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import signing
from django.db import close_old_connections
from django.db.models import Max

from haitang.accounts.models import User
from haitang.accounts.scope import same_reach
from haitang.journal.address import read_address
from haitang.journal.models import Entry

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

POLL_S = 0.2
HEARTBEAT_S = 15.0
# How often a stream asks whether its user may still listen.
RECHECK_S = 30.0
BACKLOG = 2_000


def event(entry: Entry) -> bytes:
    """One entry as a server-sent event. Before and after stay behind: the page asks for what it needs."""
    data = {
        "id": entry.pk,
        "space": entry.space_id,
        "seq": entry.seq,
        "at": entry.at.isoformat(),
        "actor": entry.actor_name,
        "verb": entry.verb,
        "subject": f"{entry.subject_type}:{entry.subject_id}",
        "thread": entry.thread,
        "place": entry.place_path,
        "colour": entry.colour,
        "text_zh": entry.text_zh,
        "text_en": entry.text_en,
        "url": entry.url,
    }
    return f"id: {entry.pk}\nevent: entry\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@dataclass
class _Watch:
    """Everybody who watches one space."""

    space: int
    last: int
    queues: dict[asyncio.Queue[bytes], User] = field(default_factory=dict)


class Hub:
    """Polls the journal for the watched spaces and hands entries to the browsers that may see them."""

    def __init__(self) -> None:
        self._watches: dict[int, _Watch] = {}
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def join(self, user: User, space: int) -> tuple[asyncio.Queue[bytes], int]:
        """Start watching; returns the queue of what comes, and the id up to which it does not bring what was before."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=BACKLOG)
        async with self._lock:  # no poll between reading the position and joining: nothing lost, nothing twice
            watch = self._watches.get(space)
            if watch is None:
                watch = self._watches[space] = _Watch(space, await _newest(space))
            watch.queues[queue] = user
            position = watch.last
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return queue, position

    def leave(self, queue: asyncio.Queue[bytes], space: int) -> None:
        """Stop watching."""
        watch = self._watches.get(space)
        if watch is not None:
            watch.queues.pop(queue, None)
            if not watch.queues:
                del self._watches[space]

    def holds(self, queue: asyncio.Queue[bytes], space: int) -> bool:
        """Whether this queue still gets what comes; one that was full does not any more."""
        watch = self._watches.get(space)
        return watch is not None and queue in watch.queues

    async def _run(self) -> None:
        while self._watches:
            try:
                async with self._lock:
                    for watch in list(self._watches.values()):
                        await self._poll(watch)
            except Exception:
                # The database may be gone for a while; browsers keep waiting.
                logger.exception("the journal could not be read; it is tried again")
            await asyncio.sleep(POLL_S)

    async def _poll(self, watch: _Watch) -> None:
        upto = await _next(watch.space, watch.last)
        if upto is None:
            return
        by_reach: dict[str, list[asyncio.Queue[bytes]]] = defaultdict(list)
        users: dict[str, User] = {}
        for queue, user in watch.queues.items():
            reach = f"{same_reach(user)}:{user.pk}"
            by_reach[reach].append(queue)
            users[reach] = user
        # All is read before anything is handed out: where the database fails half-way, nobody gets an entry twice.
        found = {reach: await _between(user, watch.space, watch.last, upto) for reach, user in users.items()}
        watch.last = upto
        for reach, queues in by_reach.items():
            for queue in queues:
                for _id, item in found[reach]:
                    if queue.full():  # a browser that does not read is cut off; it comes back with its last id
                        self.leave(queue, watch.space)
                        break
                    queue.put_nowait(item)


def _reading(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run a query in a thread that gives its connection back: threads are more than a pool has connections."""

    @functools.wraps(function)
    def read(*args: P.args, **kwargs: P.kwargs) -> R:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return sync_to_async(read, thread_sensitive=False)


@_reading
def _newest(space: int) -> int:
    return Entry.objects.filter(space_id=space).aggregate(m=Max("id"))["m"] or 0


@_reading
def _next(space: int, after: int) -> int | None:
    """The id up to which the next handful of entries goes; None where there is none."""
    ids = Entry.objects.filter(space_id=space, id__gt=after).order_by("id").values_list("id", flat=True)[:BACKLOG]
    return max(ids, default=None)


@_reading
def _between(user: User, space: int, after: int, upto: int) -> list[tuple[int, bytes]]:
    """The first handful of entries that the user may see, with their ids, oldest first."""
    rows = Entry.objects.visible_to(user).filter(space_id=space, id__gt=after, id__lte=upto).order_by("id")
    return [(entry.pk, event(entry)) for entry in rows[:BACKLOG]]


@_reading
def _user(pk: int) -> User | None:
    return User.objects.select_related("organisation__place").filter(pk=pk, is_active=True).first()


hub = Hub()


async def _plain(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"access-control-allow-origin", b"*")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def _stream(scope: Scope, receive: Receive, send: Send) -> None:
    query = parse_qs(scope.get("query_string", b"").decode())
    headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
    try:
        user_id, space = read_address(query.get("address", [""])[0])
    except signing.BadSignature:
        return await _plain(send, 403, "This address is not valid any more; ask for a new one.")
    user = await _user(user_id)
    if user is None:
        return await _plain(send, 403, "This account is closed.")
    text = headers.get("last-event-id") or query.get("last", [""])[0]
    last = int(text) if text.isdigit() and len(text) < 19 else None
    queue, position = await hub.join(user, space)
    origin = headers.get("origin", "*").encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-cache"),
                (b"x-accel-buffering", b"no"),
                (b"access-control-allow-origin", origin),
            ],
        }
    )
    gone = asyncio.create_task(_until_gone(receive))
    try:
        await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
        while last is not None and not gone.done():
            missed = await _between(user, space, last, position)
            if not missed:
                break
            last = missed[-1][0]
            await send(
                {"type": "http.response.body", "body": b"".join(item for _id, item in missed), "more_body": True}
            )
        await _follow(user, space, queue, gone, send)
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    except (OSError, RuntimeError):
        pass  # the browser went away while we wrote
    finally:
        gone.cancel()
        hub.leave(queue, space)


async def _follow(user: User, space: int, queue: asyncio.Queue[bytes], gone: asyncio.Task[None], send: Send) -> None:
    """Send what comes, until the browser has gone, could not keep up, or its user's reach is another than it was."""
    loop = asyncio.get_running_loop()
    looked = loop.time()
    while not gone.done() and (hub.holds(queue, space) or not queue.empty()):
        if loop.time() - looked >= RECHECK_S:
            present = await _user(user.pk)
            if present is None or same_reach(present) != same_reach(user):
                return
            looked = loop.time()
        try:
            chunk = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
        except TimeoutError:
            chunk = b": still here\n\n"
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of the live process."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    elif scope["type"] == "http" and scope["path"] == "/stream":
        await _stream(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == "/health":
        await _plain(send, 200, "ok")
    elif scope["type"] == "http":
        await _plain(send, 404, f"Nothing here; pages are at {settings.PUBLIC_URL}")
