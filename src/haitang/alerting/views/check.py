"""Check a CAP message: what the validator thinks of it, beside its text. Nothing of it is kept."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from haitang.accounts.verbs import Forbidden
from haitang.alerting import cap, composing, inbound
from haitang.alerting.forms import CheckForm
from haitang.alerting.menu import CHECKERS
from haitang.alerting.models import SignatureVerdict
from haitang.alerting.views.common import language_of

# Of a long message so much is shown; its findings are told all the same.
SHOWN_LINES, SHOWN_WIDTH = 3000, 400


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def check(request: HttpRequest) -> HttpResponse:
    """Paste or upload one message; the answer stands beside it."""
    if getattr(request.user, "role", None) not in CHECKERS:
        raise Forbidden
    form = CheckForm(request.POST or None, request.FILES or None) if request.method == "POST" else CheckForm()
    context: dict[str, Any] = {"form": form}
    status = 200
    if request.method == "POST":
        if form.is_valid():
            context |= _looked_at(form.cleaned_data["data"], form.cleaned_data["profile"], language_of(request))
        else:
            status = 422
    return render(request, "alerting/check.html", context, status=status)


def _looked_at(data: bytes, profile: str, language: str) -> dict[str, Any]:
    """The findings by line, and the text with its lines numbered."""
    verdict, alert = None, None
    try:
        alert, findings = cap.parse(data)
    except cap.CapUnreadable as error:
        findings = [error.finding]
    else:
        codes = composing.event_codes() if profile == "cn" else None
        findings = findings + cap.validate(alert, profile or None, codes)
        judged = inbound.judge(alert, data)
        verdict = (SignatureVerdict(judged.verdict.value), judged.detail)
    order = {"error": 0, "warning": 1, "advice": 2}
    rows = [
        {**one.as_dict(), "what": one.what(language), "fix": one.fix(language)}
        for one in sorted(findings, key=lambda one: (order[one.level.value], one.line))
    ]
    by_line: dict[int, str] = {}
    for row in rows:
        by_line.setdefault(int(row["line"]), str(row["level"]))
    lines = data.decode("utf-8", "replace").splitlines()
    shown = [(n, line[:SHOWN_WIDTH], by_line.get(n, "")) for n, line in enumerate(lines[:SHOWN_LINES], 1)]
    return {
        "looked": True, "alert": alert, "findings": rows, "verdict": verdict, "lines": shown, "more": len(lines) > SHOWN_LINES,
        "errors": sum(row["level"] == "error" for row in rows), "doubts": sum(row["level"] == "warning" for row in rows),
    }  # fmt: skip
