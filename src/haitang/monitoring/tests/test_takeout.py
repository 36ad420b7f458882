"""P4, issue 3 (store): readings leave as CSV that the back-fill takes back, and as Parquet, for who may see the series."""

from __future__ import annotations

import io

import numpy as np
import pytest
from django.test import Client

from haitang.accounts.roles import Role
from haitang.config import cli
from haitang.monitoring import door, queries, sealing, store, takeout
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def two_series(space):
    first, second = make.series(code="NM-1.level"), make.series(quantity="rain", code="NM-2.rain")
    for minute in range(0, 90 * 1440, 24 * 60):
        make.send(space, first, (minute, 3.0 + minute / 100_000))
    sealing.seal(space.pk, at_once=True)
    make.send(space, second, (0.005, 0.5), (90 * 1440, 1.5))
    return first, second


def test_what_leaves_as_csv_comes_back_by_the_back_fill():
    space, other = make.exercise(), make.exercise()
    series = two_series(space)
    text = "".join(takeout.csv_lines(space.pk, series, -store.FOREVER_MS, store.FOREVER_MS))
    assert text.splitlines()[:2] == ["series,time,value,unit", "NM-1.level,2024-09-15T08:00:00+08:00,3.0,m"]
    make.step(other, 100 * 1440)
    receipt = door.receive(other, door.Parcel(text.encode(), "file", form="csv"))
    assert (receipt.accepted, receipt.refused) == (92, {})
    for each in series:
        for a, b in zip(store.read(space.pk, each.pk), store.read(other.pk, each.pk), strict=True):
            assert np.array_equal(a, b)


def test_parquet_holds_the_same():
    from pyarrow import parquet

    space = make.exercise()
    series = two_series(space)
    out = io.BytesIO()
    assert takeout.write_parquet(out, space.pk, series, -store.FOREVER_MS, store.FOREVER_MS) == 92
    table = parquet.read_table(out).to_pydict()
    assert set(table["series"]) == {"NM-1.level", "NM-2.rain"} and set(table["unit"]) == {"m", "mm"}
    mine = [(queries.ms(t), v) for s, t, v in zip(*list(table.values())[:3], strict=True) if s == "NM-1.level"]
    time, value = store.read(space.pk, series[0].pk)
    assert sorted(mine) == list(zip(time.tolist(), value.tolist(), strict=True))


def test_an_operator_takes_out_what_he_names(tmp_path, capsys):
    space = make.exercise()
    two_series(space)
    out = tmp_path / "tide.csv"
    common = ["export-readings", str(out), "--space", space.slug]
    assert cli.main([*common, "--series", "NM-1*", "--start", "2024-09-20", "--end", "2024-09-25"]) == 0
    assert "5 readings of 1 series" in capsys.readouterr().out
    assert len(out.read_text().splitlines()) == 6
    assert cli.main([*common, "--series", "XX"]) == 1 and "no series 'XX'" in capsys.readouterr().err
    assert cli.main([*common, "--start", "yesterday"]) == 1 and "not a time" in capsys.readouterr().err
    assert cli.main(["export-readings", str(tmp_path / "x.txt"), "--space", space.slug]) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["tide.csv"]


def test_a_visitor_takes_out_what_he_sees():
    district, live = make.place(), Space.live()
    town, other = make.place(parent=district), make.place(parent=district)
    mine, theirs = make.series(make.station(town)), make.series(make.station(other))
    at = queries.ms(queries.now(live)) - 3_600_000
    for each in (mine, theirs):
        store.append(live.pk, np.array([each.pk] * 2), np.array([at, at - 40 * store.DAY_MS]), np.array([1.5, 2.5]))
    client = Client()
    client.force_login(make.user(Role.TOWNSHIP, make.organisation(town)))
    answer = client.get(f"/monitoring/series/{mine.pk}/readings.csv", {"hours": "24"})
    assert b"".join(answer.streaming_content).decode().splitlines()[1].endswith(",1.5,m")
    assert answer["Content-Disposition"] == f'attachment; filename="{mine.code}.csv"'
    assert client.get(f"/monitoring/series/{mine.pk}/readings.parquet").content[:4] == b"PAR1"
    assert client.get(f"/monitoring/series/{theirs.pk}/readings.csv").status_code == 404
    assert client.get(f"/monitoring/series/{mine.pk}/readings.exe").status_code == 404
