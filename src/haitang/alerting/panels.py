"""What the page of a feed and of a trusted sender says besides its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.verbs import may
from haitang.alerting.models import FeedSource, ReceivedWarning, TrustedSender
from haitang.frame import Card
from haitang.geo.catalogue import Look
from haitang.registry.values import badge

ROWS = 12


def _state(row: FeedSource) -> tuple[str, str]:
    """How it stands with a feed: words and colour."""
    if not row.is_active:
        return _("not in use"), "grey"
    if row.failures:
        return _("failing"), "red"
    if row.good_at is None:
        return _("not read yet"), "grey"
    late = timezone.now() - row.good_at > timedelta(seconds=3 * row.every_s + 60)
    return (_("not read for long"), "yellow") if late else (_("read well"), "green")


def feeds_now(look: Look, keys: Sequence[Any]) -> Mapping[Any, Any]:
    """How it stands with the feeds. One query."""
    return {row.pk: badge(*_state(row)) for row in FeedSource.objects.filter(pk__in=keys)}


def feed(request: HttpRequest, row: FeedSource) -> Card:
    """When it was read, what went wrong, what came. One query."""
    words, colour = _state(row)
    rows = ReceivedWarning.objects.visible_to(request.user).filter(source=row).defer("cap_xml", "original", "geometry")
    context = {"row": row, "words": words, "colour": colour, "received": list(rows[:ROWS]), "may_read": may(request.user, "alerting.read_feed")}  # fmt: skip
    return Card("alerting/panels/feed.html", context)


def certificate(request: HttpRequest, row: TrustedSender) -> Card:
    """What the certificate says of itself, and how many messages it has vouched for. One query."""
    vouched = ReceivedWarning.objects.visible_to(request.user).filter(signature_by=row.fingerprint, signature="valid")
    pairs = [row.fingerprint[n : n + 2].upper() for n in range(0, len(row.fingerprint), 2)]
    return Card(
        "alerting/panels/certificate.html",
        {
            "row": row,
            "fingerprint": ":".join(pairs),
            "vouched": vouched.count(),
            "ended": row.valid_until < timezone.now(),
        },
    )
