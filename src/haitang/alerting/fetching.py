"""Fetching what others publish, without being made to call our own network: one guard, limits of size and time."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from haitang.alerting.cap_xml import MAX_BYTES

TIMEOUT_S: Final = 10.0
WHOLE_S: Final = 20.0
REDIRECTS: Final = 3
PORTS: Final = frozenset({80, 443, 8000, 8080, 8443})
Resolve = Callable[[str, int], list[str]]


class FetchTrouble(OSError):
    """What was asked for could not, or must not, be fetched; the text says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; `data` is None where nothing has changed since."""

    data: bytes | None
    etag: str = ""
    modified: str = ""
    url: str = ""


def allowed(url: str, networks: Sequence[str] = (), resolve: Resolve | None = None) -> tuple[str, str, int]:
    """The address, host and port to connect to for a URL. Raises FetchTrouble for one that leads into our own network.

    The name is looked up once and the connection goes to that very address, so that a second answer of the name server
    cannot lead elsewhere. `networks` are inner networks in which feeds may lie, as in a government's own.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise FetchTrouble(f"no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise FetchTrouble("only http and https addresses without a password are read")
    inner = [ipaddress.ip_network(one, strict=False) for one in networks]
    try:
        found = (resolve or _resolve)(parts.hostname, port)
    except OSError as error:
        raise FetchTrouble(f"the name {parts.hostname} cannot be looked up: {error}") from error
    if not found:
        raise FetchTrouble(f"the name {parts.hostname} has no address")
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        listed = any(address.version == net.version and address in net for net in inner)
        if not listed and (not address.is_global or address.is_multicast):
            raise FetchTrouble(f"{parts.hostname} is an address inside a network ({address}); HAITANG_FEED_NETWORKS allows one")  # fmt: skip
        if not listed and port not in PORTS:
            raise FetchTrouble(f"port {port} is not one that feeds are read from")
    return found[0], parts.hostname, port


def _resolve(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def fetch(
    url: str, *, networks: Sequence[str] = (), etag: str = "", modified: str = "", most: int = MAX_BYTES
) -> Fetched:
    """Fetch an address, following few redirects, each of them guarded. Raises FetchTrouble."""
    import httpx

    end = time.monotonic() + WHOLE_S
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        for _hop in range(REDIRECTS + 1):
            address, host, port = allowed(url, networks)
            headers = {"Accept": "application/atom+xml, application/cap+xml, application/rss+xml, application/json, text/xml, */*;q=0.1", "User-Agent": "Haitang"}  # fmt: skip
            headers |= {"If-None-Match": etag} if etag else {}
            headers |= {"If-Modified-Since": modified} if modified else {}
            parts = urlsplit(url)
            default = port == (443 if parts.scheme == "https" else 80)
            headers["Host"] = host if default else f"{host}:{port}"
            literal = f"[{address}]" if ":" in address else address
            pinned = parts._replace(netloc=f"{literal}:{port}").geturl()
            try:
                request = client.build_request("GET", pinned, headers=headers, extensions={"sni_hostname": host})
                answer = client.send(request, stream=True)
                try:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers.get("Location", ""))
                        continue
                    if answer.status_code == 304:
                        return Fetched(None, etag, modified, url)
                    if answer.status_code != 200:
                        raise FetchTrouble(f"the server answered {answer.status_code}")
                    data = _body(answer.iter_bytes(), most, end)
                finally:
                    answer.close()
            except httpx.HTTPError as error:
                raise FetchTrouble(f"{type(error).__name__}: {error}"[:200]) from error
            return Fetched(
                data, answer.headers.get("ETag", "")[:200], answer.headers.get("Last-Modified", "")[:80], url
            )
    raise FetchTrouble(f"more than {REDIRECTS} redirects")


def _body(parts: object, most: int, end: float) -> bytes:
    data = bytearray()
    for part in parts:  # type: ignore[attr-defined]
        data += part
        if len(data) > most:
            raise FetchTrouble(f"larger than {most} bytes")
        if time.monotonic() > end:
            raise FetchTrouble(f"not finished after {WHOLE_S:.0f} seconds")
    return bytes(data)
