"""What obligations do in the background process: the one loop, for every open space."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections

from haitang.obligations.services import run_due
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

LOOP_S = 1.0


def run(stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            for space in Space.objects.filter(is_open=True):
                run_due(space)
        except Exception:
            logger.exception("the loop of obligations stumbled; it goes on")
