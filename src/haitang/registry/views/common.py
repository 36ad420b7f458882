"""What the pages of registers share: which register, which row, who may."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from haitang.accounts.verbs import may
from haitang.registry.declare import Register, find


def register_for(request: HttpRequest, slug: str) -> Register:
    """The register, if there is one of this name that is open to this person."""
    found = find(slug)
    if found is None or getattr(request.user, "role", None) not in found.readers:
        raise Http404(_("There is no register %(slug)s, or it is not open to you.") % {"slug": slug[:40]})
    return found


def row_for(request: HttpRequest, register: Register, code: str, *, whole: bool = False) -> Any:
    """The row of this code, if this person may see it; `whole` with its shape. One query."""
    joins = [name for name in register.form if getattr(register.field(name), "related_model", None)]
    rows = register.rows(request.user).select_related(*joins)
    if whole:
        rows = rows.defer(None)
    found = rows.filter(**{register.key_path: code}).first() if code.isprintable() else None
    if found is None:
        raise Http404(_("There is no row %(code)s, or it is not within your reach.") % {"code": code[:60]})
    return found


def can(request: HttpRequest, register: Register, *actions: str) -> dict[str, bool]:
    """Which of the register's verbs this person's role allows in the world looked at, for showing buttons."""
    is_live = not request.space.is_exercise  # type: ignore[attr-defined]
    return {action: is_live and may(request.user, register.verb(action)) for action in actions}


def locked(request: HttpRequest, register: Register) -> bool:
    """Whether this person may change the register, but not from the exercise he is in."""
    in_exercise = request.space.is_exercise  # type: ignore[attr-defined]
    return bool(in_exercise and may(request.user, register.verb("edit")))


def page_context(request: HttpRequest, register: Register, **more: Any) -> dict[str, Any]:
    """What every page of a register shows."""
    return {
        "register": register,
        "list_url": register.url(),
        "can": can(request, register, "create", "edit", "archive", "delete", "import"),
        "locked": locked(request, register),
        **more,
    }
