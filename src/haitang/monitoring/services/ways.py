"""Ways in: connectors put on record and switched, and files of history handed in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Refused, verb
from haitang.journal.services import record
from haitang.monitoring import backfill as files
from haitang.monitoring.models import Backfill, Connector
from haitang.monitoring.services.network import KEEPERS
from haitang.monitoring.wire import BatchError
from haitang.spaces.models import Space

CONNECTOR_KEEPERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.DEPARTMENT})


@verb("monitoring.save_connector", roles=CONNECTOR_KEEPERS)
def save_connector(connector: Connector, *, by: Actor) -> Connector:
    """Put a connector on record, or change it. It is pulled at once."""
    before = Connector.objects.filter(pk=connector.pk).first() if connector.pk else None
    connector.next_at = timezone.now()
    connector.failures = 0
    if before is not None and (before.url, before.mapping) != (connector.url, connector.mapping):
        connector.cursor = {}
    connector.full_clean(exclude=["cursor", "last_at", "last_good_at"])
    connector.save()
    shown = ("code", "kind", "url", "interval_s", "mapping", "prefix", "is_active")
    record(
        space=Space.live(), verb="monitoring.save_connector", by=by, subject=connector, thread=connector,
        organisation=connector.operator,
        before={name: getattr(before, name) for name in shown} if before else None,
        after={name: getattr(connector, name) for name in shown},
        text_zh=f"登记数据接口：{connector.code}", text_en=f"Connector put on record: {connector.code}",
    )  # fmt: skip
    return connector


@verb("monitoring.switch_connector", roles=CONNECTOR_KEEPERS)
def switch_connector(connector: Connector, *, on: bool, by: Actor) -> Connector:
    """Switch a connector on or off."""
    connector.is_active, connector.next_at, connector.failures = on, timezone.now(), 0
    connector.save(update_fields=["is_active", "next_at", "failures"])
    record(
        space=Space.live(), verb="monitoring.switch_connector", by=by, subject=connector, thread=connector,
        organisation=connector.operator, after={"on": on},
        text_zh=f"{'启用' if on else '停用'}数据接口：{connector.code}",
        text_en=f"Connector switched {'on' if on else 'off'}: {connector.code}",
    )  # fmt: skip
    return connector


@verb("monitoring.pull_now", roles=CONNECTOR_KEEPERS)
def pull_now(connector: Connector, *, by: Actor) -> Connector:
    """Have a connector pulled at the next round, whenever its time would be."""
    if not connector.is_active:
        raise Refused(_("The connector is off: switch it on first"))
    connector.next_at = timezone.now()
    connector.save(update_fields=["next_at"])
    record(
        space=Space.live(), verb="monitoring.pull_now", by=by, subject=connector, thread=connector,
        organisation=connector.operator,
        text_zh=f"立即采集数据接口：{connector.code}", text_en=f"Connector pulled by hand: {connector.code}",
    )  # fmt: skip
    return connector


@verb("monitoring.begin_backfill", roles=KEEPERS)
def begin_backfill(space: Space, *, name: str, parts: Iterable[bytes], by: Actor) -> Backfill:
    """Hand in a CSV or XLSX file of history; the worker takes it in. Raises BatchError when it cannot be read at all."""
    if not space.is_open:
        raise Refused(_("This exercise is closed; it takes no readings any more"))
    path = files.folder() / secrets.token_hex(16)
    size = 0
    try:
        with path.open("wb") as file:
            for part in parts:
                size += len(part)
                if size > files.MOST_BYTES:
                    raise BatchError(
                        "too_large", f"At most {files.MOST_BYTES // 1_000_000} MB are taken; split the file"
                    )
                file.write(part)
        files.look(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    user: Any = None if isinstance(by, System) else by
    made = Backfill.objects.create(space=space, user=user, name=Path(name).name[:120], size=size, path=path.name)
    record(
        space=space, verb="monitoring.begin_backfill", by=by, subject=made, thread=made, after={"file": made.name, "bytes": size},
        text_zh=f"提交补录文件：{made.name}", text_en=f"Back-fill file handed in: {made.name}",
    )  # fmt: skip
    return made
