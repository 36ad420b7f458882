"""What ways in do in the background process: connectors that are due are pulled, files that were handed in are read."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections

from haitang.monitoring import backfill
from haitang.monitoring.connectors import pull

logger = logging.getLogger(__name__)

LOOP_S = 1.0


def start(stop: threading.Event) -> list[threading.Thread]:
    """Start both; they end when `stop` is set."""
    threads = [
        threading.Thread(target=pull.run, args=(stop,), name="monitoring-pull", daemon=True),
        threading.Thread(target=_files, args=(stop,), name="monitoring-files", daemon=True),
    ]
    for thread in threads:
        thread.start()
    return threads


def _files(stop: threading.Event) -> None:
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            backfill.run_waiting()
        except Exception:
            logger.exception("a file of readings could not be taken in; tried again")
