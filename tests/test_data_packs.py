"""The data packs load whole, twice without a difference, and nothing of Chongming stands in the code. Issue 2, section 3."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Sum

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.config import loading
from haitang.geo.models import Feature, Level, Place, PlaceShape
from haitang.geo.shapes import area_km2
from haitang.journal.models import Entry
from haitang.journal.services import verify
from haitang.packs import PackError
from haitang.spaces.models import Space

ROOT = Path(__file__).resolve().parents[1]
SIGN_INS = {"admin", "duty_officer", "commander", "department", "township", "grid", "enterprise", "social"}


def by_model() -> dict[str, int]:
    from django.apps import apps

    return {
        model._meta.label: model._base_manager.count()
        for model in apps.get_models()
        if model._meta.label.split(".")[0] in settings.INSTALLED_SLICES and model is not Entry
    }


@pytest.mark.django_db
def test_chongming_loads_whole_and_a_second_time_changes_nothing() -> None:
    first = loading.load(loading.find("chongming"), demo=True)
    assert all(first.rows.values()), first.rows
    before, entries = by_model(), Entry.objects.count()
    again = loading.load(loading.find("chongming"), demo=True, again=True)
    assert again.rows == first.rows
    assert by_model() == before
    assert list(Entry.objects.order_by("id")[entries:].values_list("verb", flat=True)) == [loading.VERB]
    assert not verify(Space.live())
    check_places()
    check_people()
    check_numbers()


def check_places() -> None:
    levels = Counter(Place.objects.values_list("level", flat=True))
    assert levels == {Level.DISTRICT: 1, Level.TOWNSHIP: 21, Level.VILLAGE: 361}
    district = Place.objects.get(code="310151")
    assert (
        Place.objects.get(code="310151101001").path == "310151/310151101/310151101001/"
    )  # P1: the tree of jurisdictions
    towns = Place.objects.filter(level=Level.TOWNSHIP, kind__in=("镇", "乡"))
    assert towns.count() == 18
    total = towns.aggregate(total=Sum("population"))["total"]
    assert abs(total - district.population) < 50  # estimates, made to add up to the census
    assert all("估计" in town.population_note for town in towns)
    outlines = {shape.place.code: shape for shape in PlaceShape.objects.select_related("place")}
    drawn = [outlines[town.code] for town in towns]
    assert all(shape.is_approximate for shape in drawn)
    whole = area_km2(outlines["310151"].geometry)
    assert sum(area_km2(shape.geometry) for shape in drawn) == pytest.approx(whole, rel=1e-3)
    main = [s for s in drawn if s.place.code not in {"310151116", "310151202"}]
    shares = [area_km2(shape.geometry) / shape.place.area_km2 for shape in main]
    assert max(shares) / min(shares) < 1.08  # one island, one scale; the islet makes the difference
    assert all(s.geometry.is_valid for s in drawn)
    assert Feature.objects.filter(kind=Feature.Kind.SEAWALL).count() == 3


def check_people() -> None:
    demo = User.objects.filter(is_demo=True)
    # One sign-in for every role stands first, so that the sign-in page offers it.
    first: dict[str, User] = {}
    for user in demo.order_by("pk"):
        first.setdefault(user.role, user)
    assert set(first) == SIGN_INS
    names = {first[role].username for role in first}
    assert names == {"admin", "duty", "commander", "water", "chengqiao", "grid", "enterprise", "social"}
    assert all(user.check_password(settings.DEMO_PASSWORD) for user in first.values())
    assert not any(User.objects.get(username=name).has_usable_password() for name in ("city", "gauges", "weather"))
    # 3.2.1: every body that acts has a responsible person and a deputy; every village somebody.
    ranks: dict[int | None, set[int]] = {}
    for organisation, rank in demo.values_list("organisation", "rank"):
        ranks.setdefault(organisation, set()).add(rank)
    for body in Organisation.objects.all():
        wanted = {
            OrganisationKind.TOWNSHIP: {1, 2}, OrganisationKind.DEPARTMENT: {1, 2}, OrganisationKind.VILLAGE: {1},
            OrganisationKind.COMMAND: {1, 2}, OrganisationKind.GOVERNMENT: {1, 2},
        }.get(body.kind, set())  # fmt: skip
        assert wanted <= ranks.get(body.pk, set()), body
    assert not demo.exclude(phone__startswith="1990000").exists()
    assert demo.filter(role=Role.COMMANDER).count() >= 2
    village = Organisation.objects.get(code="310151101001")
    assert village.path == "CM/310151101/310151101001/"


def check_numbers() -> None:
    """Every telephone in the pack is of the invented range (or an emergency number)."""
    for path in sorted((settings.PACKS / "chongming").rglob("*")):
        if path.is_file():
            for number in re.findall(r"(?<![\d.])1[3-9]\d{9}(?!\d)", path.read_text(encoding="utf-8")):
                assert number.startswith("1990000"), (path.name, number)


@pytest.mark.django_db
def test_the_tiny_district_loads_whole_and_a_second_time_changes_nothing() -> None:
    first = loading.load(loading.find("sanzhou"), demo=True)
    assert all(first.rows.values()), first.rows
    before, entries = by_model(), Entry.objects.count()
    loading.load(loading.find("sanzhou"), demo=True, again=True)
    assert by_model() == before
    assert Entry.objects.count() == entries + 1
    outlines = {shape.place.code: shape.geometry for shape in PlaceShape.objects.select_related("place")}
    # Each island is divided among its own townships, in proportion to their areas.
    assert area_km2(outlines["990101101"]) == pytest.approx(2 * area_km2(outlines["990101102"]), rel=1e-2)
    assert outlines["990101201"].bounds == pytest.approx((123.07, 30.38, 123.13, 30.42), abs=1e-4)


@pytest.mark.django_db
def test_made_up_people_come_only_with_a_demonstration() -> None:
    loaded = loading.load(loading.find("sanzhou"))
    assert "accounts.people" not in loaded.rows
    assert not User.objects.filter(is_demo=True).exists()
    assert Place.objects.exists()


@pytest.mark.django_db
def test_a_check_keeps_nothing() -> None:
    loaded = loading.load(loading.find("sanzhou"), demo=True, check=True)
    assert loaded.rows["geo.places"] == 8
    assert not Place.objects.exists()
    assert not User.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_a_pack_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PackError, match="chongming, sanzhou"):
        loading.find("nowhere")


def test_nothing_of_chongming_is_in_the_code() -> None:
    """A district is data: another one brings its own pack and touches no code. Docstrings may give it as an example."""
    found = []
    for path in sorted((ROOT / "src" / "haitang").rglob("*")):
        inside = path.relative_to(ROOT).parts
        if {"tests", "locale", "__pycache__"} & set(inside) or path.suffix not in {".py", ".html", ".toml", ".csv"}:
            continue
        text = path.read_text(encoding="utf-8")
        parts = _strings(text) if path.suffix == ".py" else enumerate(text.splitlines(), start=1)
        for number, part in parts:
            # The name of the default pack is a setting, and an example on the command line; both are in config.
            named = "chongming" in part.lower() and inside[2] != "config"
            if named or re.search(r"崇明|310151", part):
                found.append(f"{'/'.join(inside)}:{number}: {part.strip()[:100]}")
    assert not found, "\n".join(found)


def _strings(source: str) -> list[tuple[int, str]]:
    """The strings and names of a module, without its docstrings (and, of course, comments)."""
    tree = ast.parse(source)
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            found.append((node.lineno, node.value))
        elif isinstance(node, ast.Name):
            found.append((node.lineno, node.id))
    return found
