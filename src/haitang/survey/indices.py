"""Indices of the Chinese survey method (指数): normalisation, weights, weighted means, comprehensive index.

Pure. A table has one row per unit (cell, village, township) and one column per indicator. Every choice the rules leave open
is an argument, to be shown on the method sheet.

Sources: normalisation and entropy weights as in annexes A and B of DB63/T 2186-2023; the risk index as weighted geometric
mean as in DB34/T 4637; AHP after Saaty (1980), random indices of Saaty (1980), table 1-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RANDOM_INDEX: Final = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49)
"""Mean consistency index of random pairwise matrices of 1 to 10 indicators (Saaty 1980)."""
CONSISTENT: Final = 0.1


class IndexingError(ValueError):
    """A table or weights that cannot make an index: the message says which column, value and rule."""


def normalise(values: ArrayLike, *, inverse: bool = False, floor: float = 0.0) -> Floats:
    """(x - min) / (max - min) along each column, into [floor, 1]; a constant column gives `floor`. `inverse`: more is better.

    Missing values (not a number) stay missing. A floor above 0 keeps products from vanishing.
    """
    table = np.asarray(values, np.float64)
    if not 0.0 <= floor < 1.0:
        raise IndexingError(f"floor {floor:g} must be between 0 and 1")
    if table.size and np.isnan(table).all(axis=0).any():
        raise IndexingError(f"column {int(np.argmax(np.atleast_1d(np.isnan(table).all(axis=0))))} has no value")
    low, high = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(high > low, (table - low) / (high - low), 0.0 * table)
    return floor + (1.0 - floor) * (1.0 - share if inverse else share)


def entropy_weights(table: ArrayLike) -> Floats:
    """Weights by information entropy from a normalised table: the more a column differs over the units, the more it weighs."""
    x = np.asarray(table, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise IndexingError("entropy weights need a table of two units or more")
    if (x < 0).any() or np.isnan(x).any():
        raise IndexingError("entropy weights need values of 0 or more, none missing; normalise first")
    total = x.sum(axis=0)
    if (total == 0).any():
        raise IndexingError(f"column {int(np.argmax(total == 0))} is 0 everywhere; leave it out")
    p = x / total
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(p > 0, p * np.log(p), 0.0).sum(axis=0) / np.log(len(x))
    diversity = np.maximum(1.0 - entropy, 0.0)
    if diversity.sum() <= 1e-12:
        return np.full(x.shape[1], 1.0 / x.shape[1])
    return np.asarray(diversity / diversity.sum())


@dataclass(frozen=True)
class Ahp:
    """Weights of an analytic hierarchy process and its consistency ratio (below 0.1 the comparisons agree well enough)."""

    weights: Floats
    ratio: float

    @property
    def is_consistent(self) -> bool:
        """Whether the pairwise comparisons may be used."""
        return self.ratio < CONSISTENT


def ahp_weights(comparisons: ArrayLike) -> Ahp:
    """Weights from a reciprocal matrix of pairwise comparisons: its main eigenvector."""
    a = np.asarray(comparisons, np.float64)
    n = len(a)
    if a.shape != (n, n) or not 1 <= n <= len(RANDOM_INDEX) or (a <= 0).any():
        raise IndexingError(f"comparisons must be a square matrix of 1 to {len(RANDOM_INDEX)} rows with values above 0")
    if not np.allclose(a * a.T, 1.0, rtol=1e-6):
        i, j = np.argwhere(~np.isclose(a * a.T, 1.0, rtol=1e-6))[0]
        raise IndexingError(f"comparison ({i + 1}, {j + 1}) is {a[i, j]:g}, ({j + 1}, {i + 1}) must be {1 / a[i, j]:g}")
    values, vectors = np.linalg.eig(a)
    main = int(np.argmax(values.real))
    weights = np.abs(vectors[:, main].real)
    index = (values[main].real - n) / (n - 1) if n > 1 else 0.0
    ratio = index / RANDOM_INDEX[n - 1] if n > 2 else 0.0
    return Ahp(weights / weights.sum(), float(max(ratio, 0.0)))


def weighted_sum(table: ArrayLike, weights: ArrayLike) -> Floats:
    """Weighted arithmetic mean of the columns."""
    x, w = _fitting(table, weights)
    return np.asarray(x @ w)


def weighted_geometric(table: ArrayLike, weights: ArrayLike) -> Floats:
    """Weighted geometric mean prod x^w of the columns, as for R = H^w1 E^w2 V^w3; 0 where one factor is 0."""
    x, w = _fitting(table, weights)
    if (x < 0).any():
        raise IndexingError("a geometric mean needs values of 0 or more; normalise first")
    with np.errstate(divide="ignore"):
        logs = np.where(w > 0, w * np.log(x), 0.0)
    return np.exp(logs.sum(axis=1))


def comprehensive(
    risks: ArrayLike, weights: ArrayLike, capacity: ArrayLike | None = None, *, alpha: float = 0.0
) -> Floats:
    """Comprehensive risk: weighted sum of the hazards' risks, times (1 - alpha * capacity) where a capacity is given.

    How capacity enters is not fixed by the published rules; alpha (0 to 1) is a setting.
    """
    found = weighted_sum(risks, weights)
    if capacity is None:
        return found
    if not 0.0 <= alpha <= 1.0:
        raise IndexingError(f"alpha {alpha:g} must be between 0 and 1")
    return np.asarray(found * (1.0 - alpha * np.asarray(capacity, np.float64)))


def _fitting(table: ArrayLike, weights: ArrayLike) -> tuple[Floats, Floats]:
    x, w = np.asarray(table, np.float64), np.asarray(weights, np.float64)
    if x.ndim != 2 or w.shape != (x.shape[1],):
        raise IndexingError(f"give one weight for each column; got {w.size} for a table of shape {x.shape}")
    if (w < 0).any() or not np.isclose(w.sum(), 1.0, atol=1e-9):
        raise IndexingError(f"weights must be 0 or more and add up to 1, they add up to {w.sum():g}")
    return x, w
