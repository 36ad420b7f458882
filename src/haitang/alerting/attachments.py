"""Files that go with a warning: checked when attached, frozen with it, fetched by whoever may read it."""

from __future__ import annotations

import hashlib
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from haitang.accounts.verbs import Refused
from haitang.alerting.bulletin import BulletinFile
from haitang.alerting.models import Warning, WarningResource

MOST_FILES: Final = 5
MOST_BYTES: Final = 2_000_000
# What a receiver can show or play, known by its first bytes: a name or a claimed type proves nothing.
_KINDS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"ID3", "audio/mpeg", ".mp3"),
    (b"\xff\xfb", "audio/mpeg", ".mp3"),
    (b"\xff\xf3", "audio/mpeg", ".mp3"),
)


def kind_of(content: bytes) -> tuple[str, str]:
    """MIME type and ending by the first bytes. Refused for any other kind of file."""
    for head, mime, ending in _KINDS:
        if content.startswith(head):
            return mime, ending
    raise Refused(_("Only pictures (PNG, JPEG), PDF and sound (MP3) can be attached"))


def make(warning: Warning, *, content: bytes, description_zh: str, description_en: str = "") -> WarningResource:
    """A file checked and ready to be stored: kind, size, digest. Refused where it is too large or one too many."""
    if not content:
        raise Refused(_("The file is empty"))
    if len(content) > MOST_BYTES:
        raise Refused(_("The file has more than 2 MB: make it smaller"))
    if not description_zh.strip():
        raise Refused(_("Say in Chinese what the file shows"))
    numbers = list(warning.resources.values_list("number", flat=True))
    if len(numbers) >= MOST_FILES:
        raise Refused(_("A warning carries at most %(n)s files") % {"n": MOST_FILES})
    mime, ending = kind_of(content)
    number = max(numbers, default=0) + 1
    return WarningResource(
        warning=warning, number=number, description_zh=description_zh.strip()[:100], description_en=description_en.strip()[:150],
        name=f"warning-{warning.pk}-{number}{ending}", mime_type=mime, size=len(content),
        sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(), content=content,
    )  # fmt: skip


def files_of(warning: Warning) -> list[BulletinFile]:
    """The files as the message names them. One query; none for a warning that is not stored yet."""
    if warning.pk is None:
        return []
    page = "public/warnings" if warning.may_leave else "alerting"
    return [
        BulletinFile(
            row.description_zh, row.description_en, row.mime_type, row.size, row.sha1,
            f"{settings.PUBLIC_URL}/{page}/{warning.pk}/files/{row.number}",
        )
        for row in warning.resources.defer("content")
    ]  # fmt: skip
