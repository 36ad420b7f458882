"""What a register is: the one declaration from which pages, import, export, API, map layer and search are made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_noop

from haitang.accounts.roles import STAFF, Role
from haitang.accounts.scope import Scope
from haitang.accounts.verbs import VERBS, Verb
from haitang.frame import Card, Menu, menu_item
from haitang.geo.catalogue import (
    NAME,
    Extra,
    Finish,
    Group,
    Hit,
    Layer,
    Look,
    Property,
    add_layer,
    hits,
    search_source,
)
from haitang.geo.fields import GeometryField

Text = str | Promise
# Values of a column that is not a field, for the rows of one page at once: one query, not one for each row.
Values = Callable[[Look, Sequence[Any]], Mapping[Any, Any]]
# A card on the page of one row: what the slice has to say about it now.
Panel = Callable[[HttpRequest, Any], Card | None]

KEEPERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.DEPARTMENT, Role.TOWNSHIP})
# Who sees names and telephones of people: those who may have to call them.
CALLERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER, Role.DEPARTMENT, Role.TOWNSHIP})


@dataclass(frozen=True)
class Column:
    """One column of the list: a field, a path across foreign keys, `name` (the two names), or `values` worked out.

    `colours` makes a badge of a choice: its value to red, orange, yellow, blue, green or grey.
    """

    name: str
    label: Text = ""
    align: str = ""
    colours: Mapping[Any, str] = field(default_factory=dict)
    values: Values | None = None


@dataclass(frozen=True, kw_only=True)
class RegisterLayer:
    """How the rows stand on the map. Name, code, link and the mark of demonstration data are there by themselves.

    `live` are verbs, besides the register's own, after which the layer is read again; `extra` gives state at the
    moment looked at, and `timed` says that it does. See `haitang.geo.catalogue.Layer`.
    """

    style: Mapping[str, Any]
    properties: Mapping[str, Property] = field(default_factory=dict)
    group: Group = Group.RESOURCE
    order: int = 100
    extra: Extra | None = None
    finish: Finish | None = None
    legend: Sequence[tuple[str, Text]] = ()
    live: Sequence[str] = ()
    timed: bool = False
    kind: str = "geojson"
    min_zoom: int = 0
    visible: bool = False
    public: bool = False
    note: Text = ""


# Compared and hashed by identity: there is one of each.
@dataclass(frozen=True, kw_only=True, eq=False)
class Register:
    """One register. Only `model`, `slug`, `columns` and `form` are needed.

    Who may do what: `readers` see the list, `editors` create, change, archive and import, `removers` delete; each only
    within his reach. The reach is the model's scope without what is merely public; a model without a scope says it
    here. `personal` names fields about people: shown as 138****5678 except to `personal_to`, whose reading is logged.
    """

    model: type[Model]
    slug: str
    columns: Sequence[Column]
    # Fields that can be filled in; also the columns of import and export and the body of the API.
    form: Sequence[str]
    icon: str = "list-details"
    # Where the register stands in the navigation; None for nowhere.
    menu: Menu | None = Menu.RESOURCES
    order: int = 100
    # One line under the title: what the register is for.
    about: Text = ""
    # The field by which rows are known outside: in addresses, imports and the API. A foreign key means its code.
    key: str = "code"
    filters: Sequence[str] = ()
    search: Sequence[str] = ()
    # Whether the map's search box finds rows, too.
    searched: bool = True
    # The order of the list when nobody asked for another; a column with an index. "-" turns it round.
    sort: str = ""
    # Fields that can be set for many rows at once; by default those of the form that suit.
    bulk: Sequence[str] | None = None
    personal: Sequence[str] = ()
    readers: Collection[str] = STAFF
    editors: Collection[str] = KEEPERS
    removers: Collection[str] = frozenset({Role.ADMIN})
    personal_to: Collection[str] = CALLERS
    reach: Scope | None = None
    layer: RegisterLayer | None = None
    panels: Sequence[Panel] = ()
    # Sets what follows from what was filled in, before the row is checked and saved.
    derive: Callable[[Any], None] | None = None

    @property
    def label(self) -> str:
        """The model's name for the journal, "resources.shelter"."""
        return str(self.model._meta.label_lower)

    @property
    def title(self) -> str:
        """What the register is called: the model's plural."""
        return str(capfirst(str(self.model._meta.verbose_name_plural)))

    @property
    def thing(self) -> str:
        """What one row is called."""
        return str(self.model._meta.verbose_name)

    def verb(self, action: str) -> str:
        """The name of a verb: create, edit, archive, delete or import."""
        return f"registry.{self.label}.{action}"

    @cached_property
    def key_path(self) -> str:
        """The path to the text by which a row is known."""
        return f"{self.key}__code" if isinstance(self.field(self.key), ForeignKey) else self.key

    def key_of(self, row: Any) -> str:
        """The text by which this row is known."""
        value = row
        for part in self.key_path.split("__"):
            value = getattr(value, part)
        return str(value)

    @cached_property
    def sorting(self) -> str:
        """The list's order without a wish."""
        return self.sort or self.key

    @cached_property
    def geometry(self) -> GeometryField | None:
        """The model's geometry field, None if it has none."""
        return next((f for f in self.model._meta.concrete_fields if isinstance(f, GeometryField)), None)

    @cached_property
    def is_point(self) -> bool:
        """Whether rows are points: then longitude and latitude are columns of their own in sheets."""
        return self.geometry is not None and self.geometry.kinds == ("Point",)

    @cached_property
    def archives(self) -> bool:
        """Whether rows can be put away and fetched back."""
        return any(f.name == "archived_at" for f in self.model._meta.concrete_fields)

    @cached_property
    def bulk_fields(self) -> tuple[str, ...]:
        """The fields that can be set for many rows at once."""
        if self.bulk is not None:
            return tuple(self.bulk)
        own = {self.key, "code", "name_zh", "name_en", *self.personal}
        return tuple(
            name
            for name in self.form
            if name not in own
            and not isinstance(self.field(name), GeometryField)
            and not getattr(self.field(name), "unique", False)
        )

    @cached_property
    def joins(self) -> tuple[str, ...]:
        """The foreign keys that the columns show, to be read together with the rows."""
        found: dict[str, None] = {}
        paths = [column.name for column in self.columns if not column.values] + [self.key]
        for path in paths:
            parts = path.split("__")
            for depth in range(1, len(parts) + 1):
                step = "__".join(parts[:depth])
                if isinstance(self.find(step), ForeignKey):
                    found[step] = None
        return tuple(found)

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The columns of the database that a list reads: what is shown, and by what things are known and named."""
        paths = {"pk", self.key_path}
        for column in self.columns:
            if column.values is None and column.name != "name":
                paths.add(column.name)
        for name in ("name_zh", "name_en", "is_demo", "archived_at"):
            if self.find(name) is not None:
                paths.add(name)
        for join in self.joins:
            paths.discard(join)
            names = ("code", "name_zh", "name_en")
            paths.update(f"{join}__{name}" for name in names if self.find(f"{join}__{name}") is not None)
        return tuple(sorted(paths))

    def find(self, path: str) -> Field[Any, Any] | None:
        """The field at a path, None if there is none."""
        model: Any = self.model
        found: Any = None
        for part in path.split("__"):
            try:
                found = model._meta.get_field(part)
            except (FieldDoesNotExist, AttributeError):
                return None
            model = getattr(found, "related_model", None)
        return found if isinstance(found, Field) else None

    def field(self, path: str) -> Field[Any, Any]:
        """The field at a path."""
        found = self.find(path)
        if found is None:
            raise ImproperlyConfigured(
                f"register {self.slug}: {self.model.__name__} has no field {path!r}; mend the name in the declaration"
            )
        return found

    def rows(self, user: Any) -> QuerySet[Any]:
        """The rows that this user sees, without their shapes."""
        rows = self.model._default_manager.visible_to(user)  # type: ignore[attr-defined]
        return rows.defer(self.geometry.name) if self.geometry else rows

    @cached_property
    def reached(self) -> Scope:
        """The scope within which rows can be changed."""
        if self.reach is not None:
            return self.reach
        scope = getattr(self.model, "scope", None)
        if not isinstance(scope, Scope):
            raise ImproperlyConfigured(f"register {self.slug}: {self.model.__name__} has no scope; declare `reach`")
        return replace(scope, public=None, signed_in=False)

    def page_of(self, key: str) -> str:
        """The address of the row with this key; of the list, for a key that no form of this kit let in."""
        return self.url("detail", key) if addressable(key) else self.url()

    def url(self, name: str = "list", *args: Any) -> str:
        """An address of this register."""
        return reverse(f"registry:{name}", args=(self.slug, *args))


def addressable(key: str) -> bool:
    """Whether a key can stand in an address as it is."""
    return bool(key) and key.isprintable() and "/" not in key and key not in (".", "..") and key == key.strip()


REGISTERS: dict[str, Register] = {}

# What each register's verbs do, for the list of who may do what.
ACTIONS = {
    "create": gettext_noop("Put a row on record"),
    "edit": gettext_noop("Change a row"),
    "archive": gettext_noop("Put a row away, or fetch it back"),
    "import": gettext_noop("Take rows in from a file"),
    "delete": gettext_noop("Delete a row that nothing refers to"),
}


def register(declared: Register) -> Register:
    """Declare a register: its verbs, place in the navigation, layer and search come with it."""
    known = REGISTERS.get(declared.slug)
    if known is not None and known.model is not declared.model:
        raise ImproperlyConfigured(f"two registers are called {declared.slug}")
    _check(declared)
    REGISTERS[declared.slug] = declared
    for action, doc in ACTIONS.items():
        roles = declared.removers if action == "delete" else declared.editors
        name = declared.verb(action)
        VERBS[name] = Verb(name, frozenset(roles), doc)
    if declared.menu is not None:
        menu_item("registry:list", args=(declared.slug,), label=declared.model._meta.verbose_name_plural, icon=declared.icon,
                  group=declared.menu, order=declared.order, roles=frozenset(declared.readers))  # fmt: skip
    if declared.layer is not None and known is None:
        add_layer(_layer(declared, declared.layer))
    if declared.search and declared.searched and known is None:
        _search(declared)
    return declared


def find(slug: str) -> Register | None:
    """The register of this name."""
    return REGISTERS.get(slug)


def register_of(model: type[Model]) -> Register | None:
    """The register in which rows of this model stand."""
    return next((each for each in REGISTERS.values() if each.model is model), None)


def _check(declared: Register) -> None:
    """Refuse a declaration that would fail later, at a page."""
    shown = [column.name for column in declared.columns if not column.values and column.name != "name"]
    for path in (*shown, *declared.form, *declared.search, *declared.filters, declared.key, declared.sorting.lstrip("-"),
                 *(declared.bulk or ()), *declared.personal):  # fmt: skip
        if path != "name":
            declared.field(path)
    leaks = set(declared.personal) & {*declared.search, *declared.filters, declared.sorting.lstrip("-")}
    if leaks:
        raise ImproperlyConfigured(
            f"register {declared.slug}: {sorted(leaks)} is personal and would be told by searching, filtering or sorting"
        )
    if declared.key not in declared.form:
        raise ImproperlyConfigured(f"register {declared.slug}: put the key {declared.key!r} into `form`")
    if not getattr(declared.field(declared.key), "unique", False):
        raise ImproperlyConfigured(f"register {declared.slug}: the key {declared.key!r} is not unique")
    assert declared.reached


def _names(declared: Register) -> tuple[str, ...]:
    own = tuple(name for name in ("name_zh", "name_en", "code") if declared.find(name) is not None)
    return own or tuple(declared.search[:1])


def _layer(declared: Register, how: RegisterLayer) -> Layer:
    def rows(look: Look) -> QuerySet[Any]:
        seen = declared.model._default_manager.visible_to(look.user).filter(west__isnull=False)  # type: ignore[attr-defined]
        return seen.filter(archived_at__isnull=True) if declared.archives else seen

    def finish(properties: dict[str, Any]) -> Mapping[str, Any]:
        properties["url"] = declared.page_of(properties["code"])
        if properties.pop("is_demo", False):
            properties["simulated"] = True
        return how.finish(properties) if how.finish else properties

    standard: dict[str, Property] = {"code": declared.key_path}
    if declared.find("name_zh") is not None:
        standard["name"] = NAME
    if declared.find("is_demo") is not None:
        standard["is_demo"] = "is_demo"
    return Layer(
        id=f"{declared.model._meta.app_label}.{declared.slug}",
        label=declared.model._meta.verbose_name_plural or declared.slug,
        rows=rows,
        group=how.group,
        icon=declared.icon,
        order=how.order,
        point=("west", "south") if declared.is_point else None,
        properties={**standard, **how.properties},
        extra=how.extra,
        finish=finish,
        kind=how.kind,
        style=how.style,
        legend=how.legend,
        live=(f"registry.{declared.label}.", *how.live),
        timed=how.timed,
        min_zoom=how.min_zoom,
        visible=how.visible,
        public=how.public,
        roles=None if how.public else frozenset(declared.readers),
        note=how.note,
    )


def _search(declared: Register) -> None:
    names = _names(declared)
    also = tuple(path for path in declared.search if path not in names)

    def make(row: Any) -> Hit:
        has_box = declared.geometry is not None and row.west is not None
        return Hit(
            title=str(row),
            subtitle=declared.key_of(row),
            url=declared.page_of(declared.key_of(row)),
            lon=row.west if has_box and declared.is_point else None,
            lat=row.south if has_box and declared.is_point else None,
            bounds=row.box if has_box and not declared.is_point else None,
        )

    def source(look: Look, text: str, limit: int) -> list[Hit]:
        if getattr(look.user, "role", None) not in declared.readers:
            return []
        rows = declared.rows(look.user).select_related(*(["place"] if declared.key == "place" else []))
        if declared.archives:
            rows = rows.filter(archived_at__isnull=True)
        return hits(rows.order_by(declared.key_path), text, limit, names=names, also=also, make=make)

    search_source(
        f"{declared.model._meta.app_label}.{declared.slug}", label=declared.model._meta.verbose_name_plural,
        order=40 + declared.order // 10, icon=declared.icon,
    )(source)  # fmt: skip
