"""One connection as a machine without sockets: bytes go in; messages, answers and the end of it come out. Pure.

The owner calls `feed` with what arrived, then looks at `connect` (somebody wants in: `accept` or `end` him), takes
`runs` (messages in their order), sends `out`, and closes when `ended` is set. Messages are acknowledged by the owner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from haitang.monitoring.mqttd import packets
from haitang.monitoring.mqttd.packets import V5, Bad, Connect, Kind, Property, Reason

CONNECT_BYTES = 70_000
"""Before somebody has signed in, no more than one CONNECT with its longest fields is kept of what he says."""
ALIASES = 16
KEEP_ALIVE_S = 3600
_ROUTES, _DROPS = 64, 1000
_PUBLISH_1 = 0x32

Router = Callable[[str], object | None]
"""What stands behind a topic; None: this client may not publish there."""


@dataclass(frozen=True)
class Limits:
    """How much one connection may have at once."""

    packet: int = 4_100_000
    in_flight: int = 2_000
    """Messages without our acknowledgement: told to clients of version 5, who end when they exceed it."""


@dataclass
class Run:
    """Messages of one connection to one topic, in their order. `acks` holds the PUBACK of each, empty for QoS 0."""

    route: object | None
    bodies: list[bytes] = field(default_factory=list)
    acks: list[bytes] = field(default_factory=list)
    size: int = 0


class Link:
    """The protocol's state of one connection."""

    __slots__ = (
        "_aliases", "_have", "_need", "_parts", "_router", "_routes", "client_id", "connect", "ended", "in_flight",
        "is_open", "keep_alive_s", "level", "limits", "out", "runs", "why",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.level = packets.V311
        self.client_id = ""
        self.connect: Connect | None = None
        self.is_open = False
        self.ended: Reason | None = None
        self.why = ""
        self.out: list[bytes] = []
        self.runs: list[Run] = []
        self.in_flight = 0
        self.keep_alive_s = 0.0
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 2
        self._router: Router | None = None
        self._routes: dict[bytes, object | None] | None = None
        self._aliases: dict[int, bytes] | None = None

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        if self.ended is not None:
            return
        if self.connect is not None and not self.is_open:  # what follows CONNECT waits for the answer to it
            self._parts.append(data)
            self._have += len(data)
            if self._have > CONNECT_BYTES:
                self._end(Reason.QUOTA, "too much was sent before the answer to CONNECT")
            return
        if self._parts or len(data) < self._need:
            # A large packet, or one that drips in, is put together once and not again with every drop.
            self._parts.append(data)
            self._have += len(data)
            if len(self._parts) > _DROPS:
                self._parts = [b"".join(self._parts)]
            if self._have < self._need:
                return
            data = b"".join(self._parts)
            self._parts = []
        self._have, self._need = 0, 2
        try:
            if self.is_open:
                self._open(data)
            else:
                self._begin(data)
        except Bad as error:
            self._end(error.reason, str(error))

    def _keep(self, rest: bytes, need: int) -> None:
        self._parts, self._have, self._need = ([rest] if rest else []), len(rest), need

    # -- signing in ---------------------------------------------------------------------------------------------

    def _begin(self, data: bytes) -> None:
        if data and data[0] != Kind.CONNECT << 4:
            raise Bad(Reason.PROTOCOL, "the first packet must be CONNECT")
        found = packets.frame(data, 0, CONNECT_BYTES)
        if found is None:
            self._keep(data, max(len(data) + 1, _wanted(data, 0)))
            return
        _head, begin, end = found
        body = data[begin:end]
        self.level = V5 if body[:6] == b"\0\x04MQTT" and body[6:7] >= b"\x05" else packets.V311
        connect = packets.read_connect(body)
        if connect.properties.get(Property.AUTH_METHOD) is not None:
            raise Bad(Reason.AUTH_METHOD, "no extended authentication: send user name and password")
        if connect.will_qos == 2:
            raise Bad(Reason.QOS, "QoS 2 is not taken: use 0 or 1")
        if connect.will_retain and self.level == V5:
            raise Bad(Reason.RETAIN, "nothing is retained here")
        if not connect.client_id and not connect.clean and self.level != V5:
            raise Bad(Reason.CLIENT_ID, "a session that is to be kept needs a client identifier")
        self.connect, self.client_id = connect, connect.client_id
        self._keep(data[end:], 2)

    def accept(self, router: Router, assigned: str = "") -> None:
        """Let the client in; `assigned` is the identifier that it is given if it has none."""
        connect = self.connect
        assert connect is not None and not self.is_open
        self.client_id = self.client_id or assigned
        self._router, self._routes = router, {}
        keep_alive = connect.keep_alive
        given: list[tuple[int, int | str]] = [
            (Property.RECEIVE_MAXIMUM, self.limits.in_flight), (Property.MAXIMUM_QOS, 1),
            (Property.RETAIN_AVAILABLE, 0), (Property.MAXIMUM_PACKET, self.limits.packet),
            (Property.TOPIC_ALIAS_MAXIMUM, ALIASES), (Property.WILDCARD_AVAILABLE, 0),
            (Property.IDENTIFIER_AVAILABLE, 0), (Property.SHARED_AVAILABLE, 0),
        ]  # fmt: skip
        if self.level == V5:
            if not connect.client_id:
                given.append((Property.ASSIGNED_CLIENT_ID, self.client_id))
            if connect.properties.get(Property.SESSION_EXPIRY, 0):
                given.append((Property.SESSION_EXPIRY, 0))
            if not 0 < keep_alive <= KEEP_ALIVE_S:
                keep_alive = KEEP_ALIVE_S
                given.append((Property.SERVER_KEEP_ALIVE, keep_alive))
        self.keep_alive_s = keep_alive * 1.5
        self.out.append(packets.connack(self.level, Reason.SUCCESS, given))
        self.is_open = True
        # What had to be known of the sign-in is known; ten thousand connections need not remember it.
        self.connect = Connect(
            connect.level, self.client_id, connect.clean, keep_alive, None, None, None, False, connect.properties
        )
        rest = b"".join(self._parts)
        self._keep(b"", 2)
        if rest:
            self.feed(rest)

    # -- signed in ----------------------------------------------------------------------------------------------

    def _open(self, data: bytes) -> None:
        routes, is_5, largest = self._routes, self.level == V5, self.limits.packet
        assert routes is not None
        run = self.runs[-1] if self.runs else None
        at, have = 0, len(data)
        added = 0
        while at + 1 < have:
            head, size = data[at], data[at + 1]
            if size < 0x80:
                begin = at + 2
                end = begin + size
                if end > have:
                    break
            else:
                found = packets.frame(data, at, largest)
                if found is None:
                    break
                head, begin, end = found
            if head == _PUBLISH_1 and end - begin > 4:
                # The way of nearly every message, without a call: QoS 1, a known topic, no properties.
                place = begin + 2 + (data[begin] << 8 | data[begin + 1])
                topic = data[begin + 2 : place]
                number = data[place : place + 2]
                place += 2
                if (
                    topic in routes and place <= end and number != b"\0\0"
                    and (not is_5 or (place < end and data[place] == 0))
                ):  # fmt: skip
                    route = routes[topic]
                    if run is None or run.route is not route:
                        run = Run(route)
                        self.runs.append(run)
                    run.bodies.append(data[place + is_5 : end])
                    run.acks.append(b"\x40\x02" + number)
                    run.size += end - begin
                    added += 1
                    at = end
                    continue
            self.in_flight += added
            added = 0
            self._packet(head, data[begin:end])
            at = end
            run = self.runs[-1] if self.runs else None
            if self.ended is not None:
                return
        self.in_flight += added
        if is_5 and self.in_flight > self.limits.in_flight:
            raise Bad(Reason.RECEIVE_MAXIMUM, f"more than {self.limits.in_flight} messages without acknowledgement")
        if at < have:
            self._keep(data[at:], max(have - at + 1, _wanted(data, at)))

    def _packet(self, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == Kind.PUBLISH:
            self._publish(head, body)
        elif kind == Kind.PINGREQ:
            if head & 15 or body:
                raise Bad(Reason.MALFORMED, "PINGREQ with a body")
            self.out.append(packets.PINGRESP)
        elif kind in {Kind.SUBSCRIBE, Kind.UNSUBSCRIBE}:
            if head & 15 != 2:
                raise Bad(Reason.MALFORMED, "the flags of a packet are not valid")
            if kind == Kind.SUBSCRIBE:
                self.out.append(packets.suback(self.level, *packets.read_subscribe(body, self.level)))
            else:
                self.out.append(packets.unsuback(self.level, *packets.read_unsubscribe(body, self.level)))
        elif kind == Kind.DISCONNECT:
            if head & 15:
                raise Bad(Reason.MALFORMED, "the flags of a packet are not valid")
            packets.read_disconnect(body, self.level)
            self.ended, self.why = Reason.SUCCESS, "the client has gone"
        else:
            # A second CONNECT, acknowledgements of what we never sent, AUTH without a method, what only servers send.
            name = Kind(kind).name if kind in set(Kind) else f"of type {kind}"
            raise Bad(Reason.PROTOCOL if kind else Reason.MALFORMED, f"a packet {name} is not expected here")

    def _publish(self, head: int, body: bytes) -> None:
        found = packets.read_publish(head, body, self.level)
        if found.qos == 2:
            raise Bad(Reason.QOS, "QoS 2 is not taken: use 0 or 1")
        if found.retain and self.level == V5:
            raise Bad(Reason.RETAIN, "nothing is retained here")
        topic = found.topic
        if found.alias:
            if found.alias > ALIASES:
                raise Bad(Reason.TOPIC_ALIAS, f"topic alias {found.alias}; at most {ALIASES}")
            aliases = self._aliases = {} if self._aliases is None else self._aliases
            if topic:
                aliases[found.alias] = topic
            else:
                topic = aliases.get(found.alias, b"")
        if not topic and self.level == V5:
            raise Bad(Reason.PROTOCOL, "an empty topic without a known alias")
        route = self._find(topic)
        if route is None and self.level != V5 and found.qos:
            # 3.1.1 has no word for "no"; an acknowledgement would say that the reading is safe.
            raise Bad(Reason.NOT_AUTHORISED, f"this client may not publish to {topic.decode(errors='replace')[:120]}")
        if not self.runs or self.runs[-1].route is not route:
            self.runs.append(Run(route))
        run = self.runs[-1]
        run.bodies.append(found.payload)
        run.acks.append(b"\x40\x02" + found.number if found.qos else b"")
        run.size += len(body)
        self.in_flight += bool(found.qos)

    def _find(self, topic: bytes) -> object | None:
        routes, router = self._routes, self._router
        assert routes is not None and router is not None
        if topic not in routes:
            route = router(packets.topic_name(topic))
            if route is None:
                return None
            if len(routes) >= _ROUTES:
                routes.clear()
            routes[topic] = route
        return routes[topic]

    # -- the end ------------------------------------------------------------------------------------------------

    def end(self, reason: Reason, text: str = "") -> None:
        """End it from our side."""
        if self.ended is None:
            self._end(reason, text)

    def _end(self, reason: Reason, text: str) -> None:
        if self.ended is not None:
            return
        self.ended, self.why = reason, text
        wants = self.connect is None or self.connect.wants_reasons
        words = text[:200] if wants else ""
        if self.is_open:
            if self.level == V5:
                self.out.append(packets.disconnect(reason, words))
        elif self.level == V5:
            given = [(Property.REASON_STRING, words)] if words else []
            self.out.append(packets.connack(self.level, reason, given))
        elif reason in {
            Reason.UNSUPPORTED_VERSION, Reason.CLIENT_ID, Reason.BAD_SIGN_IN, Reason.NOT_AUTHORISED, Reason.QUOTA,
            Reason.BUSY, Reason.UNAVAILABLE, Reason.CONNECTION_RATE,
        }:  # fmt: skip
            self.out.append(packets.connack(self.level, reason))


def _wanted(data: bytes, at: int) -> int:
    """How many bytes the packet that begins at `at` needs, as far as can be told."""
    size = shift = 0
    for place in range(at + 1, min(at + 5, len(data))):
        size |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:
            return place + 1 - at + size
        shift += 7
    return len(data) - at + 1
