"""What stands in a feed of somebody else's warnings: CAP messages themselves, or addresses where they are. Pure.

Read leniently, parsed like a CAP message: no document type, no entities, no network, within limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from lxml import etree

from haitang.alerting import national
from haitang.alerting.cap_schema import NAMESPACE, OLD_NAMESPACES
from haitang.alerting.cap_xml import MAX_DEPTH, MAX_ELEMENTS

ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ALERTS: Final = tuple(f"{{{space}}}alert" for space in (NAMESPACE, *OLD_NAMESPACES))
_CAP_TYPES: Final = ("application/cap+xml", "application/common-alerting-protocol+xml")
# More entries than this are not looked at in one reading; the oldest are left.
MOST: Final = 500


class FeedUnreadable(ValueError):
    """A feed that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a CAP message is, and what the feed says of its age: unchanged means not fetched again."""

    url: str
    version: str = ""


@dataclass(frozen=True)
class Contents:
    """What a feed holds."""

    messages: tuple[bytes, ...] = ()
    links: tuple[Link, ...] = ()
    records: tuple[Mapping[str, Any], ...] = field(default=())

    def __len__(self) -> int:
        return len(self.messages) + len(self.links) + len(self.records)


def read(data: bytes, *, base: str, form: str = "auto") -> Contents:
    """The contents of a feed fetched from `base`. Raises FeedUnreadable."""
    if form == "national" or (form == "auto" and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")):
        try:
            return Contents(records=tuple(national.records(data)[:MOST]))
        except national.NotNational as error:
            raise FeedUnreadable(str(error)) from error
    root = _tree(data)
    if root.tag in _ALERTS:
        return Contents(messages=(data,))
    name = etree.QName(root).localname
    entry: Callable[[etree._Element, str], Iterator[Link]]
    if name == "feed" and form in ("auto", "atom"):
        entries, entry = list(root.iterfind(f"{ATOM}entry"))[:MOST], _atom_entry
    elif name in ("rss", "RDF") and form in ("auto", "rss"):
        entries, entry = list(root.iterfind(".//{*}item"))[:MOST], _rss_item
    elif form == "auto":
        # EDXL-DE and the like carry the messages themselves.
        found = _inside(root)
        if not found:
            raise FeedUnreadable(f"neither a feed nor a CAP message: the root element is {name}")
        return Contents(messages=tuple(found))
    else:
        raise FeedUnreadable(f"no {form} feed: the root element is {name}")
    messages: list[bytes] = []
    links: list[Link] = []
    for one in entries:
        inside = _inside(one)
        messages += inside
        if not inside:
            links += entry(one, base)
    return Contents(tuple(messages), tuple(dict.fromkeys(links)))


def _tree(data: bytes) -> etree._Element:
    head = data.replace(b"\0", b"")
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise FeedUnreadable("a document type or entity declaration: refused for safety")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, collect_ids=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FeedUnreadable(f"not well-formed: {error}"[:200]) from error
    depth = count = 0
    for event, _element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        count += event == "start"
        if depth > MAX_DEPTH or count > MAX_ELEMENTS:
            raise FeedUnreadable("too deep or too many elements")
    return root


def _inside(element: etree._Element) -> list[bytes]:
    found = [one for tag in _ALERTS for one in element.iter(tag)]
    return [etree.tostring(one, encoding="UTF-8", xml_declaration=True, with_tail=False) for one in found]


def _atom_entry(entry: etree._Element, base: str) -> Iterator[Link]:
    links = list(entry.iterfind(f"{ATOM}link"))
    typed = [one for one in links if (one.get("type") or "").split(";")[0].strip() in _CAP_TYPES]
    plain = [one for one in links if one.get("rel") in (None, "alternate", "enclosure", "via") and one.get("type") in (None, "application/xml", "text/xml")]  # fmt: skip
    version = (entry.findtext(f"{ATOM}updated") or "").strip()
    for one in (typed or plain)[:1]:
        yield Link(urljoin(base, (one.get("href") or "").strip()), version)


def _rss_item(item: etree._Element, base: str) -> Iterator[Link]:
    version = (item.findtext("{*}pubDate") or item.findtext("pubDate") or "").strip()
    enclosures = [one for one in item.iterfind("enclosure") if (one.get("type") or "") in _CAP_TYPES]
    text = enclosures[0].get("url") if enclosures else (item.findtext("link") or item.findtext("{*}link") or "")
    if text and text.strip():
        yield Link(urljoin(base, text.strip()), version)
