"""Files come in with a check, a preview and a report that names row, column, value, rule and remedy. 3.4.4, P1."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook, load_workbook

from haitang.geo.models import Place, PlaceShape
from haitang.journal.models import Entry
from haitang.registry.importing import column_label
from haitang.registry.models import ImportRun
from haitang.registry.tests.factories import World, shelter, team
from haitang.resources.models import Shelter, Team
from haitang.resources.registers import SHELTERS

SignIn = Callable[[str], Client]
IMPORT = "/registers/shelters/import"


def xlsx(*rows: list[Any]) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in rows:
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def csv_of(*rows: list[Any], encoding: str = "utf-8") -> bytes:
    return "\n".join(",".join(str(cell) for cell in row) for row in rows).encode(encoding)


def bring(client: Client, data: bytes, name: str = "file.xlsx", url: str = IMPORT, **form: str) -> ImportRun:
    response = client.post(url, {"file": SimpleUploadedFile(name, data), **form})
    assert response.status_code == 302, response.content.decode()
    return ImportRun.objects.latest("pk")


def problems(client: Client, run: ImportRun) -> list[tuple[Any, ...]]:
    """The report as it is downloaded."""
    response = client.get(f"/registers/{run.register}/import/{run.pk}/report.xlsx")
    page = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active
    assert page is not None
    return [tuple(row) for row in page.iter_rows(min_row=2, values_only=True)]


def take(client: Client, run: ImportRun, how: str = "all") -> Any:
    return client.post(f"/registers/{run.register}/import/{run.pk}", {"take": how}, follow=True)


ROW = ["code", "name_zh", "kind", "place", "owner", "capacity", "lon", "lat"]


def test_nothing_is_written_before_it_was_looked_at(world: World, sign_in: SignIn) -> None:
    shelter(world, code="A1", name_zh="老名", capacity=100)
    client = sign_in("east")
    run = bring(client, csv_of(ROW, ["A1", "新名", "school", "900001", "EAST", 150, 121.4, 31.6],
                               ["A2", "新所", "学校", "东港镇", "东港镇应急办", 80, 121.5, 31.5]))  # fmt: skip
    page = client.get(f"/registers/shelters/import/{run.pk}").content.decode()
    assert "老名" in page and "新名" in page and "新所" in page
    assert Shelter.objects.get().name_zh == "老名"
    take(client, run)
    assert Shelter.objects.get(code="A1").capacity == 150
    fresh = Shelter.objects.get(code="A2")
    assert (fresh.kind, fresh.place.code, fresh.owner.code, fresh.west) == ("school", "900001", "EAST", 121.5)


def test_each_row_is_journalled_and_the_file_once(world: World, sign_in: SignIn) -> None:
    shelter(world, code="A1", capacity=100)
    client = sign_in("east")
    run = bring(client, csv_of(["code", "capacity"], ["A1", 150]))
    take(client, run)
    edited = Entry.objects.get(verb="registry.resources.shelter.edit")
    assert (edited.before, edited.after) == ({"capacity": 100}, {"capacity": 150})
    whole = Entry.objects.get(verb="registry.resources.shelter.import")
    assert whole.after["changed"] == 1 and whole.thread == "" and edited.thread == f"registry.importrun:{run.pk}"


def test_all_bad_cells_are_named_at_once(world: World, sign_in: SignIn) -> None:
    shelter(world, "west", code="W1")
    client = sign_in("east")
    run = bring(client, csv_of(
        ROW,
        ["B1", "好", "school", "900001", "EAST", 80, 121.5, 31.5],
        ["B2", "", "castle", "999999", "EAST", "many", 121.5, ""],
        ["B1", "重", "school", "900001", "EAST", 80, "", ""],
        ["W1", "别镇", "school", "900001", "EAST", 80, "", ""],
        ["B 3", "码", "school", "900002", "EAST", 80, "", ""],
        ["B4", "远", "school", "900001", "EAST", 80, 1214000, 31.5],
        ["", "无码", "school", "900001", "EAST", 80, "", ""],
    ), "errors.csv")  # fmt: skip
    found = problems(client, run)
    assert {row for row, *_rest in found} == {3, 4, 5, 6, 7, 8}
    assert all(rule and remedy for _row, _column, _value, rule, remedy in found), found
    by = {(row, column): (value, rule, remedy) for row, column, value, rule, remedy in found}
    assert (3, "lat") in by and (4, "code") in by and (5, "code") in by and (8, "code") in by
    assert by[4, "code"][0] == "B1" and "2" in by[4, "code"][1]
    assert {column for row, column in by if row == 6} == {"code", "place"}
    assert {column for row, column in by if row == 3} == {"name_zh", "kind", "place", "capacity", "lat"}
    page = client.get(f"/registers/shelters/import/{run.pk}").content.decode()
    assert "1214000" in page


def test_bad_rows_keep_good_ones_out_unless_asked(world: World, sign_in: SignIn) -> None:
    client = sign_in("east")
    run = bring(
        client,
        csv_of(
            ROW,
            ["B1", "好", "school", "900001", "EAST", 80, "", ""],
            ["B2", "坏", "castle", "900001", "EAST", 80, "", ""],
        ),
    )
    take(client, run, "all")
    assert not Shelter.objects.exists()
    take(client, run, "good")
    assert [row.code for row in Shelter.objects.all()] == ["B1"]
    run.refresh_from_db()
    assert run.rows == [] and run.counts["bad"] == 1 and problems(client, run)[0][0] == 3


def test_a_file_is_taken_in_once(world: World, sign_in: SignIn) -> None:
    client = sign_in("east")
    run = bring(client, csv_of(ROW, ["B1", "好", "school", "900001", "EAST", 80, "", ""]))
    take(client, run)
    take(client, run)
    assert Entry.objects.filter(verb="registry.resources.shelter.create").count() == 1


def test_the_template_taken_back_is_understood(world: World, sign_in: SignIn) -> None:
    client = sign_in("east")
    book = load_workbook(io.BytesIO(b"".join(client.get("/registers/shelters/template.xlsx").streaming_content)))
    page, lists = book.worksheets
    heads = [cell.value for cell in page[1]]
    assert any(str(head).endswith("*") for head in heads) and all(cell.comment for cell in page[1])
    listed = {str(cell.value) for row in lists.iter_rows() for cell in row}
    assert any("900001201" in each for each in listed) and not any("900002" in each for each in listed)
    values = {
        "code": "T1",
        "name_zh": "模板所",
        "kind": "学校",
        "place": "900001 东港镇",
        "owner": "EAST 东港镇应急办",
        "capacity": 66,
    }
    by_head = {column_label(SHELTERS, name): value for name, value in values.items()}
    row = [by_head.get(str(head).removesuffix(" *")) for head in heads]
    page.append(row)
    out = io.BytesIO()
    book.save(out)
    run = bring(client, out.getvalue())
    assert problems(client, run) == []
    take(client, run)
    assert Shelter.objects.get(code="T1").name_zh == "模板所"


@pytest.mark.parametrize("kind", ["xlsx", "csv", "geojson"])
def test_an_export_taken_back_changes_nothing(world: World, sign_in: SignIn, kind: str) -> None:
    shelter(
        world,
        code="A1",
        name_zh="=1+1",
        address="-校内",
        note="'引",
        area_m2=300,
        manager="张三",
        phone="13812345678",
        is_demo=True,
    )
    team(world, code="T1", name_zh="队", skills=["flood", "medical"], geometry=None)
    client = sign_in("east")
    for register in ("shelters", "teams"):
        data = b"".join(piece if isinstance(piece, bytes) else piece.encode()
                        for piece in client.get(f"/registers/{register}/export.{kind}").streaming_content)  # fmt: skip
        run = bring(client, data, f"x.{kind}", f"/registers/{register}/import")
        page = client.get(f"/registers/{register}/import/{run.pk}")
        assert page.context["counts"] == {"new": 0, "changed": 0, "same": 1, "bad": 0}, (
            register,
            page.context["problems"],
            page.context["changes"],
        )


def test_gbk_files_and_other_heads_are_understood(world: World, sign_in: SignIn) -> None:
    client = sign_in("east")
    data = csv_of(["场所编号", "名称", "x", "y"], ["G1", "国标码所", 121.5, 31.5], encoding="gb18030")
    run = bring(client, data, "老表.csv")
    page = client.get(f"/registers/shelters/import/{run.pk}")
    assert page.context["counts"]["bad"] == 1 and "场所编号" in page.content.decode()
    columns = {head: number for number, head, *_rest in page.context["columns"]}
    client.post(f"/registers/shelters/import/{run.pk}", {f"column_{columns['场所编号']}": "code", f"column_{columns['名称']}": "name_zh",
                                                         f"column_{columns['x']}": "lon", f"column_{columns['y']}": "lat"})  # fmt: skip
    found = problems(client, run)
    assert {column for _row, column, *_rest in found} >= {"类别"} or len(found) >= 4
    assert all(row == 2 for row, *_rest in found)


def test_coordinates_of_chinese_maps_are_converted(world: World, sign_in: SignIn) -> None:
    client = sign_in("east")
    run = bring(client, csv_of(ROW, ["C1", "所", "school", "900001", "EAST", 80, 121.5, 31.5]), crs="gcj02")
    take(client, run)
    row = Shelter.objects.get(code="C1")
    assert 0.003 < 121.5 - (row.west or 0) < 0.006


def test_an_empty_cell_empties_and_a_missing_column_leaves(world: World, sign_in: SignIn) -> None:
    shelter(world, code="A1", address="学府路", note="旧")
    client = sign_in("east")
    take(client, bring(client, csv_of(["code", "note"], ["A1", ""])))
    row = Shelter.objects.get(code="A1")
    assert (row.note, row.address) == ("", "学府路")


def test_flags_skills_and_dates_are_read_in_words(world: World, sign_in: SignIn) -> None:
    client = sign_in("east")
    heads = ["code", "name_zh", "kind", "place", "owner", "members", "skills", "is_demo"]
    run = bring(
        client,
        csv_of(heads, ["T1", "队", "基层救援队伍", "900001", "EAST", 8, "flood、medical", "是"]),
        "t.csv",
        "/registers/teams/import",
    )
    assert problems(client, run) == [] or problems(client, run)[0][1] == "kind"
    run = bring(client, csv_of(heads, ["T1", "队", "grassroots", "900001", "EAST", 8, "flood、medical", "是"],
                               ["T2", "队", "grassroots", "900001", "EAST", 8, "juggling", "maybe"]), "t.csv", "/registers/teams/import")  # fmt: skip
    assert {(row, column) for row, column, *_rest in problems(client, run)} == {(3, "skills"), (3, "is_demo")}
    take(client, run, "good")
    row = Team.objects.get()
    assert row.skills == ["flood", "medical"] and row.is_demo


def test_official_outlines_replace_the_approximate_ones(world: World, sign_in: SignIn) -> None:
    east = world.places["east"]
    PlaceShape.objects.create(
        place=east, level=east.level, geometry="POLYGON((121.5 31, 122 31, 122 32, 121.5 31))", is_approximate=True
    )
    feature = {"type": "Feature", "properties": {"code": "900001", "source": "规划资源局 2024", "is_approximate": False},
               "geometry": {"type": "Polygon", "coordinates": [[[121.5, 31.0], [121.9, 31.0], [121.9, 31.4], [121.5, 31.0]]]}}  # fmt: skip
    fresh = {"type": "Feature", "properties": {"code": "900002", "source": "规划资源局 2024"},
             "geometry": {"type": "MultiPolygon", "coordinates": [[[[121.0, 31.0], [121.4, 31.0], [121.4, 31.4], [121.0, 31.0]]]]}}  # fmt: skip
    data = json.dumps({"type": "FeatureCollection", "features": [feature, fresh]}).encode()
    client = sign_in("admin")
    run = bring(client, data, "townships.geojson", "/registers/outlines/import")
    assert problems(client, run) == []
    take(client, run)
    shape = PlaceShape.objects.get(place=east)
    assert shape.east == 121.9 and not shape.is_approximate and shape.source == "规划资源局 2024"
    other = PlaceShape.objects.get(place__code="900002")
    assert other.level == Place.Level.TOWNSHIP
    assert Entry.objects.filter(verb__startswith="registry.geo.placeshape.").count() == 3


def test_a_bad_shape_is_named_with_its_remedy(world: World, sign_in: SignIn) -> None:
    bow = {"type": "Feature", "properties": {"code": "900001"},
           "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}}  # fmt: skip
    client = sign_in("admin")
    run = bring(
        client,
        json.dumps({"type": "FeatureCollection", "features": [bow]}).encode(),
        "x.json",
        "/registers/outlines/import",
    )
    ((row, _column, _value, rule, remedy),) = problems(client, run)
    assert row == 1 and rule and remedy


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "空"),
        (b"PK\x03\x04 not really", ""),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, ""),
        (b'{"type": "FeatureCollection", "features": 3}', ""),
        (b'{"type": "FeatureCollection", "crs": {"properties": {"name": "EPSG:3857"}}, "features": []}', "3857"),
        (b"code,code\nA,B\n", "code"),
        (b'code,name\n"A,B\n', ""),
        (b"code,name\n", ""),
        (b"code\nA,B,C\n", "2"),
        (b"[" * 100_000, ""),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(
    world: World, sign_in: SignIn, data: bytes, word: str
) -> None:
    response = sign_in("east").post(IMPORT, {"file": SimpleUploadedFile("x", data)})
    page = response.content.decode()
    assert response.status_code == 422 and "alert-danger" in page and word in page
    assert not ImportRun.objects.exists()


def test_who_may_not_import_is_refused(world: World, sign_in: SignIn) -> None:
    for name in ("grid", "commander", "enterprise", "social"):
        assert sign_in(name).get(IMPORT).status_code == 403
        assert sign_in(name).post(IMPORT, {"file": SimpleUploadedFile("x", b"code\nA")}).status_code == 403
    run = bring(sign_in("east"), csv_of(["code", "capacity"], ["A1", 1]))
    assert sign_in("west").get(f"/registers/shelters/import/{run.pk}").status_code == 404


def test_importing_many_rows_costs_queries_by_what_is_new_only(world: World, sign_in: SignIn) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from haitang.registry import importing

    counts = []
    client = sign_in("east")
    for size in (5, 50):
        Shelter.objects.bulk_create([Shelter(code=f"{size}-{k}", name_zh="x", kind="school", place=world.places["east"],
                                             owner=world.bodies["east"], capacity=1) for k in range(size)])  # fmt: skip
        run = bring(client, csv_of(["code", "capacity", "place"], *([f"{size}-{k}", 2, "900001"] for k in range(size))))
        with CaptureQueriesContext(connection) as seen:
            assert importing.check(SHELTERS, run, by=world["east"]).counts["changed"] == size
        counts.append(len(seen))
    assert counts[0] == counts[1]
