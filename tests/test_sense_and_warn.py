"""P4, 3.1.4, 3.4.1, 3.4.2: a newcomer's first day, from a sensor of his own to the report on the warning it led to. Issue 3, done when."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SignIn = Callable[..., Any]
RULE = """\
[[rule]]
code = "J.wind-and-rain"
series = "W-XH.gust"
name = "新河镇风雨叠加"
draft = true
[rule.when]
span = "1 h"
all = [{rule = "W-XH.gust.typhoon"}, {rule = "W-XH.rain.1h"}]
"""
TOWNSHIPS = ("310151103", "310151104", "310151106")


def sensor(product: Product, access: dict[str, Any], hours_ago: float, values: Sequence[tuple[float, float]]) -> None:
    """Gust and rain of Xinhe, five minutes apart: any MQTT client, the platform's own endpoint, acknowledged when durable."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.username_pw_set(str(access["number"]), access["token"])
    client.connect("127.0.0.1", product.mqtt_port)
    client.loop_start()
    last = datetime.now(UTC) - timedelta(hours=hours_ago)
    body: dict[str, list[Any]] = {"series": [], "time": [], "value": []}
    for number, (gust, rain) in enumerate(values):
        at = (last - timedelta(minutes=5 * (len(values) - 1 - number))).isoformat()
        body["series"] += ["W-XH.gust", "W-XH.rain"]
        body["time"] += [at, at]
        body["value"] += [gust, rain]
    sent = client.publish(f"haitang/v1/{access['number']}/readings", json.dumps(body), qos=1)
    sent.wait_for_publish(20)
    assert sent.is_published()
    client.disconnect()
    client.loop_stop()


def confirm(page: Any) -> None:
    page.locator("dialog.confirm button[value='yes']").click()


def test_from_a_sensor_of_ones_own_to_the_report_on_the_warning(running: Product, sign_in: SignIn) -> None:
    import frost_sta_client as fsc
    from frost_sta_client.service.auth_handler import AuthHandler
    from playwright.sync_api import expect

    told = running.haitang("token", "newcomer", "--user", "duty", "--rights", "read", "readings:write", "--json").stdout
    access = json.loads(told.strip().splitlines()[-1])

    # An MQTT client sends the storm of some hours ago; the FROST client reads it.
    sensor(running, access, 5, [(12, 0), (26, 20), (27, 25), (26, 15), (10, 0), (9, 0)])
    service = fsc.SensorThingsService(f"{running.url}/sta/v1.1", auth_handler=AuthHandler("token", access["token"]))
    thing = service.things().query().filter("name eq '新河镇气象站'").list().get(0)
    newest = [
        float(observation.result)
        for stream in thing.get_datastreams().query().list()
        for observation in stream.get_observations().query().orderby("phenomenonTime", "desc").top(1).list()
    ]
    assert {9.0, 0.0} <= set(newest)

    # A compound rule is written on the screen, tried on what is stored, and made live.
    duty = sign_in("duty_officer")
    duty.goto(f"{running.url}/monitoring/rules/new/?as=text")
    duty.locator("textarea[name='text']").fill(RULE)
    duty.locator("main form button.btn-primary").click()
    duty.wait_for_url(re.compile(r"/monitoring/rules/\d+/$"))
    duty.locator("a[href$='/backtest/']").click()
    duty.locator("main form button[type='submit'].btn-primary").last.click()
    expect(duty.locator("main table tbody tr").first).to_contain_text("黄")
    duty.locator("form[action$='/publish/'] button").first.click()
    confirm(duty)
    duty.wait_for_url(re.compile(r"/monitoring/rules/\d+/$"))

    # The storm comes back: its alarm, whom it reaches, what it may lead to.
    sensor(running, access, 0, [(26, 20), (27, 25), (28, 25)])
    duty.goto(f"{running.url}/monitoring/alarms/")
    alarm = duty.locator("main tr").filter(has_text="风雨叠加").locator("a[href*='/monitoring/alarms/']").first
    expect(alarm).to_be_visible(timeout=60_000)
    alarm.click()
    duty.wait_for_url(re.compile(r"/monitoring/alarms/\d+/"))
    expect(duty.locator("main")).to_contain_text("新河镇风雨叠加")

    # It becomes a signed warning for three townships.
    duty.locator("a[href*='/alerting/compose/?alarm=']").first.click()
    if duty.locator("#id_kind option").count() and not duty.locator("#id_kind").input_value():
        duty.locator("#id_kind").select_option(index=1)
    for code in TOWNSHIPS:
        duty.locator(f"input[name='places'][value='{code}']").check()
    duty.locator("button[name='then'][value='submit']").click()
    duty.wait_for_url(re.compile(r"/alerting/\d+/$"))
    path = re.sub(r"^https?://[^/]+", "", duty.url)
    commander = sign_in("commander")
    commander.goto(f"{running.url}{path}")
    commander.locator("form[action$='/approve/'] button").first.click()
    confirm(commander)
    expect(commander.locator("#board")).to_be_visible()
    number = re.findall(r"\d+", path)[-1]
    status, xml = running.get(f"/public/warnings/{number}/cap.xml")
    assert status == 200 and b"SignatureValue" in xml

    # Who has not answered stands on the map; the report says how it went.
    duty.goto(f"{running.url}{path}reach/")
    expect(duty.locator("#reach")).to_contain_text("新河镇")
    duty.goto(f"{running.url}{path}measured/")
    expect(duty.locator("main .tiles").first).to_be_visible()
    duty.locator(".dropdown:has(a[href$='report.pdf']) [data-bs-toggle]").first.click()
    with duty.expect_download() as saved:
        duty.locator("a[href$='report.pdf']").first.click()
    assert Path(saved.value.path()).read_bytes()[:4] == b"%PDF"
    duty.goto(f"{running.url}/alerting/performance/")
    expect(duty.locator("main")).to_contain_text("POD")
