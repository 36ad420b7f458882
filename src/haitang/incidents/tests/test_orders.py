"""A leader's instruction becomes an order with owner and limit, open until it is answered (3.2.3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from haitang.accounts.verbs import Forbidden, Refused
from haitang.incidents import queries, services
from haitang.incidents.models import Incident, Order
from haitang.incidents.tests.factories import T0, Loop
from haitang.obligations import services as obligations
from haitang.plans.models import Plan


@pytest.fixture
def incident(loop: Loop, flood: Plan) -> Incident:
    return loop.start(2)


def order(loop: Loop, incident: Incident, **fields) -> Order:
    return services.give(incident, **{"text": "封闭长江大桥", "organisations": [loop.police, loop.water], "by": loop.commander, "leader": "王区长",
                                      "due_at": T0 + timedelta(minutes=30), **fields})  # fmt: skip


def test_every_organisation_is_obliged(loop: Loop, incident: Incident) -> None:
    made = order(loop, incident)
    duties = list(obligations.for_subject(made))
    assert [(d.owner.code, d.title_zh, d.kind) for d in duties] == [
        ("POLICE", "王区长指示：封闭长江大桥", "incidents.order"), ("WATER", "王区长指示：封闭长江大桥", "incidents.order"),
    ]  # fmt: skip
    assert duties[0].thread == f"incidents.incident:{incident.pk}"


def test_it_is_open_until_all_have_answered(loop: Loop, incident: Incident) -> None:
    made = order(loop, incident)
    for owner, person in ((loop.police, loop.officer), (loop.water, loop.engineer)):
        assert queries.orders(incident, loop.commander)[0].is_open
        obligations.complete(obligations.for_subject(made).get(owner=owner), by=person, note="已落实")
    assert not queries.orders(incident, loop.commander)[0].is_open


def test_an_order_is_seen_by_those_it_is_for(loop: Loop, incident: Incident) -> None:
    order(loop, incident, organisations=[loop.towns[0]])
    assert len(queries.orders(incident, loop.heads[0])) == 1
    assert queries.orders(incident, loop.heads[1]) == []
    assert len(queries.orders(incident, loop.duty)) == 1


def test_taking_it_back_needs_a_reason(loop: Loop, incident: Incident) -> None:
    made = order(loop, incident)
    with pytest.raises(Refused, match="说明"):
        services.withdraw_order(made, by=loop.commander, reason="")
    services.withdraw_order(made, by=loop.commander, reason="风力减弱")
    assert {d.state for d in obligations.for_subject(made)} == {"withdrawn"}
    with pytest.raises(Refused, match="已经撤回"):
        services.withdraw_order(made, by=loop.commander, reason="再次")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": " "}, "1 至"),
        ({"organisations": []}, "至少选择一个"),
        ({"due_at": T0 - timedelta(minutes=1)}, "更晚的时间"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(loop: Loop, incident: Incident, fields, says: str) -> None:
    with pytest.raises(Refused, match=says):
        order(loop, incident, **fields)


def test_a_township_gives_no_orders(loop: Loop, incident: Incident) -> None:
    with pytest.raises(Forbidden):
        order(loop, incident, by=loop.heads[0])


def test_an_order_that_was_carried_out_is_not_withdrawn_by_the_end(loop: Loop, incident: Incident) -> None:
    made = order(loop, incident, organisations=[loop.water])
    obligations.complete(obligations.for_subject(made).get(), by=loop.engineer)
    services.end(incident, by=loop.commander, reason_zh="险情解除")
    made.refresh_from_db()
    assert made.withdrawn_at is None
