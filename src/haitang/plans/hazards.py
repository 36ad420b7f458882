"""What hazards are called. The kinds of event belong to the warnings, which stand above plans: they lend their names here.

hazards.lend(lambda: {"typhoon": ("台风", "typhoon")})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Names = Mapping[str, tuple[str, str]]
_sources: list[Callable[[], Names]] = []


def lend(source: Callable[[], Names]) -> None:
    """Say where the names come from: hazard to (Chinese, English)."""
    _sources[:] = [source]


def names() -> Names:
    """Hazard to (Chinese, English); empty where nobody has lent any. At most one query."""
    return _sources[0]() if _sources else {}


def labels(language: str) -> dict[str, str]:
    """Hazard to its name in a language."""
    chinese = language.startswith("zh")
    return {hazard: (zh or en) if chinese else (en or zh) for hazard, (zh, en) in names().items()}
