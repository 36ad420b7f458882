"""3.5.2, P1: the duty room plans, notes, hands over with everything that is open, and is checked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from haitang.accounts.actors import SYSTEM
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.duty import services
from haitang.duty.listeners import on_shift
from haitang.duty.models import HandOver, Roster, Shift
from haitang.geo.models import Level, Place
from haitang.journal.models import Entry
from haitang.obligations import recipients
from haitang.obligations import services as obligations
from haitang.obligations.models import Obligation, State
from haitang.spaces.clock import now
from haitang.spaces.models import Space, SpaceKind

pytestmark = pytest.mark.django_db


def person(name: str, role: str, body: Organisation) -> User:
    made: User = User.objects.create_user(
        username=name, email=f"{name}@example.org", name_zh=name, role=role, organisation=body
    )
    return made


@pytest.fixture
def room() -> dict[str, Any]:
    district = Place.objects.create(code="900000", name_zh="试验区", level=Level.DISTRICT)
    town = Place.objects.create(code="900001", name_zh="东港镇", level=Level.TOWNSHIP, parent=district)
    centre = Organisation.objects.create(code="EOC", name_zh="指挥中心", kind=OrganisationKind.COMMAND, place=district)
    hall = Organisation.objects.create(
        code="TOWN", name_zh="东港镇政府", kind=OrganisationKind.TOWNSHIP, place=town, parent=centre
    )
    people = {
        "chief": person("chief", Role.COMMANDER, centre), "officer": person("officer", Role.DUTY_OFFICER, centre),
        "second": person("second", Role.DUTY_OFFICER, centre), "town": person("town", Role.TOWNSHIP, hall),
    }  # fmt: skip
    roster = services.register(
        code="EOC", organisation=centre, name_zh="值班表", changes=["08:00", "20:00"], first_day=date(2024, 1, 1), by=SYSTEM,
        posts=[{"name_zh": "带班", "leads": True, "people": [people["chief"], people["officer"]]},
               {"name_zh": "值班员", "people": [people["officer"], people["second"]]}],
    )  # fmt: skip
    shift = services.current(roster, now(Space.live()))
    assert shift is not None
    return {**people, "roster": roster, "shift": shift, "centre": centre, "hall": hall}


def test_planning_twice_makes_no_shift_twice_and_keeps_what_was_swapped(room):
    seat = room["shift"].seats.get(post__leads=False)
    services.swap(seat, person=room["second"], by=room["chief"], reason="生病")
    number = Shift.objects.count()
    services.plan(room["roster"], now(Space.live()), now(Space.live()) + timedelta(days=2))
    services.plan(room["roster"], now(Space.live()), now(Space.live()) + timedelta(days=2))
    assert Shift.objects.count() <= number + 4
    seat.refresh_from_db()
    assert seat.person == room["second"] and seat.is_swapped


def test_a_hand_over_lists_what_is_open_and_waits_until_it_is_taken_over(room):
    open_task = obligations.issue(
        space=Space.live(), kind="incidents.order", owner=room["hall"], subject=room["hall"], title_zh="转移群众", title_en="Move people",
        by=room["chief"], due_at=now(Space.live()) + timedelta(hours=2),
    )  # fmt: skip
    made = services.hand_over(room["shift"], by=room["officer"], note="注意潮位")
    assert [item["text_zh"] for item in made.items if item["kind"] == "obligation"] == ["转移群众"]
    obligations.complete(open_task, by=room["town"])
    made.refresh_from_db()
    assert [item["text_zh"] for item in made.items if item["kind"] == "obligation"] == ["转移群众"]  # as it was
    duty = Obligation.objects.get(kind="duty.accept")
    leader = made.to.leader
    assert duty.person == leader and made.accepted_at is None
    obligations.complete(duty, by=leader)
    made.refresh_from_db()
    assert made.accepted_by == leader and made.accepted_at is not None
    verbs = set(Entry.objects.filter(subject_type="duty.shift").values_list("verb", flat=True))
    assert {"duty.hand_over", "duty.accept"} <= verbs


def test_a_shift_is_handed_over_once(room):
    services.hand_over(room["shift"], by=room["chief"])
    with pytest.raises(Refused):
        services.hand_over(room["shift"], by=room["chief"])
    assert Obligation.objects.filter(kind="duty.accept", state=State.ISSUED).count() == 1


def test_only_the_people_of_a_duty_room_write_in_its_log(room):
    services.note(room["shift"], text="接报", by=room["officer"])
    with pytest.raises(Forbidden):
        services.note(room["shift"], text="x", by=room["town"])


def test_a_spot_check_is_marked_and_a_silent_room_is_red(room):
    assert services.spot_check(room["shift"], answered_s=20, by=room["chief"]).score == 100
    assert services.spot_check(room["shift"], answered_s=None, by=room["chief"]).score == 0
    assert Entry.objects.filter(verb="duty.check", colour="red").count() == 1


def test_a_roster_has_one_post_that_leads(room):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        services.register(code="X", organisation=room["centre"], name_zh="x", changes=["08:00"], first_day=date(2024, 1, 1),
                          posts=[{"name_zh": "a", "people": [room["chief"]]}], by=SYSTEM)  # fmt: skip


def test_pages_show_and_change_only_what_is_in_reach(room, client, settings):
    settings.DEMO = True
    User.objects.update(is_demo=True)  # demonstration accounts need no second factor
    client.force_login(room["officer"])
    assert client.get("/duty/").status_code == client.get("/duty/plan.csv").status_code == 200
    services.register(
        code="A", organisation=room["hall"], name_zh="镇值班表", changes=["08:00"], first_day=date(2024, 1, 1), by=SYSTEM,
        posts=[{"name_zh": "a", "leads": True, "people": [room["town"]]}],
    )  # fmt: skip
    assert client.get("/duty/").context["chosen"] == room["roster"]
    page = client.get(room["shift"].get_absolute_url())
    assert page.status_code == 200 and "交班" in page.content.decode()
    client.post(f"/duty/{room['shift'].pk}/note/", {"text": "巡查正常"})
    client.post(f"/duty/{room['shift'].pk}/hand-over/", {"note": ""})
    assert HandOver.objects.filter(shift=room["shift"]).count() == 1
    client.force_login(room["town"])
    assert client.get(room["shift"].get_absolute_url()).status_code == 404
    assert client.post(f"/duty/{room['shift'].pk}/note/", {"text": "x"}).status_code == 404


def test_the_desk_says_who_is_on_duty(room, client):
    client.force_login(room["town"])
    assert "值班表" in client.get("/desk/card/duty.current/").content.decode()


def test_shifts_before_the_first_day_do_not_exist(room):
    roster = Roster.objects.get()
    early = datetime(2023, 12, 1, tzinfo=UTC)
    assert services.plan(roster, early, early + timedelta(days=3)) == []


def test_the_duty_room_that_escalations_reach_is_whoever_is_on_shift(room):
    live = Space.live()
    duty = obligations.issue(
        space=live, kind="incidents.order", owner=room["hall"], subject=room["hall"], title_zh="x", title_en="x", by=room["chief"],
        due_at=now(live) + timedelta(hours=2),
    )  # fmt: skip
    seated = [seat.person for seat in room["shift"].seats.order_by("post__rank")]
    assert recipients.on_duty(duty, now(live)) == list(dict.fromkeys(seated))
    assert on_shift(Space(kind=SpaceKind.EXERCISE), now(live)) == []
    Shift.objects.all().delete()
    assert set(recipients.on_duty(duty, now(live))) == {room["officer"], room["second"]}


def test_many_duty_rooms_cost_as_many_queries_as_one(room, client, django_assert_max_num_queries):
    for number in range(12):
        roster = services.register(
            code=f"R{number}", organisation=room["hall"], name_zh="x", changes=["08:00"], first_day=date(2024, 1, 1), by=SYSTEM,
            posts=[{"name_zh": "a", "leads": True, "people": [room["town"]]}],
        )  # fmt: skip
        services.current(roster, now(Space.live()))
    client.force_login(room["town"])
    with django_assert_max_num_queries(30):
        assert client.get("/duty/").status_code == 200
    with django_assert_max_num_queries(12):
        told = client.get("/api/v1/duty/now").json()
    assert {row["roster"] for row in told} == {f"R{number}" for number in range(12)}
    assert told[0]["seats"] == [{"post_zh": "a", "post_en": "", "leads": True, "person": "town"}]
