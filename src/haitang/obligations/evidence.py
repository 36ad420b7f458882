"""Photographs and files as evidence: checked, named by their content, kept outside any public address."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.utils.translation import gettext as _

from haitang.accounts.models import User
from haitang.accounts.verbs import Refused
from haitang.obligations.models import Evidence, Obligation

FOLDER = "obligations"
MOST_BYTES = 10_000_000
MOST_FILES = 20
# What the first bytes must be; the name and the sender's word for the type prove nothing.
SIGNS: tuple[tuple[str, str, bytes, int], ...] = (
    ("image/jpeg", "jpg", b"\xff\xd8\xff", 0),
    ("image/png", "png", b"\x89PNG\r\n\x1a\n", 0),
    ("image/webp", "webp", b"WEBP", 8),
    ("image/heic", "heic", b"ftyphei", 4),
    ("image/heic", "heic", b"ftypmif1", 4),
    ("application/pdf", "pdf", b"%PDF-", 0),
)


def kind_of_file(head: bytes) -> tuple[str, str] | None:
    """Content type and ending by the first bytes; None for what is not taken."""
    for content_type, ending, sign, offset in SIGNS:
        if head[offset : offset + len(sign)] == sign and (ending != "webp" or head[:4] == b"RIFF"):
            return content_type, ending
    return None


def keep(
    obligation: Obligation, file: File[bytes], *, by: User | None, at: datetime, note: str = "", lon: float | None = None, lat: float | None = None
) -> Evidence | None:  # fmt: skip
    """Check and store one file; None if this obligation has it already. Refused names the file, the rule and the remedy."""
    name = Path(file.name or "").name[:120] or "file"
    size = file.size
    if size > MOST_BYTES:
        raise Refused(
            _("%(name)s has %(size)s MB; at most %(most)s MB fit. Make the picture smaller.")
            % {"name": name, "size": round(size / 1e6, 1), "most": MOST_BYTES // 1_000_000}
        )
    file.seek(0)
    content = file.read()
    found = kind_of_file(content[:16])
    if found is None:
        raise Refused(_("%(name)s is not a photograph or PDF. Send JPEG, PNG, WebP, HEIC or PDF.") % {"name": name})
    content_type, ending = found
    sha256 = hashlib.sha256(content).hexdigest()
    if obligation.evidence.filter(sha256=sha256).exists():
        return None
    if obligation.evidence.count() >= MOST_FILES:
        raise Refused(_("There are %(n)s files already; no more can be added.") % {"n": MOST_FILES})
    path = f"{FOLDER}/{sha256[:2]}/{sha256}.{ending}"
    _write(Path(settings.MEDIA_ROOT) / path, content)
    return Evidence.objects.create(
        obligation=obligation, path=path, name=name, content_type=content_type, size=len(content), sha256=sha256, note=note,
        lon=lon, lat=lat, added_at=at, added_by=by,
    )  # fmt: skip


def _write(path: Path, content: bytes) -> None:
    """On the disk before the row says so: a crash leaves at most a file that nobody names."""
    if path.exists() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.new")
    with fresh.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
