"""The only doors to the outside. Each wants a permit; each has a timeout; each tells what went wrong in one form."""

from __future__ import annotations

import ipaddress
import json
import logging
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from haitang.delivery.channel import Trouble, Undeliverable
from haitang.delivery.permit import Permit, require

# It would log every address, and a robot's address carries its key.
logging.getLogger("httpx").setLevel(logging.WARNING)

Line = socket.socket
CONNECT_S, ANSWER_S, SMTP_S, PUSH_S = 3.0, 6.0, 5.0, 5.0
MOST_ANSWER = 100_000


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    # Redirects are not followed: a gateway's address is what the operator wrote, and nothing else gets our token.
    return httpx.Client(timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S), follow_redirects=False,
                        limits=httpx.Limits(max_keepalive_connections=40, keepalive_expiry=20),
                        # A proxy of the environment serves the outside, never the simulators beside us.
                        mounts={"all://127.0.0.1": None, "all://localhost": None})  # fmt: skip


def post(
    permit: Permit,
    url: str,
    body: Mapping[str, Any] | bytes,
    headers: Mapping[str, str] | None = None,
    *,
    timeout_s: float = ANSWER_S,
) -> dict[str, Any]:
    """Post JSON; the answer's JSON object, {} where it has none.

    Raises Undeliverable for what the gateway will never take (400, 404, 410, 413, 422), Trouble for everything else.
    """
    require(permit)
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    given = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "haitang", **(headers or {})}
    try:
        answer = _client().post(
            url, content=content, headers=given, timeout=httpx.Timeout(timeout_s, connect=CONNECT_S)
        )
    except httpx.TimeoutException as error:
        raise Trouble("timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Trouble(f"connection: {type(error).__name__}") from error
    return _read(answer)


def stream(permit: Permit, host: str, port: int, *, tls: bool) -> Line:
    """Open a line to `host`, for protocols that keep one; with `tls` its certificate is checked."""
    require(permit)
    try:
        line = socket.create_connection((host, port), timeout=CONNECT_S)
        return ssl.create_default_context().wrap_socket(line, server_hostname=host) if tls else line
    except TimeoutError as error:
        raise Trouble("timeout") from error
    except (OSError, ValueError) as error:
        raise Trouble(f"connection: {type(error).__name__}") from error


def broker(permit: Permit, url: str, name: str, topic: str, arrived: Callable[[Any], None]) -> Any:
    """Connect to an MQTT broker and subscribe; `arrived` gets each message, to be acknowledged by hand.

    The session is kept under `name` while we are away. paho connects again by itself.
    """
    require(permit)
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    parts = urlsplit(url)
    tls = parts.scheme == "mqtts"
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, manual_ack=True)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if tls:
        client.tls_set()
    client.on_connect = lambda it, *_: it.subscribe(topic, qos=1)
    client.on_message = lambda _it, _data, message: arrived(message)
    client.connect_timeout = CONNECT_S
    try:
        client.connect(parts.hostname or "", parts.port or (8883 if tls else 1883), keepalive=30)
    except TimeoutError as error:
        raise Trouble("timeout") from error
    except (OSError, ValueError) as error:
        raise Trouble(f"connection: {type(error).__name__}") from error
    client.loop_start()
    return client


def _read(answer: httpx.Response) -> dict[str, Any]:
    found: Any = {}
    if len(answer.content) <= MOST_ANSWER:
        try:
            found = answer.json()
        except ValueError:
            found = {}
    said = found if isinstance(found, dict) else {}
    status = answer.status_code
    if status < 300 or status == 409:  # 409: it has this key already
        return said
    detail = str(said.get("error") or said.get("detail") or status)[:120]
    if status in {401, 403}:
        raise Trouble(f"credentials: {status}")
    if status == 429:
        raise Trouble("rate", after_s=_seconds(answer.headers.get("Retry-After")))
    if status in {400, 404, 410, 413, 422}:
        code = detail if detail in {"unknown_number", "absent", "busy"} else f"rejected: {detail}"
        raise Undeliverable(code)
    raise Trouble(f"server: {status}", after_s=_seconds(answer.headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    try:
        return min(3600.0, max(0.0, float(text or "")))
    except ValueError:
        return None


def mail(permit: Permit, server: str, message: EmailMessage) -> None:
    """Hand a mail to `server`: host:port, or smtp[s]://user:password@host:port (smtp:// with a user asks for STARTTLS)."""
    require(permit)
    parts = urlsplit(server if "://" in server else f"smtp://{server}")
    host, tls = parts.hostname or "", parts.scheme == "smtps"
    try:
        port = parts.port or (465 if tls else 25)
        with _smtp(host, port, tls) as smtp:
            if parts.username:
                if not tls:
                    smtp.starttls(context=ssl.create_default_context())
                smtp.login(unquote(parts.username), unquote(parts.password or ""))
            smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (550, b""))
        kind = Undeliverable if code >= 500 else Trouble
        raise kind(f"{'mailbox_unknown' if code >= 500 else 'server'}: {code} {_words(said)}") from error
    except smtplib.SMTPAuthenticationError as error:
        raise Trouble(f"credentials: {error.smtp_code}") from error
    except smtplib.SMTPResponseException as error:
        kind = Undeliverable if error.smtp_code in {550, 552, 553, 554} else Trouble
        reason = "rejected" if kind is Undeliverable else "server"
        raise kind(f"{reason}: {error.smtp_code} {_words(error.smtp_error)}") from error
    except TimeoutError as error:
        raise Trouble("timeout") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise Trouble(f"connection: {type(error).__name__}") from error


def _smtp(host: str, port: int, tls: bool) -> smtplib.SMTP:
    if tls:
        return smtplib.SMTP_SSL(host, port, timeout=SMTP_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=SMTP_S)


def _words(said: bytes | str) -> str:
    return (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))[:100]


def push(permit: Permit, subscription: Mapping[str, Any], payload: Mapping[str, Any], *, private_key: str, contact: str, topic: str) -> None:  # fmt: skip
    """Hand an encrypted notification to a browser's push service. Undeliverable where the subscription has ended."""
    require(permit)
    import requests
    from pywebpush import WebPushException, webpush

    endpoint = str(subscription["endpoint"])
    _must_be_public(endpoint)
    try:
        with requests.Session() as session:
            session.max_redirects = 0
            webpush(
                subscription, json.dumps(payload, ensure_ascii=False), vapid_private_key=private_key,
                vapid_claims={"sub": contact}, ttl=3600, timeout=PUSH_S,
                headers={"Urgency": "high", "Topic": topic[:32]}, requests_session=session,
            )  # fmt: skip
    except WebPushException as error:
        status = getattr(error.response, "status_code", None)
        if status in {404, 410}:
            raise Undeliverable("browser_gone") from error
        if status == 429:
            raise Trouble("rate", after_s=_seconds(error.response.headers.get("Retry-After"))) from error
        if status in {400, 401, 403, 413}:
            raise Undeliverable(f"rejected: {status}") from error
        raise Trouble(f"server: {status}") from error
    except requests.Timeout as error:
        raise Trouble("timeout") from error
    except (requests.RequestException, OSError) as error:
        raise Trouble(f"connection: {type(error).__name__}") from error
    except ValueError as error:  # a key that is none
        raise Undeliverable(f"rejected: {error}") from error


def _must_be_public(endpoint: str) -> None:
    """A browser's address comes from outside: it must not make us call our own network."""
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.hostname:
        raise Undeliverable("rejected: not an https address")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Trouble(f"connection: {type(error).__name__}") from error
    if not all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_global for each in found):
        raise Undeliverable("rejected: an address inside this network")
