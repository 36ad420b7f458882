"""The hash chain: canonical form, hash, verification. Pure.

An entry's hash covers every field a reader sees and the hash of the entry before it, so that a changed, removed,
inserted or reordered entry breaks the chain from that place on. A cut-off tail shows against the chain's head,
and a head that was put back shows against an anchor kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

GENESIS = "0" * 64
FIELDS = (
    "space", "seq", "at", "recorded_at", "actor", "actor_name", "verb", "subject_type", "subject_id", "thread",
    "place_path", "organisation_path", "colour", "text_zh", "text_en", "url", "before", "after", "prev",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One place where the chain does not hold."""

    seq: int
    kind: str  # changed | removed | reordered | cut | anchor
    detail: str


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def canonical(row: Mapping[str, object]) -> bytes:
    """The bytes that are hashed: JSON with sorted keys, UTC times to the microsecond, no white space."""
    plain = {name: _plain(row[name]) for name in FIELDS}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(row: Mapping[str, object]) -> str:
    """SHA-256 of the canonical form, hexadecimal."""
    return hashlib.sha256(canonical(row)).hexdigest()


def verify(
    rows: Iterable[Mapping[str, object]], *, head: tuple[int, str], anchors: Mapping[int, str] | None = None
) -> Iterator[Fault]:
    """Walk one space's rows in order of seq and yield every fault; nothing yielded means the chain holds."""
    expected, prev = 1, GENESIS
    anchors = anchors or {}
    for row in rows:
        seq = int(str(row["seq"]))
        if seq != expected:
            yield Fault(expected, "removed", f"entries {expected} to {seq - 1} are missing")
        elif row["prev"] != prev:
            yield Fault(seq, "reordered", "does not follow the entry before it")
        if digest(row) != row["hash"]:
            yield Fault(seq, "changed", "content does not match its hash")
        if seq in anchors and anchors[seq] != row["hash"]:
            yield Fault(seq, "anchor", "differs from the anchor kept outside the database")
        expected, prev = seq + 1, str(row["hash"])
    if head != (expected - 1, prev):
        yield Fault(expected, "cut", f"the chain ends at {expected - 1}, its head says {head[0]}")
    for seq in anchors:
        if seq >= expected:
            yield Fault(seq, "anchor", "an anchored entry is gone")
