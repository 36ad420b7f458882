"""Loudspeakers and screens over an MQTT broker: letters out, receipts in, each receipt with its letter's own proof.

A letter is published, QoS 1, on `haitang/v1/devices/{channel}/{code of village or township}`; a device speaks or shows a
`key` once, however often it comes, and nothing after `until`. It reports on `haitang/v1/devices/receipts/{channel}` with
`{"key", "status", "proof"}`: the proof came with the letter, so whoever can only write to the topic cannot forge one.
Receipts are acknowledged to the broker when they are stored; our session is kept there while we are away.
"""

from __future__ import annotations

import hmac
import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from haitang.delivery import tallies, transport
from haitang.delivery.channel import Letter, Trouble
from haitang.delivery.permit import Permit

ROOT = "haitang/v1/devices"
MOST_BYTES = 4096
_LINES: dict[tuple[str, str], Line] = {}
_LOCK = threading.Lock()


def topic(channel: str, code: str) -> str:
    """Where a device listens; a code cannot break out of its level."""
    return f"{ROOT}/{channel}/{code.translate({ord(c): '_' for c in '/+#'})}"


def proof(secret: str, key: str) -> str:
    """What a receipt for a letter must carry."""
    return hmac.new(secret.encode(), f"device:{key}".encode(), "sha256").hexdigest()[:32]


def payload(letter: Letter, secret: str, words: str) -> bytes:
    """What a device is told."""
    return json.dumps({
        "key": letter.key, "to": letter.to, "title": letter.title, "text": words, "colour": letter.colour, "language": letter.language,
        "until": letter.data.get("until"), "proof": proof(secret, letter.key),
    }, ensure_ascii=False).encode()  # fmt: skip


def line(channel: str, url: str, secret: str) -> Line:
    """The line of a channel to a broker, one in a process."""
    with _LOCK:
        return _LINES.setdefault((channel, url), Line(channel, url, secret))


def collect(channel: str) -> Iterator[tuple[list[dict[str, Any]], Callable[[], None]]]:
    """What came for a channel on its lines."""
    for (name, _url), each in list(_LINES.items()):
        if name == channel:
            yield from each.collect()


def close_all() -> None:
    """Hang up everywhere."""
    with _LOCK:
        lines = list(_LINES.values())
        _LINES.clear()
    for each in lines:
        each.close()


class Line:
    """One connection to a broker; connected when the first letter goes, and by itself again after it broke."""

    def __init__(self, channel: str, url: str, secret: str) -> None:
        self.channel, self.url, self.secret = channel, url, secret
        self._client: Any = None
        self._connecting = threading.Lock()
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def publish(self, code: str, body: bytes, permit: Permit, timeout_s: float) -> None:
        """Hand one letter to the broker; Trouble where it does not acknowledge in time."""
        with self._connecting:
            if self._client is None:
                self._client = transport.broker(
                    permit, self.url, f"haitang-{self.channel}", f"{ROOT}/receipts/{self.channel}", self._arrived.put
                )
        told = self._client.publish(topic(self.channel, code), body, qos=1)
        try:
            told.wait_for_publish(timeout_s)
        except (RuntimeError, ValueError) as error:
            raise Trouble(f"connection: {type(error).__name__}") from error
        if not told.is_published():
            raise Trouble("timeout")

    def collect(self) -> Iterator[tuple[list[dict[str, Any]], Callable[[], None]]]:
        """Receipts with the right proof; the others are counted. What to call once they are stored acknowledges them."""
        rows: list[dict[str, Any]] = []
        messages: list[Any] = []
        forged = malformed = 0
        while not self._arrived.empty() and len(messages) < 500:
            message = self._arrived.get()
            messages.append(message)
            row = read(bytes(message.payload))
            if row is None:
                malformed += 1
            elif not hmac.compare_digest(str(row.get("proof", "")), proof(self.secret, row["key"])):
                forged += 1
            else:
                rows.append({"key": row["key"], "status": row.get("status")})
        if not messages:
            return

        def stored() -> None:
            for message in messages:
                self._client.ack(message.mid, message.qos)

        if forged or malformed:
            tallies.count(self.channel, {"forged": forged, "malformed": malformed})
        if rows:
            yield rows, stored
        else:
            stored()

    def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()


def read(body: bytes) -> dict[str, Any] | None:
    """A receipt as it was published; None for what is none."""
    if len(body) > MOST_BYTES:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    good = isinstance(found, dict) and isinstance(found.get("key"), str) and isinstance(found.get("status"), str)
    return found if good else None
