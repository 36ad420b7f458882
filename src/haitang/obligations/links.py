"""Signed answer links: whoever holds one can answer one obligation as one person, without sign-in, for a while.

The link's age is measured by the server's own clock, not by the space's: it is a matter of security, not of business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from haitang.accounts.models import User
from haitang.obligations.models import LinkCount, LinkOutcome, Obligation
from haitang.obligations.reach import answers_for

SALT = "haitang.obligations.answer"
MOST_CHARS = 120


class BadLink(ValueError):
    """A link that opens nothing: `outcome` says why."""

    def __init__(self, outcome: LinkOutcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.label)


@dataclass(frozen=True)
class Opened:
    """A good link: what it asks, and as whom it answers."""

    obligation: Obligation
    user: User


def _signer() -> signing.TimestampSigner:
    # "~" is not a base64 sign and survives in the text of an SMS.
    return signing.TimestampSigner(sep="~", salt=SALT)


def token(obligation: Obligation, user: User) -> str:
    """The signed token; it names obligation and person, and when it was made."""
    return _signer().sign(f"{obligation.pk}-{user.pk}")


def make(obligation: Obligation, user: User) -> str:
    """The absolute address to send to this person: an answer link, or the page behind sign-in if it is not theirs to answer."""
    if answers_for(user, obligation):
        return f"{settings.PUBLIC_URL}{reverse('obligations:answer', args=[token(obligation, user)])}"
    return f"{settings.PUBLIC_URL}{obligation.get_absolute_url()}"


def open_link(text: str) -> Opened:
    """What a token opens; BadLink if it is forged, cut off, expired, or of an account that was closed."""
    try:
        obligation_id, user_id = (int(part) for part in _signer().unsign(text[:MOST_CHARS]).split("-"))
    except (signing.BadSignature, ValueError):
        raise BadLink(LinkOutcome.FORGED) from None
    obligation = (
        Obligation.objects.select_related("space", "owner", "person", "place", "done_by")
        .filter(pk=obligation_id)
        .first()
    )
    user = User.objects.select_related("organisation__place").filter(pk=user_id, is_active=True).first()
    if obligation is None or user is None:
        raise BadLink(LinkOutcome.EXPIRED)
    hours = float(obligation.data.get("link_hours") or obligation.kind_info.link_hours)
    try:
        _signer().unsign(text[:MOST_CHARS], max_age=timedelta(hours=hours))
    except signing.SignatureExpired:
        raise BadLink(LinkOutcome.EXPIRED) from None
    return Opened(obligation, user)


def count(outcome: LinkOutcome) -> None:
    """Add one to today's number."""
    row = LinkCount.objects.get_or_create(day=timezone.localdate(), outcome=outcome)[0]
    LinkCount.objects.filter(pk=row.pk).update(number=F("number") + 1)
