"""Compile the translations: Django reads .mo files, the house keeps .po files (compiled at setup, not committed)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

PACKAGE = Path(__file__).resolve().parents[1]


def compile_all(package: Path = PACKAGE) -> int:
    """Compile every slice's catalogue that is newer than its .mo; returns how many were. PoFileError names file and line."""
    compiled = 0
    for source in sorted(package.glob("*/locale/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        with source.open("rb") as lines:
            try:
                catalogue = read_po(lines, abort_invalid=True)
            except PoFileError as error:
                raise PoFileError(f"{source}: {error}", error.catalog, error.line, error.lineno) from error
        # Renamed into place: two processes may compile at once, and a reader never sees half a file.
        fresh = target.with_suffix(f".{os.getpid()}.new")
        with fresh.open("wb") as out:
            write_mo(out, catalogue)
        fresh.replace(target)
        compiled += 1
    return compiled


if __name__ == "__main__":
    sys.stdout.write(f"{compile_all()} compiled\n")
