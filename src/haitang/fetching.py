"""Fetching what others publish, without being made to call our own network: one guard for every address that somebody typed in.

A name is looked up once, and the connection goes to the address that was looked at, so that a name server which answers
differently a second later leads nowhere else. Redirects are few, each of them guarded; what signs us in goes to the server
that was named, and to no other.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

REDIRECTS: Final = 3
CONNECT_S: Final = 5.0
Resolve = Callable[[str, int], list[str]]


class FetchTrouble(OSError):
    """What was asked for could not, or must not, be fetched; the text says why."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be fetched: inner `networks` that `setting` allows, `ports` (None: any), size in bytes and seconds."""

    setting: str
    most: int
    networks: Sequence[str] = ()
    ports: frozenset[int] | None = None
    answer_s: float = 10.0
    whole_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; `data` is None where nothing has changed since."""

    data: bytes | None
    etag: str = ""
    modified: str = ""
    url: str = ""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def allowed(url: str, bounds: Bounds, look_up: Resolve | None = None) -> tuple[str, str, int]:
    """The address, host and port to connect to for a URL. FetchTrouble for one that leads into an inner network."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise FetchTrouble(f"this is no address: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise FetchTrouble("only http:// and https:// addresses without a password in them are fetched")
    inner = [ipaddress.ip_network(each, strict=False) for each in bounds.networks]
    try:
        found = (look_up or resolve)(parts.hostname, port)
    except (OSError, UnicodeError) as error:
        raise FetchTrouble(f"the name {parts.hostname} cannot be looked up: {error}") from error
    if not found:
        raise FetchTrouble(f"the name {parts.hostname} has no address")
    for text in found:
        given = ipaddress.ip_address(text.partition("%")[0])
        address = getattr(given, "ipv4_mapped", None) or given
        listed = any(address.version == each.version and address in each for each in inner)
        if not listed and (not address.is_global or address.is_multicast):
            raise FetchTrouble(
                f"{parts.hostname} is {address}, an address of an inner network: {bounds.setting} allows one"
            )
        if not listed and bounds.ports is not None and port not in bounds.ports:
            raise FetchTrouble(f"port {port} is not one that is fetched from")
    return found[0], parts.hostname, port


def fetch(
    url: str, bounds: Bounds, *, headers: Mapping[str, str], secret: Mapping[str, str] | None = None,
    etag: str = "", modified: str = "",
) -> Fetched:  # fmt: skip
    """Fetch an address. `secret` are headers that sign us in, sent to that server only. FetchTrouble says what went wrong."""
    import httpx

    home, end = urlsplit(url)[:2], time.monotonic() + bounds.whole_s
    timeout = httpx.Timeout(bounds.answer_s, connect=CONNECT_S)
    with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client:
        for _hop in range(REDIRECTS + 1):
            address, host, port = allowed(url, bounds)
            parts = urlsplit(url)
            default = port == (443 if parts.scheme == "https" else 80)
            given = {**headers, "User-Agent": "Haitang", "Host": host if default else f"{host}:{port}"}
            given |= (secret or {}) if parts[:2] == home else {}
            given |= {"If-None-Match": etag} if etag else {}
            given |= {"If-Modified-Since": modified} if modified else {}
            literal = f"[{address}]" if ":" in address else address
            pinned = parts._replace(netloc=f"{literal}:{port}").geturl()
            try:
                request = client.build_request("GET", pinned, headers=given, extensions={"sni_hostname": host})
                answer = client.send(request, stream=True)
                try:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers.get("Location", ""))
                        continue
                    if answer.status_code == 304:
                        return Fetched(None, etag, modified, url)
                    if answer.status_code != 200:
                        raise FetchTrouble(f"the server answered {answer.status_code}")
                    data = _body(answer.iter_bytes(), bounds, end)
                finally:
                    answer.close()
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise FetchTrouble(f"{type(error).__name__}: {error}"[:200]) from error
            told = answer.headers
            return Fetched(data, told.get("ETag", "")[:200], told.get("Last-Modified", "")[:80], url)
    raise FetchTrouble(f"more than {REDIRECTS} redirects")


def _body(parts: Iterable[bytes], bounds: Bounds, end: float) -> bytes:
    data = bytearray()
    for part in parts:
        data += part
        if len(data) > bounds.most:
            raise FetchTrouble(f"the answer is larger than {bounds.most:,} bytes")
        if time.monotonic() > end:
            raise FetchTrouble(f"the answer was not there after {bounds.whole_s:.0f} seconds")
    return bytes(data)
