"""One guarded request to another system: only http and https, no inner networks, limits of size and time.

A name is looked up once, and the connection goes to the address that was looked at, so a name server that answers
differently a second later leads nowhere else. Redirects are followed three times, each of them guarded; what signs us in
goes to the address that the connector names, and to no other server.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson

CONNECT_S, ANSWER_S, WHOLE_S = 5.0, 15.0, 40.0
MOST_BYTES = 16_000_000
REDIRECTS = 3
Resolve = Callable[[str, int], list[str]]


class FetchError(OSError):
    """What was asked for could not, or must not, be fetched; the text says why."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def guarded(url: str, networks: Sequence[str] = (), look_up: Resolve = resolve) -> tuple[str, str, int]:
    """Address, host and port to connect to; raises FetchError for an address that leads into an inner network."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise FetchError(f"this is no address: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise FetchError("only http:// and https:// addresses without a password in them are fetched")
    try:
        found = look_up(parts.hostname, port)
    except (OSError, UnicodeError) as error:
        raise FetchError(f"the name {parts.hostname} cannot be looked up: {error}") from error
    inner = [ipaddress.ip_network(each, strict=False) for each in networks]
    for text in found:
        given = ipaddress.ip_address(text.partition("%")[0])
        address = getattr(given, "ipv4_mapped", None) or given
        allowed = any(address.version == each.version and address in each for each in inner)
        if not allowed and (not address.is_global or address.is_multicast):
            raise FetchError(
                f"{parts.hostname} is {address}, an address of an inner network: HAITANG_CONNECTOR_NETWORKS allows one"
            )
    if not found:
        raise FetchError(f"the name {parts.hostname} has no address")
    return found[0], parts.hostname, port


def get_json(url: str, *, headers: dict[str, str], networks: Sequence[str] = ()) -> Any:
    """The JSON document at an address; raises FetchError."""
    import httpx

    home, end = urlsplit(url)[:2], time.monotonic() + WHOLE_S
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client:
        for _hop in range(REDIRECTS + 1):
            address, host, port = guarded(url, networks)
            parts = urlsplit(url)
            given = {"Accept": "application/json", "User-Agent": "Haitang", "Host": parts.netloc}
            given |= headers if parts[:2] == home else {}
            literal = f"[{address}]" if ":" in address else address
            pinned = parts._replace(netloc=f"{literal}:{port}").geturl()
            try:
                request = client.build_request("GET", pinned, headers=given, extensions={"sni_hostname": host})
                answer = client.send(request, stream=True)
                try:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers.get("Location", ""))
                        continue
                    if answer.status_code != 200:
                        raise FetchError(f"the server answered {answer.status_code}")
                    data = _body(answer, end)
                finally:
                    answer.close()
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise FetchError(f"{type(error).__name__}: {error}"[:200]) from error
            try:
                return orjson.loads(data)
            except orjson.JSONDecodeError as error:
                raise FetchError(f"the answer is not JSON: {error}") from error
    raise FetchError(f"more than {REDIRECTS} redirects")


def _body(answer: Any, end: float) -> bytes:
    data = bytearray()
    for part in answer.iter_bytes():
        data += part
        if len(data) > MOST_BYTES:
            raise FetchError(f"the answer is larger than {MOST_BYTES // 1_000_000} MB; ask for less at a time")
        if time.monotonic() > end:
            raise FetchError(f"the answer was not there after {WHOLE_S:.0f} seconds")
    return bytes(data)
