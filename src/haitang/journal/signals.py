"""How slices hear what happened: `entry_written` is sent with `entry` and `subject`, inside the transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.dispatch import Signal

from haitang.journal.models import Entry

entry_written = Signal()


def on(verb: str) -> Callable[[Callable[[Entry, Model], None]], Callable[[Entry, Model], None]]:
    """Call the decorated function for every entry of this verb (or all "prefix.*"), in the entry's transaction."""

    def decorate(function: Callable[[Entry, Model], None]) -> Callable[[Entry, Model], None]:
        def listener(sender: object, entry: Entry, subject: Model, **_: Any) -> None:
            if entry.verb == verb or (verb.endswith(".*") and entry.verb.startswith(verb[:-1])):
                function(entry, subject)

        entry_written.connect(
            listener, weak=False, dispatch_uid=f"{function.__module__}.{function.__qualname__}:{verb}"
        )
        return function

    return decorate
