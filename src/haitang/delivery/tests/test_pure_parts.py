"""Masks, words, buckets, pauses: what is computed (3.6.5)."""

from hypothesis import given
from hypothesis import strategies as st

from haitang.delivery import backoff, masks, wording
from haitang.delivery.bucket import Buckets


def test_masks_show_enough_to_recognise_one_s_own():
    assert masks.phone("13812345678") == "138****5678"
    assert masks.phone("021-69612345") == "021*****2345"
    assert masks.phone("12345") == "1**45"
    assert masks.phone("1234") == "****"
    assert masks.email("zhang@example.org") == "z***@example.org"
    assert (
        masks.masked("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=secret") == "https://qyapi.weixin.qq.com/***"
    )
    assert masks.masked("https://user:pw@example.org/x") == "https://example.org/***"
    assert masks.masked("T310151101") == "T31***1101"
    assert (masks.masked("township"), masks.masked("")) == ("township", "")


@given(st.from_regex(r"1\d{10}", fullmatch=True))
def test_a_masked_mobile_number_never_shows_its_middle(number):
    assert number[3:7] not in masks.masked(number) or number[3:7] in number[:3] + number[7:]
    assert masks.masked(number)[3:7] == "****"


@given(st.text(max_size=400), st.text(max_size=600), st.sampled_from(["", "https://h.example/o/" + "t" * 60]))
def test_a_text_message_fits_and_keeps_its_link_whole(title, text, url):
    words = wording.joined(title, text, url)
    assert len(words) <= wording.SMS_MOST
    assert words.endswith(url)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_mark_of_an_exercise_is_set_once(zh, en):
    once = wording.marked(zh, en)
    assert wording.marked(*once) == once
    assert all(not text or text.startswith(("【演练】", "[EXERCISE]")) for text in once)


def test_the_language_without_words_gives_way_to_the_other():
    assert wording.chosen("en", "中", "") == "中"
    assert wording.chosen("zh-hans", "", "en") == "en"
    assert (wording.chosen("en", "中", "en"), wording.chosen("zh-hans", "中", "en")) == ("en", "中")


@given(st.lists(st.floats(0, 5), max_size=80), st.floats(0.5, 50), st.integers(1, 20))
def test_a_bucket_never_lets_more_through_than_burst_and_rate_allow(gaps, rate, burst):
    buckets, at, taken = Buckets(rate, burst), 0.0, []
    for gap in gaps:
        at += gap
        if not buckets.take("g", at):
            taken.append(at)
    for i, first in enumerate(taken):
        for j in range(i, len(taken)):
            assert j - i + 1 <= burst + (taken[j] - first) * rate + 1e-6


@given(st.floats(0.5, 50), st.integers(1, 10))
def test_a_bucket_says_truly_how_long_to_wait(rate, burst):
    buckets = Buckets(rate, burst)
    while not (pause := buckets.take("g", 0.0)):
        pass
    assert buckets.take("g", pause * 0.9) > 0
    assert buckets.take("g", pause + 1e-6) == 0
    assert buckets.take("another", 0.0) == 0


def test_a_drained_bucket_lets_nothing_through_for_as_long_as_was_asked():
    buckets = Buckets(2.0, 5)
    buckets.drain("g", 100.0, 60.0)
    assert buckets.take("g", 159.0) > 0
    assert buckets.take("g", 160.1) == 0


@given(st.integers(1, 30), st.text(max_size=10))
def test_pauses_double_within_their_jitter_up_to_the_longest(attempt, key):
    step = min(backoff.MOST_S, backoff.BASE_S * 2 ** (attempt - 1))
    assert 0.75 * step <= backoff.pause_s(attempt, key) <= 1.25 * step
    assert backoff.pause_s(attempt, key) == backoff.pause_s(attempt, key)
