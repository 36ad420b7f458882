"""Numbers of entities: integers below 2**63, reversible, and the same after every restart.

- A Thing is numbered as its station, a Datastream as its series.
- An Observation is (series, time): `series << 42 | milliseconds since 1990`. Times to the year 2129, series to 2,097,151.
  From series 2,048 on such a number is above 2**53: a program in JavaScript must read it with a parser that keeps big integers.
- Locations, features, sensors, observed properties, historical locations: an even number is derived from our registers
  (twice the station's or series' number, or made of the quantity's code), an odd one is a row of its own.
"""

from __future__ import annotations

import zlib

EPOCH_MS = 631_152_000_000
"""1990-01-01: the earliest time that the door takes."""
_BITS = 42
MOST_SERIES = (1 << 63 - _BITS) - 1


def observation(series: int, time_ms: int) -> int:
    """The number of the reading of a series at a time."""
    slot = time_ms - EPOCH_MS
    if not 0 <= slot < 1 << _BITS or not 0 < series <= MOST_SERIES:
        raise OverflowError(f"series {series} at {time_ms} ms has no number")
    return series << _BITS | slot


def reading(number: int) -> tuple[int, int]:
    """(series, time in ms) of an observation's number."""
    return number >> _BITS, (number & (1 << _BITS) - 1) + EPOCH_MS


def derived(key: int) -> int:
    """The number of what is derived from a row of our registers."""
    return 2 * key


def own(key: int) -> int:
    """The number of what is a row of its own."""
    return 2 * key + 1


def split(number: int) -> tuple[bool, int]:
    """(is a row of its own, key)."""
    return bool(number & 1), number >> 1


def quantity(code: str) -> int:
    """The number of a quantity as an observed property: by its code, so that new quantities move none."""
    return derived(zlib.crc32(code.encode()))
