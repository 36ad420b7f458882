"""The running product for tests: `haitang up` on ports of its own, browsers that sign in, processes that can be killed.

Loaded as a plug-in by the root conftest.py, so that slices' browser tests find the same fixtures:

    running      the product with the Chongming pack and the demonstration sign-ins, started once
    browser      Chromium
    sign_in      sign_in("commander", lang="en", phone=True) -> a page that must stay free of console errors
    mqtt_url     a broker
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest

from tests import services

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    # Software rendering for the map, named explicitly: otherwise each read-back warns on the console.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
START_S = 90


class Product:
    """One installation of the platform with a data folder of its own, as an operator would run it."""

    def __init__(self, folder: Path, pack: str = "chongming", database_url: str = "") -> None:
        self.folder = folder
        self.pack = pack
        port, live, simulators, mqtt = (services.free_port() for _ in range(4))
        self.url = f"http://127.0.0.1:{port}"
        self.live_url = f"http://127.0.0.1:{live}"
        self.mqtt_port = mqtt
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("HAITANG_", "DJANGO_", "PYTEST_"))
        }
        self.env = {
            **kept,
            "HAITANG_DATA": str(folder / "var"),
            "HAITANG_DEMO": "1",
            "HAITANG_PACK": pack,
            "HAITANG_PORT": str(port),
            "HAITANG_LIVE_PORT": str(live),
            "HAITANG_SIM_PORT": str(simulators),
            "HAITANG_MQTT_LISTEN": str(mqtt),
            "HAITANG_DATABASE_URL": database_url,
            "HAITANG_MQTT_URL": os.environ.get("HAITANG_TEST_MQTT", ""),
        }
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def haitang(self, *words: str, check: bool = True, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run the command line against this installation; its output is in the answer."""
        command = [str(Path(sys.executable).parent / "haitang"), *words]
        done = subprocess.run(
            command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"haitang {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def init(self) -> None:
        """Migrate, load the pack, make the demonstration sign-ins."""
        self.haitang("init", "--pack", self.pack, "--demo")

    def start(self) -> None:
        """Start every process and wait until the pages answer."""
        with self.log.open("ab") as out:
            command = [str(Path(sys.executable).parent / "haitang"), "up"]
            self._process = subprocess.Popen(
                command, env=self.env, cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, urllib.error.URLError):
                if self.get("/accounts/login/")[0] == 200 and self.has("haitang.config.cli worker"):
                    socket.create_connection(("127.0.0.1", self.mqtt_port), timeout=1).close()
                    return
            time.sleep(0.1)
        raise AssertionError(
            f"haitang up did not answer at {self.url}:\n{self.log.read_text(errors='replace')[-4000:]}"
        )

    def stop(self) -> None:
        """Ask everything to end, and make sure of it."""
        if self._process is None:
            return
        family = self.processes()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        for process in [*family, psutil.Process(self._process.pid)] if self._process.poll() is None else family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._process = None

    def processes(self) -> list[psutil.Process]:
        """The processes of this installation, without the one that minds them."""
        if self._process is None or self._process.poll() is not None:
            return []
        return psutil.Process(self._process.pid).children(recursive=True)

    def has(self, word: str) -> bool:
        """Whether a process runs whose command line holds the word."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(word in " ".join(process.cmdline()) for process in self.processes())
        return False

    def kill(self, word: str) -> int:
        """kill -9 the processes whose command line holds the word; returns how many there were."""
        killed = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in " ".join(process.cmdline()):
                    process.kill()
                    killed += 1
        return killed

    def kill_all(self) -> None:
        """kill -9 everything at once, as a power cut would."""
        family = self.processes()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def get(self, path: str, headers: dict[str, str] | None = None, data: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of a request without a browser; an answer of error is an answer."""
        request = urllib.request.Request(f"{self.url}{path}", headers=headers or {}, data=data)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextlib.contextmanager
def product_database(name: str) -> Iterator[str]:
    """A database for one product: none of its own on SQLite, a fresh one where the round is on PostgreSQL."""
    url = os.environ.get("HAITANG_DATABASE_URL", "")
    if not url:
        yield ""
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def statement(product: Product, sql: str) -> Iterator[None]:
    """Run a statement on a product's database behind its back, as somebody with the password would."""
    url = product.env["HAITANG_DATABASE_URL"]
    if url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as server:
            server.execute(sql)
    else:
        with contextlib.closing(sqlite3.connect(product.folder / "var" / "haitang.sqlite3")) as file:
            file.execute(sql)
            file.commit()
    yield


@pytest.fixture(scope="session")
def running() -> Iterator[Product]:
    """The product, started once for all tests that use it; they leave it as usable as they found it."""
    with (
        tempfile.TemporaryDirectory(prefix="haitang-running-") as name,
        product_database("running") as database_url,
    ):
        product = Product(Path(name), database_url=database_url)
        product.init()
        product.start()
        try:
            yield product
        finally:
            product.stop()


@pytest.fixture(scope="session")
def mqtt_url() -> Iterator[str]:
    """A broker for this worker alone, so that no other worker's messages are counted here."""
    try:
        with services.mosquitto() as url:
            yield url
    except services.ServiceError as error:
        if os.environ.get("HAITANG_TEST_COMPLETE"):
            raise
        pytest.skip(str(error))


# One Chromium per file: Playwright's loop must be gone before another file's tests speak to the database.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of Debian, drawing maps in software."""
    from playwright.sync_api import sync_playwright

    if not Path(CHROMIUM).exists():
        message = "Chromium is not installed; ./test installs it (apt-get install chromium fonts-noto-cjk)"
        if os.environ.get("HAITANG_TEST_COMPLETE"):
            pytest.fail(message)
        pytest.skip(message)
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know whether their test failed."""
    report = yield
    setattr(item, f"report_{report.when}", report)  # type: ignore[attr-defined]
    return report  # type: ignore[return-value]


@pytest.fixture
def sign_in(running: Product, browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Open the product as somebody: sign_in("township", lang="en", phone=True); sign_in("") is a resident.

    A test fails when a page it opened said an error on the console. A picture of each page of a failed test is left in
    .cache/failures/.
    """
    pages: list[Any] = []
    said: list[str] = []

    def open_as(role: str = "duty_officer", *, lang: str = "zh-hans", phone: bool = False, **options: Any) -> Any:
        context = browser.new_context(viewport=PHONE if phone else DESK, has_touch=phone, **options)
        context.add_cookies([{"name": "django_language", "value": lang, "url": running.url}])
        context.set_default_timeout(20_000)
        page = context.new_page()
        pages.append(page)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        if role:
            page.goto(f"{running.url}/accounts/login/")
            page.locator(f"[data-demo-role='{role}'] button").first.click()
            page.wait_for_url(lambda address: "/login" not in address)
        else:
            page.goto(f"{running.url}/")
        return page

    yield open_as
    report = getattr(request.node, "report_call", None)
    failed = report is not None and report.failed
    for number, page in enumerate(pages):
        if failed:
            folder = ROOT / ".cache" / "failures"
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(Exception):
                page.screenshot(path=folder / f"{request.node.name}-{number}.png")
        page.context.close()
    if not failed:
        assert not said, f"the browser's console said: {said}"
