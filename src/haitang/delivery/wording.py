"""How a message reads: the mark of an exercise, the parts that fit into a text message, the language."""

from __future__ import annotations

DRILL_ZH, DRILL_EN = "【演练】", "[EXERCISE] "
SMS_MOST = 500
"""Characters of one text message, several parts long; gateways refuse more."""


def marked(zh: str, en: str) -> tuple[str, str]:
    """Both titles with the mark of an exercise before them, once: a title made of marked titles loses theirs."""
    zh, en = zh.replace(DRILL_ZH, ""), en.replace(DRILL_EN, "").removeprefix(DRILL_EN.strip())
    return (f"{DRILL_ZH}{zh}" if zh else ""), (f"{DRILL_EN}{en}" if en else "")


def chosen(language: str, zh: str, en: str) -> str:
    """The text in a recipient's language; the other one where that is empty."""
    return (zh or en) if language.startswith("zh") else (en or zh)


def joined(title: str, text: str, url: str = "", most: int = SMS_MOST) -> str:
    """Title, text and link in one line of plain text of at most `most` characters; the link is never cut."""
    tail = f" {url}" if url else ""
    head = f"{title} {text}".strip() if not text.startswith(title) else text
    head = " ".join(head.split())
    room = most - len(tail)
    if len(head) > room:
        head = f"{head[: max(0, room - 1)]}…"
    return f"{head}{tail}".strip()
