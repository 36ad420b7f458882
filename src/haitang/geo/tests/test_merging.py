"""Rows from a pack are created, updated or left, by their key. Issue 2, section 3."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haitang.geo.merging import merge
from haitang.geo.models import Feature, Level, Place

FIELDS = ("name_zh", "population", "parent_id")


def place(code: str, name: str = "地", parent: Place | None = None, **more: object) -> Place:
    level = Level.TOWNSHIP if parent else Level.DISTRICT
    return Place(
        code=code, name_zh=name, level=level, parent=parent, path=f"{parent.path if parent else ''}{code}/", **more
    )


@pytest.mark.django_db
def test_new_rows_are_created_and_have_their_keys_afterwards() -> None:
    rows = [place("A"), place("B")]
    assert merge(rows, fields=FIELDS).created == ["A", "B"]
    assert all(row.pk for row in rows)
    assert Place.objects.get(code="A") == rows[0]


@pytest.mark.django_db
def test_a_row_that_is_there_already_is_left_alone() -> None:
    merge([place("A", population=5)], fields=FIELDS)
    done = merge([again := place("A", population=5)], fields=FIELDS)
    assert not done
    assert again.pk == Place.objects.get(code="A").pk


@pytest.mark.django_db
def test_only_what_differs_is_changed_and_only_the_named_fields() -> None:
    merge([place("A", population=5), place("B", population=6)], fields=FIELDS)
    Place.objects.filter(code="A").update(confidence="surveyed")
    done = merge([place("A", population=7), place("B", population=6)], fields=FIELDS)
    assert (done.created, done.changed) == ([], ["A"])
    row = Place.objects.get(code="A")
    assert (row.population, row.confidence) == (7, "surveyed")


@pytest.mark.django_db
def test_a_place_that_moves_takes_its_subtree_along() -> None:
    merge([place("A"), place("B")], fields=FIELDS)
    a, b = Place.objects.order_by("code")
    merge([place("T", parent=a)], fields=FIELDS)
    township = Place.objects.get(code="T")
    Place.objects.create(code="V", name_zh="村", level=Level.VILLAGE, parent=township)
    merge([place("T", parent=b)], fields=FIELDS, slowly=("parent_id",))
    assert Place.objects.get(code="V").path == "B/T/V/"


@pytest.mark.django_db
def test_an_envelope_follows_a_changed_geometry() -> None:
    def feature(x: float) -> Feature:
        return Feature(code="F", kind="lake", name_zh="湖", geometry=shapely.box(x, 30, x + 1, 31))

    fields = ("name_zh", "geometry")
    merge([feature(120)], fields=fields)
    assert not merge([feature(120)], fields=fields)
    assert merge([feature(121)], fields=fields).changed == ["F"]
    assert Feature.objects.get().box == (121, 30, 122, 31)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 3), max_size=5), min_size=1, max_size=4))
def test_after_any_loads_the_table_says_what_was_said_last(loads: list[dict[str, int]]) -> None:
    Place.objects.all().delete()
    said: dict[str, int] = {}
    for load in loads:
        done = merge([place(code, population=number) for code, number in load.items()], fields=FIELDS)
        assert set(done.created) == set(load) - set(said)
        assert set(done.changed) == {code for code, number in load.items() if said.get(code, number) != number}
        said |= load
    assert dict(Place.objects.values_list("code", "population")) == said


@pytest.mark.django_db
def test_hundreds_of_rows_cost_a_handful_of_queries(django_assert_max_num_queries: object) -> None:
    rows = [place(f"N{number}") for number in range(400)]
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        merge(rows, fields=FIELDS)
    changed = [place(f"N{number}", population=number) for number in range(400)]
    with django_assert_max_num_queries(30):  # type: ignore[operator]
        assert len(merge(changed, fields=FIELDS).changed) == 400
