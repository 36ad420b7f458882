"""The texts that the TypeScript shows. They ride in the page as JSON, so that there is one catalogue."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

STRINGS = {
    "span.days": _("{d} d {h} h"),
    "span.hours": _("{h} h {m} min"),
    "span.minutes": _("{m} min"),
    "span.seconds": _("{m} min {s} s"),
    "due.left": _("{span} left"),
    "due.over": _("{span} overdue"),
    "ago.since": _("{span} ago"),
    "ago.in": _("in {span}"),
    "confirm.yes": _("Yes, go on"),
    "confirm.no": _("No, go back"),
    "alert.title": _("({n}) Act now"),
    "alert.mute": _("Sound is on. Press to mute."),
    "alert.unmute": _("Sound is off. Press to switch it on."),
    "locate.unavailable": _("This browser gives no position here. Mark the place on the map."),
    "locate.working": _("Finding your position..."),
    "locate.done": _("Position found, accurate to {m} m"),
    "locate.refused": _("Your position was not given. Mark the place on the map."),
    "map.layers": _("Layers"),
    "map.search": _("Find a place or thing"),
    "map.nothing": _("Nothing found"),
    "map.play": _("Play"),
    "map.time": _("Time shown"),
    "map.now": _("Now"),
    "map.failed": _("The layer {layer} could not be loaded; the map may be incomplete."),
    "map.unavailable": _("The map could not be loaded. Reload the page; if it stays away, tell the administrator."),
    "map.simulated": _("Simulated data"),
    "map.zoom_in": _("Zoom in"),
    "map.zoom_out": _("Zoom out"),
    "draw.point": _("Mark a point"),
    "draw.line": _("Draw a line"),
    "draw.polygon": _("Draw an area"),
    "draw.clear": _("Remove the drawing"),
    "draw.hint_point": _("Click the place on the map."),
    "draw.hint": _("Click each corner; double-click or Enter ends, Backspace takes one back, Esc gives up."),
    "chart.empty": _("No data yet"),
    "chart.failed": _("The chart could not be loaded."),
    "part.failed": _("This part could not be refreshed; what you see may be old."),
    "push.unavailable": _("This browser does not offer notifications here (it needs HTTPS)."),
    "push.refused": _("Notifications are switched off in this browser's settings."),
    "push.done": _("Notifications are on for this device."),
    "push.failed": _("Notifications could not be switched on; try again later."),
}


def texts() -> dict[str, str]:
    """All texts in the reader's language."""
    return {key: str(text) for key, text in STRINGS.items()}
