"""`haitang check`: what an operator wants to know before the storm."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from haitang.config.env import env
from haitang.journal.models import Entry, Head

LEAST_FREE = 2_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `state` is good, note (works, could be better) or bad; what to do where it is not good."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def look(only: Collection[str] = ()) -> Iterator[Finding]:
    """Look at everything, or at what is named; a look that fails is itself a finding."""
    for name, each in LOOKS.items():
        if only and name not in only:
            continue
        try:
            yield each()
        except (DatabaseError, OSError) as error:
            yield Finding(name, "bad", str(error), "Mend what is named, then check again")


def _database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    where = settings.DATABASES["default"]["NAME"]
    return Finding("database", "good", f"{connection.vendor} {where}")


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        return Finding("migrations", "bad", f"{len(waiting)} not applied", "haitang init")
    return Finding("migrations", "good", "all applied")


def _pack() -> Finding:
    after = Entry.objects.filter(verb="config.load_pack").order_by("-id").values_list("after", flat=True).first()
    if after is None:
        return Finding("data pack", "bad", "none is loaded", "haitang load-pack NAME")
    total = sum(after["rows"].values())
    return Finding(
        "data pack", "good", f"{after['pack']}, {total} rows{', with demonstration data' if after['demo'] else ''}"
    )


def _front_end() -> Finding:
    if not (settings.WEB / "dist" / "manifest.json").exists():
        return Finding("front end", "bad", "not built", "./run --setup-only")
    return Finding("front end", "good", str(settings.WEB / "dist"))


def _disk() -> Finding:
    free = shutil.disk_usage(settings.DATA).free
    detail = f"{free / 1e9:.1f} GB free at {settings.DATA}"
    return Finding("disk", "good", detail) if free > LEAST_FREE else Finding("disk", "bad", detail, "Make room")


def _secrets() -> Finding:
    if settings.DEBUG:
        return Finding("safety", "bad", "HAITANG_DEBUG is on", "Unset it: its pages show the inside to everybody")
    if settings.DEMO:
        return Finding("safety", "note", "demonstration accounts are open", "HAITANG_DEMO=0 for real use")
    if not settings.HTTPS:
        return Finding("safety", "note", "cookies may travel without TLS", "Serve behind TLS and set HAITANG_HTTPS=1")
    return Finding("safety", "good", "TLS, no demonstration accounts")


def _gateways() -> Finding:
    missing = [
        name for name in ("SMS_URL", "VOICE_URL", "WECOM_URL", "LOUDSPEAKER_URL", "SMTP") if not env(f"HAITANG_{name}")
    ]
    if missing:
        names = ", ".join(f"HAITANG_{name}" for name in missing)
        return Finding("gateways", "note", f"simulated: {names}", "Set them to reach people")
    return Finding("gateways", "good", "all are set")


def _signing() -> Finding:
    from haitang.alerting import signing

    own = signing.standing()
    if not own.is_on:
        return Finding("signing", "note", "warnings go out unsigned", "HAITANG_CAP_SIGN=1")
    if own.trouble:
        return Finding("signing", "bad", own.trouble, "Install a key pair: HAITANG_CAP_KEY and HAITANG_CAP_CERTIFICATE")
    detail = f"{own.subject}, until {own.valid_until:%Y-%m-%d}"
    if own.is_self_made:
        return Finding("signing", "note", f"self-made key: {detail}", "Install a certificate that receivers know")
    if own.ends_soon:
        return Finding("signing", "note", f"ends soon: {detail}", "Renew the certificate")
    return Finding("signing", "good", detail)


def _journal() -> Finding:
    total = sum(Head.objects.values_list("seq", flat=True))
    return Finding("journal", "good", f"{total} entries; haitang verify-journal checks the chain")


LOOKS: dict[str, Callable[[], Finding]] = {
    "database": _database,
    "migrations": _migrations,
    "data pack": _pack,
    "front end": _front_end,
    "disk": _disk,
    "safety": _secrets,
    "gateways": _gateways,
    "signing": _signing,
    "journal": _journal,
}
