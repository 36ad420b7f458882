"""P4: the wire forms; bad rows are set aside with field, value, rule and remedy, and the good ones are kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import batch
from haitang.monitoring.batch import BatchError, Catalogue, Reason, decode_csv, decode_json

NOW = 1_726_358_400_000  # 2024-09-15 00:00 UTC
SERIES = Catalogue.of(
    [
        ("A-TIDE", "tide_level", "m", None, None),
        ("A-RAIN", "rain", "mm", None, 50.0),
        ("B-WIND", "wind_speed", "km/h", None, None),
    ]
)


def decode(document: object, **more: object) -> batch.Batch:
    return decode_json(json.dumps(document).encode(), SERIES, NOW, **more)


def test_columns_and_rows_say_the_same():
    columns = decode({"series": ["A-TIDE", "B-WIND"], "time": [NOW // 1000, NOW], "value": [3.2, 36]})
    rows = decode(
        [
            {"series": "A-TIDE", "time": "2024-09-15T08:00:00+08:00", "value": 3.2},
            {"series": "B-WIND", "time": "2024-09-15T00:00:00Z", "value": 10, "unit": "m/s"},
        ]
    )
    for found in (columns, rows):
        assert found.series.tolist() == [0, 2]
        assert found.time_ms.tolist() == [NOW, NOW]
        assert found.value.tolist() == pytest.approx([3.2, 10.0])
        assert not found.rejections


def test_one_time_serves_all_columns():
    found = decode({"series": ["A-TIDE", "A-RAIN"], "time": "2024-09-15T00:00:00Z", "value": [1, 2]})
    assert found.time_ms.tolist() == [NOW, NOW]


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        ({"series": "C-TIDE", "time": NOW, "value": 1}, Reason.UNKNOWN_SERIES, "series"),
        ({"series": 7, "time": NOW, "value": 1}, Reason.UNKNOWN_SERIES, "series"),
        ({"series": 7.0, "time": NOW, "value": 1}, Reason.MALFORMED, "series"),
        ({"series": ["A-TIDE"], "time": NOW, "value": 1}, Reason.MALFORMED, "series"),
        ({"series": "A-TIDE", "time": NOW, "value": 1, "unit": "hPa"}, Reason.WRONG_UNIT, "unit"),
        ({"series": "A-TIDE", "time": NOW, "value": 1, "unit": {}}, Reason.WRONG_UNIT, "unit"),
        ({"series": "A-TIDE", "time": NOW, "value": 1, "unit": ["m"]}, Reason.WRONG_UNIT, "unit"),
        ({"series": "A-TIDE", "time": NOW, "value": 99}, Reason.ABSURD_VALUE, "value"),
        ({"series": "A-RAIN", "time": NOW, "value": 51}, Reason.ABSURD_VALUE, "value"),
        ({"series": "A-TIDE", "time": NOW + 301_000, "value": 1}, Reason.FUTURE, "time"),
        ({"series": "A-TIDE", "time": "2024-09-15 08:00", "value": 1}, Reason.MALFORMED, "time"),
        ({"series": "A-TIDE", "time": "yesterday", "value": 1}, Reason.MALFORMED, "time"),
        ({"series": "A-TIDE", "time": 0, "value": 1}, Reason.MALFORMED, "time"),
        ({"series": "A-TIDE", "time": 1e300, "value": 1}, Reason.MALFORMED, "time"),
        ({"series": "A-TIDE", "time": True, "value": 1}, Reason.MALFORMED, "time"),
        ({"series": "A-TIDE", "value": 1}, Reason.MALFORMED, "time"),
        ({"series": "A-TIDE", "time": NOW, "value": "1"}, Reason.MALFORMED, "value"),
        ({"series": "A-TIDE", "time": NOW, "value": True}, Reason.MALFORMED, "value"),
        ({"series": "A-TIDE", "time": NOW, "value": None}, Reason.MALFORMED, "value"),
        ("nonsense", Reason.MALFORMED, "series"),
    ],
)
def test_a_bad_row_names_field_value_rule_and_remedy_and_the_good_row_is_kept(row, reason, field):
    found = decode([row, {"series": "A-TIDE", "time": NOW, "value": 2.5}])
    assert found.value.tolist() == [2.5]
    (refused,) = found.rejections
    assert (refused.row, refused.reason, refused.field) == (0, reason, field)
    assert refused.rule
    assert refused.remedy
    assert found.refused == {reason: 1}


def test_a_token_writes_only_its_own_series():
    found = decode(
        {"series": ["A-TIDE", "B-WIND"], "time": NOW, "value": [1, 2]}, allowed=lambda code: code.startswith("A-")
    )
    assert found.series.tolist() == [0]
    assert found.refused == {Reason.FORBIDDEN: 1}
    assert len(decode({"series": ["A-TIDE"], "time": NOW, "value": [1]}, allowed=lambda code: False)) == 0


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"", "malformed", "not JSON"),
        (b"{", "malformed", "not JSON"),
        (b'{"series":["A-TIDE"],"time":[1],"value":[NaN]}', "malformed", "not JSON"),
        (b"\xff\xfe", "malformed", "not JSON"),
        (b"[" * 100_000, "malformed", "not JSON"),
        (b"3", "malformed", "the body is a int"),
        (b'{"series":"A-TIDE","time":1,"value":2}', "malformed", "must be lists"),
        (b'{"series":["A-TIDE"],"time":[1,2],"value":[2]}', "malformed", "differ in length"),
        (b" " * (batch.MAX_BYTES + 1), "too_large", "at most"),
        (json.dumps([0] * (batch.MAX_ROWS + 1)).encode(), "too_many_rows", "at most"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(body, code, says):
    with pytest.raises(BatchError, match=f"(?i){says}") as caught:
        decode_json(body, SERIES, NOW)
    assert caught.value.code == code


def test_csv_with_a_byte_order_mark_and_a_unit_column():
    text = (
        "\ufeffSeries,time,value,unit\nA-TIDE,2024-09-15T08:00:00+08:00,455,cm\nA-TIDE,1726358100,4.5,\nA-TIDE,x,y,m\n"
    )
    found = decode_csv(text, SERIES, NOW)
    assert found.value.tolist() == pytest.approx([4.55, 4.5])
    assert [(r.row, r.field) for r in found.rejections] == [(2, "time")]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", 'series,time,value\n"A-TIDE,1,2\n'])
def test_csv_that_is_none_is_refused_whole(text):
    with pytest.raises(BatchError):
        decode_csv(text, SERIES, NOW)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["A-TIDE", "m", NOW, "2024-09-15T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["series", "time", "value", "unit", "readings"]), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=30)
@given(st.lists(st.tuples(anything, st.sampled_from([None, "A-", "B-"])), max_size=5))
def test_bodies_decoded_together_give_what_they_give_alone(sent):
    bodies = [
        (json.dumps(document).encode(), prefix and (lambda c, p=prefix: c.startswith(p))) for document, prefix in sent
    ]
    for (body, allowed), found in zip(bodies, batch.decode_all(bodies, SERIES, NOW), strict=True):
        if isinstance(found, BatchError):
            with pytest.raises(BatchError) as caught:
                decode_json(body, SERIES, NOW, allowed)
            assert (str(caught.value), caught.value.code) == (str(found), found.code)
            continue
        alone = decode_json(body, SERIES, NOW, allowed)
        assert (found.rejections, found.refused) == (alone.rejections, alone.refused)
        for name in ("series", "time_ms", "value"):
            assert getattr(found, name).tolist() == getattr(alone, name).tolist()


@settings(max_examples=200)
@given(anything)
def test_nothing_that_is_json_breaks_the_decoder_and_every_row_is_accounted_for(document):
    body = json.dumps(document).encode()
    try:
        found = decode_json(body, SERIES, NOW)
    except BatchError:
        return
    rows = document
    if isinstance(document, dict):
        rows = document["readings"] if isinstance(document.get("readings"), list) else document["series"]
    assert len(found) + sum(found.refused.values()) == len(rows)
