"""Several colours in one warning: the words for areas whose colour is not the warning's own."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from haitang.accounts.verbs import Refused
from haitang.alerting import wording
from haitang.alerting.colours import Colour
from haitang.alerting.models import Warning
from haitang.alerting.wording import Words
from haitang.geo.models import Place

KEPT = ("headline_zh", "headline_en", "instruction_zh", "instruction_en")
_EN = {Colour.RED: "red", Colour.ORANGE: "orange", Colour.YELLOW: "yellow", Colour.BLUE: "blue"}


def check(colour: str, levels: Mapping[str, str], chosen: tuple[Place, ...], *, drawn: bool) -> None:
    """The warning's own colour is the gravest of its areas', and no place of another colour lies inside one chosen whole."""
    inside = [p for p in chosen if p.code in levels and any(q is not p and q.contains(p) for q in chosen)]
    if inside:
        raise Refused(
            _("%(place)s has a colour of its own but lies in an area chosen whole: choose townships instead")
            % {"place": inside[0].name}
        )
    if levels and not drawn and all(place.code in levels for place in chosen):
        raise Refused(
            _("No place has the warning's own colour: choose the gravest of the places as the warning's colour")
        )
    graver = [found for found in levels.values() if Colour(found).rank > Colour(colour).rank]
    if graver:
        raise Refused(_("A place has a graver colour than the warning: choose the gravest as the warning's colour"))


def words_by_colour(warning: Warning) -> dict[Colour, tuple[Words, Words | None]]:
    """The stored words for each other colour; the description is the whole warning's."""
    made: dict[Colour, tuple[Words, Words | None]] = {}
    for name, texts in warning.levels.items():
        chinese = Words(texts["headline_zh"], warning.description_zh, texts["instruction_zh"])
        english = None
        if warning.headline_en and texts.get("headline_en"):
            english = Words(texts["headline_en"], warning.description_en, texts.get("instruction_en", ""))
        made[Colour(name)] = (chinese, english)
    return made


def sentence(places: tuple[Place, ...], levels: Mapping[str, str], language: str) -> str:
    """Which places have another colour, in words; empty where none has."""
    english = language.startswith("en")
    by_colour: dict[Colour, list[str]] = {}
    for place in places:
        if place.code in levels:
            name = (place.name_en or place.name_zh) if english else place.name_zh
            by_colour.setdefault(Colour(levels[place.code]), []).append(name)
    parts = []
    for colour, names in sorted(by_colour.items(), key=lambda pair: -pair[0].rank):
        joined = wording.join_names(names, language)
        parts.append(f"{_EN[colour]} for {joined}" if english else f"{joined}为{colour.zh}色")
    if not parts:
        return ""
    return f" The level is {'; '.join(parts)}." if english else f"其中，{'；'.join(parts)}。"
