"""Nobody sees beyond his reach: every route, API, tile, export and stream is walked with every role. 3.2.1, P1, A1.

Rows that somebody may not see are marked with a word that stands nowhere else; then everything that can be asked is asked,
and the word must not come back. What `visible_to` says is the measure, so a view that reads past it is found whatever it shows.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from haitang.accounts.models import User
from haitang.accounts.roles import Role
from haitang.accounts.scope import Scope
from haitang.frame import DESK, PHONE, WALL
from haitang.geo.catalogue import LAYERS
from haitang.journal.models import Head
from haitang.monitoring.models import Series, Station
from haitang.monitoring.sensorthings.schema import KINDS as STA_KINDS
from haitang.registry.declare import REGISTERS
from haitang.spaces.middleware import SESSION_KEY
from haitang.spaces.models import Space
from tests import world

pytestmark = [pytest.mark.xdist_group("scope walk"), pytest.mark.django_db, pytest.mark.timeout(300)]

MARK = "禁区zqx"
ROLES = [role for role in Role if role not in {Role.RESIDENT, Role.MACHINE}]
# The reach of a role does not depend on the store, and all walk on SQLite: of PostgreSQL's round the widest and a narrow one.
WALKERS = [Role.ADMIN, Role.TOWNSHIP] if os.environ.get("HAITANG_DATABASE_URL") else [*ROLES, None]
# Whose name stands beside what he did, whoever reads it; bodies are open to whoever signed in.
OPEN_NAMES = {"accounts.user", "accounts.organisation", "geo.place", "geo.feature"}
# A department's place is the district.
DISTRICT_WIDE = {Role.ADMIN, Role.COMMANDER, Role.DUTY_OFFICER, Role.DEPARTMENT}
TEXTS = (
    "name_zh",
    "title_zh",
    "headline_zh",
    "what_zh",
    "text_zh",
    "label_zh",
    "note",
    "title",
    "name",
    "text",
    "headline",
)
SAMPLE = 1
# The parts of an incident's page.
PARTS = ("board", "head", "numbers", "orders", "reports", "shelters", "timeline", "warnings")
STA_RELATIONS = {
    "Station": ("", "/Datastreams", "/Locations", "/HistoricalLocations"),
    "Series": ("", "/Thing", "/Sensor", "/ObservedProperty", "/Observations"),
}
SKIPPED = re.compile(r"^(accounts/|static/|i18n/|sw\.js|api/v1/docs|api/v1/openapi)")


@dataclass(frozen=True)
class Route:
    """One address of the platform with its parameters."""

    pattern: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def slice(self) -> str:
        """The slice it belongs to."""
        parts = self.pattern.removeprefix("api/v1/").split("/")
        named = {"o": "obligations", "public": "alerting", "m": "shell", "registers": "resources", "sta": "monitoring"}
        return named.get(parts[0], parts[0])


def routes() -> list[Route]:
    """Every pattern of the address book."""
    return [route for route in _walk(get_resolver().url_patterns, "") if not SKIPPED.match(route.pattern)]


def _walk(patterns: list[Any], prefix: str) -> Iterator[Route]:
    for each in patterns:
        whole = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, whole)
        elif isinstance(each, URLPattern):
            found = re.findall(r"<(?:(\w+):)?(\w+)>", whole)
            yield Route(whole, tuple((kind or "str", name) for kind, name in found))


def scoped() -> list[type[models.Model]]:
    """Models that declare who sees their rows."""
    return [model for model in apps.get_models() if isinstance(getattr(model, "scope", None), Scope)]


def addresses(route: Route, user: Any) -> list[str]:
    """The route filled with keys of rows: some in reach, some not."""
    return sorted({_filled(route, values) for values in _fillings(route, user)})


def out_of_reach(route: Route, user: Any) -> list[str]:
    """The route filled with keys of rows that this user may not see."""
    return sorted({_filled(route, values) for values in _fillings(route, user, hidden_only=True)})


def _filled(route: Route, values: dict[str, Any]) -> str:
    path = "/" + route.pattern.rstrip("$").lstrip("^")
    for _kind, name in route.parameters:
        path = re.sub(rf"<(?:\w+:)?{name}>", str(values.get(name, 1)), path)
    return path


def _fillings(route: Route, user: Any, *, hidden_only: bool = False) -> Iterator[dict[str, Any]]:
    """Values for the route's parameters, a few of each sort."""
    names = {name for _kind, name in route.parameters}
    if not names:
        if not hidden_only:
            yield {}
    elif any(kind == "layer" for kind, _name in route.parameters):
        for name in LAYERS if not hidden_only else ():
            yield {"id": name, "z": 8, "x": 214, "y": 104}
    elif "resource" in names:  # SensorThings
        for row in _rows([Station, Series], user, hidden_only):
            entity = f"{'Things' if isinstance(row, Station) else 'Datastreams'}({row.pk})"
            for relation in STA_RELATIONS[type(row).__name__]:
                yield {"resource": f"{entity}{relation}"}
        for kind in STA_KINDS.values() if not hidden_only else ():
            yield {"resource": kind.plural}
    elif "/card/" in route.pattern:
        for id_ in {*DESK, *WALL, *PHONE} if not hidden_only else ():
            yield {"id": id_}
    elif route.pattern.startswith("registers/"):
        for register in REGISTERS.values():
            for kind in ("csv", "xlsx", "geojson"):
                for row in _rows([register.model], user, hidden_only):
                    yield {"slug": register.slug, "code": register.key_of(row), "pk": row.pk, "kind": kind}
    else:
        models_ = [model for model in scoped() if model._meta.app_label == route.slice]
        for row in _rows(models_, user, hidden_only):
            for part in PARTS if "name" in names else ("",):
                yield {
                    **dict.fromkeys(("id", "pk", "number", "answer"), row.pk), "code": getattr(row, "code", row.pk), "name": part,
                    "form": "csv", "kind": "csv", "verb": "done", "what": "extend", "channel": "sms", "token": "x",
                }  # fmt: skip


def _rows(models_: list[Any], user: Any, hidden_only: bool) -> Iterator[Any]:
    # A route does not say which model its key is of: a key is out of reach only if no model of the slice shows it.
    shown = {pk for model in models_ for pk in model._default_manager.visible_to(user).values_list("pk", flat=True)}
    for model in models_:
        rows: Any = model._default_manager.order_by("pk")
        seen = rows.visible_to(user)
        yield from (rows.exclude(pk__in=shown) if hidden_only else rows.exclude(pk__in=seen.values("pk")))[:SAMPLE]
        if not hidden_only:
            yield from seen[:SAMPLE]


def told(response: Any) -> str:
    """Everything an answer says, unpacked."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    if body[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            body = b"\n".join(archive.read(name) for name in archive.namelist())
    text = body.decode("utf-8", "replace")
    return text + "".join(chr(int(code, 16)) for code in re.findall(r"\\u([0-9a-f]{4})", text))


def mark_hidden(user: Any, space: Space | None = None) -> int:
    """Put the mark on every row this user may not see (or, with `space`, on every row of another world)."""
    marked = 0
    for model in scoped():
        if model._meta.label_lower in OPEN_NAMES:
            continue
        fields = {
            field.name: field
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField)
        }
        name = next((name for name in TEXTS if name in fields and not fields[name].choices), None)
        if name is None:
            continue
        rows: Any = model._default_manager.all()
        if space is None:
            hidden = rows.exclude(pk__in=rows.visible_to(user).values("pk"))
        elif "space" in {field.name for field in model._meta.concrete_fields}:
            hidden = rows.exclude(space=space)
        else:
            continue
        marked += models.QuerySet.update(hidden.order_by(), **{name: MARK})
    return marked


@pytest.fixture(scope="module")
def event(django_db_setup: None, django_db_blocker: Any) -> Iterator[Space]:
    """The tiny district after its event, for all tests of this file; undone at the end."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        try:
            world.load_sanzhou()
            yield world.run_scenario()
        finally:
            transaction.set_rollback(True)
            atomic.__exit__(None, None, None)


@pytest.fixture
def undone(event: Space, django_db_blocker: Any) -> Iterator[Space]:
    """One test's own changes, taken back."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        yield event
        transaction.set_rollback(True)
        atomic.__exit__(None, None, None)


def _between(user: User, space: Space) -> list[bytes]:
    """What the live stream sends of a space; its reader is a coroutine around a plain function."""
    from haitang.journal import live

    read = live._between.func.__wrapped__  # type: ignore[attr-defined]
    return [item for _id, item in read(user, space.pk, 0, 2**62)]


def entering(user: User | None, space: Space) -> Client:
    """A browser that looks at a space as somebody; an error of ours is an answer of 500, not an exception."""
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
        session = client.session
        session[SESSION_KEY] = space.pk
        session.save()
    return client


@pytest.mark.parametrize("role", WALKERS, ids=lambda role: str(role or "resident"))
def test_nothing_out_of_reach_comes_back_by_any_address(undone: Space, settings: Any, role: Role | None) -> None:
    settings.DEMO = True
    from django.contrib.auth.models import AnonymousUser

    user = world.first_of(role) if role else None
    viewer: Any = user or AnonymousUser()
    asked = [(route, path) for route in routes() for path in addresses(route, viewer)]
    # Who answers for the whole district may see everything in it.
    assert mark_hidden(viewer) > 0 or role in DISTRICT_WIDE
    client = entering(user, undone)
    shown, broken = [], []
    for route, path in asked:
        response = client.get(path)
        if response.status_code >= 500:
            broken.append(f"{path} ({route.pattern}): {response.status_code}")
        elif MARK in told(response):
            shown.append(f"{path} ({route.pattern})")
    assert not broken
    assert not shown


@pytest.mark.parametrize(
    "role", [Role.GRID, Role.ENTERPRISE, Role.SOCIAL, Role.TOWNSHIP, None], ids=lambda role: str(role or "resident")
)
def test_nothing_out_of_reach_can_be_changed_by_any_address(undone: Space, settings: Any, role: Role | None) -> None:
    settings.DEMO = True
    from django.contrib.auth.models import AnonymousUser

    user = world.first_of(role) if role else None
    viewer: Any = user or AnonymousUser()
    client = entering(user, undone)
    before = dict(Head.objects.values_list("space", "seq"))
    for route in routes():
        for path in out_of_reach(route, viewer):
            response = client.post(path, {"note": "x", "reason": "x", "text": "x"})
            assert response.status_code < 500, path
            assert dict(Head.objects.values_list("space", "seq")) == before, f"POST {path} changed something"


def test_the_live_world_shows_nothing_of_an_exercise(undone: Space, settings: Any) -> None:
    settings.DEMO = True
    user = world.first_of(Role.COMMANDER)
    asked = [path for route in routes() for path in addresses(route, user)]
    assert mark_hidden(user, space=Space.live()) > 0
    client = entering(user, Space.live())
    # The list of exercises names them; a page reached by a link of an exercise wears the exercise's banner.
    shown = [path for path in asked if not path.startswith("/replay/") and MARK in told(client.get(path))]
    assert not [path for path in shown if 'class="ht-exercise"' not in told(client.get(path))]


@pytest.mark.parametrize("role", ROLES)
def test_the_stream_sends_nothing_out_of_reach(undone: Space, role: Role) -> None:
    user = world.first_of(role)
    mark_hidden(user)
    sent = b"".join(_between(user, undone)).decode()
    assert MARK not in sent
    assert ("event: entry" in sent) == (role not in {Role.ENTERPRISE, Role.SOCIAL})


def test_the_walk_would_find_a_view_that_reads_past_the_scope(undone: Space, settings: Any) -> None:
    """The measure itself is measured: with scope switched off, the marks do come back."""
    settings.DEMO = True
    user = world.first_of(Role.TOWNSHIP)
    asked = [path for route in routes() for path in addresses(route, user)]
    mark_hidden(user)
    commander = entering(world.first_of(Role.COMMANDER), undone)
    assert any(MARK in told(commander.get(path)) for path in asked)
