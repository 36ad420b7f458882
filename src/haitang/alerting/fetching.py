"""Fetching others' feeds: within bounds, by the one guard of `haitang.fetching`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from haitang import fetching
from haitang.alerting.cap_xml import MAX_BYTES
from haitang.fetching import Bounds, Fetched, FetchTrouble, Resolve

__all__ = ["WHOLE_S", "FetchTrouble", "Fetched", "allowed", "fetch"]

WHOLE_S: Final = 20.0
PORTS: Final = frozenset({80, 443, 8000, 8080, 8443})
ACCEPT: Final = "application/atom+xml, application/cap+xml, application/rss+xml, application/json, text/xml, */*;q=0.1"


def _bounds(networks: Sequence[str], most: int = MAX_BYTES) -> Bounds:
    return Bounds("HAITANG_FEED_NETWORKS", most, networks, PORTS, whole_s=WHOLE_S)


def allowed(url: str, networks: Sequence[str] = (), resolve: Resolve | None = None) -> tuple[str, str, int]:
    """The address, host and port to connect to for a feed. FetchTrouble for one that leads into our own network."""
    return fetching.allowed(url, _bounds(networks), resolve)


def fetch(
    url: str, *, networks: Sequence[str] = (), etag: str = "", modified: str = "", most: int = MAX_BYTES
) -> Fetched:
    """Fetch a feed or a message; `data` is None where nothing has changed. FetchTrouble."""
    return fetching.fetch(url, _bounds(networks, most), headers={"Accept": ACCEPT}, etag=etag, modified=modified)
