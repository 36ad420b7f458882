"""Each rule of CAP's prose and of the Chinese profile: one message that breaks it, one that does not. P4, 3.4.2."""

from __future__ import annotations

from typing import Any

import pytest

from haitang.alerting.cap import Area, Info, Pair, Resource, build, parse, validate
from haitang.alerting.cap_findings import catalogue
from haitang.alerting.tests.samples import alert, info

SQUARE = "31.5,121.4 31.5,121.5 31.6,121.5 31.6,121.4 31.5,121.4"
RED = (Pair("ColorCode", "RED"),)


def _infos(**changes: Any) -> dict[str, Any]:
    return {"infos": (info(**changes),)}


def _area(**changes: Any) -> dict[str, Any]:
    return _infos(areas=(Area(**{"description": "东镇", **changes}),))


def _resource(**changes: Any) -> dict[str, Any]:
    return _infos(resources=(Resource(**{"description": "雨量图", "mime_type": "image/png", **changes}),))


def english(**changes: Any) -> Info:
    words = {"headline": "Orange rainstorm warning", "description": "Over 100 mm.", "instruction": "Stay in."}
    return info(language="en-US", **{**words, "event": "Rainstorm", **changes})


BREAKING: list[tuple[str, dict[str, Any]]] = [
    ("INVALID_IDENTIFIER", {"identifier": "a b"}),
    ("INVALID_IDENTIFIER", {"identifier": ""}),
    ("INVALID_SENDER", {"sender": "a,b"}),
    ("UTC_PLUS_ZERO", {"sent": "2024-09-15T00:00:00+00:00"}),
    ("INVALID_REFERENCES", {"msg_type": "Update", "references": "abc"}),
    ("INVALID_REFERENCES", {"msg_type": "Update", "references": "a,b,yesterday"}),
    ("CIRCULAR_REFERENCE", {"msg_type": "Update", "references": alert().reference()}),
    ("POSTDATED_REFERENCE", {"msg_type": "Update", "references": "a,b,2024-09-15T08:00:01+08:00"}),
    ("MISSING_REFERENCES", {"msg_type": "Update"}),
    ("MISSING_REFERENCES", {"msg_type": "Cancel"}),
    ("MISSING_REFERENCES", {"msg_type": "Ack"}),
    ("UNEXPECTED_REFERENCES", {"references": "a,b,2024-09-15T07:00:00+08:00"}),
    ("EXERCISE_NOTE", {"status": "Exercise"}),
    ("ERROR_NOTE", {"msg_type": "Error", "references": "a,b,2024-09-15T07:00:00+08:00"}),
    ("RESTRICTION_SCOPE_MISMATCH", {"restriction": "only us"}),
    ("RESTRICTION_SCOPE_MISMATCH", {"scope": "Restricted"}),
    ("MISSING_ADDRESSES", {"scope": "Private"}),
    ("INVALID_ADDRESSES", {"scope": "Private", "addresses": '"town hall'}),
    ("NO_INFO", {"infos": ()}),
    ("EMPTY_EVENT", _infos(event="")),
    ("EVENT_TOO_LONG", _infos(event="雨" * 36)),
    ("EXPIRES_BEFORE_SENT", _infos(expires="2024-09-15T08:00:00+08:00")),
    ("EXPIRES_BEFORE_EFFECTIVE", _infos(onset="2024-09-16T08:00:00+08:00")),
    ("EFFECTIVE_BEFORE_SENT", _infos(effective="2024-09-15T07:59:59+08:00")),
    ("NO_EXPIRES", _infos(expires=None)),
    ("INVALID_WEB", _infos(web="public/warnings/1")),
    ("HEADLINE_TOO_LONG", _infos(headline="雨" * 161)),
    ("TEXT_CONTAINS_HTML_TAGS", _infos(description="大雨<br/>请注意")),
    ("TEXT_CONTAINS_HTML_ENTITIES", _infos(description="大雨&nbsp;请注意")),
    ("SAME_TEXT_DIFFERENT_LANGUAGE", {"infos": (info(), english(headline=info().headline))}),
    ("CATEGORIES_DIFFER", {"infos": (info(), english(categories=("Geo",)))}),
    ("EVENT_CODES_DIFFER", {"infos": (info(), english(event_codes=(Pair("GB/T 35561", "11B01"),)))}),
    ("EVENT_DIFFERS", {"infos": (info(), info(event="台风"))}),
    ("EMPTY_PAIR_NAME", _infos(parameters=(Pair("", "x"),))),
    ("NO_AREA", _infos(areas=())),
    ("INVALID_AREA", _area(description="", circles=("31,121 5",))),
    ("AREA_WITHOUT_GEOMETRY", _area()),
    ("INVALID_POLYGON", _area(polygons=("hello",))),
    ("INVALID_POLYGON", _area(polygons=("31,121 31,122 31,121",))),
    ("INVALID_POLYGON", _area(polygons=("31,121 31,122 32,122 32,121",))),
    ("INVALID_POLYGON", _area(polygons=("121,31 122,31 122,32 121,31",))),
    ("INVALID_POLYGON", _area(polygons=("nan,31 1,31 1,32 nan,31",))),
    ("INVALID_POLYGON_SELF_INTERSECTION", _area(polygons=("31,121 32,122 32,121 31,122 31,121",))),
    ("POLYGON_TOO_LONG", _area(polygons=(" ".join(f"31,{121 + n / 100}" for n in range(100)) + " 32,122 31,121",))),
    ("INVALID_CIRCLE", _area(circles=("31,121",))),
    ("INVALID_CIRCLE", _area(circles=("31,121 -1",))),
    ("ZERO_RADIUS_CIRCLE", _area(circles=("31,121 0",))),
    ("INVALID_ALTITUDE_CEILING_RANGE", _area(ceiling="100", polygons=(SQUARE,))),
    ("INVALID_ALTITUDE_CEILING_RANGE", _area(altitude="200", ceiling="100", polygons=(SQUARE,))),
    ("INVALID_MIME_TYPE", _resource(mime_type="picture")),
    ("NEGATIVE_RESOURCE_SIZE", _resource(size="-5")),
    ("RELATIVE_URI_MISSING_DEREF_URI", _resource(uri="rain.png")),
    ("INVALID_DEREF_URI", _resource(deref_uri="%%%")),
    ("INVALID_DIGEST", _resource(digest="abc")),
    ("INVALID_DIGEST", _resource(deref_uri="aGVsbG8=", digest="0" * 40)),
    ("CN_IDENTIFIER", {"identifier": "31000041600000_20250614083511"}),
    ("CN_BEIJING_TIME", {"sent": "2024-09-15T00:00:00-00:00"}),
    ("CN_EXERCISE_PUBLIC", {"status": "Exercise", "note": "演练"}),
    ("CN_NO_CHINESE", {"infos": (english(),)}),
    ("CN_COLOUR_MISSING", _infos(parameters=())),
    ("CN_COLOUR_SEVERITY", _infos(parameters=RED)),
    ("CN_HEADLINE_COLOUR", _infos(headline="示范区发布暴雨黄色预警")),
    ("CN_HEADLINE_COLOUR", _infos(headline="示范区更新暴雨橙色预警信号为暴雨红色预警信号")),
    ("CN_EVENT_CODE", _infos(event_codes=())),
    ("CN_EVENT_CODE", _infos(event_codes=(Pair("GB/T 35561", "11B73"),))),
    ("CN_GEOCODE", _area()),
    ("CN_SENDER_NAME", _infos(sender_name=None)),
    ("CN_EXPIRES", _infos(expires=None)),
    ("CN_INSTRUCTION", _infos(instruction=None)),
]


@pytest.mark.parametrize(("code", "changes"), BREAKING, ids=lambda value: value if isinstance(value, str) else "")
def test_the_breach_is_found(code: str, changes: dict[str, Any]) -> None:
    found = validate(alert(**changes), "cn", codes={"11B03", "11B01"})
    assert code in {finding.code for finding in found}
    finding = next(one for one in found if one.code == code)
    assert finding.xpath.startswith("/alert")
    assert finding.fix("zh") and finding.fix("en") and finding.what("zh") != finding.what("en")


def test_the_smallest_good_message_has_no_finding() -> None:
    assert validate(alert(), "cn", codes={"11B03"}) == []


def test_two_languages_and_a_drawn_border_have_no_finding() -> None:
    areas = (Area("东镇", polygons=(SQUARE,), circles=("31.5,121.5 3",)),)
    good = alert(infos=(info(areas=areas), english(areas=areas)))
    assert validate(good, "cn", codes={"11B03"}) == []


def test_an_update_whose_headline_names_both_colours_goes_by_the_latter() -> None:
    update = alert(
        msg_type="Update",
        references="99000160000000,99000160000000_20240915070000_0,2024-09-15T07:00:00+08:00",
        infos=(info(headline="示范区更新暴雨黄色预警信号为暴雨橙色预警信号"),),
    )
    assert validate(update, "cn", codes={"11B03"}) == []


def test_a_digest_that_matches_its_content_has_no_finding() -> None:
    right = Resource("字", "text/plain", deref_uri="aGVsbG8=", digest="aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d")
    assert validate(alert(infos=(info(resources=(right,)),))) == []


def test_every_rule_of_the_catalogue_is_broken_by_some_test() -> None:
    tested = {code for code, _ in BREAKING}
    # Those of the national form, of the words and of the composer have tests of their own.
    own = ("NAT_", "PLAIN_", "GUARD_")
    rules = {code for code, text in catalogue().items() if text.layer != "schema" and not code.startswith(own)}
    assert rules == tested


def test_a_finding_of_a_written_message_knows_its_line() -> None:
    data = build(alert(infos=(info(headline="雨" * 161),)))
    finding = validate(parse(data)[0])[0]
    assert "雨" * 161 in data.decode().splitlines()[finding.line - 1]


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(ValueError, match="known are cn"):
        validate(alert(), "mars")


def test_thousands_of_infos_are_judged_in_no_time() -> None:
    """Each is compared with the first of its kind, not with every other."""
    many = alert(infos=tuple(info(event=f"暴雨{n}", headline=f"第{n}条") for n in range(8000)))
    assert sum(one.code == "EVENT_DIFFERS" for one in validate(many)) == 7999
