"""`haitang up`: the platform's processes on one machine, kept running until somebody stops them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from haitang.config.env import env

GRANIAN = str(Path(sys.executable).parent / "granian")
# A process that fails again and again is started after longer and longer pauses.
PAUSES_S = (0.5, 1, 2, 5, 10)
STEADY_S = 30.0
PATIENCE_S = 10.0
# Starting is mostly importing, and cores are few: whoever has just started the platform waits for a page, not for the rest.
HEAD_START_S = 4.0


@dataclass
class Child:
    """One process of the platform."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = field(default=0.0)

    def start(self) -> None:
        """Start it; it ends when this process ends, however that happens."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.command, preexec_fn=_die_with_parent)  # noqa: PLW1509 - no threads here


def _die_with_parent() -> None:
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def children() -> list[Child]:
    """What runs, as the settings ask: pages and API, live streams, background work, gateway simulators."""
    address = env("HAITANG_ADDRESS")
    threads = ["--blocking-threads", "4"]
    common = ["--host", address, "--log-level", "warning", "--no-ws", "--respawn-failed-workers"]
    web = [GRANIAN, "--interface", "wsgi", "--port", str(env("HAITANG_PORT")), "--workers", str(env("HAITANG_WORKERS"))]
    live = [GRANIAN, "--interface", "asginl", "--port", str(env("HAITANG_LIVE_PORT")), "--workers", "1"]
    haitang = [sys.executable, "-m", "haitang.config.cli"]
    found = [
        Child("web", [*web, *common, *threads, "haitang.config.wsgi:application"]),
        Child("live", [*live, *common, "haitang.config.asgi:application"]),
        Child("worker", [*haitang, "worker"]),
    ]
    if env("HAITANG_MQTT_LISTEN") or env("HAITANG_MQTT_CERT"):
        found.append(Child("mqtt", [*haitang, "mqtt"]))
    if _needs_simulators():
        found.append(Child("simulators", [*haitang, "simulators"]))
    return found


def _needs_simulators() -> bool:
    gateways = ("SMS_URL", "VOICE_URL", "WECOM_URL", "LOUDSPEAKER_URL", "SMTP")
    return any(not env(f"HAITANG_{name}") for name in gateways)


def run(ready: Callable[[], None]) -> int:
    """Start everything, call `ready`, restart what dies; returns when asked to stop (SIGINT, SIGTERM)."""
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    family = children()
    for child in family:
        if child.name == "web":
            child.start()
        else:
            child.due = time.monotonic() + HEAD_START_S
    ready()
    while not stopping:
        for child in family:
            _mind(child)
        time.sleep(0.2)
    _end(family)
    return 0


def _mind(child: Child) -> None:
    now = time.monotonic()
    if child.process is not None and child.process.poll() is not None:
        if now - child.started > STEADY_S:
            child.failures = 0
        pause = PAUSES_S[min(child.failures, len(PAUSES_S) - 1)]
        sys.stderr.write(f"{child.name} ended with {child.process.returncode}; starting it again in {pause:g} s\n")
        # What it had started itself still holds the port.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.failures += 1
        child.process, child.due = None, now + pause
    elif child.process is None and now >= child.due:
        child.start()


def _end(family: list[Child]) -> None:
    living = [child.process for child in family if child.process is not None and child.process.poll() is None]
    for process in living:
        process.terminate()
    until = time.monotonic() + PATIENCE_S
    for process in living:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
