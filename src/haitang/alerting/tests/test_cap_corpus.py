"""Real messages of 49 senders are read, and judged as the official schema judges them. P4, 3.4.2."""

from __future__ import annotations

import csv

import pytest
from lxml import etree

from haitang.alerting.cap import CapUnreadable, Layer, Level, build, parse, validate
from haitang.alerting.tests.samples import CORPUS, SHARED

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not beside this repository")
FILES = sorted(CORPUS.glob("*.xml")) if CORPUS.exists() else []


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SHARED / "CAP-v1.2.xsd"))


def _labels() -> dict[str, dict[str, str]]:
    with (CORPUS / "index.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:24])
def test_our_schema_layer_agrees_with_the_label(path) -> None:
    label = _labels()[path.name]
    try:
        alert, findings = parse(path.read_bytes())
    except CapUnreadable as refused:
        assert label["xsd_valid"] == "0" and refused.finding.code in ("NOT_XML", "DOCUMENT_TYPE")  # noqa: PT017
        return
    broken = [f for f in findings if f.layer is Layer.SCHEMA and f.level is Level.ERROR]
    if label["cap"] == "1.2":
        assert (not broken) == (label["xsd_valid"] == "1"), broken
    else:
        assert alert.version == label["cap"]
        assert "OLD_VERSION" in {f.code for f in findings}
    assert all(f.line > 0 for f in broken)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:24])
def test_a_message_written_again_is_valid_and_says_the_same(path, schema: etree.XMLSchema) -> None:
    if _labels()[path.name]["xsd_valid"] != "1":
        pytest.skip("not valid when it came")
    alert, _ = parse(path.read_bytes())
    data = build(alert)
    assert schema.validate(etree.fromstring(data)), schema.error_log
    assert parse(data)[0] == alert
    assert build(parse(data)[0]) == data


def test_the_known_faults_of_real_messages_are_found() -> None:
    found: dict[str, int] = {}
    for path in FILES:
        try:
            alert, _ = parse(path.read_bytes())
        except CapUnreadable:
            continue
        for code in {finding.code for finding in validate(alert)}:
            found[code] = found.get(code, 0) + 1
    for code in ("ZERO_RADIUS_CIRCLE", "EFFECTIVE_BEFORE_SENT", "AREA_WITHOUT_GEOMETRY", "INVALID_POLYGON"):
        assert found.get(code, 0) > 0, (code, found)


def test_entities_from_outside_are_refused() -> None:
    with pytest.raises(CapUnreadable) as refused:
        parse((CORPUS / "0028-cap-library-xee.cap.xml").read_bytes())
    assert refused.value.finding.code == "DOCUMENT_TYPE"
