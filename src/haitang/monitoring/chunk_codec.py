"""Readings of a few series over a stretch of time as a small blob, and back without loss.

Times: differences of differences. Values: as whole multiples of a power of ten where a series has so few decimals
(with a correction in units in the last place where a conversion of units left one), else the bits of the float, XORed
with the reading before. What is left is mostly zero; it is laid out by bytes of equal weight and packed by zstd.

Rows stand series by series, each in order of time. One series can be taken out without decoding the others.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from haitang.monitoring.rules import Bools, Floats, Ints

VERSION = 1
DECIMALS = 9
"""So many decimals are tried; a series with more keeps its floats."""
_ULPS = 7
"""A value may lie so many units in the last place off its decimal number and still be kept as one."""
_RAW = -1
_LEVEL = 3
_WHOLE = 2.0**53
_HEAD = struct.Struct("<BIIIBBBB")  # version, series, rows, rows kept as decimals, planes of times, decimals, ulps, raw


class CodecError(ValueError):
    """A blob is not what `encode` made."""


_local = threading.local()  # a compressor belongs to one thread


def _squeeze(data: bytes) -> bytes:
    if not hasattr(_local, "squeeze"):
        import zstandard

        _local.squeeze = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return _local.squeeze.compress(data)


def _swell(data: bytes) -> bytes:
    import zstandard

    if not hasattr(_local, "swell"):
        _local.swell = zstandard.ZstdDecompressor()
    try:
        return _local.swell.decompress(data)
    except zstandard.ZstdError as error:
        raise CodecError(f"a chunk of readings is damaged: {error}") from error


def encode(series: Ints, time_ms: Ints, values: Floats) -> bytes:
    """Pack rows that are sorted by series and time."""
    n = len(series)
    starts = _starts(series)
    counts = np.diff(starts, append=n)
    scale, whole, ulps = _decimals(values, starts, counts)
    decimal = np.repeat(scale != _RAW, counts)
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    first = starts[: len(counts)]
    kept = np.where(decimal[first], whole[first], bits[first]) if n else np.zeros(0, np.int64)

    steps = _differences(_differences(time_ms, first), first)
    moves = _differences(whole, first)[decimal]
    flips = np.zeros(n, np.int64)
    flips[1:] = bits[1:] ^ bits[:-1]
    flips[first] = 0

    time_planes = _planes(_zigzag(steps))
    whole_planes = _planes(_zigzag(moves))
    ulp_planes = _planes(_zigzag(ulps[decimal]))
    raw_planes = _planes(flips[~decimal].view(np.uint64))
    head = _HEAD.pack(
        VERSION, len(counts), n, int(decimal.sum()),
        len(time_planes), len(whole_planes), len(ulp_planes), len(raw_planes),
    )  # fmt: skip
    columns = (
        series[first].astype("<i4"), counts.astype("<u4"), time_ms[first].astype("<i8"), scale.astype("<i1"),
        kept.astype("<i8"),
    )  # fmt: skip
    parts = [column.tobytes() for column in columns]
    parts += [planes.tobytes() for planes in (time_planes, whole_planes, ulp_planes, raw_planes)]
    return head + _squeeze(b"".join(parts))


def decode(payload: bytes, only: int | None = None) -> tuple[Ints, Ints, Floats]:
    """Series, times and values as they were packed; with `only`, those of one series."""
    chunk = _Chunk(payload)
    if only is None:
        return np.repeat(chunk.series, chunk.counts), chunk.times(), chunk.values()
    found = np.flatnonzero(chunk.series == only)
    if not len(found):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    time, value = chunk.one(int(found[0]))
    return np.full(len(time), only, np.int64), time, value


class _Chunk:
    """A blob, unpacked but not yet decoded."""

    def __init__(self, payload: bytes) -> None:
        if len(payload) < _HEAD.size or payload[0] != VERSION:
            raise CodecError(f"a chunk of readings begins with byte {payload[:1]!r}, not with version {VERSION}")
        _version, k, n, m, *planes = _HEAD.unpack_from(payload)
        body = _swell(payload[_HEAD.size :])
        if len(body) != 25 * k + n * planes[0] + m * (planes[1] + planes[2]) + (n - m) * planes[3]:
            raise CodecError("a chunk of readings is not as long as it says")
        self.series = np.frombuffer(body, "<i4", k).astype(np.int64)
        self.counts = np.frombuffer(body, "<u4", k, 4 * k).astype(np.int64)
        self.first_ms = np.frombuffer(body, "<i8", k, 8 * k)
        self.scale = np.frombuffer(body, "<i1", k, 16 * k)
        self.first = np.frombuffer(body, "<i8", k, 17 * k)
        self.ends = np.cumsum(self.counts)
        at, self.columns = 25 * k, []
        for rows, number in zip((n, m, m, n - m), planes, strict=True):
            self.columns.append(np.frombuffer(body, np.uint8, rows * number, at).reshape(number, rows))
            at += rows * number

    def one(self, k: int) -> tuple[Ints, Floats]:
        """Times and values of the series at place k."""
        count = int(self.counts[k])
        end = int(self.ends[k])
        times, whole, ulps, raw = self.columns
        steps = _unzigzag(_unplane(times[:, end - count : end]))
        time = _sums(_sums(steps)) + self.first_ms[k]
        decimal = self.scale != _RAW
        same = decimal == decimal[k]
        stop = int(self.counts[: k + 1][same[: k + 1]].sum())
        rows = slice(stop - count, stop)
        if decimal[k]:
            moved = _sums(_unzigzag(_unplane(whole[:, rows]))) + self.first[k]
            return time, _from_decimals(moved, int(self.scale[k]), _unzigzag(_unplane(ulps[:, rows])))
        flips = _unplane(raw[:, rows])
        flips[0] ^= self.first[k : k + 1].astype("<i8").view(np.uint64)[0]
        return time, np.bitwise_xor.accumulate(flips).view(np.float64)

    def times(self) -> Ints:
        """All times."""
        steps = _unzigzag(_unplane(self.columns[0]))
        return _sums(_sums(steps, self.counts), self.counts) + np.repeat(self.first_ms, self.counts)

    def values(self) -> Floats:
        """All values."""
        values = np.empty(int(self.counts.sum()))
        decimal = self.scale != _RAW
        rows = np.repeat(decimal, self.counts)
        if decimal.any():
            counts = self.counts[decimal]
            moved = _sums(_unzigzag(_unplane(self.columns[1])), counts) + np.repeat(self.first[decimal], counts)
            values[rows] = _from_decimals(
                moved, np.repeat(self.scale[decimal], counts), _unzigzag(_unplane(self.columns[2]))
            )
        if not decimal.all():
            parts = [self.one(k)[1] for k in np.flatnonzero(~decimal).tolist()]
            values[~rows] = np.concatenate(parts)
        return values


_POWERS = np.array([10.0**k for k in range(DECIMALS + 1)])


def _decimals(values: Floats, starts: Ints, counts: Ints) -> tuple[Ints, Ints, Ints]:
    """For each series its number of decimals or _RAW; for each row the whole number and what it is off, in ulps."""
    n = len(values)
    scale = np.full(len(counts), _RAW, np.int64)
    whole, ulps = np.zeros(n, np.int64), np.zeros(n, np.int64)
    rows = np.arange(n)
    left = np.arange(len(counts))
    # Negative zero, infinities and no-number have no decimal form; their series keep the bits.
    plain = np.isfinite(values) & ~((values == 0) & np.signbit(values))
    for k in range(DECIMALS + 1):
        if not len(rows):
            break
        of, each = values[rows], counts[left]
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(of * _POWERS[k])
            good: Bools = plain[rows] & (np.abs(scaled) < _WHOLE)
            number = np.where(good, scaled, 0.0) + 0.0  # no negative zero
            off = of.view(np.int64) - (number / _POWERS[k]).view(np.int64)
        good &= np.abs(off) <= _ULPS
        fits = np.logical_and.reduceat(good, np.cumsum(each) - each)
        chosen = np.repeat(fits, each)
        scale[left[fits]] = k
        whole[rows[chosen]] = number[chosen].astype(np.int64)
        ulps[rows[chosen]] = off[chosen]
        rows, left = rows[~chosen], left[~fits]
    return scale, whole, ulps


def _from_decimals(whole: Ints, scale: Any, ulps: Ints) -> Floats:
    """The floats that `_decimals` took apart."""
    values = whole / _POWERS[scale]
    return (values.view(np.int64) + ulps).view(np.float64)


def _starts(series: Ints) -> Ints:
    """Where each series begins."""
    if not len(series):
        return np.zeros(0, np.int64)
    return np.concatenate([[0], np.flatnonzero(series[1:] != series[:-1]) + 1])


def _differences(column: Ints, first: Ints) -> Ints:
    """Each row less the one before it; 0 where a series begins. Numbers go round at 64 bits and come back."""
    moved = np.zeros(len(column), np.int64)
    moved[1:] = column[1:] - column[:-1]
    moved[first] = 0
    return moved


def _sums(moved: Ints, counts: Ints | None = None) -> Ints:
    """`_differences` undone, each series beginning at 0."""
    total = np.cumsum(moved)
    if counts is None or len(counts) < 2:
        return total
    # The first of a series is 0, so the sum there is that of the series before.
    return total - np.repeat(total[np.cumsum(counts) - counts], counts)


def _zigzag(column: Ints) -> Any:
    """Small numbers of either sign as small numbers."""
    return ((column << 1) ^ (column >> 63)).view(np.uint64)


def _unzigzag(column: Any) -> Ints:
    return (column >> np.uint64(1)).view(np.int64) ^ -(column & np.uint64(1)).view(np.int64)


def _planes(column: Any) -> Any:
    """Bytes of equal weight together, lightest first, as many as are needed."""
    largest = int(column.max()) if len(column) else 0
    number = (largest.bit_length() + 7) // 8
    return np.ascontiguousarray(column.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :number].T)


def _unplane(planes: Any) -> Any:
    """`_planes` undone."""
    number, n = planes.shape
    if number == 0:
        return np.zeros(n, np.uint64)
    column = planes[0].astype(np.uint64)
    for k in range(1, number):
        column |= planes[k].astype(np.uint64) << np.uint64(8 * k)
    return column


@dataclass(frozen=True)
class Figures:
    """What is known of each series in a chunk without decoding it, as columns."""

    series: Ints
    count: Ints
    first_ms: Ints
    last_ms: Ints
    low_ms: Ints
    high_ms: Ints
    first: Floats
    last: Floats
    low: Floats
    high: Floats
    total: Floats


_FIGURES = 11


def figures(series: Ints, time_ms: Ints, values: Floats) -> Figures:
    """The figures of rows that are sorted by series and time."""
    starts = _starts(series)
    if not len(starts):
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        return Figures(none, none, none, none, none, none, nothing, nothing, nothing, nothing, nothing)
    counts = np.diff(starts, append=len(series))
    last = starts + counts - 1
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    return Figures(
        series[starts], counts, time_ms[starts], time_ms[last],
        time_ms[_first_of(values, low, starts, counts)], time_ms[_first_of(values, high, starts, counts)],
        values[starts], values[last], low, high, np.add.reduceat(values, starts),
    )  # fmt: skip


def _first_of(values: Floats, wanted: Floats, starts: Ints, counts: Ints) -> Ints:
    """Of each series the first row that has the wanted value (its first row, if none has)."""
    hits = np.flatnonzero(values == np.repeat(wanted, counts))
    owner, first = np.unique(np.searchsorted(starts, hits, side="right") - 1, return_index=True)
    rows = starts.copy()
    rows[owner] = hits[first]
    return rows


def pack_figures(of: Figures) -> bytes:
    """Figures as a blob."""
    whole = np.concatenate([of.series, of.count, of.first_ms, of.last_ms, of.low_ms, of.high_ms]).astype("<i8")
    real = np.concatenate([of.first, of.last, of.low, of.high, of.total]).astype("<f8")
    # Columns by their bytes: neighbours share the heavy ones.
    table = np.frombuffer(whole.tobytes() + real.tobytes(), np.uint8).reshape(-1, 8).T
    return bytes([VERSION]) + _squeeze(np.ascontiguousarray(table).tobytes())


def unpack_figures(payload: bytes) -> Figures:
    """What `pack_figures` packed."""
    if payload[:1] != bytes([VERSION]):
        raise CodecError(f"the figures of a chunk begin with byte {payload[:1]!r}, not with version {VERSION}")
    body = _swell(payload[1:])
    if len(body) % (8 * _FIGURES):
        raise CodecError("the figures of a chunk are not as long as they should be")
    table = np.ascontiguousarray(np.frombuffer(body, np.uint8).reshape(8, -1).T)
    k = len(body) // (8 * _FIGURES)
    whole = table.reshape(-1).view("<i8").astype(np.int64).reshape(_FIGURES, k)
    real = table.reshape(-1).view("<f8").reshape(_FIGURES, k)
    return Figures(*whole[:6], *real[6:])
