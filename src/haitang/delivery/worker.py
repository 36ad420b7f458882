"""What delivery does in the background process: a loop that hands out what is due."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections

from haitang.delivery.outlet import pump

logger = logging.getLogger(__name__)

LOOP_S = 0.3
PATIENCE_S = 0.2
LIMIT = 500


def run(stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            # While there is as much as one round takes, no pause between rounds.
            while pump(limit=LIMIT, patience_s=PATIENCE_S) >= LIMIT and not stop.is_set():
                close_old_connections()
        except Exception:
            logger.exception("delivery's loop stumbled; it goes on")
