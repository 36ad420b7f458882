"""Loudspeakers and screens that are none: they listen on a broker, "speak" each letter once, and report it.

Runs with the simulators where HAITANG_SIM_BROKER names a broker. Never set it where real devices hang on that broker.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from haitang.delivery import simulator
from haitang.delivery.device_line import ROOT
from haitang.delivery.sent_store import Sent

if TYPE_CHECKING:
    from haitang.delivery.simulators import Gateways

log = logging.getLogger(__name__)


def start(all_: Gateways, url: str) -> Any:
    """Listen on the broker at `url` in a thread of paho's; None where none is named. `loop_stop` ends it."""
    if not url:
        return None
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    parts = urlsplit(url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="haitang-devices", clean_session=False)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))

    def connected(it: Any, *_: Any) -> None:
        it.subscribe([(f"{ROOT}/loudspeaker/+", 1), (f"{ROOT}/screen/+", 1)])

    def arrived(it: Any, _data: Any, message: Any) -> None:
        _hear(all_, it, message.topic, bytes(message.payload))

    client.on_connect, client.on_message = connected, arrived
    client.reconnect_delay_set(1, 10)
    client.connect_async(parts.hostname or "", parts.port or 1883, keepalive=30)
    client.loop_start()
    return client


def _hear(all_: Gateways, client: Any, topic: str, body: bytes) -> None:
    channel = topic.removeprefix(f"{ROOT}/").partition("/")[0]
    try:
        told = json.loads(body)
        key, text = str(told["key"]), str(told["text"])
    except (ValueError, KeyError, TypeError):
        log.warning("a device cannot read what was published on %s", topic)
        return
    letter = Sent(key, channel, str(told.get("to", "")), str(told.get("title", "")), text, "", time.time())
    if not all_.store.take(letter):
        return
    for event in simulator.course(key, channel):
        if event.state == "sent":
            continue
        status = event.reason if event.state == "failed" else event.state
        report = json.dumps({"key": key, "status": status, "proof": told.get("proof", "")})
        wait = event.after_s if all_.temper.latency_s else 0.0
        threading.Timer(wait, client.publish, (f"{ROOT}/receipts/{channel}", report, 1)).start()
