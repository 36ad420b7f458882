"""Who sees which rows. The only way a view, API, tile, export or stream reads is `Model.objects.visible_to(user)`.

A model declares what ties a row to a place, an organisation or a person; the user's role gives the reach:

- administrators, duty officers, commanders, departments, townships and grid workers see the rows of the places at
  or below their organisation's own place (a department's place is the district);
- everybody sees the rows of their own organisation and the organisations below it, and rows tied to themselves;
- whoever has not signed in sees only what is `public`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser, UserManager
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import Q

from haitang.accounts.roles import SEES_PLACE, Role

if TYPE_CHECKING:
    from haitang.accounts.models import User

NOTHING = Q(pk__in=())


@dataclass(frozen=True)
class Scope:
    """How rows of a model are tied to places, organisations and people (field paths from the model).

    `signed_in` opens the rows to whoever signed in, `public` to everybody who matches the condition,
    `roles` closes the whole model to other roles.
    """

    place: str | None = None
    organisation: str | None = None
    person: str | None = None
    signed_in: bool = False
    public: Q | None = None
    roles: Collection[str] | None = None

    def condition(self, user: User | AnonymousUser) -> Q:
        """The rows this user sees, as a condition on the model."""
        public = self.public if self.public is not None else NOTHING
        if not user.is_authenticated or not user.is_active:
            return public
        assert not isinstance(user, AnonymousUser)
        if self.roles is not None and user.role not in self.roles:
            return public
        if self.signed_in or (self.roles is not None and not (self.place or self.organisation or self.person)):
            return Q()
        seen = public
        organisation = user.organisation
        if self.place and organisation and organisation.place and user.role in SEES_PLACE:
            seen |= Q(**{f"{self.place}__startswith": organisation.place.path})
            # Rows without a place belong to the whole district: its officers see them.
            if organisation.place.parent_id is None and user.role != Role.MACHINE:
                seen |= Q(**{f"{self.place}__isnull": True})
        if self.organisation and organisation:
            seen |= Q(**{f"{self.organisation}__startswith": organisation.path})
        if self.person:
            seen |= Q(**{self.person: user.pk})
        return seen


class ScopedQuerySet(models.QuerySet[Any]):
    """A queryset that knows who may see its rows."""

    def visible_to(self, user: User | AnonymousUser) -> ScopedQuerySet:
        """Only the rows that this user may see."""
        scope = getattr(self.model, "scope", None)
        if not isinstance(scope, Scope):
            raise ImproperlyConfigured(f"{self.model.__name__} declares no scope")
        return self.filter(scope.condition(user))


class _UserManager(UserManager["User"]):
    """Django's user manager over scoped rows."""

    def get_queryset(self) -> ScopedQuerySet:  # type: ignore[override]
        return ScopedQuerySet(self.model, using=self._db)

    def visible_to(self, user: User | AnonymousUser) -> ScopedQuerySet:
        """Only the people that this user may see."""
        return self.get_queryset().visible_to(user)


class ScopedManager(models.Manager.from_queryset(ScopedQuerySet)):  # type: ignore[misc]
    """The manager of every model with a scope."""

    @staticmethod
    def for_users() -> Any:
        """The manager of the user model."""
        return _UserManager()


def same_reach(user: User | AnonymousUser) -> str:
    """A key that two users share when they see the same rows of every place-scoped model (for caches)."""
    if not user.is_authenticated:
        return "public"
    assert not isinstance(user, AnonymousUser)
    organisation = user.organisation
    place = organisation.place.path if organisation and organisation.place else ""
    return f"{user.role}:{place}:{organisation.path if organisation else ''}:{user.pk if not organisation else ''}"
