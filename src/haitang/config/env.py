"""Every setting an operator can make: its name, default, meaning. docs/operations.md lists the same (a test agrees)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


class SettingError(ValueError):
    """An environment variable holds a value that its setting does not take."""


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected one of 1, 0, true, false, yes, no, on, off")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@dataclass(frozen=True)
class Setting:
    """One environment variable: how to read it, what it is without one, and why it exists."""

    name: str
    default: str
    doc: str
    parse: Callable[[str], Any] = str


SETTINGS: dict[str, Setting] = {
    s.name: s
    for s in (
        Setting("HAITANG_DATA", str(ROOT / "var"), "Folder for the database, uploads, keys and logs", Path),
        Setting("HAITANG_PACKS", str(ROOT / "packs"), "Folder that holds the data packs", Path),
        Setting("HAITANG_WEB", str(ROOT / "web"), "Folder of the built front end (its dist/ and node_modules/)", Path),
        Setting("HAITANG_PACK", "chongming", "The data pack of this district"),
        Setting("HAITANG_DATABASE_URL", "", "postgresql://user:password@host/name; empty means SQLite in HAITANG_DATA"),
        Setting(
            "HAITANG_SECRET_KEY", "", "Signing key; empty means one made at first start in HAITANG_DATA/secret_key"
        ),
        Setting("HAITANG_DEBUG", "0", "Django's debug pages; never in production", _flag),
        Setting("HAITANG_DEMO", "0", "Demonstration: demo sign-ins shown, no second factor for demo accounts", _flag),
        Setting("HAITANG_HOSTS", "127.0.0.1,localhost,[::1]", "Host names this server answers to", _words),
        Setting("HAITANG_HTTPS", "0", "Served behind TLS: secure cookies and HSTS", _flag),
        Setting("HAITANG_ADDRESS", "127.0.0.1", "Address the web processes bind to"),
        Setting("HAITANG_PORT", "8000", "Port of pages and API", int),
        Setting("HAITANG_LIVE_PORT", "8001", "Port of live streams", int),
        Setting("HAITANG_LIVE_URL", "", "Public address of live streams; empty means this host at HAITANG_LIVE_PORT"),
        Setting("HAITANG_PUBLIC_URL", "", "Public address of this platform, used in links that leave it"),
        Setting("HAITANG_WORKERS", "2", "Web worker processes", int),
        Setting("HAITANG_SIM_PORT", "8002", "Port of the gateway simulators", int),
        Setting(
            "HAITANG_SMS_URL",
            "",
            "SMS gateway: http(s):// (our protocol), or smpp(s)://system_id:password@host:port; empty means the local simulator",
        ),
        Setting("HAITANG_SMS_RATE", "200", "Text messages a second that the SMS gateway takes", float),
        Setting("HAITANG_SMS_BATCH", "1", "Text messages that the SMS gateway takes in one HTTP request", int),
        Setting("HAITANG_VOICE_URL", "", "Voice-call gateway (HTTP); empty means the local simulator"),
        Setting(
            "HAITANG_WECOM_URL",
            "",
            "WeCom 企业微信 group robot, its whole address, for organisations without one of their own; empty means the local simulator",
        ),
        Setting(
            "HAITANG_LOUDSPEAKER_URL",
            "",
            "Village loudspeakers: http(s):// gateway, or mqtt(s):// broker; empty means the local simulator",
        ),
        Setting(
            "HAITANG_SCREEN_URL",
            "",
            "Public screens: http(s):// gateway, or mqtt(s):// broker; empty means the local simulator",
        ),
        Setting("HAITANG_CELLBROADCAST_URL", "", "Cell broadcast entity (HTTP, JSON); empty means the local simulator"),
        Setting(
            "HAITANG_SIM_BROKER",
            "",
            "mqtt:// broker on which the simulators play loudspeakers and screens; empty means none",
        ),
        Setting(
            "HAITANG_GATEWAY_TOKEN",
            "",
            "Bearer token that gateways and their receipts use; empty means one made from the secret key",
        ),
        Setting(
            "HAITANG_SMTP",
            "",
            "host:port of the mail server, or smtp[s]://user:password@host:port; empty means the local sink",
        ),
        Setting("HAITANG_MAIL_FROM", "haitang@localhost", "Sender of e-mail"),
        Setting("HAITANG_WEBPUSH_CONTACT", "mailto:haitang@localhost", "Contact that web-push services may write to"),
        Setting(
            "HAITANG_READINGS_DAYS", "0", "Days for which readings of the live world are kept; 0 means for good", int
        ),
        Setting(
            "HAITANG_LONG_STORE",
            "",
            "Where sealed readings of the live world are copied: http(s):// of VictoriaMetrics, or postgresql://; empty means nowhere",
        ),
        Setting("HAITANG_MQTT_URL", "", "mqtt://user:password@host:port of the telemetry broker; empty means none"),
        Setting(
            "HAITANG_MQTT_LISTEN",
            "1884",
            "Port, or address:port, of the platform's own MQTT endpoint; without an address HAITANG_ADDRESS; empty means none",
        ),
        Setting(
            "HAITANG_MQTT_TLS_LISTEN", "8883", "The same with TLS, used when HAITANG_MQTT_CERT is set; empty means none"
        ),
        Setting("HAITANG_MQTT_CERT", "", "Certificate (PEM file) of the MQTT endpoint; empty means no TLS"),
        Setting("HAITANG_MQTT_KEY", "", "Its private key (PEM file); empty means it stands in HAITANG_MQTT_CERT"),
        Setting(
            "HAITANG_MQTT_CLIENT_CA",
            "",
            "Authority (PEM file) whose client certificates sign in at the MQTT endpoint; empty means none do",
        ),
        Setting("HAITANG_MQTT_CONNECTIONS", "20000", "Most connections of the MQTT endpoint at once", int),
        Setting(
            "HAITANG_CONNECTOR_NETWORKS",
            "",
            "Inner networks (10.0.0.0/8, ...) in which connectors may fetch; empty means public addresses only",
            _words,
        ),
        Setting(
            "HAITANG_CAP_SIGN",
            "1",
            "Sign published CAP messages; on, an actual public warning never goes out unsigned",
            _flag,
        ),
        Setting(
            "HAITANG_CAP_KEY",
            "",
            "Private key (PEM file) that signs CAP messages; empty means HAITANG_DATA/cap_signing.key",
        ),
        Setting("HAITANG_CAP_CERTIFICATE", "", "Its certificate (PEM file); empty means HAITANG_DATA/cap_signing.crt"),
        Setting(
            "HAITANG_FEED_NETWORKS",
            "",
            "Inner networks (10.0.0.0/8, ...) in which feeds of others may lie; empty means public addresses only",
            _words,
        ),
        Setting("HAITANG_BASEMAP_URL", "", "Raster tiles {z}/{x}/{y}, for example 天地图; empty means none"),
        Setting("HAITANG_BASEMAP_KEY", "", "Key that is put for {key} in HAITANG_BASEMAP_URL"),
        Setting("HAITANG_BASEMAP_CRS", "wgs84", "Coordinate system of the base map: wgs84 or gcj02"),
        Setting("HAITANG_LOG_LEVEL", "INFO", "Level of the log on standard error"),
    )
}


def env(name: str) -> Any:
    """The value of one declared setting; SettingError names the variable, the value and what it takes."""
    setting = SETTINGS[name]
    text = os.environ.get(name, setting.default)
    try:
        return setting.parse(text)
    except ValueError as error:
        raise SettingError(f"{name}={text!r}: {error}. {setting.doc}.") from error
