"""Measured values on pages."""

from __future__ import annotations

from django import template

from haitang.monitoring import quantities

register = template.Library()


@register.filter
def figure(value: float | None) -> str:
    """A measured value with as many digits as mean something."""
    return quantities.figure(value)
