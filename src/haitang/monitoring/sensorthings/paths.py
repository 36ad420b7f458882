"""The resource path: `Things(1)/Datastreams(2)/Observations`, a property, `/$value`, `/$ref`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from haitang.monitoring.sensorthings.errors import bad, missing
from haitang.monitoring.sensorthings.schema import BY_PLURAL, KINDS, Kind

MOST_SEGMENTS = 12
_SEGMENT = re.compile(r"^([A-Za-z]+)(?:\((.*)\))?$")
_BIGGEST = 2**63 - 1


@dataclass(frozen=True)
class Step:
    """One entity set or entity on the way: by which relation it was reached, and which one is meant (None: all)."""

    kind: Kind
    relation: str
    many: bool
    id: int | None


@dataclass(frozen=True)
class Path:
    """A parsed resource path. `end` is "" (entities), "$ref", "$count", or the property with `is_value` for /$value."""

    steps: tuple[Step, ...]
    prop: tuple[str, ...] = ()
    is_value: bool = False
    is_ref: bool = False

    @property
    def last(self) -> Step:
        """What the path leads to."""
        return self.steps[-1]

    @property
    def is_collection(self) -> bool:
        """Whether it leads to a set of entities."""
        return self.last.many and self.last.id is None and not self.prop


def parse(text: str) -> Path:
    """Parse a path below the service root; StaError names the segment that is wrong."""
    segments = [segment for segment in text.split("/") if segment]
    if not segments:
        raise bad("The path is empty", "path")
    if len(segments) > MOST_SEGMENTS:
        raise bad(f"The path has {len(segments)} segments; at most {MOST_SEGMENTS} are followed", "path")
    steps: list[Step] = []
    prop: list[str] = []
    is_ref = is_value = False
    for number, segment in enumerate(segments):
        final = number == len(segments) - 1
        if segment == "$ref" and final and steps and not prop:
            is_ref = True
        elif segment == "$value" and final and prop:
            is_value = True
        elif prop:
            prop.append(segment)
        else:
            step = _step(segment, steps[-1] if steps else None)
            if step is None:
                prop.append(segment)
            else:
                steps.append(step)
    return Path(tuple(steps), tuple(prop), is_value, is_ref)


def _step(segment: str, before: Step | None) -> Step | None:
    found = _SEGMENT.match(segment)
    if before is None:
        kind = BY_PLURAL.get(found[1]) if found else None
        if found is None or kind is None:
            raise missing(f"There is no collection {segment!r}; there are {', '.join(BY_PLURAL)}", segment)
        return Step(kind, kind.plural, True, _id(found[2], segment))
    if before.many and before.id is None:
        raise missing(
            f"{before.relation} is a collection: {segment!r} can only follow one of it, {before.relation}(1)", segment
        )
    if found is not None and found[1] in before.kind.relations:
        name, many = before.kind.relations[found[1]]
        if found[2] is not None and not many:
            raise bad(f"{found[1]} is one entity; leave ({found[2]}) out", segment)
        return Step(KINDS[name], found[1], many, _id(found[2], segment))
    if found is not None and found[2] is None and (segment in before.kind.properties or segment == "id"):
        return None
    raise missing(f"{before.kind.name} has neither a property nor a relation {segment!r}", segment)


def _id(text: str | None, segment: str) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and int(text) <= _BIGGEST:
        return int(text)
    raise missing(f"{segment!r}: numbers of entities are integers here", segment)
