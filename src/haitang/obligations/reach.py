"""Who may do what with one obligation: role and reach together."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import User
from haitang.accounts.roles import OPERATIONS, STAFF, Role
from haitang.accounts.verbs import Forbidden
from haitang.obligations.models import OPEN, Obligation, State

# Other platforms answer for what they were asked, by their access token.
ANSWERERS = STAFF | {Role.MACHINE}
DIRECTORS = STAFF


def answers_for(user: User, obligation: Obligation) -> bool:
    """Whether it is this user's to answer: of the owner, or of a body above it, or the person named. Costs nothing."""
    if user.pk == obligation.person_id:
        return True
    return bool(user.organisation_id and user.organisation and obligation.owner.path.startswith(user.organisation.path))


def directs(user: User, obligation: Obligation) -> bool:
    """Whether this user may withdraw and reopen it: whoever issued it, and the operations roles in whose reach it lies."""
    if user.pk == obligation.issued_by_id:
        return True
    return user.role in OPERATIONS and sees(user, obligation)


def confirms(user: User, obligation: Obligation) -> bool:
    """Whether this user confirms what was done: one of the kind's roles who sees it and did not do it."""
    roles = obligation.kind_info.confirm_roles
    return bool(roles) and user.role in (roles or ()) and user.pk != obligation.done_by_id and sees(user, obligation)


def sees(user: User, obligation: Obligation) -> bool:
    """Whether the row is in this user's reach. One query."""
    return bool(Obligation.objects.visible_to(user).filter(pk=obligation.pk).exists())


def must_answer(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor answers for it."""
    if not isinstance(by, System) and not answers_for(by, obligation):
        raise Forbidden(
            _("%(title)s is for %(owner)s to answer; %(who)s does not belong to it.")
            % {"title": obligation.title, "owner": obligation.owner.name, "who": by.name or by.username}
        )


def must_direct(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor may withdraw and reopen it."""
    if not isinstance(by, System) and not directs(by, obligation):
        raise Forbidden(_("Only whoever issued it, or the duty room, can withdraw or reopen it."))


def must_confirm(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor may confirm it."""
    if isinstance(by, System):
        return
    if by.pk == obligation.done_by_id:
        raise Forbidden(_("Another person than the one who did it must confirm it."))
    if not confirms(by, obligation):
        raise Forbidden(_("Your role or area does not include confirming this."))


def mine(user: User) -> Q:
    """The condition for what this user has to do: named, or of the own organisation with nobody else named."""
    condition = Q(person=user.pk)
    if user.organisation_id:
        condition |= Q(owner=user.organisation_id, person__isnull=True)
    return condition


def awaiting(user: User) -> Q:
    """The condition for what waits for this user's decision: refused ones to reissue or withdraw, done ones to confirm."""
    from haitang.obligations.kinds import KINDS

    refused = Q(state=State.REFUSED)
    condition = refused & Q(issued_by=user.pk)
    if user.role in OPERATIONS:
        condition |= refused & Q(issued_by__isnull=True)
    kinds = [kind.id for kind in KINDS.values() if kind.confirm_roles and user.role in kind.confirm_roles]
    if kinds:
        condition |= Q(state=State.DONE, kind__in=kinds) & ~Q(done_by=user.pk)
    return condition


def unfinished() -> Q:
    """The condition for what somebody still has to do."""
    return Q(state__in=OPEN)
