"""From rules as they stand in the database to what the kernel takes: codes to ids, selections to stations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from django.utils import timezone

from haitang.monitoring import backtest, blind_spots, rule_text
from haitang.monitoring.models import Colour, Rule, Series
from haitang.monitoring.rule_text import RuleTextError
from haitang.monitoring.rules import RuleSpec, members

TEST_START = datetime(2024, 7, 1)  # noqa: DTZ001 - made aware in the platform's zone
"""When the test cases of a rule begin, if they do not say."""


@dataclass(frozen=True)
class Member:
    """A rule about readings, as conditions select it."""

    id: int
    code: str
    silent: bool
    quantity: str
    kind: str
    station: int
    path: str
    lon: float | None
    lat: float | None

    @property
    def township(self) -> str:
        """The township's path: the first two codes."""
        return "/".join(self.path.split("/")[:2])


def all_members() -> list[Member]:
    """Every live rule about readings. One query."""
    rows = Rule.objects.filter(
        is_active=True, condition__isnull=True, series__is_active=True, series__station__is_active=True
    ).order_by("pk")
    columns = (
        "pk", "code", "silence_s", "series__quantity", "series__station__kind", "series__station_id",
        "series__station__place__path", "series__station__west", "series__station__south",
    )  # fmt: skip
    return [
        Member(pk, code, silence > 0, quantity, kind, station, path or "", lon, lat)
        for pk, code, silence, quantity, kind, station, path, lon, lat in rows.values_list(*columns)
    ]


def resolve(condition: Mapping[str, Any], among: Sequence[Member]) -> dict[str, Any]:
    """A condition with ids in place of codes; RuleTextError for a code that no live rule has."""
    by_code = {member.code: member for member in among}
    colours = {}
    for level, colour in enumerate(Colour, start=1):
        node = condition.get("node") or condition.get("colours", {}).get(colour.value)
        if node is not None:
            colours[str(level)] = _node(node, level, by_code, among)
    return {"span_ms": int(condition.get("span_s", 0)) * 1000, "colours": colours}


def _node(
    node: Mapping[str, Any], level: int, by_code: Mapping[str, Member], among: Sequence[Member]
) -> dict[str, Any]:
    below = partial(_node, level=level, by_code=by_code, among=among)
    if "not" in node:
        return {"not": below(node["not"])}
    for word in ("all", "any", "of"):
        if word in node:
            parts = [below(each) for each in node[word]]
            return {"k": {"all": len(parts), "any": 1}.get(word, node.get("k")), "of": parts}
    at = Colour(node["at"]).level if "at" in node else level
    if "rule" in node:
        if node["rule"] not in by_code:
            raise RuleTextError(
                "rule", node["rule"], "no live rule about readings has this code", "Look it up in the list of rules"
            )
        return {"k": 1, "at": int(at), "groups": [[[by_code[node["rule"]].id]]]}
    return {"k": node["k"], "at": int(at), "groups": _groups(node, among)}


def _groups(node: Mapping[str, Any], among: Sequence[Member]) -> list[list[list[int]]]:
    """Stations that are counted together, each with its rules."""
    stations: defaultdict[int, list[Member]] = defaultdict(list)
    for each in among:
        fits = each.quantity == node["quantity"] and not each.silent and node.get("kind", each.kind) == each.kind
        if fits and (not node.get("place") or f"/{node['place']}/" in f"/{each.path}"):
            stations[each.station].append(each)
    within = node.get("within", "district")
    groups: list[list[int]] = [list(stations)]
    if within == "township":
        by_township: defaultdict[str, list[int]] = defaultdict(list)
        for station, rules in stations.items():
            by_township[rules[0].township].append(station)
        groups = list(by_township.values())
    elif within != "district":
        groups = _around(stations, float(within.removesuffix("km")) * 1000)
    most = max((len(group) for group in groups), default=0)
    if most < node["k"]:
        raise RuleTextError(
            "k", node["k"], f"only {most} stations with rules about {node['quantity']} lie together",
            "Ask for fewer, or select more widely",
        )  # fmt: skip
    return [
        [[rule.id for rule in stations[station]] for station in group] for group in groups if len(group) >= node["k"]
    ]


def _around(stations: Mapping[int, Sequence[Member]], radius_m: float) -> list[list[int]]:
    placed = [(station, rules[0].lon, rules[0].lat) for station, rules in stations.items()]
    known = [(station, lon, lat) for station, lon, lat in placed if lon is not None and lat is not None]
    lon, lat = np.array([each[1] for each in known]), np.array([each[2] for each in known])
    near = blind_spots.distances_m(lon, lat, lon, lat) <= radius_m
    return [[known[i][0] for i in np.flatnonzero(row).tolist()] for row in near]


def specs(rules: Iterable[Rule], among: Sequence[Member] | None = None) -> list[RuleSpec]:
    """The rules in the kernel's terms; ValueError for the first that cannot be."""
    found = []
    for rule in rules:
        combines = None
        if rule.condition is not None:
            among = all_members() if among is None else among
            combines = resolve(rule.condition, among)
        spec = rule.spec(combines)
        spec.check()
        found.append(spec)
    return found


def with_needed(rule: Rule) -> list[RuleSpec]:
    """A rule (a draft too) and the rules it looks at, in the kernel's terms: what a back-test runs."""
    spec = replace(specs([rule])[0], id=rule.pk or DRAFT)
    wanted: set[int] = set() if spec.inhibited_by is None else {spec.inhibited_by}
    for node in (spec.combines or {}).get("colours", {}).values():
        wanted |= members(node)
    others = Rule.objects.filter(pk__in=wanted).exclude(pk=rule.pk).order_by("pk")
    return [spec, *(replace(each, inhibited_by=None) for each in specs(others))]


DRAFT = 2**40
"""Stands for the number of a rule that is not saved yet."""


@dataclass(frozen=True)
class Trial:
    """What became of one test case of a rule."""

    name: str
    expected: list[tuple[float, str]]
    found: list[tuple[float, str]]

    @property
    def passed(self) -> bool:
        """Whether the rule did what the case expects."""
        return self.expected == self.found


def trials(rule: Rule) -> list[Trial]:
    """Run the rule's test cases, with the kernel that judges readings."""
    if not rule.tests:
        return []
    needed = with_needed(rule)
    codes = dict(Series.objects.filter(pk__in=backtest.series_of(needed)).values_list("code", "pk"))
    return [_trial(rule, number, case, needed, codes) for number, case in enumerate(rule.tests, start=1)]


def _trial(rule: Rule, number: int, case: Mapping[str, Any], needed: list[RuleSpec], codes: Mapping[str, int]) -> Trial:
    start = timezone.make_aware(TEST_START)
    if case.get("start"):
        try:
            start = datetime.fromisoformat(case["start"])
        except ValueError:
            raise RuleTextError(
                f"test {number}.start", case["start"], "is no time", 'Write "2024-07-01T00:00:00+08:00"'
            ) from None
        start = start if start.tzinfo else timezone.make_aware(start)
    base = round(start.timestamp() * 1000)
    given = case["readings"] if isinstance(case["readings"], Mapping) else {rule.series.code: case["readings"]}
    rows: list[tuple[int, int, float]] = []
    for code, readings in given.items():
        if code not in codes:
            raise RuleTextError(
                f"test {number}.readings",
                code,
                "is no series that this rule looks at",
                f"Use {', '.join(sorted(codes))}",
            )
        rows += [
            (codes[code], base + round(rule_text.minutes("readings", at) * 60_000), float(value))
            for at, value in readings
        ]
    expected = [(rule_text.minutes("expect", at), str(colour)) for at, colour in case["expect"]]
    end = max(
        [*(at for _series, at, _value in rows), *(base + round(at * 60_000) for at, _colour in expected)], default=base
    )
    rows.sort(key=lambda row: row[1])
    series = np.array([row[0] for row in rows], np.int64)
    time = np.array([row[1] for row in rows], np.int64)
    value = np.array([row[2] for row in rows], np.float64)
    changes = backtest.replay(needed, series, time, value, end + 1).of(rule.pk or DRAFT)
    found = [((at - base) / 60_000, Colour.of(new).value if new else "none") for at, new in changes]
    return Trial(case.get("name") or f"{number}", expected, found)
