"""What the duty room obliges people to."""

from django.utils.translation import gettext_lazy as _

from haitang.obligations.kinds import Kind, add_kind

ACCEPT = add_kind(
    Kind(
        id="duty.accept",
        label=_("Take over the shift"),
        icon="transfer-in",
        one_press=True,
        done_label=_("Take over"),
        may_refuse=False,
        ladder=(
            {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"]},
            {"after_s": 900, "to": "all", "channels": ["inapp", "sms", "voice"]},
            {"after_s": 1800, "to": "superior", "channels": ["inapp", "sms"]},
        ),
    )
)
