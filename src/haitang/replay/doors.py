"""The doors a replay's readings go in by: the same as a sensor's. HTTP with a token of the exercise, MQTT, or the function behind both."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import httpx
from django.utils import timezone

from haitang.accounts import services as accounts
from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import ApiToken, User
from haitang.accounts.roles import Role
from haitang.config.env import env
from haitang.monitoring import door
from haitang.replay.models import Run
from haitang.replay.simulate import Readings

logger = logging.getLogger(__name__)

RIGHT = "readings:write"
MOST_ROWS = 5_000
TIMEOUT_S = 10.0
TOKEN_LIFE = timedelta(hours=24)


class DoorShut(RuntimeError):
    """The door did not take the readings; they may be sent again, by this door or another."""


class Door(Protocol):
    """A way in. `send` returns how many readings are durable; sending some again changes nothing."""

    name: str

    def send(self, readings: Readings) -> int:
        """Hand in readings."""
        ...


class InsideDoor:
    """Straight to what stands behind every door, in this process."""

    name = "inside"

    def __init__(self, run: Run) -> None:
        self._run = run

    def send(self, readings: Readings) -> int:
        """Hand in readings."""
        return sum(
            door.receive(self._run.space, door.Parcel(body, f"replay:{self._run.scenario}")).accepted
            for body in bodies(readings)
        )


class HttpDoor:
    """Over the network to the running product, as a sensor does."""

    name = "http"

    def __init__(self, run: Run) -> None:
        self._secret = mint(run)[1]
        self._client = httpx.Client(
            base_url=f"http://{env('HAITANG_ADDRESS')}:{env('HAITANG_PORT')}", timeout=TIMEOUT_S, trust_env=False
        )

    def send(self, readings: Readings) -> int:
        """Hand in readings; DoorShut when the product does not answer or refuses."""
        taken = 0
        for body in bodies(readings):
            headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
            try:
                answer = self._client.post("/api/v1/monitoring/readings", content=body, headers=headers)
            except httpx.HTTPError as error:
                raise DoorShut(f"{type(error).__name__}: {error}") from error
            if answer.status_code != httpx.codes.OK:
                raise DoorShut(f"{answer.status_code}: {answer.text[:200]}")
            taken += int(answer.json()["accepted"])
        return taken

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()


class MqttDoor:
    """Through the broker that the product listens to; waits until the broker has acknowledged."""

    name = "mqtt"

    def __init__(self, run: Run) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        url = urlsplit(env("HAITANG_MQTT_URL"))
        if not url.hostname:
            raise DoorShut("HAITANG_MQTT_URL is not set")
        token, _secret = mint(run)
        self._topic = f"haitang/v1/{token.pk}/readings"
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"haitang-replay-{run.pk}")
        if url.username:
            self._client.username_pw_set(unquote(url.username), unquote(url.password or ""))
        if url.scheme == "mqtts":
            self._client.tls_set()
        try:
            self._client.connect(url.hostname, url.port or (8883 if url.scheme == "mqtts" else 1883))
        except OSError as error:
            raise DoorShut(str(error)) from error
        self._client.loop_start()

    def send(self, readings: Readings) -> int:
        """Hand in readings; DoorShut when the broker does not acknowledge."""
        for body in bodies(readings):
            sent = self._client.publish(self._topic, body, qos=1)
            try:
                sent.wait_for_publish(TIMEOUT_S)
            except (RuntimeError, ValueError) as error:
                raise DoorShut(str(error)) from error
            if not sent.is_published():
                raise DoorShut("the broker did not acknowledge")
        return len(readings)

    def close(self) -> None:
        """Let the connection go."""
        self._client.disconnect()
        self._client.loop_stop()


DOORS: dict[str, Any] = {"inside": InsideDoor, "http": HttpDoor, "mqtt": MqttDoor}


def bodies(readings: Readings) -> Iterator[bytes]:
    """Readings as request bodies of at most `MOST_ROWS` rows, columns side by side."""
    for at in range(0, len(readings), MOST_ROWS):
        part = slice(at, at + MOST_ROWS)
        columns = {
            "series": list(readings.series[part]),
            "time": readings.time_s[part].tolist(),
            "value": readings.value[part].tolist(),
        }
        yield json.dumps(columns).encode()


def mint(run: Run) -> tuple[ApiToken, str]:
    """A fresh token of the exercise space for this process; those of processes before it end."""
    revoke(run)
    # A machine of the network, where the pack brings one; the run's own person otherwise.
    machine = User.objects.filter(role=Role.MACHINE, is_active=True).order_by("pk").first()
    user = machine or run.started_by or User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk").first()
    if user is None:
        raise DoorShut("there is nobody in whose name a token could be made")
    return accounts.mint_token(
        name=name_of(run),
        user=user,
        space=run.space,
        rights=[RIGHT],
        by=SYSTEM,
        expires_at=timezone.now() + TOKEN_LIFE,
    )


def revoke(run: Run) -> None:
    """End the tokens of a run."""
    for token in ApiToken.objects.filter(space=run.space, name=name_of(run), revoked_at=None).order_by("pk"):
        accounts.revoke_token(token, by=SYSTEM)


def name_of(run: Run) -> str:
    """The name of a run's tokens."""
    return f"replay {run.scenario} #{run.pk}"
