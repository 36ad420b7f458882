"""CAP messages from other platforms: kept as they came, with what the validator found. Nothing is passed on by itself."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import Actor, System
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.alerting import area_shapes, cap, colours
from haitang.alerting.cap_model import Alert, Info
from haitang.alerting.drafting import Cause
from haitang.alerting.models import EventKind, ReceivedWarning, Refusal, RefusalReason, Status
from haitang.geo.shapes import GeometryError, check
from haitang.journal.services import record, thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

RECEIVERS = OPERATIONS | {Role.ADMIN, Role.MACHINE, Role.DEPARTMENT}


def count_refusal(reason: str) -> None:
    """Add one to today's count of what was turned away; in its own transaction, so that a refusal does not undo it."""
    day = timezone.localdate()
    with transaction.atomic():
        Refusal.objects.get_or_create(day=day, reason=reason)
        Refusal.objects.filter(day=day, reason=reason).update(count=F("count") + 1)


def receive(*, space: Space, data: bytes, by: Actor) -> tuple[ReceivedWarning, bool]:
    """Keep a CAP message. Returns it, and whether it is new: the same bytes again are not kept twice.

    Raises CapUnreadable where the bytes are no CAP message, Refused where its sender, identifier and time belong to
    another text already; both are counted.
    """
    try:
        alert, findings = cap.parse(data)
    except cap.CapUnreadable:
        count_refusal(RefusalReason.UNREADABLE)
        raise
    findings = findings + cap.validate(alert)
    digest = hashlib.sha256(data).hexdigest()
    key = {"sender": alert.sender[:200], "identifier": alert.identifier[:200], "sent": alert.sent[:40]}
    known = ReceivedWarning.objects.filter(space=space, **key).first()
    if known is not None:
        if known.sha256 == digest:
            return known, False
        count_refusal(RefusalReason.CONFLICT)
        raise Refused(
            _(
                "%(identifier)s of %(sender)s was received before with another text: a changed message needs a new identifier"
            )
            % key
        )
    return _keep(space=space, data=data, digest=digest, alert=alert, findings=findings, by=by), True


@verb("alerting.receive", roles=RECEIVERS)
def _keep(
    *, space: Space, data: bytes, digest: str, alert: Alert, findings: list[cap.Finding], by: Actor
) -> ReceivedWarning:
    """Keep a CAP message from another platform."""
    info = _chinese_first(alert)
    sent = cap.instant(alert.sent)
    received = ReceivedWarning(
        space=space,
        identifier=alert.identifier[:200],
        sender=alert.sender[:200],
        sent=alert.sent[:40],
        sent_at=sent,
        msg_type=alert.msg_type[:20],
        status=alert.status[:20],
        cap_scope=alert.scope[:20],
        cap_xml=data,
        sha256=digest,
        findings=[finding.as_dict() for finding in findings],
        received_at=now(space),
        received_by=None if isinstance(by, System) else by,
    )
    if info is not None:
        received.event = info.event[:200]
        received.headline = (info.headline or "")[:400]
        received.colour = _colour(info)
        received.expires = cap.instant(info.expires) if info.expires else None
        received.geometry = _shape(info)
    received.save()
    record(
        space=space, verb="alerting.receive", by=by, subject=received, colour=received.colour,
        after={"identifier": received.identifier, "sender": received.sender, "findings": len(findings)},
        text_zh=f"收到外部预警：{received}", text_en=f"Warning received: {received}",
    )  # fmt: skip
    return received


def may_become_ours(received: ReceivedWarning) -> bool:
    """Whether a warning may be composed from it here: an exercise or test of others does not become an actual one."""
    return received.status == Status.ACTUAL or received.space.is_exercise


def cause_of(received: ReceivedWarning) -> Cause:
    """A received message as the cause of a warning of ours."""
    info = _chinese_first(_read(received))
    sender = (info.sender_name if info else None) or received.sender
    return Cause(
        thread_of(received), f"收到{sender}预警：{received}", f"Received from {sender}: {received}", received.sent_at
    )


def kind_of(received: ReceivedWarning) -> EventKind | None:
    """Our kind of a received message: by the national code, else by its name."""
    codes = [pair.value for info in _read(received).infos for pair in info.event_codes]
    kinds = EventKind.objects.filter(is_active=True).order_by("code")
    return kinds.filter(code__in=codes).first() or kinds.filter(name_zh=received.event).first()


def _read(received: ReceivedWarning) -> Alert:
    return cap.parse(bytes(received.cap_xml))[0]


def _chinese_first(alert: Alert) -> Info | None:
    chinese = [info for info in alert.infos if (info.language or "").lower().startswith("zh")]
    return next(iter((*chinese, *alert.infos)), None)


def _colour(info: Info) -> str:
    found = (
        colours.parse(info.parameter(colours.COLOUR_PARAMETER) or "")
        or colours.in_headline(info.headline or "")
        or colours.from_severity(info.severity)
    )
    return found.value if found else ""


def _shape(info: Info) -> BaseGeometry | None:
    parts = [shape for area in info.areas if (shape := area_shapes.from_cap(area)) is not None]
    if not parts:
        return None
    union = parts[0]
    for part in parts[1:]:
        union = union.union(part)
    try:
        return check(union)
    except GeometryError:
        return None  # a shape off the earth is a finding already; the message is kept without it
