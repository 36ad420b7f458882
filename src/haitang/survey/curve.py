"""Vulnerability curves (脆弱性曲线): which share of a value is lost at which intensity.

Pure. A curve is piecewise linear between its levels and carries what its numbers mean: unit, averaging time, source. It is
never continued silently: an intensity above its last level is refused unless the curve says that the last ratio holds on.

Sources: Emanuel (2011), Weather, Climate and Society 3, 261-268, eq. 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BUCKETS: Final = 4096
"""Cells of the index by which a compiled loop finds the segment of an intensity."""


class CurveError(ValueError):
    """A curve or an intensity that does not fit it: the message names curve, value, rule and remedy."""


class Segments(NamedTuple):
    """A curve as lines: `first` is the segment at the lower edge of each bucket, of which there are `per_unit` to a unit."""

    knots: Floats
    intercepts: Floats
    slopes: Floats
    first: NDArray[np.int64]
    per_unit: float


@dataclass(frozen=True, eq=False)
class Curve:
    """Loss ratio over intensity. `levels` increase; `ratios` (0 to 1) are the mean damage times the share affected."""

    code: str
    unit: str
    levels: Floats
    ratios: Floats
    source: str
    averaging_s: int = 0
    beyond: Literal["refuse", "hold"] = "refuse"

    def __post_init__(self) -> None:
        """Refuse what cannot be a curve."""
        levels, ratios = np.asarray(self.levels, np.float64), np.asarray(self.ratios, np.float64)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "ratios", ratios)
        if levels.ndim != 1 or levels.shape != ratios.shape or len(levels) < 2:
            raise CurveError(
                f"{self.code}: a curve needs two levels or more and one ratio for each; give both lists equally long"
            )
        if not (np.isfinite(levels).all() and np.isfinite(ratios).all()):
            raise CurveError(f"{self.code}: levels and ratios must be finite numbers")
        if (np.diff(levels) <= 0).any():
            at = int(np.argmax(np.diff(levels) <= 0)) + 1
            raise CurveError(
                f"{self.code}: level {levels[at]:g} does not lie above {levels[at - 1]:g}; sort the levels"
            )
        if (ratios < 0).any() or (ratios > 1).any():
            wrong = ratios[(ratios < 0) | (ratios > 1)][0]
            raise CurveError(f"{self.code}: ratio {wrong:g} is not between 0 and 1; write shares, not per cent")
        if not self.unit or not self.source:
            raise CurveError(f"{self.code}: a curve needs its unit and its source")

    def at(self, intensity: ArrayLike) -> Floats:
        """Loss ratios of intensities in the curve's unit; below the first level its ratio holds. CurveError beyond the last."""
        values = np.asarray(intensity, np.float64)
        self.check(values)
        return np.interp(values, self.levels, self.ratios)

    def check(self, intensity: ArrayLike) -> None:
        """CurveError if an intensity lies beyond the curve and the curve does not hold on, or is no number."""
        values = np.asarray(intensity, np.float64)
        if not values.size:
            return
        top = float(values.max())  # not a number if one is not a number
        if np.isnan(top):
            raise CurveError(f"{self.code}: an intensity is not a number; leave out cells without one")
        if self.beyond == "refuse" and top > self.levels[-1]:
            raise CurveError(
                f"{self.code}: intensity {top:g} {self.unit} lies above the curve's last level {self.levels[-1]:g}; "
                "use a curve that reaches so far, or declare that its last ratio holds on"
            )

    def segments(self) -> Segments:
        """What a compiled loop needs to find a ratio without searching.

        The ratio at h is intercept[s] + slope[s] (h - knot[s]) with s the last knot at or below h; before the first and
        after the last knot the slope is 0.
        """
        knots = np.concatenate([[-np.inf], self.levels])
        slopes = np.concatenate([[0.0], np.diff(self.ratios) / np.diff(self.levels), [0.0]])
        intercepts = np.concatenate([[self.ratios[0]], self.ratios])
        span = self.levels[-1] - self.levels[0]
        edges = self.levels[0] + np.arange(BUCKETS) * (span / BUCKETS)
        first = np.searchsorted(knots, edges, side="right") - 1
        knots[0] = self.levels[0]  # the slope there is 0, whatever is subtracted
        return Segments(knots, intercepts, slopes, first.astype(np.int64), float(BUCKETS / span))


def emanuel_2011(
    code: str,
    v_half_ms: float,
    *,
    v_thresh_ms: float = 25.7,
    scale: float = 1.0,
    top_ms: float = 120.0,
    source: str = "",
) -> Curve:
    """Wind damage scale * v^3 / (1 + v^3), v = max(0, wind - v_thresh) / (v_half - v_thresh), in steps of 0.5 m/s.

    Emanuel (2011, eq. 1 and 2); one-minute wind at 10 m.
    """
    if not v_half_ms > v_thresh_ms >= 0:
        raise CurveError(f"{code}: the half-damage wind {v_half_ms:g} must lie above the threshold {v_thresh_ms:g} m/s")
    wind = np.arange(0.0, top_ms + 0.25, 0.5)
    cube = (np.maximum(wind - v_thresh_ms, 0.0) / (v_half_ms - v_thresh_ms)) ** 3
    ratios = scale * cube / (1.0 + cube)
    return Curve(
        code,
        "m/s",
        wind,
        ratios,
        source or "Emanuel 2011, doi 10.1175/WCAS-D-11-00007.1",
        averaging_s=60,
        beyond="hold",
    )
