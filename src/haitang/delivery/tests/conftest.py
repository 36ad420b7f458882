"""Every test begins with an outlet that has nothing under way, and with a wire that goes nowhere by itself."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from haitang.delivery import outlet, transport
from haitang.delivery.models import Delivery
from haitang.spaces.models import Space


class Wire:
    """Stands at the end of the HTTP client: keeps what was asked, answers as told."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _request: httpx.Response(202, json={"id": "g1"})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)

    def says(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.answer = lambda _request: httpx.Response(status, json=body or {}, headers=headers)

    def fails(self, error: Exception) -> None:
        def answer(_request: httpx.Request) -> httpx.Response:
            raise error

        self.answer = answer

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def keys(self) -> list[str]:
        return [request.headers.get("Idempotency-Key", "") for request in self.requests]


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    found = Wire()
    client = httpx.Client(transport=httpx.MockTransport(found))
    monkeypatch.setattr(transport, "_client", lambda: client)
    outlet.OUTLET.rest()
    yield found
    outlet.OUTLET.rest()
    client.close()


class Post:
    """Stands in for a mail server."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.logins: list[tuple[str, str]] = []
        self.secured = 0
        self.error: Exception | None = None

    def __enter__(self) -> Post:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def starttls(self, **_: Any) -> None:
        self.secured += 1

    def login(self, user: str, password: str) -> None:
        self.logins.append((user, password))

    def send_message(self, message: Any) -> None:
        if self.error:
            raise self.error
        self.mails.append(message)


@pytest.fixture(autouse=True)
def post_office(monkeypatch: pytest.MonkeyPatch) -> Post:
    office = Post()

    def connect(host: str, port: int, tls: bool) -> Post:
        office.where = (host, port, tls)  # type: ignore[attr-defined]
        if isinstance(office.error, smtplib.SMTPConnectError | OSError):
            raise office.error
        return office

    monkeypatch.setattr(transport, "_smtp", connect)
    return office


@pytest.fixture
def live(db: None) -> Space:
    return Space.live()


def time_passes() -> None:
    """Whatever waits is due, and every lease has ended."""
    from django.utils import timezone

    Delivery.objects.exclude(next_at=None).update(next_at=timezone.now())


@pytest.fixture
def later() -> Callable[[], None]:
    return time_passes
