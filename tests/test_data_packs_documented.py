"""docs/data-packs.md names every section, file and column that there is, and none that there is not. Issue 2, section 3."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from django.conf import settings

from haitang.packs import SECTIONS

DOC = (Path(__file__).resolve().parents[1] / "docs" / "data-packs.md").read_text(encoding="utf-8")
CHAPTERS = {found[1]: found[2] for found in re.finditer(r"^### `([^`]+)`\n(.*?)(?=^### |\Z)", DOC, re.M | re.S)}
PACKS = sorted(path.parent for path in settings.PACKS.glob("*/pack.toml"))


def pattern_of(path: Path) -> str:
    return f"{path.parts[0]}/*{path.suffix}" if len(path.parts) > 1 else str(path)


def files_of(pack: Path) -> set[str]:
    return {pattern_of(path.relative_to(pack)) for path in pack.rglob("*") if path.is_file()}


def is_installed(section: str) -> bool:
    return section.split(".", maxsplit=1)[0] in settings.INSTALLED_SLICES


def test_every_section_has_its_line_in_the_table() -> None:
    table = set(re.findall(r"^\| `(\w+\.\w+)` \|", DOC, re.M))
    assert {name for name in table if is_installed(name)} == set(SECTIONS)


def test_sections_of_demonstrations_are_marked() -> None:
    marked = set(re.findall(r"^\| `(\w+\.\w+)` \|.*\(demonstration\) \|$", DOC, re.M))
    assert {name for name in marked if is_installed(name)} == {
        name for name, section in SECTIONS.items() if section.demo
    }


def test_every_file_of_a_pack_has_its_chapter_and_no_chapter_is_without_a_file() -> None:
    there = set().union(*map(files_of, PACKS))
    assert there == set(CHAPTERS)
    named = set(
        re.findall(r"`([\w/*.]+\.(?:csv|toml|geojson))`", DOC.split("## Sections and their files")[1].split("### ")[0])
    )
    assert named <= set(CHAPTERS)


@pytest.mark.parametrize("file", [name for name in CHAPTERS if name.endswith(".csv")])
def test_every_column_of_a_file_is_explained_and_no_other(file: str) -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", CHAPTERS[file], re.M)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    used: set[str] = set()
    for pack in PACKS:
        lines = (pack / file).read_text(encoding="utf-8").splitlines()
        used |= set(next(csv.reader([next(line for line in lines if line and not line.startswith("#"))])))
    assert used <= explained
    # What is explained and used by no pack must at least be read: the loader refuses columns it does not know.
    source = " ".join(path.read_text(encoding="utf-8") for path in settings.PACKAGE.glob("*/pack.py"))
    assert all(re.search(rf"\b{name}\b", source) for name in explained - used)


def test_needed_columns_are_marked_as_such() -> None:
    from haitang.accounts import pack as accounts

    assert "`code` *" in CHAPTERS["organisations.csv"] and "`kind` *" in CHAPTERS["organisations.csv"]
    assert accounts.ORGANISATIONS in CHAPTERS
