"""The composer: a warning from an alarm, from a received message or from nothing; a draft changed; an update.

One page for all of them. While somebody fills it in, the same address answers with what the validator finds and what
each audience will see; texts that still are the template's follow kind, colour and area, texts that were edited stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from haitang.accounts.verbs import Forbidden, Refused, may
from haitang.alerting import cap, composing, dissemination, drafting, guards, inbound, services, telling
from haitang.alerting.composing import Texts
from haitang.alerting.drafting import Cause, Composed
from haitang.alerting.forms import OWN, TEXTS, ComposeForm
from haitang.alerting.models import ColourChoice, EventKind, ReceivedWarning, Warning
from haitang.alerting.views.common import language_of, mine, space_of
from haitang.alerting.views.warnings import findings_for
from haitang.geo.models import Level, Place
from haitang.monitoring.models import Alarm
from haitang.spaces.clock import now

# The time that the words name is that of opening the page, unless the page lay open longer than this.
WORDED_MOST = timedelta(hours=2)


@dataclass
class _Desk:
    """What the composer works on: where its first values come from, how it is tried and how it is kept."""

    title: str
    back: str
    trial: Callable[[dict[str, Any], Texts | None, datetime], Composed]
    keep: Callable[[dict[str, Any], Texts], Warning]
    initial: dict[str, Any] = field(default_factory=dict)
    sub: str = ""
    note: str = ""
    follows: Warning | None = None
    # A draft opens with its own words; those that are still the template's of when it was written are filled in anew.
    own_texts: Texts | None = None
    written_at: datetime | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Compose a warning: `?alarm=` from an alarm, `?received=` from a message of another platform."""
    space = space_of(request)
    cause = Cause()
    initial: dict[str, Any] = {"audiences": _audiences(request)}
    if request.GET.get("alarm", "").isdigit():
        alarms = Alarm.objects.visible_to(request.user).filter(space=space).select_related("series", "place", "station")
        alarm = get_object_or_404(alarms, pk=int(request.GET["alarm"][:18]))
        cause = drafting.alarm_cause(alarm)
        standing = services.standing_for(space, cause.thread)
        if standing is not None:
            messages.info(request, _("There is a warning from this alarm already; here it is."))
            return redirect(standing.get_absolute_url())
        places = composing.townships_under([alarm.place]) if alarm.place else []
        initial |= {
            "kind": drafting.kind_of_quantity(alarm.series.quantity),
            "colour": alarm.colour,
            "places": _codes(places),
        }
    elif request.GET.get("received", "").isdigit():
        rows = ReceivedWarning.objects.visible_to(request.user).filter(space=space)
        received = get_object_or_404(rows, pk=int(request.GET["received"][:18]))
        if not inbound.may_become_ours(received):
            messages.error(request, _("That message is an exercise or a test: no actual warning is made from it."))
            return redirect("alerting:received_message", pk=received.pk)
        cause = inbound.cause_of(received)
        initial |= {"kind": inbound.kind_of(received), "colour": received.colour or None, "geometry": received.geometry}
    initial["kind"] = initial.get("kind") or EventKind.objects.filter(is_active=True).first()
    initial["colour"] = initial.get("colour") or ColourChoice.BLUE.value

    def given(values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "space": space, "by": request.user, "cause": cause}

    return _serve(request, "alerting.draft", _Desk(
        title=_("Compose a warning"), back="alerting:warnings", initial=initial, note=_cause_text(cause, request),
        sub=_("What, where, until when, for whom, in which words"),
        trial=lambda values, texts, at: drafting.compose(**given(values), texts=texts, worded_at=at),
        keep=lambda values, texts: services.draft(**given(values), texts=texts),
    ))  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a draft."""
    found = get_object_or_404(mine(request), pk=pk)
    return _serve(request, "alerting.edit", _edit_desk(request, found), found)


def _edit_desk(request: HttpRequest, found: Warning) -> _Desk:
    area = composing.where_of(found)
    own = Texts(**services.texts_of(found))
    initial = {
        "kind": found.kind, "colour": found.colour, "places": _codes(area.chosen), "geometry": found.geometry,
        "onset": found.onset, "expires": found.expires, "audiences": found.audiences, **_own(area),
    }  # fmt: skip
    cause = Cause(found.cause, found.cause_zh, found.cause_en, found.cause_at)

    def trial(values: dict[str, Any], texts: Texts | None, at: datetime) -> Composed:
        if found.parent is not None:
            return drafting.compose_update(
                found.parent, by=request.user, texts=texts, worded_at=at, replacing=found, **values
            )
        return drafting.compose(space=found.space, by=request.user, cause=cause, texts=texts, worded_at=at, **values)

    def keep(values: dict[str, Any], texts: Texts) -> Warning:
        values = {name: value for name, value in values.items() if name != "expires" or value is not None}
        return services.edit(found, by=request.user, texts=texts, **values)

    return _Desk(
        title=_("Change the draft"), back=found.get_absolute_url(), sub=found.headline, initial=initial, trial=trial, keep=keep,
        follows=found.parent, own_texts=own, written_at=found.composed_at, note=_cause_text(cause, request),
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def update(request: HttpRequest, pk: int) -> HttpResponse:
    """Draft an update of a warning in force."""
    found = get_object_or_404(mine(request), pk=pk)
    if not found.is_in_force:
        messages.error(request, _("Only a warning in force can be updated or cancelled"))
        return redirect(found.get_absolute_url())
    area = composing.where_of(found)
    initial = {
        "colour": found.colour,
        "places": _codes(area.chosen),
        "geometry": found.geometry,
        "expires": found.expires,
        **_own(area),
    }
    return _serve(request, "alerting.update", _Desk(
        title=_("Update the warning"), back=found.get_absolute_url(), sub=found.headline, initial=initial, follows=found,
        trial=lambda values, texts, at: drafting.compose_update(found, by=request.user, texts=texts, worded_at=at, **values),
        keep=lambda values, texts: services.update(found, by=request.user, texts=texts, **values),
    ), found)  # fmt: skip


def _serve(request: HttpRequest, verb: str, desk: _Desk, found: Warning | None = None) -> HttpResponse:
    if not may(request.user, verb) or (found is not None and not drafting.reaches(request.user, found)):
        raise Forbidden(_("This is not for your role, or outside your area."))
    space = space_of(request)
    common: dict[str, Any] = {
        "user": request.user,
        "is_exercise": space.is_exercise,
        "is_update": desk.follows is not None,
    }
    opened = now(space)
    if request.method != "POST":
        form = ComposeForm(initial=desk.initial, **common)
        first = {name: desk.initial.get(name) for name in form.asked}
        first["own_colours"] = desk.initial.get("own_colours") or {}
        first["places"] = list(Place.objects.filter(code__in=first["places"] or ()).order_by("path"))
        has_area = bool(first["places"]) or first["geometry"] is not None
        edited = _edited(desk, first)
        tried = _try(desk, first, edited, opened) if has_area else None
        composed = tried if isinstance(tried, Composed) else None
        problems = [str(tried)] if isinstance(tried, Refused | Forbidden) else []
        auto = composed.filled if composed else Texts()
        shown = _said(edited, auto) if composed or not desk.own_texts else desk.own_texts
        return render(request, "alerting/compose.html", {
            **_context(request, desk, form, opened), **_panel(request, composed, problems), "words": _words(form, shown, auto),
        })  # fmt: skip
    worded = parse_datetime(request.POST.get("worded_at", "")[:40]) or opened
    if worded.tzinfo is None or not opened - WORDED_MOST <= worded <= opened:
        worded = opened
    form = ComposeForm(request.POST, **common)
    valid = form.is_valid()
    typed = Texts(**{name: str(form.data.get(name, "")).replace("\r\n", "\n").strip() for name in TEXTS})
    auto = Texts(**{name: str(form.data.get(f"auto_{name}", "")).replace("\r\n", "\n").strip() for name in TEXTS})
    edited = Texts(**{name: text if (text := getattr(typed, name)) != getattr(auto, name) else "" for name in TEXTS})
    values = {name: form.cleaned_data.get(name) for name in (*form.asked, "own_colours")} if valid else {}
    if request.headers.get("HX-Request"):
        return _answer(request, desk, form, values, edited, typed, auto, worded)
    if valid:
        try:
            made = desk.keep(values, typed)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            if request.POST.get("then") == "submit":
                return _submit(request, made)
            messages.success(request, _("Saved as a draft."))
            return redirect(made.get_absolute_url())
    tried = _try(desk, values, typed, worded) if valid else None
    return render(request, "alerting/compose.html", {
        **_context(request, desk, form, worded), **_panel(request, tried if isinstance(tried, Composed) else None, _problems(form)),
        "words": _words(form, typed, auto),
    }, status=422)  # fmt: skip


def _submit(request: HttpRequest, made: Warning) -> HttpResponse:
    try:
        services.submit(made, by=request.user)
    except Refused as error:
        messages.error(request, _("Saved as a draft, but not submitted: %(why)s") % {"why": error})
    else:
        messages.success(request, _("Submitted. It can go out once another person has approved it."))
    return redirect(made.get_absolute_url())


def _answer(
    request: HttpRequest, desk: _Desk, form: ComposeForm, values: dict[str, Any], edited: Texts, typed: Texts, auto: Texts,
    worded: datetime,
) -> HttpResponse:  # fmt: skip
    """The panel beside the form, and the words again where the template now says something else."""
    tried = _try(desk, values, edited, worded) if values else None
    composed = tried if isinstance(tried, Composed) else None
    if isinstance(tried, Refused | Forbidden):
        form.add_error(None, str(tried))
    context = {**_context(request, desk, form, worded), **_panel(request, composed, _problems(form))}
    if composed is not None:
        said = _said(edited, composed.filled)
        if composed.filled != auto or said != typed:
            context |= {"words": _words(form, said, composed.filled), "swap": True}
    return render(request, "alerting/parts/check.html", context)


def _edited(desk: _Desk, first: dict[str, Any]) -> Texts:
    """Which of a draft's own words somebody has written; the others are empty."""
    if desk.own_texts is None or desk.written_at is None:
        return Texts()
    then = _try(desk, first, None, desk.written_at)
    filled = then.filled if isinstance(then, Composed) else Texts()
    own = desk.own_texts
    return Texts(**{name: text if (text := getattr(own, name)) != getattr(filled, name) else "" for name in TEXTS})


def _said(edited: Texts, filled: Texts) -> Texts:
    """What the fields show: the words somebody wrote, and the template's where nobody did."""
    return Texts(**{name: getattr(edited, name) or getattr(filled, name) for name in TEXTS})


def _try(desk: _Desk, values: dict[str, Any], texts: Texts | None, worded: datetime) -> Composed | Refused | Forbidden:
    try:
        return desk.trial(values, texts, worded)
    except (Refused, Forbidden) as refused:
        return refused


def _context(request: HttpRequest, desk: _Desk, form: ComposeForm, worded: datetime) -> dict[str, Any]:
    chosen = form["places"].value() or []
    codes = {getattr(one, "code", one) for one in chosen}
    field: Any = form.fields["places"]
    places = list(field.queryset)
    return {
        "desk": desk, "form": form, "worded_at": worded.isoformat(),
        "back": desk.back if desk.back.startswith("/") else None,
        "districts": [(p, p.code in codes, " ".join(q.code for q in places if q.level == Level.TOWNSHIP)) for p in places if p.level == Level.DISTRICT],
        "townships": [(p, p.code in codes) for p in places if p.level == Level.TOWNSHIP],
        "own_colours": [form[f"{OWN}{place.code}"] for place in places],
        "has_own_colours": any(form[f"{OWN}{place.code}"].value() for place in places),
        "colours": ColourChoice, "colour": form["colour"].value(), "audiences": _audience_choices(form),
    }  # fmt: skip


def _audience_choices(form: ComposeForm) -> list[tuple[str, Any, bool]]:
    """Each audience, its name, and whether it is ticked; none where the form does not ask."""
    if "audiences" not in form.fields:
        return []
    field: Any = form.fields["audiences"]
    ticked = {str(one) for one in form["audiences"].value() or ()}
    return [(str(value), label, str(value) in ticked) for value, label in field.choices]


def _panel(request: HttpRequest, composed: Composed | None, problems: list[str]) -> dict[str, Any]:
    """What the validator finds and what each audience will see."""
    if composed is None:
        return {"composed": None, "problems": problems}
    warning = composed.warning
    at = now(warning.space).replace(microsecond=0)
    _alert, data, findings = composing.check(warning, at=at, area=composed.where)
    findings = findings + guards.look(warning, at=at, area=composed.where)
    reached = dissemination.responsible_for(composing.townships_under(composed.where.named))
    due = composing.answer_due(warning.colour, at)
    languages = ("zh", "en") if warning.headline_en else ("zh",)
    return {
        "composed": composed, "problems": problems,
        "findings": findings_for(findings, language_of(request)), "errors": len(cap.errors(findings)),
        "previews": [(language, composing.previews(warning, due=due, language=language)) for language in languages],
        "xml": data.decode() if data else "", "reached": reached, "ways": telling.ways(warning, composed.where),
        "gaps": [one.place for one in reached if one.organisation is None],
    }  # fmt: skip


def _problems(form: ComposeForm) -> list[str]:
    """What is wrong with the form, each with the name of its field."""
    own = [
        f"{form[name].label}: {error}" for name, found in form.errors.items() if name in form.fields for error in found
    ]
    return [*(str(error) for error in form.non_field_errors()), *own]


def _words(form: ComposeForm, shown: Texts, auto: Texts) -> list[dict[str, Any]]:
    """The text fields: what stands in them, and what the template put there."""
    return [
        {
            "name": name, "label": form.fields[name].label, "text": getattr(shown, name), "auto": getattr(auto, name),
            "rows": form.fields[name].widget.attrs.get("rows", 1), "errors": form.errors.get(name, []),
            "is_line": name.startswith("headline"), "is_edited": getattr(shown, name) != getattr(auto, name),
            "language": name[-2:], "max_length": getattr(form.fields[name], "max_length", None),
        }
        for name in sorted(TEXTS, key=lambda name: name.endswith("_en"))
    ]  # fmt: skip


def _codes(places: Any) -> list[str]:
    return [place.code for place in places]


def _own(area: composing.Where) -> dict[str, Any]:
    """Single places' colours, as the form starts with them."""
    return {"own_colours": area.levels, **{f"{OWN}{code}": colour for code, colour in area.levels.items()}}


def _audiences(request: HttpRequest) -> list[str]:
    space = space_of(request)
    return [str(one) for one in composing.default_audiences("Exercise" if space.is_exercise else "Actual")]


def _cause_text(cause: Cause, request: HttpRequest) -> str:
    return (cause.en or cause.zh) if language_of(request) == "en" else cause.zh
