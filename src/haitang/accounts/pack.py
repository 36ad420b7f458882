"""Organisations and accounts in a data pack. Sections `accounts.organisations`, `accounts.machines`, `accounts.people`.

A column marked * must stand in the file and be filled, the others may be left out or empty.

`organisations.csv`, the bodies that answer for something:

    code*         stays for ever: CM-WATER, 310151101
    name_zh*      name_en
    kind*         government, command, department, township, village, enterprise, social or platform
    parent        code of the body above it: whom silence is escalated to
    place         code of the place it answers for; a department's is the district
    duties        what it does in an emergency        phone   its duty telephone
    source        confidence                          is_demo 1 for a body that is made up

`pack.toml` may ask for a body for every place of a level, under the body of the place above (code and name as the place):

    [organisations]
    every = ["village"]

`machines.csv`, accounts that only act through access tokens (`haitang token`): username*, organisation*, name_zh*, name_en.

People are made up and come only with a demonstration; a district enters its own on the pages. `people.csv`, by name:

    username*     role* (admin, duty_officer, commander, department, township, grid, enterprise, social)
    organisation* code of the body                    post    what he is there
    rank          1 the responsible person (the default), 2 the deputy ...: the order in which they are called
    name_zh       name_en    phone    made up where empty    email    wecom_id

`people.toml`, by rule; whoever stands in people.csv with the same body and rank is not doubled:

    seed = 7                                  # another seed, other names
    phone = "1990000"                         # telephones count up from here: a range that nobody has
    surnames = [["王", "Wang"], ["李", "Li"]]
    given = [["建国", "Jianguo"], ["秀英", "Xiuying"]]

    [[post]]
    organisations = "township"                # a kind, or a list of codes
    role = "township"
    rank = 1
    post = "镇长"
    username = "{code}-1"                     # {code} is the body's code in small letters
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import Role
from haitang.geo.merging import Merged, merge
from haitang.geo.models import Level, Place
from haitang.journal.services import record
from haitang.packs import Pack, PackError, Row, section
from haitang.spaces.models import Space

ORGANISATIONS, MACHINES, PEOPLE, RULES = "organisations.csv", "machines.csv", "people.csv", "people.toml"
_FIELDS = ("name_zh", "name_en", "kind", "parent_id", "path", "place_id", "duties", "phone", "source", "is_demo")
_KIND_OF_LEVEL = {Level.TOWNSHIP: OrganisationKind.TOWNSHIP, Level.VILLAGE: OrganisationKind.VILLAGE}


# Organisations.


@section("accounts.organisations", after=("geo.places",))
def organisations(pack: Pack, by: Actor) -> int:
    """The tree of bodies."""
    places = {place.code: place for place in Place.objects.select_related("parent")}
    rows: dict[str, tuple[Row | None, Organisation]] = {}
    for row in pack.table(
        ORGANISATIONS, needed=("code", "name_zh", "kind"),
        optional=("name_en", "parent", "place", "duties", "phone", "source", "confidence", "is_demo"),
    ):  # fmt: skip
        body = Organisation(
            code=row.needed("code"),
            name_zh=row.needed("name_zh"),
            kind=row.needed("kind"),
            place=_known(row, "place", places),
            source="; ".join(filter(None, (row["source"], row["confidence"]))),
            is_demo=row.flag("is_demo"),
            **{name: row[name] for name in ("name_en", "duties", "phone")},
        )
        if "/" in body.code:
            raise row.error("code", "a code has no slash")
        if body.code in rows:
            raise row.error("code", "stands twice", "Keep one row")
        row.cleaned(body, exclude=("parent", "place"))
        rows[body.code] = (row, body)
    for body in _of_every_place(pack, places, [body for _row, body in rows.values()]):
        rows.setdefault(body.code, (None, body))
    done = Merged()
    there = list(Organisation.objects.all())
    for batch in _by_depth(rows, {body.code: body for body in there}):
        done += merge(batch, fields=_FIELDS, slowly=("path",), among=there)
    _tell("accounts.load_organisations", done, "机构", "organisations", by)
    return len(rows)


def _of_every_place(pack: Pack, places: Mapping[str, Place], given: list[Organisation]) -> Iterator[Organisation]:
    levels = pack.about.get("organisations", {}).get("every", [])
    for level in levels:
        if level not in _KIND_OF_LEVEL:
            raise PackError("pack.toml", "is not a level that can have a body for every place",
                            f"Use {', '.join(_KIND_OF_LEVEL)}", field="organisations.every", value=level)  # fmt: skip
    # The body that answers for a place as a whole: a township's government, not the enterprises that stand there.
    seat = {body.place_id: body for body in given if body.kind in _KIND_OF_LEVEL.values()}
    seat |= {body.place_id: body for body in reversed(given) if body.kind == OrganisationKind.GOVERNMENT}
    for level in (level for level in _KIND_OF_LEVEL if level in levels):
        for place in places.values():
            if place.level != level or place.pk in seat:
                continue
            body = Organisation(
                code=place.code, name_zh=place.name_zh, name_en=place.name_en, kind=_KIND_OF_LEVEL[level], place=place,
                source=place.source[:200], is_demo=place.is_demo,
            )  # fmt: skip
            body.parent = seat.get(place.parent_id)
            seat[place.pk] = body
            yield body


def _by_depth(
    rows: Mapping[str, tuple[Row | None, Organisation]], there: Mapping[str, Organisation]
) -> Iterator[list[Organisation]]:
    """The bodies level by level, parents first, each with parent and path set."""
    open_ones = dict(rows)
    placed: dict[str, Organisation] = {}
    while open_ones:
        batch = []
        for code, (row, body) in open_ones.items():
            above = row["parent"] if row else (body.parent.code if body.parent else "")
            if above and above not in rows and above not in there:
                assert row is not None
                raise row.error("parent", "no organisation has this code", f"Add it to {ORGANISATIONS}")
            if above in open_ones:
                continue
            body.parent = (placed.get(above) or there[above]) if above else None
            body.path = f"{body.parent.path if body.parent else ''}{code}/"
            batch.append(body)
        if not batch:
            row = next(row for row, _body in open_ones.values() if row)
            raise row.error(
                "parent", "the organisations stand under each other in a circle", "Give one of them another parent"
            )
        for body in batch:
            placed[body.code] = body
            del open_ones[body.code]
        yield batch


# Accounts.


@section("accounts.machines", after=("accounts.organisations",))
def machines(pack: Pack, by: Actor) -> int:
    """Accounts of other platforms and of sensors; they cannot sign in, only act by access token."""
    bodies = {body.code: body for body in Organisation.objects.all()}
    made: dict[str, User] = {}
    for row in pack.table(MACHINES, needed=("username", "organisation", "name_zh"), optional=("name_en",)):
        user = User(username=row.needed("username"), role=Role.MACHINE, organisation=_known(row, "organisation", bodies, needed=True),
                    name_zh=row.needed("name_zh"), name_en=row["name_en"], password=make_password(None))  # fmt: skip
        _add(made, row, user)
    _tell("accounts.load_machines", _merge_users(made), "接口账号", "machine accounts", by)
    return len(made)


@section("accounts.people", after=("accounts.organisations", "accounts.machines"), demo=True)
def people(pack: Pack, by: Actor) -> int:
    """People of a demonstration: the sign-ins by name, everybody else by rule, all with settings.DEMO_PASSWORD."""
    bodies = {body.code: body for body in Organisation.objects.all()}
    names = _Names(pack)
    # One hash for all: hundreds of slow ones would make a demonstration wait for minutes and protect nothing.
    password = make_password(settings.DEMO_PASSWORD)
    made: dict[str, User] = {}
    for row in pack.table(
        PEOPLE, needed=("username", "role", "organisation"),
        optional=("post", "rank", "name_zh", "name_en", "phone", "email", "wecom_id"),
    ):  # fmt: skip
        user = User(
            username=row.needed("username"),
            role=row.needed("role"),
            organisation=_known(row, "organisation", bodies, needed=True),
            rank=row.integer("rank") or 1,
            password=password,
            is_demo=True,
            **{name: row[name] for name in ("post", "name_zh", "name_en", "phone", "email", "wecom_id")},
        )
        names.complete(user)
        _add(made, row, user)
    for user in _by_rule(pack, bodies, made):
        user.password, user.is_demo = password, True
        names.complete(user)
        made[user.username] = user
    _tell("accounts.load_people", _merge_users(made), "演示人员", "demonstration accounts", by)
    return len(made)


class _Names:
    """Made-up names and telephones, the same for the same seed."""

    def __init__(self, pack: Pack) -> None:
        found = pack.toml(RULES)
        self.seed, self.phone = found.get("seed", 1), str(found.get("phone", "1990000"))
        self.numbers = count(1)
        for name in ("surnames", "given"):
            pairs = found.get(name, [["演", "Demo"], ["示", "Person"]])
            if not pairs or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
                raise PackError(RULES, "is not a list of pairs", 'Write [["王", "Wang"], ...]', field=name)
            setattr(self, name, pairs)

    surnames: list[list[str]]
    given: list[list[str]]

    def complete(self, user: User) -> None:
        """Give a name and a telephone to whoever has none."""
        number = next(self.numbers)
        dice = random.Random(f"{self.seed}:{user.username}")
        family, given = dice.choice(self.surnames), dice.choice(self.given)
        if not user.name_zh:
            user.name_zh, user.name_en = family[0] + given[0], f"{given[1]} {family[1]}"
        user.phone = user.phone or f"{self.phone}{number:04d}"


def _by_rule(pack: Pack, bodies: Mapping[str, Organisation], named: Mapping[str, User]) -> Iterator[User]:
    taken = {(user.organisation_id, user.rank) for user in named.values()}
    names = set(named)
    for number, post in enumerate(pack.toml(RULES).get("post", []), start=1):
        where = f"post {number}"
        wanted, role, rank, username = _post(post, where, bodies)
        for body in bodies.values():
            if (body.kind != wanted if isinstance(wanted, str) else body.code not in wanted) or (
                body.pk,
                rank,
            ) in taken:
                continue
            name = username.replace("{code}", body.code.lower())
            if name in names:
                raise _bad(where, "username", name, "stands twice", "Let the name hold {code}")
            names.add(name)
            taken.add((body.pk, rank))
            user = User(username=name, role=role, organisation=body, rank=rank, post=str(post.get("post", "")))
            try:
                user.clean_fields(exclude={"organisation", "password", "name_zh"})
            except ValidationError as error:
                field, texts = next(iter(error.message_dict.items()))
                raise _bad(where, field, getattr(user, field), " ".join(texts)) from error
            yield user


def _post(post: Any, where: str, bodies: Mapping[str, Organisation]) -> tuple[str | list[str], str, int, str]:
    """Whom a rule means, with which role, rank and username."""
    if not isinstance(post, Mapping):
        raise PackError(RULES, "is not a table", "Write it as [[post]]", field=where)
    for name in ("organisations", "role", "username"):
        if not post.get(name):
            raise _bad(where, name, None, "a value is needed here")
    wanted = post["organisations"]
    if isinstance(wanted, str) and wanted not in OrganisationKind.values:
        kinds = ", ".join(OrganisationKind.values)
        raise _bad(where, "organisations", wanted, "is not a kind of organisation", f"Use {kinds}, or a list of codes")
    unknown = [] if isinstance(wanted, str) else [str(code) for code in wanted if code not in bodies]
    if unknown:
        raise _bad(
            where, "organisations", ", ".join(unknown), "no organisation has this code", f"Add it to {ORGANISATIONS}"
        )
    if post["role"] not in Role.values:
        raise _bad(where, "role", post["role"], "is not a role", f"Use {', '.join(Role.values)}")
    rank = post.get("rank", 1)
    if not isinstance(rank, int) or not 1 <= rank <= 99:
        raise _bad(where, "rank", rank, "is not a rank", "Write a number from 1 to 99, without quotes")
    return wanted, str(post["role"]), rank, str(post["username"])


def _bad(where: str, field: str, value: object, rule: str, remedy: str = "") -> PackError:
    return PackError(RULES, rule, remedy, field=f"{where}, {field}", value=value)


def _add(made: dict[str, User], row: Row, user: User) -> None:
    if user.username in made:
        raise row.error("username", "stands twice", "Keep one row")
    row.cleaned(user, exclude=("organisation",))
    made[user.username] = user


def _merge_users(made: Mapping[str, User]) -> Merged:
    """Create or update; telephones and passwords that somebody changed since stay as they are."""
    there = list(User.objects.filter(username__in=list(made)))
    for user in there:
        if user.is_demo != made[user.username].is_demo:
            raise PackError(PEOPLE, "is the name of an account that is not of this pack", "Choose another username",
                            field="username", value=user.username)  # fmt: skip
    fields = ("name_zh", "name_en", "role", "organisation_id", "post", "rank", "is_demo")
    return merge(list(made.values()), key="username", fields=fields, among=there)


def _known(row: Row, name: str, among: Mapping[str, Any], *, needed: bool = False) -> Any:
    code = row.needed(name) if needed else row[name]
    if code and code not in among:
        raise row.error(name, "no such code is known", "Write the code of a place or organisation of this pack")
    return among[code] if code else None


def _tell(verb: str, done: Merged, zh: str, en: str, by: Actor) -> None:
    if done:
        record(
            space=Space.live(), verb=verb, by=by, subject=Space.live(),
            after={"created": len(done.created), "changed": len(done.changed), "codes": [*done.created, *done.changed][:200]},
            text_zh=f"载入{zh}：新增 {len(done.created)}，更改 {len(done.changed)}",
            text_en=f"Loaded {en}: {len(done.created)} new, {len(done.changed)} changed",
        )  # fmt: skip
