"""One pull of one connector, and the loop over those that are due.

A connector that is due is claimed by moving its due time: whoever changes the row pulls, every other process passes by.
When one dies meanwhile, the moved time comes and another pulls; readings that come twice are counted as duplicates.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.config.env import env
from haitang.journal.services import record
from haitang.monitoring import door
from haitang.monitoring.batch import Rejection
from haitang.monitoring.connectors import fetch, mapping, sensorthings
from haitang.monitoring.connectors.fetch import FetchError
from haitang.monitoring.connectors.mapping import MappingError
from haitang.monitoring.models import Connector
from haitang.monitoring.wire import BatchError
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

LOOP_S = 1.0
AT_ONCE = 4
CLAIM_S = 120
MOST_BACKOFF_S = 6 * 3600
PAGES = 20
Get = Callable[[str], Any]


def run(stop: threading.Event) -> None:
    """Pull what is due until `stop` is set."""
    with ThreadPoolExecutor(AT_ONCE, "monitoring-pull") as pool:
        running: set[Future[None]] = set()
        while not stop.wait(LOOP_S):
            running = {each for each in running if not each.done()}
            close_old_connections()
            try:
                for connector in due(AT_ONCE - len(running)):
                    running.add(pool.submit(_apart, connector))
            except DatabaseError:
                logger.exception("connectors are not looked at: the database does not answer; tried again")


def _apart(connector: Connector) -> None:
    try:
        pull(connector)
    except Exception:
        logger.exception("connector %s stumbled", connector.code)
    finally:
        connection.close()


def due(most: int) -> list[Connector]:
    """Claim up to `most` connectors whose time has come."""
    moment, claimed = timezone.now(), []
    rows = Connector.objects.filter(is_active=True, next_at__lte=moment).order_by("next_at")
    for connector in rows[: max(0, most)]:
        later = moment + timedelta(seconds=CLAIM_S)
        if Connector.objects.filter(pk=connector.pk, next_at=connector.next_at).update(next_at=later):
            claimed.append(connector)
    return claimed


def pull(connector: Connector) -> None:
    """Fetch what there is, put it through the door, and say when to come again."""
    trouble, accepted, refused, why = "", 0, 0, ""
    try:
        accepted, refused, why = _pull(connector, Space.live())
    except (FetchError, BatchError, MappingError) as error:
        trouble = str(error)
    _settle(connector, timezone.now(), accepted, refused, why, trouble)


def _pull(connector: Connector, space: Space) -> tuple[int, int, str]:
    headers = {connector.header: connector.secret} if connector.header and connector.secret else {}

    def get(url: str) -> Any:
        return fetch.get_json(url, headers=headers, networks=env("HAITANG_CONNECTOR_NETWORKS"))

    rules, source = mapping.read_rules(connector.mapping), f"pull:{connector.code}"
    allowed = door.by_prefix(connector.prefix)
    accepted = refused = 0
    reasons: list[Rejection] = []
    if connector.kind == Connector.Kind.JSON:
        columns = mapping.readings(
            get(connector.url), connector.rows_path, connector.time_path, rules, mapping.offset(connector.utc_offset)
        )
        receipt = door.receive_columns(space, columns, source, allowed)
        accepted, refused = receipt.accepted, sum(receipt.refused.values())
        reasons += list(receipt.rejections[:1])
    else:
        for rule in rules:
            since = connector.cursor.get(rule.path, "")
            url = sensorthings.first_page(connector.url, rule, since)
            for _page in range(PAGES):
                document = get(url)
                columns, newest = sensorthings.readings(document, rule)
                receipt = door.receive_columns(space, columns, source, allowed)
                accepted, refused = accepted + receipt.accepted, refused + sum(receipt.refused.values())
                reasons += list(receipt.rejections[:1])
                if newest:
                    connector.cursor[rule.path] = max(newest, connector.cursor.get(rule.path, ""))
                url = sensorthings.next_page(document, url) if since else ""
                if not url:
                    break
    why = "; ".join(f"{each.field} {each.value}: {each.rule}" for each in reasons[:1])
    return accepted, refused, why


def _settle(connector: Connector, moment: datetime, accepted: int, refused: int, why: str, trouble: str) -> None:
    """Write down how it went. The journal is told when a connector fails and when it works again, not at every pull."""
    with transaction.atomic():
        row = Connector.objects.select_for_update().get(pk=connector.pk)
        was_failing = row.failures > 0
        row.last_at, row.taken, row.refused = moment, row.taken + accepted, row.refused + refused
        row.cursor = connector.cursor
        wait = row.interval_s
        if trouble:
            row.failures += 1
            wait = min(MOST_BACKOFF_S, row.interval_s * 2 ** min(row.failures, 12))
            row.last_error = trouble[:300]
        else:
            row.failures, row.last_good_at, row.last_error = 0, moment, why[:300]
        row.next_at = moment + timedelta(seconds=wait)
        row.save(
            update_fields=["last_at", "taken", "refused", "cursor", "failures", "last_error", "last_good_at", "next_at"]
        )
        if bool(trouble) != was_failing:
            zh = f"数据接口 {row.code} 采集失败：{trouble[:120]}" if trouble else f"数据接口 {row.code} 恢复采集"
            en = f"Connector {row.code} fails: {trouble[:120]}" if trouble else f"Connector {row.code} works again"
            record(
                space=Space.live(), verb="monitoring.connector_state", by=SYSTEM, subject=row, thread=row,
                organisation=row.operator, after={"failing": bool(trouble), "error": trouble[:300]},
                text_zh=zh, text_en=en,
            )  # fmt: skip
