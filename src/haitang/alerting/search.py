"""Warnings found from the search box."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from haitang.alerting.models import Warning
from haitang.geo.catalogue import Hit, Look, hits, search_source


def _hit(warning: Warning) -> Hit:
    return Hit(
        title=warning.headline, subtitle=f"{warning.get_state_display()} · {warning.identifier}".strip(" ·"),
        url=warning.get_absolute_url(), bounds=warning.box,
    )  # fmt: skip


@search_source("alerting.warnings", label=_("Warning"), order=20, icon="speakerphone")
def warnings(look: Look, text: str, limit: int) -> Iterable[Hit]:
    """Warnings in reach by headline, kind or identifier."""
    rows = Warning.objects.visible_to(look.user).filter(space=look.space).defer("cap_xml", "geometry")
    return hits(
        rows,
        text,
        limit,
        names=("headline_zh", "headline_en", "identifier"),
        also=("kind__name_zh", "kind__name_en"),
        make=_hit,
    )
