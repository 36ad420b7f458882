#!/usr/bin/env python3
"""How fast rules are judged, without doors and store: the NumPy kernel, the clock, compounds, a back-test.

    python benchmarks/rules.py [--series 10000] [--seconds 3]

Five rules a series: four colours with hysteresis; a minimum duration and delays; an hour's sum; a rate; silence. Readings come at
random or all series at once (dense). Peers are not run here: measured on such a machine were Prometheus 2.42 at 148,000 to 197,000
series-rules/s, bytewax 0.21 at 225,000 keyed readings/s, Flink SQL at 0.35 to 1.6 million rows/s with its start included.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator

import numpy as np

from haitang.monitoring import backtest
from haitang.monitoring.evaluate import evaluate, tick
from haitang.monitoring.rules import Aggregate, RuleSet, RuleSpec, State, compile_rules, fresh

T0 = 1_726_358_400_000
COLOURS = (4.0, 5.0, 6.0, 7.0)


def specs(n: int, rules: int) -> list[RuleSpec]:
    """So many rules on each of n series."""
    found = []
    for series in range(1, n + 1):
        number = series * 10
        found += [
            RuleSpec(id=number, series=series, thresholds=COLOURS, hysteresis=0.2),
            RuleSpec(id=number + 1, series=series, thresholds=COLOURS, hold_s=600, clear_s=600, lower_s=300),
            RuleSpec(id=number + 2, series=series, silence_s=1800),
            RuleSpec(id=number + 3, series=series, thresholds=COLOURS, aggregate=Aggregate.MEAN, window_s=600),
            RuleSpec(id=number + 4, series=series, thresholds=COLOURS, aggregate=Aggregate.RATE, window_s=600),
        ][:rules]
    return found


def with_compounds(n: int, number: int) -> list[RuleSpec]:
    """Plain rules, and compounds that each look at twenty of them."""
    plain = specs(n, 1)
    ids = [spec.id for spec in plain]
    compounds = []
    for i in range(number):
        group = [[rule] for rule in ids[i * 20 % n :][:20]]
        node = {"k": 2, "at": 1, "groups": [group]}
        combines = {"span_ms": 600_000, "colours": {"2": node}}
        compounds.append(RuleSpec(id=10**9 + i, series=1 + i, combines=combines))
    return [*plain, *compounds]


def batches(n: int, size: int, *, dense: bool) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Batches without end; a minute passes with every n readings."""
    dice = np.random.default_rng(1)
    sent = 0
    while True:
        series = (np.arange(size) + sent) % n if dense else dice.integers(0, n, size)
        when = T0 + (sent + np.arange(size)) * 60_000 // n
        yield series.astype(np.int64), when.astype(np.int64), dice.uniform(2.0, 6.0, size).round(2)
        sent += size


def rate(state: State, rules: RuleSet, size: int, seconds: float, *, dense: bool) -> float:
    """Readings a CPU second, so that what else runs on the machine does not count."""
    source = batches(rules.n_series, size, dense=dense)
    for _warm in range(3):
        evaluate(state, rules, *next(source), reuse=True)
    done, spent = 0, 0.0
    while spent < seconds:
        batch = next(source)
        began = time.process_time()
        evaluate(state, rules, *batch, reuse=True)
        spent += time.process_time() - began
        done += size
    return done / spent


def best(what: Callable[[], object], times: int = 5) -> float:
    """Milliseconds of the quickest of several."""
    found = []
    for _ in range(times):
        began = time.process_time()
        what()
        found.append(time.process_time() - began)
    return min(found) * 1000


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores, NumPy {np.__version__}")
    for count in (1, 3, 5):
        rules = compile_rules(range(1, given.series + 1), specs(given.series, count))
        for size, dense in ((10_000, False), (given.series, True)):
            found = rate(fresh(rules), rules, size, given.seconds, dense=dense)
            kind = "all series at once" if dense else "at random"
            print(
                f"{count} rules a series, {given.series:,} series, {size:,} a batch {kind}: {found / 1e6:.2f} M readings/s"
            )
    rules = compile_rules(range(1, 100_001), specs(100_000, 3))
    state = fresh(rules)
    everything = np.arange(100_000)
    evaluate(state, rules, everything, np.full(100_000, T0), np.full(100_000, 4.5), reuse=True)
    print(f"tick, 100,000 series, nothing due: {best(lambda: tick(state, rules, T0 + 60_000, reuse=True)):.1f} ms")
    due = best(lambda: tick(state, rules, T0 + 700_000), 3)
    print(f"tick, 100,000 series, a duration ends at each: {due:.0f} ms (with a copy of the state)")
    rules = compile_rules(range(1, 2001), with_compounds(2000, 100))
    state = fresh(rules)
    evaluate(state, rules, np.arange(2000), np.full(2000, T0), np.full(2000, 4.5), reuse=True)
    tick(state, rules, T0 + 1000, reuse=True)
    print(
        f"tick, 100 compounds of 20 rules, nothing due: {best(lambda: tick(state, rules, T0 + 2000, reuse=True)):.1f} ms"
    )
    minutes = 365 * 1440
    year = T0 + np.arange(minutes) * 60_000
    value = 4 + np.sin(np.arange(minutes) / 118) + np.random.default_rng(2).normal(0, 0.1, minutes)
    began = time.process_time()
    told = backtest.replay(specs(1, 2), np.ones(minutes, np.int64), year, value, int(year[-1]))
    spent = time.process_time() - began
    print(f"back-test, a year of one series by the minute, 2 rules: {spent:.2f} s, {minutes / spent / 1e6:.2f} M readings/s, "
          f"{len(told.transitions):,} changes")  # fmt: skip


if __name__ == "__main__":
    main()
