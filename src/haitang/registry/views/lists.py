"""The list of a register: found, sorted, chosen, changed many at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from haitang.accounts.verbs import Refused
from haitang.registry import services
from haitang.registry.declare import REGISTERS, Register
from haitang.registry.forms import form_class
from haitang.registry.listing import COUNT_MOST, PAGE_SIZES, Listing, look_of, space_of
from haitang.registry.models import SavedView
from haitang.registry.values import field_label, read, text
from haitang.registry.views.common import page_context, register_for

BULK_MOST = 500
_PREVIEW_MOST = 50


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """All registers that are open to this person."""
    mine = [each for each in REGISTERS.values() if request.user.role in each.readers]
    return render(request, "registry/index.html", {"registers": sorted(mine, key=lambda each: (each.order, each.slug))})


@require_safe
@login_required
def listing(request: HttpRequest, slug: str) -> HttpResponse:
    """The list, or only its table for the live part of the page."""
    register = register_for(request, slug)
    shown = Listing(register, look_of(request), request.GET.dict())
    page = shown.page(request.GET.get("page"))
    rows = list(page.object_list)
    context = page_context(request, register)
    select = context["can"]["edit"] or context["can"]["archive"]
    context |= {
        "shown": shown, "page": page, "is_capped": page.paginator.seen > COUNT_MOST, "select": select,
        "head": shown.head(select=select), "body": shown.body(rows, select=select), "query": shown.query, "pages": shown.pages(page),
    }  # fmt: skip
    if request.headers.get("HX-Target") == "rows":
        return render(request, "registry/parts/rows.html", context)
    context |= {
        "views": list(SavedView.objects.filter(user=request.user, register=slug)), "sizes": PAGE_SIZES,
        "per": shown.size, "boxes": shown.boxes(), "live": f"registry.{register.label}.",
    }  # fmt: skip
    return render(request, "registry/list.html", context)


@require_POST
@login_required
def bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Change chosen rows at once: choose fields, look at what would change, confirm."""
    register = register_for(request, slug)
    rows = _picked(request, register)
    if request.POST.get("do") == "archive":
        count = services.archive(register, rows, by=request.user, space=space_of(request))
        messages.success(request, _("Archived: %(count)s") % {"count": count})
        return redirect(register.url())
    chosen = [name for name in register.bulk_fields if request.POST.get(f"set_{name}")]
    made = form_class(register, by=request.user, names=register.bulk_fields, bulk=True)
    context = page_context(
        request, register, rows=rows, picks=[row.pk for row in rows], chosen=chosen, step="fields",
        form=made(request.POST if chosen else None),
    )  # fmt: skip
    if not chosen:
        if "confirm" in request.POST or "preview" in request.POST:
            messages.error(request, _("Tick at least one field that shall be changed."))
        return render(request, "registry/bulk.html", context)
    forms_ = [_filled(request, register, chosen, row) for row in rows]
    bad = [(row, form) for row, form in zip(rows, forms_, strict=True) if not form.is_valid()]
    if bad:
        context["form"] = bad[0][1]
        return render(request, "registry/bulk.html", context, status=422)
    if "confirm" in request.POST:
        outcome = services.put(
            register, [form.instance for form in forms_], by=request.user, space=space_of(request), checked=True
        )
        messages.success(
            request,
            _("Changed: %(changed)s, unchanged: %(same)s") % {"changed": outcome.changed, "same": outcome.unchanged},
        )
        return redirect(register.url())
    changes = [_change(register, row, form, chosen) for row, form in zip(rows, forms_, strict=True)]
    context |= {
        "step": "preview", "changes": [each for each in changes if each[1]][:_PREVIEW_MOST],
        "changed": sum(bool(each[1]) for each in changes), "posted": [(name, value) for name in chosen for value in request.POST.getlist(name)],
    }  # fmt: skip
    return render(request, "registry/bulk.html", context)


def _filled(request: HttpRequest, register: Register, chosen: list[str], row: Any) -> ModelForm:
    import copy

    made = form_class(register, by=request.user, names=chosen, bulk=True)
    return made(request.POST, instance=copy.copy(row))


def _change(register: Register, row: Any, form: ModelForm, chosen: list[str]) -> tuple[Any, list[tuple[str, str, str]]]:
    """The row and what would change in it."""
    old, new = services.exact(register, row), services.exact(register, form.instance)
    return row, [
        (field_label(register.field(name)), text(register.field(name), read(row, name)), text(register.field(name), read(form.instance, name)))
        for name in chosen
        if old[name] != new[name]
    ]  # fmt: skip


def _picked(request: HttpRequest, register: Register) -> list[Any]:
    """The chosen rows, or all that the list found; within reach, none left out silently."""
    if request.POST.get("all"):
        params = dict(parse_qsl(request.POST.get("query", "")))
        rows = Listing(register, look_of(request), params).rows.defer(None)
        found = list(rows[: BULK_MOST + 1])
        if len(found) > BULK_MOST:
            raise Refused(_("More than %(most)s rows are found: narrow the list first.") % {"most": BULK_MOST})
    else:
        picks = [int(pick) for pick in request.POST.getlist("pick") if pick.isdecimal() and len(pick) < 19]
        if len(picks) > BULK_MOST:
            raise Refused(_("At most %(most)s rows can be changed at once.") % {"most": BULK_MOST})
        found = list(
            register.rows(request.user)
            .defer(None)
            .filter(pk__in=picks)
            .select_related(*register.joins)
            .order_by(register.key_path)
        )
        if len(found) != len(set(picks)):
            raise Refused(_("Some of these rows lie outside your reach."))
    if not found:
        raise Refused(_("Choose at least one row."))
    inside = set(
        services.reach(register, request.user).filter(pk__in=[row.pk for row in found]).values_list("pk", flat=True)
    )
    outside = [row for row in found if row.pk not in inside]
    if outside:
        raise Refused(_("%(count)s of the chosen rows lie outside your reach, for example %(row)s: leave them out.")
                      % {"count": len(outside), "row": outside[0]})  # fmt: skip
    return found


@require_POST
@login_required
def save_view(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the filters and order of the list under a name."""
    register = register_for(request, slug)
    name = " ".join(request.POST.get("name", "").split())[:40]
    if not name:
        raise Refused(_("Give the view a name."))
    pairs = [(key, value) for key, value in parse_qsl(request.POST.get("query", "")[:1000]) if key != "page"]
    services.save_view(register, name=name, query=urlencode(pairs), by=request.user)
    messages.success(request, _("View saved: %(name)s") % {"name": name})
    return redirect(f"{register.url()}?{urlencode(pairs)}")


@require_POST
@login_required
def drop_view(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Forget a saved view."""
    register = register_for(request, slug)
    services.drop_view(
        get_object_or_404(SavedView.objects.visible_to(request.user), pk=pk, register=slug), by=request.user
    )
    return redirect(register.url())
