"""What follows in alerting when obligations are met."""

from __future__ import annotations

from django.db.models import Model
from django.utils.translation import gettext as _

from haitang.accounts.actors import SYSTEM
from haitang.accounts.verbs import Refused
from haitang.alerting import answers, dissemination
from haitang.alerting.dissemination import ANSWER, APPROVE, thread_name
from haitang.alerting.models import State, Warning
from haitang.journal.models import Entry
from haitang.journal.services import record
from haitang.journal.signals import on
from haitang.obligations.models import Obligation


@on("obligations.escalate")
def to_the_doors(entry: Entry, subject: Model) -> None:
    """The ladder has come to the grid workers: each village gets its task."""
    if isinstance(subject, Obligation) and subject.kind == ANSWER and (entry.after or {}).get("to") == "workers":
        warning = Warning.objects.select_related("space", "kind", "place", "owner", "root").filter(
            pk=subject.subject_id
        )
        found = warning.defer("cap_xml").first()
        if found is not None and found.is_in_force:
            dissemination.knock(found, subject)


@on("obligations.done")
def met(entry: Entry, subject: Model) -> None:
    """An answer may be the last one; an approval is given on the warning's page and nowhere else."""
    if not isinstance(subject, Obligation) or subject.kind not in (ANSWER, APPROVE):
        return
    warning = (
        Warning.objects.select_related("space", "kind", "place", "owner", "root").filter(pk=subject.subject_id).first()
    )
    if warning is None:
        return
    if subject.kind == APPROVE:
        if warning.state == State.SUBMITTED:
            raise Refused(
                _("Read the warning on its page and approve it or send it back there: a press here decides nothing")
            )
        return
    measured = answers.measured(warning)
    if measured.asked and measured.answered == measured.asked and subject.done_at and warning.published_at:
        minutes = (subject.done_at - warning.published_at).total_seconds() / 60
        record(
            space=warning.space, verb="alerting.answered", by=SYSTEM, subject=warning, place=warning.place,
            organisation=warning.owner, thread=thread_name(warning), colour="green",
            after={"asked": measured.asked, "seconds": {str(share): s for share, s in measured.seconds_to.items()}},
            text_zh=f"{measured.asked} 个乡镇全部确认，用时 {minutes:.0f} 分钟：{warning.headline_zh}",
            text_en=f"All {measured.asked} townships answered within {minutes:.0f} min: {warning.headline_en or warning.headline_zh}",
        )  # fmt: skip
