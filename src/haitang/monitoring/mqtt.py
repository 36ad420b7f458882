"""The MQTT door: readings from a broker, acknowledged to it only when they are durable.

Topic `haitang/v1/<number of the access token>/readings`, QoS 1, payload as for HTTP. The broker says who may publish
on which topic (docs/operations.md has the settings for Mosquitto); the token's number says in which space and for which
series. The session is kept by the broker, so what is published while we are away arrives when we are back.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from haitang.accounts.models import ApiToken
from haitang.accounts.verbs import Refused
from haitang.monitoring import door
from haitang.monitoring.batch import MAX_BYTES
from haitang.monitoring.models.readings import Outcome
from haitang.monitoring.sensorthings.errors import StaError
from haitang.monitoring.sensorthings.intake import observations_from
from haitang.spaces.clock import now
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

TOPIC = "haitang/v1/+/readings"
# SensorThings: what follows is a path of the standard, Datastreams(5)/Observations and the like.
STA_TOPIC = "haitang/v1/+/sta/#"
RIGHT = "readings:write"
GATHER_S = 0.01
GATHER_MESSAGES = 400
SESSION_S = 7 * 86_400
_TOKEN_S = 5.0


@dataclass(frozen=True)
class Arrival:
    """One message as it came, and on which connection: its number means nothing on another."""

    topic: str
    payload: bytes
    mid: int
    connection: int


class Subscriber:
    """Takes messages from the broker, hands them to the door in groups, acknowledges them. One thread beside paho's."""

    def __init__(self, url: str, client_id: str = "haitang-monitoring") -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError(f"HAITANG_MQTT_URL is {url!r}: write mqtt://user:password@host:port, or mqtts:// for TLS")
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5, manual_ack=True
        )
        if parts.username:
            self.client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self.client.tls_set()
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._answered
        self.client.on_disconnect = self._disconnected
        self.client.on_message = self._arrived
        self.client.max_inflight_messages_set(GATHER_MESSAGES)
        self._address = (parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        self._messages: queue.Queue[Arrival] = queue.Queue()
        self._tokens: dict[str, tuple[float, ApiToken | None]] = {}
        self._connection = 0
        self._acknowledging = threading.Lock()
        self.subscribed = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; a broker that is away is waited for."""
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_S
        # As many as are handled in one group may be on their way without our acknowledgement.
        session.ReceiveMaximum = GATHER_MESSAGES
        self.client.reconnect_delay_set(1, 30)
        self.client.connect_async(*self._address, keepalive=30, clean_start=False, properties=session)
        self.client.loop_start()
        try:
            while not stop.is_set():
                group = self._gather()
                while group and not stop.is_set():
                    group = self._handle(group)
                    if group:
                        stop.wait(1.0)
        finally:
            self.client.disconnect()
            self.client.loop_stop()

    def _connected(
        self, client: paho.Client, _userdata: object, _flags: object, reason: object, _props: object
    ) -> None:
        if getattr(reason, "is_failure", False):
            logger.error("MQTT broker refused us: %s", reason)
            return
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in (TOPIC, STA_TOPIC)])

    def _answered(
        self, _client: paho.Client, _userdata: object, _mid: int, reasons: list[ReasonCode], _p: object
    ) -> None:
        for topic, reason in zip((TOPIC, STA_TOPIC), reasons, strict=False):
            if getattr(reason, "is_failure", False):
                logger.error("MQTT broker does not let us read %s: %s", topic, reason)
        if not reasons or getattr(reasons[0], "is_failure", False):
            return
        self.subscribed.set()

    def _disconnected(self, *_: object) -> None:
        with self._acknowledging:
            self._connection += 1
        self.subscribed.clear()

    def _arrived(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        self._messages.put(Arrival(message.topic, bytes(message.payload), message.mid, self._connection))

    def _gather(self) -> list[Arrival]:
        try:
            group = [self._messages.get(timeout=0.2)]
        except queue.Empty:
            return []
        size, end = len(group[0].payload), time.monotonic() + GATHER_S
        while len(group) < GATHER_MESSAGES and size < MAX_BYTES:
            try:
                group.append(self._messages.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                break
            size += len(group[-1].payload)
        return group

    def _handle(self, group: list[Arrival]) -> list[Arrival]:
        """Make a group durable and acknowledge it; returns what the database did not take, to be tried again."""
        close_old_connections()
        try:
            self._store(group)
        except (DatabaseError, InterfaceError, OSError):
            logger.exception("readings from MQTT are not stored yet; they are kept and tried again")
            return group
        except Exception:
            if len(group) > 1:  # one of them; it must not hold the others up
                return [left for arrival in group for left in self._handle([arrival])]
            logger.exception("a message on %s cannot be handled and is given up", group[0].topic)
        for arrival in group:
            with self._acknowledging:
                # After a new connection the broker sends it again, and its number may by now be another message's.
                if arrival.connection == self._connection:
                    self.client.ack(arrival.mid, 1)
        return []

    def _store(self, group: Sequence[Arrival]) -> None:
        by_space: defaultdict[Space, list[door.Parcel]] = defaultdict(list)
        moment = timezone.now()
        for arrival in group:
            token = self._token(arrival.topic.split("/")[2])
            if token is None:
                logger.warning("MQTT message on %s: no valid access token has this number", arrival.topic)
                continue
            allowed, source = door.by_prefix(token.prefix), f"mqtt:{token.name}"
            body = _body(arrival, token.space, source)
            if body is not None:
                by_space[token.space].append(door.Parcel(body, source, allowed, moment))
        for space, parcels in by_space.items():
            try:
                door.receive_all(space, parcels)
            except Refused as error:
                logger.warning("MQTT readings for %s refused: %s", space.slug, error)

    def _token(self, number: str) -> ApiToken | None:
        kept = self._tokens.get(number)
        if kept is None or time.monotonic() - kept[0] > _TOKEN_S:
            found = None
            if number.isdigit() and len(number) < 19:
                found = ApiToken.objects.select_related("space").filter(
                    pk=int(number), revoked_at=None, user__is_active=True
                ).first()  # fmt: skip
            valid = found is not None and RIGHT in found.rights
            if found is not None and found.expires_at is not None and found.expires_at <= timezone.now():
                valid = False
            kept = (time.monotonic(), found if valid else None)
            self._tokens[number] = kept
        return kept[1]


def _body(arrival: Arrival, space: Space, source: str) -> bytes | None:
    """What the door reads of a message; None for an Observation of SensorThings that cannot be read (counted)."""
    if arrival.topic.endswith("/readings"):
        return arrival.payload
    try:
        return observations_from(arrival.topic, arrival.payload, round(now(space).timestamp() * 1000))
    except StaError as error:
        logger.warning("MQTT message on %s refused: %s", arrival.topic, error)
        door.count_refusal(space, source, Outcome.BODY_REFUSED)
        return None
