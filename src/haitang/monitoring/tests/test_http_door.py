"""P4, issue 2 section 6: the HTTP door. Durable before it answers; clear errors; everything refused is counted."""

from __future__ import annotations

import json

import pytest

from haitang.accounts.roles import Role
from haitang.monitoring import api, batch, counts, door, edition, engine, store
from haitang.monitoring.limits import Limiter
from haitang.monitoring.models import Alarm, IngestCount, Intake
from haitang.monitoring.tests import factories as make
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db
URL = "/api/v1/monitoring/readings"


@pytest.fixture
def space():
    return make.exercise()


@pytest.fixture
def post(client, space):
    """Post a body as the space's gateway."""
    _token, header = make.token(space, name="gateway")

    def send(body, headers=None, **more):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(URL, data, content_type="application/json", headers=headers or header, **more)

    return send


def outcomes(space, source="http:gateway"):
    return dict(IngestCount.objects.filter(space=space, source=source).values_list("outcome", "count"))


def test_a_batch_is_stored_judged_and_answered(space, post):
    rule = make.rule()
    answer = post(make.body(rule.series, (0, 3.0), (1, 4.4)))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "refused": {}, "rejections": []})
    assert store.read(space.pk, rule.series_id)[1].tolist() == [3.0, 4.4]
    assert Alarm.objects.get(space=space).colour == "blue"
    assert outcomes(space) == {"accepted": 2}


def test_rows_with_units_in_any_order(space, post):
    rule = make.rule()
    rows = [
        {"series": rule.series.code, "time": "2024-09-15T08:01:00+08:00", "value": 440, "unit": "cm"},
        {"series": rule.series.code, "time": "2024-09-15T00:00:00Z", "value": 3, "unit": "米"},
    ]
    assert post(rows).json()["accepted"] == 2
    assert store.read(space.pk, rule.series_id)[1].tolist() == pytest.approx([3.0, 4.4])


def test_sending_the_same_batch_again_changes_nothing_and_is_counted(space, post):
    rule = make.rule()
    for _ in range(2):
        assert post(make.body(rule.series, (0, 4.4))).status_code == 200
    assert Alarm.objects.count() == 1
    assert outcomes(space) == {"accepted": 1, "duplicate": 1}


def test_bad_rows_are_named_and_the_good_ones_kept(space, post):
    series = make.series()
    rows = [
        {"series": series.code, "time": make.T0_S, "value": 1.0},
        {"series": "NOBODY", "time": make.T0_S, "value": 1.0},
        {"series": series.code, "time": make.T0_S, "value": 1.0, "unit": "hPa"},
        {"series": series.code, "time": make.T0_S, "value": 1e6},
        {"series": series.code, "time": make.T0_S + 3600, "value": 1.0},
        {"series": series.code, "time": "yesterday", "value": 1.0},
    ]
    answer = post(rows)
    told = answer.json()
    assert (answer.status_code, told["accepted"]) == (200, 1)
    reasons = {"unknown_series": 1, "wrong_unit": 1, "absurd_value": 1, "future": 1, "malformed": 1}
    assert told["refused"] == reasons
    assert [(each["row"], each["reason"]) for each in told["rejections"]] == list(enumerate(reasons, start=1))
    assert all(each["field"] and each["rule"] and each["remedy"] for each in told["rejections"])
    assert outcomes(space) == {"accepted": 1, **reasons}


def test_when_nothing_could_be_taken_the_answer_says_so(space, post):
    assert post(make.body("NOBODY", (0, 1.0))).status_code == 422
    assert post({"series": [], "time": [], "value": []}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b'{"series":["X"],"time":[1],"value":[NaN]}', 400, "malformed"),
        (b"\xff\xfe\x00", 400, "malformed"),
        (b'"readings"', 400, "malformed"),
        (b"[" * 5000, 400, "malformed"),
        (json.dumps([0] * (batch.MAX_ROWS + 1)).encode(), 413, "too_many_rows"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole_and_counted(space, post, body, status, code):
    answer = post(body)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert outcomes(space) == {"body_refused": 1}
    assert not Intake.objects.exists()


def test_a_huge_body_is_refused_before_it_is_read(space, post):
    answer = post(b" " * (batch.MAX_BYTES + 1))
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert outcomes(space) == {"body_refused": 1}


def test_a_sender_over_its_rate_is_told_when_to_come_back_and_counted(space, post, monkeypatch):
    monkeypatch.setattr(api, "limiter", Limiter(rate=1, burst=30))
    series = make.series()
    assert post(make.body(series, (0, 1.0))).status_code == 200
    answer = post(make.body(series, *((minute, 1.0) for minute in range(50))))
    assert (answer.status_code, answer.json()["error"]) == (429, "rate_limited")
    assert int(answer["Retry-After"]) > 0
    assert outcomes(space)["rate_limited"] == 1


def test_a_flood_of_refusals_is_counted_with_few_statements(space, django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        for _ in range(100):
            door.count_refusal(space, "http:flood", "rate_limited")
    make.send(space, make.series(), (0, 1.0))
    assert outcomes(space, "http:flood") == {"rate_limited": 100}


def test_without_a_valid_token_nobody_gets_in(client, space, post):
    series = make.series()
    body = make.body(series, (0, 1.0))
    assert client.post(URL, json.dumps(body), content_type="application/json").status_code == 401
    assert post(body, {"Authorization": "Bearer ht_forged"}).status_code == 401
    client.force_login(make.user(Role.DEPARTMENT))
    assert client.post(URL, json.dumps(body), content_type="application/json").status_code == 401
    assert not Intake.objects.exists()


def test_a_token_without_the_right_may_not_write(space, post):
    _token, header = make.token(space, rights=("read",))
    answer = post(make.body(make.series(), (0, 1.0)), header)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_a_token_writes_only_series_of_its_prefix(space, post):
    mine, other = make.series(make.station(code="A1")), make.series(make.station(code="B1"))
    _token, header = make.token(space, prefix="A")
    rows = [{"series": each.code, "time": make.T0_S, "value": 1.0} for each in (mine, other)]
    told = post(rows, header).json()
    assert (told["accepted"], told["refused"]) == (1, {"forbidden": 1})
    assert store.latest(space.pk, [mine.pk, other.pk]).keys() == {mine.pk}


def test_an_exercises_token_cannot_reach_the_live_world(space, post):
    """Issue 2: exercises cannot leak. The token decides the space, whatever the request says."""
    rule = make.rule()
    post(make.body(rule.series, (0, 9.0)), None, QUERY_STRING="space=live")
    assert Alarm.objects.get().space == space
    assert store.latest(Space.live().pk, [rule.series_id]) == {}


def test_a_closed_exercise_takes_nothing_any_more(space, post):
    series = make.series()
    Space.objects.filter(pk=space.pk).update(is_open=False)
    answer = post(make.body(series, (0, 1.0)))
    assert (answer.status_code, answer.json()["error"]) == (409, "refused")


def test_what_cannot_be_judged_now_is_still_safe_and_answered(space, post, monkeypatch):
    rule = make.rule()
    monkeypatch.setattr(engine, "step", lambda *_: 1 / 0)
    assert post(make.body(rule.series, (0, 4.4))).json()["accepted"] == 1
    monkeypatch.undo()
    assert engine.advance(space) == 1
    assert Alarm.objects.count() == 1


def test_a_series_registered_a_moment_ago_is_known_at_the_door(space, post):
    assert post(make.body("NEW", (0, 1.0))).status_code == 422
    make.series(code="NEW")
    assert post(make.body("NEW", (1, 1.0))).json()["accepted"] == 1


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(space, django_assert_max_num_queries):
    """House rule 12: a thousand rows cost as many queries as one."""
    series = make.series()
    edition.network()
    for rows in (1, 1000):
        parcel = door.Parcel(json.dumps(make.body(series, *((-n, 1.0) for n in range(rows)))).encode(), "x")
        with django_assert_max_num_queries(40):
            door.receive(space, parcel)


def test_counts_add_up(space):
    counts.add(space, {("a", "accepted"): 3, ("a", "late"): 0})
    counts.add(space, {("a", "accepted"): 4})
    assert outcomes(space, "a") == {"accepted": 7}
