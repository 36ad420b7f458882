"""The command line as an operator uses it: prepare, check, verify, back up, restore. P1, A1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.product import ROOT, Product, product_database, statement

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("commands"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product_database("commands") as database_url:
        made = Product(tmp_path_factory.mktemp("commands"), pack="sanzhou", database_url=database_url)
        made.init()
        yield made


def told(product: Product, *words: str, check: bool = True) -> dict[str, Any]:
    done = product.haitang(*words, "--json", check=check)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def test_preparing_again_changes_nothing(product: Product) -> None:
    before = told(product, "verify-journal")
    assert told(product, "init", "--pack", "sanzhou", "--demo")["fresh"] is False
    assert told(product, "verify-journal") == before


def test_check_names_what_is_good_and_what_is_not(product: Product) -> None:
    states = {each["what"]: each["state"] for each in told(product, "check", check=False)["findings"]}
    assert states["database"] == states["migrations"] == states["data pack"] == states["journal"] == "good"
    assert states["safety"] == states["gateways"] == "note"


def test_a_bad_pack_is_refused_by_file_line_field_value_rule_and_keeps_nothing(
    product: Product, tmp_path: Path
) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(ROOT / "packs" / "sanzhou", bad)
    with (bad / "shelters.csv").open(encoding="utf-8") as lines:
        text = lines.read().splitlines()
    at = max(n for n, line in enumerate(text) if line and not line.startswith("#"))
    cells, columns = text[at].split(","), next(line for line in text if not line.startswith("#")).split(",")
    cells[columns.index("capacity")] = "many"
    text[at] = ",".join(cells)
    (bad / "shelters.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    before = told(product, "verify-journal")
    done = product.haitang("load-pack", str(bad), "--demo", check=False)
    assert done.returncode == 1
    for part in ("shelters.csv", f"line {at + 1}", "capacity", "'many'", "is not a number"):
        assert part in done.stderr
    assert told(product, "verify-journal") == before


def test_a_pack_that_is_not_there_is_answered_with_those_that_are(product: Product) -> None:
    done = product.haitang("load-pack", "atlantis", check=False)
    assert done.returncode == 1 and "chongming" in done.stderr and "sanzhou" in done.stderr


def test_a_backup_brings_everything_back_and_says_when_it_is_not_whole(product: Product, tmp_path: Path) -> None:
    archive = tmp_path / "haitang.tar.gz"
    made = told(product, "backup", str(archive))
    assert made["heads"]["live"] > 0
    assert told(product, "restore", str(archive), "--check")["files"] == made["files"]
    refused = product.haitang("restore", str(archive), check=False)
    assert refused.returncode == 1 and "--force" in refused.stderr
    with statement(product, "DELETE FROM journal_entry WHERE seq = 1"):
        assert product.haitang("verify-journal", check=False).returncode == 1
    told(product, "restore", str(archive), "--force")
    assert told(product, "verify-journal")["faults"] == {}
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    archive.write_bytes(data)
    broken = product.haitang("restore", str(archive), "--check", check=False)
    assert broken.returncode == 1 and "Traceback" not in broken.stderr


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE journal_entry SET text_zh = 'x' WHERE seq = 1", "changed"),
        ("DELETE FROM journal_entry WHERE seq = 1", "removed"),
        ("DELETE FROM journal_entry WHERE seq = (SELECT max(seq) FROM journal_entry)", "cut"),
    ],
)
def test_verify_journal_finds_what_somebody_did_in_the_database(
    product: Product, tmp_path: Path, sql: str, kind: str
) -> None:
    archive = tmp_path / "before.tar.gz"
    product.haitang("backup", str(archive))
    with statement(product, sql):
        done = product.haitang("verify-journal", "--json", check=False)
        faults = json.loads(done.stdout.strip().splitlines()[-1])["faults"]["live"]
        assert done.returncode == 1 and kind in {each["kind"] for each in faults}
    product.haitang("restore", str(archive), "--force")


def test_the_journal_is_exported_line_by_line(product: Product, tmp_path: Path) -> None:
    out = tmp_path / "journal.jsonl"
    number = told(product, "export", "--out", str(out))["entries"]
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == number and [line["seq"] for line in lines] == list(range(1, number + 1))


def test_a_token_is_told_once_and_works(product: Product) -> None:
    from haitang.accounts.tokens import digest

    secret = told(product, "token", "gauge", "--user", "duty", "--rights", "read")["token"]
    assert secret.startswith("ht_") and len(digest(secret)) == 64


def test_an_unknown_space_is_named(product: Product) -> None:
    done = product.haitang("verify-journal", "--space", "mars", check=False)
    assert done.returncode == 1 and "mars" in done.stderr and "live" in done.stderr
