"""The machine interface of every register, under /api/v1/registry/<register>: list, read, create, change, delete.

The routes and their types are made from the declarations. Reading needs the right "read", writing "registers:write";
what a token's user may not see or reach, the token may not either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from haitang.accounts.models import ApiToken
from haitang.accounts.services import log_read
from haitang.accounts.verbs import Forbidden, require
from haitang.registry import services
from haitang.registry.declare import REGISTERS, Register
from haitang.registry.exporting import as_plain
from haitang.registry.forms import as_data, form_class, may_call
from haitang.registry.listing import COUNT_MOST, Listing, look_of, space_of
from haitang.registry.values import is_flag, is_shape, mask, plain, read
from haitang.registry.words import WordsField

READ, WRITE = "read", "registers:write"
PAGE_MOST = 200
_INT32 = 2_147_483_647

router = Router()


class RegistryError(Schema):
    """Why a request was not served."""

    error: str
    detail: Any


class GeoJsonGeometry(Schema):
    """A GeoJSON geometry in WGS-84 degrees."""

    type: Literal["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]
    coordinates: list[Any]


class RegisterOut(Schema):
    """One register that is open to the asker."""

    slug: str
    title: str
    key: str
    fields: list[str]
    may_write: bool


_ERRORS = {403: RegistryError, 404: RegistryError, 409: RegistryError, 422: RegistryError}


@router.get("/", response=list[RegisterOut], summary="Registers", operation_id="registry_registers")
def registers(request: HttpRequest) -> list[dict[str, Any]]:
    """The registers that are open to the asker, with their fields."""
    _right(request, READ)
    role = getattr(request.user, "role", None)
    return [
        {
            "slug": each.slug,
            "title": each.title,
            "key": each.key,
            "fields": list(each.form),
            "may_write": role in each.editors,
        }
        for each in sorted(REGISTERS.values(), key=lambda each: each.slug)
        if role in each.readers
    ]


def _right(request: HttpRequest, right: str) -> None:
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and right not in token.rights:
        raise Forbidden(f"This access token lacks the right {right!r}; ask an administrator for one that has it")


# -- types ------------------------------------------------------------------------------------------------------


def _out_type(field: Any) -> Any:
    if is_shape(field):
        return GeoJsonGeometry | None
    if isinstance(field, WordsField):
        return list[str]
    if is_flag(field):
        return bool | None if field.null else bool
    kind: Any = str
    if isinstance(field, models.ForeignKey):
        kind = str
    elif isinstance(field, models.IntegerField):
        kind = int
    elif isinstance(field, models.FloatField | models.DecimalField):
        kind = float
    elif isinstance(field, models.DateTimeField):
        kind = datetime
    elif isinstance(field, models.DateField):
        kind = date
    return kind | None if field.null else kind


def _in_field(field: Any) -> tuple[Any, Any]:
    """Type and default of one field of a body; what must be given has no default."""
    kind, limits = _in_type(field)
    description = str(field.help_text or field.verbose_name)
    if field.blank or field.null or field.has_default():
        empty: Any = [] if isinstance(field, WordsField) else None
        given = field.get_default() if field.has_default() and not callable(field.default) else empty
        return kind | None, Field(given, description=description, **limits)
    return kind, Field(..., description=description, **limits)


def _one_of(values: Any) -> Any:
    return Literal[tuple(values)]  # type: ignore[valid-type]


def _in_type(field: Any) -> tuple[Any, dict[str, Any]]:
    if is_shape(field):
        return GeoJsonGeometry, {}
    if isinstance(field, WordsField):
        words = tuple(field.words.values) if field.words else ()
        return (list[_one_of(words)] if words else list[str]), {}  # type: ignore[misc]
    if is_flag(field):
        return bool, {}
    if isinstance(field, models.ForeignKey):
        return str, {"max_length": 60}
    if field.choices:
        values = tuple(value for value, _label in field.flatchoices)
        return _one_of((*values, "") if field.blank else values), {}
    if isinstance(field, models.IntegerField):
        low = 0 if "Positive" in field.get_internal_type() else -_INT32
        high = 32_767 if "Small" in field.get_internal_type() else _INT32
        return int, {"ge": low, "le": high}
    if isinstance(field, models.FloatField):
        return float, {"allow_inf_nan": False}
    if isinstance(field, models.DecimalField):
        return float, {"allow_inf_nan": False, "lt": 10 ** (field.max_digits - field.decimal_places)}
    if isinstance(field, models.DateTimeField):
        return datetime, {}
    if isinstance(field, models.DateField):
        return date, {}
    return str, {"max_length": field.max_length} if field.max_length else {}


def _schema(name: str, doc: str, fields: Mapping[str, tuple[Any, Any]]) -> type[Schema]:
    from pydantic import create_model as pydantic_model

    made: type[Schema] = pydantic_model(name, __base__=Schema, __doc__=doc, **fields)  # type: ignore[call-overload]
    return made


# -- routes -----------------------------------------------------------------------------------------------------


class _Routes:
    """The routes of one register."""

    def __init__(self, register: Register) -> None:
        self.register = register
        name = register.model.__name__
        fields = {each: register.field(each) for each in register.form}
        self.out = _schema(f"{name}Out", f"A row of the register {register.slug}.", {
            **{each: (_out_type(field), Field(None)) for each, field in fields.items()},
            **({"archived": (bool, Field(...))} if register.archives else {}),
        })  # fmt: skip
        self.body = _schema(f"{name}In", f"What is filled in for a row of {register.slug}.",
                            {each: _in_field(field) for each, field in fields.items()})  # fmt: skip
        self.part = _schema(f"{name}Change", "The fields that change; the others stay.", {
            each: (_in_type(field)[0] | None, Field(None, **_in_type(field)[1])) for each, field in fields.items()
        })  # fmt: skip
        self.page = _schema(f"{name}Page", "Some of the rows found.", {
            "items": (list[self.out], Field(...)),  # type: ignore[name-defined]
            "count": (int, Field(..., description=f"How many were found, counted up to {COUNT_MOST}")),
            "more": (bool, Field(..., description="Whether there are more than were counted")),
        })  # fmt: skip
        self.asked = _schema(f"{name}Filters", "Search, filters, order.", self._filters())

    def _filters(self) -> dict[str, tuple[Any, Any]]:
        text = (str, Field("", max_length=100))
        found: dict[str, tuple[Any, Any]] = {
            "q": text,
            "sort": (str, Field("", max_length=60, description="A column; - before it turns round")),
        }
        if self.register.archives:
            found["shown"] = (Literal["", "archived", "all"], Field(""))
        for name in self.register.filters:
            field = self.register.field(name)
            if isinstance(field, models.ForeignKey | WordsField) or field.choices or is_flag(field):
                found[name] = text
            else:
                found[f"{name}_from"] = found[f"{name}_to"] = text
        return found

    def mount(self, to: Router) -> None:
        """Put the routes on the router."""
        slug = self.register.slug
        where = f"/{slug}"
        common: dict[str, Any] = {"tags": [f"registry: {slug}"]}
        for method, path, function, answer, what in (
            ("GET", where, self._list(), {200: self.page, **_ERRORS}, "list"),
            ("GET", where + "/{code}", self._read(), {200: self.out, **_ERRORS}, "read"),
            ("POST", where, self._create(), {201: self.out, **_ERRORS}, "create"),
            ("PUT", where + "/{code}", self._replace(), {200: self.out, **_ERRORS}, "replace"),
            ("PATCH", where + "/{code}", self._change(), {200: self.out, **_ERRORS}, "change"),
            ("DELETE", where + "/{code}", self._delete(), {204: None, **_ERRORS}, "delete"),
        ):
            to.add_api_operation(path, [method], function, response=answer, operation_id=f"registry_{slug}_{what}",
                                 summary=f"{what.capitalize()}: {slug}", **common)  # fmt: skip

    # What a request must be before anything is looked up.
    def _open(self, request: HttpRequest, right: str, action: str = "") -> None:
        _right(request, right)
        if getattr(request.user, "role", None) not in self.register.readers:
            raise Forbidden(f"The register {self.register.slug} is not open to you")
        if action:
            require(self.register.verb(action), request.user)

    def _row(self, request: HttpRequest, code: str) -> Any:
        rows = self.register.rows(request.user).defer(None).select_related(*self._joins())
        found = rows.filter(**{self.register.key_path: code}).first() if code.isprintable() else None
        if found is None:
            raise ObjectDoesNotExist
        return found

    def _joins(self) -> list[str]:
        return [name for name in self.register.form if isinstance(self.register.field(name), models.ForeignKey)]

    def _shown(self, row: Any, clear: bool) -> dict[str, Any]:
        shown = as_plain(self.register, row, clear)
        if self.register.geometry is not None:
            name = self.register.geometry.name
            shown[name] = plain(self.register.geometry, getattr(row, name))
        if self.register.archives:
            shown["archived"] = row.archived_at is not None
        return shown

    def _clear(self, request: HttpRequest, wanted: bool, subject: Any, count: int = 1) -> bool:
        clear = wanted and bool(self.register.personal) and may_call(self.register, request.user)
        if clear and count:
            log_read(request.user, subject, purpose=f"api/registry/{self.register.slug}", count=count)
        return clear

    def _list(self) -> Any:
        def rows(
            request: HttpRequest, asked: Any = Query(...), limit: int = Query(50, ge=1, le=PAGE_MOST),  # noqa: B008
            offset: int = Query(0, ge=0, le=COUNT_MOST), personal: bool = False,
        ) -> Any:  # fmt: skip
            """Rows within reach. `personal` shows names and telephones of people, if the role may; it is logged."""
            self._open(request, READ)
            listing = Listing(self.register, look_of(request), {k: str(v) for k, v in asked.dict().items()})
            counted = listing.rows.order_by()[: COUNT_MOST + 1].count()
            found = list(listing.rows.defer(None).select_related(*self._joins())[offset : offset + limit])
            clear = self._clear(request, personal, self.register.model, len(found))
            return {
                "items": [self._shown(row, clear) for row in found],
                "count": min(counted, COUNT_MOST),
                "more": counted > COUNT_MOST,
            }

        rows.__annotations__["asked"] = self.asked
        return rows

    def _read(self) -> Any:
        def row(request: HttpRequest, code: str, personal: bool = False) -> Any:
            """One row by its code."""
            self._open(request, READ)
            found = self._row(request, code)
            return self._shown(found, self._clear(request, personal, found))

        return row

    def _create(self) -> Any:
        def create(request: HttpRequest, body: Any) -> Any:
            """Put a row on record."""
            self._open(request, WRITE, "create")
            made = self._filled(request, body.dict(), None)
            services.put(self.register, [made], by=request.user, space=space_of(request), checked=True)
            return 201, self._shown(made, clear=False)

        create.__annotations__["body"] = self.body
        return create

    def _replace(self) -> Any:
        def replace(request: HttpRequest, code: str, body: Any) -> Any:
            """Set all fields of a row. A personal value that comes back masked stays as it is."""
            self._open(request, WRITE, "edit")
            return self._changed(request, code, body.dict())

        replace.__annotations__["body"] = self.body
        return replace

    def _change(self) -> Any:
        def change(request: HttpRequest, code: str, body: Any) -> Any:
            """Set some fields of a row."""
            self._open(request, WRITE, "edit")
            return self._changed(request, code, body.dict(exclude_unset=True))

        change.__annotations__["body"] = self.part
        return change

    def _delete(self) -> Any:
        def delete(request: HttpRequest, code: str) -> Any:
            """Delete a row that nothing refers to."""
            self._open(request, WRITE, "delete")
            services.delete(self.register, self._row(request, code), by=request.user, space=space_of(request))
            return 204, None

        return delete

    def _changed(self, request: HttpRequest, code: str, values: dict[str, Any]) -> dict[str, Any]:
        stored = self._row(request, code)
        for name in self.register.personal:
            if name in values and str(values[name] or "") == mask(str(read(stored, name) or "")):
                del values[name]
        made = self._filled(request, values, stored) if values else stored
        services.put(self.register, [made], by=request.user, space=space_of(request), checked=True)
        return self._shown(made, clear=False)

    def _filled(self, request: HttpRequest, values: dict[str, Any], stored: Any) -> Any:
        names = None if stored is None else tuple(name for name in self.register.form if name in values)
        form = form_class(self.register, by=request.user, names=names, bulk=True)(
            as_data(self.register, values), instance=stored
        )
        if not form.is_valid():
            raise ValidationError(form.errors.as_data())
        return form.instance


for _register in sorted(REGISTERS.values(), key=lambda each: each.slug):
    _Routes(_register).mount(router)
