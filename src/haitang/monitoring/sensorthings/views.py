"""HTTP: /sta/v1.1/. Whoever signed in, or an access token with the right `read`, reads what he sees; tokens write.

The token comes as `Authorization: Bearer ht_...`, or as the password of HTTP Basic with any name: clients that know only
a name and a password can be used as they are.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import gc
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.core.exceptions import ValidationError
from django.db import DataError, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from haitang.accounts import tokens
from haitang.accounts.models import ApiToken
from haitang.accounts.verbs import Forbidden, Refused
from haitang.config.env import env
from haitang.monitoring import api, door
from haitang.monitoring.batch import MAX_BYTES, BatchError
from haitang.monitoring.models.readings import Outcome
from haitang.monitoring.sensorthings import arrays, intake, options, patches, paths, serve
from haitang.monitoring.sensorthings.change import Writer, observe
from haitang.monitoring.sensorthings.errors import StaError, bad
from haitang.monitoring.sensorthings.options import Options
from haitang.monitoring.sensorthings.paths import Path
from haitang.monitoring.sensorthings.schema import BY_MQTT, CONFORMANCE, KINDS, VERSION
from haitang.monitoring.sensorthings.serve import Server
from haitang.monitoring.sensorthings.world import Page, World
from haitang.spaces.clock import now

READ, WRITE, NETWORK = "read", "readings:write", "network:write"
MOST_ADDRESS = 16_000
JSON = "application/json; charset=utf-8"
View = Callable[..., HttpResponse]


def _json(told: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(told), status=status, content_type=JSON)


def _answering(view: View) -> View:
    """Turn what goes wrong into the standard's error."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except StaError as error:
            answer = _json(error.body(), error.status)
            if error.status == 401:
                answer["WWW-Authenticate"] = 'Bearer realm="haitang", Basic realm="haitang"'
            if error.status == 429:
                answer["Retry-After"] = error.part
            return answer
        except Forbidden as error:
            return _json(StaError(403, str(error)).body(), 403)
        except Refused as error:
            return _json(StaError(409, str(error)).body(), 409)
        except BatchError as error:
            status = 400 if error.code == "malformed" else 413
            return _json(StaError(status, str(error), "body").body(), status)
        except ValidationError as error:
            part = next(iter(error.message_dict), "") if hasattr(error, "error_dict") else ""
            return _json(bad(" ".join(error.messages), part).body(), 400)
        except (DataError, OverflowError, RecursionError):
            return _json(bad("A value is too large to be kept or compared").body(), 400)

    return wrapped


def _token(request: HttpRequest) -> ApiToken | None:
    """The token that came with the request, and its user and space set; 401 for one that is not valid."""
    scheme, _space, rest = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return None
    secret = rest.strip()
    if scheme.lower() == "basic":
        try:
            secret = base64.b64decode(secret, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            secret = ""
    found = tokens.find(secret)
    if found is None:
        raise StaError(401, "The access token is not valid; ask an administrator for one", "Authorization")
    request.user = found.user
    request.space = found.space  # type: ignore[attr-defined]
    return found


def _reader(request: HttpRequest) -> Server:
    token = _token(request)
    if token is not None and not {READ, WRITE, NETWORK} & set(token.rights):
        raise StaError(403, f"This access token lacks the right {READ!r}", "Authorization")
    if not request.user.is_authenticated:
        raise StaError(401, "Send an access token (Authorization: Bearer ht_...), or sign in", "Authorization")
    return _server(request)


def _server(request: HttpRequest) -> Server:
    space = request.space  # type: ignore[attr-defined]
    return Server(World(space, request.user, root_of(request)), round(now(space).astimezone(UTC).timestamp() * 1000))


def _writer(request: HttpRequest, right: str) -> tuple[Server, ApiToken]:
    token = _token(request)
    if token is None:
        raise StaError(401, "Writing needs an access token (Authorization: Bearer ht_...)", "Authorization")
    if right not in token.rights:
        raise StaError(
            403,
            f"This access token lacks the right {right!r}; ask an administrator for one that has it",
            "Authorization",
        )
    if right == NETWORK and token.space.is_exercise:
        raise StaError(
            403,
            "Stations and series are the same in every world: a token of an exercise does not change them",
            "Authorization",
        )
    return _server(request), token


def root_of(request: HttpRequest) -> str:
    """The address of the service root, as this request came to it."""
    return request.build_absolute_uri(f"/sta/{VERSION}")


def _body(request: HttpRequest) -> Any:
    length = request.headers.get("Content-Length", "")
    if (length.isdigit() and int(length) > MAX_BYTES) or len(request.body) > MAX_BYTES:
        raise StaError(413, f"The body has more than {MAX_BYTES} bytes; split it", "body")
    if b"\\u0000" in request.body:
        raise bad("The body holds a zero character", "body")
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise bad(f"The body is not JSON: {error}", "body") from None


@csrf_exempt
@require_http_methods(["GET", "HEAD", "OPTIONS"])
@_answering
def service(request: HttpRequest) -> HttpResponse:
    """The service root: its collections, and what it conforms to. Open to everybody; it tells nothing."""
    root = root_of(request)
    settings: dict[str, Any] = {"conformance": list(CONFORMANCE)}
    listen = env("HAITANG_MQTT_LISTEN")
    if listen:
        host, port = request.get_host().rsplit(":", 1)[0], str(listen).rpartition(":")[2]
        settings["conformance"].append(BY_MQTT)
        settings[BY_MQTT] = {"endpoints": [f"mqtt://{host}:{port}"]}
    value = [{"name": kind.plural, "url": f"{root}/{kind.plural}"} for kind in KINDS.values()]
    return _json({"value": value, "serverSettings": settings})


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"])
@_answering
def resource(request: HttpRequest, resource: str) -> HttpResponse:
    """Everything below the service root."""
    if len(resource) > MOST_ADDRESS or len(request.META.get("QUERY_STRING", "")) > MOST_ADDRESS:
        raise StaError(414, f"The address is longer than {MOST_ADDRESS} characters", "path")
    path = paths.parse(resource)
    if request.method in ("GET", "HEAD"):
        with _in_one_go():
            return _read(_reader(request), request, path)
    if request.method == "POST":
        return _create(request, path)
    return _alter(request, path)


def _given(request: HttpRequest) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            request.META.get("QUERY_STRING", ""), keep_blank_values=True, errors="strict", max_num_fields=40
        )
    except ValueError:
        raise bad("The query is not UTF-8, or has too many parts", "query") from None
    if any("\0" in value for _name, value in pairs):
        raise bad("The query holds a zero byte", "query")
    return pairs


@contextlib.contextmanager
def _in_one_go() -> Iterator[None]:
    """No search for cycles while a large answer is made: there are none in it, and the search is a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(server: Server, request: HttpRequest, path: Path) -> HttpResponse:
    given = _given(request)
    asked = options.parse(given, path.last.kind)
    if path.is_collection:
        page = server.page(path, asked)
        return _collection(server, request, path, given, asked, page)
    node = server.entity(path)
    if path.prop:
        return _property(node, path)
    server.expand([node], asked.expand)
    return _json({"@iot.selfLink": server.link(node)} if path.is_ref else server.written(node, asked))


def _collection(
    server: Server, request: HttpRequest, path: Path, given: list[tuple[str, str]], asked: Options, page: Page
) -> HttpResponse:
    told: dict[str, Any] = {}
    if page.count is not None:
        told["@iot.count"] = page.count
    if page.more:
        told["@iot.nextLink"] = serve.next_link(request.build_absolute_uri(request.path), given, asked)
    if path.is_ref:
        told["value"] = [{"@iot.selfLink": server.link(node)} for node in page.nodes]
    elif asked.data_array:
        groups: dict[int, list[tuple[int, Any]]] = {}
        for node in page.nodes:
            groups.setdefault(node.keys["series"], []).append((node.id, node.row))
        chosen = [name.removeprefix("@iot.") for name in asked.select or () if name.removeprefix("@iot.") in arrays.OUT]
        told["value"] = arrays.written(groups, server.world.root, chosen or arrays.OUT)
    else:
        told["value"] = [server.written(node, asked) for node in page.nodes]
    return _json(told)


def _property(node: Any, path: Path) -> HttpResponse:
    name = path.prop[-1]
    value = node.id if path.prop == ("id",) else serve.raw_at(node, path.prop)
    if value is None:
        return HttpResponse(status=204)
    if path.is_value:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return HttpResponse(text, content_type="text/plain; charset=utf-8")
    return _json({name: value})


def _create(request: HttpRequest, path: Path) -> HttpResponse:
    if not path.is_collection or path.is_ref:
        raise StaError(405, "POST goes to a collection", "path")
    kind = path.last.kind
    readings = kind.name == "Observation"
    server, token = _writer(request, WRITE if readings else NETWORK)
    if readings:
        _hold_back(server, token, request)
    body = _body(request)
    if readings and isinstance(body, dict):
        number = _create_observation(server, token, path, body)
    else:
        number = _create_entity(server, token, path, body)
    link = f"{server.world.root}/{kind.plural}({number})"
    answer = _json({"@iot.id": number, "@iot.selfLink": link}, 201)
    answer["Location"] = link
    return answer


def _create_observation(server: Server, token: ApiToken, path: Path, body: dict[str, Any]) -> int:
    parent = path.steps[-2] if len(path.steps) > 1 else None
    if parent is not None and parent.kind.name == "Datastream" and len(path.steps) == 2:
        body = {**body, "Datastream": {"@iot.id": parent.id}}
    elif parent is not None:
        node = server.entity(path)
        body = {**body, node.kind.name: {"@iot.id": node.id}}
    feature, stream = body.get("FeatureOfInterest"), body.get("Datastream")
    inside = any(isinstance(each, dict) and "@iot.id" not in each for each in (feature, stream))
    if not inside:
        return observe(server, token, body, arrays.reference(stream, "Datastream"))
    if NETWORK not in token.rights:
        raise StaError(403, f"Entities inside an Observation need the right {NETWORK!r}", "Authorization")
    return _create_entity(server, token, path, body)


def _create_entity(server: Server, token: ApiToken, path: Path, body: Any) -> int:
    with transaction.atomic():
        links: dict[str, int] = {}
        kind = path.last.kind
        if len(path.steps) > 1:
            parent = server.entity(path)
            # From Things(1)/Datastreams a Datastream gets its Thing; a Location its Things.
            name = next(name for name, (to, _many) in kind.relations.items() if to == parent.kind.name)
            if kind.relations[name][1] and isinstance(body, dict):
                inside = body.get(name, [])
                if not isinstance(inside, list):
                    raise bad(f"{name} must be a list", name)
                body = {**body, name: [*inside, {"@iot.id": parent.id}]}
            else:
                links[name] = parent.id
        return Writer(server, token).create(kind, body, links)


def _alter(request: HttpRequest, path: Path) -> HttpResponse:
    if path.is_collection or path.prop or path.is_ref:
        raise StaError(405, f"{request.method} goes to one entity", "path")
    observation = path.last.kind.name == "Observation"
    server, token = _writer(request, WRITE if observation else NETWORK)
    with transaction.atomic():
        node, writer = server.entity(path), Writer(server, token)
        if request.method == "DELETE":
            writer.remove(node)
            return HttpResponse(status=200)
        body = _body(request)
        if "json-patch" in request.headers.get("Content-Type", ""):
            before = {name: value for name, value in node.row.items() if value is not None}
            after = patches.apply(before, body)
            gone = {name: None for name in before if name not in after}
            body = {**{name: value for name, value in after.items() if before.get(name) != value}, **gone}
        if not isinstance(body, dict):
            raise bad("The body must be an object", "body")
        writer.change(node, body, whole=request.method == "PUT")
    return HttpResponse(status=200)


@csrf_exempt
@require_http_methods(["POST"])
@_answering
def create_observations(request: HttpRequest) -> HttpResponse:
    """Data arrays of many Datastreams: for each row the address of its observation, or "error: ...". Durable before 201."""
    server, token = _writer(request, WRITE)
    _hold_back(server, token, request)
    rows = arrays.read_arrays(_body(request))
    prefix = f"{server.world.root}/Observations("
    found = intake.take_in(server.world.space, rows, token)
    told = [f"{prefix}{each})" if isinstance(each, int) else f"error: {each}" for each in found]
    return _json(told, 201)


def _hold_back(server: Server, token: ApiToken, request: HttpRequest) -> None:
    """One share for each sender, whatever way his readings come."""
    wait = api.limiter.take(token.pk, max(1.0, len(request.body) / 40), time.monotonic())
    if wait:
        door.count_refusal(server.world.space, f"sta:{token.name}", Outcome.RATE_LIMITED)
        raise StaError(429, f"Too much at once; send again after {wait:.1f} s", str(int(wait) + 1))


__all__ = ["create_observations", "resource", "root_of", "service"]
