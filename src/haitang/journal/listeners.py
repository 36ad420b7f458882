"""What the journal hears from below: geo, which knows no journal, tells when the ground was changed."""

from __future__ import annotations

from typing import Any

from haitang.geo.changes import Change, ground_changed
from haitang.journal.services import record
from haitang.spaces.models import Space

_WHAT = {
    "geo.load_places": ("区划", "places"),
    "geo.load_outlines": ("边界", "outlines"),
    "geo.load_ground": ("地物", "ground features"),
}
# Codes in an entry are for finding what changed, not a second copy of the pack.
_MOST = 200


def _on_ground(sender: object, change: Change, **_: Any) -> None:
    created, changed = change.merged.created, change.merged.changed
    zh, en = _WHAT[change.verb]
    record(
        space=Space.live(), verb=change.verb, by=change.by, subject=change.place, place=change.place,
        after={"created": len(created), "changed": len(changed), "codes": [*created, *changed][:_MOST]},
        text_zh=f"载入{zh}：新增 {len(created)}，更改 {len(changed)}",
        text_en=f"Loaded {en}: {len(created)} new, {len(changed)} changed",
    )  # fmt: skip


ground_changed.connect(_on_ground, weak=False, dispatch_uid="haitang.journal.listeners.ground")
