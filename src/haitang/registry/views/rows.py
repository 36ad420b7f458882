"""One row of a register: its page, filling it in, putting it away."""

from __future__ import annotations

from typing import Any

import shapely
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.services import log_read
from haitang.accounts.verbs import Forbidden, Refused, require
from haitang.geo.catalogue import circle, fill
from haitang.journal.models import Entry
from haitang.registry import services
from haitang.registry.declare import Register
from haitang.registry.forms import form_class, may_call
from haitang.registry.listing import look_of, space_of
from haitang.registry.values import field_label, label_of, mask, read, text
from haitang.registry.views.common import page_context, register_for, row_for
from haitang.spaces.models import Space

_ENTRIES_MOST = 50


@require_safe
@login_required
def detail(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    """The page of one row: what is on record, where it is, what the slice has to say now, what happened to it."""
    register = register_for(request, slug)
    row = row_for(request, register, code, whole=True)
    clear = may_call(register, request.user)
    if clear and any(read(row, name) for name in register.personal):
        log_read(request.user, row, purpose=f"registers/{slug}")
    cards = [card for panel in register.panels if (card := panel(request, row)) is not None]
    context = page_context(
        request, register, row=row, code=code, facts=_facts(request, register, row, clear), cards=cards,
        own=_own_map(register, row), center=_center(row), entries=_entries(request, row),
        is_archived=register.archives and row.archived_at is not None, is_demo=getattr(row, "is_demo", False),
        can_change=services.may_change(register, row, request.user),
    )  # fmt: skip
    return render(request, "registry/detail.html", context)


@require_http_methods(["GET", "POST"])
@login_required
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Fill in a new row."""
    register = register_for(request, slug)
    require(register.verb("create"), request.user)
    form = form_class(register, by=request.user)(request.POST or None, initial=_initial(request, register))
    return _fill_in(request, register, form, None)


@require_http_methods(["GET", "POST"])
@login_required
def edit(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    """Change a row."""
    register = register_for(request, slug)
    require(register.verb("edit"), request.user)
    row = row_for(request, register, code, whole=True)
    if not services.may_change(register, row, request.user):
        raise Forbidden(_("%(row)s lies outside your reach.") % {"row": row})
    if may_call(register, request.user) and any(read(row, name) for name in register.personal):
        log_read(request.user, row, purpose=f"registers/{slug}/edit")
    seen = request.POST.get("seen") or services.fingerprint(register, row)
    form = form_class(register, by=request.user)(request.POST or None, instance=row)
    return _fill_in(request, register, form, row, seen)


def _fill_in(request: HttpRequest, register: Register, form: Any, row: Any, seen: str = "") -> HttpResponse:
    status = 200
    cancel = register.url("detail", register.key_of(row)) if row is not None else register.url()
    name = str(row) if row is not None else ""
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                services.put(register, [form.instance], by=request.user, space=space_of(request), seen=seen if row is not None else "",
                             checked=True)  # fmt: skip
            except (Refused, PermissionError, ValidationError) as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Saved: %(row)s") % {"row": form.instance})
                return redirect(register.url("detail", register.key_of(form.instance)))
    context = page_context(request, register, form=form, row=row, name=name, cancel=cancel, seen=seen)
    return render(request, "registry/form.html", context, status=status)


@require_POST
@login_required
def archive(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    """Put a row away, or fetch it back."""
    register = register_for(request, slug)
    row = row_for(request, register, code)
    if request.POST.get("restore"):
        services.restore(register, [row], by=request.user, space=space_of(request))
        messages.success(request, _("Fetched back: %(row)s") % {"row": row})
    else:
        services.archive(
            register, [row], by=request.user, space=space_of(request), reason=request.POST.get("reason", "")[:200]
        )
        messages.success(request, _("Archived: %(row)s") % {"row": row})
    return redirect(register.url("detail", code))


@require_POST
@login_required
def delete(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    """Delete a row for ever; Refused where something refers to it."""
    register = register_for(request, slug)
    row = row_for(request, register, code)
    services.delete(register, row, by=request.user, space=space_of(request))
    messages.success(request, _("Deleted: %(row)s") % {"row": row})
    return redirect(register.url())


# -- parts ------------------------------------------------------------------------------------------------------


def _initial(request: HttpRequest, register: Register) -> dict[str, Any]:
    """A new row begins with the editor's own place and organisation."""
    own = request.user.organisation
    given = {"owner": own.code, "place": own.place.code if own.place else None} if own else {}
    return {name: value for name, value in given.items() if name in register.form and name != register.key and value}


def _facts(request: HttpRequest, register: Register, row: Any, clear: bool) -> list[tuple[str, Any]]:
    """What is on record, in the order of the form; then what the list works out."""
    found: list[tuple[str, Any]] = []
    for name in register.form:
        shown = text(register.field(name), read(row, name))
        found.append(
            (field_label(register.field(name)), mask(shown) if name in register.personal and not clear else shown)
        )
    look = look_of(request)
    for column in register.columns:
        if column.values is not None:
            value = column.values(look, [row.pk]).get(row.pk)
            found.append((label_of(register, column), value if isinstance(value, SafeString) else text(None, value)))
    return found


def _own_map(register: Register, row: Any) -> dict[str, Any] | None:
    """The row alone as a layer of its page's map."""
    if register.geometry is None or row.west is None:
        return None
    shape = getattr(row, register.geometry.name)
    properties = {"name": str(row), "simulated": getattr(row, "is_demo", False)}
    feature = {"type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": properties}
    style = circle("#d6336c", radius=8) if shape.geom_type == "Point" else fill("#d6336c", opacity=0.15, width=2)
    return {"layers": [{"id": "own", "label": str(row), "kind": "geojson", "style": style, "visible": True,
                        "data": {"type": "FeatureCollection", "features": [feature]}}]}  # fmt: skip


def _center(row: Any) -> str:
    west = getattr(row, "west", None)
    return "" if west is None else f"{(west + row.east) / 2:.6f},{(row.south + row.north) / 2:.6f}"


def _entries(request: HttpRequest, row: Any) -> Any:
    """What happened to the row, in the live world and in the one looked at. One query."""
    spaces = {Space.live().pk, space_of(request).pk}
    mine = Entry.objects.visible_to(request.user).filter(
        space__in=spaces, subject_type=row._meta.label_lower, subject_id=str(row.pk)
    )
    return mine.order_by("-id")[:_ENTRIES_MOST]
