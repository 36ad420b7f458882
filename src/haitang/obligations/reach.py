"""Who may do what with one obligation: role and reach together. Nothing here costs a query but `sees`."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import User
from haitang.accounts.roles import OPERATIONS, STAFF, Role
from haitang.accounts.verbs import Forbidden
from haitang.obligations.kinds import KINDS
from haitang.obligations.models import Obligation, State

# Other platforms answer for what they were asked, by their access token.
ANSWERERS = STAFF | {Role.MACHINE}
DIRECTORS = STAFF


def sees(user: User, obligation: Obligation) -> bool:
    """Whether the row is in this user's reach. One query."""
    return bool(Obligation.objects.visible_to(user).filter(pk=obligation.pk).exists())


def answers_for(user: User, obligation: Obligation) -> bool:
    """Whether it is this user's to answer: of the owner, or of a body above it, or the person named."""
    if user.role not in ANSWERERS:
        return False
    if user.pk == obligation.person_id:
        return True
    return bool(user.organisation and obligation.owner.path.startswith(user.organisation.path))


def directs(user: User, obligation: Obligation) -> bool:
    """Whether this user, who sees it, may withdraw and reopen it: whoever issued it, and the operations roles."""
    return user.role in DIRECTORS and (user.pk == obligation.issued_by_id or user.role in OPERATIONS)


def confirms(user: User, obligation: Obligation) -> bool:
    """Whether this user, who sees it, confirms what was done: one of the kind's roles, and not who did it."""
    return user.role in (obligation.kind_info.confirm_roles or ()) and user.pk != obligation.done_by_id


def must_answer(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor answers for it."""
    if not isinstance(by, System) and not answers_for(by, obligation):
        raise Forbidden(
            _("%(title)s is for %(owner)s to answer; %(who)s does not belong to it.")
            % {"title": obligation.title, "owner": obligation.owner.name, "who": by.name or by.username}
        )


def must_direct(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor may withdraw and reopen it."""
    if isinstance(by, System) or (
        directs(by, obligation) and (by.pk == obligation.issued_by_id or sees(by, obligation))
    ):
        return
    raise Forbidden(_("Only whoever issued it, or the duty room, can withdraw or reopen it."))


def must_confirm(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor may confirm it."""
    if isinstance(by, System):
        return
    if by.pk == obligation.done_by_id:
        raise Forbidden(_("Another person than the one who did it must confirm it."))
    if not (confirms(by, obligation) and sees(by, obligation)):
        raise Forbidden(_("Your role or area does not include confirming this."))


def mine(user: User) -> Q:
    """The condition for what this user has to do: named, or of the own organisation with nobody else named."""
    condition = Q(person=user.pk)
    if user.organisation_id:
        condition |= Q(owner=user.organisation_id, person__isnull=True)
    return condition


def awaiting(user: User) -> Q:
    """The condition for what waits for this user's decision: refused ones to reissue or withdraw, done ones to confirm."""
    refused = Q(state=State.REFUSED)
    condition = refused & Q(issued_by=user.pk)
    if user.role in OPERATIONS:
        condition |= refused & Q(issued_by__isnull=True)
    kinds = [kind.id for kind in KINDS.values() if user.role in (kind.confirm_roles or ())]
    if kinds:
        condition |= Q(state=State.DONE, kind__in=kinds) & (Q(done_by__isnull=True) | ~Q(done_by=user.pk))
    return condition
