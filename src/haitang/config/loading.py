"""Take in a data pack: all sections that the installed slices declare, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from haitang.accounts.actors import LOADER
from haitang.journal.models import Entry
from haitang.journal.services import record
from haitang.packs import Pack, PackError, in_order
from haitang.spaces.models import Space

VERB = "config.load_pack"


@dataclass(frozen=True)
class Loaded:
    """What a pack brought: rows by section. `fresh` is false where the same pack had been loaded before."""

    pack: str
    rows: Mapping[str, int]
    fresh: bool = True


def find(name: str) -> Pack:
    """A pack by its folder's name in HAITANG_PACKS, or by a path; PackError names what is there."""
    folder = Path(name) if "/" in name else settings.PACKS / name
    if not folder.is_dir():
        there = ", ".join(sorted(path.parent.name for path in settings.PACKS.glob("*/pack.toml"))) or "none"
        raise PackError(str(folder), "there is no such pack", f"Packs here: {there}")
    return Pack(folder)


def load(pack: Pack, *, demo: bool = False, check: bool = False, again: bool = False) -> Loaded:
    """Load a pack; nothing is kept where one row is bad (PackError). `check` undoes a good load too.

    A pack that was loaded as it is now is passed over unless `again`.
    """
    digest = digest_of(pack, demo)
    if not again and not check and _loaded_as(pack) == digest:
        return Loaded(pack.name, {}, fresh=False)
    rows: dict[str, int] = {}
    with transaction.atomic():
        for section in in_order():
            if demo or not section.demo:
                rows[section.name] = section.take(pack, LOADER)
        total = sum(rows.values())
        record(
            space=Space.live(), verb=VERB, by=LOADER, subject=Space.live(),
            after={"pack": pack.name, "digest": digest, "demo": demo, "rows": rows},
            text_zh=f"载入数据包 {pack.name}：{total} 条", text_en=f"Loaded data pack {pack.name}: {total} rows",
        )  # fmt: skip
        if check:
            transaction.set_rollback(True)
    return Loaded(pack.name, rows)


def digest_of(pack: Pack, demo: bool) -> str:
    """One digest of the pack's files and of the code that reads them."""
    total = hashlib.sha256(b"demo" if demo else b"")
    code = sorted(settings.PACKAGE.glob("*/pack.py"))
    for path in [*sorted(path for path in pack.folder.rglob("*") if path.is_file()), *code]:
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _loaded_as(pack: Pack) -> str:
    entries = Entry.objects.filter(verb=VERB).order_by("-id").values_list("after", flat=True)
    return next((str(after["digest"]) for after in entries[:20] if after["pack"] == pack.name), "")
