"""Feeds of CAP messages, Atom and RSS 2.0, as aggregators read them. Source: RFC 4287; RSS 2.0; OASIS CAP 1.2 feed practice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from lxml import etree

from haitang.alerting.cap_schema import NAMESPACE
from haitang.alerting.cap_values import cap_time

ATOM: Final = "http://www.w3.org/2005/Atom"
CAP_TYPE: Final = "application/cap+xml"
_NAMESPACES: Final[dict[str | None, str]] = {None: ATOM, "cap": NAMESPACE}


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One message in the feed. `cap_url` leads to the XML, `page_url` to the page for people."""

    identifier: str
    title: str
    summary: str
    updated: datetime
    cap_url: str
    page_url: str
    author: str
    msg_type: str
    event: str
    severity: str
    expires: datetime | None = None
    # Bytes of the CAP message, for the enclosure of RSS.
    size: int = 0


def atom(
    *, title: str, self_url: str, page_url: str, updated: datetime, items: Sequence[FeedItem], language: str
) -> bytes:
    """Write an Atom feed, newest message first; identifiers must be unique (ValueError names the one that is not)."""
    _once(items)
    root = etree.Element(f"{{{ATOM}}}feed", nsmap=_NAMESPACES)  # type: ignore[arg-type]
    root.set("{http://www.w3.org/XML/1998/namespace}lang", language)
    _add(root, "id", self_url)
    _add(root, "title", title)
    _add(root, "updated", _rfc3339(updated))
    _add(root, "link", rel="self", href=self_url, type="application/atom+xml")
    _add(root, "link", rel="alternate", href=page_url, type="text/html")
    for item in _newest_first(items):
        _entry(root, item)
    etree.indent(root, space="  ")
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def rss(
    *, title: str, self_url: str, page_url: str, updated: datetime, items: Sequence[FeedItem], language: str
) -> bytes:
    """Write an RSS 2.0 feed, newest message first; the CAP message is each item's link and enclosure."""
    _once(items)
    root = etree.Element("rss", nsmap={"cap": NAMESPACE, "atom": ATOM}, version="2.0")
    channel = etree.SubElement(root, "channel")
    for tag, text in (
        ("title", title), ("link", page_url), ("description", title), ("language", language),
        ("lastBuildDate", format_datetime(updated)), ("ttl", "1"),
    ):  # fmt: skip
        etree.SubElement(channel, tag).text = text
    etree.SubElement(channel, f"{{{ATOM}}}link", rel="self", href=self_url, type="application/rss+xml")
    for item in _newest_first(items):
        row = etree.SubElement(channel, "item")
        for tag, text in (("title", item.title), ("link", item.cap_url), ("description", item.summary)):
            etree.SubElement(row, tag).text = text
        etree.SubElement(row, "category").text = item.event
        etree.SubElement(row, "enclosure", url=item.cap_url, length=str(item.size), type=CAP_TYPE)
        etree.SubElement(row, "guid", isPermaLink="false").text = item.identifier
        etree.SubElement(row, "pubDate").text = format_datetime(item.updated)
        etree.SubElement(row, "source", url=self_url).text = item.author
        _cap_values(row, item)
    etree.indent(root, space="  ")
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def _once(items: Sequence[FeedItem]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.identifier in seen:
            raise ValueError(f"message {item.identifier} stands twice in the feed: give each message once")
        seen.add(item.identifier)


def _newest_first(items: Sequence[FeedItem]) -> list[FeedItem]:
    return sorted(items, key=lambda one: one.updated, reverse=True)


def _entry(root: etree._Element, item: FeedItem) -> None:
    entry = etree.SubElement(root, f"{{{ATOM}}}entry")
    _add(entry, "id", item.cap_url)
    _add(entry, "title", item.title)
    _add(entry, "updated", _rfc3339(item.updated))
    author = etree.SubElement(entry, f"{{{ATOM}}}author")
    _add(author, "name", item.author)
    _add(entry, "summary", item.summary)
    _add(entry, "link", rel="alternate", href=item.page_url, type="text/html")
    _add(entry, "link", rel="enclosure", href=item.cap_url, type=CAP_TYPE)
    _cap_values(entry, item)


def _cap_values(parent: etree._Element, item: FeedItem) -> None:
    """What a reader sorts by, so that it need not fetch every message."""
    values = [
        ("identifier", item.identifier),
        ("msgType", item.msg_type),
        ("event", item.event),
        ("severity", item.severity),
    ]
    if item.expires:
        values.append(("expires", cap_time(item.expires)))
    for tag, text in values:
        etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}").text = text


def _add(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> None:
    child = etree.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
    child.text = text


def _rfc3339(moment: datetime) -> str:
    return cap_time(moment)
