"""Where a channel's gateway is: what the operator set, or the local simulator."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import salted_hmac

from haitang.config.env import env

SMTP_OFFSET = 1
"""The mail sink listens on the port after the HTTP simulators'."""


@dataclass(frozen=True)
class Gateway:
    """An address to post to, the secret that opens it, and whether only the simulator stands there."""

    url: str
    secret: str = ""
    simulated: bool = False


def token() -> str:
    """The bearer token that gateways and their receipts use: the operator's, or one made from the secret key."""
    given = str(env("HAITANG_GATEWAY_TOKEN"))
    return given or salted_hmac("haitang.delivery.gateway", "token", algorithm="sha256").hexdigest()


SMPP_OFFSET = 2
"""The SMPP simulator listens on the second port after the HTTP simulators'."""


def speaks(url: str) -> str:
    """The protocol of an address: http, smpp or mqtt."""
    scheme = urlsplit(url).scheme.lower()
    return {"smpps": "smpp", "mqtts": "mqtt", "https": "http"}.get(scheme, scheme or "http")


def is_simulator(url: str) -> bool:
    """Whether an address is one of the simulators beside us."""
    parts, first = urlsplit(url), int(env("HAITANG_SIM_PORT"))
    return parts.hostname in {"127.0.0.1", "localhost"} and parts.port in range(first, first + SMPP_OFFSET + 1)


def simulators() -> str:
    """The address of the local simulators."""
    return f"http://127.0.0.1:{env('HAITANG_SIM_PORT')}"


def http(channel: str, setting: str) -> Gateway:
    """The gateway of an HTTP channel by the name of its setting."""
    url = str(env(setting))
    return (
        Gateway(url, token(), simulated=is_simulator(url))
        if url
        else Gateway(f"{simulators()}/{channel}", token(), simulated=True)
    )


def smtp() -> Gateway:
    """The mail server."""
    server = str(env("HAITANG_SMTP"))
    return (
        Gateway(server)
        if server
        else Gateway(f"127.0.0.1:{int(env('HAITANG_SIM_PORT')) + SMTP_OFFSET}", simulated=True)
    )


def receipts_url(channel: str) -> str:
    """Where a gateway posts this channel's receipts."""
    return absolute(reverse("delivery:receipts", args=[channel]))


def absolute(url: str) -> str:
    """A link that works outside the platform; empty stays empty."""
    return f"{settings.PUBLIC_URL}{url}" if url.startswith("/") else url
