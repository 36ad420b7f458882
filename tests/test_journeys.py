"""The loop as people live it, in Chromium against the running product: P1, P4, 3.1.4, 3.2.3, 3.4.2, 3.4.5, 3.5.2."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SignIn = Callable[..., Any]
# A picture of one pixel: what a phone's camera sends, as small as it gets.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def send_rain(product: Product, series: str, *millimetres: float) -> dict[str, Any]:
    """Readings of a rain gauge, five minutes apart, the last one now: by the door that a sensor uses."""
    if not hasattr(product, "secret"):
        told = product.haitang(
            "token", "journey", "--user", "duty", "--rights", "read", "readings:write", "--json"
        ).stdout
        product.secret = json.loads(told.strip().splitlines()[-1])["token"]  # type: ignore[attr-defined]
    first = datetime.now(UTC) - timedelta(minutes=5 * (len(millimetres) - 1))
    times = [(first + timedelta(minutes=5 * n)).isoformat() for n in range(len(millimetres))]
    body = {"series": [series] * len(times), "time": times, "value": list(millimetres)}
    headers = {"Authorization": f"Bearer {product.secret}", "Content-Type": "application/json"}  # type: ignore[attr-defined]
    status, answer = product.get("/api/v1/monitoring/readings", headers=headers, data=json.dumps(body).encode())
    assert status == 200, answer
    found: dict[str, Any] = json.loads(answer)
    return found


def confirm(page: Any) -> None:
    """Say yes to the question that a grave button asks."""
    page.locator("dialog.confirm button[value='yes']").click()


def test_the_whole_loop_from_the_first_reading_to_the_evaluation(running: Product, sign_in: SignIn) -> None:
    from playwright.sync_api import expect

    # Sense: the duty officer's desk is open; rain comes in; a red alarm appears by itself.
    duty = sign_in("duty_officer")
    assert send_rain(running, "W-CQ.rain", 40, 40, 40)["accepted"] == 3
    alarm = duty.locator("tr[data-alert='red']").first  # of one event: the hour's rain and that of six hours
    expect(alarm).to_be_visible()
    alarm.locator("form[action$='/acknowledge/'] button").click()
    duty.goto(f"{running.url}/monitoring/alarms/")
    duty.locator("main tr").filter(has_text="1小时累计降雨量").locator("a[href*='/monitoring/alarms/']").first.click()
    duty.wait_for_url(re.compile(r"/monitoring/alarms/\d+/"))

    # Warn: drafted from the alarm, words and area filled in; submitted.
    duty.locator("a[href*='/alerting/compose/?alarm=']").click()
    expect(duty.locator("#id_headline_zh")).not_to_be_empty()
    assert duty.locator("input[name='colour']:checked").get_attribute("value") == "red"
    duty.locator("button[name='then'][value='submit']").click()
    duty.wait_for_url(re.compile(r"/alerting/\d+/$"))
    warning_path = re.sub(r"^https?://[^/]+", "", duty.url)
    assert duty.locator("form[action$='/approve/']").count() == 0  # four eyes

    # Another person approves and publishes.
    commander = sign_in("commander")
    commander.goto(f"{running.url}{warning_path}")
    commander.locator("form[action$='/approve/'] button").first.click()
    confirm(commander)
    expect(commander.locator("#board")).to_be_visible()

    # The resident reads it without signing in; the message is CAP.
    resident = sign_in("")
    resident.goto(f"{running.url}/public/")
    expect(resident.locator("a[href^='/public/warnings/']").first).to_be_visible()
    status, feed = running.get("/public/warnings.atom")
    assert status == 200 and b"<entry>" in feed

    # The township answers on the phone.
    township = sign_in("township", phone=True)
    township.goto(f"{running.url}/m/")
    township.locator(
        ".phone-card form[action$='/complete/'] button, .phone-card form[action$='/done/'] button"
    ).first.click()
    duty.goto(f"{running.url}{warning_path}")
    expect(duty.locator("#board")).to_contain_text("城桥镇")

    # Respond: the proposal stands on the commander's desk; one click starts it and the tasks go out.
    commander.goto(f"{running.url}/")
    proposal = commander.locator("[data-key^='proposal-']").first
    expect(proposal).to_be_visible()
    proposal.locator("form[action$='/accept/'] button").click()
    confirm(commander)
    commander.wait_for_url(re.compile(r"/incidents/\d+/"))
    incident_path = re.search(r"/incidents/\d+/", commander.url)
    assert incident_path is not None

    # A township does a task, with a photograph, on the phone.
    township.goto(f"{running.url}/m/")
    township.locator("a[href^='/obligations/m/']").first.click()
    township.wait_for_url(re.compile(r"/obligations/m/\d+/"))
    report = (
        township.locator("details")
        .filter(has=township.locator("form[action$='/done/'], form[action$='/complete/']"))
        .first
    )
    report.locator("summary").click()
    report.locator("textarea").first.fill("已完成")
    report.locator("input[type='file']").first.set_input_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": PIXEL}
    )
    report.locator("button.btn-primary").last.click()
    township.wait_for_load_state("load")

    # Recover and evaluate: numbers in, response ended, times per step beside each other.
    commander.goto(f"{running.url}{incident_path[0]}figures/new/")
    commander.locator("#id_kind").select_option("moved")
    commander.locator("#id_value").fill("120")
    commander.locator("main form button.btn-primary").first.click()
    commander.wait_for_load_state("load")
    commander.goto(f"{running.url}{incident_path[0]}end/")
    for field in commander.locator("main form textarea").all():
        field.fill("雨势减弱，积水已退")
    commander.locator("main form button.btn-primary, main form button.btn-danger").last.click()
    if commander.locator("dialog.confirm").count():
        confirm(commander)
    commander.wait_for_load_state("load")
    commander.goto(f"{running.url}{incident_path[0]}evaluation/")
    expect(commander.locator("main table").first).to_be_visible()
    with commander.expect_download() as saved:
        commander.locator(f"a[href$='{incident_path[0]}evaluation.pdf']").click()
    assert Path(saved.value.path()).read_bytes()[:4] == b"%PDF"


def test_an_import_with_errors_names_row_column_value_and_remedy(running: Product, sign_in: SignIn) -> None:
    from playwright.sync_api import expect

    page = sign_in("admin")
    page.goto(f"{running.url}/registers/shelters/")
    page.goto(f"{running.url}/registers/shelters/import")
    sheet = "code,name_zh,kind,capacity,place,owner,lon,lat\nX-1,一号,no-such-kind,many,nowhere,nobody,999,31.6\n"
    page.locator("#file").set_input_files({"name": "shelters.csv", "mimeType": "text/csv", "buffer": sheet.encode()})
    page.locator("main form button.btn-primary").first.click()
    report = page.locator("main")
    for part in ("many", "nowhere"):
        expect(report).to_contain_text(part)


def test_the_wall_shows_the_situation_and_has_nothing_to_press(running: Product, sign_in: SignIn) -> None:
    from playwright.sync_api import expect

    page = sign_in("duty_officer")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{running.url}/wall/")
    expect(page.locator(".wall-panel").first).to_be_visible()
    expect(page.locator("[data-map][data-ready]")).to_be_attached()
    assert page.locator("main form, .wall-body button, .wall-body input").count() == 0


@pytest.mark.parametrize(
    ("role", "lang"), [("duty_officer", "zh-hans"), ("commander", "en"), ("township", "en"), ("department", "zh-hans")]
)
def test_every_place_of_the_menu_opens_without_a_fault(running: Product, sign_in: SignIn, role: str, lang: str) -> None:
    page = sign_in(role, lang=lang)
    links = {link.get_attribute("href") for link in page.locator("#side a").all()}
    assert len(links) > 4
    for link in sorted(filter(None, links)):
        answer = page.goto(f"{running.url}{link}")
        assert answer is not None and answer.status == 200, link
        metrics = page.context.new_cdp_session(page).send("Page.getLayoutMetrics")
        assert metrics["cssContentSize"]["width"] <= metrics["cssLayoutViewport"]["clientWidth"] + 1, link


@pytest.mark.parametrize("role", ["township", "grid"])
def test_the_phone_fits_its_screen(running: Product, sign_in: SignIn, role: str) -> None:
    page = sign_in(role, phone=True)
    for path in ("/m/", "/m/map/", "/m/me/", "/incidents/m/"):
        answer = page.goto(f"{running.url}{path}")
        assert answer is not None and answer.status == 200, path
        metrics = page.context.new_cdp_session(page).send("Page.getLayoutMetrics")
        assert metrics["cssContentSize"]["width"] <= metrics["cssLayoutViewport"]["clientWidth"] + 1, path


def test_a_visitor_is_asked_to_sign_in_and_the_public_page_is_open(running: Product) -> None:
    assert running.get("/public/")[0] == 200
    status, page = running.get("/incidents/")
    assert status == 200 and b"id_login" in page
