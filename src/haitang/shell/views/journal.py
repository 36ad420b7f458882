"""The journal for people: search, filter, one entry with its proof, export."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from haitang.accounts.roles import Role
from haitang.journal.models import Entry
from haitang.journal.services import verify

PER_PAGE = 50
COLOURS = [("", gettext_lazy("Any colour")), ("red", gettext_lazy("Red")), ("orange", gettext_lazy("Orange")),
           ("yellow", gettext_lazy("Yellow")), ("blue", gettext_lazy("Blue"))]  # fmt: skip
VERIFIERS = frozenset({Role.ADMIN, Role.COMMANDER, Role.DUTY_OFFICER})


class JournalFilter(forms.Form):
    """What of the journal is shown."""

    q = forms.CharField(label=gettext_lazy("Words"), max_length=80, required=False)
    area = forms.ChoiceField(label=gettext_lazy("Part of the platform"), required=False)
    colour = forms.ChoiceField(label=gettext_lazy("Colour"), choices=COLOURS, required=False)
    since = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        label=gettext_lazy("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, areas: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["area"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All")), *((area, area) for area in areas)]
        self.fields["q"].widget.attrs["data-search"] = ""


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _chosen(request: HttpRequest) -> tuple[JournalFilter, QuerySet[Entry]]:
    rows: QuerySet[Entry] = Entry.objects.visible_to(request.user).filter(space=request.space)  # type: ignore[attr-defined]
    verbs = rows.order_by().values_list("verb", flat=True).distinct()
    form = JournalFilter(request.GET or None, areas=sorted({verb.split(".")[0] for verb in verbs}))
    if form.is_valid():
        wanted = form.cleaned_data
        for word in wanted["q"].split():
            rows = rows.filter(
                Q(text_zh__icontains=word)
                | Q(text_en__icontains=word)
                | Q(actor_name__icontains=word)
                | Q(verb__icontains=word)
            )
        if wanted["area"]:
            rows = rows.filter(verb__startswith=f"{wanted['area']}.")
        if wanted["colour"]:
            rows = rows.filter(colour=wanted["colour"])
        if wanted["since"]:
            rows = rows.filter(at__gte=_midnight(wanted["since"]))
        if wanted["until"]:
            rows = rows.filter(at__lt=_midnight(wanted["until"] + timedelta(days=1)))
    return form, rows


@login_required
def journal(request: HttpRequest) -> HttpResponse:
    """Entries of the space in view, newest first."""
    form, rows = _chosen(request)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": page, "may_verify": getattr(request.user, "role", "") in VERIFIERS}
    return render(request, "shell/journal.html", context)


@login_required
def journal_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """One entry: before, after, and its place in the chain."""
    entry = get_object_or_404(Entry.objects.visible_to(request.user), pk=pk)
    before, after = entry.before or {}, entry.after or {}
    names = [*before, *(name for name in after if name not in before)]
    changes = [(name, before.get(name), after.get(name)) for name in names]
    return render(request, "shell/journal_entry.html", {"entry": entry, "changes": changes})


class _Echo:
    def write(self, text: str) -> str:
        return text


@login_required
def journal_export(request: HttpRequest) -> StreamingHttpResponse:
    """The filtered journal as CSV with hashes; Excel opens it as UTF-8."""
    rows = _chosen(request)[1].order_by("seq")

    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield "\ufeff" + _line(
            ["seq", "at", "recorded_at", "actor", "verb", "subject", "place", "colour", "text_zh", "text_en", "hash"]
        )
        for entry in rows.iterator(chunk_size=2000):
            yield writer.writerow(
                [entry.seq, timezone.localtime(entry.at).isoformat(), timezone.localtime(entry.recorded_at).isoformat(),
                 safe(entry.actor_name), entry.verb, f"{entry.subject_type}:{entry.subject_id}", entry.place_path or "",
                 entry.colour, safe(entry.text_zh), safe(entry.text_en), entry.hash]
            )  # fmt: skip

    space = request.space  # type: ignore[attr-defined]
    headers = {"Content-Disposition": f'attachment; filename="journal-{space.slug}.csv"'}
    return StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8", headers=headers)


def safe(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


@login_required
@require_POST
def journal_verify(request: HttpRequest) -> HttpResponse:
    """Check the chain of the space in view, entry by entry."""
    if getattr(request.user, "role", "") not in VERIFIERS:
        raise PermissionDenied(_("Checking the journal is for the duty room and administrators."))
    faults = verify(request.space)  # type: ignore[attr-defined]
    if faults:
        count = len(faults)
        text = ngettext(
            "%(n)s fault in the journal: %(first)s", "%(n)s faults in the journal; the first: %(first)s", count
        )
        messages.error(request, text % {"n": count, "first": f"{faults[0].seq}: {faults[0].detail}"})
    else:
        messages.success(request, _("The journal is complete: nothing was changed, removed or reordered."))
    return redirect("shell:journal")
