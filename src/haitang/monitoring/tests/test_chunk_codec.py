"""P4, issue 3 (store): what is packed comes back to the last bit, small, and one series without the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haitang.monitoring import chunk_codec as codec

INT64 = st.integers(-(2**63), 2**63 - 1)
VALUES = st.one_of(
    st.floats(width=64),
    st.integers(-(10**6), 10**6).map(lambda n: n / 100),
    st.integers(-(10**6), 10**6).map(lambda n: n * 0.01),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 2.0**53, -(2.0**53), 2.0**53 + 2, 1e22]),
)
ROWS = st.dictionaries(st.tuples(st.integers(-(2**31), 2**31 - 1) | st.integers(1, 4), INT64), VALUES, max_size=60)


def columns(rows):
    keys = sorted(rows)
    return (
        np.array([s for s, _ in keys], np.int64), np.array([t for _, t in keys], np.int64),
        np.array([rows[key] for key in keys], np.float64),
    )  # fmt: skip


def same(got, expected):
    return all(np.array_equal(a.view(np.int64), b.view(np.int64)) for a, b in zip(got, expected, strict=True))


@settings(max_examples=150)
@given(ROWS)
def test_every_reading_comes_back_to_the_last_bit(rows):
    series, time, value = columns(rows)
    packed = codec.encode(series, time, value)
    assert same(codec.decode(packed), (series, time, value))
    for each in {*series.tolist(), 5}:
        of = series == each
        assert same(codec.decode(packed, each), (series[of], time[of], value[of]))


@settings(max_examples=50)
@given(
    st.lists(
        st.lists(st.integers(-5, 5).map(lambda n: n / 4), min_size=1, max_size=9), min_size=0, max_size=5
    )
)  # fmt: skip
def test_figures_are_those_of_the_rows(lists):
    series = np.repeat(np.arange(len(lists)), [len(each) for each in lists]).astype(np.int64)
    time = np.concatenate([np.arange(len(each)) * 7 for each in lists] or [[]]).astype(np.int64)
    value = np.array([v for each in lists for v in each], np.float64)
    got = codec.unpack_figures(codec.pack_figures(codec.figures(series, time, value)))
    assert got.series.tolist() == list(range(len(lists)))
    for k, each in enumerate(lists):
        assert (got.count[k], got.first[k], got.last[k]) == (len(each), each[0], each[-1])
        assert (got.first_ms[k], got.last_ms[k]) == (0, 7 * (len(each) - 1))
        assert (got.low[k], got.high[k], got.total[k]) == (min(each), max(each), sum(each))
        assert (got.low_ms[k], got.high_ms[k]) == (7 * each.index(min(each)), 7 * each.index(max(each)))


def test_a_day_of_sixteen_gauges_takes_less_than_a_byte_and_a_half_a_reading():
    rng = np.random.default_rng(3)
    series = np.repeat(np.arange(16), 1440)
    time = np.tile(np.arange(1440) * 60_000, 16) + 1_726_358_400_000
    value = np.round(3 + np.cumsum(rng.normal(0, 0.05, (16, 1440)), axis=1), 2).ravel()
    packed = codec.encode(series, time, value) + codec.pack_figures(codec.figures(series, time, value))
    assert len(packed) / len(series) < 1.5
    converted = codec.encode(series, time, np.round(value * 100) * 0.01)  # as a gauge that says centimetres
    assert len(converted) / len(series) < 1.5


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_a_damaged_chunk_is_named_as_such(cut):
    packed = codec.encode(*columns({(1, n): n * 0.5 for n in range(40)}))
    with pytest.raises(codec.CodecError):
        codec.decode(packed[:cut])
    with pytest.raises(codec.CodecError):
        codec.decode(b"\x09" + packed[1:])
    broken = bytearray(packed)
    broken[-3] ^= 1
    with pytest.raises(codec.CodecError):
        codec.decode(bytes(broken))
