"""What the endpoint says about itself, for the intake page: a small file in the data folder, written every few seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haitang.config.env import env

STALE_S = 30.0


def path() -> Path:
    """Where it stands."""
    return Path(env("HAITANG_DATA")) / "mqtt-status.json"


def write(state: Mapping[str, Any]) -> None:
    """Replace it whole."""
    found = path()
    found.parent.mkdir(parents=True, exist_ok=True)
    draft = found.with_suffix(".new")
    draft.write_text(json.dumps(state))
    draft.replace(found)


def read() -> dict[str, Any] | None:
    """The endpoint's last word; None if it is older than half a minute: then it does not run on this machine."""
    try:
        found = path()
        if time.time() - found.stat().st_mtime > STALE_S:
            return None
        state = json.loads(found.read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None
