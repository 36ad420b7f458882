"""What can be done with replays: start one, pause it, run it faster, stop it. Who moves it on: `driver` and `headless`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.models import Organisation, User
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.journal.services import record
from haitang.replay import library
from haitang.replay.cast.parts import EVERYBODY, Part
from haitang.replay.doors import DOORS
from haitang.replay.models import MOVES, Driver, Run, RunState
from haitang.replay.what_if import Change
from haitang.spaces import services as spaces
from haitang.spaces.clock import now
from haitang.spaces.models import ClockMode, Space

__all__ = ["end", "fail", "find", "pause", "resume", "set_speed", "start", "stop"]

DIRECTORS = OPERATIONS | {Role.ADMIN}
NOBODY: frozenset[str] = frozenset()
"""Verbs that only the platform itself uses."""
SPEEDS = (1.0, 10.0, 60.0, 300.0, 600.0, 1200.0, 3600.0)
MOST_SPEED = 7200.0
# So many exercises at once: each is a whole district.
MOST_RUNNING = 3


@verb("replay.start", roles=DIRECTORS)
def start(
    scenario: str,
    *,
    by: Actor,
    speed: float | None = None,
    parts: Collection[str] | None = None,
    spared: Collection[Organisation] = (),
    seed: int | None = None,
    pack: str = "",
    door: str = "",
    stepped: bool = False,
    change: Change | None = None,
) -> Run:
    """Open an exercise space at the scenario's beginning and run the scenario in it.

    `parts` are whom the scripted cast plays (`cast.Part`; None: everybody), `spared` organisations that it leaves to
    people. The worker moves the run on and sends its readings in by `door` ("http", which is the default, "mqtt",
    "inside"); a `stepped` run is moved by `headless`. `change`: the storm comes otherwise than it did.
    """
    found = library.find(scenario, pack)
    otherwise = change or Change()
    rate = found.speed if speed is None else speed
    _check_speed(rate)
    if door and door not in DOORS:
        raise Refused(_("There is no door %(door)s. There are: %(doors)s") % {"door": door, "doors": ", ".join(DOORS)})
    played = sorted({Part(each).value for each in (EVERYBODY if parts is None else parts)})
    if not stepped and Run.objects.filter(state=RunState.RUNNING, kind=Driver.SCALED).count() >= MOST_RUNNING:
        raise Refused(_("%(n)s exercises are running already: stop one first") % {"n": MOST_RUNNING})
    # Refuses what cannot be run before a space is opened.
    storm = library.simulation(scenario, pack=pack, seed=seed, change=otherwise).scenario
    also_zh, also_en = ("（假设推演）", " (what if)") if otherwise.plain() else ("", "")
    # Either way the clock is moved by whoever drives, never by the machine's: no time is lost when nobody does.
    space = spaces.open_exercise(
        name_zh=f"演练：{found.name.zh}{also_zh}", name_en=f"Exercise: {found.name.en}{also_en}", by=by, scenario=scenario, start=found.start,
        speed=0.0 if stepped else rate, stepped=True,
    )  # fmt: skip
    run = Run.objects.create(
        space=space, scenario=scenario, pack=pack or library.pack_name(), name_zh=f"{found.name.zh}{also_zh}",
        name_en=f"{found.name.en}{also_en}", begin=storm.start, end=storm.end, change=otherwise.plain(), seed=found.seed if seed is None else seed, speed=rate,
        kind=Driver.STEPPED if stepped else Driver.SCALED, parts=played, spared=sorted(body.code for body in spared),
        position=found.start - _BEFORE, door=door, started_by=None if isinstance(by, System) else by,
    )  # fmt: skip
    record(
        space=space, verb="replay.start", by=by, subject=run,
        after={"scenario": scenario, "seed": run.seed, "speed": rate, "parts": played, "spared": run.spared, "change": run.change},
        text_zh=f"开始复盘推演：{found.name.zh}", text_en=f"Replay begins: {found.name.en}",
    )  # fmt: skip
    return run


_BEFORE = timedelta(seconds=1)
"""What is reported at the very beginning belongs to the run."""


@verb("replay.pause", roles=DIRECTORS)
def pause(run: Run, *, by: Actor) -> Run:
    """Let the exercise's time stand still."""
    _lock(run)
    _move(run, RunState.PAUSED)
    spaces.set_speed(run.space, speed=0.0, by=by)
    _record(run, "pause", by, "暂停推演", "Replay paused")
    return run


@verb("replay.resume", roles=DIRECTORS)
def resume(run: Run, *, by: Actor) -> Run:
    """Let it go on, from where it was paused or failed."""
    _lock(run)
    _move(run, RunState.RUNNING)
    run.trouble = ""
    run.save(update_fields=["trouble"])
    spaces.set_speed(run.space, speed=run.speed, by=by)
    _record(run, "resume", by, "继续推演", "Replay goes on")
    return run


@verb("replay.speed", roles=DIRECTORS)
def set_speed(run: Run, *, speed: float, by: Actor) -> Run:
    """Run it faster or slower from this moment on; a paused one stays paused."""
    _check_speed(speed)
    _lock(run)
    if not run.is_under_way:
        raise Refused(_("This replay is over; its speed cannot be changed"))
    run.speed = speed
    run.save(update_fields=["speed"])
    if run.state == RunState.RUNNING and run.kind == Driver.SCALED:
        spaces.set_speed(run.space, speed=speed, by=by)
    return run


@verb("replay.stop", roles=DIRECTORS)
def stop(run: Run, *, by: Actor) -> Run:
    """End the exercise before its time; its record stays."""
    _lock(run)
    _move(run, RunState.STOPPED)
    _close(run)
    _record(run, "stop", by, "终止推演", "Replay stopped")
    spaces.close_exercise(run.space, by=by)
    return run


@verb("replay.end", roles=NOBODY)
def end(run: Run, *, by: Actor) -> Run:
    """The scenario is over. Where the cast played everybody the exercise closes; else people may still finish their work."""
    _lock(run)
    if run.state != RunState.RUNNING:
        return run
    _move(run, RunState.ENDED)
    _close(run)
    _record(run, "end", by, "推演结束", "The scenario is over")
    if set(run.parts) == {part.value for part in EVERYBODY} and not run.spared:
        spaces.close_exercise(run.space, by=by)
    elif run.kind == Driver.SCALED:
        # Nobody moves the clock any more: it runs by itself, as fast as life.
        Space.objects.filter(pk=run.space_id).update(clock_mode=ClockMode.SCALED)
        run.space.refresh_from_db()
        spaces.set_speed(run.space, speed=1.0, by=by)
    return run


@verb("replay.fail", roles=NOBODY)
def fail(run: Run, *, trouble: str, by: Actor) -> Run:
    """Something is wrong that trying again does not mend; time stands still until somebody resumes or stops it."""
    _lock(run)
    if run.state != RunState.RUNNING:
        return run
    _move(run, RunState.FAILED)
    run.trouble = trouble[:300]
    run.save(update_fields=["trouble"])
    spaces.set_speed(run.space, speed=0.0, by=by)
    _record(run, "fail", by, f"推演中断：{trouble}", f"Replay interrupted: {trouble}")
    return run


def find(space: Space) -> Run | None:
    """The run of a space, None where nothing is replayed in it."""
    return Run.objects.select_related("space").filter(space=space).first()


def _lock(run: Run) -> None:
    rows = Run.objects.select_for_update(of=("self",)).select_related("space")
    run.refresh_from_db(from_queryset=rows)


def _move(run: Run, to: RunState) -> None:
    allowed = MOVES.get(run.state, frozenset())
    if to not in allowed:
        raise Refused(
            _("The replay is %(state)s; from there it can only become: %(allowed)s.")
            % {
                "state": run.state_info.label,
                "allowed": ", ".join(str(state.label) for state in RunState if state in allowed) or _("nothing more"),
            }
        )
    run.state = to
    run.save(update_fields=["state"])


def _close(run: Run) -> None:
    run.driver, run.ended_wall = "", timezone.now()
    run.save(update_fields=["driver", "ended_wall"])


def _record(run: Run, what: str, by: Actor, zh: str, en: str) -> None:
    record(space=run.space, verb=f"replay.{what}", by=by, subject=run, after={"state": run.state, "at": now(run.space)},
           text_zh=f"{zh}：{run.name_zh}", text_en=f"{en}: {run.name_en}")  # fmt: skip


def _check_speed(speed: float) -> None:
    if not 0.1 <= speed <= MOST_SPEED:
        raise Refused(_("The speed must lie between 0.1 and %(most)s times life.") % {"most": f"{MOST_SPEED:g}"})


def who_may_drive() -> User | None:
    """Somebody in whose name a run may be started from the command line: the first commander, else administrator."""
    people = User.objects.filter(is_active=True, role__in=[Role.COMMANDER, Role.ADMIN, Role.DUTY_OFFICER])
    return people.order_by("organisation__path", "rank", "pk").first()
