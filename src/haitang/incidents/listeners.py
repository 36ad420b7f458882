"""What incidents do when something happens elsewhere: a warning goes out or ends, a duty is reported done."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from haitang.accounts.verbs import Forbidden, Refused
from haitang.alerting.models import EventKind, Warning
from haitang.incidents.kinds import DECIDE, REPORT
from haitang.incidents.models import Incident, Report, ResponseProposal
from haitang.incidents.services import proposals
from haitang.journal.models import Entry
from haitang.journal.signals import on
from haitang.obligations.models import Obligation
from haitang.plans import hazards

log = logging.getLogger(__name__)


def _kinds() -> dict[str, tuple[str, str]]:
    """What hazards are called, for the plans."""
    rows = EventKind.objects.filter(is_active=True).order_by("-code").values_list("hazard", "name_zh", "name_en")
    return {hazard: (zh, en or zh) for hazard, zh, en in rows}


hazards.lend(_kinds)


def _consider(subject: Model) -> None:
    """Look at what a warning means for the plans. A plan that cannot be followed does not keep a warning from going out."""
    if not isinstance(subject, Warning):
        return
    try:
        with transaction.atomic():
            proposals.consider(subject)
    except (Refused, Forbidden):
        log.exception("warning %s could not be weighed against the plans", subject.pk)


@on("alerting.publish")
def published(entry: Entry, subject: Model) -> None:
    """A warning went out, was renewed or cancelled."""
    _consider(subject)


@on("alerting.expire")
def expired(entry: Entry, subject: Model) -> None:
    """A warning's time is over."""
    _consider(subject)


@on("incidents.start")
@on("incidents.change_level")
@on("incidents.end")
def changed(entry: Entry, subject: Model) -> None:
    """A response knows its warnings from the start; older questions about it need no answer any more."""
    if isinstance(subject, Incident):
        if entry.verb == "incidents.start":
            proposals.link_warnings(subject)
        proposals.settle(subject)


@on("obligations.done")
def met(entry: Entry, subject: Model) -> None:
    """A report is sent, and a level decided, on its own page and nowhere else: a press on "done" decides nothing."""
    if not isinstance(subject, Obligation):
        return
    if subject.kind == REPORT and Report.objects.filter(pk=subject.subject_id, sent_at=None).exists():
        raise Refused(_("Write and send the report on its page: a press here sends nothing"))
    if subject.kind == DECIDE and ResponseProposal.objects.filter(pk=subject.subject_id, state="open").exists():
        raise Refused(_("Read the proposal on its page and decide there: a press here decides nothing"))
