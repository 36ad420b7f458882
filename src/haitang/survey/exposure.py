"""Exposed elements (承灾体): what stands where, what it is worth, by which curve it suffers.

Pure. Assets are columns: cell, curve, value. Grouped by (cell, curve) a million assets become as many numbers as there are
cells with something in them; a loss without deductible or cap does not change by that (tests show it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ExposureError(ValueError):
    """Assets that cannot be right: the message names the asset, the value, the rule and the remedy."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """Assets. `cell` and `curve` are indices, `value` is in `unit` (people, CNY, m2), `part` is the unit it is summed by."""

    cell: Ints
    curve: Ints
    value: Floats
    n_cells: int
    n_curves: int
    unit: str
    part: Ints | None = None

    def __post_init__(self) -> None:
        """Refuse indices outside the grid and values that are no amounts."""
        columns = {"cell": (self.cell, self.n_cells), "curve": (self.curve, self.n_curves)}
        for name, (column, size) in columns.items():
            if column.shape != self.value.shape:
                raise ExposureError(
                    f"{name} has {len(column)} entries, value {len(self.value)}; give one for each asset"
                )
            if column.size and (column.min() < 0 or column.max() >= size):
                at = int(np.argmax((column < 0) | (column >= size)))
                raise ExposureError(f"asset {at}: {name} {column[at]} is not between 0 and {size - 1}")
        bad = ~(np.isfinite(self.value) & (self.value >= 0))
        if bad.any():
            at = int(np.argmax(bad))
            raise ExposureError(f"asset {at}: value {self.value[at]} must be a number of 0 or more ({self.unit})")
        if self.part is not None and self.part.shape != self.value.shape:
            raise ExposureError(f"part has {len(self.part)} entries, value {len(self.value)}; give one for each asset")

    def __len__(self) -> int:
        return len(self.value)

    @cached_property
    def grouped(self) -> Floats:
        """Value by curve and cell, shape (n_curves, n_cells)."""
        key = self.curve * self.n_cells + self.cell
        summed = np.bincount(key, self.value, self.n_curves * self.n_cells)
        return summed.astype(np.float64).reshape(self.n_curves, self.n_cells)

    @cached_property
    def ordered(self) -> tuple[Ints, Ints]:
        """Assets in the order of (cell, curve), and where each such group begins, one entry more than there are groups."""
        key = self.cell * self.n_curves + self.curve
        order = np.argsort(key, kind="stable")
        return order, np.searchsorted(key[order], np.arange(self.n_cells * self.n_curves + 1)).astype(np.int64)

    def spread(self, rate: Floats) -> Floats:
        """Per asset, what `rate` (n_curves, n_cells) of its value is: annual loss from an annual loss rate."""
        return np.asarray(rate[self.curve, self.cell] * self.value)
