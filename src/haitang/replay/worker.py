"""What replay does in the background process: it drives the runs that are under way, a few times a second."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections

from haitang.replay.driver import Chauffeur
from haitang.replay.models import Driver, Run, RunState

logger = logging.getLogger(__name__)

LOOP_S = 0.25


def run(stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    chauffeur = Chauffeur()
    while not stop.wait(LOOP_S):
        close_old_connections()
        try:
            for each in Run.objects.filter(state=RunState.RUNNING, kind=Driver.SCALED).select_related("space"):
                chauffeur.attend(each)
        except Exception:
            logger.exception("the loop of replays stumbled; it goes on")
