"""3.4.2: the national platform's records from and to CAP, with the traps that real records set."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.alerting import cap, national
from haitang.alerting.cap import Pair
from haitang.alerting.colours import Colour, read_areas
from haitang.alerting.national import NotNational, from_national, to_national
from haitang.alerting.tests.samples import SHARED, alert, info

FULL = {
    "identifier": "51152741600000_20260823170800", "sender": "筠连县气象台", "senderName": "筠连县气象台",
    "headline": "筠连县气象台发布暴雨橙色预警信号[II级/严重]", "description": "3小时降雨量将达50毫米以上。",
    "effective": "2026-08-23 17:08:00.0", "expires": "2026-08-24 17:08:00.0", "eventType": "11B03", "eventTypeCN": "暴雨事件",
    "msgType": "Alert", "severity": "orange", "referencesInfo": "", "note": "", "areaName": "筠连县", "status": "Actual",
}  # fmt: skip


def _codes(found) -> set[str]:
    return {one.code for one in found}


def test_a_full_record_becomes_a_valid_message():
    made, notes = from_national(FULL)
    assert cap.parse(cap.build(made))[1] == [] and not cap.errors(cap.validate(made))
    (one,) = made.infos
    assert (made.sender, made.sent, made.msg_type) == ("51152741600000", "2026-08-23T17:08:00+08:00", "Alert")
    assert (one.event, one.severity, one.event_codes, one.parameter("ColorCode")) == (
        "暴雨", "Severe", (Pair("GB/T 35561", "11B03"),), "ORANGE",
    )  # fmt: skip
    assert one.expires == "2026-08-24T17:08:00+08:00" and one.areas[0].geocodes == (Pair("GB/T 2260", "511527"),)
    assert _codes(notes) == {"NAT_LOCAL_TIME"}


@pytest.mark.parametrize(
    ("changes", "colour", "codes"),
    [
        ({"severity": "ORANGE", "headline": "汕头市气象台发布雷雨大风黄色预警[III级/较重]"}, "orange", {"NAT_COLOUR_CONFLICT"}),
        ({"severity": "YELLOW", "headline": "某市气象台将暴雨黄色预警升级为橙色预警"}, "orange", {"NAT_COLOUR_CONFLICT"}),
        ({"severity": "ORANGE", "headline": "某市气象台将暴雨橙色预警降级为蓝色预警"}, "blue", {"NAT_COLOUR_CONFLICT"}),
        ({"severity": "", "headline": "某县发布暴雨红色预警"}, "red", set()),
        ({"severity": "", "signallevel": "蓝色"}, "orange", {"NAT_COLOUR_CONFLICT"}),
        ({"severity": "", "headline": "某县发布预警", "type": "p0002003"}, "yellow", set()),
        ({"severity": "uknown", "headline": "某县发布预警"}, "", {"NAT_COLOUR_UNKNOWN"}),
    ],
)  # fmt: skip
def test_colours_that_disagree_are_told_and_the_graver_or_the_later_one_counts(changes, colour, codes):
    made, notes = from_national({**FULL, **changes})
    assert (made.infos[0].parameter("ColorCode") or "").lower() == colour
    assert _codes(notes) - {"NAT_LOCAL_TIME"} == codes


def test_misspelt_words_and_missing_fields_are_read():
    made, notes = from_national({**FULL, "msgType": "Cancle", "status": "uknown", "expires": ""})
    assert (made.msg_type, made.status, made.infos[0].expires) == ("Cancel", "Actual", None)
    assert "NAT_STATUS" in _codes(notes)
    made, _ = from_national({"id": "11000041600000_20250614083511_3", "title": "北京市气象台解除暴雨蓝色预警"})
    assert (made.msg_type, made.sent) == ("Cancel", "2025-06-14T08:35:11+08:00")
    made, notes = from_national({**FULL, "eventType": "11B88"})
    assert made.infos[0].event_codes[0].value == "11B88" and "NAT_CODE_UNKNOWN" in _codes(notes)


def test_a_bare_reference_becomes_a_triplet_and_back():
    made, _ = from_national({**FULL, "msgType": "Update", "referencesInfo": "51152741600000_20260823120000"})
    assert made.references == "51152741600000,51152741600000_20260823120000,2026-08-23T12:00:00+08:00"
    assert to_national(made)["referencesInfo"] == "51152741600000_20260823120000"


def test_a_bulletin_that_changes_the_colour_of_some_towns_says_so_for_each():
    text = "惠东县气象台于9月17日16时26分将平山街道、宝口镇暴雨橙色预警信号降级为黄色，其余镇街暴雨黄色仍生效"
    made, _ = from_national(
        {**FULL, "severity": "yellow", "headline": "惠东县气象台发布暴雨黄色预警", "description": text}
    )
    assert read_areas(made.infos[0].parameter("AreaColorCode")) == {
        "平山街道": Colour.YELLOW, "宝口镇": Colour.YELLOW, "其余镇街": Colour.YELLOW,
    }  # fmt: skip


def test_several_colours_of_one_message_of_ours_go_out_by_area():
    east, west = info().areas[0], info(areas=()).areas
    lower = info(severity="Moderate", parameters=(Pair("ColorCode", "YELLOW"),), headline="发布暴雨黄色预警",
                 areas=(cap.Area("西镇", geocodes=(Pair("GB/T 2260", "990001102"),)),))  # fmt: skip
    record = to_national(alert(infos=(info(areas=(east, *west)), lower)))
    assert record["severity"] == "orange"
    assert [(row["code"], row["severity"]) for row in record["areas"]] == [
        ("990001101", "orange"), ("990001102", "yellow"),
    ]  # fmt: skip
    again, _ = from_national(record)
    assert read_areas(again.infos[0].parameter("AreaColorCode")) == {
        "990001101": Colour.ORANGE, "990001102": Colour.YELLOW,
    }  # fmt: skip


_text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).map(str.strip)
_when = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1))  # fmt: skip


@given(
    unit=st.from_regex(r"[1-6][0-9]{13}", fullmatch=True), when=_when, serial=st.sampled_from(["", "_0", "_7"]),
    code=st.sampled_from(sorted(national.codes())), colour=st.sampled_from(list(Colour)), words=_text, note=_text,
    kind=st.sampled_from(["Alert", "Update", "Cancel"]), until=st.one_of(st.none(), _when),
)  # fmt: skip
def test_there_and_back_loses_nothing(unit, when, serial, code, colour, words, note, kind, until):
    stamp = f"{when:%Y%m%d%H%M%S}"
    record = {
        "identifier": f"{unit}_{stamp}{serial}", "sender": unit, "senderName": "某县气象台", "status": "Actual",
        "headline": f"某县气象台发布{national.codes()[code].zh}{colour.zh}色预警", "description": words, "note": note,
        "effective": f"{when:%Y-%m-%d %H:%M:%S}", "expires": f"{until:%Y-%m-%d %H:%M:%S}" if until else "", "eventType": code,
        "eventTypeCN": f"{national.codes()[code].zh}事件", "msgType": kind, "severity": colour.value, "areaName": "某县",
        "referencesInfo": "" if kind == "Alert" else f"{unit}_20191231235959",
    }  # fmt: skip
    made, _ = from_national(record)
    assert to_national(cap.parse(cap.build(made))[0]) == record


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "title", "effective", "severity", "lat", "lon", "areas", "messageType", "status", "type"]), inner, max_size=6)))  # fmt: skip
def test_whatever_comes_is_read_or_refused_in_words(found):
    try:
        for record in national.records(json.dumps(found).encode()):
            made, _ = from_national(record)
            assert cap.build(made)
    except NotNational as error:
        assert str(error)  # noqa: PT017


@pytest.mark.skipif(
    not (SHARED / "cn_records.json").exists(), reason="the shared records are not beside this repository"
)
def test_real_records_of_several_feeds_are_read():
    rows = json.loads((SHARED / "cn_records.json").read_text("utf-8"))
    read = 0
    for row in rows:
        for record in (
            national.records(json.dumps([row["record"]]).encode()) if "id" in str(row["record"].keys()) else ()
        ):
            made, _ = from_national(record)
            assert not cap.parse(cap.build(made))[1]
            assert made.infos[0].parameter("ColorCode") and made.infos[0].event_codes
            read += 1
    assert read >= 10
