"""Another platform's SensorThings (1.0 and 1.1) to readings. Pure.

The mapping has a line for each Datastream: `17 = CQ-TIDE.level m`. Observations are asked for oldest first, from the
last one that we have; the answer says where its next page is.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from haitang.monitoring.connectors.mapping import Rule
from haitang.monitoring.wire import BatchError, Columns

PAGE = 1000


def first_page(root: str, rule: Rule, since: str) -> str:
    """The address of a Datastream's observations after a time (ISO 8601), or of its newest ones without it."""
    number = rule.path if rule.path.lstrip("-").isdigit() else "'" + rule.path.replace("'", "''") + "'"
    ask = {"$select": "phenomenonTime,result", "$top": str(PAGE), "$orderby": "phenomenonTime asc"}
    if since:
        ask["$filter"] = f"phenomenonTime gt {since}"
    else:
        ask |= {"$orderby": "phenomenonTime desc", "$top": "1"}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in ask.items())
    return f"{root.rstrip('/')}/Datastreams({quote(number, safe=chr(39))})/Observations?{query}"


def next_page(document: Any, url: str) -> str:
    """The address of the next page, empty if there is none; raises BatchError for one on another server."""
    link = document.get("@iot.nextLink") if isinstance(document, dict) else None
    if not isinstance(link, str) or not link:
        return ""
    following = urljoin(url, link)
    if urlsplit(following)[:2] != urlsplit(url)[:2]:
        raise BatchError("malformed", "the answer's next page lies on another server")
    return following


def readings(document: Any, rule: Rule) -> tuple[Columns, str]:
    """The readings of a page, and the time of its newest one as it was written there."""
    rows = document.get("value") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise BatchError("malformed", "the answer is no page of observations: it has no list `value`")
    found, newest = Columns(unit=[]), ""
    assert found.unit is not None
    for row in rows:
        if not isinstance(row, dict) or isinstance(row.get("result"), bool | None):
            continue
        # An interval is said as begin/end; a reading stands at its end.
        moment = str(row.get("phenomenonTime") or "").rpartition("/")[2]
        found.series.append(rule.series)
        found.time.append(moment)
        found.value.append(_number(row["result"]))
        found.unit.append(rule.unit or None)
        newest = max(newest, moment)
    return found, newest


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
