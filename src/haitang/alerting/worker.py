"""What alerting does in the background process: warnings end when their time is over, waves are let go; feeds of others are read."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections

from haitang.alerting import aggregating, dissemination, services
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

LOOP_S = 2.0


def run(stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    reader = threading.Thread(target=_read_feeds, args=(stop,), name="feeds", daemon=True)
    reader.start()
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            for space in Space.objects.filter(is_open=True):
                services.expire_due(space)
                dissemination.release_waves(space)
        except Exception:
            logger.exception("ending warnings stumbled; it goes on")
    reader.join(timeout=5)
    close_old_connections()


def _read_feeds(stop: threading.Event) -> None:
    """In a thread of its own: a slow server elsewhere does not keep a warning from ending in time."""
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            aggregating.read_due()
        except Exception:
            logger.exception("reading feeds stumbled; it goes on")
    close_old_connections()
