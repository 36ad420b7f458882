"""What every test of the house has: a data folder of its own, a database on disk, the stores that ./test started.

Without anything in the environment the tests run on SQLite. HAITANG_DATABASE_URL=postgresql://... runs the same tests on
PostgreSQL; `./test` does both.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

# The running product and browsers, for tests of slices as well as those in tests/.
pytest_plugins = ["tests.product"]


def _own_folder() -> Path:
    """A data folder for this process alone, in memory where the machine has room for that."""
    shared_memory = Path("/dev/shm")  # noqa: S108
    roomy = shared_memory.is_dir() and os.access(shared_memory, os.W_OK)
    roomy = roomy and shutil.disk_usage(shared_memory).free > 2_000_000_000
    folder = Path(tempfile.mkdtemp(prefix="haitang-test-", dir=shared_memory if roomy else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# Before Django reads its settings: nothing of the developer's own installation is touched by a test.
os.environ["HAITANG_DATA"] = str(_own_folder())
os.environ["HAITANG_SECRET_KEY"] = "tests only, never a secret"  # noqa: S105
for _name in ("HAITANG_DEMO", "HAITANG_DEBUG", "HAITANG_HTTPS", "HAITANG_MQTT_URL", "HAITANG_PACK"):
    os.environ.pop(_name, None)

# No deadline: a slow machine is not a failing test.
hypothesis_settings.register_profile("house", deadline=None, derandomize=True, print_blob=True, max_examples=60)
hypothesis_settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of ./test's second round."""
    parser.addoption(
        "--store-only", action="store_true", help="Only tests that touch the database (for the round on PostgreSQL)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make Django ready for tests before pytest-django sets it up."""
    from django.conf import settings

    # pytest-django has read the settings before this file: what they made of HAITANG_DATA is set anew.
    settings.DATA = Path(os.environ["HAITANG_DATA"])
    settings.MEDIA_ROOT = settings.DATA / "uploads"
    settings.STATIC_ROOT = settings.DATA / "static"
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.CACHES["default"]["LOCATION"] = settings.DATA / "cache"
    settings.DEMO = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    default = settings.DATABASES["default"]
    if default["ENGINE"].endswith("sqlite3"):
        # A file, as in life: threads and processes of a test see one database with the locks it really has.
        default.setdefault("TEST", {})["NAME"] = str(Path(os.environ["HAITANG_DATA"]) / "test.sqlite3")
    _make_signing_key(settings.DATA)
    # The catalogues are read once per process, so they must be there before the first test.
    _compile_catalogues()


def _make_signing_key(folder: Path) -> None:
    """What `haitang init` makes: without a key no actual public warning is published. A short one, for speed."""
    from haitang.alerting.cap_signature import make_pair

    private, public = make_pair("tests", at=datetime.now(UTC) - timedelta(days=1), curve=True)
    (folder / "cap_signing.key").write_bytes(private)
    (folder / "cap_signing.crt").write_bytes(public)


def _compile_catalogues() -> None:
    try:
        from haitang.config.catalogues import compile_all
    except ModuleNotFoundError:
        return
    compile_all()


# Before pytest-xdist writes the groups into the names.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the running product on one worker; leave out what PostgreSQL has no part in."""
    kept, left = [], []
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "running" in fixtures:
            item.add_marker(pytest.mark.xdist_group("running"))
        uses_store = item.get_closest_marker("django_db") is not None or bool(
            fixtures & {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
        )
        is_screen = item.get_closest_marker("browser") is not None
        on_store = (uses_store or item.get_closest_marker("faults") is not None) and not is_screen
        (left if config.getoption("--store-only") and not on_store else kept).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where pytest-xdist tears groups apart: two workers would prepare one database at once."""
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") is not None and "@" not in item.nodeid:
            raise pytest.UsageError("pytest-xdist does not keep groups together with this pytest; see pyproject.toml")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what failed before pytest began, so that its green last line deceives nobody."""
    earlier = os.environ.get("HAITANG_TEST_FAILED_BEFORE")
    if earlier and not hasattr(terminalreporter.config, "workerinput"):
        terminalreporter.section("failed before this round", red=True, bold=True)
        for line in earlier.split(";"):
            terminalreporter.write_line(line.strip())


@pytest.fixture(autouse=True)
def _chinese_first() -> Iterator[None]:
    """A test that switched the language does not leave it switched."""
    from django.utils import translation

    with translation.override("zh-hans"):
        yield
