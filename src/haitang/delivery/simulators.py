"""The gateways' stand-ins: SMS, voice and loudspeaker gateways, group robots, webhooks and a mail sink, on this machine.

They speak the gateways' protocols over real sockets with latency, loss, answers that get lost, de-duplication by key,
and receipts posted back to the platform. `haitang simulators` (part of `haitang up`) runs `serve`; so does
`python -m haitang.delivery.simulators`. HTTP on HAITANG_SIM_PORT (its first page lists what was "sent"), SMTP on the
port after it. They listen on 127.0.0.1 only, and reach nobody.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx

from haitang.delivery import cell_broadcast, device_simulator, masks, simulator, smpp_simulator
from haitang.delivery.sent_store import Due, Sent, Store

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
MOST_BYTES = 200_000
# A request with many letters.
MOST_MANY, MOST_LETTERS = 5_000_000, 2000
LOOP_S = 0.2
ROBOT_POSTS_A_MINUTE = 20
# Receipts posted in one round.
RECEIPTS = 4000
# Shares of those who answer a call: say the code back, say it wrongly.
READ_BACK, MISHEARD = 0.6, 0.05


@dataclass(frozen=True)
class Temper:
    """How unreliable the simulators are: shares of requests, seconds of latency."""

    latency_s: float = 0.08
    # Answered with 503; taken, but the answer gets lost (the platform asks again: the key keeps it from being sent twice).
    refused: float = 0.02
    answer_lost: float = 0.01
    # Receipts posted twice.
    doubled: float = 0.03


CALM = Temper(latency_s=0.0, refused=0.0, answer_lost=0.0, doubled=0.0)


class Gateways:
    """What all the simulators share: the store, the token, the temper, and what a letter's course is."""

    def __init__(self, store: Store, token: str, temper: Temper = Temper()) -> None:
        self.store, self.token, self.temper = store, token, temper
        self.draw = random.Random(uuid.uuid4().int)

    def courses(self, channel: str, key: str, address: str, readback: str = "") -> list[tuple[str, str, float]]:
        """The receipts of a letter (status, address, due), by the same model as an exercise's.

        Of those who answer a call that asks for a code, some say it back, a few wrongly; it follows the status after a colon.
        """
        found = []
        for event in simulator.course(key, channel):
            if event.state == "sent":
                continue
            status = event.reason if event.state == "failed" else event.state
            due = time.time() + event.after_s
            if status == "answered" and readback:
                draw = self.draw.random()
                status += f":{readback}" if draw < READ_BACK else f":{readback[::-1]}x" if draw > 1 - MISHEARD else ""
            found.append((status, address, due))
            if self.draw.random() < self.temper.doubled:
                found.append((status, address, due + 1.0))
        return found

    def take(self, letter: Sent, receipts_to: str = "", readback: str = "") -> bool:
        """Keep a letter; False for a key that came before."""
        receipts = self.courses(letter.channel, letter.key, receipts_to, readback) if receipts_to else []
        return self.store.take(letter, receipts)


Answer = tuple[int, Mapping[str, Any]]


def gateway(all_: Gateways, channel: str, body: Mapping[str, Any], headers: Mapping[str, str], url: str) -> Answer:
    """SMS, voice, loudspeaker: the protocol of http_gateway.py."""
    if headers.get("authorization") != f"Bearer {all_.token}":
        return 401, {"error": "unauthorized"}
    if isinstance(body.get("letters"), list):
        return _many(all_, channel, body)
    key = headers.get("idempotency-key") or body.get("key")
    to, text = str(body.get("to", "")), str(body.get("text", ""))
    if not key or not text:
        return 422, {"error": "key and text are wanted"}
    if channel in {"sms", "voice"} and sum(c.isdigit() for c in to) < 5:
        return 422, {"error": "unknown_number"}
    letter = Sent(str(key), channel, to, str(body.get("title", "")), text, str(body.get("url", "")), time.time())
    fresh = all_.take(letter, str(body.get("receipts", "")), str(body.get("readback", "")))
    return 202, {"id": f"sim-{str(key)[:12]}", "status": "accepted" if fresh else "duplicate"}


def _many(all_: Gateways, channel: str, body: Mapping[str, Any]) -> Answer:
    """Many letters in one request; an answer for each."""
    results: list[dict[str, str]] = []
    taken: list[tuple[Sent, list[tuple[str, str, float]]]] = []
    at, address = time.time(), str(body.get("receipts", ""))
    for row in body["letters"][:MOST_LETTERS]:
        key, to = str(row.get("key", "")), str(row.get("to", ""))
        if sum(c.isdigit() for c in to) < 5:
            results.append({"key": key, "error": "unknown_number"})
            continue
        letter = Sent(key, channel, to, str(row.get("title", "")), str(row.get("text", "")), "", at)
        taken.append((letter, all_.courses(channel, key, address) if address else []))
        results.append({"key": key, "id": f"sim-{key[:12]}"})
    all_.store.take_many(taken)
    return 202, {"results": results}


def wecom(all_: Gateways, channel: str, body: Mapping[str, Any], headers: Mapping[str, str], url: str) -> Answer:
    """A WeCom group robot."""
    robot = parse_qs(urlsplit(url).query).get("key", [""])[0]
    text = body.get("text")
    if not robot:
        return 200, {"errcode": 93000, "errmsg": "invalid webhook url"}
    if body.get("msgtype") != "text" or not isinstance(text, dict) or not text.get("content"):
        return 200, {"errcode": 40008, "errmsg": "invalid message type"}
    if len(str(text["content"]).encode()) > 2048:
        return 200, {"errcode": 40058, "errmsg": "text.content exceed max length 2048"}
    if all_.store.recent(channel, robot) >= ROBOT_POSTS_A_MINUTE:
        return 200, {"errcode": 45009, "errmsg": "api freq out of limit"}
    _said(all_, channel, robot, str(text["content"]))
    return 200, {"errcode": 0, "errmsg": "ok"}


def dingtalk(all_: Gateways, channel: str, body: Mapping[str, Any], headers: Mapping[str, str], url: str) -> Answer:
    """A DingTalk group robot that asks for a signature."""
    from haitang.delivery.channels.dingtalk import signed

    query = parse_qs(urlsplit(url).query)
    robot, stamp = query.get("access_token", [""])[0], query.get("timestamp", [""])[0]
    if not robot:
        return 200, {"errcode": 300001, "errmsg": "token is not exist"}
    fresh = stamp.isdigit() and abs(time.time() - int(stamp) / 1000) < 3600
    wanted = parse_qs(urlsplit(signed("x:", all_.token, int(stamp) / 1000)).query).get("sign") if fresh else None
    if wanted is None or query.get("sign") != wanted:
        return 200, {"errcode": 310000, "errmsg": "sign not match"}
    text = body.get("text")
    if body.get("msgtype") != "text" or not isinstance(text, dict) or not text.get("content"):
        return 200, {"errcode": 40035, "errmsg": "invalid parameter"}
    if all_.store.recent(channel, robot) >= ROBOT_POSTS_A_MINUTE:
        return 200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}
    _said(all_, channel, robot, str(text["content"]))
    return 200, {"errcode": 0, "errmsg": "ok"}


def feishu(all_: Gateways, channel: str, body: Mapping[str, Any], headers: Mapping[str, str], url: str) -> Answer:
    """A Feishu group robot that asks for a signature."""
    from haitang.delivery.channels.feishu import signature

    robot = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    stamp = str(body.get("timestamp", ""))
    if (
        not stamp.isdigit()
        or abs(time.time() - int(stamp)) > 3600
        or body.get("sign") != signature(all_.token, int(stamp))["sign"]
    ):
        return 200, {
            "code": 19021,
            "msg": "sign match fail or timestamp is not within one hour from current time",
            "data": {},
        }
    content = body.get("content")
    if body.get("msg_type") != "text" or not isinstance(content, dict) or not content.get("text"):
        return 200, {"code": 9499, "msg": "Bad Request", "data": {}}
    _said(all_, channel, robot, str(content["text"]))
    return 200, {"code": 0, "msg": "success", "data": {}, "StatusCode": 0, "StatusMessage": "success"}


def webhook(all_: Gateways, channel: str, body: Mapping[str, Any], headers: Mapping[str, str], url: str) -> Answer:
    """An organisation's own system, which checks the signature over the bytes as they came."""
    key = headers.get("idempotency-key", "")
    letter = Sent(key, channel, str(body.get("to", "")), str(body.get("title", "")), str(body.get("text", "")),
                  str(body.get("url", "")), time.time())  # fmt: skip
    return 200, {"id": key[:12], "status": "accepted" if all_.take(letter) else "duplicate"}


def _said(all_: Gateways, channel: str, robot: str, words: str) -> None:
    title, _line, rest = words.partition("\n")
    all_.take(Sent(uuid.uuid4().hex, channel, robot, title, rest, "", time.time()))


def broadcast(all_: Gateways, channel: str, body: Mapping[str, Any], headers: Mapping[str, str], url: str) -> Answer:
    """A cell broadcast entity."""
    if headers.get("authorization") != f"Bearer {all_.token}":
        return 401, {"error": "unauthorized"}
    found = cell_broadcast.problems(dict(body))
    key = headers.get("idempotency-key") or body.get("key")
    if found or not key:
        return 422, {"error": "; ".join(found) or "key is wanted"}
    text = cell_broadcast.words(body["pages"]) if body["action"] == "write-replace" else "STOP"
    area = len(body["warningArea"]["polygons"]) if body["action"] == "write-replace" else 0
    to = f"{body['messageIdentifier']}/{body['serialNumber']:04x} ({area} polygons)"
    fresh = all_.take(Sent(str(key), channel, to, "", text, "", time.time()), str(body.get("receipts", "")))
    return 202, {"id": f"cbe-{str(key)[:12]}", "status": "accepted" if fresh else "duplicate"}


DOORS: Mapping[str, Callable[[Gateways, str, Mapping[str, Any], Mapping[str, str], str], Answer]] = {
    "sms": gateway,
    "voice": gateway,
    "loudspeaker": gateway,
    "screen": gateway,
    "cellbroadcast": broadcast,
    "wecom": wecom,
    "dingtalk": dingtalk,
    "feishu": feishu,
    "webhook": webhook,
}


class Handler(BaseHTTPRequestHandler):
    """One request to a simulator."""

    all_: ClassVar[Gateways]
    protocol_version = "HTTP/1.1"
    server_version = "haitang-simulator"
    timeout = 30

    def do_POST(self) -> None:
        """A letter."""
        channel = urlsplit(self.path).path.split("/")[1]
        door = DOORS.get(channel)
        length = self.headers.get("Content-Length", "")
        most = MOST_MANY if door is gateway else MOST_BYTES
        if not length.isdigit() or int(length) > most:
            self.close_connection = True
            return self._answer(413, {"error": "too_large"})
        raw = self.rfile.read(int(length))
        if door is None:
            return self._answer(404, {"error": "not_found"})
        try:
            body = json.loads(raw)
            assert isinstance(body, dict)
        except (ValueError, AssertionError, RecursionError):
            return self._answer(400, {"error": "malformed"})
        headers = {name.lower(): value for name, value in self.headers.items()}
        if channel == "webhook" and not self._is_ours(headers, raw):
            return self._answer(401, {"error": "signature"})
        temper, draw = self.all_.temper, self.all_.draw
        time.sleep(temper.latency_s * draw.lognormvariate(0.0, 0.5) if temper.latency_s else 0.0)
        if draw.random() < temper.refused:
            return self._answer(503, {"error": "busy"})
        status, answer = door(self.all_, channel, body, headers, self.path)
        if status < 300 and draw.random() < temper.answer_lost and door in {gateway, webhook, broadcast}:
            self.close_connection = True
            return None
        return self._answer(status, answer)

    def _is_ours(self, headers: Mapping[str, str], raw: bytes) -> bool:
        from haitang.delivery.channels.webhook import verified

        return verified(headers.get("haitang-signature", ""), raw, self.all_.token, time.time())

    def do_GET(self) -> None:
        """What was "sent": a page for people, /sent.json for programs."""
        parts = urlsplit(self.path)
        channel = parse_qs(parts.query).get("channel", [""])[0]
        if parts.path == "/health":
            return self._answer(200, {"status": "ok"})
        if parts.path == "/sent.json":
            return self._answer(200, {"letters": [letter.__dict__ for letter in self.all_.store.newest(1000, channel)]})
        if parts.path != "/":
            return self._answer(404, {"error": "not_found"})
        return self._reply(200, page(self.all_.store.newest(200, channel)).encode(), "text/html; charset=utf-8")

    def _answer(self, status: int, answer: Mapping[str, Any]) -> None:
        self._reply(status, json.dumps(answer, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def _reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


_PAGE = """<!doctype html><html lang="zh-Hans"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>模拟网关 Gateway simulators</title><style>
body{{font:14px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1d2b36}} h1{{font-size:1.25rem}} .mark{{background:#6b4fa0;color:#fff;
padding:.1rem .5rem;border-radius:3px;font-size:.85rem}} table{{border-collapse:collapse;width:100%}} th,td{{text-align:left;
vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #dde3e8}} td.t{{white-space:nowrap;color:#5b6b78}} a{{color:#0b5cad;
word-break:break-all}} nav a{{margin-right:.8rem}}</style></head><body>
<h1>模拟网关 <small>Gateway simulators</small> <span class="mark">模拟 · 未发送给任何人 · simulator, nobody was reached</span></h1>
<nav><a href="/">全部 all</a>{channels}</nav>
<table><thead><tr><th>时间 time</th><th>渠道 channel</th><th>对象 to</th><th>内容 words</th><th>回执 reported</th></tr></thead><tbody>
{rows}</tbody></table></body></html>"""


def page(letters: list[Sent]) -> str:
    """The page that lists what was "sent"."""
    channels = "".join(f'<a href="/?channel={name}">{name}</a>' for name in (*DOORS, "email"))
    rows = "".join(_row(letter) for letter in letters) or '<tr><td colspan="5">尚无消息 Nothing yet</td></tr>'
    return _PAGE.format(channels=channels, rows=rows)


def _row(letter: Sent) -> str:
    told, url = html.escape(letter.body), html.escape(letter.url)
    if letter.title and letter.title not in letter.body:
        told = f"<b>{html.escape(letter.title)}</b><br>{told}"
    if letter.url.startswith(("http://", "https://")):
        link = f'<a href="{url}" rel="noreferrer">{url}</a>'
        told = told.replace(url, link) if url in told else f"{told}<br>{link}"
    again = f" ×{letter.copies}" if letter.copies > 1 else ""
    at = time.strftime("%m-%d %H:%M:%S", time.localtime(letter.at))
    return (
        f'<tr><td class="t">{at}</td><td class="t">{html.escape(letter.channel)}</td>'
        f'<td class="t">{html.escape(masks.masked(letter.recipient))}</td><td>{told}</td>'
        f'<td class="t">{html.escape(letter.state)}{again}</td></tr>\n'
    )


class Sink:
    """The mail sink: takes every mail, delivers none."""

    def __init__(self, all_: Gateways) -> None:
        self._all = all_

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail; the same Message-ID again is the same mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = message.get_body(("plain",))
        text = part.get_content() if part is not None else ""
        key = str(message["Message-ID"] or uuid.uuid4().hex)
        self._all.take(
            Sent(key, "email", ", ".join(envelope.rcpt_tos), str(message["Subject"] or ""), text, "", time.time())
        )
        return "250 taken by the simulator"


def _receipt(row: Due) -> dict[str, Any]:
    status, colon, code = row.status.partition(":")
    return {"key": row.key, "status": status, "at": row.due, **({"code": code} if colon else {})}


def post_receipts(all_: Gateways, client: httpx.Client) -> int:
    """Post the receipts that are due, in one request for each address; returns how many were taken."""
    by_address: dict[str, list[Due]] = {}
    for receipt in all_.store.due(time.time(), limit=RECEIPTS):
        by_address.setdefault(receipt.address, []).append(receipt)
    done = 0
    for address, rows in by_address.items():
        body = [_receipt(row) for row in rows]
        try:
            answer = client.post(address, json=body, headers={"Authorization": f"Bearer {all_.token}"})
        except (httpx.HTTPError, httpx.InvalidURL):
            all_.store.postponed(rows, time.time())
            continue
        if answer.status_code == 200:
            all_.store.posted(rows)
            done += len(rows)
        else:
            all_.store.postponed(rows, time.time())
    return done


def serve(
    stop: threading.Event, *, port: int | None = None, store: Path | None = None, temper: Temper = Temper()
) -> None:
    """Serve until `stop` is set: HTTP on `port` (HAITANG_SIM_PORT), SMTP on the one after it, receipts every 0.2 s."""
    from aiosmtpd.controller import Controller
    from django.conf import settings

    from haitang.config.env import env
    from haitang.delivery.gateways import SMPP_OFFSET, SMTP_OFFSET, token

    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells of every line it hears
    port = port or int(env("HAITANG_SIM_PORT"))
    path = store or Path(settings.DATA) / "simulators.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    all_ = Gateways(Store(path), token(), temper)
    server = ThreadingHTTPServer((HOST, port), type("BoundHandler", (Handler,), {"all_": all_}))
    server.daemon_threads = True
    sink = (
        None
        if env("HAITANG_SMTP")
        else Controller(Sink(all_), hostname=HOST, port=port + SMTP_OFFSET, data_size_limit=MOST_BYTES)
    )
    thread = threading.Thread(target=server.serve_forever, name="simulators-http", daemon=True)
    line = smpp_simulator.start(all_, HOST, port + SMPP_OFFSET)
    devices = device_simulator.start(all_, str(env("HAITANG_SIM_BROKER")))
    try:
        thread.start()
        if sink is not None:
            sink.start()
        log.info("gateway simulators at http://%s:%s (mail sink on %s)", HOST, port, port + SMTP_OFFSET)
        with httpx.Client(timeout=5, trust_env=False) as client:
            while not stop.wait(LOOP_S):
                while post_receipts(all_, client) >= RECEIPTS and not stop.is_set():
                    pass
    finally:
        server.shutdown()
        server.server_close()
        line.shutdown()
        line.server_close()
        if devices is not None:
            devices.loop_stop()
        if sink is not None:
            sink.stop()
        thread.join(5)
        all_.store.close()


def main() -> None:
    """`python -m haitang.delivery.simulators`: serve until interrupted."""
    import os
    import signal

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "haitang.config.settings")
    import django

    django.setup()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    serve(stop)


if __name__ == "__main__":
    main()
