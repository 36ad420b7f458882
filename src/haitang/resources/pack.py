"""What a data pack says about shelters, rescue teams and supplies.

Three CSV files in UTF-8, each optional; the first line names the columns, in any order. A column that is marked * must
stand in the file and be filled; the others may be left out or empty. `place` is the code of a place of the pack (most
exact one known: village, else township, else the district), `owner` the code of an organisation. `lon` and `lat` are
WGS-84 degrees, both or neither. Flags are 1 or 0, dates are like 2026-05-31. `source` says where the row comes from;
`is_demo` is 1 for a row that is made up, and the screen says so.

shelters.csv 应急避难场所
    code*         unique in the district, stays for ever: CM-SH-001
    name_zh*      name_en
    kind*         school | sports | community | office | hotel | park | dedicated | other
    setting       indoor (default) | outdoor
    term          emergency (up to a day) | short (up to 14 days, default) | long (15 days and more)
    place*        owner*
    address       address_en
    area_m2       usable area, square metres
    capacity*     people
    manager       name of the person in charge (personal)
    phone         his telephone (personal)
    note          lon   lat   source   is_demo

teams.csv 应急救援队伍
    code*         CM-TM-001
    name_zh*      name_en
    kind*         fire | professional | grassroots | military | social | regional | expert
    skills        any of: flood fire collapse hazmat medical water power telecom traffic forest mountain; divided by |
    place*        owner*
    address       where it is stationed
    members*      people
    vehicles      boats   pumps        numbers
    commander     name (personal)
    phone         telephone of the commander (personal)
    note          lon   lat   source   is_demo

supplies.csv 应急物资: one row for each kind of thing at one store
    code*         CM-SP-0001
    name_zh*      name_en
    kind*         food | clothing | medical | tent | rescue | flood | fire | power | telecom | light | protection |
                  transport | material | machine | other
    gb_code       code of GB/T 38565-2020, 1 to 7 digits by its levels (1, 1xx, 1xxxx, 1xxxxxx), if known
    place*        owner*
    store         name of the store or its keeper
    address       of the store
    unit*         the unit in Chinese as on the stock card: 顶, 条, 台, 箱, 件
    stock*        how much there is, a number
    minimum       how much there should be at least
    expires_on    date after which the oldest lot is no longer good
    manager       name of the keeper (personal)
    phone         his telephone (personal)
    note          lon   lat   source   is_demo
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import override
from shapely import Point

from haitang.accounts.actors import Actor
from haitang.accounts.models import Organisation
from haitang.geo.models import Place
from haitang.packs import Pack, Row, section
from haitang.registry import services
from haitang.registry.declare import Register
from haitang.resources.registers import SHELTERS, SUPPLIES, TEAMS

_AFTER = ("geo.places", "accounts.organisations")
_TEXTS = ("name_en", "address", "manager", "phone", "note", "source")


@section("resources.shelters", after=_AFTER)
def shelters(pack: Pack, by: Actor) -> int:
    """Shelters from shelters.csv."""

    def fields(row: Row) -> dict[str, Any]:
        return {
            "kind": row.needed("kind"), "setting": row.get("setting") or "indoor", "term": row.get("term") or "short",
            "address_en": row.get("address_en", ""), "area_m2": _number(row, "area_m2"), "capacity": _whole(row, "capacity"),
        }  # fmt: skip

    return _load(SHELTERS, pack, "shelters.csv", fields, by)


@section("resources.teams", after=_AFTER)
def teams(pack: Pack, by: Actor) -> int:
    """Rescue teams from teams.csv."""

    def fields(row: Row) -> dict[str, Any]:
        numbers = {name: _number(row, name) or 0 for name in ("vehicles", "boats", "pumps")}
        skills = row.words("skills") if "skills" in row else []
        return {
            "kind": row.needed("kind"),
            "skills": skills,
            "members": _whole(row, "members"),
            "commander": row.get("commander", ""),
            **numbers,
        }

    return _load(TEAMS, pack, "teams.csv", fields, by)


@section("resources.supplies", after=_AFTER)
def supplies(pack: Pack, by: Actor) -> int:
    """Supplies from supplies.csv."""

    def fields(row: Row) -> dict[str, Any]:
        return {
            "kind": row.needed("kind"), "gb_code": row.get("gb_code", ""), "store": row.get("store", ""), "unit": row.needed("unit"),
            "stock": _quantity(row, "stock"), "minimum": _quantity(row, "minimum") if row.get("minimum") else Decimal(0),
            "expires_on": row.date("expires_on") if "expires_on" in row else None,
        }  # fmt: skip

    return _load(SUPPLIES, pack, "supplies.csv", fields, by)


def _load(register: Register, pack: Pack, file: str, fields: Any, by: Actor) -> int:
    """Put the rows of one file on record: new ones, and known ones that changed."""
    lines = list(pack.rows(file))
    model: Any = register.model
    known = {row.code: row for row in model.objects.filter(code__in=[line["code"] for line in lines])}
    places = {place.code: place for place in Place.objects.filter(code__in={line["place"] for line in lines})}
    owners = {body.code: body for body in Organisation.objects.filter(code__in={line["owner"] for line in lines})}
    columns = {field.name for field in model._meta.concrete_fields}
    rows = []
    for line in lines:
        row = known.get(line.needed("code")) or model(code=line["code"])
        values: dict[str, Any] = {name: line.get(name, "") for name in _TEXTS if name in columns}
        values |= {
            "name_zh": line.needed("name_zh"),
            "place": _pointed(line, "place", places),
            "owner": _pointed(line, "owner", owners),
        }
        values |= {"geometry": _point(line), "is_demo": "is_demo" in line and line.flag("is_demo"), **fields(line)}
        for name, value in values.items():
            setattr(row, name, value)
        _checked(line, row)
        rows.append(row)
    services.put(register, rows, by=by, checked=True)
    return len(rows)


def _checked(line: Row, row: Any) -> None:
    """Refuse a row that the model does not take, by its first wrong cell."""
    try:
        with override("en"):
            row.full_clean()
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise line.error(name, " ".join(messages), "See the columns in resources/pack.py") from error


def _pointed(line: Row, name: str, known: dict[str, Any]) -> Any:
    found = known.get(line.needed(name))
    if found is None:
        raise line.error(name, "the pack brings nothing with this code", "Add it to the file before, or mend the code")
    return found


def _point(line: Row) -> Point | None:
    lon, lat = (line.number(name) if name in line else None for name in ("lon", "lat"))
    if (lon is None) != (lat is None):
        raise line.error("lat" if lat is None else "lon", "longitude and latitude belong together")
    return None if lon is None or lat is None else Point(lon, lat)


def _number(line: Row, name: str) -> int | None:
    return line.integer(name) if name in line else None


def _whole(line: Row, name: str) -> int:
    line.needed(name)
    return line.integer(name) or 0


def _quantity(line: Row, name: str) -> Decimal:
    try:
        return Decimal(line.needed(name))
    except InvalidOperation:
        raise line.error(name, "is not a number", "Write digits with a point, without units") from None
