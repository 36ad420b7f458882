"""Which of a thing's two names the reader sees."""

from __future__ import annotations

from django.utils import translation


def localised(zh: str, en: str) -> str:
    """The Chinese or the English text by the active language; the other one when that is empty."""
    if (translation.get_language() or "zh").startswith("zh"):
        return zh or en
    return en or zh
