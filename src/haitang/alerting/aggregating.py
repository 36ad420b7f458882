"""Reading others' feeds: each when it is due, every message kept once, nothing forgotten because a feed no longer shows it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone

from haitang.accounts.actors import SYSTEM, Actor
from haitang.accounts.roles import OPERATIONS, Role
from haitang.accounts.verbs import Refused, verb
from haitang.alerting import cap, feed_reading, fetching, inbound, national
from haitang.alerting.feed_reading import FeedUnreadable, Link
from haitang.alerting.fetching import Fetched, FetchTrouble
from haitang.alerting.inbound import Arrival
from haitang.alerting.models import FeedSource
from haitang.config.env import env
from haitang.spaces.models import Space

# New messages fetched in one reading; the rest come with the next.
FETCHED_MOST = 60
REMEMBERED = 1000
LATEST_S = 3600
Fetch = Callable[..., Fetched]


@dataclass
class Reading:
    """What a reading of one feed brought."""

    new: int = 0
    known: int = 0
    refused: int = 0
    trouble: str = ""
    faults: list[str] = field(default_factory=list)


def read_due(*, limit: int = 5, fetch: Fetch = fetching.fetch) -> int:
    """Read the feeds that are due; the worker calls it. Returns how many were read."""
    done = 0
    for _n in range(limit):
        source = _take()
        if source is None:
            break
        read(source, fetch=fetch, by=SYSTEM)
        done += 1
    return done


def _take() -> FeedSource | None:
    """Claim the feed that has waited longest: it is due again later, so no other worker takes it meanwhile."""
    at = timezone.now()
    with transaction.atomic():
        rows = FeedSource.objects.select_for_update().filter(is_active=True, next_at__lte=at)
        found: FeedSource | None = rows.order_by("next_at", "pk").first()
        if found is not None:
            found.next_at = at + timedelta(seconds=max(found.every_s, fetching.WHOLE_S))
            found.save(update_fields=["next_at"])
    return found


@verb("alerting.read_feed", roles=OPERATIONS | {Role.ADMIN})
def read_now(source: FeedSource, *, by: Actor) -> FeedSource:
    """Have a feed read at once, by the worker."""
    source.next_at = timezone.now()
    source.save(update_fields=["next_at"])
    return source


def read(source: FeedSource, *, by: Actor, fetch: Fetch = fetching.fetch) -> Reading:
    """Read one feed: fetch what is new, keep it with verdict and findings. Whatever goes wrong is noted on the feed."""
    networks = env("HAITANG_FEED_NETWORKS")
    outcome = Reading()
    at = timezone.now()
    try:
        got = fetch(source.url, networks=networks, etag=source.etag, modified=source.modified)
        if got.data is not None:
            contents = feed_reading.read(got.data, base=got.url or source.url, form=source.form)
            _take_in(source, contents, outcome, networks, fetch, by)
            # What could not be fetched is asked for again: an unchanged feed would hide it.
            complete = not outcome.faults
            source.etag, source.modified = (got.etag, got.modified) if complete else ("", "")
    except (FetchTrouble, FeedUnreadable) as error:
        outcome.trouble = str(error)
    outcome.trouble = outcome.trouble or (outcome.faults[0] if outcome.faults else "")
    source.read_at, source.trouble = at, outcome.trouble[:300]
    if outcome.trouble:
        source.failures += 1
        wait = min(source.every_s * 2 ** min(source.failures - 1, 6), max(LATEST_S, source.every_s))
    else:
        source.good_at, source.failures, wait = at, 0, source.every_s
    source.next_at = at + timedelta(seconds=wait)
    source.save(update_fields=["read_at", "good_at", "failures", "trouble", "next_at", "etag", "modified", "seen"])
    return outcome


def _take_in(
    source: FeedSource, contents: feed_reading.Contents, outcome: Reading, networks: list[str], fetch: Fetch, by: Actor
) -> None:
    space = Space.live()
    for data in contents.messages:
        _keep(partial(inbound.receive, space=space, data=data, by=by, arrival=Arrival(source)), data, source, outcome)
    for row in contents.records:
        key = json.dumps(row, sort_keys=True, default=str).encode()
        _keep(partial(inbound.receive_national, space=space, record=row, by=by, source=source), key, source, outcome)
    fetched = 0
    for link in contents.links:
        name = _name(link)
        if name in source.seen:
            outcome.known += 1
            continue
        if fetched >= FETCHED_MOST:
            outcome.faults.append(f"more than {FETCHED_MOST} new messages: the rest with the next reading")
            break
        fetched += 1
        try:
            data = fetch(link.url, networks=networks).data or b""
        except FetchTrouble as error:
            outcome.faults.append(f"{link.url}: {error}")
            continue
        _keep(partial(inbound.receive, space=space, data=data, by=by, arrival=Arrival(source)), data, source, outcome)
        source.seen[name] = ""
    source.seen = dict(list(source.seen.items())[-REMEMBERED:])


def _name(link: Link) -> str:
    return hashlib.sha256(f"{link.url} {link.version}".encode()).hexdigest()[:32]


def _keep(receive: Callable[[], tuple[object, bool]], data: bytes, source: FeedSource, outcome: Reading) -> None:
    """Keep one message; one that is refused is counted (by `inbound`) once, not at every reading."""
    name = hashlib.sha256(data).hexdigest()[:32]
    if source.seen.get(name) == "refused":
        outcome.known += 1
        return
    try:
        _received, new = receive()
    except (cap.CapUnreadable, national.NotNational, Refused):
        source.seen[name] = "refused"
        outcome.refused += 1
    else:
        outcome.new += new
        outcome.known += not new
