"""The stage: who there is to be played, and what the cast intends, read from what is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from haitang.accounts.models import Organisation, OrganisationKind, User
from haitang.accounts.roles import OPERATIONS, Role
from haitang.replay.cast.parts import Directions, Manner, Manners, Part, draw, manner, minutes
from haitang.replay.models import Run
from haitang.replay.scenario import Scenario
from haitang.spaces.models import Space

T = TypeVar("T")

# Which part answers for an organisation of a kind.
PART_OF: dict[str, Part] = {
    OrganisationKind.TOWNSHIP: Part.TOWNSHIPS,
    OrganisationKind.VILLAGE: Part.TOWNSHIPS,
    OrganisationKind.COMMAND: Part.DUTY,
    OrganisationKind.GOVERNMENT: Part.COMMAND,
    OrganisationKind.DEPARTMENT: Part.DEPARTMENTS,
    OrganisationKind.ENTERPRISE: Part.DEPARTMENTS,
    OrganisationKind.SOCIAL: Part.DEPARTMENTS,
}


@dataclass(frozen=True)
class Intent:
    """Something that somebody of the cast will do: when, under which name it is remembered, and the deed."""

    at: datetime
    key: str
    do: Callable[[], object] = field(compare=False)


@dataclass
class Stage:
    """One run as the cast sees it. People and places are read once; what happens is read by the scripts."""

    run: Run
    scenario: Scenario
    directions: Directions
    _kept: dict[object, Any] = field(default_factory=dict)

    @property
    def manners(self) -> Manners:
        """How the cast behaves."""
        return self.directions.manners

    @property
    def space(self) -> Space:
        """The exercise."""
        return self.run.space

    def plays(self, part: Part) -> bool:
        """Whether the cast plays this part."""
        return part.value in self.run.parts

    def plays_for(self, body: Organisation) -> bool:
        """Whether the cast acts for an organisation."""
        part = PART_OF.get(body.kind)
        return part is not None and self.plays(part) and body.code not in self.run.spared

    def after(self, since: datetime, median_min: float, *names: object) -> datetime:
        """A drawn time after another: the same for the same names."""
        return since + timedelta(minutes=minutes(median_min, self.manners.spread, draw(self.run.seed, *names)))

    def manner(self, *names: object, urgency: float = 1.0) -> Manner:
        """How somebody answers: the same for the same names."""
        return manner(self.manners, draw(self.run.seed, "manner", *names), urgency=urgency)

    def pick(self, among: Collection[User], *names: object) -> User | None:
        """One of several people: the same for the same names."""
        people = sorted(among, key=lambda user: (user.rank, user.username))
        return people[draw(self.run.seed, "pick", *names).randrange(len(people))] if people else None

    def keep(self, key: object, make: Callable[[], T]) -> T:
        """What does not change during a run: made once, then remembered."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[no-any-return]

    @staticmethod
    def key(name: Sequence[object]) -> str:
        """The name of an intention as one text."""
        return "|".join(str(part) for part in name)

    def offset(self, at: datetime) -> int:
        """Seconds since the beginning: a name for a moment that is the same in every run."""
        return round((at - self.run.begin).total_seconds())

    @cached_property
    def _people(self) -> list[User]:
        rows = User.objects.filter(is_active=True, organisation__isnull=False).select_related("organisation__place")
        return list(rows.order_by("organisation__path", "rank", "username"))

    @cached_property
    def _members(self) -> dict[int, list[User]]:
        found: defaultdict[int, list[User]] = defaultdict(list)
        for user in self._people:
            if user.organisation_id is not None:
                found[user.organisation_id].append(user)
        return found

    def members(self, body: Organisation) -> list[User]:
        """The people of an organisation in the order in which they are called."""
        return self._members.get(body.pk, [])

    @cached_property
    def duty_officers(self) -> list[User]:
        """The duty officers whose reach is the whole district."""
        return [user for user in self._district if user.role == Role.DUTY_OFFICER]

    @cached_property
    def commanders(self) -> list[User]:
        """The commanders whose reach is the whole district."""
        return [user for user in self._district if user.role == Role.COMMANDER]

    @cached_property
    def _district(self) -> list[User]:
        return [
            user for user in self._people
            if user.role in OPERATIONS and user.organisation and user.organisation.place and user.organisation.place.parent_id is None
        ]  # fmt: skip
