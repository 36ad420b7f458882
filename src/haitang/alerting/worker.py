"""What alerting does in the background process: warnings end when their time is over."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections

from haitang.alerting import services
from haitang.spaces.models import Space

logger = logging.getLogger(__name__)

LOOP_S = 2.0


def run(stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            for space in Space.objects.filter(is_open=True):
                services.expire_due(space)
        except Exception:
            logger.exception("ending warnings stumbled; it goes on")
    close_old_connections()
