"""Why something did not arrive. Kept as a short code, with a gateway's own words after a colon; shown in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

REASONS: dict[str, Promise | str] = {
    "no_account": _("has no account"),
    "no_phone": _("has no telephone number"),
    "no_email": _("has no e-mail address"),
    "no_organisation": _("belongs to no organisation"),
    "no_browser": _("switched on notifications in no browser"),
    "drill_public": _("an exercise never speaks to the public"),
    "no_channel": _("this channel does not exist any more"),
    "no_answer": _("nobody answered the call"),
    "busy": _("the line was busy"),
    "absent": _("the telephone is switched off or out of reach"),
    "unknown_number": _("the number does not exist"),
    "mailbox_unknown": _("the mailbox does not exist"),
    "browser_gone": _("the browser's subscription has ended"),
    "no_receipt": _("no receipt came in time"),
    "expired": _("not delivered in the time allowed"),
    "rejected": _("rejected by the gateway"),
    "credentials": _("the gateway does not accept our token or signature"),
    "rate": _("the gateway asked for a pause"),
    "connection": _("the gateway cannot be reached"),
    "timeout": _("the gateway did not answer in time"),
    "server": _("the gateway failed"),
    "answer": _("the gateway's answer cannot be understood"),
    "gateway_down": _("the gateway has been out of order for too long"),
    "message_expired": _("its time was over before it could be sent"),
    "wrong_code": _("the code read back was wrong"),
    "no_area": _("the message names no area"),
    "program": _("the channel's program failed; see the log"),
    "failed": pgettext_lazy("receipt", "the gateway reported a failure"),
}


def shown(reason: str) -> str:
    """The reason in the reader's language; what the gateway said stays as it was said."""
    code, _colon, detail = reason.partition(":")
    if code not in REASONS:
        return reason
    text = str(REASONS[code])
    return f"{text} ({detail.strip()})" if detail.strip() else text
