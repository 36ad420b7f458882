"""What monitoring does in the background process: the MQTT door, and a loop that no reading and no silence waits for long."""

from __future__ import annotations

import fcntl
import logging
import threading
import time

from django.db import close_old_connections

from haitang.config.env import env
from haitang.monitoring import due, engine, forecasting, sealing, ways
from haitang.monitoring.mqtt import Subscriber
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

LOOP_S = 0.5
TICK_S = 10.0
CHECKPOINT_S = 60.0


def run(stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    url = env("HAITANG_MQTT_URL")
    door = None
    if url:
        door = threading.Thread(target=_door, args=(Subscriber(url), stop), name="monitoring-mqtt", daemon=True)
        door.start()
    sealer = threading.Thread(target=sealing.run, args=(stop,), name="monitoring-sealing", daemon=True)
    sealer.start()
    others = ways.start(stop)
    ticked = checked = time.monotonic()
    while not stop.wait(LOOP_S):
        close_old_connections()
        moment = time.monotonic()
        tick, check = moment - ticked >= TICK_S, moment - checked >= CHECKPOINT_S
        try:
            for space in Space.objects.filter(is_open=True):
                attend(space, tick=tick, check=check)
        except Exception:
            logger.exception("monitoring's loop stumbled; it goes on")
        ticked, checked = (moment if tick else ticked), (moment if check else checked)
    sealer.join(10)
    for other in others:
        other.join(10)
    if door is not None:
        door.join(10)


def _door(subscriber: Subscriber, stop: threading.Event) -> None:
    """Open the MQTT door in one worker of this machine; another waits and takes over when that one ends."""
    with (env("HAITANG_DATA") / "mqtt.lock").open("w") as lock:
        while not stop.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stop.wait(2.0)
                continue
            subscriber.run(stop)


def attend(space: Space, *, tick: bool = True, check: bool = True) -> None:
    """One round for one space: judge what waits, raise the silences and do what else is due, write a snapshot."""
    if engine.backlog(space)[0]:
        engine.advance(space)
    if tick:
        engine.let_time_pass(space)
        due.attend(space)
        forecasting.refresh(space)
    if check:
        engine.checkpoint(space)
