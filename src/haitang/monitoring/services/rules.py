"""Rules written by people: as text or form, tried by their own test cases, made live, withdrawn; latched alarms reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from haitang.accounts.actors import Actor, System
from haitang.accounts.roles import Role
from haitang.accounts.verbs import Forbidden, Refused, may, verb
from haitang.journal.services import record
from haitang.monitoring import engine, rule_network
from haitang.monitoring.models import Alarm, Rule, Series
from haitang.monitoring.rule_text import RuleTextError
from haitang.monitoring.services.alarms import WATCHERS
from haitang.monitoring.services.network import KEEPERS, register_rule
from haitang.spaces.models import Space

PUBLISHERS = frozenset({Role.ADMIN, Role.DUTY_OFFICER, Role.COMMANDER})
"""Who decides that a rule opens alarms."""


@verb("monitoring.write_rule", roles=KEEPERS)
def write_rule(fields: Mapping[str, Any], *, by: Actor) -> Rule:
    """Set a rule from its text or form (fields as `rule_text.parse` gives them), or change the one with this code.

    A person may use the series and rules that he sees. A live rule is changed by those who may make one live; the others
    write drafts. Its test cases are run first.
    """
    given = dict(fields)
    code = given.pop("code")
    known = Rule.objects.filter(code=code).first()
    if (
        known is not None
        and not isinstance(by, System)
        and not Rule.objects.visible_to(by).filter(pk=known.pk).exists()
    ):
        raise Forbidden(
            _("A rule with the code %(code)s exists outside your reach; choose another code.") % {"code": code}
        )
    live = not given.get("is_draft", False)
    if (live or (known is not None and known.is_active)) and not may(by, "monitoring.publish_rule"):
        raise Refused(_("Save it as a draft under a code of its own; a duty officer makes it live."))
    given["series"] = _series(given["series"], "series", by)
    given["minus"] = _series(given["minus"], "minus", by) if given.get("minus") else None
    given["inhibited_by"] = _rule(given["inhibited_by"], by) if given.get("inhibited_by") else None
    given["is_active"] = live
    rule = register_rule(code=code, by=by, **given)
    must_pass(rule)
    return rule


def must_pass(rule: Rule) -> None:
    """Raise RuleTextError where the rule cannot be resolved, or a test case of it fails."""
    rule_network.specs([rule])
    for trial in rule_network.trials(rule):
        if not trial.passed:
            raise RuleTextError(
                f"test {trial.name}", trial.found, f"the rule does not do what is expected: {trial.expected}",
                "Mend the rule or the test", rule.code,
            )  # fmt: skip


def _series(code: str | Series, key: str, by: Actor) -> Series:
    if isinstance(code, Series):
        return code
    rows = Series.objects.all() if isinstance(by, System) else Series.objects.visible_to(by)
    found = rows.select_related("station").filter(code=code).first()
    if found is None:
        raise RuleTextError(key, code, _("no series in your reach has this code"), _("Look it up on the page Stations"))
    return found


def _rule(code: str | Rule, by: Actor) -> Rule:
    if isinstance(code, Rule):
        return code
    rows = Rule.objects.all() if isinstance(by, System) else Rule.objects.visible_to(by)
    found = rows.filter(code=code, condition__isnull=True).first()
    if found is None:
        raise RuleTextError(
            "inhibited_by",
            code,
            _("no rule about readings in your reach has this code"),
            _("Look it up in the list of rules"),
        )
    return found


@verb("monitoring.publish_rule", roles=PUBLISHERS)
def publish_rule(rule: Rule, *, by: Actor) -> Rule:
    """Make a draft live: from now on it opens alarms."""
    rule = _mine(rule, by)
    if rule.is_active:
        raise Refused(_("The rule is live already."))
    must_pass(rule)
    return _switch(rule, by, live=True, zh=f"启用告警规则：{rule.code}", en=f"Made rule {rule.code} live")


@verb("monitoring.withdraw_rule", roles=PUBLISHERS)
def withdraw_rule(rule: Rule, *, by: Actor) -> Rule:
    """Take a rule out of use and keep it as a draft; the alarm that stands under it is cleared."""
    rule = _mine(rule, by)
    if not rule.is_active:
        raise Refused(_("The rule is not live."))
    return _switch(rule, by, live=False, zh=f"停用告警规则：{rule.code}", en=f"Withdrew rule {rule.code}")


def _switch(rule: Rule, by: Actor, *, live: bool, zh: str, en: str) -> Rule:
    rule.is_active, rule.is_draft = live, not live
    rule.save(update_fields=["is_active", "is_draft"])
    station = rule.series.station
    record(
        space=Space.live(), verb=f"monitoring.{'publish' if live else 'withdraw'}_rule", by=by, subject=rule,
        place=station.place, organisation=station.operator, before={"live": not live}, after={"live": live},
        text_zh=zh, text_en=en,
    )  # fmt: skip
    return rule


def _mine(rule: Rule, by: Actor) -> Rule:
    rows = Rule.objects.all() if isinstance(by, System) else Rule.objects.visible_to(by)
    found = rows.select_related("series__station__place", "series__station__operator").filter(pk=rule.pk).first()
    if found is None:
        raise Forbidden(_("This rule is outside your scope."))
    return found


@verb("monitoring.reset", roles=WATCHERS)
def reset_alarm(alarm: Alarm, *, by: Actor) -> Alarm:
    """Set back an alarm that is held until somebody does so; what a reading meets yet stays."""
    if not isinstance(by, System) and not Alarm.objects.visible_to(by).filter(pk=alarm.pk).exists():
        raise Forbidden(_("This alarm is outside your scope."))
    if alarm.rule is None or not alarm.rule.latch or not alarm.is_open:
        raise Refused(_("This alarm is not held; it ends by itself when its rule is no longer met."))
    engine.let_time_pass(alarm.space, (alarm.rule.pk,))
    alarm.refresh_from_db()
    record(
        space=alarm.space, verb="monitoring.reset", by=by, subject=alarm, thread=alarm, place=alarm.place,
        organisation=alarm.station.operator, colour=alarm.colour, after={"state": alarm.state},
        text_zh=f"手动复位：{alarm.station.name_zh}{alarm.what_zh}",
        text_en=f"Reset by hand: {alarm.station.name_en or alarm.station.name_zh} {alarm.what_en}",
    )  # fmt: skip
    return alarm
