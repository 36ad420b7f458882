"""What gateways report: posted to the receipts' door, taken once, whatever is posted twice, late, early or forged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, Value
from django.db.models.functions import Coalesce

from haitang.delivery import gateways, outbox, readback, tallies
from haitang.delivery.models import Delivery
from haitang.delivery.states import State
from haitang.spaces.clock import now
from haitang.spaces.models import Space

MOST = 5000
# Fewer arrivals than this are taken one by one.
FEW = 50
# What a gateway may say: the state it means, and our reason for it.
STATUSES: Mapping[str, tuple[State, str]] = {
    "delivered": (State.DELIVERED, ""),
    "read": (State.READ, ""),
    "answered": (State.ANSWERED, ""),
    "no_answer": (State.FAILED, "no_answer"),
    "busy": (State.FAILED, "busy"),
    "absent": (State.FAILED, "absent"),
    "unknown_number": (State.FAILED, "unknown_number"),
    "expired": (State.FAILED, "expired"),
    "rejected": (State.FAILED, "rejected"),
    "failed": (State.FAILED, "failed"),
}


class Malformed(ValueError):
    """The body is no receipts: the text says what is wrong and what is wanted."""


@dataclass
class Taken:
    """What became of posted receipts; `invalid` names position, field, value and rule."""

    taken: int = 0
    repeated: int = 0
    unknown: int = 0
    invalid: list[dict[str, Any]] = field(default_factory=list)


def read(body: object) -> list[Any]:
    """The receipts of a posted body: one object, a list of them, or {"receipts": [...]}."""
    rows = body.get("receipts", [body]) if isinstance(body, dict) else body
    if not isinstance(rows, list):
        raise Malformed("Send one receipt as a JSON object, or several as a list")
    if len(rows) > MOST:
        raise Malformed(f"{len(rows)} receipts at once; send at most {MOST}")
    return rows


def take(channel: str, rows: Sequence[Any]) -> Taken:
    """Take receipts of a channel's live deliveries. Each is a JSON object with `key`, `status` and perhaps `reason`."""
    answer = Taken()
    valid = [row for number, row in enumerate(rows) if _is_valid(row, number, answer)]
    if valid:
        valid = _crowd(channel, valid, answer)
    if valid:
        said: list[Delivery] = []
        with transaction.atomic():
            _apply(channel, valid, answer, said)
        for delivery in said:
            readback.tell(delivery)
    tallies.count(channel, {"taken": answer.taken, "repeated": answer.repeated, "unknown": answer.unknown,
                            "invalid": len(answer.invalid)})  # fmt: skip
    return answer


def _crowd(channel: str, rows: Sequence[Mapping[str, Any]], answer: Taken) -> list[Mapping[str, Any]]:
    """Take the plain arrivals among many receipts in one update; what is left (or few) goes one by one."""
    plain = {row["key"] for row in rows if row["status"] == "delivered" and "key" in row}
    if len(plain) < FEW:
        return list(rows)
    with transaction.atomic():
        known = Delivery.objects.select_for_update(of=("self",)).filter(
            channel=channel, key__in=plain, state__in=(State.QUEUED, State.SENT), message__is_drill=False, message__in_order=False
        )  # fmt: skip
        by_space: dict[int, list[tuple[int, str]]] = {}
        for pk, key, space in known.order_by("pk").values_list("pk", "key", "space"):
            by_space.setdefault(space, []).append((pk, key))
        done: set[str] = set()
        for space in Space.objects.filter(pk__in=by_space):
            moment = now(space)
            Delivery.objects.filter(pk__in=[pk for pk, _key in by_space[space.pk]]).update(
                state=State.DELIVERED, delivered_at=moment, sent_at=Coalesce("sent_at", Value(moment, output_field=DateTimeField())),
                next_at=None, claim="", reason="", failed_at=None,
            )  # fmt: skip
            done |= {key for _pk, key in by_space[space.pk]}
    answer.taken += len(done)
    left, seen = [], set()
    for row in rows:
        key = row.get("key")
        if key in done and row["status"] == "delivered" and key not in seen:
            seen.add(key)
            continue
        left.append(row)
    return left


def _is_valid(row: Any, number: int, answer: Taken) -> bool:
    def bad(name: str, value: object, rule: str) -> bool:
        answer.invalid.append({"receipt": number, "field": name, "value": str(value)[:80], "rule": rule})
        return False

    if not isinstance(row, dict):
        return bad("", row, "a receipt is a JSON object with key and status")
    if "key" not in row and isinstance(row.get("ref"), str) and 0 < len(row["ref"]) <= 200:
        return _has_status(row, bad)
    key = row.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= 64 or "\0" in key:
        return bad("key", key, "the idempotency key that the letter came with")
    return _has_status(row, bad)


def _has_status(row: Mapping[str, Any], bad: Callable[[str, object, str], bool]) -> bool:
    if not isinstance(row.get("status"), str) or row["status"] not in STATUSES:
        return bad("status", row.get("status"), f"one of {', '.join(STATUSES)}")
    if not isinstance(row.get("code", ""), str):
        return bad("code", row["code"], "what was said back, as a text")
    if not isinstance(row.get("reason", ""), str):
        return bad("reason", row["reason"], "a text")
    return True


def _apply(channel: str, rows: Sequence[Mapping[str, Any]], answer: Taken, said_back: list[Delivery]) -> None:
    named = {row["ref"]: "" for row in rows if "key" not in row}
    if named:
        # A gateway that knows a letter by its own number only, and a process that has not sent it itself.
        found = Delivery.objects.filter(channel=channel, gateway_ref__in=named, message__is_drill=False)
        named |= dict(found.order_by("pk").values_list("gateway_ref", "key"))
        rows = [row if "key" in row else {**row, "key": named[row["ref"]]} for row in rows]
    keys = {row["key"] for row in rows}
    # A drill's letters have no gateway: a receipt for one is unknown, whoever sends it.
    known = Delivery.objects.select_for_update(of=("self",)).filter(
        channel=channel, key__in=keys, message__is_drill=False
    )
    known = known.select_related(
        "message__space", "message__place", "message__organisation", "space", "user", "organisation"
    )
    deliveries = {delivery.key: delivery for delivery in known.order_by("pk")}
    for row in rows:
        delivery = deliveries.get(row["key"])
        if delivery is None:
            answer.unknown += 1
            continue
        state, reason = STATUSES[row["status"]]
        moment = now(delivery.space)
        said = " ".join(row.get("reason", "").split())[:150].replace("\0", "")
        if state == State.FAILED:
            moved = outbox.fail([(delivery, f"{reason}: {said}" if said else reason, moment)]) > 0
        else:
            moved = outbox.advance(delivery, state, moment)
            if state == State.ANSWERED and "code" in row and delivery.message.data.get("readback"):
                if readback.is_right(row["code"], delivery.key, gateways.token()):
                    said_back.append(delivery)
                else:
                    Delivery.objects.filter(pk=delivery.pk).update(reason="wrong_code")
        answer.taken += moved
        answer.repeated += not moved
