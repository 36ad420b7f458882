"""Lists of people at risk, waves, several confirmations, doors, cell broadcast (issue 3, "Target", "Deliver", "Answer 叫应")."""

from __future__ import annotations

from datetime import timedelta

import pytest
import shapely
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haitang.accounts.models import OrganisationKind
from haitang.accounts.roles import Role
from haitang.alerting import dissemination, reach_map, rulebook, services
from haitang.alerting.models import Audience, Policy
from haitang.alerting.recipient_lists import Exposed, RecipientList
from haitang.alerting.tests import factories as make
from haitang.delivery import cell_broadcast, outlet
from haitang.delivery import services as delivery
from haitang.delivery.channel import CHANNELS
from haitang.delivery.models import Delivery, Message
from haitang.obligations import services as obligations
from haitang.spaces.models import Space

pytestmark = pytest.mark.django_db


def basements(house, **fields):
    found = RecipientList.objects.create(
        code="basement", name_zh="地下空间人员", name_en="People in basements", **fields
    )
    for number, (lon, lat) in enumerate([(121.7, 31.2), (121.8, 31.3), (121.35, 31.2)]):
        Exposed.objects.create(
            code=f"B{number}", list=found, name_zh=f"住户{number}", place=house.east, phone=f"1370000000{number}",
            geometry=shapely.Point(lon, lat),
        )  # fmt: skip
    Exposed.objects.create(code="B9", list=found, name_zh="无坐标", place=house.east, email="b9@example.org")
    return found


def reach(**row):
    policy = Policy.objects.get()
    policy.reach = rulebook.reach_of(row)
    policy.save()


class TestLists:
    def test_the_members_inside_the_area_are_told_each_once(self, house):
        basements(house)
        warning = make.published(house, Space.live())
        sent = Message.objects.get(key__endswith=":list:basement:sms")
        assert sorted(sent.deliveries.values_list("address", flat=True)) == ["13700000000", "13700000001"]
        assert Message.objects.get(key__endswith=":list:basement:email").deliveries.get().address == "b9@example.org"
        assert sent.expires_at == warning.expires

    def test_only_for_its_hazards_and_from_its_colour_on(self, house):
        basements(house, hazards="surge flood")
        make.published(house, Space.live())
        RecipientList.objects.update(hazards="surge typhoon", least="red")
        make.published(house, Space.live())
        assert not Message.objects.filter(key__contains=":list:").exists()

    def test_nobody_of_the_public_in_an_exercise_or_a_test_but_those_with_a_duty(self, house):
        basements(house)
        RecipientList.objects.create(code="chem", name_zh="危化企业", is_public=False)
        Exposed.objects.create(code="C1", list_id=RecipientList.objects.get(code="chem").pk, name_zh="厂", place=house.east,
                               phone="021-5", owner=house.bodies["east"])  # fmt: skip
        space = make.exercise()
        make.published(house, space)
        keys = list(Message.objects.filter(space=space, key__contains=":list:").values_list("key", flat=True))
        assert [key.rpartition(":list:")[2] for key in keys] == ["chem:sms"]

    def test_the_preview_counts_what_will_be_sent(self, house):
        basements(house)
        reach(wave_minutes=3)
        warning = make.draft(house, Space.live())
        rows = {row.audience: row for row in dissemination.audience_preview(warning)}
        found = rows["People in basements" if "People in basements" in rows else "地下空间人员"]
        assert (found.wave, found.people, found.channels, found.after_min) == (1, 3, {"sms": 2, "email": 1}, 3.0)


class TestWaves:
    def test_the_second_waits_and_goes_when_the_first_is_out(self, house):
        reach(wave_minutes=5)
        basements(house)
        space = Space.live()
        make.published(house, space)
        later = Message.objects.get(key__endswith=":list:basement:sms")
        assert later.not_before - later.created_at <= timedelta(minutes=5)
        assert dissemination.release_waves(space) == 0  # the departments' letters still wait
        Delivery.objects.filter(message__data__wave=0).update(state="sent", next_at=None)
        assert dissemination.release_waves(space) == 2
        assert not Delivery.objects.filter(message=later, next_at__gt=timezone.now()).exists()

    def test_what_has_ended_is_not_sent_in_a_later_wave(self, house):
        reach(wave_minutes=5)
        basements(house)
        warning = make.published(house, Space.live())
        make.follow(house, services.cancel(warning, by=house.duty))
        Message.objects.filter(key__endswith=":list:basement:sms").update(not_before=timezone.now())
        outlet.OUTLET.rest()
        waiting = Message.objects.get(key__endswith=":list:basement:sms")
        assert waiting.expires_at <= timezone.now()


class TestAnswers:
    def test_as_many_confirm_as_the_policy_wants_for_the_colour(self, house):
        reach(confirmations={"orange": 2})
        space = make.exercise()
        warning = make.published(house, space)
        one = obligations.for_subject(warning).get(kind=dissemination.ANSWER)
        obligations.complete(one, by=house.people["east"])
        assert one.is_open
        obligations.complete(one, by=house.people["east2"])
        assert not one.is_open

    def test_at_the_end_of_the_ladder_each_village_gets_a_task_and_the_map_shows_it(self, house, client, settings):
        settings.DEMO = True
        village = make.place("990001001", "一村", house.east)
        body = make.body("V1", "一村村委", village, OrganisationKind.VILLAGE, house.bodies["east"])
        worker = make.person("worker", Role.GRID, body)
        Policy.objects.update(
            ladder=[*make.LADDER, {"after_s": 300, "from": "due", "to": "workers", "channels": ["inapp"]}]
        )
        space = make.exercise()
        warning = make.published(house, space)
        make.pass_time(space, 25)
        knock = obligations.for_subject(warning).get(kind=dissemination.KNOCK)
        assert (knock.owner, knock.place) == (body, village)
        spots = {spot.place.code: spot.standing for spot in reach_map.spots(warning, house.duty)}
        assert spots == {"990001": "overdue", "990001001": "waiting"}
        obligations.complete(knock, by=worker, note="28 户全部告知")
        assert {s.place.code: s.standing for s in reach_map.spots(warning, house.duty)}["990001001"] == "answered"
        house.duty.is_demo = True
        house.duty.save()
        client.force_login(house.duty)
        session = client.session
        session["space"] = space.pk
        session.save()
        page = client.get(reverse("alerting:reach", args=[warning.pk]))
        assert page.status_code == 200 and "28 户全部告知" in page.content.decode()
        told = client.get(reverse("alerting:reach_map", args=[warning.pk])).json()
        assert [f["properties"]["standing"] for f in told["features"]] == ["overdue"]
        make.follow(house, services.cancel(warning, by=house.duty))
        assert not obligations.for_subject(warning).filter(state="issued").exists()

    def test_who_cannot_answer_is_shown(self, house):
        space = make.exercise()
        warning = make.published(house, space)
        obligations.run_due(space)
        one = obligations.for_subject(warning).get(kind=dissemination.ANSWER)
        obligations.decline(one, by=house.people["east"], reason="在外地")
        assert [spot.standing for spot in reach_map.spots(warning, house.duty)] == ["declined"]


class TestBroadcast:
    def test_only_where_the_policy_wants_it_and_one_for_the_area(self, house):
        make.published(house, Space.live())
        assert not Delivery.objects.filter(channel="cellbroadcast").exists()
        reach(cell_colours=["orange", "red"])
        warning = make.published(house, Space.live())
        row = Delivery.objects.get(channel="cellbroadcast")
        asked = row.message.data["broadcast"]
        cell_broadcast.check_area(asked["polygons"])
        assert asked["identifier"] == 4378 and asked["code"] == warning.pk % 1024

    def test_an_update_has_the_next_number_and_an_end_stops_the_last(self, house):
        reach(cell_colours=["orange", "red"])
        warning = make.published(house, Space.live())
        update = make.follow(house, services.update(warning, by=house.duty))
        make.follow(house, services.cancel(update, by=house.duty))
        asked = [m.data["broadcast"] for m in Message.objects.filter(key__endswith=":cell").order_by("pk")]
        assert [a.get("update") for a in asked] == [0, 1, None]
        assert asked[2]["stop"]["serial"] == cell_broadcast.serial_number(asked[0]["code"], 1)


@pytest.mark.parametrize(
    "row",
    [{"confirmations": {"red": 0}}, {"confirmations": {"pink": 2}}, {"wave_minutes": -1}, {"cell_colours": ["blue"]},
     {"cell_colours": "red"}, {"anything": 1}, {"confirmations": {"red": True}}],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused(row):
    with pytest.raises(rulebook.RuleError):
        rulebook.reach_of(row)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["Exercise", "Test", "System"]), st.booleans(), st.sets(st.sampled_from(list(Audience.values)), min_size=1),
    st.lists(st.sampled_from(["pump", "resend", "release", "cancel", "update"]), max_size=5),
)  # fmt: skip
def test_exercise_test_and_system_never_leave_on_a_public_channel_on_any_path(
    house, status, in_exercise, audiences, steps
):
    """Status by audience by path: first sending, waves, re-send, update, cancel (issue 3, "Properties that must hold")."""
    from haitang.accounts.verbs import Refused

    sid = transaction.savepoint()
    try:
        reach(wave_minutes=1, cell_colours=["red", "orange"])
        if not RecipientList.objects.exists():
            basements(house)
        space = make.exercise() if in_exercise else Space.live()
        try:
            warning = make.published(house, space, status=status, audiences=sorted(audiences), note="演练说明")
        except Refused:
            return  # it may not even be composed with a public audience
        for step in steps:
            if step == "release":
                dissemination.release_waves(space)
            elif step in {"cancel", "update"} and warning.is_in_force:
                warning = make.follow(house, getattr(services, step)(warning, by=house.duty))
            elif step == "resend":
                for message in Message.objects.filter(space=space, deliveries__state="failed").distinct():
                    try:
                        delivery.resend(message, by=house.duty)
                    except Refused:
                        continue
            elif step == "pump":
                delivery.pump(space, patience_s=0)
        public = [name for name, channel in CHANNELS.items() if channel.public]
        rows = Delivery.objects.filter(space=space).exclude(state="blocked")
        assert not rows.filter(channel__in=public).exists()
        assert not rows.filter(user=None, organisation=None).exists()
        assert not rows.exclude(channel="inapp").filter(message__is_drill=False).exists()
    finally:
        transaction.savepoint_rollback(sid)
        outlet.OUTLET.rest()
