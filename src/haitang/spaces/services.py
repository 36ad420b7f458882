"""Open and close exercises, and move their clocks."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import slugify

from haitang.accounts.actors import Actor
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.journal.services import record
from haitang.spaces.clock import now
from haitang.spaces.models import ClockMode, Space, SpaceKind


@verb("spaces.open", roles=OPERATIONS | {Role.ADMIN})
def open_exercise(
    *,
    name_zh: str,
    name_en: str = "",
    by: Actor,
    scenario: str = "",
    start: datetime | None = None,
    speed: float = 1.0,
    stepped: bool = False,
) -> Space:
    """Open an exercise whose clock shows `start` now and runs at `speed`, or is `stepped` by hand."""
    real = timezone.now()
    stem = slugify(scenario or name_en or "exercise")[:34] or "exercise"
    mode = ClockMode.STEPPED if stepped else ClockMode.SCALED if start or speed != 1.0 else ClockMode.REAL
    space = Space.objects.create(
        slug=f"{stem}-{real:%y%m%d%H%M%S}-{real.microsecond // 1000:03d}",
        kind=SpaceKind.EXERCISE,
        name_zh=name_zh,
        name_en=name_en,
        scenario=scenario,
        clock_mode=mode,
        clock_base=start or real,
        clock_anchor=real,
        clock_speed=speed,
    )
    record(space=space, verb="spaces.open", by=by, subject=space, after={"speed": speed, "scenario": scenario},
           text_zh=f"演练开始：{name_zh}", text_en=f"Exercise opened: {name_en or name_zh}")  # fmt: skip
    return space


@verb("spaces.speed", roles=OPERATIONS | {Role.ADMIN})
def set_speed(space: Space, *, speed: float, by: Actor) -> Space:
    """Run the exercise's clock at another speed from this moment on; 0 pauses it."""
    if not space.is_exercise:
        raise Refused("The live clock cannot be changed")
    moment = now(space)
    before = space.clock_speed
    space.clock_base, space.clock_anchor, space.clock_speed = moment, timezone.now(), speed
    space.save(update_fields=["clock_base", "clock_anchor", "clock_speed"])
    record(space=space, verb="spaces.speed", by=by, subject=space, before={"speed": before}, after={"speed": speed},
           text_zh=f"演练时钟调为 {speed:g} 倍", text_en=f"Exercise clock set to {speed:g}x")  # fmt: skip
    return space


def step_to(space: Space, moment: datetime) -> None:
    """Move a stepped clock forward. Not a verb: the replay's driver calls it many times; it never goes back."""
    if not space.is_exercise:
        raise Refused("The live clock cannot be changed")
    Space.objects.filter(pk=space.pk, clock_mode=ClockMode.STEPPED, clock_base__lt=moment).update(clock_base=moment)
    space.clock_base = max(space.clock_base or moment, moment)


@verb("spaces.close", roles=OPERATIONS | {Role.ADMIN})
def close_exercise(space: Space, *, by: Actor) -> Space:
    """Close an exercise: its clock stops, its record stays."""
    if not space.is_exercise:
        raise Refused("The live space cannot be closed")
    if space.is_open:
        moment = now(space)
        space.is_open, space.clock_mode, space.clock_base = False, ClockMode.STEPPED, moment
        space.save(update_fields=["is_open", "clock_mode", "clock_base"])
        record(space=space, verb="spaces.close", by=by, subject=space, text_zh="演练结束", text_en="Exercise closed")
    return space


def look_at(request: HttpRequest, space: Space) -> None:
    """Let this visitor look at another world from the next page on."""
    from haitang.spaces.middleware import SESSION_KEY

    request.session[SESSION_KEY] = space.pk
