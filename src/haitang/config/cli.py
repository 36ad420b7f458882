"""The command line: `haitang COMMAND`. Each command has --help with an example, exit codes, and --json."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "haitang.config.settings")

GOOD, BAD, WRONG = 0, 1, 2
CODES = "exit codes: 0 done, 1 something to mend (said on standard error), 2 wrong arguments"


class Trouble(Exception):
    """Something the operator can mend; the text says what and how."""


@dataclass(frozen=True)
class Command:
    """One command: its function, what it does, an example, and its arguments."""

    run: Callable[[argparse.Namespace], int]
    help: str
    example: str
    add: Callable[[argparse.ArgumentParser], None] | None = None


def say(given: argparse.Namespace, text: str, data: Mapping[str, Any]) -> None:
    """Tell the result: words for a person, or one JSON object with --json."""
    print(json.dumps(data, ensure_ascii=False, default=str) if given.json else text, flush=True)


def _django() -> None:
    import django

    django.setup()


# -- commands ---------------------------------------------------------------------------------------------------


def _init(given: argparse.Namespace) -> int:
    _django()
    from django.conf import settings
    from django.core.management import call_command

    from haitang.config import loading
    from haitang.spaces.models import Space

    settings.DATA.mkdir(parents=True, exist_ok=True)
    call_command("migrate", interactive=False, verbosity=0)
    if (settings.WEB / "dist" / "manifest.json").exists():
        call_command("collectstatic", interactive=False, verbosity=0, clear=False)
    Space.live()
    loaded = loading.load(loading.find(given.pack), demo=given.demo)
    _signing_key()
    rows = sum(loaded.rows.values())
    text = (
        f"Ready: pack {loaded.pack}, {rows} rows taken in" if loaded.fresh else f"Ready: pack {loaded.pack} as before"
    )
    say(given, text, {"pack": loaded.pack, "rows": loaded.rows, "fresh": loaded.fresh})
    return GOOD


def _signing_key() -> None:
    """A self-made key for CAP messages, where the operator has installed none."""
    from haitang.alerting import signing
    from haitang.alerting.models import Policy

    unit = Policy.objects.first()
    signing.make_demonstration_pair(f"haitang {unit.sender if unit else ''}".strip())


def _init_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", default=os.environ.get("HAITANG_PACK", "chongming"), help="folder in HAITANG_PACKS")
    parser.add_argument("--demo", action="store_true", help="also the pack's invented records and sign-ins")


def _up(given: argparse.Namespace) -> int:
    _django()
    from django.db import connection

    from haitang.config import health, processes
    from haitang.config.env import env

    unfit = next((each for each in health.look(("database", "migrations")) if each.state == "bad"), None)
    connection.close()
    if unfit:
        raise Trouble(f"{unfit.what}: {unfit.detail}. First: {unfit.remedy}")
    address = f"http://{env('HAITANG_ADDRESS')}:{env('HAITANG_PORT')}"

    def ready() -> None:
        data: dict[str, Any] = {"address": address, "public": f"{address}/public/"}
        lines = [f"\nHaitang is at {address}", f"  for residents, without sign-in: {address}/public/"]
        if env("HAITANG_DEMO"):
            people = _demonstration()
            data["sign_ins"] = people
            lines += ["  demonstration sign-ins (one click each on the sign-in page):"]
            lines += [f"    {each['username']:<12} {each['role']}" for each in people["people"]]
            lines += [f"  password of all: {people['password']}", f"  start the typhoon: {address}/replay/"]
        say(given, "\n".join([*lines, "Stop with Ctrl-C\n"]), data)

    return processes.run(ready)


def _demonstration() -> dict[str, Any]:
    from django.conf import settings
    from django.db import connection

    from haitang.accounts.models import User
    from haitang.accounts.roles import Role

    first: dict[str, str] = {}
    for name, role in User.objects.filter(is_demo=True, is_active=True).order_by("pk").values_list("username", "role"):
        first.setdefault(role, name)
    connection.close()
    people = [{"username": first[role], "role": str(Role(role).label)} for role in Role if role in first]
    return {"people": people, "password": getattr(settings, "DEMO_PASSWORD", "")}


def _load_pack(given: argparse.Namespace) -> int:
    _django()
    from haitang.config import loading

    loaded = loading.load(loading.find(given.pack), demo=given.demo, check=given.check, again=given.again)
    lines = [f"  {name}: {number}" for name, number in loaded.rows.items()]
    done = "is good; nothing was kept" if given.check else "was loaded" if loaded.fresh else "had been loaded as it is"
    say(given, "\n".join([f"Pack {loaded.pack} {done}", *lines]), asdict(loaded))
    return GOOD


def _load_pack_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", help="a folder in HAITANG_PACKS, or a path")
    parser.add_argument("--demo", action="store_true", help="also the pack's invented records")
    parser.add_argument("--check", action="store_true", help="say whether the pack is good, keep nothing")
    parser.add_argument("--again", action="store_true", help="load it even if it was loaded as it is now")


def _worker(given: argparse.Namespace) -> int:
    _django()
    from django.conf import settings

    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    names = [name for name in settings.INSTALLED_SLICES if find_spec(f"haitang.{name}.worker")]
    threads = [
        threading.Thread(target=import_module(f"haitang.{name}.worker").run, args=(stop,), name=name, daemon=True)
        for name in names
        if not given.only or name in given.only
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(1.0):
        dead = [thread.name for thread in threads if not thread.is_alive()]
        if dead:
            # Better to end and be started anew than to go on without one of them.
            raise Trouble(f"the worker of {', '.join(dead)} ended by itself; see the log above")
    for thread in threads:
        thread.join(10)
    return GOOD


def _worker_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", metavar="SLICE", help="only the work of these slices")


def _mqtt(given: argparse.Namespace) -> int:
    _django()
    from haitang.monitoring.mqttd import server

    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    server.run(stop)
    return GOOD


def _simulators(given: argparse.Namespace) -> int:
    _django()
    from haitang.delivery import simulators

    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    simulators.serve(stop)
    return GOOD


def _replay(given: argparse.Namespace) -> int:
    _django()
    from haitang.replay import command

    return command.run(given)


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", help="a file in the pack's scenarios/, without .toml; 'list' names them")
    parser.add_argument("--speed", type=float, default=600.0, help="times life (default 600)")
    parser.add_argument("--headless", action="store_true", help="step through it at once, without processes")
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="leave evaluation, CAP messages and journal there"
    )
    parser.add_argument(
        "--cast", choices=("all", "townships", "none"), default="all", help="whom the scripted cast plays"
    )
    parser.add_argument("--detach", action="store_true", help="start it and leave; the platform's worker runs it")
    parser.add_argument("--seed", type=int, help="another run of the same scenario")


def _export(given: argparse.Namespace) -> int:
    _django()
    from haitang.journal import services

    space = _space(given.space)
    count = 0
    out = sys.stdout if str(given.out) == "-" else given.out.open("w", encoding="utf-8")
    with out if out is not sys.stdout else _kept_open(out):
        for line in services.export(space):
            out.write(line + "\n")
            count += 1
    if out is not sys.stdout:
        say(given, f"{count} entries of {space.slug} in {given.out}", {"entries": count, "file": given.out})
    return GOOD


class _kept_open:  # noqa: N801 - reads as a function
    def __init__(self, out: Any) -> None:
        self.out = out

    def __enter__(self) -> Any:
        return self.out

    def __exit__(self, *_: object) -> None:
        self.out.flush()


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--space", default="live", help="short name of the space (default live)")
    parser.add_argument("--out", type=Path, default=Path("-"), help="file to write (default standard output)")


def _export_readings(given: argparse.Namespace) -> int:
    _django()
    from haitang.monitoring import takeout

    space = _space(given.space)
    try:
        series, start, end = takeout.chosen(given.series, given.start, given.end)
        readings = takeout.save(given.out, space.pk, series, start, end)
    except ValueError as error:
        raise Trouble(str(error)) from error
    say(given, f"{readings} readings of {len(series)} series in {given.out}",
        {"readings": readings, "series": len(series), "file": given.out})  # fmt: skip
    return GOOD


def _export_readings_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, help="file to write; its ending says how: .parquet or .csv")
    parser.add_argument("--space", default="live", help="short name of the space (default live)")
    parser.add_argument(
        "--series", nargs="+", default=[], metavar="CODE", help="only these series; NM-* for all that begin so"
    )
    parser.add_argument("--start", default="", metavar="TIME", help="from here on, ISO 8601 (default from the first)")
    parser.add_argument("--end", default="", metavar="TIME", help="before this time (default to the last)")


def _space(slug: str) -> Any:
    from haitang.spaces.models import Space

    found = Space.objects.filter(slug=slug).first()
    if found is None:
        there = ", ".join(Space.objects.values_list("slug", flat=True)[:20])
        raise Trouble(f"There is no space {slug!r}. There are: {there}")
    return found


def _verify_journal(given: argparse.Namespace) -> int:
    _django()
    from django.conf import settings

    from haitang.journal import services
    from haitang.spaces.models import Space

    path = given.anchors or settings.DATA / "anchors.jsonl"
    spaces = [_space(given.space)] if given.space else list(Space.objects.order_by("pk"))
    found = {each.slug: services.verify(each, anchors=services.read_anchors(path, each)) for each in spaces}
    faults = {slug: [asdict(fault) for fault in some] for slug, some in found.items() if some}
    lines = [
        f"{slug}: entry {each['seq']} {each['kind']}: {each['detail']}"
        for slug, some in faults.items()
        for each in some
    ]
    good = f"The journal is complete: {len(spaces)} spaces, nothing changed, removed or reordered"
    say(given, "\n".join(lines) or good, {"spaces": list(found), "faults": faults})
    return BAD if faults else GOOD


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--space", help="only this space")
    parser.add_argument("--anchors", type=Path, help="a copy of the anchors kept elsewhere")


def _backup(given: argparse.Namespace) -> int:
    _django()
    from haitang.config import backup

    made = backup.backup(given.file)
    say(
        given,
        f"{made.path}: {made.files} files, {made.bytes / 1e6:.1f} MB, {sum(made.heads.values())} journal entries",
        asdict(made),
    )
    return GOOD


def _file_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the archive, for example haitang.tar.gz")


def _restore(given: argparse.Namespace) -> int:
    _django()
    from haitang.config import backup

    done = backup.inspect(given.file) if given.check else backup.restore(given.file, force=given.force)
    what = "is good" if given.check else "was restored; check it with haitang verify-journal"
    say(given, f"{done.path} of {done.made_at} {what}", asdict(done))
    return GOOD


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    _file_argument(parser)
    parser.add_argument("--force", action="store_true", help="replace the data that are here")
    parser.add_argument("--check", action="store_true", help="only see whether the archive is whole")


def _check(given: argparse.Namespace) -> int:
    _django()
    from haitang.config import health

    findings = list(health.look())
    lines = [
        f"  {each.state:<5} {each.what}: {each.detail}{f' -> {each.remedy}' if each.remedy else ''}"
        for each in findings
    ]
    say(given, "\n".join(lines), {"findings": [asdict(each) for each in findings]})
    return BAD if any(each.state == "bad" for each in findings) else GOOD


def _token(given: argparse.Namespace) -> int:
    _django()
    from haitang.accounts.actors import SYSTEM
    from haitang.accounts.models import User
    from haitang.accounts.services import mint_token

    user = User.objects.filter(username=given.user).first()
    if user is None:
        raise Trouble(f"There is no user {given.user!r}")
    made, secret = mint_token(
        name=given.name, user=user, space=_space(given.space), rights=given.rights, prefix=given.prefix, by=SYSTEM
    )
    told = f"{secret}\n(number {made.pk}; the secret is shown once: keep it where the machine reads it)"
    say(given, told, {"token": secret, "number": made.pk})
    return GOOD


def _token_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="whose it is, for example 'tide gauges'")
    parser.add_argument("--user", required=True, help="the account that acts")
    parser.add_argument(
        "--rights", nargs="+", default=["read"], help="read, readings:write, cap:write, registers:write ..."
    )
    parser.add_argument("--prefix", default="", help="only series whose codes begin so")
    parser.add_argument("--space", default="live")


def _user(given: argparse.Namespace) -> int:
    _django()
    from django.core.exceptions import ValidationError

    from haitang.accounts.actors import SYSTEM
    from haitang.accounts.models import Organisation
    from haitang.accounts.roles import Role
    from haitang.accounts.services import register_user

    body = Organisation.objects.filter(code=given.organisation).first()
    if body is None:
        raise Trouble(
            f"There is no organisation {given.organisation!r}; its code stands in the pack's organisations.csv"
        )
    try:
        user, password = register_user(
            username=given.username,
            role=Role(given.role),
            organisation=body,
            name_zh=given.name or given.username,
            by=SYSTEM,
        )
    except ValidationError as error:
        raise Trouble("; ".join(error.messages)) from error
    say(given, f"{user.username}: {password}\n(shown once)", {"username": user.username, "password": password})
    return GOOD


def _backfill(given: argparse.Namespace) -> int:
    _django()
    from haitang.accounts.actors import SYSTEM
    from haitang.accounts.models import User
    from haitang.monitoring import backfill
    from haitang.monitoring.batch import BatchError
    from haitang.monitoring.services import begin_backfill

    by = User.objects.filter(username=given.user).first() if given.user else SYSTEM
    if by is None:
        raise Trouble(f"There is no user {given.user!r}")
    try:
        with Path(given.file).open("rb") as file:
            made = begin_backfill(
                _space(given.space), name=given.file, parts=iter(lambda: file.read(1_000_000), b""), by=by
            )
    except BatchError as error:
        raise Trouble(f"{given.file}: {error}") from error
    backfill.carry_out(made, lambda at: None if given.json else sys.stderr.write(f"\r{at.percent} %"))
    if made.error:
        raise Trouble(f"{given.file}: {made.error}")
    refused = ", ".join(f"{reason} {number}" for reason, number in made.refused.items())
    lines = [f"{made.accepted} readings taken in, {made.refused_total} rows refused {refused}".rstrip()]
    lines += [
        f"  line {each['line']}, {each['column']} {each['value']!r}: {each['rule']}; {each['remedy']}"
        for each in made.rejections
    ]
    told = {"accepted": made.accepted, "refused": made.refused, "rejections": made.rejections}
    say(given, "\n".join(lines), told)
    return GOOD


def _backfill_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", help="CSV (UTF-8 or GB18030) or XLSX with the columns series, time, value and perhaps unit"
    )
    parser.add_argument("--space", default="live")
    parser.add_argument("--user", default="", help="whose reach and name it has; without it, the platform's own")


def _user_arguments(parser: argparse.ArgumentParser) -> None:
    roles = ("admin", "duty_officer", "commander", "department", "township", "grid", "enterprise", "social", "machine")
    parser.add_argument("username")
    parser.add_argument("--role", choices=roles, required=True)
    parser.add_argument("--organisation", required=True, metavar="CODE", help="whose reach the account has")
    parser.add_argument("--name", default="", help="the person's name")


COMMANDS = {
    "up": Command(_up, "start the platform: pages, live streams, background work, gateway simulators", "haitang up"),
    "init": Command(_init, "prepare the database, load the pack; harmless to repeat", "haitang init --pack chongming --demo", _init_arguments),
    "load-pack": Command(_load_pack, "take in a district's data pack", "haitang load-pack chongming --check", _load_pack_arguments),
    "replay": Command(_replay, "run a recorded event through the platform, in an exercise", "haitang replay bebinca --headless --report out/", _replay_arguments),
    "worker": Command(_worker, "the background work: escalation, outbox, evaluation, expiry", "haitang worker", _worker_arguments),
    "mqtt": Command(_mqtt, "the MQTT endpoint to which sensors publish", "haitang mqtt"),
    "simulators": Command(_simulators, "gateways for trying out: SMS, voice, WeCom, loudspeaker, mail", "haitang simulators"),
    "export": Command(_export, "write a space's journal as JSON lines", "haitang export --space live --out journal.jsonl", _export_arguments),
    "export-readings": Command(_export_readings, "write readings as Parquet or CSV", "haitang export-readings tide.parquet --series NM-TIDE.level --start 2024-09-01", _export_readings_arguments),
    "verify-journal": Command(_verify_journal, "find any changed, removed or reordered entry", "haitang verify-journal", _verify_arguments),
    "backup": Command(_backup, "database, uploads and anchors in one archive; the platform may go on", "haitang backup haitang.tar.gz", _file_argument),
    "restore": Command(_restore, "put a backup in place of what is here", "haitang restore haitang.tar.gz", _restore_arguments),
    "backfill": Command(_backfill, "take in a file of history", "haitang backfill tides-2023.xlsx", _backfill_arguments),
    "check": Command(_check, "see whether everything is ready", "haitang check"),
    "user": Command(_user, "open an account, or give it a new password", "haitang user wang --role admin --organisation CM-EMB --name 王工", _user_arguments),
    "token": Command(_token, "make an access token for a machine", "haitang token gauges --user city --rights readings:write", _token_arguments),
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(prog="haitang", description="Haitang, district emergency management.", epilog=f"{CODES}\nsettings: docs/operations.md", formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name, help=command.help, description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=f"example:\n  {command.example}\n\n{CODES}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.add_argument("--json", action="store_true", help="answer with one JSON object")
        if command.add:
            command.add(sub)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what an operator can mend is told in a line, not in a traceback."""
    given = parser().parse_args(arguments)
    from haitang.accounts.verbs import Forbidden, Refused
    from haitang.config.env import SettingError
    from haitang.packs import PackError

    try:
        return COMMANDS[given.command].run(given)
    except (Trouble, SettingError, PackError, Refused, Forbidden) as error:
        return _told(given, error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from django.db import DatabaseError

        from haitang.config.backup import BackupError

        if isinstance(error, DatabaseError | BackupError | OSError):
            return _told(given, error)
        raise


def _told(given: argparse.Namespace, error: Exception) -> int:
    if given.json:
        print(json.dumps({"error": type(error).__name__, "detail": str(error)}, ensure_ascii=False))
    else:
        sys.stderr.write(f"haitang {given.command}: {error}\n")
    return BAD


if __name__ == "__main__":
    sys.exit(main())
