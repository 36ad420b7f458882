"""`haitang replay`: run a scenario from the command line, in the running product or stepped through at once."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from haitang.accounts.actors import SYSTEM
from haitang.alerting.models import Warning
from haitang.incidents import services as incidents
from haitang.incidents.export import documents, words
from haitang.incidents.models import Incident
from haitang.incidents.services.evaluation import Measured
from haitang.journal import services as journal
from haitang.replay import headless, library, services
from haitang.replay.cast.parts import CASTS
from haitang.replay.models import Run, RunState
from haitang.spaces.clock import now

# A run that no worker took up after so long waits for `haitang up`.
PATIENCE_S = 10.0


def run(given: argparse.Namespace) -> int:
    """Do what the command line asks; returns its exit code."""
    if given.scenario == "list":
        return _list(given)
    return _headless(given) if given.headless else _scaled(given)


def _list(given: argparse.Namespace) -> int:
    found = library.scenarios()
    if given.json:
        told = [
            {"key": each.key, "name": each.scenario.name.en if each.scenario else "", "trouble": each.trouble}
            for each in found
        ]
        print(json.dumps({"scenarios": told}, ensure_ascii=False))
        return 0
    for each in found:
        print(
            f"{each.key:<12} {f'{each.scenario.name.zh} / {each.scenario.name.en}' if each.scenario else each.trouble}"
        )
    return 0


def _scaled(given: argparse.Namespace) -> int:
    found = services.start(given.scenario, by=_driver(), speed=given.speed, parts=CASTS[given.cast], seed=given.seed)
    where = sys.stderr if given.json else sys.stdout
    print(
        f"{found.name_en} runs at x{found.speed:g} in {found.space.slug}; watch it at {settings.PUBLIC_URL}/replay/{found.pk}/",
        file=where,
        flush=True,
    )
    if given.detach:
        if given.json:
            print(json.dumps({"space": found.space.slug, "run": found.pk}), flush=True)
        return 0
    began = time.monotonic()
    while True:
        time.sleep(1)
        found.refresh_from_db()
        if found.seen_wall is None and time.monotonic() - began > PATIENCE_S:
            sys.stderr.write("No worker drives it yet: start the platform with haitang up; the run waits for it\n")
            return 1
        if not given.json and sys.stdout.isatty():
            print(f"\r{_local(now(found.space)):%m-%d %H:%M}  {found.share(now(found.space)):4.0%}", end="", flush=True)
        if found.state in {RunState.ENDED, RunState.STOPPED}:
            break
        if found.state == RunState.FAILED:
            sys.stderr.write(f"\n{found.trouble}\n")
            return 1
    return _told(given, found, time.monotonic() - began)


def _headless(given: argparse.Namespace) -> int:
    began = time.monotonic()
    shown = -1

    def progress(moment: datetime, share: float) -> None:
        nonlocal shown
        if int(share * 20) > shown and not given.json:
            shown = int(share * 20)
            print(f"  {_local(moment):%m-%d %H:%M}  {share:4.0%}", flush=True)

    outcome = headless.run(given.scenario, by=_driver(), parts=CASTS[given.cast], seed=given.seed, progress=progress)
    return _told(given, outcome.run, time.monotonic() - began)


def _told(given: argparse.Namespace, found: Run, seconds: float) -> int:
    """Print the loop's time table, leave the report."""
    told: dict[str, Any] = {
        "space": found.space.slug,
        "scenario": found.scenario,
        "seed": found.seed,
        "seconds": round(seconds, 1),
    }
    told["incidents"] = []
    lines = [f"\n{found.name_en} ({found.scenario}, seed {found.seed}): {seconds:.0f} s"]
    with translation.override("en"):
        for incident in Incident.objects.filter(space=found.space).order_by("pk"):
            measured = incidents.measure(incident)
            told["incidents"].append({"incident": str(incident), **incidents.as_data(measured)})
            lines += [f"\n{incident}", *_steps(measured), *_history(measured)]
    if given.report:
        told["files"] = _report(found, given.report)
        lines += [f"\n{len(told['files'])} files in {given.report}"]
    print(json.dumps(told, ensure_ascii=False, default=str) if given.json else "\n".join(lines), flush=True)
    return 0


def _steps(measured: Measured) -> Iterator[str]:
    yield f"  {'':34}{'at':>12}{'took':>14}{'since reading':>16}"
    for row in words.steps(measured):
        yield f"  {row.label:34}{words.moment(row.at):>12}{row.took:>14}{row.total:>16}"


def _history(measured: Measured) -> Iterator[str]:
    rows = words.history(measured)
    if rows:
        yield f"\n  {'beside history':44}{'exercise':>12}{'history':>14}"
    for row in rows:
        yield f"  {row.label[:43]:44}{words.moment(row.at):>12}{words.moment(row.history):>14}  {row.difference}"


def _report(found: Run, folder: Path) -> list[str]:
    """Evaluation as PDF and DOCX in both languages, CAP messages, journal."""
    (folder / "cap").mkdir(parents=True, exist_ok=True)
    made = []

    def write(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        made.append(name)

    for incident in Incident.objects.filter(space=found.space).order_by("pk"):
        measured = incidents.measure(incident)
        for language, tail in (("zh-hans", ""), ("en", "-en")):
            with translation.override(language):
                write(f"evaluation-{incident.pk}{tail}.pdf", documents.evaluation_pdf(measured, language=language))
                write(f"evaluation-{incident.pk}{tail}.docx", documents.evaluation_docx(measured, language=language))
    for warning in Warning.objects.filter(space=found.space).exclude(identifier=None).order_by("published_at", "pk"):
        write(f"cap/{warning.identifier}.xml", bytes(warning.cap_xml or b""))
    write("journal.jsonl", "".join(f"{line}\n" for line in journal.export(found.space)).encode())
    return made


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment)


def _driver() -> Any:
    return services.who_may_drive() or SYSTEM
