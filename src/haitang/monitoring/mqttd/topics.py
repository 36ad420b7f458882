"""What may be published where: `haitang/v1/<token>/readings`, and topics of other protocols that say readings too. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OWN = "haitang/v1/{token}/readings"

Translate = Callable[[str, bytes], bytes]
"""Topic and payload to a body in one of our own forms (`wire.py`); raises BatchError for one that it cannot read."""

_translators: dict[str, Translate] = {}


@dataclass(frozen=True)
class Route:
    """What becomes of a topic's messages: taken as they are, or translated first."""

    topic: str
    translate: Translate | None = None


def add_translator(prefix: str, translate: Translate) -> None:
    """Take messages to topics that begin with `prefix`, "v1.1/" for example.

    Every token with the right to write readings may publish there; the door says which series it may write.
    """
    _translators[prefix] = translate


def find(topic: str, token: int) -> Route | None:
    """The route of a topic for this token; None: not for it."""
    if topic == OWN.format(token=token):
        return Route(topic)
    for prefix, translate in _translators.items():
        if topic.startswith(prefix):
            return Route(topic, translate)
    return None
