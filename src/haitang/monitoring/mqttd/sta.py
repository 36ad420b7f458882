"""SensorThings by MQTT: observations that are published to its topics, as bodies for the door."""

from __future__ import annotations

import time

from haitang.monitoring.mqttd import topics
from haitang.monitoring.sensorthings.errors import StaError
from haitang.monitoring.sensorthings.intake import observations_from
from haitang.monitoring.wire import BatchError

PREFIX = "v1.1/"


def translate(topic: str, payload: bytes) -> bytes:
    """An observation without a time is of now."""
    try:
        return observations_from(topic, payload, time.time_ns() // 1_000_000)
    except StaError as error:
        raise BatchError("malformed", error.message) from error


def connect() -> None:
    """Take these topics."""
    topics.add_translator(PREFIX, translate)
