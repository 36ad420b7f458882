"""Who may do what: the owner's people, those above, the person named; the duty room and the issuer take back. 3.2.1, P1."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from haitang.accounts.verbs import Forbidden, Refused
from haitang.obligations import services
from haitang.obligations.models import Obligation
from haitang.obligations.tests import factories as make

ANSWER = {"mayor", "deputy", "grid", "head", "admin"}
EVERYBODY = (
    "head",
    "duty",
    "commander",
    "officer",
    "mayor",
    "deputy",
    "grid",
    "western",
    "villager",
    "safety",
    "resident",
    "admin",
)


@pytest.mark.parametrize("name", EVERYBODY)
def test_only_the_owner_and_those_above_it_answer(house: SimpleNamespace, name: str) -> None:
    row = make.issue(house.east, house.space)
    if name in ANSWER:
        assert services.complete(row, by=getattr(house, name)).state == "done"
    else:
        with pytest.raises(Forbidden):
            services.complete(row, by=getattr(house, name))


def test_the_person_named_answers_wherever_he_belongs(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space, person=house.western)
    assert services.receive(row, by=house.western).received_by == house.western


@pytest.mark.parametrize("name", EVERYBODY)
def test_the_issuer_and_the_duty_room_withdraw_and_reopen(house: SimpleNamespace, name: str) -> None:
    row = make.issue(house.east, house.space, by=house.officer)
    who = getattr(house, name)
    if name in {"officer", "duty", "commander"}:
        services.withdraw(row, by=who, reason="误发")
        assert services.reopen(row, by=who, reason="还是要办").state == "issued"
    else:
        with pytest.raises(Forbidden):
            services.withdraw(row, by=who)


@pytest.mark.parametrize("name", EVERYBODY)
def test_only_the_kinds_roles_confirm(house: SimpleNamespace, name: str) -> None:
    row = services.complete(make.issue(house.east, house.space, kind="test.check"), by=house.mayor)
    assert row.awaits_confirmation
    who = getattr(house, name)
    if name in {"duty", "commander"}:
        assert services.confirm(row, by=who).state == "confirmed"
    else:
        with pytest.raises(Forbidden):
            services.confirm(row, by=who)


def test_nobody_confirms_his_own_report(house: SimpleNamespace) -> None:
    row = services.complete(make.issue(house.centre, house.space, kind="test.check"), by=house.duty)
    with pytest.raises(Forbidden, match=r"以外|Another"):
        services.confirm(row, by=house.duty)
    assert services.confirm(row, by=house.commander).state == "confirmed"


def test_what_only_asks_for_an_answer_cannot_be_refused(house: SimpleNamespace) -> None:
    with pytest.raises(Refused):
        services.refuse(make.issue(house.east, house.space, kind="test.answer"), by=house.mayor, reason="不想")


def test_a_refusal_needs_a_reason(house: SimpleNamespace) -> None:
    with pytest.raises(Refused):
        services.refuse(make.issue(house.east, house.space), by=house.mayor, reason="  ")


def test_each_sees_what_lies_in_his_reach(house: SimpleNamespace) -> None:
    """P1: a township sees its own and its villages', an enterprise its own, the district all; a resident nothing."""
    rows = {
        name: make.issue(getattr(house, name), house.space) for name in ("bureau", "water", "east", "west", "village", "works")
    }  # fmt: skip
    named = make.issue(house.west, house.space, person=house.safety)

    def seen(name: str) -> set[str]:
        pks = set(Obligation.objects.visible_to(getattr(house, name)).values_list("pk", flat=True))
        return {key for key, row in {**rows, "named": named}.items() if row.pk in pks}

    everything = {"bureau", "water", "east", "west", "village", "works", "named"}
    assert seen("duty") == seen("commander") == seen("officer") == seen("head") == everything
    assert seen("mayor") == {"east", "village", "works"}
    assert seen("villager") == {"village"}
    assert seen("western") == {"west", "named"}
    assert seen("safety") == {"works", "named"}
    assert seen("resident") == set()


def test_what_a_person_has_to_do_now(house: SimpleNamespace) -> None:
    mine = make.issue(house.east, house.space, due=20)
    named = make.issue(house.east, house.space, person=house.grid, due=10)
    make.issue(house.village, house.space)
    make.issue(house.east, make.exercise())
    assert list(services.open_for(house.mayor, house.space)) == [mine]
    assert list(services.open_for(house.grid, house.space)) == [named, mine]
    services.complete(mine, by=house.mayor)
    assert list(services.open_for(house.mayor, house.space)) == []


def test_a_remark_is_kept_in_the_record(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    services.remark(row, by=house.grid, text="水已退到路面")
    services.remark(row, by=house.duty, text="请继续观察")
    with pytest.raises(Forbidden):
        services.remark(row, by=house.western, text="与我无关")
    with pytest.raises(Refused):
        services.remark(row, by=house.grid, text=" ")
