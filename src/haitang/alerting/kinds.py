"""What warnings oblige people to: a township answers, grid workers knock at doors, a commander approves."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.obligations.kinds import Kind, add_kind

add_kind(
    Kind(
        id="alerting.answer",
        label=_("Answer a warning"),
        icon="bell-check",
        one_press=True,
        has_board=True,
        done_label=pgettext_lazy("obligation button", "Acknowledge"),
        may_refuse=False,
        may_decline=True,
        warn_s=300,
        # The district's own ladder stands in its warning policy; this one is climbed where a pack gives none.
        ladder=(
            {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"]},
            {"after_s": 300, "to": "responsible", "channels": ["voice"]},
            {"after_s": 600, "to": "deputy", "channels": ["inapp", "sms", "voice"]},
            {"after_s": 0, "from": "due", "to": "superior", "channels": ["inapp", "sms"]},
        ),
    )
)
# The end of the ladder: who did not answer by any wire is looked for on foot, village by village.
add_kind(
    Kind(
        id="alerting.door_knock",
        label=_("Knock at the doors"),
        icon="door",
        done_label=pgettext_lazy("obligation button", "Households told"),
        note_wanted=True,
        warn_s=600,
        ladder=(
            {"after_s": 0, "to": "all", "channels": ["inapp", "sms"]},
            {"after_s": 600, "to": "all", "channels": ["voice"], "until": "received"},
            {"after_s": 1200, "to": "superior", "channels": ["inapp", "sms"]},
        ),
    )
)
add_kind(
    Kind(
        id="alerting.approve",
        label=_("Approve a warning"),
        icon="rubber-stamp",
        elsewhere=True,
        done_label=pgettext_lazy("obligation button", "Read and decide"),
        may_refuse=False,
        warn_s=300,
        ladder=(
            {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"]},
            {"after_s": 180, "to": "responsible", "channels": ["voice"]},
            {"after_s": 300, "to": "all", "channels": ["inapp", "sms"]},
        ),
    )
)
