"""The answer page behind a signed link: no sign-in; whoever holds the link answers this one thing as the person it names."""

from __future__ import annotations

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from haitang.accounts.verbs import Forbidden, Refused
from haitang.obligations import links, services
from haitang.obligations.forms import ReasonForm, ReportForm
from haitang.obligations.models import LinkOutcome, State
from haitang.obligations.reach import answers_for, must_be_here

# Bad links from one address before it is turned away, and for how long. Good ones always open: many people may share
# an address, and nobody must be kept from answering by a neighbour who guesses.
MOST_BAD, WINDOW_S = 20, 600
STATUS = {LinkOutcome.FORGED: 404, LinkOutcome.EXPIRED: 410, LinkOutcome.LIMITED: 429}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what is asked and for whom; POST answers. Pressed twice, it stays answered."""
    try:
        opened = links.open_link(token)
    except links.BadLink as bad:
        return _bad(request, bad.outcome)
    obligation, user = opened.obligation, opened.user
    # The page shows the world, the clock and the mark of the exercise that the obligation belongs to.
    request.space = obligation.space  # type: ignore[attr-defined]
    if not answers_for(user, obligation):
        return _bad(request, LinkOutcome.EXPIRED)
    problem = ""
    if request.method == "POST":
        problem = _do(request, opened)
        if not problem:
            links.count(LinkOutcome.USED)
            return redirect(request.path)
    elif request.method == "GET":
        links.count(LinkOutcome.SEEN)
    kind = obligation.kind_info
    replies = list(obligation.replies.filter(round=obligation.round).select_related("user"))
    context = {
        "confirmed": [reply for reply in replies if not reply.is_negative],
        "own": next((reply for reply in replies if reply.user_id == user.pk), None),
        "obligation": obligation, "kind": kind, "as_user": user, "problem": problem,
        "can_receive": not kind.one_press and obligation.state == State.ISSUED,
        "report": ReportForm(auto_id="id_done_%s"), "reason": ReasonForm(auto_id="id_refuse_%s"),
    }  # fmt: skip
    return render(request, "obligations/answer.html", context, status=409 if problem else 200)


def _do(request: HttpRequest, opened: links.Opened) -> str:
    """Answer; the text of what is wrong, empty when it is answered (or was already)."""
    obligation, user, verb = opened.obligation, opened.user, request.POST.get("do", "done")
    try:
        if verb == "done":
            form = ReportForm(request.POST, request.FILES)
            if not form.is_valid():
                return " ".join(" ".join(errors) for errors in form.errors.values())
            must_be_here(obligation)
            if obligation.is_open:
                given = form.cleaned_data
                services.complete(
                    obligation, by=user, note=given["note"], photos=given["photos"], position=form.position(), link=request.path
                )  # fmt: skip
        elif verb == "receive":
            if obligation.state == State.ISSUED:
                services.receive(obligation, by=user)
        elif verb in {"decline", "refuse"}:
            reason = ReasonForm(request.POST)
            if not reason.is_valid():
                return " ".join(" ".join(errors) for errors in reason.errors.values())
            if obligation.is_open:
                say = services.decline if verb == "decline" else services.refuse
                say(obligation, by=user, reason=reason.cleaned_data["reason"])
        else:
            return _("This link cannot do that.")
    except (Refused, Forbidden) as error:
        obligation.refresh_from_db()
        # Somebody else of the office may have answered in between: then it is answered, and that is what matters.
        return str(error) if obligation.is_open and verb != "receive" else ""
    return ""


def _bad(request: HttpRequest, outcome: LinkOutcome) -> HttpResponse:
    key = f"obligations-bad-links-{request.META.get('REMOTE_ADDR', '')}"
    tried = cache.get(key, 0) + 1
    cache.set(key, tried, WINDOW_S)
    if tried > MOST_BAD:
        outcome = LinkOutcome.LIMITED
    if tried <= MOST_BAD + 1:  # a flood is counted once and costs no write afterwards
        links.count(outcome)
    response = render(request, "obligations/answer_bad.html", {"outcome": outcome.value}, status=STATUS[outcome])
    if outcome == LinkOutcome.LIMITED:
        response["Retry-After"] = str(WINDOW_S)
    return response
