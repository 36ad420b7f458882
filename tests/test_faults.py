"""kill -9 anywhere loses nothing that was acknowledged and doubles nothing. P1, issue 2 section 6."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.product import Product, product_database

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def struck() -> Iterator[Product]:
    """A platform of the tiny district that is killed again and again."""
    with (
        tempfile.TemporaryDirectory(prefix="haitang-struck-") as name,
        product_database("struck") as database_url,
    ):
        product = Product(Path(name), pack="sanzhou", database_url=database_url)
        product.init()
        product.start()
        try:
            yield product
        finally:
            product.stop()


def token(product: Product, *rights: str) -> str:
    told = product.haitang("token", "faults", "--user", "duty", "--rights", *rights, "--json").stdout
    return str(json.loads(told.strip().splitlines()[-1])["token"])


def journal(product: Product, space: str) -> list[dict[str, Any]]:
    """Every entry of a space, in order."""
    out = product.folder / "journal.jsonl"
    product.haitang("export", "--space", space, "--out", str(out))
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def ask(product: Product, path: str, secret: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    until = time.monotonic() + 60
    while True:
        try:
            status, answer = product.get(path, headers=headers, data=data)
        except OSError:  # killed in the middle: whoever got no answer asks again
            status, answer = 0, b""
        if status == 200:
            return json.loads(answer)
        assert time.monotonic() < until, (status, answer[:300])
        time.sleep(0.3)


def test_acknowledged_readings_survive_the_death_of_every_process(struck: Product) -> None:
    secret = token(struck, "read", "readings:write")
    begun = time.time() - 3000
    sent = {}
    for number in range(60):
        moment, value = int(begun + number * 40), 1.0 + number / 100
        body = {"series": ["SZ-TIDE.level"], "time": [moment], "value": [value]}
        assert ask(struck, "/api/v1/monitoring/readings", secret, body)["accepted"] in {0, 1}
        sent[moment] = value
        if number == 20:
            assert struck.kill("wsgi") > 0
        if number == 30:
            assert struck.kill("haitang.config.cli worker") > 0
        if number == 40:
            struck.kill_all()
            struck.start()
    found = ask(struck, "/api/v1/monitoring/series/SZ-TIDE.level/readings?limit=1000", secret)
    kept = dict(zip(found["time"], found["value"], strict=True))
    assert len(kept) == len(found["time"]) == len(sent)
    assert sorted(kept.values()) == sorted(sent.values())
    assert struck.haitang("verify-journal").returncode == 0


def test_a_replay_that_is_killed_in_the_middle_goes_on_and_nothing_is_lost_or_doubled(struck: Product) -> None:
    told = struck.haitang("replay", "list", "--json").stdout
    scenario = json.loads(told.strip().splitlines()[-1])["scenarios"][0]["key"]
    secret = token(struck, "read")
    started = struck.haitang("replay", scenario, "--speed", "240", "--detach", "--json").stdout
    space = json.loads(started.strip().splitlines()[-1])["space"]
    for word in (
        "haitang.config.cli worker",
        "wsgi",
        "haitang.config.cli worker",
        "haitang.config.cli simulators",
        "asginl",
    ):
        time.sleep(4)
        struck.kill(word)
    struck.kill_all()
    struck.start()
    until = time.monotonic() + 240
    while time.monotonic() < until:
        entries = journal(struck, space)
        if any(entry["verb"] in {"replay.end", "spaces.close"} for entry in entries):
            break
        time.sleep(4)
    else:
        pytest.fail(f"the replay did not end; the last entries: {entries[-3:]}")
    verify = struck.haitang("verify-journal", check=False)
    assert verify.returncode == 0, verify.stdout
    verbs = Counter(entry["verb"] for entry in entries)
    assert verbs["monitoring.raise"] > 0 and verbs["alerting.publish"] > 0 and verbs["obligations.done"] > 0
    # Each thing happened once: an obligation is done once a round, a warning is published once, a message sent once.
    for verb in ("alerting.publish", "incidents.start", "obligations.done", "delivery.send"):
        once = Counter((entry["subject_type"], entry["subject_id"]) for entry in entries if entry["verb"] == verb)
        reopened = Counter(
            (entry["subject_type"], entry["subject_id"]) for entry in entries if entry["verb"] == "obligations.reopen"
        )
        assert all(number <= 1 + reopened[key] for key, number in once.items()), (verb, once.most_common(3))
    assert ask(struck, "/api/v1/alerting/warnings", secret) is not None
