"""CAP messages from and to XML: lenient with findings on the way in, strict on the way out.

What comes in is parsed without document type, entities or network and within limits of size, depth and element count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from itertools import islice
from typing import Any, Final

from lxml import etree

from haitang.alerting import cap_schema as schema
from haitang.alerting.cap_findings import CapInvalid, CapUnreadable, Finding, Layer, Level
from haitang.alerting.cap_model import Alert, Area, Info, Pair, Resource
from haitang.alerting.cap_values import XML_SPACE

# The largest real message seen has 1.7 MB and a polygon of 41,009 points (some 700 kB in one text node).
MAX_BYTES: Final = 8_000_000
MAX_DEPTH: Final = 40
MAX_ELEMENTS: Final = 100_000
_NAMESPACES: Final[dict[str | None, str]] = {None: schema.NAMESPACE}
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_CLASSES: Final[dict[str, type[Any]]] = {"alert": Alert, "info": Info, "resource": Resource, "area": Area, "pair": Pair}


def parse(data: bytes) -> tuple[Alert, list[Finding]]:
    """Read one CAP message of version 1.0 to 1.2, keeping what can be kept and reporting every breach of the schema.

    Raises CapUnreadable where the bytes are no XML, hold no CAP message, carry a document type or exceed the limits.
    """
    root = _root(data)
    namespace, _, _name = str(root.tag)[1:].partition("}")
    if namespace == schema.NAMESPACE:
        # Most messages are right: those are read without looking for words about what is wrong.
        try:
            return _plain_reading(root), []
        except _Unusual:
            pass
    _refuse_excess(root)
    reader = _Reader(namespace)
    alert = reader.compound(root, "alert", "/alert")
    if namespace in schema.OLD_NAMESPACES:
        reader.report("OLD_VERSION", "/alert", root, namespace)
    return alert, reader.findings


def _root(data: bytes) -> etree._Element:
    if len(data) > MAX_BYTES:
        raise CapUnreadable(Finding("TOO_LARGE", "/", f"{len(data)} > {MAX_BYTES}"))
    # UTF-16 hides the word behind zero bytes; every declared encoding lxml knows keeps ASCII readable otherwise.
    head = data.replace(b"\0", b"")
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise CapUnreadable(Finding("DOCUMENT_TYPE", "/"))
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise CapUnreadable(Finding("NOT_XML", "/", str(error)[:200])) from error
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise CapUnreadable(Finding("DOCUMENT_TYPE", "/"))
    if root.tag not in _ROOTS:
        raise CapUnreadable(Finding("NOT_CAP", "/", str(root.tag)[:200]))
    return root


_LOCAL: Final = threading.local()


def _parser() -> etree.XMLParser:
    """The hardened parser, one for each thread: making one costs as much as parsing a message."""
    found: etree.XMLParser | None = getattr(_LOCAL, "parser", None)
    if found is None:
        found = _LOCAL.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False,
            huge_tree=False, remove_comments=True, remove_pis=True, collect_ids=False,
        )  # fmt: skip
    return found


def _refuse_excess(root: etree._Element) -> None:
    depth = count = 0
    for event, _element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        count += event == "start"
        if depth > MAX_DEPTH or count > MAX_ELEMENTS:
            raise CapUnreadable(Finding("TOO_DEEP", "/", f"{depth} / {count}"))


class _Unusual(Exception):
    """Something that the plain reading does not know; the thorough one says what."""


class _Lines(Mapping[str, int]):
    """Where everything of a message stands, worked out when somebody asks: a message without findings is never asked."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        self._found: dict[str, int] | None = None

    def _all(self) -> dict[str, int]:
        if self._found is None:
            reader = _Reader(schema.NAMESPACE)
            reader.compound(self._root, "alert", "/alert")
            self._found = reader.lines
        return self._found

    def __getitem__(self, xpath: str) -> int:
        found = self._root
        for step in xpath.split("/")[2:]:
            name, _, number = step.rstrip("]").partition("[")
            children = found.iterchildren(f"{{{schema.NAMESPACE}}}{name}")
            below = next(islice(children, int(number or 1) - 1, None), None) if (number or "1").isdigit() else None
            if below is None:
                raise KeyError(xpath)
            found = below
        return _line(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


# What the plain reading needs of each row of the grammar: attribute, whether there may be many, class of a compound, check.
_Slot = tuple[str, bool, str, Callable[[str], bool] | None]


def _slots(kind: str) -> dict[Any, _Slot]:
    return {
        f"{{{schema.NAMESPACE}}}{row.tag}": (row.attribute, row.many, row.of, row.check) for row in schema.TYPES[kind]
    }


_SLOTS: Final = {kind: _slots(kind) for kind in schema.TYPES}
# What each class starts from: none of the many, no optional one.
_EMPTY: Final[dict[str, dict[str, Any]]] = {
    kind: {row.attribute: () if row.many else "" if row.required or row.choices else None for row in rows}
    for kind, rows in schema.TYPES.items()
}
_ROOTS: Final = frozenset(f"{{{namespace}}}alert" for namespace in (schema.NAMESPACE, *schema.OLD_NAMESPACES))
_SIGNATURES: Final = f"{{{schema.SIGNATURE_NAMESPACE}}}*"
_COUNT: Final[Any] = etree.XPath("count(//*)")
_XS: Final = "http://www.w3.org/2001/XMLSchema"


@cache
def _grammar() -> etree.XMLSchema:
    """The table of `cap_schema` as a schema that libxml2 checks: order, number, choices. Made once."""
    types = []
    for kind, rows in schema.TYPES.items():
        parts = []
        for row in rows:
            needed = row.required or (bool(row.choices) and row.tag != "responseType")
            bounds = f'minOccurs="{int(needed)}" maxOccurs="{"unbounded" if row.many else 1}"'
            if row.choices:
                values = "".join(f'<xs:enumeration value="{value}"/>' for value in row.choices)
                own = f'<xs:simpleType><xs:restriction base="xs:string">{values}</xs:restriction></xs:simpleType>'
                parts.append(f'<xs:element name="{row.tag}" {bounds}>{own}</xs:element>')
            else:
                parts.append(
                    f'<xs:element name="{row.tag}" type="{"c:" + row.of if row.of else "xs:string"}" {bounds}/>'
                )
        if kind == "alert":
            some = f'<xs:any minOccurs="0" maxOccurs="unbounded" namespace="{schema.SIGNATURE_NAMESPACE}" processContents="skip"/>'
            parts.append(some)
        types.append(f'<xs:complexType name="{kind}"><xs:sequence>{"".join(parts)}</xs:sequence></xs:complexType>')
    text = (
        f'<xs:schema xmlns:xs="{_XS}" xmlns:c="{schema.NAMESPACE}" targetNamespace="{schema.NAMESPACE}"'
        f' elementFormDefault="qualified"><xs:element name="alert" type="c:alert"/>{"".join(types)}</xs:schema>'
    )
    return etree.XMLSchema(etree.fromstring(text))


def _plain_reading(root: etree._Element) -> Alert:
    """Read a message that keeps to the grammar; _Unusual where it does not, or where anything has to be said."""
    if not _grammar().validate(root):
        raise _Unusual
    signed = next(root.iterchildren(_SIGNATURES), None) is not None
    if signed:
        # libxml2 lets a signature stand anywhere, and what it holds is not part of the grammar.
        first = next(root.iterchildren(_SIGNATURES))
        if any(not str(each.tag).startswith(_SIGNATURES[:-1]) for each in first.itersiblings()):
            raise _Unusual
        _refuse_excess(root)
    if _COUNT(root) > MAX_ELEMENTS:
        raise _Unusual
    made = _plain(root, "alert")
    return Alert(**made, version="1.2", signed=signed, lines=_Lines(root))


def _plain(element: etree._Element, kind: str) -> dict[str, Any]:
    slots = _SLOTS[kind]
    made = dict(_EMPTY[kind])
    many: dict[str, list[Any]] = {}
    for child in element:
        slot = slots.get(child.tag)
        if slot is None:
            continue  # a signature
        attribute, repeats, of, check = slot
        if of:
            value: Any = _CLASSES[of](**_plain(child, of))
        else:
            value = (child.text or "").strip(XML_SPACE)
            if check is not None and not check(value):
                raise _Unusual
        if repeats:
            if attribute in many:
                many[attribute].append(value)
            else:
                many[attribute] = [value]
        elif value or made[attribute] is not None:
            made[attribute] = value
    for attribute, values in many.items():
        made[attribute] = tuple(values)
    return made


def _line(element: etree._Element) -> int:
    line = element.sourceline
    return line if isinstance(line, int) else 0


class _Reader:
    """Walks one message along the table of `cap_schema` and notes what does not fit."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.findings: list[Finding] = []
        self.lines: dict[str, int] = {}
        self.signed = False

    def report(self, code: str, xpath: str, element: etree._Element, value: str = "") -> None:
        self.findings.append(Finding(code, xpath, value[:200], _line(element)))

    def compound(self, element: etree._Element, kind: str, xpath: str) -> Any:
        """Read an element that holds elements into its class."""
        self.lines[xpath] = _line(element)
        self._plain(element, xpath)
        if (element.text or "").strip(XML_SPACE):
            self.report("UNEXPECTED_TEXT", xpath, element, element.text or "")
        table = {row.tag: (position, row) for position, row in enumerate(schema.TYPES[kind])}
        values: dict[str, list[Any]] = {}
        last, counts = 0, dict.fromkeys(table, 0)
        for child in element:
            if (child.tail or "").strip(XML_SPACE):
                self.report("UNEXPECTED_TEXT", xpath, child, child.tail or "")
            namespace, _, tag = str(child.tag)[1:].rpartition("}") if str(child.tag)[0] == "{" else ("", "", child.tag)
            if kind == "alert" and namespace == schema.SIGNATURE_NAMESPACE:
                self.signed = True
                last = len(table)
                continue
            if namespace != self.namespace or tag not in table:
                code = "PASSWORD_DEPRECATED" if tag == "password" else "UNSUPPORTED_ELEMENT"
                self.report(code, f"{xpath}/{tag}", child, str(child.tag))
                continue
            position, row = table[str(tag)]
            counts[row.tag] += 1
            where = f"{xpath}/{tag}[{counts[row.tag]}]" if row.many else f"{xpath}/{tag}"
            if position < last:
                self.report("INVALID_SEQUENCE", where, child)
            last = max(last, position)
            if counts[row.tag] > 1 and not row.many:
                self.report("DUPLICATE_ELEMENT", where, child, child.text or "")
                continue
            value = self.compound(child, row.of, where) if row.of else self._value(child, row, where)
            values.setdefault(row.attribute, []).append(value)
        return self._assemble(element, kind, xpath, values)

    def _assemble(self, element: etree._Element, kind: str, xpath: str, values: dict[str, list[Any]]) -> Any:
        made: dict[str, Any] = {}
        for row in schema.TYPES[kind]:
            found = values.get(row.attribute, [])
            missing = not found and (row.required or (row.choices and row.tag not in ("responseType",)))
            if missing:
                self.report("MISSING_REQUIRED_ELEMENT", f"{xpath}/{row.tag}", element, row.tag)
            if row.many:
                made[row.attribute] = tuple(found)
            elif row.required or row.choices:
                made[row.attribute] = found[0] if found else ""
            else:
                # An optional element that is there but empty says no more than one that is not there.
                made[row.attribute] = found[0] if found and found[0] else None
        if kind == "alert":
            version = schema.OLD_NAMESPACES.get(self.namespace, "1.2")
            made |= {"version": version, "signed": self.signed, "lines": self.lines}
        return _CLASSES[kind](**made)

    def _plain(self, element: etree._Element, xpath: str) -> None:
        for name in element.attrib:
            if not str(name).startswith(_XSI):
                self.report("UNSUPPORTED_ATTRIBUTE", xpath, element, str(name))

    def _value(self, element: etree._Element, row: schema.Element, xpath: str) -> str:
        self.lines[xpath] = _line(element)
        self._plain(element, xpath)
        if len(element):
            self.report("UNSUPPORTED_ELEMENT", f"{xpath}/*", element[0], str(element[0].tag))
        raw = "".join(str(part) for part in element.itertext())
        text = raw.strip(XML_SPACE)
        if row.choices and raw not in row.choices:
            deprecated = row.tag == "certainty" and text == "Very Likely"
            self.report("CERTAINTY_VERY_LIKELY_DEPRECATED" if deprecated else row.code, xpath, element, raw)
        # The schema gives `language` a default, so an empty one is right; `web` and `uri` may be empty as any URI may.
        elif row.check and not row.check(text) and (text or row.tag not in ("language", "web", "uri")):
            self.report(row.code, xpath, element, text)
        return text


def build(alert: Alert) -> bytes:
    """Write a message as CAP 1.2, UTF-8, elements in the schema's order; the same message always gives the same bytes.

    Raises CapInvalid, naming every place, where the outcome would break the schema.
    """
    root = etree.Element(f"{{{schema.NAMESPACE}}}alert", nsmap=_NAMESPACES)  # type: ignore[arg-type]
    try:
        _write(root, alert, "alert")
    except ValueError as error:  # lxml refuses control characters, which XML cannot hold
        raise CapInvalid([Finding("INVALID_CHARACTERS", "/alert", str(error))]) from error
    etree.indent(root, space="  ")
    data = etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"
    again, findings = parse(data)
    broken = [finding for finding in findings if finding.layer is Layer.SCHEMA and finding.level is Level.ERROR]
    if broken:
        raise CapInvalid(broken)
    if again != alert:
        raise CapInvalid([Finding("INVALID_CHARACTERS", f"/alert/{name}") for name in _differing(alert, again)])
    return data


def _differing(first: Alert, second: Alert) -> Sequence[str]:
    return [f.name for f in fields(Alert) if f.compare and getattr(first, f.name) != getattr(second, f.name)]


def _write(parent: etree._Element, thing: Any, kind: str) -> None:
    for row in schema.TYPES[kind]:
        value = getattr(thing, row.attribute)
        for item in value if row.many else () if value is None else (value,):
            child = etree.SubElement(parent, f"{{{schema.NAMESPACE}}}{row.tag}")
            if row.of:
                _write(child, item, row.of)
            else:
                child.text = item
