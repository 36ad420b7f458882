"""The rules of the house hold, and the lists that state them are complete. P1."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "haitang"
# What reaches out (httpx, paho) is no computation either; the contract forbids it there.
FRAMEWORKS = {"django", "ninja", "allauth", "django_filters", "django_htmx", "django_tasks", "django_tasks_db", "httpx", "paho"}  # fmt: skip
# Rooms that may be free of Django by chance and still are not places for computation.
ROOMS = {
    "tests",
    "migrations",
    "templatetags",
    "views",
    "urls",
    "menu",
    "cards",
    "layers",
    "registers",
    "pack",
    "cli",
    "wsgi",
}


def contracts() -> dict[str, dict[str, Any]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["type"]: contract for contract in config["tool"]["importlinter"]["contracts"]}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("haitang", include_external_packages=True, exclude_type_checking_imports=True)


def test_every_module_without_django_is_declared_pure(graph: grimp.ImportGraph) -> None:
    declared = set(contracts()["forbidden"]["source_modules"])
    free = {
        module
        for module in graph.modules
        if module.startswith("haitang.")
        and module.count(".") >= 2
        and not ROOMS & set(module.split("."))
        and not graph.find_children(module)
        and not FRAMEWORKS & graph.find_upstream_modules(module)
    }
    missing = sorted(free - declared)
    assert not missing, f"add these to the contract on pure modules in pyproject.toml: {missing}"


def test_every_slice_folder_has_its_place_in_the_layers() -> None:
    layers = contracts()["layers"]
    placed = {
        name.strip(" ()") for line in layers["layers"] for part in line.split("|") for name in part.split(":")
    } | set(layers["exhaustive_ignores"])
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= placed, f"give these a line in the layers contract in pyproject.toml: {sorted(folders - placed)}"


def test_every_slice_with_an_app_is_installed() -> None:
    apps = {path.parent.name for path in PACKAGE.glob("*/apps.py")} - {"config"}
    assert apps == set(settings.INSTALLED_SLICES)


def test_settings_and_contract_name_the_same_slices() -> None:
    placed = {
        name.strip(" ()")
        for line in contracts()["layers"]["layers"]
        for part in line.split("|")
        for name in part.split(":")
    }
    assert placed - {"frame", "packs", "fetching"} == set(settings.SLICES)
