"""What is written can be read back; what is written is never run as a formula; what comes from outside is limited. 3.4.4."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from haitang.registry import sheets
from haitang.registry.sheets import Head, SheetError

# Text as people type it: no control characters, no blanks at the ends (cells are trimmed), not empty.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).map(str.strip).filter(bool)
DANGEROUS = st.sampled_from(["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''", "=\u202e"])
CELLS = st.one_of(
    TEXTS, DANGEROUS.map(str.strip), st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6).map(lambda x: round(x, 6))
)
HEADS = [Head(label="编码"), Head(label="=名称"), Head(label="note")]
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8)


def shown(cell: object) -> str:
    return sheets._cell_text(cell)


@given(ROWS)
def test_csv_comes_back_as_it_went(rows: list[tuple[object, ...]]) -> None:
    table = sheets.read("".join(sheets.write_csv(HEADS, rows)).encode())  # type: ignore[arg-type]
    assert [tuple(cells.values()) for _line, cells in table.rows] == [tuple(map(shown, row)) for row in rows]


@given(ROWS)
def test_xlsx_comes_back_as_it_went(rows: list[tuple[object, ...]]) -> None:
    table = sheets.read(sheets.write_xlsx("表", HEADS, rows))  # type: ignore[arg-type]
    assert [tuple(cells.values()) for _line, cells in table.rows] == [tuple(map(shown, row)) for row in rows]


@given(ROWS)
def test_no_csv_cell_begins_like_a_formula(rows: list[tuple[object, ...]]) -> None:
    for line in csv.reader(io.StringIO("".join(sheets.write_csv(HEADS, rows)).removeprefix("\ufeff"))):  # type: ignore[arg-type]
        for cell in line:
            is_number = cell.replace(".", "", 1).removeprefix("-").replace("e-", "").isdigit()
            assert is_number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


@given(ROWS)
def test_no_xlsx_cell_is_a_formula(rows: list[tuple[object, ...]]) -> None:
    page = load_workbook(io.BytesIO(sheets.write_xlsx("=t", HEADS, rows))).active  # type: ignore[arg-type]
    assert page is not None
    assert all(cell.data_type != "f" for line in page.iter_rows() for cell in line)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for wrapped in (data, b"{" + data, b"PK\x03\x04" + data):
        with contextlib.suppress(SheetError):
            assert sheets.read(wrapped).rows


def _package(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in {"[Content_Types].xml": b"<Types/>", **parts}.items():
            package.writestr(name, data)
    return out.getvalue()


def test_a_zip_bomb_is_refused_before_it_unpacks() -> None:
    bomb = _package(**{"xl/worksheets/sheet1.xml": b"0" * (sheets.MAX_UNPACKED + 1)})
    assert len(bomb) < sheets.MAX_BYTES
    with pytest.raises(SheetError, match="unpacks"):
        sheets.read(bomb)


def test_entities_are_refused() -> None:
    laughs = b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;">]><worksheet>&l2;</worksheet>'
    with pytest.raises(SheetError, match="entities"):
        sheets.read(_package(**{"xl/worksheets/sheet1.xml": laughs}))


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("a.txt", "x")
    with pytest.raises(SheetError, match="not a workbook"):
        sheets.read(out.getvalue())


def test_too_many_rows_columns_and_bytes_are_refused() -> None:
    with pytest.raises(SheetError, match="rows"):
        sheets.read(b"code\n" + b"x\n" * (sheets.MAX_ROWS + 1))
    with pytest.raises(SheetError, match="columns"):
        sheets.read(",".join(f"c{k}" for k in range(sheets.MAX_COLUMNS + 1)).encode() + b"\n1\n")
    with pytest.raises(SheetError, match="MB"):
        sheets.read(b"x" * (sheets.MAX_BYTES + 1))


def test_a_cell_at_the_far_end_is_refused_quickly() -> None:
    from openpyxl import Workbook

    book = Workbook()
    page = book.active
    assert page is not None
    page["A1"] = "code"
    page["A1048576"] = "x"
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(SheetError, match="empty lines"):
        sheets.read(out.getvalue())


def test_whole_numbers_dates_and_flags_read_like_text() -> None:
    from datetime import datetime

    data = sheets.write_xlsx(
        "t", [Head(label="a"), Head(label="b"), Head(label="c")], [[310151101.0, datetime(2026, 5, 31), True]]
    )
    assert sheets.read(data).rows == [(2, {"a": "310151101", "b": "2026-05-31", "c": "1"})]
