"""CAP messages from other platforms: kept as they came, with what the validator found. Nothing is passed on by itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from haitang.accounts.actors import Actor, System
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.alerting import area_shapes, cap, cap_signature, colours, national
from haitang.alerting.cap_model import Alert, Info
from haitang.alerting.cap_values import as_utc, references
from haitang.alerting.drafting import Cause
from haitang.alerting.models import (
    EventKind,
    FeedSource,
    ReceivedWarning,
    Refusal,
    RefusalReason,
    SignatureVerdict,
    Status,
    TrustedSender,
)
from haitang.geo.shapes import GeometryError, check
from haitang.journal.services import record, thread_of
from haitang.spaces.clock import now
from haitang.spaces.models import Space

# The same words within this time are the same warning.
SAME_WITHIN = timedelta(days=2)
REPLACING = ("Update", "Cancel")
BAD = frozenset(
    {
        SignatureVerdict.BAD_DIGEST,
        SignatureVerdict.BAD_SIGNATURE,
        SignatureVerdict.MISPLACED,
        SignatureVerdict.MALFORMED,
    }
)
RECEIVERS = OPERATIONS | {Role.ADMIN, Role.MACHINE, Role.DEPARTMENT}


def count_refusal(reason: str) -> None:
    """Add one to today's count of what was turned away; in its own transaction, so that a refusal does not undo it."""
    day = timezone.localdate()
    with transaction.atomic():
        Refusal.objects.get_or_create(day=day, reason=reason)
        Refusal.objects.filter(day=day, reason=reason).update(count=F("count") + 1)


@dataclass(frozen=True)
class Arrival:
    """How a message came: by which feed, and in which form where that was not CAP."""

    source: FeedSource | None = None
    original: bytes | None = None
    original_type: str = ""


def receive(
    *, space: Space, data: bytes, by: Actor, arrival: Arrival = Arrival(), notes: Sequence[cap.Finding] = ()
) -> tuple[ReceivedWarning, bool]:
    """Keep a CAP message. Returns it, and whether it is new: the same bytes again are not kept twice.

    Its signature is judged now, against the certificates pinned for its sender, and the verdict stays. Raises
    CapUnreadable where the bytes are no CAP message, Refused where its sender, identifier and time belong to another text
    already; both are counted.
    """
    try:
        alert, findings = cap.parse(data)
    except cap.CapUnreadable:
        count_refusal(RefusalReason.UNREADABLE)
        raise
    findings = [*notes, *findings, *cap.validate(alert)]
    digest = hashlib.sha256(data).hexdigest()
    key = {"sender": alert.sender[:200], "identifier": alert.identifier[:200], "sent": alert.sent[:40]}
    known = ReceivedWarning.objects.filter(space=space, **key).first()
    if known is not None:
        if known.sha256 == digest:
            ReceivedWarning.objects.filter(pk=known.pk).update(seen_at=now(space))
            return known, False
        count_refusal(RefusalReason.CONFLICT)
        raise Refused(
            _(
                "%(identifier)s of %(sender)s was received before with another text: a changed message needs a new identifier"
            )
            % key
        )
    judged = judge(alert, data)
    return _keep(
        space=space, data=data, digest=digest, alert=alert, findings=findings, judged=judged, arrival=arrival, by=by
    ), True


def receive_national(
    *, space: Space, record: Mapping[str, Any], by: Actor, source: FeedSource | None = None
) -> tuple[ReceivedWarning, bool]:
    """Keep a record of the national platform's form: as it came, and as the CAP message that we make of it.

    Raises NotNational where it is none.
    """
    try:
        alert, notes = national.from_national(record)
        data = cap.build(alert)
    except (national.NotNational, cap.CapInvalid) as error:
        count_refusal(RefusalReason.UNREADABLE)
        raise national.NotNational(str(error)) from error
    original = json.dumps(record, ensure_ascii=False, sort_keys=True).encode()
    arrival = Arrival(source, original, "application/json")
    return receive(space=space, data=data, by=by, arrival=arrival, notes=notes)


def judge(alert: Alert, data: bytes) -> cap_signature.Judgement:
    """What to think of a message's signature now, by the certificates pinned for the sender it names. One query."""
    if not alert.signed and b"Signature" not in data:
        return cap_signature.Judgement(cap_signature.Verdict.UNSIGNED)
    pinned = TrustedSender.objects.filter(sender=alert.sender, is_active=True).order_by("pk")
    certificates = []
    for row in pinned:
        try:
            certificates.append(cap_signature.load_certificate(row.certificate.strip().encode()))
        except cap_signature.KeyTrouble:
            continue  # one that cannot be read vouches for nobody
    # A certificate is valid in the world's time, whatever clock an exercise keeps.
    return cap_signature.judge(data, certificates, timezone.now())


@verb("alerting.receive", roles=RECEIVERS)
def _keep(
    *, space: Space, data: bytes, digest: str, alert: Alert, findings: list[cap.Finding],
    judged: cap_signature.Judgement, arrival: Arrival, by: Actor,
) -> ReceivedWarning:  # fmt: skip
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
        signature=judged.verdict.value,
        signature_detail=judged.detail[:200],
        signature_by=judged.fingerprint,
        source=arrival.source,
        original=arrival.original,
        original_type=arrival.original_type,
        content_digest=content_digest(alert),
        received_at=now(space),
        seen_at=now(space),
        received_by=None if isinstance(by, System) else by,
    )
    if info is not None:
        received.event = info.event[:200]
        received.headline = (info.headline or "")[:400]
        received.colour = _colour(info)
        received.expires = cap.instant(info.expires) if info.expires else None
        received.geometry = _shape(alert, info)
    recent = ReceivedWarning.objects.filter(space=space, received_at__gte=received.received_at - SAME_WITHIN)
    received.same_as = recent.filter(content_digest=received.content_digest, same_as=None).order_by("pk").first()
    received.save()
    _link(received, alert)
    record(
        space=space, verb="alerting.receive", by=by, subject=received, colour=received.colour,
        after={
            "identifier": received.identifier, "sender": received.sender, "findings": len(findings),
            "signature": received.signature, "source": arrival.source.code if arrival.source else "",
        },
        text_zh=f"收到外部预警：{received}", text_en=f"Warning received: {received}",
    )  # fmt: skip
    return received


def content_digest(alert: Alert) -> str:
    """SHA-256 of what a message says: the same warning passed on under another name by another platform has the same."""
    info = _chinese_first(alert)
    if info is None:
        said: list[Any] = [alert.msg_type, alert.note, alert.references]
    else:
        codes = sorted(pair.value for pair in info.event_codes)
        words = [re.sub(r"\s+", "", text or "") for text in (info.headline, info.description, info.instruction)]
        expires = cap.instant(info.expires) if info.expires else None
        said = [alert.msg_type, alert.status, info.event, codes, info.severity, words, str(expires and as_utc(expires))]
        # Without words that tell one warning from the next, its name has to.
        if not words[1]:
            said += [alert.identifier, alert.sent]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def _link(received: ReceivedWarning, alert: Alert) -> None:
    """Follow the chain both ways: what this one replaces, and what came before it although it replaces it.

    Only a sender's own messages are replaced, and a message whose signature is bad replaces none that was not.
    """
    own = ReceivedWarning.objects.filter(space=received.space, sender=received.sender)
    for reference in references(alert.references or "") or ():
        if received.msg_type in REPLACING and reference.sender == received.sender:
            for before in own.filter(identifier=reference.identifier, replaced_by=None).exclude(pk=received.pk):
                _replace(before, received)
    later = own.filter(msg_type__in=REPLACING, sent_at__gte=received.sent_at) if received.sent_at else own.none()
    for after in later.exclude(pk=received.pk).order_by("sent_at", "pk")[:50]:
        named = {one.identifier for one in references(_read(after).references or "") or ()}
        if received.identifier in named and received.replaced_by_id is None:
            _replace(received, after)


def _replace(before: ReceivedWarning, after: ReceivedWarning) -> None:
    if after.signature in BAD and before.signature not in BAD:
        return
    if before.signature == SignatureVerdict.VALID and after.signature != SignatureVerdict.VALID:
        return
    before.replaced_by = after
    before.save(update_fields=["replaced_by"])


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
    found = colours.of_info(info)
    return found.value if found else ""


def _shape(alert: Alert, info: Info) -> BaseGeometry | None:
    """The union of the areas of every info in this one's language: a message may give each colour an info of its own."""
    areas = [area for one in alert.infos if one.language == info.language for area in one.areas]
    parts = [shape for area in areas if (shape := area_shapes.from_cap(area)) is not None]
    if not parts:
        return None
    union = parts[0]
    for part in parts[1:]:
        union = union.union(part)
    try:
        return check(union)
    except GeometryError:
        return None  # a shape off the earth is a finding already; the message is kept without it
