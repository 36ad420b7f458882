"""The company: asks every script what it intends and lets happen what is due. Decided from what is stored, never from memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from haitang.accounts.verbs import Forbidden, Refused
from haitang.journal.models import Entry, Head
from haitang.replay.cast import approval, ground, moving, papers, response, watch
from haitang.replay.cast.parts import Directions
from haitang.replay.cast.stage import Intent, Stage
from haitang.replay.models import Run
from haitang.replay.scenario import Scenario

logger = logging.getLogger(__name__)

ROUNDS = 20
SULK = timedelta(minutes=10)
"""What was refused is tried again after so long, for what it waited for may have come."""
RESTLESS = timedelta(minutes=30)


@dataclass(frozen=True)
class Script:
    """What somebody does: the intentions that what is stored gives rise to, and the verbs that bring new ones.

    `read` looks at what is stored and at nothing else, above all at no clock: an intention says when it is due. An
    intention that was carried out is forgotten; one that was refused makes the script be read anew.
    """

    read: Callable[[Stage], Iterable[Intent]]
    hears: Sequence[str]


SCRIPTS: Sequence[Script] = (
    Script(watch.alarms, ("monitoring.raise", "monitoring.rise", "monitoring.clear")),
    Script(
        watch.warnings, ("monitoring.raise", "monitoring.rise", "monitoring.lower", "monitoring.clear", "alerting.")
    ),
    Script(approval.warnings, ("alerting.submit",)),
    Script(ground.answers, ("obligations.issue", "obligations.overdue", "obligations.reopen")),
    Script(ground.tasks, ("obligations.issue", "obligations.receive", "obligations.start", "obligations.reopen")),
    Script(response.decisions, ("incidents.propose",)),
    Script(response.orders, ("incidents.start", "incidents.change_level")),
    Script(response.confirmations, ("obligations.done",)),
    Script(
        papers.reports,
        ("incidents.start", "incidents.end", "incidents.report", "incidents.phone_report", "incidents.add_report"),
    ),
    Script(response.evaluations, ("incidents.end", "incidents.report")),
    Script(moving.figures, ("obligations.receive", "obligations.start", "incidents.figure")),
    Script(moving.heads, ("incidents.figure", "resources.count_heads")),
    Script(moving.homeward, ("incidents.end", "resources.")),
    Script(moving.losses, ("incidents.start",)),
)


@dataclass
class Company:
    """The cast of one run in this process. It may be made anew at any time."""

    run: Run
    scenario: Scenario
    _stage: Stage = field(init=False)
    _seq: int = -1
    _intents: dict[int, list[Intent]] = field(default_factory=dict)
    _stale: set[int] = field(default_factory=lambda: set(range(len(SCRIPTS))))
    _sulking: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stage = Stage(self.run, self.scenario, Directions.of(self.scenario.cast))

    def act(self, moment: datetime) -> datetime:
        """Do what is due at this moment; returns when something is next intended."""
        if not self.run.parts:
            return moment + RESTLESS
        for _round in range(ROUNDS):
            self._listen()
            due = [(number, intent) for number, intent in self._willing(moment) if intent.at <= moment]
            if not due:
                break
            for number, intent in due:
                self._do(number, intent, moment)
        coming = [intent.at for _number, intent in self._willing(moment) if intent.at > moment]
        waking = [at for at in self._sulking.values() if at > moment]
        return min([*coming, *waking, moment + RESTLESS])

    def _listen(self) -> None:
        """Read the scripts anew that what happened since concerns."""
        head = Head.objects.filter(space=self.run.space_id).values_list("seq", flat=True).first() or 0
        if head != self._seq and self._seq >= 0:
            rows = Entry.objects.filter(space=self.run.space_id, seq__gt=self._seq, seq__lte=head)
            heard = set(rows.order_by().values_list("verb", flat=True).distinct())
            for number, script in enumerate(SCRIPTS):
                if any(verb.startswith(tuple(script.hears)) for verb in heard):
                    self._stale.add(number)
        self._seq = head
        for number in sorted(self._stale):
            self._intents[number] = list(SCRIPTS[number].read(self._stage))
        self._stale.clear()

    def _willing(self, moment: datetime) -> list[tuple[int, Intent]]:
        asleep = {key for key, until in self._sulking.items() if until > moment}
        awake = [(number, each) for number, some in self._intents.items() for each in some if each.key not in asleep]
        return sorted(awake, key=lambda pair: (pair[1].at, pair[1].key))

    def _do(self, number: int, intent: Intent, moment: datetime) -> None:
        try:
            intent.do()
        except (Refused, Forbidden) as error:
            # Somebody else was there before, or something is missing: what is stored says what comes next.
            logger.info("the cast could not do %s: %s", intent.key, error)
            self._sulking[intent.key] = moment + SULK
            self._stale.add(number)
        else:
            self._sulking.pop(intent.key, None)
            self._intents[number] = [each for each in self._intents[number] if each is not intent]
