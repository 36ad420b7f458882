"""Components that show obligations, for every slice's pages: `{% load obligations %}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.translation import pgettext

from haitang.obligations.actions import Action, actions
from haitang.obligations.models import Obligation, State

register = template.Library()


def dressed(rows: Iterable[Obligation], user: Any) -> list[tuple[Obligation, list[Action], Action | None]]:
    """Rows, each with the buttons that can be pressed in a list, or the one that leads to the page where words are asked."""
    known = bool(getattr(user, "is_authenticated", False))
    found = []
    for row in rows:
        possible = actions(user, row) if known else []
        presses = [action for action in possible if not action.asks]
        leads = {"report", "page", *(["reopen"] if row.state == State.REFUSED else [])}
        first = next((action for action in possible if action.asks in leads), None)
        found.append((row, presses, first if first and (not presses or first.asks == "page") else None))
    return found


@register.inclusion_tag("obligations/parts/rows.html", takes_context=True, name="obligations")
def obligations(context: template.Context, rows: Iterable[Obligation], owner: bool = True, alert: bool = False,
                empty: Any = "", empty_text: Any = "", next: str = "") -> dict[str, Any]:  # fmt: skip
    """What must be done: title, who, due time, state, and the buttons of whoever looks.

    Rows must be visible to the reader, with `select_related("owner", "person", "place")`. `owner=False` leaves the
    organisation out; `alert` sounds for new red rows; `empty` is said when there is nothing; after a press the page
    `next` is shown (this page).
    """
    request = context.get("request")
    return {
        "rows": dressed(rows, getattr(request, "user", None)), "owner": owner, "alert": alert,
        "empty": empty or pgettext("obligation", "Nothing to do"), "empty_text": empty_text, "next": next or _back(request),
        "csrf_token": context.get("csrf_token"),
    }  # fmt: skip


def _back(request: Any) -> str:
    """Where the press leads back to: the page that asked for this part, when it is a part that was fetched again."""
    if request is None:
        return ""
    return str(request.headers.get("HX-Current-URL") or request.get_full_path())


@register.inclusion_tag("obligations/parts/buttons.html", takes_context=True)
def obligation_buttons(
    context: template.Context, obligation: Obligation, next: str = "", wide: bool = False
) -> dict[str, Any]:
    """The buttons of one obligation that need nothing but a press."""
    request = context.get("request")
    [(row, found, _open)] = dressed([obligation], getattr(request, "user", None))
    return {"obligation": row, "actions": found, "next": next or _back(request), "wide": wide, "csrf_token": context.get("csrf_token")}  # fmt: skip
