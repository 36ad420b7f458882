"""Fetching another system's JSON: within bounds, by the one guard of `haitang.fetching`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from haitang import fetching
from haitang.fetching import Bounds, Resolve
from haitang.fetching import FetchTrouble as FetchError

__all__ = ["FetchError", "get_json", "guarded"]

MOST_BYTES = 16_000_000


def _bounds(networks: Sequence[str]) -> Bounds:
    return Bounds("HAITANG_CONNECTOR_NETWORKS", MOST_BYTES, networks, answer_s=15.0, whole_s=40.0)


def guarded(url: str, networks: Sequence[str] = (), look_up: Resolve | None = None) -> tuple[str, str, int]:
    """Address, host and port to connect to; FetchError for an address that leads into an inner network."""
    return fetching.allowed(url, _bounds(networks), look_up)


def get_json(url: str, *, headers: dict[str, str], networks: Sequence[str] = ()) -> Any:
    """The JSON document at an address; FetchError."""
    found = fetching.fetch(url, _bounds(networks), headers={"Accept": "application/json"}, secret=headers)
    try:
        return orjson.loads(found.data or b"")
    except orjson.JSONDecodeError as error:
        raise FetchError(f"the answer is not JSON: {error}") from error
