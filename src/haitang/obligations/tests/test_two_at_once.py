"""Several processes at once: every rung once, every answer once, nobody waits for anybody forever. 3.4.2, P1."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Thread
from types import SimpleNamespace

import pytest
from django.db import connection

from haitang.accounts.verbs import Refused
from haitang.delivery.models import Message
from haitang.journal.models import Entry
from haitang.journal.services import verify
from haitang.obligations import services
from haitang.obligations.models import Obligation
from haitang.obligations.tests import factories as make

pytestmark = pytest.mark.django_db(transaction=True)
LADDER = ({"to": "responsible", "channels": ["inapp"]}, {"after_s": 60, "to": "deputy", "channels": ["inapp"]})


def together(*jobs: Callable[[], object]) -> list[Exception]:
    """Run the jobs at the same moment, each with a connection of its own; what they raised."""
    gate, raised = Barrier(len(jobs)), []

    def run(job: Callable[[], object]) -> None:
        gate.wait()
        try:
            job()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            raised.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def test_three_loops_climb_each_rung_once(house: SimpleNamespace) -> None:
    rows = [
        make.issue(body, house.space, due=5, ladder=LADDER)
        for body in (house.east, house.west, house.village, house.water)
    ]
    make.step(house.space, 10)
    assert together(*[lambda: services.run_due(house.space)] * 3) == []
    services.run_due(house.space)
    assert Message.objects.count() == 2 * len(rows)
    assert Entry.objects.filter(verb="obligations.overdue").count() == len(rows)
    assert verify(house.space) == []


def test_of_two_who_answer_at_once_one_is_told(house: SimpleNamespace) -> None:
    row = make.issue(house.east, house.space)
    first, second = Obligation.objects.get(pk=row.pk), Obligation.objects.get(pk=row.pk)
    raised = together(
        lambda: services.complete(first, by=house.mayor), lambda: services.complete(second, by=house.deputy)
    )
    assert [type(error) for error in raised] == [Refused]
    assert Entry.objects.filter(verb="obligations.done").count() == 1


def test_withdrawing_many_while_the_loop_runs_ends(house: SimpleNamespace) -> None:
    """A cancelled warning takes back all its questions in one transaction, whichever of them the loop holds."""
    from django.db import transaction

    rows = [make.issue(house.east, house.space, due=5, ladder=LADDER) for _ in range(6)]
    make.step(house.space, 10)

    def withdraw_all() -> None:
        with transaction.atomic():
            for row in Obligation.objects.filter(pk__in=[row.pk for row in rows]).order_by("-pk"):
                services.withdraw(row, by=house.duty)

    assert together(withdraw_all, lambda: services.run_due(house.space), lambda: services.run_due(house.space)) == []
    assert set(Obligation.objects.values_list("state", "next_at")) == {("withdrawn", None)}
    assert verify(house.space) == []
