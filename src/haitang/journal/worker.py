"""What the journal does in the background: it writes the ends of its chains to a file outside the database.

Whoever rewrites the database's whole chain still has that file to explain; keep a copy elsewhere (docs/operations.md).
"""

from __future__ import annotations

import logging
import threading

from django.conf import settings
from django.db import close_old_connections

from haitang.journal.services import write_anchors

logger = logging.getLogger(__name__)
EVERY_S = 600.0


def run(stop: threading.Event) -> None:
    """Anchor until `stop` is set."""
    while not stop.wait(EVERY_S):
        close_old_connections()
        try:
            write_anchors(settings.DATA / "anchors.jsonl")
        except Exception:
            logger.exception("the journal could not be anchored; it is tried again")
