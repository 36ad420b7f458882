"""The scenarios of a pack, read from its folder, and a simulation of one on the network that is loaded."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from haitang.accounts.models import User
from haitang.accounts.verbs import Refused
from haitang.config.env import env
from haitang.monitoring.models import Series, Station
from haitang.packs import Pack, PackError
from haitang.replay import coefficients, scenario
from haitang.replay.scenario import SHARED_FILES, Scenario
from haitang.replay.simulate import Simulation, Site
from haitang.replay.what_if import Change, WhatIfError, simulate

logger = logging.getLogger(__name__)

FOLDER = "scenarios"


@dataclass(frozen=True)
class Listed:
    """A scenario file: its scenario, or what is wrong with it."""

    key: str
    scenario: Scenario | None
    trouble: str = ""


def pack_name() -> str:
    """The pack of this district."""
    return str(env("HAITANG_PACK"))


def scenarios(pack: str = "") -> list[Listed]:
    """Every scenario of a pack, in its own order; a file that cannot be read is listed with what is wrong."""
    try:
        found = _pack(pack or pack_name())
    except PackError:
        return []
    listed = []
    for file in found.files(f"{FOLDER}/*.toml"):
        if Path(file).name in SHARED_FILES:
            continue
        key = Path(file).stem
        try:
            listed.append(Listed(key, scenario.read(key, found.toml(file))))
        except (scenario.ScenarioError, PackError) as error:
            logger.warning("scenario %s of pack %s: %s", key, found.name, error)
            listed.append(Listed(key, None, str(error)))
    return sorted(listed, key=lambda each: (each.scenario.order if each.scenario else 1000, each.key))


def find(key: str, pack: str = "") -> Scenario:
    """One scenario; Refused names what there is, or what is wrong with it."""
    there = {each.key: each for each in scenarios(pack)}
    if key not in there:
        raise Refused(
            _("There is no scenario %(key)s. There are: %(there)s")
            % {"key": key, "there": ", ".join(there) or _("none")}
        )
    found = there[key]
    if found.scenario is None:
        raise Refused(_("Scenario %(key)s cannot be used: %(trouble)s") % {"key": key, "trouble": found.trouble})
    return found.scenario


def sites() -> list[Site]:
    """The series of the network that say where they are. One query."""
    rows = Series.objects.filter(is_active=True, station__is_active=True, station__west__isnull=False)
    columns = ("code", "station__code", "quantity", "station__west", "station__south", "interval_s")
    return [Site(*row) for row in rows.order_by("code").values_list(*columns)]


def gauges(key: str, user: User) -> list[tuple[str, str]]:
    """Tide gauges of the network that a scenario simulates and this user may see: code and name."""
    known = simulation(key).coefficients.gauges
    rows = Station.objects.visible_to(user).filter(code__in=known, is_active=True).order_by("code")
    return [(station.code, station.name) for station in rows]


def simulation(key: str, *, pack: str = "", seed: int | None = None, change: Change | None = None) -> Simulation:
    """A simulation of a scenario, changed or as it was, on the network that is loaded; kept, for a storm is computed once."""
    network = tuple(sites())
    if not network:
        raise Refused(_("No station with a position is loaded: load a pack first (haitang load-pack)"))
    name = pack or pack_name()
    find(key, name)  # says what is wrong, if anything is
    folder = _pack(name).folder / FOLDER
    stamp = tuple(path.stat().st_mtime_ns for path in (folder / f"{key}.toml", *(folder / f for f in sorted(SHARED_FILES)))
                  if path.is_file())  # fmt: skip
    base = _simulation(name, key, seed, network, stamp)
    return base if change is None or not change.plain() else _otherwise(base, change)


@lru_cache(maxsize=4)
def _simulation(
    pack: str, key: str, seed: int | None, network: tuple[Site, ...], _stamp: tuple[int, ...]
) -> Simulation:
    from dataclasses import replace

    found, storm = _pack(pack), find(key, pack)
    if seed is not None:
        storm = replace(storm, seed=seed)
    try:
        shared = coefficients.read(found.toml(f"{FOLDER}/simulation.toml"), found.toml(f"{FOLDER}/tide.toml"))
    except coefficients.CoefficientError as error:
        raise Refused(f"{FOLDER}/simulation.toml: {error}") from error
    return Simulation(storm, shared, network)


@lru_cache(maxsize=4)
def _otherwise(base: Simulation, change: Change) -> Simulation:
    try:
        return simulate(base, change)
    except WhatIfError as error:
        raise Refused(str(error)) from error


def _pack(name: str) -> Pack:
    return Pack(settings.PACKS / name)
