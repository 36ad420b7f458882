"""One bound SMPP connection of this process: letters go out in parallel, receipts come in on the same line.

The address is `smpp://system_id:password@host:port` (`smpps://` for TLS), with `?source=10690000` for the sender's number
and `&key=1` where the gateway takes our idempotency key as vendor parameter 0x1400. Without that a message whose response
was lost may be sent twice when it is tried again: the protocol has no key of its own.

A receipt is answered only when it has been stored; what a dying process did not answer, the gateway sends again.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from haitang.delivery import smpp, transport
from haitang.delivery.channel import Trouble, Undeliverable
from haitang.delivery.permit import Permit

log = logging.getLogger(__name__)

ANSWER_S, IDLE_S, TICK_S = 6.0, 30.0, 1.0
# Message ids of which we still know the key, of this process; older ones are found by the delivery's own column.
MOST_KNOWN = 200_000
_LINKS: dict[str, Session] = {}
_LOCK = threading.Lock()


def session(url: str) -> Session:
    """The session of an address, one in a process."""
    with _LOCK:
        return _LINKS.setdefault(url, Session(url))


def sessions() -> list[Session]:
    """Those of this process."""
    with _LOCK:
        return list(_LINKS.values())


def close_all() -> None:
    """Hang up everywhere."""
    with _LOCK:
        links = list(_LINKS.values())
        _LINKS.clear()
    for link in links:
        link.close()


@dataclass
class _Waiting:
    key: str
    event: threading.Event = field(default_factory=threading.Event)
    answer: smpp.Pdu | None = None


class Session:
    """A line to one gateway, bound when the first letter goes and bound again after it broke."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self.host, self.port = parts.hostname or "", parts.port or 2775
        self.tls = parts.scheme == "smpps"
        self.system_id, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.source = query.get("source", [""])[0]
        self.with_key = query.get("key", ["0"])[0] == "1"
        self._sequence = itertools.count(1)
        self._reference = itertools.count(zlib.crc32(url.encode()) & 0xFF)
        self._write, self._bind = threading.Lock(), threading.Lock()
        self._socket: transport.Line | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._keys: OrderedDict[str, str] = OrderedDict()
        self._receipts: queue.SimpleQueue[tuple[dict[str, Any], smpp.Pdu, transport.Line]] = queue.SimpleQueue()

    # -- out ----------------------------------------------------------------------------------------------------

    def send(self, text: str, to: str, key: str, permit: Permit, *, minutes: int = 0) -> str:
        """Send a text, in parts if it is long; the gateway's id of its last part, whose receipt tells for all.

        Raises Undeliverable where the gateway refuses number or text, Trouble for everything else.
        """
        self._be_bound(permit)
        coding, pieces = smpp.parts(text, next(self._reference))
        ref = ""
        for number, piece in enumerate(pieces, start=1):
            short = smpp.Short(
                source=self.source, destination=to, message=piece, coding=coding, receipt=number == len(pieces),
                esm_class=0x40 if len(pieces) > 1 else 0, optional={smpp.KEY: f"{key}/{number}".encode()} if self.with_key else {},
            )  # fmt: skip
            # Only the part that asks for a receipt is remembered by its key.
            answer = self._ask(partial(smpp.submit, short=short), key if number == len(pieces) else "")
            _check(answer)
            ref = smpp.message_id(answer.body)
        return ref

    def _be_bound(self, permit: Permit) -> None:
        with self._bind:
            if self._socket is not None:
                return
            line = transport.stream(permit, self.host, self.port, tls=self.tls)
            line.settimeout(TICK_S)
            self._socket = line
            threading.Thread(target=self._listen, args=(line,), name="smpp-listen", daemon=True).start()
            answer = self._ask(lambda at: smpp.bind(at, self.system_id, self.password), "")
            if answer.status != smpp.OK:
                self._hang_up(line)
                known = answer.status in {smpp.BIND_FAILED, smpp.INVALID_PASSWORD, smpp.INVALID_SYSTEM_ID}
                raise Trouble(f"{'credentials' if known else 'server'}: 0x{answer.status:02x}")

    def _ask(self, make: Callable[[int], smpp.Pdu], key: str) -> smpp.Pdu:
        line = self._socket
        if line is None:
            raise Trouble("connection: unbound")
        pdu = make(next(self._sequence) & 0x7FFFFFFF)
        waiting = self._waiting[pdu.sequence] = _Waiting(key)
        try:
            with self._write:
                line.sendall(pdu.to_bytes())
        except OSError as error:
            self._hang_up(line)
            raise Trouble(f"connection: {type(error).__name__}") from error
        if not waiting.event.wait(ANSWER_S):
            self._waiting.pop(pdu.sequence, None)
            raise Trouble("timeout")
        if waiting.answer is None:
            raise Trouble("connection: lost")
        return waiting.answer

    # -- in -----------------------------------------------------------------------------------------------------

    def collect(self) -> Iterator[tuple[list[dict[str, Any]], Callable[[], None]]]:
        """The receipts that came, and what to call once they are stored (it answers the gateway)."""
        rows: list[dict[str, Any]] = []
        owed: list[tuple[smpp.Pdu, transport.Line]] = []
        while not self._receipts.empty() and len(rows) < 500:
            row, pdu, line = self._receipts.get()
            if row:
                rows.append(row)
            owed.append((pdu, line))
        if not owed:
            return

        def stored() -> None:
            for pdu, line in owed:
                self._reply(line, pdu.answer(body=b"\0"))

        if rows:
            yield rows, stored
        else:
            stored()

    def _listen(self, line: transport.Line) -> None:
        buffer, heard, asked = b"", time.monotonic(), False
        try:
            while self._socket is line:
                try:
                    data = line.recv(65_536)
                except TimeoutError:
                    idle = time.monotonic() - heard
                    if idle > 2 * IDLE_S:
                        break
                    if idle > IDLE_S and not asked:
                        asked = True
                        self._reply(line, smpp.Pdu(smpp.ENQUIRE_LINK, next(self._sequence) & 0x7FFFFFFF))
                    continue
                if not data:
                    break
                buffer, heard, asked = buffer + data, time.monotonic(), False
                pdu, buffer = smpp.cut(buffer)
                while pdu is not None:
                    self._take(pdu, line)
                    pdu, buffer = smpp.cut(buffer)
        except (OSError, smpp.SmppError) as error:
            if self._socket is line:
                log.warning("smpp line to %s:%s broke: %s", self.host, self.port, error)
        finally:
            self._hang_up(line)

    def _take(self, pdu: smpp.Pdu, line: transport.Line) -> None:
        if pdu.is_response:
            waiting = self._waiting.pop(pdu.sequence, None)
            if waiting is None:
                return
            if waiting.key and pdu.command == smpp.SUBMIT_SM | smpp.RESP and pdu.status == smpp.OK:
                # Here, before the next unit is read: its receipt may follow at once.
                self._keys[smpp.message_id(pdu.body)] = waiting.key
                while len(self._keys) > MOST_KNOWN:
                    self._keys.popitem(last=False)
            waiting.answer = pdu
            waiting.event.set()
        elif pdu.command == smpp.DELIVER_SM:
            self._receipts.put((self._row(pdu), pdu, line))
        elif pdu.command == smpp.ENQUIRE_LINK:
            self._reply(line, pdu.answer())
        elif pdu.command == smpp.UNBIND:
            self._reply(line, pdu.answer())
            self._hang_up(line)
        else:
            self._reply(line, smpp.Pdu(smpp.GENERIC_NACK, pdu.sequence, smpp.INVALID_COMMAND))

    def _row(self, pdu: smpp.Pdu) -> dict[str, Any]:
        """A receipt as `receipts.take` wants it; empty for what is none, or not final."""
        try:
            short = smpp.read_short(pdu.body)
            if not short.is_receipt:
                return {}
            name, status = smpp.receipt(short)
        except smpp.SmppError:
            return {}
        if not status:
            return {}
        key = self._keys.get(name)
        return {"key": key, "status": status} if key else {"ref": name, "status": status}

    def _reply(self, line: transport.Line, pdu: smpp.Pdu) -> None:
        try:
            with self._write:
                line.sendall(pdu.to_bytes())
        except OSError:
            self._hang_up(line)

    def _hang_up(self, line: transport.Line) -> None:
        if self._socket is line:
            self._socket = None
        line.close()
        for sequence in list(self._waiting):
            waiting = self._waiting.pop(sequence, None)
            if waiting is not None:
                waiting.event.set()

    def close(self) -> None:
        """Unbind and hang up."""
        line = self._socket
        if line is not None:
            self._reply(line, smpp.Pdu(smpp.UNBIND, next(self._sequence) & 0x7FFFFFFF))
            self._hang_up(line)


def _check(answer: smpp.Pdu) -> None:
    status = answer.status
    if answer.command == smpp.GENERIC_NACK and status == smpp.OK:
        status = smpp.SYSTEM_ERROR
    if status == smpp.OK:
        return
    if status == smpp.INVALID_DESTINATION:
        raise Undeliverable("unknown_number")
    if status in {smpp.THROTTLED, smpp.QUEUE_FULL}:
        raise Trouble("rate", after_s=1.0)
    if status == smpp.SUBMIT_FAILED:
        raise Undeliverable(f"rejected: 0x{status:02x}")
    raise Trouble(f"server: 0x{status:02x}")
