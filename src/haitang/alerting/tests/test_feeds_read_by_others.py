"""3.4.2: our feeds as readers of feeds see them: valid Atom and RSS, by kind, place and colour."""

from __future__ import annotations

import feedparser
import pytest

from haitang.alerting.tests import factories as make


def _read(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, address
    read = feedparser.parse(answer.content)
    assert not read.bozo, read.get("bozo_exception")
    return read


@pytest.mark.parametrize("form", ["atom", "rss"])
def test_both_feeds_are_read_without_complaint_and_lead_to_the_message(house, live, client, form):
    warning = make.published(house, live)
    read = _read(client, f"/public/warnings.{form}")
    assert read.version == {"atom": "atom10", "rss": "rss20"}[form]
    (entry,) = read.entries
    assert entry.title == warning.headline_zh and entry.published_parsed if form == "rss" else entry.updated_parsed
    (enclosure,) = entry.enclosures
    assert enclosure.type == "application/cap+xml" and enclosure.href.endswith(f"/public/warnings/{warning.pk}/cap.xml")
    if form == "rss":
        assert int(enclosure.length) == len(bytes(warning.cap_xml))
        assert entry.id == warning.identifier
    assert entry.cap_severity == "Severe"


def test_feeds_by_kind_place_and_colour_hold_only_those(house, live, client):
    east = make.published(house, live)
    west = make.published(house, live, kind=house.surge, colour="blue", places=[house.west])

    def titles(query):
        return {entry.title for entry in _read(client, f"/public/warnings.rss?{query}").entries}

    assert titles("") == {east.headline_zh, west.headline_zh}
    assert titles("kind=11B01") == titles("kind=typhoon") == {east.headline_zh}
    assert titles("place=990002") == {west.headline_zh}
    assert titles("place=990000") == {east.headline_zh, west.headline_zh}
    assert titles("colour=yellow") == {east.headline_zh}
    assert titles("colour=blue&place=990001") == {east.headline_zh}
    for wrong in ("kind=99", "place=no", "colour=pink"):
        assert client.get(f"/public/warnings.atom?{wrong}").status_code == 404
