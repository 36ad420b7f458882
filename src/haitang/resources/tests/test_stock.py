"""A store's ledger closes: every quantity that went out, came back or was counted is a line, and the lines add up. 3.4.4."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry
from haitang.registry import services as registry
from haitang.registry.tests import factories
from haitang.registry.tests.factories import World, exercise, supply
from haitang.resources import queries, services
from haitang.resources.models import MoveKind, StockMove, Supply
from haitang.resources.registers import SUPPLIES
from haitang.spaces.models import Space


def ledger(row: Supply, space: Space) -> Decimal:
    found = StockMove.objects.filter(supply=row, space=space).aggregate(total=Sum("quantity"))["total"]
    return found or Decimal(0)


def recorded(world: World, **fields: Any) -> Supply:
    """A supply that came through its register, so that its ledger begins with what there was."""
    row = supply(world)
    fresh = Supply(
        code="P1",
        name_zh="编织袋",
        kind="flood",
        place=row.place,
        owner=row.owner,
        unit="条",
        **{"stock": 1000, "minimum": 500, **fields},
    )
    registry.save(SUPPLIES, fresh, by=SYSTEM)
    return Supply.objects.get(code="P1")


def test_taking_and_bringing_back_in_life_moves_the_stock(world: World) -> None:
    row, live = recorded(world), Space.live()
    services.take_stock(row, space=live, quantity=600, by=world["east"], to="新海塘抢险")
    assert (Supply.objects.get(pk=row.pk).stock, ledger(row, live)) == (400, 400)
    entry = Entry.objects.get(verb="resources.take_stock")
    assert entry.colour == "yellow" and "低于最低储备" in entry.text_zh and "新海塘抢险" in entry.text_zh
    services.return_stock(row, space=live, quantity="150.5", by=world["east"])
    assert (Supply.objects.get(pk=row.pk).stock, ledger(row, live)) == (Decimal("550.50"), Decimal("550.50"))


def test_an_exercise_takes_on_paper_only(world: World) -> None:
    row, space = recorded(world), exercise()
    services.take_stock(row, space=space, quantity=600, by=world["duty"])
    assert Supply.objects.get(pk=row.pk).stock == 1000
    assert queries.stock_now(space, [row.pk])[row.pk] == 400
    assert queries.stock_now(Space.live(), [row.pk])[row.pk] == 1000
    assert [each.pk for each in queries.under_minimum(Supply.objects.filter(pk=row.pk), space)] == [row.pk]
    with pytest.raises(Refused, match="400"):
        services.take_stock(row, space=space, quantity=401, by=world["duty"])


def test_no_more_comes_back_than_went_out(world: World) -> None:
    row, live = recorded(world), Space.live()
    with pytest.raises(Refused):
        services.return_stock(row, space=live, quantity=1, by=world["east"])
    services.take_stock(row, space=live, quantity=10, by=world["east"])
    with pytest.raises(Refused, match="10"):
        services.return_stock(row, space=live, quantity=11, by=world["east"])


@pytest.mark.parametrize("quantity", ["0", "-1", "many", "nan", "inf", "1e30", "0.001", "", None])
def test_what_is_no_quantity_is_refused(world: World, quantity: Any) -> None:
    with pytest.raises(Refused):
        services.take_stock(supply(world), space=exercise(), quantity=quantity, by=SYSTEM)


def test_a_stock_set_in_the_register_gets_its_line(world: World) -> None:
    row, live = recorded(world), Space.live()
    assert list(StockMove.objects.filter(supply=row).values_list("kind", "quantity", "balance")) == [
        (MoveKind.COUNT, 1000, 1000)
    ]
    row.stock = Decimal(940)
    registry.save(SUPPLIES, row, by=world["east"])
    line = StockMove.objects.filter(supply=row).latest("pk")
    assert (line.kind, line.quantity, line.balance, line.by) == (MoveKind.COUNT, -60, 940, world["east"])
    assert ledger(row, live) == 940
    row.note = "已核"
    registry.save(SUPPLIES, row, by=world["east"])
    assert StockMove.objects.filter(supply=row).count() == 2


def test_who_opens_a_store(world: World) -> None:
    for name in ("west", "grid", "social", "enterprise", "resident"):
        with pytest.raises(Forbidden):
            services.take_stock(supply(world), space=exercise(), quantity=1, by=world[name])


@pytest.mark.parametrize(("code", "good"), [("1", True), ("201", True), ("30199", True), ("2019901", True), ("", True), ("4", False), ("12", False),
                                            ("20199011", False), ("2a1", False)])  # fmt: skip
def test_a_code_of_the_standard_has_its_four_levels(world: World, code: str, good: bool) -> None:
    """GB/T 38565-2020, 5.2: seven digits in four levels; the first is 1, 2 or 3, the others two digits each."""
    row = supply(world)
    row.gb_code = code  # unsaved: PostgreSQL has no room for eight digits
    if good:
        row.full_clean()
    else:
        with pytest.raises(ValidationError):
            row.full_clean()


class TestLedger(TestCase):
    @settings(max_examples=12)
    @given(st.lists(st.tuples(st.booleans(), st.decimals("0.01", "900", places=2)), max_size=8))
    def test_the_live_ledger_adds_up_to_the_stock(self, moves: list[tuple[bool, Decimal]]) -> None:
        row, live = recorded(factories.world()), Space.live()
        for is_out, quantity in moves:
            act = services.take_stock if is_out else services.return_stock
            try:
                move = act(row, space=live, quantity=quantity, by=SYSTEM)
            except Refused:
                continue
            assert move.balance == ledger(row, live)
        stock = Supply.objects.get(pk=row.pk).stock
        assert stock == ledger(row, live) and 0 <= stock <= 1000
