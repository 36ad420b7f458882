"""3.4.2: words that people understand at once; what is hard to follow is said with a better word."""

from __future__ import annotations

import tomllib
from pathlib import Path

from haitang.alerting.plain_language import check, lists, sentences

GOOD = {
    "headline": "东镇发布暴雨橙色预警",
    "description": "今晚东镇雨很大。",
    "instruction": "1. 不要出门。\n2. 远离河边。",
}


def codes(language: str = "zh", places=("东镇",), **changes) -> dict[str, str]:
    found = check(language=language, **{**GOOD, **changes}, places=places)
    return {one.code: one.value for one in found}


def test_short_sentences_in_everyday_words_pass():
    assert codes() == {}


def test_jargon_is_named_with_a_better_word():
    assert codes(description="今晚东镇有短时强降水。")["PLAIN_JARGON"] == "短时强降水 → 短时间内雨很大"
    english = {
        "headline": "Rain in East",
        "description": "Heavy precipitation in East tonight.",
        "instruction": "Stay indoors.",
    }
    assert codes("en", ("East",), **english) == {"PLAIN_JARGON": "precipitation → rain or snow"}


def test_a_long_sentence_is_told_with_its_length():
    assert "61 > 60" in codes(description="今晚东镇" + "雨" * 57)["PLAIN_LONG_SENTENCE"]
    assert "PLAIN_LONG_SENTENCE" not in codes(description="今晚东镇" + "雨" * 56 + "。" + "雨" * 50)


def test_what_is_missing_is_told():
    assert set(codes(instruction="暴雨。", description="东镇雨很大。")) == {"PLAIN_NO_ACTION", "PLAIN_NO_TIME"}
    assert set(codes(places=("西镇",))) == {"PLAIN_NO_PLACE"}


def test_a_cancellation_need_not_say_what_to_do():
    found = check(
        language="zh", headline="解除", description="今日解除东镇预警。", instruction="", places=["东镇"], cancel=True
    )
    assert not found


def test_numbers_of_lists_are_no_sentences():
    assert sentences("1. 不要出门。\n2、远离河边！", "zh") == ["不要出门", "远离河边"]


def test_every_template_of_the_pack_says_what_to_do_in_short_sentences():
    pack = tomllib.loads((Path(__file__).parents[4] / "packs/chongming/templates.toml").read_text("utf-8"))
    for row in pack["template"]:
        for language in ("zh", "en"):
            text = row.get(f"instruction_{language}", "")
            if text:
                found = check(language=language, headline="", description="2 hours", instruction=text)
                assert not {one.code for one in found} & {"PLAIN_NO_ACTION", "PLAIN_LONG_SENTENCE"}, (row["kind"], row["colour"], found)  # fmt: skip
    assert len(lists()["jargon"]["zh"]) > 10
