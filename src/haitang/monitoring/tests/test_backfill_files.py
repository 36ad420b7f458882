"""P4: files of history, long ones too: CSV and XLSX, with a report of what was not taken, and no alarm in the past."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from openpyxl import Workbook

from haitang.accounts.actors import SYSTEM
from haitang.accounts.roles import Role
from haitang.journal.models import Entry
from haitang.monitoring import backfill, door, services, store
from haitang.monitoring.batch import BatchError
from haitang.monitoring.models import Alarm, Backfill
from haitang.monitoring.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def space():
    space = make.exercise()
    make.step(space, 1000)
    return space


def sheet(*rows) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def begin(space, data: bytes, name="a.csv", by=SYSTEM) -> Backfill:
    return services.begin_backfill(space, name=name, parts=[data[:100], data[100:]], by=by)


def test_a_sheet_is_taken_in_with_a_report(space):
    series = make.series()
    clock = datetime(2024, 9, 15, 8, 30)  # a sheet's dates have no zone: the district's clock is meant
    data = sheet(
        ["Series", "Time", "Value", "Unit", "Remark"], [series.code, clock, 150, "cm", "x"], [],
        [series.code, "2024-09-15T01:00:00Z", 1.75], ["NOBODY", clock, 1], [series.code, "yesterday", 1],
        [series.code, clock, "much"],
    )  # fmt: skip
    made = begin(space, data, "水位.xlsx")
    assert backfill.run_waiting() == 1
    made.refresh_from_db()
    assert (made.state, made.rows, made.accepted, made.percent) == ("done", 5, 2, 100)
    assert [(each["line"], each["column"], each["value"]) for each in made.rejections] == [
        (5, "series", "NOBODY"), (6, "time", "yesterday"), (7, "value", "much")
    ]  # fmt: skip
    assert all(each["rule"] and each["remedy"] for each in made.rejections)
    times, values = store.read(space.pk, series.pk)
    assert values.tolist() == [1.5, 1.75]
    assert times[0] == make.T0_S * 1000 + 30 * 60_000
    assert Entry.objects.filter(verb="monitoring.backfill", space=space).count() == 1
    assert not list(backfill.folder().iterdir())


def test_a_long_table_is_taken_in_piece_by_piece_and_opens_no_alarm_in_the_past(space, monkeypatch):
    monkeypatch.setattr(backfill, "PIECE", 100)
    rule = make.rule()
    make.send(space, rule.series, (900, 1.0))
    lines = "".join(f"{rule.series.code},{make.T0_S + 60 * n},{5 if n == 50 else 1}\n" for n in range(450))
    text = f"series,time,value\n{lines}".encode("gb18030")
    made, seen = begin(space, text), []
    assert backfill.carry_out(made, lambda at: seen.append(at.rows))
    assert seen == [100, 200, 300, 400]
    assert (made.rows, made.accepted, made.refused) == (450, 450, {})
    assert len(store.read(space.pk, rule.series.pk)[0]) == 451
    assert not Alarm.objects.exists()


def test_where_a_process_died_another_goes_on_and_nothing_is_doubled(space, monkeypatch):
    monkeypatch.setattr(backfill, "PIECE", 10)
    series, real, calls = make.series(), door.receive_columns, []

    def dies(*given):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(door, "receive_columns", dies)
    made = begin(space, f"series,time,value\n{''.join(f'{series.code},{make.T0_S + n},1{chr(10)}' for n in range(45))}".encode())  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        backfill.run_waiting()
    assert backfill.run_waiting() == 0, "somebody may still be at it"
    Backfill.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    assert backfill.run_waiting() == 1
    made.refresh_from_db()
    assert (made.state, made.rows) == ("done", 45)
    assert len(store.read(space.pk, series.pk)[0]) == 45


def bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("xl/worksheets/sheet1.xml", bytes(10_000_000))
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "missing"), (b"a,b\n1,2\n", "missing"), (b"PK\x03\x04rubbish", "cannot be read"), (b"\xd0\xcf\x11\xe0x", "old XLS"),
     (b"series,time,value\n\0\0", "not text"), (b"series,time,value\nX\n", "cells"), (sheet(["a", "b"]), "missing"),
     (bomb(), "unpacks"), (b"x" * 2000, "At most")],
    # The bytes of a sheet hold the time: as names they would differ between two processes.
    ids=["nothing", "other columns", "broken sheet", "old sheet", "zeros", "cells missing", "headings missing", "bomb", "too large"],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_at_once_and_leaves_nothing(space, data, says, monkeypatch):
    monkeypatch.setattr(backfill, "MOST_UNPACKED", 1_000_000)
    monkeypatch.setattr(backfill, "MOST_BYTES", 1000 if data[:1] == b"x" else 10_000_000)
    with pytest.raises(BatchError, match=says):
        begin(space, data)
    assert not Backfill.objects.exists() and not list(backfill.folder().iterdir())


def test_a_table_that_breaks_off_says_where_and_keeps_what_came_before(space, monkeypatch):
    monkeypatch.setattr(backfill, "PIECE", 2)
    series = make.series()
    rows = [f"{series.code},{make.T0_S + n},1" for n in range(4)]
    made = begin(space, ("series,time,value\n" + "\n".join(rows) + '\n"open').encode())
    backfill.carry_out(made)
    assert made.state == "failed" and "Line" in made.error and made.accepted == 4
    assert "broke off" in Entry.objects.get(verb="monitoring.backfill").text_en


def test_a_keeper_follows_his_file_on_the_page_and_writes_only_what_he_sees(client):
    east, west = make.place(), make.place()
    keeper = make.user(Role.DEPARTMENT, make.organisation(east))
    mine, other = make.series(make.station(east)), make.series(make.station(west))
    moment = timezone.now() - timedelta(hours=1)
    data = sheet(["series", "time", "value"], [mine.code, moment.isoformat(), 1], [other.code, moment.isoformat(), 1])
    client.force_login(keeper)
    answer = client.post(reverse("monitoring:backfill"), {"file": SimpleUploadedFile("h.xlsx", data)})
    made = Backfill.objects.get()
    assert answer.url == made.get_absolute_url()
    assert "hx-trigger" in client.get(answer.url).content.decode()
    backfill.run_waiting()
    part = client.get(answer.url, headers={"HX-Request": "true", "HX-Target": "run"}).content.decode()
    assert "hx-trigger" not in part and other.code in part and "<html" not in part
    made.refresh_from_db()
    assert (made.accepted, made.refused) == (1, {"forbidden": 1})
    assert "h.xlsx" in client.get(reverse("monitoring:health")).content.decode()
    client.force_login(make.user(Role.TOWNSHIP, make.organisation(east)))
    assert client.get(answer.url).status_code == 404
    assert client.post(reverse("monitoring:backfill"), {"file": SimpleUploadedFile("h.xlsx", data)}).status_code == 403


def test_a_sensor_is_connected_from_the_page(client, settings, monkeypatch, tmp_path):
    monkeypatch.setenv("HAITANG_DATA", str(tmp_path))
    series = make.series(make.station(make.place()))
    officer = make.user(Role.ADMIN, make.organisation(series.station.place))
    monkeypatch.setattr("haitang.accounts.middleware.is_mfa_enabled", lambda user: True)
    client.force_login(officer)
    page = client.get(reverse("monitoring:connect")).content.decode()
    assert "mosquitto_pub" in page and "1884" in page and "ht_..." in page
    made = client.post(reverse("monitoring:connect"), {"name": "gauge", "only": series.code})
    secret = made.context["secret"]
    assert (
        secret in made.content.decode() and f"haitang/v1/{made.context['token'].pk}/readings" in made.content.decode()
    )
    assert made.context["token"].rights == ["readings:write"]
    assert secret not in client.get(reverse("monitoring:connect")).content.decode()
    client.force_login(make.user(Role.TOWNSHIP, make.organisation(series.station.place)))
    assert client.get(reverse("monitoring:connect")).status_code == 200
    assert client.post(reverse("monitoring:connect"), {"name": "x"}).status_code == 403
