"""Rules: the list, one rule, its form and text, its back-test, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from haitang.accounts.roles import OFFICIALS
from haitang.accounts.verbs import Forbidden, Refused, may, require
from haitang.geo.catalogue import matching
from haitang.journal.models import Entry
from haitang.journal.services import thread_of
from haitang.monitoring import charts, queries, rule_forms, rule_history, rule_network, services
from haitang.monitoring.models import Alarm, Colour, Rule, Series
from haitang.monitoring.models.alarms import OPEN
from haitang.monitoring.rule_forms import BacktestForm, RuleForm, TextForm
from haitang.monitoring.rule_text import RuleTextError
from haitang.monitoring.views.stations import space_of
from haitang.spaces.clock import now

PAGE = 50
TABS = ("live", "drafts", "off", "compound")
MOST_CODES = 1000


def _mine(request: HttpRequest) -> Any:
    rows = Rule.objects.visible_to(request.user)
    return rows.select_related("series__station__place", "minus__station", "inhibited_by")


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """All rules in reach."""
    rows = _mine(request)
    parts = {
        "live": rows.filter(is_active=True), "drafts": rows.filter(is_draft=True),
        "off": rows.filter(is_active=False, is_draft=False), "compound": rows.filter(condition__isnull=False),
    }  # fmt: skip
    tab = request.GET["tab"] if request.GET.get("tab") in TABS else "live"
    counts = {name: part.order_by().count() for name, part in parts.items()}
    found, text = parts[tab], request.GET.get("q", "").strip()
    if text:
        found = matching(found, text, "code", "name_zh", "name_en", "series__code", "series__station__name_zh")
    page = Paginator(found.order_by("code"), PAGE).get_page(request.GET.get("page"))
    alarms = Alarm.objects.visible_to(request.user).filter(space=space_of(request), state__in=OPEN)
    standing = queries.highest(alarms.filter(rule__in=[rule.pk for rule in page]), "rule")
    listed = [(rule, standing.get(rule.pk, "")) for rule in page]
    context = {"page": page, "listed": listed, "tab": tab, "counts": counts, "q": text,
               "may_write": may(request.user, "monitoring.write_rule")}  # fmt: skip
    part = request.headers.get("HX-Target") == "rules"
    return render(request, "monitoring/parts/rule_rows.html" if part else "monitoring/rules.html", context)


@require_safe
@login_required
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """One rule: what it says, as text, its test cases, its alarms, who changed it."""
    found = get_object_or_404(_mine(request), pk=pk)
    trouble = ""
    try:
        rule_network.specs([found])
        trials = rule_network.trials(found)
    except ValueError as error:
        trouble, trials = str(error), []
    alarms = Alarm.objects.visible_to(request.user).filter(space=space_of(request), rule=found).order_by("-opened_at")
    context = {
        "rule": found, "text": rule_forms.as_text(found), "trials": trials, "trouble": trouble,
        "alarms": alarms.select_related("station")[:10],
        "entries": Entry.objects.visible_to(request.user).filter(thread=thread_of(found)).order_by("-seq")[:20],
        "may_write": may(request.user, "monitoring.write_rule") and _may_change(request, found),
        "may_publish": may(request.user, "monitoring.publish_rule"),
        "may_copy": may(request.user, "monitoring.write_rule"),
        "may_try": request.user.role in OFFICIALS,  # type: ignore[union-attr]
    }  # fmt: skip
    return render(request, "monitoring/rule.html", context)


def _may_change(request: HttpRequest, found: Rule) -> bool:
    return not found.is_active or may(request.user, "monitoring.publish_rule")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Write a rule: as a form or as text, which say the same."""
    require("monitoring.write_rule", request.user)
    known = get_object_or_404(_mine(request), pk=pk) if pk else None
    copied = known is not None and "copy" in request.GET
    as_text = request.GET.get("as") == "text" or (known is not None and not rule_forms.fits_form(known))
    maker = TextForm if as_text else RuleForm
    if request.method == "POST":
        form = maker(request.POST)
        if form.is_valid() and (saved := _save(request, form)):
            messages.success(request, _("The rule is saved."))
            return redirect(saved)
    else:
        form = maker(initial=_initial(request, known, copied=copied, as_text=as_text))
    series = Series.objects.visible_to(request.user).filter(is_active=True).order_by("code")
    context = {
        "form": form, "rule": None if copied else known, "source": known, "copied": copied, "as_text": as_text,
        "fits": known is None or rule_forms.fits_form(known),
        "series_codes": series.values_list("code", "station__name_zh")[:MOST_CODES],
        "rule_codes": _rule_codes(request),
    }  # fmt: skip
    return render(request, "monitoring/rule_edit.html", context)


def _rule_codes(request: HttpRequest) -> Any:
    return _mine(request).filter(condition__isnull=True).order_by("code").values_list("code", "name_zh")[:MOST_CODES]


def _initial(request: HttpRequest, known: Rule | None, *, copied: bool, as_text: bool) -> dict[str, Any]:
    live = may(request.user, "monitoring.publish_rule")
    if known is None:
        series = request.GET.get("series", "")[:60]
        if as_text:
            return {"text": f'[[rule]]\ncode = "{series}.new"\nseries = "{series}"\nblue = 0\ndraft = true\n'}
        return {"series": series, "draft": True, "about": "readings", "danger": "above", "join": "all"}
    if copied:
        known.code, known.is_draft, known.is_active = f"{known.code}.copy"[:80], True, False
    elif not live:
        known.is_draft = True
    return {"text": rule_forms.as_text(known)} if as_text else rule_forms.initial(known)


def _save(request: HttpRequest, form: Any) -> Rule | None:
    try:
        return services.write_rule(form.rule, by=request.user)  # type: ignore[arg-type]
    except RuleTextError as error:
        form.blame(error)
    except ValidationError as error:
        for field, texts in error.message_dict.items():
            form.add_error(field if field in form.fields else None, texts)
    except Refused as error:
        form.add_error(None, str(error))
    return None


@require_safe
@login_required
def backtest(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a rule on what is stored: alarms it would have raised, on a chart and against events."""
    if request.user.role not in OFFICIALS:  # type: ignore[union-attr]
        raise Forbidden(_("Rules are tried by officials."))
    found = get_object_or_404(_mine(request), pk=pk)
    space, report, chart = space_of(request), None, None
    today = timezone.localtime(now(space)).date()
    given = request.GET if "start" in request.GET else None
    form = BacktestForm(given, initial={"start": today - timedelta(days=30), "end": today, "at": "blue", "reach": 6})
    if form.is_valid():
        clean = form.cleaned_data
        start, end = _midnight(clean["start"]), _midnight(clean["end"]) + timedelta(days=1)
        against = _mine(request).filter(code=clean["against"]).first() if clean["against"] else None
        if clean["against"] and against is None:
            form.add_error("against", _("No rule in your reach has this code."))
        else:
            try:
                report = rule_history.run(
                    space, found, start, end, level=Colour(clean["at"] or "blue").level, against=against,
                    events=clean["events"], reach_s=3600 * (6.0 if clean["reach"] is None else clean["reach"]),
                )  # fmt: skip
                chart = charts.of_rule(space, found, start, end, marks=rule_history.marks(report))
            except ValueError as error:  # refused, or the rule cannot be resolved
                form.add_error(None, str(error))
    context = {"rule": found, "form": form, "report": report, "chart": chart, "rule_codes": _rule_codes(request),
               "may_publish": may(request.user, "monitoring.publish_rule") and not found.is_active}  # fmt: skip
    return render(request, "monitoring/rule_backtest.html", context)


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - made aware here


def _act(verb: Callable[..., Rule], said: Any) -> Callable[[HttpRequest, int], HttpResponse]:
    @require_POST
    @login_required
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        found = get_object_or_404(_mine(request), pk=pk)
        try:
            verb(found, by=request.user)
            messages.success(request, said())
        except RuleTextError as error:
            messages.error(request, str(error))
        return redirect(found)

    return view


publish = _act(services.publish_rule, lambda: _("The rule is live; it opens alarms from now on."))
withdraw = _act(services.withdraw_rule, lambda: _("The rule is a draft again; it opens no alarms."))


@require_POST
@login_required
def reset(request: HttpRequest, pk: int) -> HttpResponse:
    """Set back an alarm that is held until somebody does so."""
    rows = Alarm.objects.visible_to(request.user).filter(space=space_of(request))
    found = get_object_or_404(rows.select_related("rule", "station", "place", "space"), pk=pk)
    services.reset_alarm(found, by=request.user)  # type: ignore[arg-type]
    return redirect(found.get_absolute_url())
