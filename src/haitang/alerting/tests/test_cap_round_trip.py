"""What we write is valid CAP 1.2 and reads back as the same message; what would not be is not written. 3.4.2."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from haitang.alerting import cap_model as m
from haitang.alerting.cap import Alert, Area, CapInvalid, Info, Pair, Resource, build, cap_time, instant, parse
from haitang.alerting.tests.samples import SHARED, alert, info

# Any character XML can hold, no outer white space: the reader drops that.
_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=20).filter(
    lambda text: text == text.strip(" \t\r\n")
)
_maybe = st.none() | _text
_moment = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones())
_time = _moment.map(cap_time)
_maybe_time = st.none() | _time
_pairs = st.lists(st.builds(Pair, _text, _text), max_size=2).map(tuple)
_some = st.lists(_text, max_size=2).map(tuple)
_uri = st.none() | st.just("https://example.org/a?b=c")
_number = st.none() | st.integers(0, 10**9).map(str)
_resource = st.builds(Resource, _text, _text, _number, _uri, _maybe, _maybe)
_area = st.builds(Area, _text, _some, _some, _pairs, _number, _number)


def _choices(values: tuple[str, ...], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3).map(tuple)


_info = st.builds(
    Info,
    categories=_choices(m.CATEGORY, 1),
    event=_text,
    urgency=st.sampled_from(m.URGENCY),
    severity=st.sampled_from(m.SEVERITY),
    certainty=st.sampled_from(m.CERTAINTY),
    language=st.none() | st.sampled_from(["zh-CN", "en-US"]),
    response_types=_choices(m.RESPONSE_TYPE),
    audience=_maybe,
    event_codes=_pairs,
    effective=_maybe_time,
    onset=_maybe_time,
    expires=_maybe_time,
    sender_name=_maybe,
    headline=_maybe,
    description=_maybe,
    instruction=_maybe,
    web=_uri,
    contact=_maybe,
    parameters=_pairs,
    resources=st.lists(_resource, max_size=2).map(tuple),
    areas=st.lists(_area, max_size=2).map(tuple),
)
_alert = st.builds(
    Alert,
    identifier=_text,
    sender=_text,
    sent=_time,
    status=st.sampled_from(m.STATUS),
    msg_type=st.sampled_from(m.MSG_TYPE),
    scope=st.sampled_from(m.SCOPE),
    source=_maybe,
    restriction=_maybe,
    addresses=_maybe,
    codes=_some,
    note=_maybe,
    references=_maybe,
    incidents=_maybe,
    infos=st.lists(_info, max_size=2).map(tuple),
)


@settings(max_examples=50, deadline=None)
@given(_alert)
def test_a_message_reads_back_as_it_was_written(message: Alert) -> None:
    data = build(message)
    again, findings = parse(data)
    assert again == message
    assert findings == []
    assert build(again) == data


@pytest.mark.skipif(not SHARED.exists(), reason="the official schema is not beside this repository")
def test_every_message_we_can_write_is_valid_by_the_official_schema() -> None:
    schema = etree.XMLSchema(etree.parse(SHARED / "CAP-v1.2.xsd"))

    @settings(max_examples=50, deadline=None)
    @given(_alert)
    def valid(message: Alert) -> None:
        assert schema.validate(etree.fromstring(build(message))), schema.error_log

    valid()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (alert(status="Real"), "INVALID_ENUM_VALUE"),
        (alert(sent="2024-09-15T08:00:00Z"), "INVALID_DATE"),
        (alert(sent="2024-02-30T08:00:00+08:00"), "INVALID_DATE"),
        (alert(note="bell \a"), "INVALID_CHARACTERS"),
        (alert(note=" outer "), "INVALID_CHARACTERS"),
        (alert(infos=(info(categories=()),)), "MISSING_REQUIRED_ELEMENT"),
        (alert(infos=(info(language="Chinese, of course"),)), "INVALID_LANGUAGE"),
    ],
)
def test_a_message_that_would_break_the_schema_is_not_written(message: Alert, code: str) -> None:
    with pytest.raises(CapInvalid) as refused:
        build(message)
    assert code in {finding.code for finding in refused.value.findings}


@given(_moment)
def test_a_time_keeps_its_instant_to_the_second(moment: datetime) -> None:
    # A wall time that its zone leaps over equals nothing in Python, so both are compared in UTC.
    assert instant(cap_time(moment)) == moment.replace(microsecond=0).astimezone(UTC)


def test_utc_is_written_with_minus_zero() -> None:
    moment = instant("2024-09-15T08:00:00+08:00")
    assert moment is not None
    assert cap_time(moment) == "2024-09-15T08:00:00+08:00"
    assert cap_time(moment, UTC) == "2024-09-15T00:00:00-00:00"
