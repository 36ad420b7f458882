"""Files of a register: out as XLSX, CSV or GeoJSON; in with a check, a preview and a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from haitang.accounts.services import log_read
from haitang.accounts.verbs import Refused, require
from haitang.registry import exporting, importing, services, sheets
from haitang.registry.declare import Register
from haitang.registry.forms import may_call
from haitang.registry.listing import Listing, look_of, space_of
from haitang.registry.models import ImportRun, RunState
from haitang.registry.views.common import page_context, register_for

CRS = ("wgs84", "cgcs2000", "gcj02", "bd09")
_SHOWN_MOST = 100
# Files that were checked and not taken in are forgotten after a day: they may hold names and telephones.
_KEPT = timedelta(days=1)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def export(request: HttpRequest, slug: str, kind: str) -> HttpResponseBase:
    """The list, or the rows chosen in it (POST), as a file."""
    register = register_for(request, slug)
    if kind not in exporting.FORMATS or (kind == "geojson" and register.geometry is None):
        raise Http404(_("Files can be had as xlsx, csv or geojson."))
    if request.method == "POST" and not request.POST.get("all"):
        picks = [int(pick) for pick in request.POST.getlist("pick") if pick.isdecimal() and len(pick) < 19]
        rows = register.rows(request.user).filter(pk__in=picks[:1000]).order_by(register.key_path)
    else:
        params = dict(parse_qsl(request.POST.get("query", ""))) if request.method == "POST" else request.GET.dict()
        rows = Listing(register, look_of(request), params).rows
    count = rows.order_by()[: exporting.most(kind) + 1].count()
    if count > exporting.most(kind):
        detail = _("The list has more than %(most)s rows: narrow it, or export it as CSV.") % {
            "most": exporting.most(kind)
        }
        if request.method == "POST":
            raise Refused(detail)
        return render(request, "registry/refused.html", page_context(request, register, detail=detail), status=413)
    if register.personal and may_call(register, request.user) and count:
        log_read(request.user, register.model, purpose=f"registers/{slug}/export.{kind}", count=count)
    return _download(exporting.export(register, rows, kind, request.user), kind, exporting.file_name(register, kind))


@require_safe
@login_required
def template(request: HttpRequest, slug: str) -> HttpResponseBase:
    """An empty workbook to fill in."""
    register = register_for(request, slug)
    name = _("%(title)s template") % {"title": register.title}
    return _download([exporting.template(register, request.user)], "xlsx", f"{sheets.sheet_title(name)}.xlsx")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def bring(request: HttpRequest, slug: str) -> HttpResponse:
    """Bring a file: it is read, checked, and kept for a look before anything is written."""
    register = register_for(request, slug)
    require(register.verb("import"), request.user)
    error, status = "", 200
    if request.method == "POST":
        try:
            kept = _keep(request, register)
        except sheets.SheetError as refused:
            error, status = _(refused.template) % refused.params if refused.params else _(refused.template), 422
        else:
            return redirect(register.url("run", kept.pk))
    recent = ImportRun.objects.visible_to(request.user).filter(register=slug).defer("rows", "problems")[:10]
    context = page_context(
        request, register, error=error, recent=recent, crs=CRS, heads=importing.heads(register, request.user)
    )
    return render(request, "registry/import.html", context, status=status)


def _keep(request: HttpRequest, register: Register) -> ImportRun:
    brought = request.FILES.get("file")
    if brought is None:
        raise sheets.SheetError(sheets.gettext_noop("There is no file: choose one."))
    if (brought.size or 0) > sheets.MAX_BYTES:
        raise sheets.SheetError(
            sheets.gettext_noop("The file has %(size)s MB, at most %(most)s MB are taken: split it."),
            size=f"{(brought.size or 0) / 1e6:.1f}", most=sheets.MAX_BYTES // 1_000_000,
        )  # fmt: skip
    table = sheets.read(brought.read())
    ImportRun.objects.filter(state=RunState.CHECKED, created_at__lt=timezone.now() - _KEPT).delete()
    mapping = importing.guess(register, table.heads)
    crs = request.POST.get("crs", "wgs84")
    kept = ImportRun(
        user=request.user, register=register.slug, file_name=(brought.name or "")[-120:], created_at=timezone.now(),
        heads=table.heads, mapping={**mapping, "*crs": crs if crs in CRS else "wgs84"}, rows=table.rows,
    )  # fmt: skip
    kept.save()
    return kept


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def run(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What a file would do, and the button that does it; afterwards, what it did."""
    register = register_for(request, slug)
    require(register.verb("import"), request.user)
    kept = get_object_or_404(ImportRun.objects.visible_to(request.user), pk=pk, register=slug)
    if request.method == "POST" and kept.state == RunState.CHECKED:
        if "take" in request.POST:
            only_good = request.POST["take"] == "good"
            outcome = services.take_in(register, kept, by=request.user, space=space_of(request), only_good=only_good)
            messages.success(
                request,
                _("Taken in: %(new)s new, %(changed)s changed.") % {"new": outcome.created, "changed": outcome.changed},
            )
        else:
            _remap(request, register, kept)
        return redirect(register.url("run", pk))
    if kept.state == RunState.DONE:
        problems = [importing.Problem(**each) for each in kept.problems]
        context = {"counts": kept.counts, "problems": problems[:_SHOWN_MOST], "problem_count": len(problems)}
        return render(request, "registry/run.html", page_context(request, register, run=kept, is_done=True, **context))
    found = importing.check(register, kept, by=request.user)
    changes = [each for each in found.rows if each.changes or each.is_new]
    context = page_context(
        request, register, run=kept, counts=found.counts, problems=found.problems[:_SHOWN_MOST],
        problem_count=len(found.problems), changes=changes[:_SHOWN_MOST], change_count=len(changes), columns=_columns(register, kept),
        targets=[(name, importing.column_label(register, name)) for name in importing.columns(register)], good=len(found.rows),
    )  # fmt: skip
    return render(request, "registry/run.html", context)


def _columns(register: Register, kept: ImportRun) -> list[tuple[int, str, str, str]]:
    """Number, head, field and a first value of every column of the file."""
    first = kept.rows[0][1] if kept.rows else {}
    return [
        (number, head, kept.mapping.get(head, ""), str(first.get(head, ""))[:40])
        for number, head in enumerate(kept.heads)
    ]


def _remap(request: HttpRequest, register: Register, kept: ImportRun) -> None:
    """Take over which field each column fills, as the person said."""
    allowed = {*importing.columns(register), sheets.GEOMETRY, ""}
    mapping: dict[str, Any] = {"*crs": kept.mapping.get("*crs", "wgs84")}
    for number, head in enumerate(kept.heads):
        target = request.POST.get(f"column_{number}", "")
        mapping[head] = target if target in allowed and (not target or target not in mapping.values()) else ""
    kept.mapping = mapping
    kept.save(update_fields=["mapping"])


@require_safe
@login_required
def report(request: HttpRequest, slug: str, pk: int, kind: str) -> HttpResponseBase:
    """What is wrong with a file, as a file."""
    register = register_for(request, slug)
    require(register.verb("import"), request.user)
    if kind not in ("xlsx", "csv"):
        raise Http404(_("The report can be had as xlsx or csv."))
    kept = get_object_or_404(ImportRun.objects.visible_to(request.user), pk=pk, register=slug)
    if kept.state == RunState.DONE:
        problems = [importing.Problem(**each) for each in kept.problems]
    else:
        problems = importing.check(register, kept, by=request.user).problems
    return _download(exporting.report(problems, kind), kind, f"{_('Import report')}-{pk}.{kind}")


def _download(pieces: Iterable[str | bytes], kind: str, name: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(_in_language(pieces, get_language()), content_type=exporting.FORMATS[kind])
    answer["Content-Disposition"] = f"attachment; filename=\"export.{kind}\"; filename*=UTF-8''{quote(name)}"
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _in_language(pieces: Iterable[str | bytes], language: str | None) -> Iterator[str | bytes]:
    """The pieces, each made in the reader's language although the request is over by then."""
    source = iter(pieces)
    while True:
        with override(language):
            piece = next(source, None)
        if piece is None:
            return
        yield piece
