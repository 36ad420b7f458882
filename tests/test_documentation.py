"""What the documentation lists is what the program has: settings, commands, pages, dependencies. P1."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from haitang.config.cli import COMMANDS, parser
from haitang.config.env import ROOT, SETTINGS

DOCS = ROOT / "docs"


def test_operations_lists_every_setting_with_its_default_and_meaning() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(HAITANG_\w+)` \| (.*) \|$", text, flags=re.M))
    assert list(rows) == list(SETTINGS)
    for setting in SETTINGS.values():
        default = setting.default.replace(f"{ROOT}/", "")
        shown = f"`{default}`" if default else ""
        assert rows[setting.name] == f"{shown} | {setting.doc}", f"correct {setting.name} in docs/operations.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args([name, "--help"])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert f"haitang {name}" in said and "example:" in said and "--json" in said and "exit codes" in said


def test_a_wrong_argument_ends_with_two() -> None:
    done = subprocess.run([sys.executable, "-m", "haitang.config.cli", "no-such"], capture_output=True, check=False)
    assert done.returncode == 2


def test_every_page_of_the_site_is_in_its_table_of_contents() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[>=<\[]", line)[0] for line in project["dependencies"]}
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    missing = sorted(name for name in names if not re.search(rf"^\|.*\b{re.escape(name)}\b.*\|", text, flags=re.M))
    assert not missing, f"say in docs/dependencies.md what these are for: {missing}"


def test_the_first_screen_of_the_readme_shows_the_two_commands() -> None:
    for name in ("README.md", "README.zh.md"):
        first = "\n".join((ROOT / name).read_text(encoding="utf-8").splitlines()[:25])
        assert "./run" in first and "./test" in first


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("/") and not (page.parent / target).exists()
    ]
    assert not broken
