#!/usr/bin/env python3
"""Which of many recipients are inside a warned area: our raster beside GEOS alone, and PostGIS where there is one.

    .venv/bin/python benchmarks/targeting.py [--quick]
    HAITANG_POSTGIS_URL=postgresql://... benchmarks/targeting.py      PostGIS beside, on a table of its own that is dropped

A polygon of 5,000 vertices against 640,000 and 25 million points spread over its box and a margin; best of three. The
answers are compared point for point. `shapely` is one prepared `intersects_xy` call on all points.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import Polygon

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from haitang.alerting import targeting


def area(vertices: int) -> Polygon:
    """A ragged coast: radius a random walk, no crossing."""
    draw, far, ring = random.Random(7), 0.3, []
    for number in range(vertices):
        far = min(0.4, max(0.15, far + draw.gauss(0, 0.004)))
        turn = 2 * math.pi * number / vertices
        ring.append((121.5 + far * math.cos(turn), 31.5 + far * math.sin(turn)))
    return Polygon(ring)


def best(run: Callable[[], Any], times: int) -> tuple[float, Any]:
    found, answer = math.inf, None
    for _ in range(times):
        start = time.perf_counter()
        answer = run()
        found = min(found, time.perf_counter() - start)
    return found, answer


def postgis(shape: Polygon, lon: np.ndarray, lat: np.ndarray) -> tuple[float, int]:
    import psycopg

    with psycopg.connect(os.environ["HAITANG_POSTGIS_URL"]) as server, server.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS postgis; CREATE TEMP TABLE p (x float8, y float8)")
        with cursor.copy("COPY p FROM STDIN") as copy:
            for x, y in zip(lon.tolist(), lat.tolist(), strict=True):
                copy.write_row((x, y))
        cursor.execute("CREATE TEMP TABLE g AS SELECT ST_SetSRID(ST_MakePoint(x, y), 4326) AS at FROM p")
        cursor.execute("CREATE INDEX ON g USING gist (at); ANALYZE g")
        start = time.perf_counter()
        cursor.execute("SELECT count(*) FROM g WHERE ST_Intersects(at, ST_GeomFromText(%s, 4326))", (shape.wkt,))
        row = cursor.fetchone()
        server.rollback()
        return time.perf_counter() - start, int(row[0]) if row else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="640,000 points only")
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, numpy {np.__version__}, shapely {shapely.__version__}")
    print(f"{'points':>12} {'vertices':>9} {'ours':>10} {'shapely':>10} {'PostGIS':>10} {'inside':>12}")
    for number in (640_000,) if given.quick else (640_000, 25_000_000):
        for vertices in (5_000, 41_000):
            shape, draw = area(vertices), np.random.default_rng(1)
            lon, lat = draw.uniform(121.0, 122.0, number), draw.uniform(31.0, 32.0, number)
            ours, found = best(lambda s=shape, x=lon, y=lat: targeting.inside(s, x, y), 3)
            text = "-"
            if number < 1_000_000 or not given.quick:
                alone, exact = best(lambda s=shape, x=lon, y=lat: shapely.intersects_xy(s, x, y), 1)
                assert (found == exact).all()
                text = f"{alone * 1000:.0f} ms"
            beside = "-"
            if os.environ.get("HAITANG_POSTGIS_URL") and number < 1_000_000:
                took, counted = postgis(shape, lon, lat)
                assert counted == int(found.sum())
                beside = f"{took * 1000:.0f} ms"
            print(
                f"{number:>12,} {vertices:>9,} {ours * 1000:>7.0f} ms {text:>10} {beside:>10} {int(found.sum()):>12,}"
            )


if __name__ == "__main__":
    main()
