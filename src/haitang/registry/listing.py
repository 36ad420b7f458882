"""A register's list: filters, search, order and pages from an address, and the rows as HTML in one sweep.

Rows are put together in Python, not by a template: a template costs most of a list's time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from html import escape
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import DateField, Field, ForeignKey, Q, QuerySet
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from haitang.accounts.scope import same_reach
from haitang.geo.catalogue import Look, matching
from haitang.geo.models import Level, Place
from haitang.geo.names import localised
from haitang.registry.declare import Column, Register
from haitang.registry.forms import limited
from haitang.registry.values import cell, cell_maker, field_label, is_flag, is_number, label_of
from haitang.registry.words import WordsField
from haitang.spaces.clock import now
from haitang.spaces.models import Space

PAGE_SIZES = (25, 50, 100)
# Counting and paging stop here: nobody reads page 400, and counting a million rows takes a second.
COUNT_MOST = 10_000
_OPTIONS_MOST = 300
_WORDS_MOST = 100
# A count above this is remembered so long.
_LONG = 1_000
_REMEMBER_S = 60


@dataclass
class Choice:
    """One box of the filter form: what it asks, what can be chosen, what is chosen."""

    name: str
    label: str
    kind: str  # "select", "date" or "number"
    options: list[tuple[str, str]] = field(default_factory=list)
    value: str = ""
    upper: str = ""


class BoundedPaginator(Paginator[Any]):
    """A paginator that counts no further than COUNT_MOST, and remembers a long count for a while.

    A list of thousands does not look different because a row came in half a minute ago, and counting it costs more
    than everything else on the page.
    """

    def __init__(self, rows: Any, size: int, key: str = "") -> None:
        super().__init__(rows, size)
        self._key = key

    @cached_property
    def count(self) -> int:
        """How many rows there are, as far as they are counted. One query."""
        return min(self.seen, COUNT_MOST)

    @cached_property
    def seen(self) -> int:
        """As counted: one more than COUNT_MOST means "more"."""
        known = cache.get(self._key) if self._key else None
        if known is not None:
            return int(known)
        rows: Any = self.object_list
        found = int(rows.order_by()[: COUNT_MOST + 1].count())
        if self._key and found > _LONG:
            cache.set(self._key, found, _REMEMBER_S)
        return found


class Listing:
    """One reader's view of a register. `params` is the address's query; what it does not know it leaves alone."""

    def __init__(self, register: Register, look: Look, params: Mapping[str, str]) -> None:
        self.register, self.look = register, look
        self.params = {name: value.strip()[:200] for name, value in params.items() if value and name != "page"}
        self.words = " ".join("".join(c for c in self.params.get("q", "")[:_WORDS_MOST] if c.isprintable()).split())

    # -- rows -----------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> QuerySet[Any]:
        """All rows found, in order. Costs nothing until it is read."""
        rows = self.register.rows(self.look.user).filter(self._condition())
        if self.words and self.register.search:
            rows = matching(rows, self.words, *self.register.search)
        return rows.select_related(*self.register.joins).only(*self.register.shown).order_by(*self.order)

    @property
    def size(self) -> int:
        """Rows on a page."""
        wanted = self.params.get("per", "")
        return int(wanted) if wanted in {str(each) for each in PAGE_SIZES} else PAGE_SIZES[0]

    def page(self, number: Any) -> Any:
        """One page of the rows."""
        asked = sorted(pair for pair in self.params.items() if pair[0] not in ("sort", "per"))
        told = f"{self.register.slug}|{same_reach(self.look.user)}|{asked}"
        key = f"registry.count.{hashlib.sha256(told.encode()).hexdigest()[:40]}"
        return BoundedPaginator(self.rows, self.size, key).get_page(number)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """What the rows are ordered by; the key decides between equals."""
        wanted = self.params.get("sort", "")
        path = self.sort_paths.get(wanted.lstrip("-"))
        if path is None:
            wanted = self.register.sorting
            path = self.sort_paths.get(wanted.lstrip("-"), wanted.lstrip("-"))
        sign = "-" if wanted.startswith("-") else ""
        return (f"{sign}{path}",) if path == self.register.key_path else (f"{sign}{path}", self.register.key_path)

    @cached_property
    def sort_paths(self) -> dict[str, str]:
        """The columns that can be sorted by, and by which path each is."""
        return _sort_paths(self.register)

    def _condition(self) -> Q:
        found = Q()
        for name in self.register.filters:
            found &= _matching(self.register.field(name), name, self.params)
        if self.register.archives:
            shown = self.params.get("shown", "")
            if shown != "all":
                found &= Q(archived_at__isnull=shown != "archived")
        return found

    # -- filter form ----------------------------------------------------------------------------------------

    @cached_property
    def choices(self) -> list[Choice]:
        """The filter form. One query for each filter that points to another model."""
        found = [self._choice(name) for name in self.register.filters]
        if self.register.archives:
            options = [("", pgettext("register", "In use")), ("archived", _("Archived")), ("all", _("All"))]
            found.append(Choice("shown", _("Shown"), "select", options, self.params.get("shown", "")))
        return found

    def _choice(self, name: str) -> Choice:
        model_field = self.register.field(name)
        label, value = field_label(model_field), self.params.get(name, "")
        everything = [("", label)]
        if isinstance(model_field, ForeignKey):
            return Choice(name, label, "select", everything + self._pointers(model_field), value)
        if isinstance(model_field, WordsField):
            words = [(value, str(shown)) for value, shown in (model_field.words.choices if model_field.words else [])]
            return Choice(name, label, "select", everything + words, value)
        if model_field.choices:
            return Choice(
                name, label, "select", everything + [(str(v), str(t)) for v, t in model_field.flatchoices], value
            )
        if is_flag(model_field):
            options = [*everything, ("1", f"{label}: {_('yes')}"), ("0", f"{label}: {_('no')}")]
            return Choice(name, label, "select", options, value)
        kind = "date" if isinstance(model_field, DateField) else "number"
        return Choice(name, label, kind, [], self.params.get(f"{name}_from", ""), self.params.get(f"{name}_to", ""))

    def _pointers(self, model_field: ForeignKey[Any, Any]) -> list[tuple[str, str]]:
        model = model_field.related_model
        rows = limited(model, self.look.user)
        if model is Place:
            rows = rows.filter(level__in=(Level.DISTRICT, Level.TOWNSHIP))
            return [
                (code, localised(zh, en))
                for code, zh, en in rows.values_list("code", "name_zh", "name_en")[:_OPTIONS_MOST]
            ]
        return [(str(getattr(each, "code", each.pk)), str(each)) for each in rows[:_OPTIONS_MOST]]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the order is asked for."""
        names = {
            "q",
            "shown",
            *self.register.filters,
            *(f"{n}_{end}" for n in self.register.filters for end in ("from", "to")),
        }
        return any(self.params.get(name) for name in names)

    @property
    def query(self) -> str:
        """The query of the address by which this list is found again."""
        return urlencode(self.params)

    def with_sort(self, name: str) -> str:
        """The query that sorts by a column, or turns its order round."""
        now = self.params.get("sort", self.register.sorting)
        return urlencode({**self.params, "sort": f"-{name}" if now == name else name})

    # -- HTML -----------------------------------------------------------------------------------------------

    def boxes(self) -> SafeString:
        """The filter form's boxes."""
        return mark_safe("".join(_box(choice) for choice in self.choices))  # noqa: S308 - made of escaped parts

    def pages(self, page: Any) -> SafeString:
        """What part of the rows is shown, and links to the others."""
        paginator = page.paginator
        if paginator.num_pages <= 1:
            words = ngettext("%(n)s row", "%(n)s rows", paginator.count) % {"n": paginator.count}
            return format_html('<div class="text-secondary small p-2 px-3">{}</div>', words)
        more = "+" if paginator.seen > COUNT_MOST else ""
        words = _("%(a)s–%(b)s of %(n)s") % {
            "a": page.start_index(),
            "b": page.end_index(),
            "n": f"{paginator.count:,}{more}",
        }
        base = escape(urlencode(self.params))
        links = []
        for number in paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1):
            if isinstance(number, int):
                active = " active" if number == page.number else ""
                links.append(
                    f'<li class="page-item{active}"><a class="page-link" href="?{base}&amp;page={number}">{number}</a></li>'
                )
            else:
                links.append('<li class="page-item"><span class="page-link">…</span></li>')
        return format_html(
            '<nav class="d-flex align-items-center flex-wrap gap-2 p-2 px-3" aria-label="{}"><span class="text-secondary small">'
            '{}</span><ul class="pagination m-0 ms-auto">{}</ul></nav>',
            _("Pages"), words, mark_safe("".join(links)),  # noqa: S308 - numbers, and an escaped address
        )  # fmt: skip

    def head(self, *, select: bool) -> SafeString:
        """The head of the table, each sortable column a link."""
        now = self.params.get("sort", self.register.sorting)
        cells = []
        if select:
            cells.append(
                f'<th class="tight"><input class="form-check-input" type="checkbox" data-select-all aria-label="{escape(_("Choose all"))}"></th>'
            )
        for column in self.register.columns:
            label, side = escape(label_of(self.register, column)), _side(self.register, column)
            if column.name in self.sort_paths:
                turned = "descending" if now == f"-{column.name}" else "ascending"
                is_now = now.lstrip("-") == column.name
                mark = (" ↓" if turned == "descending" else " ↑") if is_now else ""
                state = f' aria-sort="{turned}"' if is_now else ""
                label = f'<a class="text-reset" href="?{escape(self.with_sort(column.name))}">{label}{mark}</a>'
                cells.append(f"<th{side}{state}>{label}</th>")
            else:
                cells.append(f"<th{side}>{label}</th>")
        return mark_safe(f"<tr>{''.join(cells)}</tr>")  # noqa: S308 - every part is escaped above

    def body(self, rows: Sequence[Any], *, select: bool) -> SafeString:
        """The rows of a page. One query for each column that is worked out."""
        columns = list(self._cells(rows))
        register = self.register
        has_demo = any(f.name == "is_demo" for f in register.model._meta.concrete_fields)
        demo = f' <span class="mark-simulated">{escape(_("Demonstration data"))}</span>'
        base = register.url("detail", "_code_")
        made = []
        for row in rows:
            key = escape(register.key_of(row))
            href = base.replace("_code_", _quoted(register.key_of(row)))
            cells = (
                [
                    f'<td class="tight no-link"><input class="form-check-input" type="checkbox" name="pick" value="{row.pk}" data-select aria-label="{key}"></td>'
                ]
                if select
                else []
            )
            for number, (label, side, make) in enumerate(columns):
                inner = make(row)
                if number == 0:
                    inner = f'<a href="{href}">{inner}</a>'
                elif number == 1 and has_demo and row.is_demo:
                    inner = f"<span>{inner}{demo}</span>"
                cells.append(f'<td{side} data-label="{label}">{inner}</td>')
            made.append(f'<tr data-href="{href}" data-key="{key}">{"".join(cells)}</tr>')
        return mark_safe("".join(made))  # noqa: S308 - every cell is escaped where it is made

    def _cells(self, rows: Sequence[Any]) -> Iterator[tuple[str, str, Callable[[Any], str]]]:
        for column in self.register.columns:
            label, side = escape(label_of(self.register, column)), _side(self.register, column)
            if column.values is not None:
                yield label, side, _worked_out(column.values(self.look, [row.pk for row in rows]))
            else:
                yield label, side, cell_maker(self.register, column)


def _box(choice: Choice) -> str:
    name, label = escape(choice.name), escape(choice.label)
    if choice.kind == "select":
        options = "".join(
            f'<option value="{escape(value)}"{" selected" if value == choice.value else ""}>{escape(shown)}</option>'
            for value, shown in choice.options
        )
        return (
            f'<div><label class="visually-hidden" for="f_{name}">{label}</label>'
            f'<select class="form-select" id="f_{name}" name="{name}">{options}</select></div>'
        )
    step = ' step="any"' if choice.kind == "number" else ""
    ends = "".join(
        f'<input class="form-control" type="{choice.kind}" id="f_{name}_{end}" name="{name}_{end}" value="{escape(value)}"'
        f' placeholder="{escape(words)}" aria-label="{label} {escape(words)}"{step}>'
        for end, value, words in (
            ("from", choice.value, pgettext("range", "from")),
            ("to", choice.upper, pgettext("range", "to")),
        )
    )
    return f'<div><label for="f_{name}_from">{label}</label><div class="input-group">{ends}</div></div>'


def _worked_out(values: Mapping[Any, Any]) -> Callable[[Any], str]:
    def make(row: Any) -> str:
        value = values.get(row.pk)
        return value if isinstance(value, SafeString) else cell(None, value)

    return make


def _quoted(code: str) -> str:
    from urllib.parse import quote

    return quote(code, safe="")


def _side(register: Register, column: Column) -> str:
    to_right = column.align == "right" or (
        not column.align and not column.values and is_number(register.find(column.name))
    )
    return ' class="num"' if to_right else ""


def _sort_paths(register: Register) -> dict[str, str]:
    """Columns to the path the database sorts them by. What people may not see they may not sort by either."""
    found: dict[str, str] = {}
    for column in register.columns:
        if column.values is not None or column.name in register.personal:
            continue
        if column.name == "name":
            if register.find("name_zh") is not None:
                found["name"] = "name_zh"
            continue
        model_field = register.find(column.name)
        if isinstance(model_field, ForeignKey):
            related: Any = model_field.related_model
            names = {f.name for f in related._meta.concrete_fields}
            found[column.name] = f"{column.name}__{next((n for n in ('path', 'code') if n in names), 'pk')}"
        elif model_field is not None and not isinstance(model_field, WordsField):
            found[column.name] = column.name
    return found


def _matching(model_field: Field[Any, Any], name: str, params: Mapping[str, str]) -> Q:
    """The condition that one filter sets; a value that means nothing sets none."""
    value = params.get(name, "")
    if isinstance(model_field, ForeignKey):
        return _pointing(model_field, name, value) if value else Q()
    if isinstance(model_field, WordsField):
        known = model_field.words is None or value in model_field.words.values
        return Q(**{f"{name}__contains": f"|{value}|"}) if value and known else Q()
    if model_field.choices:
        return Q(**{name: value}) if value in {str(v) for v, _label in model_field.flatchoices} else Q()
    if is_flag(model_field):
        return Q(**{name: value == "1"}) if value in ("0", "1") else Q()
    read: Callable[[str], Any] = _day if isinstance(model_field, DateField) else _number
    found = Q()
    for end, test in (("from", "gte"), ("to", "lte")):
        bound = read(params.get(f"{name}_{end}", ""))
        if bound is not None:
            found &= Q(
                **{
                    f"{name}__date__{test}"
                    if hasattr(bound, "isoformat") and _is_moment(model_field)
                    else f"{name}__{test}": bound
                }
            )
    return found


def _pointing(model_field: ForeignKey[Any, Any], name: str, value: str) -> Q:
    """Rows that point to the thing of this code; a place means all below it, an organisation too."""
    model: Any = model_field.related_model
    names = {f.name for f in model._meta.concrete_fields}
    if "path" in names and "code" in names:
        path = model._default_manager.filter(code=value).values_list("path", flat=True).first()
        return Q(**{f"{name}__path__startswith": path}) if path else Q(pk__in=())
    return Q(**{f"{name}__code" if "code" in names else name: value})


def _is_moment(model_field: Field[Any, Any]) -> bool:
    return model_field.get_internal_type() == "DateTimeField"


def _day(value: str) -> date | None:
    try:
        return parse_date(value)
    except ValueError:
        return None


def _number(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    # Within what both stores hold, whatever the column's type.
    return found if abs(found) < 9e15 else None


def space_of(request: Any) -> Space:
    """The world this person looks at (set by the spaces middleware, or by the token)."""
    return request.space  # type: ignore[no-any-return]


def look_of(request: Any) -> Look:
    """Who looks, at which world, now."""
    space = space_of(request)
    return Look(user=request.user, space=space, at=now(space), language=get_language() or "zh-hans")
