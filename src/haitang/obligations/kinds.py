"""Kinds of obligations. A slice declares its own in its `kinds.py`; pages, links and messages take words and rules from here.

add_kind(Kind(id="alerting.answer", label=_("Answer a warning"), icon="bell-check", one_press=True,
              done_label=_("Acknowledge"), may_refuse=False))
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from haitang.accounts.roles import OPERATIONS
from haitang.obligations import ladder as rungs

Text = str | Promise

RECEIVE = pgettext_lazy("obligation button", "Receive")
START = pgettext_lazy("obligation button", "Start")
DONE = pgettext_lazy("obligation button", "Report done")
REFUSE = pgettext_lazy("obligation button", "Cannot do it")
DECLINE = pgettext_lazy("obligation button", "I cannot")
CONFIRM = pgettext_lazy("obligation button", "Confirm")

# Asked at once; asked again; then deputy, superior, duty room.
TASK_LADDER: tuple[Mapping[str, Any], ...] = (
    {"after_s": 0, "to": "responsible", "channels": ["inapp", "sms"], "until": "received"},
    {"after_s": 600, "to": "all", "channels": ["inapp", "sms"], "until": "received"},
    {"after_s": 1200, "to": "deputy", "channels": ["inapp", "sms", "voice"], "until": "received"},
    {"after_s": 1800, "to": "superior", "channels": ["inapp", "sms"], "until": "received"},
    {"after_s": 0, "from": "due", "to": "responsible", "channels": ["inapp", "sms"]},
    {"after_s": 900, "from": "due", "to": "superior", "channels": ["inapp", "sms"]},
    {"after_s": 1800, "from": "due", "to": "duty", "channels": ["inapp"]},
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind: its words, and what its rows need.

    `one_press`: a single press answers it, it is not received and started first. `elsewhere`: it is done by what is
    decided or written on the page at its `url`, by that slice's verb; its button leads there. `confirm_roles`: who confirms what was
    done (None: nobody needs to). `ladder`: the steps when `issue` gives none. `link_hours`: how long a signed answer
    link can be used. `warn_s`: how long before the due time the countdown warns. `has_board`: the slice shows on a
    wall panel of its own who has not answered; the general one leaves these out. `may_decline`: a person may say that he
    cannot; that ends nothing, the next group of the ladder is asked at once.
    """

    id: str
    label: Text
    icon: str = "checklist"
    one_press: bool = False
    elsewhere: bool = False
    receive_label: Text = RECEIVE
    start_label: Text = START
    done_label: Text = DONE
    refuse_label: Text = REFUSE
    confirm_label: Text = CONFIRM
    decline_label: Text = DECLINE
    may_refuse: bool = True
    may_decline: bool = False
    confirm_roles: Collection[str] | None = None
    photo_wanted: bool = False
    note_wanted: bool = False
    ladder: Sequence[Mapping[str, Any]] = ()
    link_hours: float = 48.0
    warn_s: int = 600
    has_board: bool = False

    @property
    def needs_confirmation(self) -> bool:
        """Whether somebody must confirm what was done."""
        return bool(self.confirm_roles)


KINDS: dict[str, Kind] = {}


def add_kind(kind: Kind) -> Kind:
    """Declare a kind; its ladder is checked now, not in the night of the storm."""
    known = KINDS.get(kind.id)
    if known and known != kind:
        raise RuntimeError(f"obligation kind {kind.id} is declared twice")
    rungs.parse(kind.ladder)
    KINDS[kind.id] = kind
    return kind


def kind_of(id: str) -> Kind:
    """The kind of this id. A kind whose slice is not installed any more still shows, with plain words."""
    return KINDS.get(id) or Kind(id=id, label=id)


# What can be given from the desk, outside any incident or warning.
TASK = add_kind(Kind(id="obligations.task", label=_("Task"), icon="checklist", ladder=TASK_LADDER))
SUPERVISED = add_kind(
    Kind(
        id="obligations.supervised", label=_("Task under supervision"), icon="eye-check", ladder=TASK_LADDER, photo_wanted=True,
        note_wanted=True, confirm_roles=OPERATIONS,
    )
)  # fmt: skip
ORDERED = (TASK.id, SUPERVISED.id)
