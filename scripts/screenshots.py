"""Take the pictures of the running product that docs/ shows, and look for what makes a page bad on a screen.

    scripts/screenshots.py --base http://127.0.0.1:8000 --out docs/img desk wall phone

Signs in by the demonstration accounts of the sign-in page. Every shot is checked: no message on the browser's console,
nothing wider than the window, no text left in the wrong language's fallback. Exit code 1 names the shots that failed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# Software rendering for the map, without the warnings that would hide real ones.
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
]
DESK = (1440, 900)
PHONE = (360, 740)
WALL = (1920, 1080)
MAP_READY_MS = 20_000


@dataclass(frozen=True)
class Shot:
    """One picture: who looks at which page on what screen."""

    name: str
    path: str
    role: str = "duty_officer"
    size: tuple[int, int] = DESK
    theme: str = "light"
    lang: str = "zh-hans"
    whole: bool = False
    exercise: bool = False
    # What is pressed before the picture is taken: a row of the list, then something on its page.
    first: str = ""
    then: str = ""


SHOTS = [
    Shot("sign-in", "/accounts/login/", role=""),
    Shot("sign-in-phone", "/accounts/login/", role="", size=PHONE),
    Shot("desk", "/"),
    Shot("desk-dark", "/", theme="dark"),
    Shot("desk-township", "/", role="township"),
    Shot("wall", "/wall/", size=WALL),
    Shot("phone", "/m/", role="township", size=PHONE),
    Shot("phone-map", "/m/map/", role="township", size=PHONE),
    Shot("phone-me", "/m/me/", role="grid", size=PHONE),
    Shot("desk-phone", "/", size=PHONE),
    Shot("profile", "/profile/"),
    Shot("permissions", "/permissions/", role="admin", whole=True),
    Shot("journal", "/journal/"),
    Shot("journal-phone", "/journal/", size=PHONE),
    Shot("journal-exercise", "/journal/", exercise=True),
    Shot("journal-exercise-phone", "/journal/", size=PHONE, exercise=True),
    Shot("desk-exercise", "/", exercise=True),
    Shot("map-exercise", "/onemap/", exercise=True),
    Shot("wall-exercise", "/wall/", size=WALL, exercise=True),
    Shot("alarms-exercise", "/monitoring/alarms/?tab=cleared", exercise=True),
    Shot("composer-exercise", "/alerting/compose/", exercise=True),
    Shot("warning-exercise", "/alerting/", exercise=True, first="tr[data-href^='/alerting/']"),
    Shot("incident-exercise", "/incidents/", role="commander", exercise=True, first="tr[data-href^='/incidents/']"),
    Shot(
        "evaluation-exercise",
        "/incidents/",
        role="commander",
        exercise=True,
        first="tr[data-href^='/incidents/']",
        then="a[href$='/evaluation/']",
    ),
    Shot("phone-exercise", "/m/", role="township", size=PHONE, exercise=True),
    Shot("replay", "/replay/"),
    Shot("shelters-exercise", "/registers/shelters/", exercise=True),
    Shot("public", "/public/", role=""),
    Shot("duty", "/duty/"),
    Shot("not-found", "/no-such-page/"),
]


def in_both_languages(shots: list[Shot]) -> list[Shot]:
    """Every shot in Chinese, and once more in English with "-en" to its name."""
    return shots + [replace(shot, name=f"{shot.name}-en", lang="en") for shot in shots]


def sign_in(page: Page, base: str, role: str) -> None:
    """Press the demonstration sign-in of a role."""
    page.goto(f"{base}/accounts/login/")
    page.locator(f"[data-demo-role='{role}'] button").click()
    page.wait_for_load_state("load")


def enter_exercise(page: Page) -> None:
    """Look at the newest exercise."""
    page.locator("header [data-bs-toggle]").first.click()
    page.locator("[data-space-kind='exercise']").first.click()
    page.wait_for_load_state("load")


def settle(page: Page) -> None:
    """Wait until maps and charts are drawn. The page's policy forbids eval, so locators do the waiting."""
    for kind in ("map", "chart"):
        for number in range(page.locator(f"[data-{kind}]").count()):
            island = page.locator(f"[data-{kind}]").nth(number)
            if island.is_visible():
                try:
                    island.and_(page.locator("[data-ready]")).wait_for(state="attached", timeout=MAP_READY_MS)
                except Error:
                    print(f"  {kind} {number} was not drawn in time")
    page.wait_for_timeout(600)


def faults(page: Page, said: list[str]) -> list[str]:
    """What is wrong with the page as it stands."""
    found = [f"console: {line}" for line in said]
    session = page.context.new_cdp_session(page)
    metrics = session.send("Page.getLayoutMetrics")
    wide = metrics["cssContentSize"]["width"] - metrics["cssLayoutViewport"]["clientWidth"]
    if wide > 1:
        found.append(f"the page is {wide:.0f} px wider than the window")
    return found


def take(browser: Browser, base: str, out: Path, shot: Shot) -> list[str]:
    """Take one picture; returns its faults."""
    context = browser.new_context(viewport={"width": shot.size[0], "height": shot.size[1]}, device_scale_factor=1)
    context.add_cookies(
        [
            {"name": "theme", "value": shot.theme, "url": base},
            {"name": "django_language", "value": shot.lang, "url": base},
        ]
    )
    page = context.new_page()
    said: list[str] = []
    try:
        if shot.role:
            sign_in(page, base, shot.role)
            if shot.exercise:
                page.goto(f"{base}/profile/")
                enter_exercise(page)
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        answer = page.goto(f"{base}{shot.path}")
        for press in filter(None, (shot.first, shot.then)):
            page.locator(press).first.click()
            page.wait_for_load_state("load")
        settle(page)
        page.screenshot(path=out / f"{shot.name}.png", full_page=shot.whole)
        wanted = 404 if "no-such" in shot.path else 200
        wrong = [] if answer and answer.status == wanted else [f"status {answer.status if answer else 'none'}"]
        # A missing page is itself a console message.
        return wrong + faults(page, said if wanted == 200 else [])
    except Error as error:
        return [str(error).splitlines()[0]]
    finally:
        context.close()


def main() -> int:
    """Take the shots named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="shots, or beginnings of their names; all when none is given")
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    parser.add_argument("--both", action="store_true", help="each shot in English too")
    given = parser.parse_args()
    shots = in_both_languages(SHOTS) if given.both else SHOTS
    if given.names:
        shots = [shot for shot in shots if any(shot.name.startswith(name) for name in given.names)]
    given.out.mkdir(parents=True, exist_ok=True)
    bad = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for shot in shots:
            wrong = take(browser, given.base, given.out, shot)
            bad += bool(wrong)
            print(f"{shot.name}: {'; '.join(wrong) or 'good'}")
        browser.close()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
