"""How often a loss is reached: exceedance curves, losses at return periods, the expected loss a year (年均损失).

Pure. Events are independent and rare (their number in a year is Poisson): a loss reached with frequency f a year has the
return period 1/f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Exceedance:
    """Losses in rising order with the frequency, per year, at which each is reached or exceeded."""

    loss: Floats
    frequency: Floats

    @property
    def period(self) -> Floats:
        """Return periods in years."""
        return np.asarray(1.0 / self.frequency)

    def at(self, periods: ArrayLike) -> Floats:
        """Losses at return periods, between two events linear in the period. Beyond the rarest event: not a number.

        Below the most frequent event's period the loss is 0: so often nothing in the set happens.
        """
        years = np.asarray(periods, np.float64)
        if (years <= 0).any():
            raise ValueError(f"a return period is above 0 years, got {years.min():g}")
        found = np.interp(years, self.period, self.loss, left=0.0)
        return np.where(years > self.period[-1] * (1 + 1e-12), np.nan, found)


def exceedance(at_event: ArrayLike, frequency: ArrayLike) -> Exceedance:
    """The exceedance curve of a set of events; events of frequency 0 are left out."""
    loss, often = np.asarray(at_event, np.float64), np.asarray(frequency, np.float64)
    if loss.shape != often.shape or loss.ndim != 1:
        raise ValueError(f"give one frequency for each of the {loss.size} losses, got {often.size}")
    happens = often > 0
    loss, often = loss[happens], often[happens]
    if not loss.size:
        raise ValueError("no event has a frequency above 0")
    order = np.argsort(-loss, kind="stable")
    return Exceedance(loss[order][::-1], np.cumsum(often[order])[::-1])


def annual_loss(
    periods: ArrayLike, losses: ArrayLike, rule: Literal["log-linear", "trapezoid"] = "log-linear", *, tail: bool = True
) -> float:
    """Expected loss a year from losses at a few return periods.

    The area under loss over frequency. `log-linear`: between two periods the loss is linear in ln T, integrated exactly;
    `trapezoid`: linear in frequency. `tail`: beyond the last period the last loss holds on. Which rule is taken is a setting
    of the method, for they differ by several per cent.
    """
    years, loss = np.asarray(periods, np.float64), np.asarray(losses, np.float64)
    if years.shape != loss.shape or len(years) < 2 or (np.diff(years) <= 0).any() or years[0] <= 0:
        raise ValueError("give two return periods or more, rising, above 0, with one loss each")
    often = 1.0 / years
    if rule == "trapezoid":
        area = float(np.sum((loss[1:] + loss[:-1]) / 2 * (often[:-1] - often[1:])))
    else:
        # D = a + b ln T = a - b ln f over f in [f1, f0]; its integral is [a f - b (f ln f - f)].
        slope = np.diff(loss) / np.diff(np.log(years))
        level = loss[:-1] - slope * np.log(years[:-1])

        def until(f: Floats) -> Floats:
            return level * f - slope * (f * np.log(f) - f)

        area = float(np.sum(until(often[:-1]) - until(often[1:])))
    return area + (float(loss[-1] * often[-1]) if tail else 0.0)
