"""Exercise messages never leave (P1; issue 2, section 6), whatever the path."""

from __future__ import annotations

import ast
import contextlib
import smtplib
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import haitang.delivery
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Refused
from haitang.delivery import outlet, receipts, services, transport
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Hook, Message, Subscription
from haitang.delivery.permit import ExerciseLeak, Permit
from haitang.delivery.services import Recipient
from haitang.delivery.states import State
from haitang.delivery.tests import factories as make
from haitang.spaces.clock import now
from haitang.spaces.models import Space, SpaceKind

pytestmark = pytest.mark.django_db
GATEWAYS = ("SMS_URL", "VOICE_URL", "WECOM_URL", "LOUDSPEAKER_URL", "SCREEN_URL", "CELLBROADCAST_URL")
LINES = {
    "SMS_URL": "smpp://a:b@gateway.example.org",
    "LOUDSPEAKER_URL": "mqtt://broker.example.org",
    "SCREEN_URL": "mqtts://x",
}
STEPS = (
    "pump",
    "pump all",
    "step",
    "die",
    "lease ends",
    "queue anew",
    "resend",
    "dead letter",
    "gateway down",
    "release",
    "stop",
    "receipt",
    "half done",
    "space opened live",
)


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every door to the outside, bricked up; what tried one is listed (a thread's exception would pass for a failure)."""
    tried: list[str] = []

    def brick(name: str) -> Any:
        def raises(*_args: Any, **_kwargs: Any) -> Any:
            tried.append(name)
            raise AssertionError(f"an exercise opened {name}")

        return raises

    for holder, name in (
        (socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "create_connection"), (socket, "getaddrinfo"),
        (httpx.HTTPTransport, "handle_request"), (httpx.Client, "send"), (smtplib.SMTP, "__init__"),
        (requests.Session, "request"), (transport, "_client"), (transport, "_smtp"), (transport, "stream"), (transport, "broker"),
    ):  # fmt: skip
        monkeypatch.setattr(holder, name, brick(name))
    return tried


def _people() -> list[Any]:
    body = make.organisation(make.place(), phone="021-69600000")
    Hook.objects.create(
        organisation=body, channel="dingtalk", url="https://oapi.dingtalk.com/robot/send?access_token=x", secret="s"
    )
    official = make.user(organisation=body)
    Subscription.objects.create(user=official, endpoint="https://push.example.org/1", digest="d", p256dh="p", auth="a")
    return [
        official,
        make.user(organisation=None),
        make.user(Role.RESIDENT),
        Recipient(organisation=body),
        Recipient(phone="13900000000", email="a@example.org"),
        Recipient(phone="13900000001", organisation=body, url="https://example.org/o/secret/"),
    ]


def _walk(space: Space, message: Any, steps: list[str]) -> None:
    rows = Delivery.objects.filter(message=message)
    for step in steps:
        if step == "pump":
            services.pump(space, patience_s=0)
        elif step == "pump all":
            services.pump(patience_s=0)
        elif step == "step" and space.clock_base:
            Space.objects.filter(pk=space.pk).update(clock_base=space.clock_base + timedelta(minutes=3))
            space.refresh_from_db()
        elif step == "die":
            outlet.OUTLET.rest()
        elif step == "lease ends":
            rows.exclude(next_at=None).update(next_at=make.T0 - timedelta(days=1))
        elif step == "queue anew":
            rows.exclude(state=State.BLOCKED).update(state=State.QUEUED, next_at=make.T0 - timedelta(days=1), claim="")
        elif step == "half done":
            rows.filter(state=State.QUEUED).update(
                claim="of a process that died", attempts=3, next_at=make.T0 - timedelta(days=1)
            )
        elif step == "resend" and rows.filter(state=State.FAILED).exclude(address="").exists():
            with contextlib.suppress(Refused):  # its time may be over
                services.resend(message, by=make.user(Role.DUTY_OFFICER))
        elif step == "dead letter" and (dead := rows.filter(state=State.FAILED).exclude(address="").first()):
            with contextlib.suppress(Refused):
                services.resend(message, by=make.user(Role.DUTY_OFFICER), only=[dead.pk])
        elif step == "gateway down":
            for name in CHANNELS:
                outlet.OUTLET._breakers.of(name, name).failed("k", "timeout", 0.0)
        elif step in {"release", "stop"}:
            with transaction.atomic():
                getattr(services, step)(Message.objects.filter(pk=message.pk), message.space)
        elif step == "receipt":
            keys = list(rows.values_list("key", flat=True))
            assert receipts.take("sms", [{"key": key, "status": "failed"} for key in keys]).taken == 0
        elif step == "space opened live" and message.space.is_exercise:
            # Somebody turns the exercise's row into a live space behind the platform's back.
            Space.objects.filter(pk=space.pk).update(kind=SpaceKind.LIVE)
            services.pump(Space.objects.get(pk=space.pk), patience_s=0)
            Space.objects.filter(pk=space.pk).update(kind=SpaceKind.EXERCISE)
        outlet.wait(list(outlet.OUTLET._flights), timeout=2)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    is_space=st.booleans(),
    chosen=st.sets(st.integers(0, 5), min_size=1),
    channels=st.lists(st.sampled_from(sorted(CHANNELS)), min_size=1, unique=True),
    in_order=st.booleans(),
    colour=st.sampled_from(["", "red", "blue"]),
    configured=st.sampled_from(["", "https://gateway.example.org/send", "lines"]),
    waits=st.booleans(),
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=8),
)
def test_no_message_of_an_exercise_opens_a_connection(
    doors, monkeypatch, is_space, chosen, channels, in_order, colour, configured, waits, steps
):  # fmt: skip
    for name in GATEWAYS:
        monkeypatch.setenv(f"HAITANG_{name}", LINES.get(name, "") if configured == "lines" else configured)
    monkeypatch.setenv("HAITANG_SMTP", "mail.example.org:25" if configured else "")
    with _Undone():
        people = _people()
        space = make.exercise() if is_space else Space.live()
        message = make.message(space, *(people[i] for i in sorted(chosen)), channels=channels, in_order=in_order,
                               colour=colour, drill=not is_space, data={"broadcast": {"polygons": []}},
                               not_before=now(space) + timedelta(minutes=5) if waits else None)  # fmt: skip
        _walk(space, message, [*steps, "lease ends", "pump", "pump all"])
        assert doors == []
        for row in Delivery.objects.filter(message=message).select_related("user"):
            public = CHANNELS[row.channel].public or (
                row.organisation_id is None and (row.user is None or row.user.role == "resident")
            )
            assert (row.state == State.BLOCKED) == public
            assert row.is_simulated == (row.channel != "inapp" and not public)


class _Undone:
    """What happens inside is rolled back: an example leaves nothing to the next."""

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(*error)
        outlet.OUTLET.rest()


def test_a_live_message_does_knock_at_the_doors(doors, live):
    """The property above would hold of a platform that sends nothing: this one shows that the doors are watched."""
    make.message(live, make.user(organisation=make.organisation()), channels=["sms", "email", "wecom"])
    services.pump(live)
    assert sorted(set(doors)) == ["_client", "_smtp"]


def test_no_permit_is_made_for_a_drill_or_in_an_exercise(live):
    for message in (make.message(live, make.user(), drill=True), make.message(make.exercise(), make.user())):
        with pytest.raises(ExerciseLeak):
            Permit(message.deliveries.get())
    assert Permit(make.message(live, make.user()).deliveries.get()).key


def test_no_connection_is_opened_without_a_permit():
    for permit in (None, object(), "permit"):
        with pytest.raises(ExerciseLeak):
            transport.post(permit, "http://127.0.0.1/", {})
        with pytest.raises(ExerciseLeak):
            transport.stream(permit, "127.0.0.1", 1, tls=False)
        with pytest.raises(ExerciseLeak):
            transport.broker(permit, "mqtt://127.0.0.1", "n", "t", print)
        with pytest.raises(ExerciseLeak):
            transport.mail(permit, "127.0.0.1:25", None)
        with pytest.raises(ExerciseLeak):
            transport.push(permit, {"endpoint": "https://example.org"}, {}, private_key="", contact="", topic="")


def test_only_the_transport_can_open_connections():
    """Read from the source: whoever wants to send must come by the door that asks for the permit."""
    wanted = {
        "httpx",
        "smtplib",
        "socket",
        "requests",
        "pywebpush",
        "urllib.request",
        "http.client",
        "socketserver",
        "paho.mqtt.client",
        "aiohttp",
        "ssl",
        "asyncio",
    }
    found = set()
    for path in Path(haitang.delivery.__file__).parent.rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if wanted.intersection(names):
                found.add(path.name)
    assert found == {"transport.py", "simulators.py", "smpp_simulator.py", "device_simulator.py"}


def test_titles_carry_the_mark_once():
    message = make.message(make.exercise(), make.user(), title_zh="【演练】台风", title_en="[EXERCISE] Typhoon")
    assert (message.title_zh, message.title_en) == ("【演练】台风", "[EXERCISE] Typhoon")
    message = make.message(Space.live(), make.user(), drill=True)
    assert (message.title_zh, message.title_en) == ("【演练】台风黄色预警", "[EXERCISE] Typhoon warning, yellow")


def test_a_title_made_of_marked_titles_carries_one_mark():
    message = make.message(
        make.exercise(), make.user(), title_zh="【催办】【演练】审批预警", title_en="Reminder: [EXERCISE] Approve"
    )
    assert (message.title_zh, message.title_en) == ("【演练】【催办】审批预警", "[EXERCISE] Reminder: Approve")


def test_what_the_public_would_hear_is_blocked_and_says_why(live):
    space = make.exercise()
    message = make.message(
        space, Recipient(organisation=make.organisation()), make.user(Role.RESIDENT), channels=["loudspeaker", "sms"]
    )
    rows = {(row.channel, row.number): row for row in services.receipts(message)}
    assert rows["loudspeaker", 0].state == "blocked" and rows["sms", 1].state == "blocked"
    assert rows["loudspeaker", 0].why == "演练消息不得向公众发布"


def test_the_course_is_lived_through_in_the_time_of_the_space():
    space = make.exercise()
    message = make.message(
        space, *(make.user(organisation=make.organisation()) for _ in range(40)), channels=["sms", "voice"], key="storm"
    )
    services.pump(space)
    assert set(services.receipts(message).values_list("state", flat=True)) == {"queued"}
    make.step(space, 600)
    services.pump(space)
    rows = list(services.receipts(message))
    assert all(make.T0 < row.sent_at < space.clock_base for row in rows)
    assert sum(row.state == "delivered" for row in rows if row.channel == "sms") > 25
    assert sum(row.state == "answered" for row in rows if row.channel == "voice") > 20
    assert not Delivery.objects.exclude(next_at=None).exists()


def test_the_course_is_the_same_however_often_time_is_looked_at():
    ends = []
    for steps in ([600], [1, 2, 3, 5, 8, 20, 100, 600]):
        with _Undone():
            space = make.exercise()
            make._numbers = iter(range(5000, 9000))
            message = make.message(
                space,
                *(make.user(organisation=make.organisation(code=f"Z{n}")) for n in range(20)),
                channels=["sms", "voice"],
                key="k",
                in_order=True,
            )
            for second in steps:
                make.step(space, second)
                services.pump(space)
            ends.append(
                [
                    (r.number, r.channel, r.state, r.reason, r.sent_at, r.delivered_at, r.failed_at)
                    for r in services.receipts(message)
                ]
            )
    assert ends[0] == ends[1]


def test_a_message_read_in_an_exercise_is_read_at_its_time():
    space, person = make.exercise(), make.user(organisation=make.organisation())
    make.message(space, person)
    make.step(space, 90)
    row = services.mark_read(services.unread(person, space)[0], by=person)
    assert row.read_at == make.T0 + timedelta(seconds=90)
    assert row.read_at < timezone.now()


@pytest.fixture(autouse=True)
def _numbers_again() -> Iterator[None]:
    kept = make._numbers
    yield
    make._numbers = kept
