"""The words each audience gets. 3.4.2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haitang.alerting import wording
from haitang.alerting.colours import Colour
from haitang.alerting.wording import Facts, Words

BEIJING = timezone(timedelta(hours=8))
FACTS = Facts(
    sender="示范区应急管理局",
    kind="暴雨",
    colour=Colour.ORANGE,
    area="东镇、西镇",
    sent=datetime(2024, 9, 15, 0, 0, tzinfo=UTC),
    expires=datetime(2024, 9, 15, 6, 0, tzinfo=UTC),
)
WORDS = Words("示范区发布暴雨橙色预警[Ⅱ级/严重]", "预计六小时降雨100毫米。", "减少外出。")


def test_a_template_is_filled_in_chinese() -> None:
    text = "{sender}{time}发布{kind}{colour}预警[{level}]，{area}，未来{hours}小时，至{until}"
    assert wording.fill(text, FACTS, language="zh", zone=BEIJING) == (
        "示范区应急管理局2024年09月15日08时00分发布暴雨橙色预警[Ⅱ级/严重]，东镇、西镇，未来6小时，至2024年09月15日14时00分"
    )


def test_a_template_is_filled_in_english() -> None:
    text = "{colour} {kind} warning ({level}) until {until}"
    filled = wording.fill(text, FACTS, language="en", zone=BEIJING)
    assert filled == "orange 暴雨 warning (Level II) until 14:00 on 15 September 2024"


def test_an_unknown_placeholder_is_named() -> None:
    with pytest.raises(ValueError, match="unknown placeholder town: use sender"):
        wording.fill("{town}", FACTS, language="zh", zone=BEIJING)


def test_an_empty_placeholder_leaves_no_stray_stop() -> None:
    assert wording.fill("{cause}。{area}。", FACTS, language="zh", zone=BEIJING) == "。东镇、西镇。".lstrip("。")


@pytest.mark.parametrize(("length", "parts"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_short_messages_are_counted_as_the_network_counts_them(length: int, parts: int) -> None:
    assert wording.sms_parts("雨" * length) == parts


def test_a_character_outside_the_basic_plane_counts_twice() -> None:
    assert wording.sms_parts("🌀" * 35) == 1
    assert wording.sms_parts("🌀" * 36) == 2


@given(st.sampled_from(["zh", "en"]))
def test_an_exercise_is_marked_in_every_text(language: str) -> None:
    texts = [
        wording.marked(WORDS.headline, exercise=True, language=language),
        wording.loudspeaker(WORDS, exercise=True, language=language),
    ]
    mark = "exercise" if language == "en" else "演练"
    assert all(mark in text.lower()[:20] for text in texts)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("减少外出。转移低洼处人员。", "减少外出。转移低洼处人员。"),
        ("1. 停止户外作业；\n2. 转移危房人员。", "停止户外作业；"),
        ("", ""),
    ],
)
def test_a_short_message_takes_whole_sentences(text: str, short: str) -> None:
    assert wording.brief(text, 14) == short


@given(st.text(max_size=200), st.integers(1, 80))
def test_a_short_message_is_never_longer_than_asked(text: str, most: int) -> None:
    assert len(wording.brief(text, most)) <= most


def test_the_loudspeaker_speaks_no_signs_and_says_it_twice() -> None:
    text = wording.loudspeaker(WORDS, exercise=False)
    assert not set("[]【】/") & set(text)
    assert text.count("减少外出") == 2


def test_a_long_row_of_names_is_cut_and_counted() -> None:
    names = [f"镇{n}" for n in range(8)]
    assert wording.join_names(names, "zh") == "镇0、镇1、镇2、镇3、镇4、镇5等8个乡镇"
    assert wording.join_names(names, "en").endswith("and 2 more")
