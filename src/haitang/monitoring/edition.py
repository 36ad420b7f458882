"""The edition of the network: a number that changes with stations, series and rules, and what was made of it."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from django.db.models.signals import post_delete, post_save

from haitang.monitoring import rule_network
from haitang.monitoring.batch import Catalogue
from haitang.monitoring.models import Edition, Rule, Series, Station
from haitang.monitoring.rule_text import RuleTextError
from haitang.monitoring.rules import Ints, RuleError, RuleSet, compile_rules

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """Series and rules of one edition: for the door its catalogue, for the evaluator its rule set."""

    number: int
    catalogue: Catalogue
    rules: RuleSet

    @property
    def ids(self) -> Ints:
        """Database ids of the series by their position in the catalogue."""
        ids = self.rules.series_ids
        return ids[ids > 0]  # those below are differences


_current: Network | None = None


def number() -> int:
    """The present edition. One query."""
    found = Edition.objects.filter(pk=1).values_list("number", flat=True).first()
    if found is None:
        bump()
        return number()
    return int(found)


def bump(*_: Any, **__: Any) -> None:
    """The network changed. Writers that go round `save()` (bulk changes, imports) call this themselves."""
    # Random and not counted up: a number that a rolled-back transaction gave out is never given out for other content.
    Edition.objects.update_or_create(pk=1, defaults={"number": secrets.randbits(62)})


def connect() -> None:
    """Let every saved or deleted station, series and rule bump the edition."""
    for model in (Station, Series, Rule):
        post_save.connect(bump, sender=model, dispatch_uid=f"monitoring.edition.save.{model.__name__}")
        post_delete.connect(bump, sender=model, dispatch_uid=f"monitoring.edition.delete.{model.__name__}")


def network() -> Network:
    """The network as it is now, kept in memory until the edition changes. One query when nothing changed."""
    global _current  # noqa: PLW0603 - one network per process, replaced whole
    now = number()
    if _current is None or _current.number != now:
        _current = _load(now)
    return _current


def _load(now: int) -> Network:
    series = list(
        Series.objects.filter(is_active=True, station__is_active=True)
        .order_by("pk")
        .values_list("pk", "code", "quantity", "unit", "low", "high")
    )
    known = {row[0] for row in series}
    specs, members = [], None
    for rule in Rule.objects.filter(is_active=True):
        if rule.series_id not in known or (rule.minus_id is not None and rule.minus_id not in known):
            continue
        if rule.condition is not None and members is None:
            members = rule_network.all_members()
        try:
            specs += rule_network.specs([rule], members)
        except (RuleError, RuleTextError) as error:
            # Forms and the pack loader refuse such a rule; one that came another way must not stop the rest.
            logger.warning("rule %s is left out: %s", rule.code, error)
    rules = compile_rules(known, specs)
    rows = [(code, q, unit, low, high) for _, code, q, unit, low, high in series]
    return Network(now, Catalogue.of(rows, rules.series_ids), rules)
