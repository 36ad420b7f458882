"""CAP 1.2: read, write, check. The face of the `cap_*` modules; everything else in them is private to them.

>>> alert, findings = parse(data)              # lenient: keeps what it can, reports the rest
>>> findings += validate(alert, profile="cn")  # prose rules, then the Chinese profile
>>> data = build(alert)                        # strict: raises CapInvalid rather than writing an invalid message
"""

from __future__ import annotations

from collections.abc import Container

from haitang.alerting import cap_profile_cn, cap_rules
from haitang.alerting.cap_findings import CapInvalid, CapUnreadable, Finding, Layer, Level, errors
from haitang.alerting.cap_model import Alert, Area, Info, Pair, Resource
from haitang.alerting.cap_values import cap_time, instant
from haitang.alerting.cap_xml import build, parse

PROFILES = ("cn",)

__all__ = [
    "PROFILES",
    "Alert",
    "Area",
    "CapInvalid",
    "CapUnreadable",
    "Finding",
    "Info",
    "Layer",
    "Level",
    "Pair",
    "Resource",
    "build",
    "cap_time",
    "errors",
    "instant",
    "parse",
    "validate",
]  # fmt: skip


def validate(alert: Alert, profile: str | None = None, codes: Container[str] | None = None) -> list[Finding]:
    """Check the prose rules and, if asked, a profile (`cn`); the schema's own findings come from `parse` and `build`.

    `codes` is the table of event codes in use. Raises ValueError for an unknown profile.
    """
    if profile not in (None, *PROFILES):
        raise ValueError(f"unknown CAP profile {profile!r}: known are {', '.join(PROFILES)}")
    findings = cap_rules.check(alert)
    return findings + cap_profile_cn.check(alert, codes) if profile else findings
