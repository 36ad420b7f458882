"""Grades (分级): by mean and standard deviation, and by exact natural breaks.

Pure. What the rules leave open is an argument, so that a method sheet can state it: whether zeros count, which standard
deviation, on which side a class is closed.

Sources: Jenks (1967) and Fisher (1958), J. Am. Stat. Assoc. 53, 789-798, for breaks with the least squared deviation within
classes; the order in which a row is solved from the middle outwards after Hirschberg and Larmore (1987). The multiples of
the standard deviation are those in use in the national survey, from memory: shown on the method sheet as a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from haitang.survey.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HAZARD_SIGMA: Final = (-0.5, 0.5, 1.0)
"""Four hazard grades (致险性): low, lower, higher, high."""
RISK_SIGMA: Final = (-1.0, -0.5, 0.5, 1.0)
"""Five risk grades (风险): low, lower, medium, higher, high."""


class GradingError(ValueError):
    """Values or classes that cannot be graded: the message says why and what to do."""


@dataclass(frozen=True)
class Grades:
    """`grade` per value from 1 (low) up, 0 where there is no value; `bounds` between the classes, rising."""

    grade: Ints
    bounds: Floats
    closed: str


def sigma_grades(
    values: ArrayLike, multiples: tuple[float, ...] = RISK_SIGMA, *, ddof: int = 0, zeros: bool = False
) -> Grades:
    """Classes at mean + m * standard deviation; a class includes its lower bound. `zeros`: zeros count in both.

    A constant field has no spread: every value is in the middle class.
    """
    found = _values(values)
    counted = found[np.isfinite(found) & (zeros | (found != 0))]
    if counted.size <= ddof:
        raise GradingError(f"{counted.size} values count; a standard deviation with ddof={ddof} needs more")
    mean, spread = float(counted.mean()), float(counted.std(ddof=ddof))
    bounds = mean + np.asarray(multiples) * spread
    if spread <= 1e-12 * max(abs(mean), 1e-300):
        middle = len(multiples) // 2 + 1
        return Grades(np.where(np.isfinite(found), middle, 0).astype(np.int64), bounds, "left")
    return Grades(_place(found, bounds, "left"), bounds, "left")


def natural_breaks(values: ArrayLike, k: int, *, closed: Literal["left", "right"] = "right") -> Grades:
    """Exact natural breaks: the k classes whose squared deviations from their means have the least sum.

    `bounds` are the greatest values of the lower k - 1 classes when classes are closed on the right, the least values of
    the upper ones when on the left. Cost n log n for each class after sorting; GradingError with fewer than k different values.
    """
    found = _values(values)
    distinct, number = np.unique(found[np.isfinite(found)], return_counts=True)
    if not 2 <= k <= 20:
        raise GradingError(f"{k} classes: choose 2 to 20")
    if len(distinct) < k:
        raise GradingError(f"{len(distinct)} different values cannot make {k} classes; choose fewer")
    # Centred and scaled, for sums of squares of large numbers lose the digits that matter.
    scale = float(distinct[-1] - distinct[0])
    x = (distinct - distinct[0]) / scale - 0.5
    weight = number.astype(np.float64)
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (weight, weight * x, weight * x * x)]
    last = compiled(_breaks)(sums[0], sums[1], sums[2], k)
    bounds = distinct[last[:-1] + (0 if closed == "right" else 1)]
    return Grades(_place(found, bounds, closed), bounds, closed)


def within_sse(values: ArrayLike, grades: Grades) -> float:
    """Sum of squared deviations from the class means: what natural breaks make least."""
    found = _values(values)
    used = grades.grade > 0
    x, grade = found[used], grades.grade[used]
    size = np.bincount(grade)
    mean = np.bincount(grade, x) / np.maximum(size, 1)
    return float(np.sum((x - mean[grade]) ** 2))


def _values(values: ArrayLike) -> Floats:
    found = np.asarray(values, np.float64).ravel()
    if not np.isfinite(found).any():
        raise GradingError("there is no value to grade")
    if np.isinf(found).any():
        raise GradingError("a value is infinite; mend it or leave it out (not a number)")
    return found


def _place(values: Floats, bounds: Floats, closed: str) -> Ints:
    grade = np.searchsorted(bounds, values, side="right" if closed == "left" else "left") + 1
    return np.where(np.isnan(values), 0, grade).astype(np.int64)


def _breaks(w: Any, wx: Any, wxx: Any, k: int) -> Any:
    """Index of the last value of each class, from cumulated weights, first and second moments.

    Row c holds the least cost of the first j values in c classes. The best split moves right with j, so a row is solved at
    its middle and then on either side between the splits found: a stack stands for the recursion.
    """
    n = len(w) - 1
    cost, split = np.empty(n + 1), np.zeros((k, n + 1), np.int64)
    cost[0] = 0.0
    for j in range(1, n + 1):
        cost[j] = wxx[j] - wx[j] * wx[j] / w[j]
    fresh = np.empty(n + 1)
    stack = np.empty((128, 4), np.int64)
    for c in range(1, k):
        depth = 1
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = c + 1, n, c, n - 1
        while depth > 0:
            depth -= 1
            a, b, lo, hi = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
            j = (a + b) // 2
            best, at = np.inf, lo
            for i in range(lo, min(hi, j - 1) + 1):
                m = w[j] - w[i]
                d = wx[j] - wx[i]
                here = cost[i] + (wxx[j] - wxx[i]) - d * d / m
                if here < best:
                    best, at = here, i
            fresh[j], split[c, j] = best, at
            if a <= j - 1:
                stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = a, j - 1, lo, at
                depth += 1
            if j + 1 <= b:
                stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = j + 1, b, at, hi
                depth += 1
        for j in range(c + 1, n + 1):
            cost[j] = fresh[j]
    last = np.empty(k, np.int64)
    j = n
    for c in range(k - 1, -1, -1):
        last[c] = j - 1
        j = split[c, j]
    return last
