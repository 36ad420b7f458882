"""Files of history, of any length: read piece by piece, put through the door, with a report of what was not taken.

A file waits in the data folder until it has been read. The worker claims it, says how far it is, and goes on where
another process died: what had been taken in already counts as duplicate then.
"""

from __future__ import annotations

import csv
import io
import logging
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.journal.services import record
from haitang.monitoring import door, wire
from haitang.monitoring.batch import Allowed, BatchError
from haitang.monitoring.models import Backfill, Series

logger = logging.getLogger(__name__)

PIECE = 10_000
MOST_BYTES = 500_000_000
MOST_UNPACKED = 2_000_000_000
LISTED = 200
STALE_S = 120
XLSX, XLS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


def folder() -> Path:
    """Where files wait."""
    found = Path(settings.MEDIA_ROOT) / "backfills"
    found.mkdir(parents=True, exist_ok=True)
    return found


def is_sheet(first: bytes) -> bool:
    """Whether a file's first bytes are those of XLSX."""
    return first[:4] == XLSX


def look(path: Path) -> None:
    """Read the header and a few rows; raises BatchError for a file that cannot be taken in."""
    with _opened(path) as (rows, _where):
        _columns, names = wire.heads(next(rows, []))
        places = [names.index(name) for name in ("series", "time", "value")]
        for number, row in zip(range(2, 5), rows, strict=False):
            if row and len(row) <= max(places):
                raise BatchError("malformed", f"Line {number} has {len(row)} cells, the header {len(names)}")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Iterator[Sequence[Any]], BinaryIO]]:
    """The rows of a file, the header first, and the file itself, whose position tells how far we are."""
    with path.open("rb") as file:
        first = file.read(4)
        file.seek(0)
        if first == XLS:
            raise BatchError(
                "malformed", "This is an old XLS file or is locked by a password; save it as XLSX without one"
            )
        if is_sheet(first):
            yield _sheet(file), file
        else:
            yield _table(file), file


def _table(file: BinaryIO) -> Iterator[Sequence[Any]]:
    encoding = _encoding(file)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    reader = csv.reader(text, strict=True)
    try:
        yield from reader
    except (csv.Error, UnicodeDecodeError) as error:
        raise BatchError("malformed", f"Line {reader.line_num + 1} is not CSV in {encoding}: {error}") from None
    finally:
        with suppress(ValueError):  # the file is closed already
            text.detach()  # or the file would be closed with the reader, and could not say any more how far it is


def _encoding(file: BinaryIO) -> str:
    """UTF-8, or what Chinese spreadsheets write; told by the first part of the file."""
    part = file.read(1_000_000)
    file.seek(0)
    if b"\0" in part:
        raise BatchError("malformed", "The file is not text; save it as CSV UTF-8 or XLSX")
    try:
        part[: part.rfind(b"\n") + 1 or None].decode("utf-8-sig")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def _sheet(file: BinaryIO) -> Iterator[Sequence[Any]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(file) as inside:
            if sum(each.file_size for each in inside.infolist()) > MOST_UNPACKED:
                raise BatchError(
                    "too_large", f"The sheet unpacks to more than {MOST_UNPACKED // 1_000_000} MB; split it"
                )
        book = load_workbook(file, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        empty = 0
        for row in sheet.iter_rows(values_only=True):
            cells = [_cell(value) for value in row]
            empty = 0 if any(value is not None for value in cells) else empty + 1
            if empty > 1000:  # a single cell far below would have us walk over a million empty rows
                break
            yield cells if not empty else []
    except BatchError:
        raise
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, IndexError, OSError) as error:
        raise BatchError("malformed", f"The XLSX file cannot be read: {error}; save it again") from None


def _cell(value: Any) -> Any:
    """A date of a sheet has no zone: it is of the district's clock."""
    if isinstance(value, datetime):
        return timezone.make_aware(value).isoformat() if timezone.is_naive(value) else value.isoformat()
    return value


# -- carrying out -----------------------------------------------------------------------------------------------


def run_waiting() -> int:
    """Carry out what waits, and what somebody else left half done; returns how many."""
    done = 0
    stale = timezone.now() - timedelta(seconds=STALE_S)
    waiting = Backfill.objects.filter(state=Backfill.State.WAITING) | Backfill.objects.filter(
        state=Backfill.State.RUNNING, beat_at__lt=stale
    )
    for each in waiting.order_by("pk"):
        done += carry_out(each)
    return done


def carry_out(backfill: Backfill, tell: Callable[[Backfill], object] | None = None) -> bool:
    """Take a file in, telling after each piece how far it is; False if another process does."""
    mine = Backfill.objects.filter(pk=backfill.pk, state=backfill.state, beat_at=backfill.beat_at)
    if not mine.update(state=Backfill.State.RUNNING, beat_at=timezone.now()):
        return False
    backfill.refresh_from_db()
    backfill.at_byte = backfill.rows = backfill.accepted = 0
    backfill.refused, backfill.rejections = {}, []
    try:
        _read(backfill, tell)
        backfill.state = Backfill.State.DONE
    except (BatchError, Refused, FileNotFoundError) as error:
        backfill.state, backfill.error = Backfill.State.FAILED, str(error)[:300]
    _finish(backfill)
    return True


def _read(backfill: Backfill, tell: Callable[[Backfill], object] | None) -> None:
    allowed = _rights(backfill)
    source = f"file:{backfill.user.username if backfill.user else SYSTEM.username}"
    refused: Counter[str] = Counter()
    with _opened(folder() / backfill.path) as (rows, where):
        empty, names = wire.heads(next(rows, []))
        places = [names.index(name) for name in ("series", "time", "value")]
        places += [names.index("unit")] if "unit" in names else []
        lines: list[int] = []
        columns = wire.Columns(unit=None if empty.unit is None else [])
        for line, row in enumerate(rows, 2):
            if not any(cell not in (None, "") for cell in row):
                continue
            cells = [row[place] if place < len(row) else None for place in places]
            wire.add_rows(columns, [[*cells, None][:4]])
            lines.append(line)
            if len(lines) == PIECE:
                _piece(backfill, columns, lines, source, allowed, refused, where.tell())
                if tell is not None:
                    tell(backfill)
                lines, columns = [], wire.Columns(unit=None if empty.unit is None else [])
        _piece(backfill, columns, lines, source, allowed, refused, where.tell())


def _piece(
    backfill: Backfill, columns: wire.Columns, lines: list[int], source: str, allowed: Allowed | None,
    refused: Counter[str], at_byte: int,
) -> None:  # fmt: skip
    if lines:
        receipt = door.receive_columns(backfill.space, columns, source, allowed)
        backfill.accepted += receipt.accepted
        refused.update({reason.value: number for reason, number in receipt.refused.items()})
        for each in receipt.rejections[: max(0, LISTED - len(backfill.rejections))]:
            backfill.rejections.append(
                {"line": lines[each.row], "column": each.field, "value": each.value, "rule": each.rule, "remedy": each.remedy}
            )  # fmt: skip
    backfill.rows += len(lines)
    backfill.refused, backfill.at_byte, backfill.beat_at = dict(refused), at_byte, timezone.now()
    backfill.save(update_fields=["rows", "accepted", "refused", "rejections", "at_byte", "beat_at"])


def _rights(backfill: Backfill) -> Allowed | None:
    """A person may write the series that he sees; the platform's own command all."""
    if backfill.user is None:
        return None
    return frozenset(Series.objects.visible_to(backfill.user).values_list("code", flat=True)).__contains__


def _finish(backfill: Backfill) -> None:
    with transaction.atomic():
        backfill.finished_at = timezone.now()
        backfill.save()
        good = backfill.state == Backfill.State.DONE
        record(
            space=backfill.space, verb="monitoring.backfill", by=backfill.user or SYSTEM, subject=backfill, thread=backfill,
            after={"file": backfill.name, "accepted": backfill.accepted, "refused": backfill.refused, "error": backfill.error},
            text_zh=f"补录观测数据 {backfill.accepted} 条（{backfill.name}）" if good else f"补录文件 {backfill.name} 未能读完：{backfill.error}",
            text_en=f"Back-filled {backfill.accepted} readings from {backfill.name}" if good else f"Back-fill of {backfill.name} broke off: {backfill.error}",
        )  # fmt: skip
    (folder() / backfill.path).unlink(missing_ok=True)
