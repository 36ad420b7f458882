"""The risk engine: event loss, loss with deductible and cap, natural breaks, import; peers beside where they install.

    scripts/bench risk
    benchmarks/risk.py --grid 250 --events 10000 --assets 1000000

A made-up city: events are round footprints over a grid, assets are clustered, one wind curve (Emanuel 2011). CLIMADA does
not install by pip (its GDAL needs a compiler); its seconds for the same construction, measured for the design on a machine
of this size, are printed as what they are: other people's run. jenkspy is measured here when it is installed
(`uv pip install jenkspy`). Compiling is left out of the times and printed apart.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np

from haitang.survey.curve import emanuel_2011
from haitang.survey.exposure import Exposure
from haitang.survey.grading import natural_breaks, within_sse
from haitang.survey.hazard import Hazard
from haitang.survey.loss import asset_loss, event_loss

CLIMADA_S = {(100, 1_000_000): 18.05, (250, 1_000_000): 25.50, (500, 1_000_000): 31.47}
CLIMADA_CAPPED_S = {(100, 1_000_000): 48.10}


def city(grid: int, events: int, assets: int) -> tuple[Hazard, Exposure]:
    """Footprints that cover about 4.6 % of the cells, and assets around six centres."""
    dice = np.random.default_rng(2)
    y, x = np.divmod(np.arange(grid * grid), grid)
    cells, winds, start = [], [], [0]
    for _ in range(events):
        cx, cy = dice.uniform(0, grid, 2)
        radius = grid * dice.uniform(0.06, 0.17)
        a, b, c, d = (int(np.clip(v, 0, grid)) for v in (cx - radius, cx + radius + 1, cy - radius, cy + radius + 1))
        block = (np.arange(c, d)[:, None] * grid + np.arange(a, b)).ravel()
        far = np.hypot(x[block] - cx, y[block] - cy) / radius
        near = far < 1
        cells.append(block[near].astype(np.int32))
        winds.append(dice.uniform(30, 70) * np.exp(-(far[near] ** 2)))
        start.append(start[-1] + int(near.sum()))
    hazard = Hazard(
        np.array(start, np.int64),
        np.concatenate(cells),
        np.concatenate(winds),
        np.full(events, 1 / events),
        grid * grid,
        "m/s",
        60,
    )
    centres = dice.uniform(0.15, 0.85, (6, 2)) * grid
    at = np.clip(centres[dice.integers(0, 6, assets)] + dice.normal(0, 0.09 * grid, (assets, 2)), 0, grid - 1).astype(
        np.int64
    )
    return hazard, Exposure(
        at[:, 1] * grid + at[:, 0], np.zeros(assets, np.int64), dice.lognormal(12, 1, assets), grid * grid, 1, "CNY"
    )


def timed(work: Callable[[], Any], times: int = 5) -> tuple[float, float]:
    """Seconds of the first call (with compiling) and the median of the others."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return took[0], statistics.median(took[1:])


def reference(hazard: Hazard, exposure: Exposure, curve: Any, first: int = 200) -> np.ndarray[Any, Any]:
    """Losses of the first events by NumPy, straight from the definition."""
    value = exposure.grouped[0]
    return np.array(
        [
            curve.at(hazard.intensity[a:b]) @ value[hazard.cell[a:b]]
            for a, b in zip(hazard.start[:first], hazard.start[1 : first + 1], strict=True)
        ]
    )


def peer_line(seconds: float, other: float | None) -> str:
    return "" if other is None else f"; CLIMADA 6.1.0 took {other:g} s elsewhere: {other / seconds:,.0f} x"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=int, default=250)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--assets", type=int, default=1_000_000)
    given = parser.parse_args()

    probe = "import time,resource;t=time.perf_counter();import haitang.survey.loss,haitang.survey.grading;print(f'{time.perf_counter()-t:.2f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024:.0f} MB')"
    env = {"PYTHONPATH": sys.path[0], "PATH": "/usr/bin:/bin"}
    print("import of the engine:", subprocess.check_output([sys.executable, "-c", probe], env=env, text=True).strip())

    curve = emanuel_2011("wind", 74.7)
    hazard, exposure = city(given.grid, given.events, given.assets)
    print(
        f"{given.events:,} events, {given.grid} x {given.grid} cells, {len(hazard.cell) / 1e6:.1f} M entries, {given.assets:,} assets"
    )
    _ = exposure.grouped
    first, seconds = timed(lambda: event_loss(hazard, exposure, [curve]))
    ours, plain = event_loss(hazard, exposure, [curve]).at_event[:200], reference(hazard, exposure, curve)
    off = float(np.max(np.abs(ours - plain) / np.maximum(plain, 1e-300)))
    print(
        f"event loss {seconds:.3f} s (first call {first:.1f} s), agreement with NumPy {off:.0e}"
        + peer_line(seconds, CLIMADA_S.get((given.grid, given.assets)) if given.events == 10_000 else None)
    )
    small, many = city(100, given.events, given.assets)
    first, seconds = timed(
        lambda: asset_loss(small, many, [curve], deductible=0.01 * many.value, cap=0.6 * many.value), 2
    )
    print(
        f"deductible and cap per asset, 100 x 100: {seconds:.3f} s (first call {first:.1f} s)"
        + peer_line(seconds, CLIMADA_CAPPED_S.get((100, given.assets)) if given.events == 10_000 else None)
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")

    for number in (10_000, 405_000):
        values = np.random.default_rng(3).lognormal(0, 1, number)
        first, seconds = timed(lambda values=values: natural_breaks(values, 5), 3)  # type: ignore[misc]
        line = f"natural breaks of {number:,} values, exact: {seconds:.4f} s (first call {first:.2f} s)"
        if number == 10_000:
            try:
                import jenkspy

                began = time.perf_counter()
                theirs = jenkspy.jenks_breaks(values, n_classes=5)
                took = time.perf_counter() - began
                grades = natural_breaks(values, 5)
                other = np.searchsorted(theirs[1:-1], values) + 1
                sse = sum(float(np.sum((values[other == g] - values[other == g].mean()) ** 2)) for g in range(1, 6))
                line += f"; jenkspy {took:.3f} s: {took / seconds:,.0f} x, deviation {within_sse(values, grades):.6f} and {sse:.6f}"
            except ImportError:
                line += "; jenkspy is not installed (uv pip install jenkspy)"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
