"""Hostile XML is refused before it can cost anything. Issue 2 section 6."""

from __future__ import annotations

from pathlib import Path

import pytest

from haitang.alerting import cap_xml
from haitang.alerting.cap import CapUnreadable, build, parse

NAMESPACE = 'xmlns="urn:oasis:names:tc:emergency:cap:1.2"'


def _code(data: bytes) -> str:
    with pytest.raises(CapUnreadable) as refused:
        parse(data)
    return refused.value.finding.code


def test_an_external_entity_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    bomb = f'<!DOCTYPE alert [<!ENTITY x SYSTEM "{secret.as_uri()}">]><alert {NAMESPACE}><identifier>&x;</identifier></alert>'
    assert _code(bomb.encode()) == "DOCUMENT_TYPE"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_billion_laughs_are_refused_in_any_encoding(encoding: str) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE alert [<!ENTITY l0 "ha">{entities}]><alert {NAMESPACE}><note>&l9;</note></alert>'
    assert _code(bomb.encode(encoding)) == "DOCUMENT_TYPE"


def test_a_huge_message_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cap_xml, "MAX_BYTES", 1000)
    assert _code(b"<alert>" + b"x" * 1000) == "TOO_LARGE"


def test_deep_nesting_is_refused() -> None:
    assert _code(f"<alert {NAMESPACE}>{'<a>' * 60}{'</a>' * 60}</alert>".encode()) == "TOO_DEEP"


def test_a_crowd_of_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cap_xml, "MAX_ELEMENTS", 50)
    assert _code(f"<alert {NAMESPACE}>{'<code/>' * 60}</alert>".encode()) == "TOO_DEEP"


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<alert", b"\xff\xfe\x00", b'<?xml version="1.0" encoding="klingon"?><a/>']
)
def test_what_is_no_xml_is_refused(data: bytes) -> None:
    assert _code(data) == "NOT_XML"


def test_xml_of_another_kind_is_refused() -> None:
    assert _code(b"<alert/>") == "NOT_CAP"
    assert _code(b'<feed xmlns="http://www.w3.org/2005/Atom"/>') == "NOT_CAP"


def test_a_finding_knows_the_line_in_the_message() -> None:
    text = f"<alert {NAMESPACE}>\n<identifier>a</identifier>\n<sender>b</sender>\n<sent>yesterday</sent>\n</alert>"
    _, findings = parse(text.encode())
    date = next(finding for finding in findings if finding.code == "INVALID_DATE")
    assert (date.xpath, date.line, date.value) == ("/alert/sent", 4, "yesterday")
    assert {f.xpath for f in findings if f.code == "MISSING_REQUIRED_ELEMENT"} == {
        "/alert/status", "/alert/msgType", "/alert/scope",
    }  # fmt: skip


def test_the_quick_reading_and_the_thorough_one_say_the_same() -> None:
    """A message without a fault is read quickly; whatever is changed in it, the thorough reading's word counts."""
    import random

    from haitang.alerting.tests.samples import alert, info

    full = alert(infos=(info(), info(language="en-US", event="rainstorm", web="https://example.org/", resources=())))
    data = build(full)
    chance = random.Random(7)
    lines = data.decode().splitlines(keepends=True)
    for n in range(400):
        text = list(lines)
        if n:
            for _ in range(chance.randint(1, 2)):
                at = chance.randrange(2, len(text))
                what = chance.randrange(5)
                if what == 0:
                    del text[at]
                elif what == 1:
                    text.insert(at, text[chance.randrange(2, len(text))])
                elif what == 2:
                    text[at] = text[at].replace(">", " x='1'>", 1)
                elif what == 3:
                    text[at] = text[at].replace("</", " y </", 1)
                else:
                    text[at] = text[at].replace("e", "x", 1)
        changed = "".join(text).encode()
        try:
            root = cap_xml._root(changed)
        except CapUnreadable:
            continue
        thorough = cap_xml._Reader("urn:oasis:names:tc:emergency:cap:1.2")
        expected = thorough.compound(root, "alert", "/alert")
        got, findings = parse(changed)
        assert (got, findings) == (expected, thorough.findings), changed.decode()
        assert {xpath: got.lines.get(xpath, 0) for xpath in expected.lines} == dict(expected.lines)
