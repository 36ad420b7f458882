"""What gateways report: once, forged, twice, early, late, about others (3.6.5 delivery receipts)."""

import json

import pytest
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haitang.delivery import gateways, outlet, receipts, services
from haitang.delivery.models import Delivery, Tally
from haitang.delivery.tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(live):
    message = make.message(live, make.user(), channels=["sms"])
    services.pump(live)
    return services.receipts(message).get()


def post(client, body, channel="sms", token=None):
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {} if token == "" else {"Authorization": f"Bearer {token or gateways.token()}"}
    return client.post(
        reverse("delivery:receipts", args=[channel]), data, content_type="application/json", headers=headers
    )


def tally(outcome):
    return sum(Tally.objects.filter(outcome=outcome).values_list("count", flat=True))


def test_a_receipt_moves_the_delivery_on(client, row):
    assert post(client, {"key": row.key, "status": "delivered"}).json() == {
        "taken": 1,
        "repeated": 0,
        "unknown": 0,
        "invalid": [],
    }
    row.refresh_from_db()
    assert row.state == "delivered" and row.delivered_at >= row.sent_at


def test_posted_again_it_changes_nothing(client, row):
    for _ in range(3):
        answer = post(client, [{"key": row.key, "status": "delivered"}])
        assert answer.status_code == 200
    at = Delivery.objects.get().delivered_at
    post(client, {"receipts": [{"key": row.key, "status": "delivered"}]})
    assert Delivery.objects.get().delivered_at == at
    assert (tally("taken"), tally("repeated")) == (1, 3)


def test_without_the_token_nothing_is_taken_and_it_is_counted(client, row):
    for token in ("", "wrong", f"{gateways.token()}x"):
        assert post(client, {"key": row.key, "status": "read"}, token=token).status_code == 401
    row.refresh_from_db()
    assert (row.state, tally("forged")) == ("sent", 3)


def test_a_receipt_of_another_channel_is_unknown(client, row):
    assert post(client, {"key": row.key, "status": "read"}, channel="voice").json()["unknown"] == 1
    assert post(client, {"key": row.key, "status": "read"}, channel="pigeon").status_code == 404


def test_a_receipt_faster_than_the_gateway_s_own_answer_is_not_taken_back(live, client):
    from concurrent.futures import wait

    message = make.message(live, make.user(), channels=["sms"])
    outlet.OUTLET._launch(live, 1)
    wait(list(outlet.OUTLET._flights), timeout=2)
    row = message.deliveries.get()
    post(client, {"key": row.key, "status": "delivered"})
    services.pump(live)
    row.refresh_from_db()
    assert (row.state, row.gateway_ref, row.next_at) == ("delivered", "g1", None)


def test_what_was_read_is_not_undone_by_a_late_failure(client, row):
    post(
        client,
        [
            {"key": row.key, "status": "read"},
            {"key": row.key, "status": "failed"},
            {"key": row.key, "status": "delivered"},
        ],
    )
    row.refresh_from_db()
    assert row.state == "read"


def test_what_failed_and_then_arrived_has_arrived(client, row):
    post(client, [{"key": row.key, "status": "absent", "reason": "power\n off"}])
    row.refresh_from_db()
    assert (row.state, row.reason, row.why) == ("failed", "absent: power off", "关机或不在服务区 (power off)")
    post(client, [{"key": row.key, "status": "delivered"}])
    row.refresh_from_db()
    assert (row.state, row.reason, row.failed_at) == ("delivered", "", None)


def test_a_drill_has_no_gateway_so_nobody_can_report_for_it(client, live):
    for message in (
        make.message(live, make.user(), channels=["sms"], drill=True),
        make.message(make.exercise(), make.user(organisation=make.organisation()), channels=["sms"]),
    ):
        key = message.deliveries.get().key
        assert post(client, {"key": key, "status": "delivered"}).json()["unknown"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[" * 100_000, 400),
        ("7", 400),
        (b"\xff\xfe", 400),
        ("x" * 2_000_001, 413),
        (json.dumps([{"key": "k", "status": "read"}] * 5001), 400),
    ],
)
def test_what_is_no_receipt_is_refused_and_counted(client, db, body, status):
    answer = post(client, body)
    assert (answer.status_code, tally("malformed")) == (status, 1)
    assert answer.json()["detail"]


def test_a_bad_receipt_is_named_and_the_good_ones_are_taken(client, row):
    answer = post(
        client,
        [
            {"key": row.key, "status": "teleported"},
            7,
            {"status": "read"},
            {"key": row.key, "status": "read"},
            {"key": row.key, "status": "read", "reason": 3},
        ],
    )
    assert answer.status_code == 200 and answer.json()["taken"] == 1
    assert [(each["receipt"], each["field"]) for each in answer.json()["invalid"]] == [
        (0, "status"),
        (1, ""),
        (2, "key"),
        (4, "reason"),
    ]


def test_only_posting_is_possible(client, db):
    assert client.get(reverse("delivery:receipts", args=["sms"])).status_code == 405


RANK = {"queued": 0, "sent": 1, "delivered": 2, "read": 3, "answered": 4}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statuses=st.lists(st.sampled_from(sorted(receipts.STATUSES)), max_size=8))
def test_in_whatever_order_they_come_the_furthest_state_is_kept_and_times_are_set_once(row, statuses):
    Delivery.objects.filter(pk=row.pk).update(
        state="sent", reason="", delivered_at=None, read_at=None, answered_at=None, failed_at=None
    )
    seen = []
    for status in statuses:
        receipts.take("sms", [{"key": row.key, "status": status}])
        now = Delivery.objects.get(pk=row.pk)
        seen.append((now.state, now.delivered_at, now.read_at))
    reached = [receipts.STATUSES[s][0] for s in statuses if receipts.STATUSES[s][0] in RANK]
    final = Delivery.objects.get(pk=row.pk)
    if reached:
        assert final.state == max(reached, key=RANK.__getitem__)
        assert final.failed_at is None
    elif statuses:
        assert final.state == "failed"
    for column in (1, 2):
        times = [each[column] for each in seen if each[column] is not None]
        assert len(set(times)) <= 1
