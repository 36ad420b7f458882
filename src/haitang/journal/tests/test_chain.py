"""The chain finds any changed, removed, reordered, inserted or cut-off entry. P1, A1; issue 2, section 6."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from haitang.journal.chain import FIELDS, GENESIS, digest, verify

Row = dict[str, Any]
BEGIN = datetime(2024, 9, 15, 8, tzinfo=UTC)

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def chains(draw: st.DrawFn, least: int = 1) -> list[Row]:
    rows: list[Row] = []
    prev = GENESIS
    for seq in range(1, draw(st.integers(least, 8)) + 1):
        row: Row = {
            "space": 1, "seq": seq, "at": BEGIN + timedelta(microseconds=draw(st.integers(0, 10**12))),
            "recorded_at": BEGIN + timedelta(seconds=seq), "actor": draw(st.none() | st.integers(1, 9)),
            "actor_name": draw(texts), "verb": draw(st.sampled_from(["alerting.publish", "incidents.start"])),
            "subject_type": "alerting.warning", "subject_id": str(draw(st.integers(1, 99))), "thread": draw(texts),
            "place_path": draw(st.none() | texts), "organisation_path": draw(st.none() | texts), "colour": "red",
            "text_zh": draw(texts), "text_en": draw(texts), "url": "", "before": draw(st.none() | st.dictionaries(texts, values, max_size=2)),
            "after": draw(values), "prev": prev,
        }  # fmt: skip
        prev = row["hash"] = digest(row)
        rows.append(row)
    return rows


def head(rows: list[Row]) -> tuple[int, str]:
    return (rows[-1]["seq"], rows[-1]["hash"]) if rows else (0, GENESIS)


def kinds(rows: list[Row], end: tuple[int, str], anchors: Mapping[int, str] | None = None) -> list[str]:
    return [fault.kind for fault in verify(rows, head=end, anchors=anchors)]


@given(chains())
def test_a_true_chain_has_no_fault(rows: list[Row]) -> None:
    assert not kinds(rows, head(rows), {row["seq"]: row["hash"] for row in rows})


def test_an_empty_chain_has_no_fault() -> None:
    assert not kinds([], (0, GENESIS))


@given(chains(), st.data())
def test_a_changed_field_is_found_at_its_entry(rows: list[Row], data: st.DataObject) -> None:
    end = head(rows)
    row = data.draw(st.sampled_from(rows))
    field = data.draw(st.sampled_from([name for name in FIELDS if name not in {"seq", "prev"}]))
    changed = {"at": BEGIN - timedelta(days=1), "recorded_at": BEGIN, "actor": 77, "space": 2}.get(field, "changed")
    assume(row[field] != changed)
    row[field] = changed
    faults = list(verify(rows, head=end))
    assert [(fault.seq, fault.kind) for fault in faults] == [(row["seq"], "changed")]


@given(chains(least=2), st.data())
def test_a_removed_entry_is_found_where_it_is_missing(rows: list[Row], data: st.DataObject) -> None:
    end = head(rows)
    gone = data.draw(st.integers(0, len(rows) - 2))
    seq = rows.pop(gone)["seq"]
    assert next(iter(verify(rows, head=end))).kind == "removed"
    assert next(iter(verify(rows, head=end))).seq == seq


@given(chains(), st.data())
def test_a_cut_off_tail_is_found_by_the_head(rows: list[Row], data: st.DataObject) -> None:
    end = head(rows)
    keep = data.draw(st.integers(0, len(rows) - 1))
    assert kinds(rows[:keep], end) == ["cut"]


@given(chains(least=2), st.data())
def test_a_tail_cut_off_together_with_its_head_is_found_by_an_anchor_outside(
    rows: list[Row], data: st.DataObject
) -> None:
    anchors = {rows[-1]["seq"]: rows[-1]["hash"]}
    kept = rows[: data.draw(st.integers(0, len(rows) - 1))]
    assert not kinds(kept, head(kept))  # the database alone looks whole
    assert kinds(kept, head(kept), anchors) == ["anchor"]


@given(chains(least=2), st.data())
def test_exchanged_entries_are_found(rows: list[Row], data: st.DataObject) -> None:
    end = head(rows)
    one = data.draw(st.integers(0, len(rows) - 2))
    other = data.draw(st.integers(one + 1, len(rows) - 1))
    # They change places and numbers; what they say and their hashes stay with them.
    rows[one], rows[other] = rows[other], rows[one]
    rows[one]["seq"], rows[other]["seq"] = rows[other]["seq"], rows[one]["seq"]
    found = set(kinds(rows, end))
    assert {"changed", "reordered"} <= found


@given(chains(), st.data())
def test_an_inserted_entry_is_found(rows: list[Row], data: st.DataObject) -> None:
    end = head(rows)
    at = data.draw(st.integers(0, len(rows)))
    forged: Row = {**rows[0], "text_zh": "伪造", "seq": at + 1, "prev": rows[at - 1]["hash"] if at else GENESIS}
    forged["hash"] = digest(forged)
    for row in rows[at:]:
        row["seq"] += 1
    rows.insert(at, forged)
    assert kinds(rows, end)


@given(chains(), st.data())
def test_a_chain_rewritten_from_one_place_on_is_found_by_an_anchor_outside(
    rows: list[Row], data: st.DataObject
) -> None:
    anchors = {row["seq"]: row["hash"] for row in rows}
    start = data.draw(st.integers(0, len(rows) - 1))
    rows[start]["text_zh"] += "！"
    prev = rows[start]["prev"]
    for row in rows[start:]:
        row["prev"] = prev
        prev = row["hash"] = digest(row)
    assert not kinds(rows, head(rows))  # whoever may write everything can rewrite everything but the anchors
    assert kinds(rows, head(rows), anchors) == ["anchor"] * (len(rows) - start)


@given(values)
def test_the_hash_does_not_depend_on_the_order_of_keys_or_the_zone_of_a_time(value: Any) -> None:
    from zoneinfo import ZoneInfo

    row: Row = dict.fromkeys(FIELDS, "") | {"at": BEGIN, "recorded_at": BEGIN, "after": {"a": value, "b": 1}}
    turned = dict(reversed(list(row.items()))) | {
        "at": BEGIN.astimezone(ZoneInfo("Asia/Shanghai")),
        "after": {"b": 1, "a": value},
    }
    assert digest(row) == digest(turned)
