"""Duty rosters in a data pack: `duty.toml`, read by the section `duty.rosters` (demonstration only, for it names people).

    [[roster]]                           # one for each organisation that keeps a duty room
    code = "CM-DUTY"                     # stays the same
    organisation = "CM-EMC"              # code of the organisation
    name_zh = "区应急指挥中心值班表"
    name_en = "Command centre duty roster"     # may be left out, as every *_en
    changes = ["08:00"]                  # hand-over times, local; ["08:00", "20:00"] makes two shifts a day
    first_day = 2024-01-01               # the day on which the first person of every post takes the first shift
    source = "made up for the demonstration"

    [[roster.post]]                      # follows the roster it belongs to; in order of rank
    name_zh = "带班领导"
    name_en = "Shift leader"
    leader = true                        # exactly one post of a roster leads: it hands over and accepts
    people = ["duty1", "duty2"]          # user names of the pack's people, who take one shift each in turn

    [[roster.post]]
    name_zh = "值班员"
    name_en = "Duty officer"
    people = ["officer1", "officer2", "officer3"]

Shifts are planned from the present day on, and on and on as time passes; what people swapped stays swapped.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation, User
from haitang.duty import services
from haitang.packs import Pack, PackError, section

FILE = "duty.toml"


@section("duty.rosters", after=("accounts.organisations", "accounts.people"), demo=True)
def rosters(pack: Pack, by: Actor) -> int:
    """Duty rosters."""
    found = pack.toml(FILE).get("roster", [])
    for number, given in enumerate(found, start=1):
        where = f"roster[{number}]"
        code = str(_needed(given, "code", where))
        body = _known(
            Organisation.objects.filter(code=_needed(given, "organisation", where)).first(),
            given,
            "organisation",
            where,
        )
        posts = [_post(post, f"{where}.post[{rank}]") for rank, post in enumerate(given.get("post", []), start=1)]
        try:
            services.register(
                code=code, organisation=body, name_zh=_needed(given, "name_zh", where), name_en=given.get("name_en", ""),
                changes=_needed(given, "changes", where), first_day=_needed(given, "first_day", where), posts=posts,
                source=given.get("source", ""), is_demo=True, by=by,
            )  # fmt: skip
        except ValidationError as error:
            field, faults = next(iter(error.message_dict.items()))
            raise PackError(FILE, " ".join(faults), field=f"{where}.{field}", value=given.get(field)) from error
    return len(found)


def _post(given: dict[str, Any], where: str) -> dict[str, Any]:
    people = []
    for name in _needed(given, "people", where):
        person = User.objects.filter(username=name).first()
        if person is None:
            raise PackError(FILE, "nobody has this user name", "Add the person to people.csv or people.toml", field=f"{where}.people", value=name)  # fmt: skip
        people.append(person)
    return {"name_zh": _needed(given, "name_zh", where), "name_en": given.get("name_en", ""), "leads": bool(given.get("leader")), "people": people}  # fmt: skip


def _needed(given: dict[str, Any], name: str, where: str) -> Any:
    if not given.get(name):
        raise PackError(FILE, "a value is needed here", field=f"{where}.{name}")
    return given[name]


def _known(found: Organisation | None, given: dict[str, Any], name: str, where: str) -> Organisation:
    if found is None:
        raise PackError(FILE, "no organisation has this code", "Write a code of organisations.csv", field=f"{where}.{name}", value=given[name])  # fmt: skip
    return found
