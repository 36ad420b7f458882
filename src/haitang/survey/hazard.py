"""Hazard sets (致灾因子): intensities of many events on a grid, with how often each event happens.

Pure. Only cells an event touches are stored: event e has the cells `cell[start[e]:start[e+1]]` with their `intensity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class HazardError(ValueError):
    """A hazard set that cannot be right: the message names event, value, rule and remedy."""


@dataclass(frozen=True, eq=False)
class Hazard:
    """Events over `n_cells` cells. `frequency` is per year; `unit` and `averaging_s` say what an intensity is."""

    start: Ints
    cell: NDArray[np.int32]
    intensity: Floats
    frequency: Floats
    n_cells: int
    unit: str
    averaging_s: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not a set of events over this grid."""
        if self.start.ndim != 1 or len(self.start) != len(self.frequency) + 1 or self.start[0] != 0:
            raise HazardError("start needs one entry for each event and one more, and begins with 0")
        if (np.diff(self.start) < 0).any() or self.start[-1] != len(self.cell) or len(self.cell) != len(self.intensity):
            raise HazardError(
                "start must not decrease and must end with the number of cells stored; every cell has one intensity"
            )
        if self.cell.size and (self.cell.min() < 0 or self.cell.max() >= self.n_cells):
            at = int(np.argmax((self.cell < 0) | (self.cell >= self.n_cells)))
            raise HazardError(f"entry {at}: cell {self.cell[at]} is not between 0 and {self.n_cells - 1}")
        if self.intensity.size and not np.isfinite(self.top):
            raise HazardError("an intensity is not a finite number; leave out cells without one")
        bad = ~(np.isfinite(self.frequency) & (self.frequency >= 0))
        if bad.any():
            raise HazardError(
                f"event {int(np.argmax(bad))}: frequency {self.frequency[bad][0]} must be 0 or more a year"
            )
        if not self.unit:
            raise HazardError("a hazard set needs the unit of its intensities")

    @cached_property
    def top(self) -> float:
        """The greatest intensity; not a number if one is not."""
        return float(self.intensity.max()) if self.intensity.size else 0.0

    @cached_property
    def by_cell(self) -> tuple[Ints, NDArray[np.int32], Floats]:
        """The same by cell: where each cell's events begin, the events, their intensities there."""
        from scipy.sparse import csr_matrix

        turned = csr_matrix((self.intensity, self.cell, self.start), shape=(self.n_events, self.n_cells)).tocsc()
        return turned.indptr.astype(np.int64), turned.indices.astype(np.int32), turned.data

    @property
    def n_events(self) -> int:
        """How many events."""
        return len(self.frequency)

    @classmethod
    def from_dense(cls, table: Floats, frequency: Floats, unit: str, *, averaging_s: int = 0) -> Hazard:
        """From intensities of shape (events, cells); zeros are not stored."""
        events, cells = np.nonzero(table)
        start = np.concatenate([[0], np.cumsum(np.bincount(events, minlength=len(table)))]).astype(np.int64)
        return cls(
            start, cells.astype(np.int32), table[events, cells].astype(np.float64), np.asarray(frequency, np.float64),
            table.shape[1], unit, averaging_s,
        )  # fmt: skip

    def block(self, first: int, last: int) -> Hazard:
        """The events from `first` up to, not including, `last`: what one worker of many takes."""
        a, b = int(self.start[first]), int(self.start[last])
        return Hazard(
            self.start[first : last + 1] - a, self.cell[a:b], self.intensity[a:b], self.frequency[first:last], self.n_cells,
            self.unit, self.averaging_s,
        )  # fmt: skip
