#!/usr/bin/env python3
"""Readings per second through the quality tests, streaming, each test alone and all together; `ioos_qc` beside.

    .venv/bin/python benchmarks/quality.py               ours alone
    .venv/bin/python benchmarks/quality.py --peer PYTHON  with the Python of an environment in which `pip install ioos_qc` ran

One process, one core. Series tell a tide with noise, rounded to a centimetre, every five minutes; one in a hundred is
stuck, one reading in a thousand is a spike. `ticks`: each batch is one reading of every series (10,000 of them);
`long`: each batch is 100 readings of each of 100 series. Ours carries its state from batch to batch and tests every
reading once; ioos_qc is batch-only: it gets each series whole (its best case), and a window of 60 readings per call, as it
would have to be called on a stream. The neighbour test has no peer. Prints a table; writes nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from haitang.monitoring import quality  # noqa: E402
from haitang.monitoring.quality import Limits, Memory, Plan  # noqa: E402

OFF = Limits(interval_s=300)
TESTS = {
    "gross range": Limits(suspect_low=-1, suspect_high=7, fail_low=-2, fail_high=9),
    "climatology": Limits(climatology=((-1.0, 7.0),) * 12),
    "spike": Limits(spike_suspect=0.3, spike_fail=1.0),
    "rate of change": Limits(rate_suspect=3.0, rate_fail=8.0),
    "flat line": Limits(flat_suspect_s=5400, flat_fail_s=10_200, flat_tolerance=0.015),
    "attenuated signal": Limits(attenuated_s=14_400, attenuated_suspect=0.05, attenuated_fail=0.02),
    "gap": Limits(gap_suspect_s=1200, gap_fail_s=86_400),
    "neighbour": Limits(near_suspect=3.0, near_fail=6.0),
    "clock": Limits(late_suspect_s=3600, late_fail_s=86_400, ahead_suspect_s=60),
}
ALL = OFF
for _limits in TESTS.values():
    ALL = replace(
        ALL, **{k: getattr(_limits, k) for k in Limits.__dataclass_fields__ if getattr(_limits, k) != getattr(OFF, k)}
    )

PEER = r"""
import json, sys, time
import numpy as np
from ioos_qc import qartod
z = np.load(sys.argv[1]); value, t = z["value"], z["time"].astype("datetime64[s]")
c = qartod.ClimatologyConfig()
for m in range(1, 13): c.add(tspan=(m, m), vspan=(-1, 7), period="month")
nz = np.full(len(t), np.nan)
calls = {
 "gross range": lambda v, t: qartod.gross_range_test(v, (-2, 9), (-1, 7)),
 "climatology": lambda v, t: qartod.climatology_test(c, v, t, nz[:len(v)]),
 "spike": lambda v, t: qartod.spike_test(v, .3, 1.0),
 "rate of change": lambda v, t: qartod.rate_of_change_test(v, t, 3 / 3600, 8 / 3600),
 "flat line": lambda v, t: qartod.flat_line_test(v, t, 5400, 10200, .015),
 "attenuated signal": lambda v, t: qartod.attenuated_signal_test(v, t, .05, .02, test_period=14400, min_obs=36),
 "gap": lambda v, t: qartod.time_gap_test(t, fail_span=24),
 "clock": lambda v, t: qartod.data_reception_test(t, fail_span=24, from_time=t[-1]),
}
out = {}
for name, call in calls.items():
    began = time.perf_counter(); n = 0
    flags = []
    for row in value:
        flags.append(np.ma.filled(call(row, t), 9)); n += len(row)
        if time.perf_counter() - began > 2: break
    whole = n / (time.perf_counter() - began)
    began = time.perf_counter(); k = 0
    while time.perf_counter() - began < .5: call(value[0][:60], t[:60]); k += 1
    out[name] = {"whole": whole, "stream": k / (time.perf_counter() - began), "flags": ["".join(str(int(f)) for f in row) for row in flags[:20]]}
json.dump(out, sys.stdout)
"""
NAMES = {
    "gross range": quality.Test.RANGE, "climatology": quality.Test.CLIMATOLOGY, "spike": quality.Test.SPIKE,
    "rate of change": quality.Test.RATE, "flat line": quality.Test.FLAT, "attenuated signal": quality.Test.ATTENUATED,
    "gap": quality.Test.GAP,
}  # fmt: skip


def world(n_series: int, n_times: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    phase = rng.uniform(0, 149, n_series)[:, None]
    values = (
        3
        + 1.5 * np.sin(2 * np.pi * (np.arange(n_times)[None, :] + phase) / 149)
        + rng.normal(0, 0.02, (n_series, n_times))
    )
    values[::100, n_times // 3 :] = values[::100, [n_times // 3]]
    values[rng.random(values.shape) < 0.001] += 2.0
    return np.round(values, 2)


def rate(limits: Limits, values: np.ndarray, per_batch: int) -> tuple[float, float]:
    """Readings per second, and the share of them that is not good."""
    n_series, n_times = values.shape
    near = (
        {i: [(i + k) % n_series for k in range(1, 5)] for i in range(n_series)}
        if limits.near_suspect is not None
        else None
    )
    plan = Plan([limits] * n_series, near)
    memory = Memory.fresh(plan)
    at = np.repeat(np.arange(n_series), per_batch)
    spent, bad = 0.0, 0
    for a in range(0, n_times - per_batch + 1, per_batch):
        stamp = (1_726_358_400_000 + 300_000 * np.arange(a, a + per_batch)).astype(np.int64)
        times, value = np.tile(stamp, n_series), values[:, a : a + per_batch].ravel()
        arrived = np.full(len(at), stamp[-1], np.int64)
        began = time.perf_counter()
        result = quality.take(memory, plan, at, times, value, arrived)
        if a >= n_times // 2:
            spent += time.perf_counter() - began
        bad += int((result.flags > 2).sum())
    counted = len(range(0, n_times - per_batch + 1, per_batch)) - len(
        [a for a in range(0, n_times - per_batch + 1, per_batch) if a < n_times // 2]
    )
    return counted * len(at) / spent, bad / values.size


def peer(python: str, values: np.ndarray) -> dict[str, dict[str, float]]:
    scratch = Path("/tmp") / "haitang-bench-quality.npz"
    np.savez(scratch, value=values, time=1_726_358_400 + 300 * np.arange(values.shape[1]))
    ran = subprocess.run([python, "-c", PEER, str(scratch)], capture_output=True, text=True, check=False)
    scratch.unlink()
    if ran.returncode:
        print(f"(ioos_qc did not run: {ran.stderr.strip().splitlines()[-1:]})")
        return {}
    return json.loads(ran.stdout)


def agree(values: np.ndarray, theirs: dict[str, dict[str, float]]) -> None:
    """Compare our streamed flags with ioos_qc's on the first series."""
    limits = replace(ALL, near_suspect=None, near_fail=None, gap_suspect_s=None)
    for name, test in NAMES.items():
        rows = theirs[name]["flags"]
        plan = Plan([limits] * len(rows))
        memory = Memory.fresh(plan)
        found = np.zeros((len(rows), values.shape[1]), int)
        at, spikes = np.arange(len(rows)), np.full((len(rows), values.shape[1]), 1)
        for a in range(values.shape[1]):
            result = quality.take(
                memory, plan, at, np.full(len(rows), 1_726_358_400_000 + 300_000 * a), values[: len(rows), a]
            )
            found[:, a] = result.of(test)
            for series, when, fail in zip(result.revised_at, result.revised_ms, result.revised_fail, strict=True):
                spikes[series, (when - 1_726_358_400_000) // 300_000] = 4 if fail else 3
        if name == "spike":
            found = spikes
            found[:, [0, -1]] = 2
        same = sum("".join(map(str, row.tolist())) == said for row, said in zip(found, rows, strict=True))
        print(f"{name:>18}: flags equal on {same} of {len(rows)} series, {values.shape[1]} readings each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of an environment with ioos_qc")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--no-numba", dest="numba", action="store_false", help="the vectorised form alone")
    given = parser.parse_args()
    ticks, long_, small = world(given.series, 80), world(100, 1600), world(200, 1000)
    if given.numba:
        quality.warm()
    theirs = peer(given.peer, small) if given.peer else {}
    print(
        f"{'test':>18}  {'ticks M/s':>9}  {'long M/s':>9}  {'not good':>8}  {'ioos_qc whole M/s':>17}  {'ioos_qc streaming /s':>20}"
    )
    for name, limits in {**TESTS, "all together": ALL}.items():
        a, bad = rate(limits, ticks, 1)
        b, _ = rate(limits, long_, 100)
        other = theirs.get(name)
        shown = f"{other['whole'] / 1e6:17.2f}  {other['stream']:20.0f}" if other else f"{'-':>17}  {'-':>20}"
        print(f"{name:>18}  {a / 1e6:9.2f}  {b / 1e6:9.2f}  {bad:8.2%}  {shown}")
    if theirs:
        agree(small, theirs)
    else:
        print("ioos_qc: give --peer the Python of an environment where it is installed to see it beside.")


if __name__ == "__main__":
    main()
