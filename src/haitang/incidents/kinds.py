"""What an incident obliges people to: tasks of a level, orders, reports upward, and a decision about a proposed level."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OPERATIONS, Role
from haitang.obligations.kinds import TASK_LADDER, Kind, add_kind

TASK, ORDER, REPORT, DECIDE = "incidents.task", "incidents.order", "incidents.report", "incidents.decide"

# Of a task, the plan says whether it is confirmed and whether a photograph is wanted; of a kind, that is fixed.
for _confirm in (False, True):
    for _photo in (False, True):
        add_kind(
            Kind(
                id=TASK + ("_confirm" if _confirm else "") + ("_photo" if _photo else ""),
                label=_("Response task"),
                icon="checklist",
                confirm_roles=OPERATIONS if _confirm else None,
                photo_wanted=_photo,
                ladder=TASK_LADDER,
                warn_s=1800,
            )
        )
add_kind(
    Kind(
        id=ORDER,
        label=_("Leader's order"),
        icon="message-exclamation",
        confirm_roles=OPERATIONS,
        note_wanted=True,
        ladder=(
            {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"], "until": "received"},
            {"after_s": 300, "to": "responsible", "channels": ["voice"], "until": "received"},
            {"after_s": 600, "to": "all", "channels": ["inapp", "sms"], "until": "received"},
            {"after_s": 0, "from": "due", "to": "responsible", "channels": ["inapp", "sms"]},
            {"after_s": 0, "from": "due", "to": "issuer", "channels": ["inapp"]},
        ),
    )
)
add_kind(
    Kind(
        id=REPORT,
        label=_("Report to the government above"),
        icon="file-text",
        elsewhere=True,
        done_label=pgettext_lazy("obligation button", "Write and send"),
        may_refuse=False,
        warn_s=1800,
        ladder=(
            {"after_s": 0, "to": "duty", "channels": ["inapp"]},
            {"after_s": -1800, "from": "due", "to": "duty", "channels": ["inapp"]},
            {"after_s": 0, "from": "due", "to": "responsible", "channels": ["inapp", "sms"]},
        ),
    )
)
add_kind(
    Kind(
        id=DECIDE,
        label=_("Decide on a proposed response"),
        icon="gavel",
        elsewhere=True,
        done_label=pgettext_lazy("obligation button", "Read and settle"),
        may_refuse=False,
        warn_s=300,
        ladder=(
            {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"]},
            {"after_s": 180, "to": "responsible", "channels": ["voice"]},
            {"after_s": 300, "to": "all", "channels": ["inapp", "sms"]},
        ),
    )
)

# Whoever may start and end a response: the district's operations, and a township for its own.
RESPONDERS = OPERATIONS | {Role.TOWNSHIP}
