"""An SMPP 3.4 gateway that sends to nobody: binds, takes short messages, puts parts together, reports what became of them.

Part of the simulators (`haitang simulators`), on the second port after HAITANG_SIM_PORT. To use it:
HAITANG_SMS_URL=smpp://haitang:simulate@127.0.0.1:{port}?key=1
"""

from __future__ import annotations

import heapq
import logging
import socketserver
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from haitang.delivery import simulator, smpp
from haitang.delivery.sent_store import Sent

if TYPE_CHECKING:
    from haitang.delivery.simulators import Gateways

log = logging.getLogger(__name__)

SYSTEM_ID, PASSWORD = "haitang", "simulate"
TICK_S = 0.05
MOST_PARTS = 10_000


class Handler(socketserver.BaseRequestHandler):
    """One bound connection."""

    all_: ClassVar[Gateways]
    # Ids by key of what was taken before, parts that wait for their fellows: of the whole server.
    known: ClassVar[dict[str, str]]
    pieces: ClassVar[dict[tuple[str, int], dict[int, bytes]]]

    def handle(self) -> None:
        """Serve until the other side hangs up."""
        self.request.settimeout(TICK_S)
        self.bound, self.sequence = False, 0
        self.receipts: list[tuple[float, str, str]] = []
        buffer = b""
        while True:
            try:
                data = self.request.recv(65_536)
                if not data:
                    return
                buffer += data
                pdu, buffer = smpp.cut(buffer)
                while pdu is not None:
                    if not self._take(pdu):
                        return
                    pdu, buffer = smpp.cut(buffer)
            except TimeoutError:
                pass
            except (OSError, smpp.SmppError):
                return
            try:
                self._report()
            except OSError:
                return

    def _say(self, pdu: smpp.Pdu) -> None:
        self.request.sendall(pdu.to_bytes())

    def _take(self, pdu: smpp.Pdu) -> bool:
        """Answer one unit; False when the line is to be closed."""
        if pdu.is_response:
            return True
        if pdu.command == smpp.ENQUIRE_LINK:
            self._say(pdu.answer())
        elif pdu.command == smpp.UNBIND:
            self._say(pdu.answer())
            return False
        elif pdu.command == smpp.BIND_TRANSCEIVER:
            self._bind(pdu)
        elif pdu.command != smpp.SUBMIT_SM:
            self._say(smpp.Pdu(smpp.GENERIC_NACK, pdu.sequence, smpp.INVALID_COMMAND))
        elif not self.bound:
            self._say(pdu.answer(smpp.NOT_BOUND))
        else:
            self._submit(pdu)
        return True

    def _bind(self, pdu: smpp.Pdu) -> None:
        if smpp.read_bind(pdu.body) == (SYSTEM_ID, PASSWORD):
            self.bound = True
            self._say(pdu.answer(body=b"haitang-simulator\0"[-16:]))
        else:
            self._say(pdu.answer(smpp.INVALID_PASSWORD))

    def _submit(self, pdu: smpp.Pdu) -> None:
        temper, draw = self.all_.temper, self.all_.draw
        if draw.random() < temper.refused:
            return self._say(pdu.answer(smpp.QUEUE_FULL))
        try:
            short = smpp.read_short(pdu.body)
        except smpp.SmppError:
            return self._say(pdu.answer(smpp.INVALID_LENGTH))
        if sum(c.isdigit() for c in short.destination) < 5:
            return self._say(pdu.answer(smpp.INVALID_DESTINATION))
        key = short.optional.get(smpp.KEY, b"").decode("ascii", "replace")
        name = self.known.get(key) if key else None
        if name is None:
            name = uuid.uuid4().hex[:16]
            if key:
                self.known[key] = name
            self._keep(short, key.partition("/")[0] or name, name)
        if draw.random() < temper.answer_lost and key:
            return None  # taken, but the answer gets lost: asked again it is known by its key
        return self._say(pdu.answer(body=name.encode() + b"\0"))

    def _keep(self, short: smpp.Short, key: str, name: str) -> None:
        reference, total, number, data = short.split
        place = (short.destination, reference)
        if total > 1:
            found = self.pieces.setdefault(place, {})
            found[number] = data
            if len(self.pieces) > MOST_PARTS:
                self.pieces.pop(next(iter(self.pieces)))
            if len(found) == total:
                self.pieces.pop(place, None)
                self._letter(short, key, smpp.joined(list(found.items()), short.coding))
        else:
            self._letter(short, key, smpp.words(short.coding, data))
        if short.receipt:
            self._schedule(key, name)

    def _letter(self, short: smpp.Short, key: str, text: str) -> None:
        self.all_.store.take(Sent(key, "sms", short.destination, "", text, "", time.time()))

    def _schedule(self, key: str, name: str) -> None:
        for event in simulator.course(key, "sms"):
            if event.state == "sent":
                continue
            status = event.reason if event.state == "failed" else event.state
            wait = event.after_s if self.all_.temper.latency_s else 0.0
            heapq.heappush(self.receipts, (time.monotonic() + wait, name, status))
            if self.all_.draw.random() < self.all_.temper.doubled:
                heapq.heappush(self.receipts, (time.monotonic() + wait + 1.0, name, status))

    def _report(self) -> None:
        while self.receipts and self.receipts[0][0] <= time.monotonic():
            _due, name, status = heapq.heappop(self.receipts)
            self.sequence += 1
            text = smpp.receipt_text(name, status, time.strftime("%y%m%d%H%M"))
            short = smpp.Short(
                source="10690000",
                destination="0",
                message=text,
                esm_class=0x04,
                optional={smpp.RECEIPTED_MESSAGE_ID: name.encode() + b"\0"},
            )
            self._say(smpp.deliver(self.sequence, short))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def server(all_: Gateways, host: str, port: int) -> _Server:
    """The gateway, bound to its port; `serve_forever` runs it."""
    bound: dict[str, Any] = {"all_": all_, "known": {}, "pieces": {}}
    return _Server((host, port), type("BoundSmpp", (Handler,), bound))


def start(all_: Gateways, host: str, port: int) -> _Server:
    """Run it in a thread of its own; `shutdown` and `server_close` end it."""
    made = server(all_, host, port)
    threading.Thread(
        target=made.serve_forever, kwargs={"poll_interval": 0.1}, name="simulators-smpp", daemon=True
    ).start()
    return made
