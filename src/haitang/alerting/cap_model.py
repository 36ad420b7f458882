"""A CAP 1.2 message as plain frozen values: what it says, not how it is written.

Every value is the text of the message, because a message that arrives may hold anything; `cap_values` reads it.
Source: OASIS Common Alerting Protocol 1.2, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATUS = ("Actual", "Exercise", "System", "Test", "Draft")
MSG_TYPE = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPE = ("Public", "Restricted", "Private")
CATEGORY = (
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other",
)  # fmt: skip
RESPONSE_TYPE = ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
URGENCY = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITY = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTY = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")


@dataclass(frozen=True, slots=True)
class Pair:
    """A named value: eventCode, parameter or geocode."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that goes with the message."""

    description: str
    mime_type: str
    size: str | None = None
    uri: str | None = None
    deref_uri: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """Where: the union of polygons (`lat,lon lat,lon ...`), circles (`lat,lon radius_km`) and geocodes; feet for heights."""

    description: str
    polygons: tuple[str, ...] = ()
    circles: tuple[str, ...] = ()
    geocodes: tuple[Pair, ...] = ()
    altitude: str | None = None
    ceiling: str | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What is expected, in one language."""

    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    language: str | None = None
    response_types: tuple[str, ...] = ()
    audience: str | None = None
    event_codes: tuple[Pair, ...] = ()
    effective: str | None = None
    onset: str | None = None
    expires: str | None = None
    sender_name: str | None = None
    headline: str | None = None
    description: str | None = None
    instruction: str | None = None
    web: str | None = None
    contact: str | None = None
    parameters: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()

    def parameter(self, name: str) -> str | None:
        """The first parameter of this name, or None."""
        return next((pair.value for pair in self.parameters if pair.name == name), None)


@dataclass(frozen=True, slots=True)
class Alert:
    """One CAP message. `version`, `signed` and `lines` tell how it arrived and take no part in equality."""

    identifier: str
    sender: str
    sent: str
    status: str
    msg_type: str
    scope: str
    source: str | None = None
    restriction: str | None = None
    addresses: str | None = None
    codes: tuple[str, ...] = ()
    note: str | None = None
    references: str | None = None
    incidents: str | None = None
    infos: tuple[Info, ...] = ()
    version: str = field(default="1.2", compare=False)
    signed: bool = field(default=False, compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def reference(self) -> str:
        """How another message refers to this one: `sender,identifier,sent`."""
        return f"{self.sender},{self.identifier},{self.sent}"
