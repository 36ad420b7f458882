"""How good forecasts have been: errors over a rolling origin on data that the forecast did not know, against simple ones.

Pure. Skill = 1 - MAE of the method / MAE of the reference (Murphy 1988, Monthly Weather Review 116, 2417-2424, there for
squares): 1 is perfect, 0 no better than the reference, below 0 worse. Two references: persistence (what is now stays) and
climatology (the mean of what was known at the origin).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 24
"""Cases without which nothing is said."""


@dataclass(frozen=True)
class Skill:
    """How a method did at one horizon."""

    cases: int
    mae: float
    persistence: float
    climatology: float

    @property
    def score(self) -> float | None:
        """Skill against the better of both references; None with too few cases or a reference without error."""
        best = min(self.persistence, self.climatology)
        if self.cases < LEAST or not best > 0:
            return None
        return 1.0 - self.mae / best

    @property
    def is_skilful(self) -> bool:
        """Whether it was better than both."""
        return self.score is not None and self.score > 0.0


def truth(values: Floats, horizons: Ints) -> Floats:
    """What came so many steps later, from every step: [series, step, horizon]; NaN beyond the end."""
    n, steps = values.shape
    out = np.full((n, steps, len(horizons)), np.nan)
    for k, h in enumerate(horizons.tolist()):
        if h < steps:
            out[:, : steps - h, k] = values[:, h:]
    return out


def errors(forecast: Floats, values: Floats, horizons: Ints) -> Floats:
    """What came minus what was forecast, [series, step, horizon]."""
    return truth(values, horizons) - forecast


def known_mean(values: Floats) -> Floats:
    """The mean of what was heard up to each step."""
    heard = ~np.isnan(values)
    number = np.cumsum(heard, axis=1)
    total = np.cumsum(np.where(heard, values, 0.0), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, total / number, np.nan)


def judge(forecast: Floats, values: Floats, horizons: Ints, first: int = 0) -> list[list[Skill]]:
    """Skill of each series at each horizon over the origins from step `first` on where all three methods said something."""
    came = truth(values, horizons)
    stays, mean = values[:, :, None], known_mean(values)[:, :, None]
    usable = ~(np.isnan(came) | np.isnan(forecast) | np.isnan(stays) | np.isnan(mean))
    usable[:, :first] = False
    cases = usable.sum(axis=1)

    def mae(said: Floats) -> Floats:
        away = np.where(usable, np.abs(came - said), 0.0).sum(axis=1)
        return np.asarray(away / np.maximum(cases, 1))

    own, a, b = mae(forecast), mae(stays), mae(mean)
    return [
        [Skill(int(cases[s, k]), float(own[s, k]), float(a[s, k]), float(b[s, k])) for k in range(len(horizons))]
        for s in range(len(values))
    ]
