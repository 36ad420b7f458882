"""P4: the compact and the binary form say what the others say, many at once as one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import wire
from haitang.monitoring.batch import BatchError, Catalogue, Prefix, Reason, decode_json, decode_lot

NOW = 1_726_358_400_000  # 2024-09-15 00:00 UTC
ROWS = [
    ("A-TIDE", "tide_level", "cm", None, None),
    ("A-RAIN", "rain", "mm", None, 50.0),
    ("B-WIND", "wind_speed", "km/h", None, None),
]
SERIES = Catalogue.of(ROWS, np.array([17, 23, 90], np.int64))


def rows(found):
    return list(zip(found.series.tolist(), found.time_ms.tolist(), found.value.tolist(), strict=True))


def test_compact_binary_and_named_columns_say_the_same():
    named = {"series": ["A-TIDE", "B-WIND"], "time": [NOW // 1000, NOW], "value": [320, 36]}
    compact = {"s": [17, 90], "t": [NOW, NOW], "v": [320, 36.0]}
    mixed = {"s": ["A-TIDE", 90], "t": NOW, "v": [320, 36]}
    binary = wire.pack(np.array([17, 90]), np.array([NOW, NOW]), np.array([320.0, 36.0]))
    bodies = [*(json.dumps(each).encode() for each in (named, compact, mixed)), binary]
    expected = [(0, NOW, 3.2), (2, NOW, 10.0)]
    for body in bodies:
        assert rows(decode_json(body, SERIES, NOW)) == [pytest.approx(each) for each in expected]
    assert rows(decode_lot(bodies, SERIES, NOW)) == [pytest.approx(each) for each in expected * 4]


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ((18, NOW, 1.0), Reason.UNKNOWN_SERIES),
        ((-1, NOW, 1.0), Reason.UNKNOWN_SERIES),
        ((90, NOW, 1.0), Reason.FORBIDDEN),
        ((17, NOW + 301_000, 1.0), Reason.FUTURE),
        ((17, 0, 1.0), Reason.MALFORMED),
        ((17, NOW, 99_000.0), Reason.ABSURD_VALUE),
        ((17, NOW, float("nan")), Reason.MALFORMED),
    ],
)
def test_the_short_forms_are_checked_as_the_long_ones(given_, reason):
    s, t, v = given_
    binary = wire.pack(np.array([s, 17]), np.array([t, NOW]), np.array([v, 5.0]))
    assert decode_json(binary, SERIES, NOW, Prefix("A-")).refused == {reason: 1}
    if v == v:
        body = json.dumps({"s": [s, 17], "t": [t, NOW], "v": [v, 5.0]}).encode()
        assert decode_json(body, SERIES, NOW, Prefix("A-")).refused == {reason: 1}
        (short,) = decode_lot([body], SERIES, NOW, Prefix("A-")).short.values()
        assert short == (1, {reason: 1})


@pytest.mark.parametrize(
    "body",
    [
        b"HTC",
        b"HTC\x01",
        b"HTC\x02" + bytes(4),
        wire.MAGIC + (1).to_bytes(4, "little"),
        wire.MAGIC + (1).to_bytes(4, "little") + bytes(21),
        wire.MAGIC + (2**32 - 1).to_bytes(4, "little") + bytes(20),
        wire.MAGIC + (50_001).to_bytes(4, "little") + bytes(20 * 50_001),
        b'{"s":[17],"t":[1,2],"v":[1]}',
        b'{"s":17,"t":1,"v":1}',
        b'{"s":[17],"t":[1]}',
    ],
)
def test_a_short_form_that_is_not_whole_is_refused_whole(body):
    with pytest.raises(BatchError):
        decode_json(body, SERIES, NOW)
    found = decode_lot([b'{"s":[17],"t":[%d],"v":[1]}' % NOW, body], SERIES, NOW)
    assert (len(found), list(found.unreadable)) == (1, [1])


cell = st.sampled_from([17, 23, 90, 18, "A-TIDE", "B-WIND", "C", None, True, 2**63, 1.5])
moment = st.sampled_from([NOW, NOW - 5, NOW + 400_000, 1, None, "2024-09-15T00:00:00Z", 2**63, 1e300])
number = st.sampled_from([1, 2.5, -1e9, None, "3", 2**63, True])
document = st.one_of(
    st.fixed_dictionaries({"s": st.lists(cell, max_size=3), "t": st.lists(moment, max_size=3) | moment,
                           "v": st.lists(number, max_size=3)}, optional={"u": st.sampled_from(["m", ["mm"], 3])}),
    st.lists(st.fixed_dictionaries({"series": cell, "time": moment, "value": number}), max_size=3),
    st.integers(), st.dictionaries(st.sampled_from("stv"), cell),
)  # fmt: skip
column = st.lists(st.sampled_from([17, 90, 5]), min_size=1, max_size=3)
body = st.one_of(
    document.map(lambda each: json.dumps(each).encode()),
    column.map(lambda s: wire.pack(np.array(s), np.full(len(s), NOW), np.ones(len(s)))),
    st.binary(max_size=6),
)


@settings(max_examples=200)
@given(st.lists(body, max_size=6), st.sampled_from([None, Prefix("A-"), lambda code: code == "B-WIND"]))
def test_a_lot_holds_what_its_bodies_hold_alone(bodies, allowed):
    lot = decode_lot(bodies, SERIES, NOW, allowed)
    expected = []
    for number, each in enumerate(bodies):
        try:
            alone = decode_json(each, SERIES, NOW, allowed)
        except BatchError as error:
            expected_error, found_error = str(error), str(lot.unreadable[number])
            assert found_error == expected_error
            continue
        assert number not in lot.unreadable
        expected += rows(alone)
        if alone.refused:
            assert lot.short[number] == (len(alone), alone.refused)
        else:
            assert number not in lot.short
    assert sorted(rows(lot)) == sorted(expected)
