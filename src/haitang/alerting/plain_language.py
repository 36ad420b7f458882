"""Whether a warning can be understood at once: short sentences, everyday words, what to do, where and when. Pure.

The lists are data (`plain_words.toml`). After the hints of CAP 1.2 section 3.3 and of WMO-No. 1150 on impact-based words:
a message says what to do, for whom, by when.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from haitang.alerting.cap_findings import Finding

_ENDS = {"zh": re.compile(r"[。！？；\n]+"), "en": re.compile(r"(?<=[.!?;])\s+|\n+")}
_NUMBERED = re.compile(r"^\s*\d+[.、)]\s*")


@cache
def lists() -> Mapping[str, Any]:
    """The lists, from `plain_words.toml`."""
    return tomllib.loads(files("haitang.alerting").joinpath("plain_words.toml").read_text("utf-8"))


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a text, numbers of lists taken off."""
    return [made for part in _ENDS[language].split(text) if (made := _NUMBERED.sub("", part).strip())]


def check(
    *,
    language: str,
    headline: str,
    description: str,
    instruction: str,
    places: Sequence[str] = (),
    cancel: bool = False,
) -> list[Finding]:
    """What makes the words of one language (`zh` or `en`) hard to follow; `places` are the names that should occur.

    A cancellation need not say what to do.
    """
    made = [*_sentences(language, description=description, instruction=instruction)]
    made += _jargon(language, headline=headline, description=description, instruction=instruction)
    where = f"{language}:"
    if not cancel and not _any(lists()["action"][language], instruction):
        made.append(Finding("PLAIN_NO_ACTION", f"{where}instruction", ""))
    if not _any(lists()["time"][language], f"{description} {instruction}"):
        made.append(Finding("PLAIN_NO_TIME", f"{where}description", ""))
    if places and not _any(places, f"{headline} {description} {instruction}"):
        made.append(Finding("PLAIN_NO_PLACE", f"{where}description", " ".join(places[:3])))
    return made


def _any(words: Sequence[str], text: str) -> bool:
    lowered = text.lower()
    return any(word and word.lower() in lowered for word in words)


def _sentences(language: str, **texts: str) -> Iterator[Finding]:
    most = lists()["long"][language]
    for name, text in texts.items():
        for sentence in sentences(text, language):
            length = len(sentence) if language == "zh" else len(sentence.split())
            if length > most:
                yield Finding("PLAIN_LONG_SENTENCE", f"{language}:{name}", f"{length} > {most}: {sentence}"[:200])


def _jargon(language: str, **texts: str) -> Iterator[Finding]:
    for name, text in texts.items():
        lowered = text.lower()
        for word, better in lists()["jargon"][language].items():
            if word.lower() in lowered:
                yield Finding("PLAIN_JARGON", f"{language}:{name}", f"{word} → {better}")
