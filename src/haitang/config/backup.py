"""Back up and restore: database, uploads and journal anchors in one archive with a manifest of digests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from haitang import __version__
from haitang.journal.models import Head
from haitang.journal.services import write_anchors

MANIFEST = "manifest.json"
SQLITE, POSTGRES = "database.sqlite3", "database.pgdump"
ANCHORS = "anchors.jsonl"


class BackupError(RuntimeError):
    """A backup could not be made or used: the message says why and what to do."""


@dataclass(frozen=True)
class Archived:
    """What an archive holds."""

    path: Path
    made_at: str
    vendor: str
    files: int
    bytes: int
    # Journal entries by space, so that a restore can be compared.
    heads: Mapping[str, int]


def backup(target: Path) -> Archived:
    """Write an archive; the platform may go on meanwhile, the copy of the database is of one moment."""
    settings.DATA.mkdir(parents=True, exist_ok=True)
    write_anchors(settings.DATA / ANCHORS)
    with tempfile.TemporaryDirectory(dir=settings.DATA, prefix="backup-") as name:
        folder = Path(name)
        dump = _dump(folder)
        files = {dump.name: dump}
        heads = {head.space.slug: head.seq for head in Head.objects.select_related("space")}
        files |= {ANCHORS: settings.DATA / ANCHORS} if (settings.DATA / ANCHORS).exists() else {}
        for path in sorted(Path(settings.MEDIA_ROOT).rglob("*")):
            if path.is_file():
                files[f"uploads/{path.relative_to(settings.MEDIA_ROOT)}"] = path
        manifest = {
            "version": __version__, "made_at": timezone.now().isoformat(), "vendor": connection.vendor, "heads": heads,
            "files": {name: {"sha256": _digest(path), "bytes": path.stat().st_size} for name, path in files.items()},
        }  # fmt: skip
        fresh = target.with_suffix(f"{target.suffix}.part")
        try:
            with tarfile.open(fresh, "w:gz", compresslevel=3) as archive:
                _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
                for member, path in files.items():
                    archive.add(path, member, recursive=False)
            with fresh.open("rb") as written:
                os.fsync(written.fileno())
            fresh.replace(target)  # a name that exists is a whole archive
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise BackupError(f"Cannot write {target}: {error.strerror}. Choose a disk with room.") from error
    return _archived(target, manifest)


def _dump(folder: Path) -> Path:
    path = folder / (SQLITE if connection.vendor == "sqlite" else POSTGRES)
    if connection.vendor == "sqlite":
        with (
            closing(sqlite3.connect(_sqlite_file())) as source,
            closing(sqlite3.connect(path)) as copy,
        ):
            source.backup(copy)
        return path
    _postgres("pg_dump", "--format=custom", f"--file={path}")
    return path


def _sqlite_file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _postgres(program: str, *words: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} is not installed: apt-get install postgresql-client")
    place = connection.settings_dict
    env = {**os.environ, "PGPASSWORD": str(place["PASSWORD"] or "")}
    where = [f"--host={place['HOST'] or 'localhost'}", f"--port={place['PORT'] or 5432}", f"--username={place['USER']}", f"--dbname={place['NAME']}"]  # fmt: skip
    done = subprocess.run([found, *where, *words], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BackupError(f"{program} said: {done.stderr.strip()[-500:]}")


def inspect(source: Path) -> Archived:
    """Read an archive's manifest and check every file against its digest; BackupError names the first that differs."""
    try:
        with _opened(source) as archive:
            manifest = _manifest(source, archive)
            for name, known in manifest["files"].items():
                stream = archive.extractfile(name)
                if stream is None or _digest_of(stream) != known["sha256"]:
                    raise BackupError(f"{source}: {name} is not as it was backed up. Use another archive.")
    except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
        raise BackupError(f"{source} is not whole ({error}). Use another archive.") from error
    return _archived(source, manifest)


def restore(source: Path, *, force: bool = False) -> Archived:
    """Put an archive's data in place of what is here. Refused over data that exist, unless `force`. Stop the platform first."""
    found = inspect(source)
    if found.vendor != connection.vendor:
        raise BackupError(
            f"{source} is of {found.vendor}, this platform runs on {connection.vendor}: set HAITANG_DATABASE_URL"
        )
    if not force and _holds_data():
        raise BackupError("There are data here. Stop the platform, and say --force to replace them.")
    connections.close_all()
    with tempfile.TemporaryDirectory(dir=settings.DATA, prefix="restore-") as name, _opened(source) as archive:
        archive.extractall(name, filter="data")
        folder = Path(name)
        if found.vendor == "sqlite":
            database = _sqlite_file()
            for tail in ("-wal", "-shm"):
                database.with_name(database.name + tail).unlink(missing_ok=True)
            (folder / SQLITE).replace(database)
        else:
            _postgres(
                "pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(folder / POSTGRES)
            )
        if (folder / ANCHORS).exists():
            (folder / ANCHORS).replace(settings.DATA / ANCHORS)
        uploads = Path(settings.MEDIA_ROOT)
        shutil.rmtree(uploads, ignore_errors=True)
        if (folder / "uploads").is_dir():
            shutil.move(str(folder / "uploads"), uploads)
    return found


def _holds_data() -> bool:
    tables = connection.introspection.table_names()
    return Head._meta.db_table in tables and Head.objects.exists()


def _opened(source: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(source, "r:gz")
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{source} cannot be read as a backup: {error}") from error


def _manifest(source: Path, archive: tarfile.TarFile) -> dict[str, Any]:
    try:
        stream = archive.extractfile(MANIFEST)
        found: dict[str, Any] = json.load(stream) if stream else {}
    except (KeyError, ValueError, OSError, EOFError, tarfile.TarError) as error:
        raise BackupError(f"{source} has no manifest: it is no backup of Haitang, or it is cut off") from error
    return found


def _archived(path: Path, manifest: Mapping[str, Any]) -> Archived:
    files = manifest["files"]
    size = sum(each["bytes"] for each in files.values())
    return Archived(path, manifest["made_at"], manifest["vendor"], len(files), size, manifest["heads"])


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return _digest_of(stream)


def _digest_of(stream: IO[bytes]) -> str:
    total = hashlib.sha256()
    while block := stream.read(1 << 20):
        total.update(block)
    return total.hexdigest()
