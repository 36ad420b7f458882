"""`{% load delivery %}`: the bell in the bar, and the button that switches on notifications."""

from __future__ import annotations

from typing import Any

from django import template

from haitang.delivery import services, vapid

register = template.Library()


@register.inclusion_tag("delivery/parts/bell_live.html", takes_context=True)
def bell(context: template.Context) -> dict[str, Any]:
    """The bell with the number of unread messages; it renews itself. One query."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated or getattr(request, "space", None) is None:
        return {"shown": False}
    return {"shown": True, "unread": services.unread(user, request.space).count(), "request": request}


@register.inclusion_tag("delivery/parts/push.html", takes_context=True)
def push_button(context: template.Context) -> dict[str, Any]:
    """The button that asks this browser for notifications, and how many browsers are woken already. One query."""
    user = context["request"].user
    return {
        "key": vapid.public_key(),
        "browsers": user.push_subscriptions.count(),
        "csrf_token": context.get("csrf_token"),
    }
