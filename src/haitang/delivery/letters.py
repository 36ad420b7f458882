"""What a recipient is sent: the message in his language, with his own link where he alone reads it."""

from __future__ import annotations

from typing import Any

from haitang.delivery.channel import Channel, Letter
from haitang.delivery.models import Delivery
from haitang.delivery.wording import chosen


def letter_of(delivery: Delivery, channel: Channel, extra: Any = None) -> Letter:
    """The letter of one delivery."""
    message = delivery.message
    return Letter(
        key=delivery.key,
        to=delivery.address,
        name=delivery.name,
        title=chosen(delivery.language, message.title_zh, message.title_en),
        text=chosen(delivery.language, message.body_zh, message.body_en),
        # A person's own link may answer for him: it never goes into a group or onto a loudspeaker.
        url=message.url if channel.group else (delivery.url or message.url),
        language=delivery.language,
        colour=message.colour,
        about=f"{message.about_type}:{message.about_id}",
        extra=extra,
        data={**message.data, **({"until": message.expires_at.isoformat()} if message.expires_at else {})},
        mentions={name: tuple(delivery.contact.get(name, ())) for name in ("wecom", "phone")},
    )
