"""The code that a callee says back: proof that the call was heard by somebody who listened to its end.

It is made from the delivery's key, so that nothing is stored; the receipt brings what was said.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haitang.delivery.models import Delivery

DIGITS_ZH = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_hearers: list[Callable[[Delivery], None]] = []


def code_of(key: str, secret: str) -> str:
    """Four digits, the same for one delivery however often it is called."""
    return f"{int(hmac.new(secret.encode(), f'readback:{key}'.encode(), 'sha256').hexdigest(), 16) % 10_000:04d}"


def is_right(said: object, key: str, secret: str) -> bool:
    """Whether what was said back is the code; spaces and dashes do not matter."""
    plain = "".join(c for c in str(said) if c.isalnum())[:20]
    return hmac.compare_digest(plain.encode(), code_of(key, secret).encode())


def asked(code: str, language: str) -> str:
    """The sentence that asks for it."""
    if language.startswith("en"):
        return f"To confirm, say or press {' '.join(code)}."
    return f"请复述或按键输入口令{''.join(DIGITS_ZH[digit] for digit in code)}予以确认。"


def on_read_back(function: Callable[[Delivery], None]) -> Callable[[Delivery], None]:
    """Call the function for each delivery whose code was said back, after its receipt was stored; perhaps more than once."""
    if function not in _hearers:
        _hearers.append(function)
    return function


def tell(delivery: Delivery) -> None:
    """A code was said back."""
    for function in _hearers:
        function(delivery)
