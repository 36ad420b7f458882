"""Verbs: what can be done, by whom. One decorator checks the role, opens the transaction and lists the verb.

    @verb("alerting.approve", roles={Role.COMMANDER})
    def approve(warning: Warning, *, by: Actor) -> Warning: ...

What a role may do is read from here by the permission matrix and by tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

from django.db import transaction
from django.utils.translation import gettext as _

from haitang.accounts.actors import System

P = ParamSpec("P")
R = TypeVar("R")


class Forbidden(PermissionError):
    """The actor's role, or reach, does not allow this verb."""


class Refused(ValueError):
    """The verb cannot be done now: the message names the rule and the remedy."""


@dataclass(frozen=True)
class Verb:
    """A listed verb: its name, the roles that may use it, and its first line of documentation."""

    name: str
    roles: frozenset[str]
    doc: str


VERBS: dict[str, Verb] = {}


def verb(name: str, *, roles: Collection[str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a service function a verb: role of `by` checked, everything in one transaction."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if name in VERBS:
            raise RuntimeError(f"verb {name} is declared twice")
        VERBS[name] = Verb(name, frozenset(roles), (function.__doc__ or "").strip().split("\n")[0])

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(name, kwargs.get("by"))
            with transaction.atomic():
                return function(*args, **kwargs)

        return cast(Callable[P, R], checked)

    return decorate


def may(actor: object, name: str) -> bool:
    """Whether this actor's role allows the verb."""
    if isinstance(actor, System):
        return True
    return bool(getattr(actor, "is_active", False)) and getattr(actor, "role", None) in VERBS[name].roles


def require(name: str, actor: object) -> None:
    """Raise Forbidden unless the actor's role allows the verb."""
    if not may(actor, name):
        raise Forbidden(
            _("%(who)s may not do %(verb)s") % {"who": getattr(actor, "username", None) or _("a visitor"), "verb": name}
        )
