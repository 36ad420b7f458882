"""Who may do what with one obligation: role and reach together. Nothing here costs a query but `sees`."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OPERATIONS, STAFF, Role
from haitang.accounts.verbs import Forbidden, Refused
from haitang.obligations.kinds import KINDS
from haitang.obligations.models import Obligation, State

# Other platforms answer for what they were asked, by their access token.
ANSWERERS = STAFF | {Role.MACHINE}
DIRECTORS = STAFF
ORDERERS = OPERATIONS | {Role.DEPARTMENT, Role.TOWNSHIP}


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
    """Whether this user, who sees it, confirms what was done: one of the kind's roles or the issuer, and not who did it."""
    roles = obligation.kind_info.confirm_roles or ()
    return (
        bool(roles) and user.pk != obligation.done_by_id and (user.role in roles or user.pk == obligation.issued_by_id)
    )


def must_answer(by: Actor, obligation: Obligation) -> None:
    """Raise Forbidden unless the actor answers for it."""
    if not isinstance(by, System) and not answers_for(by, obligation):
        raise Forbidden(
            _("%(title)s is for %(owner)s to answer; %(who)s does not belong to it.")
            % {"title": obligation.title, "owner": obligation.owner.name, "who": by.name or by.username}
        )


def must_be_here(obligation: Obligation) -> None:
    """Refused where a press decides nothing, because it is done on the page that it is about."""
    if obligation.kind_info.elsewhere:
        raise Refused(_("This is done on the page that it is about: decide or write there."))


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
    confirmed = [kind for kind in KINDS.values() if kind.confirm_roles]
    to_confirm = Q(kind__in=[kind.id for kind in confirmed if user.role in (kind.confirm_roles or ())])
    to_confirm |= Q(kind__in=[kind.id for kind in confirmed], issued_by=user.pk)
    return condition | (Q(state=State.DONE) & to_confirm & (Q(done_by__isnull=True) | ~Q(done_by=user.pk)))


def may_order(user: User) -> QuerySet[Organisation]:
    """The organisations this user may give a task to: the own one, those below it, and those in its place; none above."""
    body = user.organisation
    if user.role not in ORDERERS or body is None:
        return Organisation.objects.none()
    within = Q(path__startswith=body.path)
    if body.place:
        within |= Q(place__path__startswith=body.place.path)
    above = [body.path[: end + 1] for end, sign in enumerate(body.path) if sign == "/"][:-1]
    return Organisation.objects.filter(within).exclude(path__in=above).order_by("path")
