"""P4: rules on the screen: list, one, form and text with the same content, back-test; each role in its reach."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from haitang.accounts.roles import Role
from haitang.monitoring import rule_forms, rule_text
from haitang.monitoring.models import Rule
from haitang.monitoring.rule_forms import RuleForm
from haitang.monitoring.tests import factories as make
from haitang.spaces.middleware import SESSION_KEY

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(monkeypatch):
    monkeypatch.setattr("haitang.accounts.middleware.is_mfa_enabled", lambda user: True)


@pytest.fixture
def place():
    return make.place()


@pytest.fixture
def client(place):
    return enter(make.user(Role.DUTY_OFFICER, make.organisation(place)))


def enter(user) -> Client:
    client = Client()
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return client


def test_the_list_shows_rules_in_reach_by_state(client, place):
    mine = make.rule(make.series(make.station(place)), name_zh="我的规则")
    make.rule(make.series(make.station(make.place())), name_zh="别处规则")
    make.rule(mine.series, name_zh="草稿规则", is_active=False, is_draft=True)
    page = client.get("/monitoring/rules/").content.decode()
    assert "我的规则" in page and "别处规则" not in page and "草稿规则" not in page
    assert "草稿规则" in client.get("/monitoring/rules/?tab=drafts").content.decode()
    assert "我的规则" in client.get("/monitoring/rules/?q=我的").content.decode()


def test_the_page_of_a_rule_says_it_in_words_and_as_text(client, place):
    rule = make.rule(make.series(make.station(place)), hold_s=600, latch=True)
    page = client.get(rule.get_absolute_url()).content.decode()
    assert "hold = &quot;10 min&quot;" in page and "latch = true" in page and "10 min" in page


def filled(**given) -> dict[str, object]:
    return {"code": "new", "about": "readings", "danger": "above", "compare": "last", "join": "all", **given}


def test_the_form_writes_what_the_text_would(client, place):
    series = make.series(make.station(place))
    answer = client.post(
        reverse("monitoring:rule_new"),
        filled(series=series.code, compare="mean", window="1 h", blue="4.5", hold="10 min"),
    )
    rule = Rule.objects.get(code="new")
    assert answer.url == rule.get_absolute_url() and rule.is_active
    assert (rule.aggregate, rule.window_s, rule.blue, rule.hold_s) == ("mean", 3600, 4.5, 600)
    text = rule_forms.as_text(rule)
    again = RuleForm({key: value for key, value in rule_forms.initial(rule).items() if value is not None})
    assert again.is_valid(), again.errors
    assert again.rule == rule_text.parse(text)[0]


def test_a_compound_is_written_with_the_form(client, place):
    a, b = make.rule(make.series(make.station(place))), make.rule(make.series(make.station(place), quantity="rain"))
    given = filled(
        series=a.series.code, about="rules", span="6 h", c1_rule=a.code, c1_at="yellow", c2_quantity="rain", c2_k="1",
        c2_within="township", c3_rule=b.code, c3_at="red", c3_not="on",
    )  # fmt: skip
    client.post(reverse("monitoring:rule_new"), given)
    rule = Rule.objects.get(code="new")
    assert rule.condition == {
        "span_s": 21_600,
        "node": {
            "all": [
                {"rule": a.code, "at": "yellow"},
                {"quantity": "rain", "k": 1, "within": "township"},
                {"not": {"rule": b.code, "at": "red"}},
            ]
        },
    }
    page = client.get(reverse("monitoring:rule_edit", args=[rule.pk])).content.decode()
    assert 'name="c3_not"' in page and "checked" in page


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"series": "nowhere", "blue": "4"}, "series", "no series in your reach"),
        ({"window": "soon", "compare": "sum", "blue": "4"}, "window", "10 min"),
        ({"blue": "5", "yellow": "4"}, None, "must rise"),
        ({"about": "silence"}, "silence", "is missing"),
        ({"about": "rules"}, "c1_rule", "at least one condition"),
    ],
)
def test_a_mistake_is_shown_at_its_field(client, place, given, field, says):
    series = make.series(make.station(place))
    answer = client.post(reverse("monitoring:rule_new"), filled(**{"series": series.code, **given}))
    errors = answer.context["form"].errors
    assert says in " ".join(str(each) for each in errors[field or "__all__"]), errors
    assert not Rule.objects.exists()


def test_a_rule_is_changed_as_text_and_its_faults_are_named(client, place):
    rule = make.rule(make.series(make.station(place)))
    where = reverse("monitoring:rule_edit", args=[rule.pk]) + "?as=text"
    text = rule_forms.as_text(rule)
    client.post(where, {"text": text + 'lower = "1 h"\n'})
    rule.refresh_from_db()
    assert (rule.lower_s, rule.version) == (3600, 2)
    answer = client.post(where, {"text": text + "bleu = 1\n"})
    assert "bleu" in str(answer.context["form"].errors) and "Known" in str(answer.context["form"].errors)


def test_a_rule_is_tried_and_made_live(client, place):
    space, series = make.exercise(), make.series(make.station(place))
    rule = make.rule(series, is_active=False, is_draft=True)
    make.send(space, series, (0, 4.5), (5, 1.0), (10, 7.5), (15, 1.0))
    session = client.session
    session[SESSION_KEY] = space.pk
    session.save()
    where = reverse("monitoring:rule_backtest", args=[rule.pk])
    assert client.get(where).context["report"] is None
    day = {"start": "2024-09-14", "end": "2024-09-16", "at": "blue"}
    answer = client.get(where, {**day, "events": "2024-09-15 08:10, 2024-09-15 08:20", "reach": "0"})
    report = answer.context["report"]
    assert [each.colour for each in report.episodes] == ["blue", "red"]
    assert (report.score.hits, report.score.false_alarms) == (1, 1)
    wrong = client.get(where, {**day, "events": "yesterday"})
    assert "Line 1" in str(wrong.context["form"].errors)
    client.post(reverse("monitoring:rule_publish", args=[rule.pk]))
    rule.refresh_from_db()
    assert rule.is_active and not rule.is_draft
    client.post(reverse("monitoring:rule_withdraw", args=[rule.pk]))
    rule.refresh_from_db()
    assert not rule.is_active


def test_who_may_not_write_finds_no_door(place):
    rule = make.rule(make.series(make.station(place)))
    township = enter(make.user(Role.TOWNSHIP, make.organisation(place)))
    assert township.get(rule.get_absolute_url()).status_code == 200
    assert township.get(reverse("monitoring:rule_new")).status_code == 403
    assert township.post(reverse("monitoring:rule_withdraw", args=[rule.pk])).status_code == 403
    elsewhere = enter(make.user(Role.DUTY_OFFICER, make.organisation(make.place())))
    for name in ("rule", "rule_edit", "rule_backtest"):
        assert elsewhere.get(reverse(f"monitoring:{name}", args=[rule.pk])).status_code == 404


def test_the_list_costs_as_many_queries_for_many_as_for_few(client, place, django_assert_max_num_queries):
    station = make.station(place)
    for _number in range(30):
        make.rule(make.series(station, code=f"q{_number}"))
    with django_assert_max_num_queries(22):
        client.get("/monitoring/rules/")
