"""Measured values on pages."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext_lazy as _

from haitang.monitoring import quantities

register = template.Library()


@register.filter
def figure(value: float | None) -> str:
    """A measured value with as many digits as mean something."""
    return quantities.figure(value)


@register.filter
def duration(seconds: int) -> str:
    """Seconds as people say them: 10 min, 1.5 h, 3 d."""
    for length, form in ((86_400, _("%(n)s d")), (3600, _("%(n)s h")), (60, _("%(n)s min"))):
        if seconds >= length and (length != 86_400 or seconds >= 2 * 86_400):
            return str(form) % {"n": quantities.figure(seconds / length)}
    return str(_("%(n)s s")) % {"n": seconds}


@register.filter
def hours(seconds: float) -> str:
    """Seconds as hours."""
    return quantities.figure(seconds / 3600, 1)


@register.filter
def percent(share: float | None) -> str:
    """A share as a percentage; a dash where there is none."""
    return "—" if share is None else f"{share * 100:.0f} %"


@register.filter
def thousands(value: float | None) -> str:
    """A whole number with its thousands set apart."""
    return "" if value is None else f"{value:,.0f}"
