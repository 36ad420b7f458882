"""The components of which pages are made. docs/components.md shows each with an example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.core.paginator import Page
from django.db import models
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, FileInput, RadioSelect, Select
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from haitang.shell.context import address

register = template.Library()
COLOURS = frozenset({"red", "orange", "yellow", "blue", "green", "grey"})


# -- small things -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _sprite() -> str:
    path = settings.WEB / "dist" / "icons.svg"
    version = int(path.stat().st_mtime) if path.exists() else 0
    return f"{static('icons.svg')}?{version}"


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """A Tabler icon by its name; `size` is "", "sm" or "lg"."""
    if not name:
        return mark_safe("")
    return _icon(f"icon icon-{size}" if size else "icon", _sprite(), name)


@lru_cache(maxsize=1024)
def _icon(kind: str, sprite: str, name: str) -> SafeString:
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', kind, sprite, name)


@register.filter
def colour(value: Any) -> str:
    """The CSS class of a thing's colour: an enum member with `.colour`, a model with one, or a colour's name."""
    found = getattr(value, "colour", value)
    name = str(getattr(found, "value", found) or "grey")
    return f"c-{name if name in COLOURS else 'grey'}"


def _text(value: Any) -> str:
    return str(getattr(value, "label", value))


@register.simple_tag
def state(value: Any, label: Any = None, colour: Any = None, solid: bool = False) -> SafeString:
    """A badge for a state: label and colour come from the enum member unless given."""
    shade = globals()["colour"](value if colour is None else colour)
    return format_html('<span class="state {}{}">{}</span>', shade, " solid" if solid else "", label or _text(value))


@register.simple_tag
def moment(at: datetime | None, seconds: bool = False, full: bool = False) -> SafeString:
    """A time as the district reads it: month, day, hour, minute; the whole of it on hovering. A dash for none."""
    if at is None:
        return mark_safe("—")
    local = timezone.localtime(at)
    pattern = "Y-m-d H:i:s" if full else "m-d H:i:s" if seconds else "m-d H:i"
    whole = date_format(local, "Y-m-d H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), whole, date_format(local, pattern))


@register.simple_tag
def countdown(due_at: datetime | None, warn_s: int = 600) -> SafeString:
    """How long until a due time, counted by the clock of the space; red when it is over."""
    if due_at is None:
        return mark_safe("")
    text = date_format(timezone.localtime(due_at), "m-d H:i")
    return format_html('<time data-due="{}" data-warn-s="{}" datetime="{}" title="{}">{}</time>',
                       due_at.isoformat(), warn_s, due_at.isoformat(), text, text)  # fmt: skip


@register.simple_tag
def since(at: datetime | None) -> SafeString:
    """How long ago, counted by the clock of the space."""
    if at is None:
        return mark_safe("")
    text = date_format(timezone.localtime(at), "m-d H:i")
    return format_html(
        '<time data-since="{}" datetime="{}" title="{}">{}</time>', at.isoformat(), at.isoformat(), text, text
    )


@register.simple_tag
def simulated(show: Any = True, label: str = "") -> SafeString:
    """The mark of simulated or demonstration data; nothing when `show` is false."""
    if not show:
        return mark_safe("")
    return format_html('<span class="mark-simulated">{}</span>', label or _("Simulated data"))


@register.filter
def dash(value: Any) -> Any:
    """A dash for what is not known; 0 stays 0."""
    return "—" if value is None or value == "" else value


@register.filter
def attr(thing: Any, name: str) -> Any:
    """An attribute or key by name."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


# -- blocks -----------------------------------------------------------------------------------------------------


@register.simple_block_tag(end_name="endpage_head")
def page_head(content: str, title: Any, sub: Any = "", back: str = "", back_label: Any = "") -> SafeString:
    """The head of a page; what stands inside are its actions (buttons) and badges."""
    crumb = (
        format_html('<div class="breadcrumb"><a href="{}">‹ {}</a></div>', back, back_label or _("Back"))
        if back
        else ""
    )
    under = format_html('<div class="sub">{}</div>', sub) if sub else ""
    return format_html('<header class="ht-head"><div>{}<h1>{}</h1>{}</div><div class="actions no-print">{}</div></header>',
                       crumb, title, under, mark_safe(content.strip()))  # fmt: skip


@register.simple_block_tag(end_name="endcard")
def card(content: str, title: Any = "", icon: str = "", url: str = "", url_label: Any = "", flush: bool = False,
         id: str = "", colour: Any = None, mark: Any = "") -> SafeString:  # fmt: skip
    """A card. `flush` leaves out the inner margin (lists, tables, maps); `url` puts a link at the right of its head."""
    head: SafeString | str = ""
    if title:
        link = (
            format_html('<div class="actions no-print"><a href="{}">{} ›</a></div>', url, url_label or _("All"))
            if url
            else ""
        )
        sign = globals()["icon"](icon) if icon else ""
        badge = format_html('<span class="mark-simulated">{}</span>', mark) if mark else ""
        head = format_html(
            '<div class="card-header"><h2 class="card-title">{}{}</h2>{}{}</div>', sign, title, badge, link
        )
    body = mark_safe(content) if flush else format_html('<div class="card-body">{}</div>', mark_safe(content))
    edge = format_html('<div class="card-status-start {}" style="background:var(--state)"></div>',
                       globals()["colour"](colour)) if colour else ""  # fmt: skip
    anchor = format_html(' id="{}"', id) if id else ""
    return format_html('<section class="card"{}>{}{}{}</section>', anchor, edge, head, body)


@register.simple_block_tag(end_name="endtable")
def table(content: str, cards: bool = True, id: str = "", small: bool = False) -> SafeString:
    """The frame of a table whose <thead> and <tbody> stand inside.

    On a phone each row is a small card, if `cards`: give every <td> a data-label. A row with data-href is a link and can
    be walked to with j, k and Enter.
    """
    kinds = "table table-hover table-vcenter" + (" table-cards" if cards else "") + (" table-sm" if small else "")
    anchor = format_html(' id="{}"', id) if id else ""
    return format_html(
        '<div class="table-wrap"{}><table class="{}" data-table>{}</table></div>', anchor, kinds, mark_safe(content)
    )


@register.simple_block_tag(end_name="endlive")
def live(content: str, url: str, verbs: str, id: str = "", thread: str = "", every: str = "", tag: str = "div",
         kind: str = "") -> SafeString:  # fmt: skip
    """A part of the page that is fetched again from `url` after entries of these verbs, at most once a second."""
    trigger = f"live, every {every}" if every else "live"
    return format_html('<{0} id="{1}" class="{2}" hx-get="{3}" hx-trigger="{4}" hx-swap="innerHTML" data-live="{5}" data-thread="{6}">{7}</{0}>',
                       tag, id, kind, url, trigger, verbs, thread, mark_safe(content))  # fmt: skip


# -- parts ------------------------------------------------------------------------------------------------------


@register.simple_tag
def tile(value: Any, label: Any, unit: Any = "", colour: Any = None, url: str = "", note: Any = "") -> SafeString:
    """One number with its name; a link to what lies behind it."""
    shade = globals()["colour"](colour) if colour else ""
    inner = format_html('<span class="value">{}{}</span><span class="name">{}</span>{}', dash(value),
                        format_html("<small>{}</small>", unit) if unit else "", label,
                        format_html('<span class="note">{}</span>', note) if note else "")  # fmt: skip
    if url:
        return format_html('<a class="tile {}" href="{}">{}</a>', shade, url, inner)
    return format_html('<div class="tile {}">{}</div>', shade, inner)


@register.simple_tag
def facts(pairs: Iterable[Sequence[Any]]) -> SafeString:
    """What is known of one thing: (name, value) pairs; a dash for what is not known."""
    return format_html('<dl class="facts">{}</dl>',
                       format_html_join("", "<dt>{}</dt><dd>{}</dd>", ((pair[0], dash(pair[1])) for pair in pairs)))  # fmt: skip


@register.inclusion_tag("shell/parts/empty.html")
def empty_state(
    title: Any, text: Any = "", icon: str = "circle-check", url: str = "", label: Any = ""
) -> dict[str, Any]:
    """The state of a list with nothing in it: what that means, and the next thing to do."""
    return {"title": title, "text": text, "icon": icon, "url": url, "label": label}


@register.inclusion_tag("shell/parts/failure.html")
def failure(title: Any, text: Any = "") -> dict[str, Any]:
    """The state of a part that could not be made."""
    return {"title": title, "text": text}


@register.inclusion_tag("shell/parts/timeline.html")
def timeline(entries: Iterable[Any], actor: bool = True) -> dict[str, Any]:
    """Journal entries, one line each, in the order given."""
    return {"entries": entries, "actor": actor}


@register.inclusion_tag("shell/parts/pagination.html", takes_context=True)
def pagination(context: template.Context, page: Page[Any]) -> dict[str, Any]:
    """Links to the other pages of a list; the filters in the address stay."""
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
    return {"page": page, "numbers": numbers, "request": context.get("request")}


@register.inclusion_tag("shell/parts/act.html", takes_context=True)
def act(context: template.Context, url: str, label: Any, icon: str = "", style: str = "", confirm: Any = "",
        danger: bool = False, size: str = "", **fields: Any) -> dict[str, Any]:  # fmt: skip
    """A button that does something (POST). `confirm` asks first; other arguments become hidden fields."""
    shade = style or ("danger" if danger else "")
    return {"url": url, "label": label, "icon": icon, "style": shade, "confirm": confirm, "danger": danger, "size": size,
            "fields": fields, "csrf_token": context.get("csrf_token")}  # fmt: skip


# -- forms ------------------------------------------------------------------------------------------------------


def _dressed(bound: BoundField) -> dict[str, Any]:
    widget = bound.field.widget
    single_box = isinstance(widget, CheckboxInput)
    many = isinstance(widget, RadioSelect | CheckboxSelectMultiple)
    kind = "form-check-input" if single_box or many else "form-select" if isinstance(widget, Select) else "form-control"
    attributes: dict[str, Any] = {
        "class": f"{widget.attrs.get('class', '')} {kind}{' is-invalid' if bound.errors else ''}".strip()
    }
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {"field": bound, "widget": bound.as_widget(attrs=attributes), "box": single_box, "many": many,
            "hidden": bound.is_hidden, "file": isinstance(widget, FileInput)}  # fmt: skip


@register.inclusion_tag("shell/parts/field.html")
def field(bound: BoundField, wide: bool = False, label: Any = None) -> dict[str, Any]:
    """One field of a form: label, widget, help, errors."""
    return {**_dressed(bound), "wide": wide, "label": bound.label if label is None else label}


@register.inclusion_tag("shell/parts/fields.html")
def fields(form: BaseForm, columns: int = 2) -> dict[str, Any]:
    """All fields of a form with its general errors. Long texts, shapes and tick lists take the whole width."""
    from django.forms import Textarea

    dressed = [{**_dressed(bound), "label": bound.label,
                "wide": isinstance(bound.field.widget, Textarea | CheckboxSelectMultiple)} for bound in form]  # fmt: skip
    return {"form": form, "dressed": dressed, "columns": columns}


@register.inclusion_tag("shell/parts/form.html", takes_context=True)
def form(context: template.Context, form: BaseForm, submit: Any = "", cancel: str = "", action: str = "",
         columns: int = 2, danger: bool = False, confirm: Any = "") -> dict[str, Any]:  # fmt: skip
    """A whole form with its buttons, posted to `action` (this page if empty)."""
    return {"form": form, "submit": submit or pgettext("button", "Save"), "cancel": cancel, "action": action,
            "columns": columns, "danger": danger, "confirm": confirm, "csrf_token": context.get("csrf_token")}  # fmt: skip


# -- islands ----------------------------------------------------------------------------------------------------


def _attributes(pairs: Mapping[str, Any]) -> SafeString:
    given = ((name, value) for name, value in pairs.items() if value is not None and value is not False)
    return format_html_join(
        "", ' data-{}="{}"', ((name.replace("_", "-"), "" if value is True else value) for name, value in given)
    )


@register.simple_tag
def map(layers: str = "", only: str | None = None, show: str | None = None, height: str = "", bounds: str | None = None,
        center: str | None = None, zoom: Any = None, panel: str | None = None, search: str | None = None,
        time: str | None = None, quiet: bool = False, draw: str | None = None, draw_target: str | None = None,
        own: Mapping[str, Any] | None = None, cooperative: bool = False, pick: str | None = None,
        pick_layer: str | None = None) -> SafeString:  # fmt: skip
    """The map.

    Layers come from the catalogue (`only` limits, `show` switches on) and from `own`, the page's own small catalogue;
    `height` is "", "tall" or "fill"; `quiet` takes no input (the wall). A click on a place of `pick_layer` ticks the
    checkbox of that code whose name is `pick`.
    """
    if isinstance(bounds, tuple | list):
        bounds = ",".join(f"{value:.6f}" for value in bounds)
    pairs = {"map": True, "layers": layers or address("onemap:layers"), "only": only, "show": show, "bounds": bounds,
             "center": center, "zoom": zoom, "panel": panel, "search": search, "time": time, "quiet": quiet,
             "draw": draw, "draw_target": draw_target, "cooperative": cooperative, "pick": pick, "pick_layer": pick_layer}  # fmt: skip
    inner = json_script(own) if own else ""
    return format_html('<div class="map {}"{}>{}<div class="map-hint" data-map-hint hidden></div><div data-map-error hidden></div></div>',
                       height, _attributes(pairs), inner)  # fmt: skip


@register.simple_tag
def chart(
    spec: Mapping[str, Any] | None = None, src: str | None = None, live: str | None = None, height: str = ""
) -> SafeString:
    """A chart, from a description in our own form or from an address that gives one; `height` such as "20rem"."""
    style = format_html(' style="height:{}"', height) if height else ""
    inner = json_script(spec) if spec is not None else ""
    return format_html(
        '<div class="chart"{}{}>{}</div>', style, _attributes({"chart": True, "src": src, "live": live}), inner
    )


@register.filter
def model_label(thing: models.Model) -> str:
    """What kind of thing this is, in the reader's language."""
    return str(thing._meta.verbose_name)


@register.simple_tag(takes_context=True)
def is_current(context: template.Context, prefix: str) -> bool:
    """Whether the page's address begins so."""
    request: HttpRequest | None = context.get("request")
    return bool(request and request.path.startswith(prefix))
