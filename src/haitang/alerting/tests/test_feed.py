"""The Atom feed others read our warnings from. 3.4.2; RFC 4287."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from haitang.alerting.feed import ATOM, FeedItem, atom

NOON = datetime(2024, 9, 15, 4, 0, tzinfo=UTC)
ITEM = FeedItem(
    identifier="99000160000000_20240915080000_0",
    title="暴雨橙色预警",
    summary="预计降雨 & 大风 <请注意>",
    updated=NOON,
    cap_url="https://example.org/public/cap/1.xml",
    page_url="https://example.org/public/warnings/1/",
    author="示范区应急管理局",
    msg_type="Alert",
    event="暴雨",
    severity="Severe",
    expires=NOON + timedelta(hours=6),
)


def _feed(*items: FeedItem) -> etree._Element:
    data = atom(
        title="预警",
        self_url="https://example.org/f",
        page_url="https://example.org/",
        updated=NOON,
        items=items,
        language="zh-CN",
    )
    return etree.fromstring(data)


def test_an_entry_has_what_atom_requires_and_leads_to_the_cap_message() -> None:
    entry = _feed(ITEM).find(f"{{{ATOM}}}entry")
    assert entry is not None
    assert entry.findtext(f"{{{ATOM}}}id") == ITEM.cap_url
    assert entry.findtext(f"{{{ATOM}}}updated") == "2024-09-15T12:00:00+08:00"
    assert entry.findtext(f"{{{ATOM}}}summary") == ITEM.summary
    links = {link.get("type"): link.get("href") for link in entry.iterfind(f"{{{ATOM}}}link")}
    assert links == {"text/html": ITEM.page_url, "application/cap+xml": ITEM.cap_url}


def test_the_newest_message_stands_first() -> None:
    later = replace(ITEM, identifier="2", cap_url="https://example.org/2", updated=NOON + timedelta(hours=1))
    ids = [entry.findtext(f"{{{ATOM}}}id") for entry in _feed(ITEM, later).iterfind(f"{{{ATOM}}}entry")]
    assert ids == ["https://example.org/2", ITEM.cap_url]


def test_a_message_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        _feed(ITEM, ITEM)
