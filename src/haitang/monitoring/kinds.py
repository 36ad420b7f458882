"""What monitoring obliges people to: deal with an alarm, calibrate and service an instrument."""

from django.utils.translation import gettext_lazy as _

from haitang.obligations.kinds import TASK_LADDER, Kind, add_kind

add_kind(Kind(id="monitoring.handle", label=_("Deal with an alarm"), icon="alert-triangle", ladder=TASK_LADDER))
_CARE = ({"after_s": 0, "to": "responsible", "channels": ["inapp"]}, {"after_s": 0, "from": "due", "to": "responsible", "channels": ["inapp", "sms"]})  # fmt: skip
add_kind(
    Kind(id="monitoring.calibrate", label=_("Calibrate an instrument"), icon="ruler-2", ladder=_CARE, note_wanted=True)
)
add_kind(Kind(id="monitoring.service", label=_("Service an instrument"), icon="tool", ladder=_CARE, note_wanted=True))
