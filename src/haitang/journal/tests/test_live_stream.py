"""The live stream over its ASGI face: nothing lost, nothing twice, nothing out of scope, no forged address. P1; issue 2, sections 2 and 6."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.core import signing
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import User
from haitang.geo.models import Place
from haitang.journal import address, live
from haitang.journal.models import Entry
from haitang.journal.services import record
from haitang.journal.tests.conftest import World, make_world
from haitang.spaces.models import Space, SpaceKind

pytestmark = pytest.mark.django_db(transaction=True)
# Long enough that only a lost entry can use it up.
PATIENCE_S = 20.0


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_S", 0.01)


class Browser:
    """Somebody who listens: the application's other side."""

    def __init__(
        self, user: User | int, space: Space, *, last: int | None = None, by_header: bool = True, token: str = ""
    ) -> None:
        pk = user if isinstance(user, int) else user.pk
        query = f"address={token or address.make_address(pk, space.pk)}"
        headers = [(b"origin", b"http://127.0.0.1:8000")]
        if last is not None and by_header:
            headers.append((b"last-event-id", str(last).encode()))
        elif last is not None:
            query += f"&last={last}"
        self.scope = {"type": "http", "path": "/stream", "query_string": query.encode(), "headers": headers}
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.text = ""
        self.ended = False
        self.gone = asyncio.Event()
        self.open = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def __aenter__(self) -> Browser:
        self.task = asyncio.create_task(live.application(self.scope, self.receive, self.send))
        await asyncio.wait({self.task, asyncio.create_task(self.open.wait())}, return_when=asyncio.FIRST_COMPLETED)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gone.set()
        self.reads.set()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            return
        self.text += message.get("body", b"").decode()
        self.ended = not message.get("more_body", False)
        self.open.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        blocks = [block for block in self.text.split("\n\n") if block.startswith("id: ")]
        return [json.loads(block.split("\ndata: ", 1)[1]) for block in blocks]

    @property
    def numbers(self) -> list[int]:
        return [event["seq"] for event in self.events]

    async def until(self, done: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not done():
                await asyncio.sleep(0.005)

        await asyncio.wait_for(wait(), PATIENCE_S)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a story with a hub of its own, as a freshly started process would."""
    live.hub = live.Hub()
    asyncio.run(story())


async def happen(world: World, count: int = 1, *, place: Place | None = None, space: Space | None = None) -> list[int]:
    """Write entries as another process would; their ids."""

    def write() -> list[int]:
        try:
            ids = []
            for _ in range(count):
                with transaction.atomic():
                    ids.append(record(space=space or world.space, verb="test.happen", by=SYSTEM, subject=world.district,
                                      place=place, text_zh="发生了", text_en="It happened").pk)  # fmt: skip
            return ids
        finally:
            connection.close()

    return await asyncio.to_thread(write)


def test_an_entry_reaches_the_browser_with_its_number_and_its_words(world: World) -> None:
    async def story() -> None:
        async with Browser(world.duty, world.space) as browser:
            (pk,) = await happen(world, place=world.east)
            await browser.until(lambda: len(browser.events) == 1)
            assert browser.status == 200
            assert browser.headers[b"content-type"].startswith(b"text/event-stream")
            event = browser.events[0]
            assert (event["id"], event["text_zh"], event["place"]) == (pk, "发生了", world.east.path)
            assert f"id: {pk}\nevent: entry\n" in browser.text
            assert "before" not in event

    run(story)


@pytest.mark.parametrize("by_header", [True, False])
def test_who_comes_back_with_the_last_number_gets_what_he_missed_once_and_in_order(
    world: World, by_header: bool
) -> None:
    async def story() -> None:
        ids = await happen(world, 5)
        async with Browser(world.duty, world.space, last=ids[1], by_header=by_header) as browser:
            await happen(world, 2)
            await browser.until(lambda: len(browser.events) >= 5)
            assert browser.numbers == [3, 4, 5, 6, 7]

    run(story)


def test_who_comes_for_the_first_time_gets_only_what_is_new(world: World) -> None:
    async def story() -> None:
        await happen(world, 3)
        async with Browser(world.duty, world.space) as browser:
            await happen(world)
            await browser.until(lambda: bool(browser.events))
            assert browser.numbers == [4]

    run(story)


def test_a_number_that_is_none_is_passed_over(world: World) -> None:
    async def story() -> None:
        await happen(world, 2)
        for last in ("x", "-1", "9" * 30, "１"):
            browser = Browser(world.duty, world.space)
            browser.scope["query_string"] += f"&last={last}".encode()
            async with browser:
                assert browser.status == 200
                assert not browser.events

    run(story)


def test_more_than_a_handful_of_missed_entries_all_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BACKLOG", 3)

    async def story() -> None:
        ids = await happen(world, 10)
        async with Browser(world.duty, world.space, last=ids[0]) as browser:
            await browser.until(lambda: len(browser.events) >= 9)
            assert browser.numbers == list(range(2, 11))

    run(story)


def test_a_browser_that_does_not_read_is_cut_off_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream ends rather than going on with a gap; it comes back with the last number that it has."""
    monkeypatch.setattr(live, "BACKLOG", 3)

    async def story() -> None:
        async with Browser(world.duty, world.space) as browser:
            browser.reads.clear()
            await happen(world, 12)
            watch = live.hub._watches
            await browser.until(lambda: world.space.pk not in watch)
            browser.reads.set()
            await browser.until(lambda: browser.ended)
            seen = browser.events
            assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
            assert len(seen) < 12
        async with Browser(world.duty, world.space, last=seen[-1]["id"]) as again:
            await again.until(lambda: len(again.events) + len(seen) >= 12)
            assert [event["seq"] for event in seen] + again.numbers == list(range(1, 13))

    run(story)


@hypothesis_settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=5))
def test_whatever_connections_break_every_entry_comes_once(world: World, plan: list[tuple[int, bool, int]]) -> None:
    """Entries happen while nobody listens, while somebody connects, and while he listens; the process starts anew between."""

    async def listen(last: int, before: int, during: int) -> list[dict[str, Any]]:
        await happen(world, before)
        async with Browser(world.duty, world.space, last=last) as browser:
            written = asyncio.create_task(happen(world, during))
            await written
            newest = await asyncio.to_thread(_newest)
            await browser.until(lambda: newest == last or bool(browser.events and browser.events[-1]["id"] >= newest))
            return browser.events

    seen: list[int] = []
    start = last = _newest()
    for before, fresh, during in plan:
        if fresh:
            live.hub = live.Hub()
        live.hub = live.Hub()
        events = asyncio.run(listen(last, before, during))
        seen += [event["id"] for event in events]
        last = seen[-1] if seen else last
    assert seen == list(Entry.objects.filter(pk__gt=start).order_by("pk").values_list("pk", flat=True))


def _newest() -> int:
    try:
        return Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    finally:
        connection.close()


def test_everybody_hears_only_of_his_own_reach(world: World) -> None:
    async def story() -> None:
        async with (
            Browser(world.duty, world.space) as duty,
            Browser(world.easterner, world.space) as east,
            Browser(world.enterprise, world.space) as works,
        ):
            await happen(world, place=world.west)
            await happen(world, place=world.east)
            await happen(world)
            await duty.until(lambda: len(duty.events) == 3)
            await east.until(lambda: len(east.events) == 1)
            assert duty.numbers == [1, 2, 3]
            assert east.numbers == [2]
            assert works.numbers == []
        async with Browser(world.westerner, world.space, last=0) as west:
            await west.until(lambda: len(west.events) == 1)
            assert west.numbers == [1]

    run(story)


def test_an_exercise_is_not_heard_in_the_live_space(world: World) -> None:
    drill = Space.objects.create(slug="drill", kind=SpaceKind.EXERCISE, name_zh="演练")

    async def story() -> None:
        async with Browser(world.duty, world.space) as outside, Browser(world.duty, drill) as inside:
            await happen(world, space=drill)
            await inside.until(lambda: len(inside.events) == 1)
            await happen(world)
            await outside.until(lambda: len(outside.events) == 1)
            assert outside.events[0]["space"] == world.space.pk
            assert inside.events[0]["space"] == drill.pk

    run(story)


@pytest.mark.parametrize("forge", ["", "nonsense", "other-salt", "tampered", "too-old"])
def test_a_forged_or_stale_address_opens_nothing(world: World, monkeypatch: pytest.MonkeyPatch, forge: str) -> None:
    good = address.make_address(world.duty.pk, world.space.pk)
    token = {
        "other-salt": signing.dumps([world.duty.pk, world.space.pk], salt="haitang.links"),
        "tampered": address.make_address(world.enterprise.pk, world.space.pk).split(":")[0]
        + ":"
        + good.split(":", 1)[1],
        "too-old": good,
        "nonsense": "nonsense",
    }.get(forge, "x:y:z")
    if forge == "too-old":
        monkeypatch.setattr(address, "LIFETIME_S", -1)

    async def story() -> None:
        async with Browser(world.duty, world.space, token=token) as browser:
            assert browser.status == 403
            assert browser.ended
            assert "ask for a new one" in browser.text

    run(story)


def test_a_closed_account_hears_nothing(world: World) -> None:
    world.duty.is_active = False
    world.duty.save()

    async def story() -> None:
        async with Browser(world.duty, world.space) as browser:
            assert browser.status == 403

    run(story)


@pytest.mark.parametrize("change", ["closed", "moved"])
def test_a_stream_ends_when_its_user_may_not_listen_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(live, "RECHECK_S", 0.0)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.02)

    def alter() -> None:
        try:
            if change == "closed":
                User.objects.filter(pk=world.duty.pk).update(is_active=False)
            else:
                User.objects.filter(pk=world.duty.pk).update(organisation=world.enterprise.organisation)
        finally:
            connection.close()

    async def story() -> None:
        async with Browser(world.duty, world.space) as browser:
            await browser.until(lambda: "still here" in browser.text)
            await asyncio.to_thread(alter)
            await browser.until(lambda: browser.ended)

    run(story)


def test_a_database_that_fails_for_a_moment_delays_entries_and_doubles_none(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = live._between, iter([True, False, True])

    async def flaky(*given: Any) -> Any:
        if next(failures, False):
            raise OSError("gone")
        return await real(*given)

    async def story() -> None:
        async with Browser(world.duty, world.space) as one, Browser(world.easterner, world.space) as other:
            monkeypatch.setattr(live, "_between", flaky)
            await happen(world, 2, place=world.east)
            await one.until(lambda: len(one.events) >= 2)
            await other.until(lambda: len(other.events) >= 2)
            await happen(world, place=world.east)
            await one.until(lambda: len(one.events) >= 3)
            await other.until(lambda: len(other.events) >= 3)
            assert one.numbers == other.numbers == [1, 2, 3]

    run(story)
    assert "could not be read" in caplog.text


def test_the_process_answers_for_its_health_and_for_nothing_else() -> None:
    async def ask(path: str) -> tuple[int, str]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, str]:
            return {"type": "http.disconnect"}

        await live.application({"type": "http", "path": path, "headers": []}, receive, send)
        return sent[0]["status"], sent[1]["body"].decode()

    assert asyncio.run(ask("/health")) == (200, "ok")
    assert asyncio.run(ask("/"))[0] == 404


def test_the_page_gets_an_address_for_its_own_space_and_a_visitor_none(world: World) -> None:
    client = Client()
    assert client.get("/journal/stream-address/").status_code == 302
    client.force_login(world.easterner)
    answer = client.get("/journal/stream-address/")
    assert "no-cache" in answer["Cache-Control"]
    token = answer.json()["url"].split("address=")[1]
    assert address.read_address(token) == (world.easterner.pk, world.space.pk)
