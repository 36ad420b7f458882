"""The quality tests as one loop over readings in order of arrival, for numba. `quality.py` says what the arrays are.

The answer is that of the vectorised form, bit for bit (a test compares); compiling takes seconds, so it is done once in
the background (`warm`) and kept on disk; until then, and where numba is missing, the vectorised form answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np

NEVER: Final = -(2**62)
RANGE, CLIMATOLOGY, SPIKE, RATE, FLAT, ATTENUATED, GAP, NEIGHBOUR, CLOCK = (1 << bit for bit in range(9))

_ready: list[Callable[..., Any]] = []
_warming = threading.Lock()


def ready() -> Callable[..., Any] | None:
    """The compiled loop, None while there is none."""
    return _ready[0] if _ready else None


def warm(*example: Any) -> None:
    """Compile the loop (or take it from disk) for arrays like these. Does nothing where numba is missing."""
    with _warming:
        if _ready:
            return
        try:
            import numba
        except ImportError:
            return
        loop = numba.njit(cache=True, nogil=True, error_model="numpy")(_loop)
        loop(*example)
        _ready.append(loop)


def _loop(  # noqa: PLR0912, PLR0915
    at: Any, time: Any, value: Any, arrived: Any, month: Any,
    count: Any, time1: Any, value1: Any, time2: Any, value2: Any, slot: Any, ring_time: Any, ring_value: Any, row_of: Any, base: int,
    profile: Any, on_in: Any, low: Any, high: Any, months: Any, spike: Any, rate: Any, gap: Any, late_ms: Any, ahead: Any,
    near: Any, near_age: Any, neighbours: Any, tolerance: Any, flat: Any, thin_ms: Any, thin: Any, thin_least: Any, enough: Any,
    suspect: Any, fail: Any, known: Any, told_at: Any, told_ms: Any, told_suspect: Any, told_fail: Any,
) -> int:  # fmt: skip
    width = ring_time.shape[1]
    told = 0
    for i in range(at.shape[0]):
        s, t, v = at[i], time[i], value[i]
        p = profile[s]
        on, bad, worse = on_in[p], 0, 0
        is_late = t <= time1[s]
        # What needs no order.
        if on & RANGE:
            if v < low[0, p] or v > high[0, p]:
                bad |= RANGE
            if v < low[1, p] or v > high[1, p]:
                worse |= RANGE
        if on & CLIMATOLOGY and (v < months[p, month[i], 0] or v > months[p, month[i], 1]):
            bad |= CLIMATOLOGY
        seen = on & (RANGE | CLIMATOLOGY)
        where = slot[s]
        if is_late:
            # Into the memory at its place, unless it is there or lies before all that is remembered.
            if where < 0:
                if time2[s] < t < time1[s]:
                    time2[s], value2[s] = t, v
            else:
                have = min(count[s], width)
                begin = count[s] - have
                place = have
                while place > 0 and ring_time[where, (begin + place - 1) % width] >= t:
                    place -= 1
                there = place < have and ring_time[where, (begin + place) % width] == t
                if not there and have < width:
                    for j in range(have, place, -1):
                        ring_time[where, (begin + j) % width] = ring_time[where, (begin + j - 1) % width]
                        ring_value[where, (begin + j) % width] = ring_value[where, (begin + j - 1) % width]
                    ring_time[where, (begin + place) % width], ring_value[where, (begin + place) % width] = t, v
                    count[s] += 1
                elif not there and place > 0:
                    for j in range(place - 1):
                        ring_time[where, (begin + j) % width] = ring_time[where, (begin + j + 1) % width]
                        ring_value[where, (begin + j) % width] = ring_value[where, (begin + j + 1) % width]
                    j = place - 1
                    ring_time[where, (begin + j) % width], ring_value[where, (begin + j) % width] = t, v
                if not there and place == have - 1:
                    time2[s], value2[s] = t, v
                elif not there and have == width and place > 0:
                    j = (count[s] - 2) % width
                    time2[s], value2[s] = ring_time[where, j], ring_value[where, j]
            suspect[i], fail[i], known[i] = bad, worse, seen
            continue
        if on & CLOCK and arrived[i] != NEVER - 1:
            age = 0 if arrived[i] == NEVER else arrived[i] - t
            if age > late_ms[0, p] or -age > ahead[p]:
                bad |= CLOCK
            if age > late_ms[1, p]:
                worse |= CLOCK
            seen |= CLOCK
        if on & NEIGHBOUR:
            total, number = 0.0, 0
            for k in range(neighbours.shape[1]):
                other = neighbours[s, k]
                if other >= 0 and abs(t - time1[other]) <= near_age[p] and not np.isnan(value1[other]):
                    total += value1[other]
                    number += 1
            if number >= 2:
                distance = abs(v - total / number)
                if distance > near[0, p]:
                    bad |= NEIGHBOUR
                if distance > near[1, p]:
                    worse |= NEIGHBOUR
                seen |= NEIGHBOUR
        if on & RATE:
            speed = abs((v - value1[s]) / ((t - time1[s]) // 1000))
            if speed > rate[0, p]:
                bad |= RATE
            if speed > rate[1, p]:
                worse |= RATE
            seen |= RATE
        if on & GAP:
            since = 0 if time1[s] == NEVER else t - time1[s]
            if since > gap[0, p]:
                bad |= GAP
            if since > gap[1, p]:
                worse |= GAP
            seen |= GAP
        if on & SPIKE:
            diff = abs(value1[s] - (value2[s] + v) / 2)
            row = row_of[s] - base
            if row >= 0:
                if not np.isnan(diff):
                    known[row] |= SPIKE
                if diff > spike[0, p]:
                    suspect[row] |= SPIKE
                if diff > spike[1, p]:
                    fail[row] |= SPIKE
            elif diff > spike[0, p] or diff > spike[1, p]:
                told_at[told], told_ms[told] = s, time1[s]
                told_suspect[told] = SPIKE if diff > spike[0, p] else 0
                told_fail[told] = SPIKE if diff > spike[1, p] else 0
                told += 1
        have = count[s]
        held = min(have, width)
        if on & FLAT:
            seen |= FLAT
            if where >= 0:
                least, most = min(flat[0, p], flat[1, p]), max(flat[0, p], flat[1, p])
                # A window that a span never asks for stands beyond every ring.
                stop = min(most if most < width else least, held)
                reach = -1
                if not (abs(v - value1[s]) >= tolerance[p]) and have >= least:
                    lowest, highest = v, v
                    reach = 0
                    j = have % width
                    for lag in range(1, stop + 1):
                        j = j - 1 if j > 0 else width - 1
                        x = ring_value[where, j]
                        if np.isnan(lowest):
                            lowest, highest = x, x
                        elif x < lowest:
                            lowest = x
                        elif x > highest:
                            highest = x
                        if highest - lowest >= tolerance[p]:
                            break
                        reach = lag
                    if np.isnan(lowest):
                        reach = -1
                if reach >= flat[0, p]:
                    bad |= FLAT
                if reach >= flat[1, p]:
                    worse |= FLAT
        if on & ATTENUATED and where >= 0 and have + 1 >= thin_least[p]:
            first = thin_least[p] - 1
            if t - ring_time[where, (have - first) % width] < thin_ms[p]:
                seen |= ATTENUATED
                a = abs(v - ring_value[where, (have - first) % width])
                half = thin_least[p] // 2
                b = abs(v - ring_value[where, (have - half) % width])
                apart = a if a > b or np.isnan(a) else b
                if not (apart > enough[p] * 1.001):
                    # Sums around the newest value. Squares about the mean only grow: once there are enough, all is well.
                    total, square, number, fine = 0.0, 0.0, 0 if np.isnan(v) else 1, False
                    bound = enough[p] * enough[p] * 0.5 * 1.001
                    j = have % width
                    for _lag in range(min(held, width - 1)):
                        j = j - 1 if j > 0 else width - 1
                        if t - ring_time[where, j] >= thin_ms[p]:
                            break
                        x = ring_value[where, j] - v
                        if not np.isnan(x):
                            total += x
                            square += x * x
                            number += 1
                            if square * number - total * total > bound * number:
                                fine = True
                                break
                    if not fine:
                        number = max(number, 1)
                        spread = np.sqrt(max(square - total * total / number, 0.0) / number)
                        if spread < thin[0, p]:
                            bad |= ATTENUATED
                        if spread < thin[1, p]:
                            worse |= ATTENUATED
        suspect[i], fail[i], known[i] = bad, worse, seen
        if where >= 0:
            ring_time[where, have % width], ring_value[where, have % width] = t, v
        count[s] = have + 1
        time2[s], value2[s] = time1[s], value1[s]
        time1[s], value1[s] = t, v
        row_of[s] = base + i
    return told
