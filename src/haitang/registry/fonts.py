"""Chinese fonts for papers: the system's Noto CJK where it is, else the one the front end brings (web/node_modules)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

FAMILIES = ("Noto Sans CJK SC", "Noto Sans SC")
# What officials' word processors have; where they have not, the next that knows Chinese is taken.
WORD_FONT, WORD_FONT_LATIN = "宋体", "Times New Roman"
WORD_HEADING = "黑体"
_NPM = "node_modules/@expo-google-fonts/noto-sans-sc"
_SYSTEM = (
    Path("/usr/share/fonts/opentype/noto"),
    Path("/usr/share/fonts/truetype/noto"),
    Path("/usr/share/fonts/noto-cjk"),
)
_NEEDED = ("400Regular", "700Bold")


@lru_cache(maxsize=1)
def paths() -> tuple[str, ...]:
    """Folders in which the typesetter looks for fonts beside the system's own."""
    folder = Path(settings.WEB) / _NPM
    return tuple(str(folder / weight) for weight in _NEEDED if (folder / weight).is_dir())


def are_there() -> bool:
    """Whether Chinese can be set at all; without a font a paper would show empty boxes."""
    return bool(paths()) or any(folder.is_dir() and any(folder.glob("*CJK*")) for folder in _SYSTEM)
