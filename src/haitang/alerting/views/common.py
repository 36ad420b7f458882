"""What the pages of warnings share."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from haitang.alerting.models import Warning
from haitang.spaces.models import Space


def space_of(request: HttpRequest) -> Space:
    """The world in view."""
    space: Space = request.space  # type: ignore[attr-defined]
    return space


def mine(request: HttpRequest) -> Any:
    """The warnings of this world that the reader may see."""
    rows = Warning.objects.visible_to(request.user).filter(space=space_of(request))
    return rows.select_related("space", "kind", "place", "owner", "parent", "root").defer(
        "cap_xml", "parent__cap_xml", "root__cap_xml"
    )


def language_of(request: HttpRequest) -> str:
    """The reader's language as the texts name it, zh or en."""
    return "en" if getattr(request, "LANGUAGE_CODE", "zh-hans") == "en" else "zh"
