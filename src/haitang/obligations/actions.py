"""Which buttons a person gets for an obligation: the verbs that are possible now and allowed to this person."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import pgettext_lazy

from haitang.accounts.models import User
from haitang.obligations import reach
from haitang.obligations.kinds import Text
from haitang.obligations.models import MOVES, Obligation, State

REOPEN = pgettext_lazy("obligation button", "Ask for it again")
WITHDRAW = pgettext_lazy("obligation button", "Withdraw")


@dataclass(frozen=True)
class Action:
    """One button. `asks` names what must come first, so that it is not a matter of one press.

    "report", "reason", "reopen": a form; "page": what is done on the page that the obligation is about.
    """

    verb: str
    label: Text
    icon: str
    style: str = ""
    asks: str = ""


def actions(user: User, obligation: Obligation) -> list[Action]:
    """The buttons for this person, who sees the obligation; the next step first. Costs no query."""
    kind, state = obligation.kind_info, State(obligation.state)
    allowed = MOVES[state]
    found: list[Action] = []
    if obligation.is_open and reach.answers_for(user, obligation):
        report = Action(
            "done", kind.done_label, icon="circle-check", style="primary", asks="" if kind.one_press else "report"
        )
        if kind.elsewhere:
            found.append(Action("done", kind.done_label, icon="arrow-right", style="primary", asks="page"))
        elif kind.one_press:
            found.append(report)
        else:
            if State.RECEIVED in allowed:
                found.append(Action("receive", kind.receive_label, icon="mail-check", style="primary"))
            elif State.STARTED in allowed:
                found.append(Action("start", kind.start_label, icon="player-play", style="primary"))
            found.append(report if not found else Action("done", kind.done_label, icon="circle-check", asks="report"))
        if kind.may_decline:
            found.append(Action("decline", kind.decline_label, icon="hand-stop", asks="reason"))
        if kind.may_refuse:
            found.append(Action("refuse", kind.refuse_label, icon="circle-x", asks="reason"))
    if State.CONFIRMED in allowed and reach.confirms(user, obligation):
        found.append(Action("confirm", kind.confirm_label, icon="checks", style="primary"))
    if reach.directs(user, obligation):
        if State.ISSUED in allowed:
            found.append(Action("reopen", REOPEN, icon="refresh", asks="reopen"))
        if State.WITHDRAWN in allowed:
            found.append(Action("withdraw", WITHDRAW, icon="arrow-back-up", asks="reason"))
    return found
