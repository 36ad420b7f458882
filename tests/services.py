"""A PostgreSQL and a Mosquitto for the tests alone, started on free ports and thrown away afterwards.

    python3 tests/services.py              start both, print their addresses, stop with Ctrl-C
    python3 tests/services.py -- COMMAND   run a command with HAITANG_TEST_POSTGRES_URL and HAITANG_TEST_MQTT set

Standard library only: ./test starts them before anything is installed into the environment.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_S = 30


class ServiceError(RuntimeError):
    """A service could not be started; the message holds what it said."""


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise ServiceError(f"{name} did not start on port {port}:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes], by: signal.Signals) -> None:
    process.send_signal(by)
    try:
        process.wait(timeout=START_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    if found:
        return found[-1]
    server = shutil.which("postgres")
    if server:
        return Path(server).parent
    raise ServiceError(
        "PostgreSQL is not installed; ./test installs it (apt-get install postgresql postgresql-postgis)"
    )


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A new cluster with PostGIS in its template; yields its address. It forgets everything, and says so to be quick."""
    binaries = _postgres_bin()
    folder = Path(tempfile.mkdtemp(prefix="haitang-pg-"))
    try:
        owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            # The server refuses to run as root.
            shutil.chown(folder, "postgres", "postgres")
            owner = {"user": "postgres", "group": "postgres", "extra_groups": []}
        password, port, data = secrets.token_urlsafe(16), free_port(), folder / "data"
        words = folder / "password"
        words.touch(mode=0o600)
        words.write_text(password)
        if owner:
            shutil.chown(words, "postgres")
        log = folder / "log"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "haitang", "-A", "scram-sha-256", "-E", "UTF8"]
        made = subprocess.run(
            [*initdb, "--no-locale", "--no-sync", f"--pwfile={words}"],
            capture_output=True,
            cwd=folder,
            check=False,
            **owner,
        )
        words.unlink()
        if made.returncode != 0:
            raise ServiceError(f"initdb failed:\n{made.stderr.decode(errors='replace')}")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "shared_buffers": "128MB",
            "timezone": "UTC",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("wb") as out:
            server = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(data), *options],
                stdout=out,
                stderr=out,
                cwd=folder,
                start_new_session=True,
                **owner,
            )
        try:
            _wait_for(port, server, log, "PostgreSQL")
            env = {**os.environ, "PGPASSWORD": password}
            psql = [
                str(binaries / "psql"),
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "haitang",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
            ]
            # The port answers before the server takes anybody in.
            until = time.monotonic() + START_S
            while subprocess.run(
                [*psql, "-d", "postgres", "-c", "SELECT 1"], env=env, capture_output=True, check=False
            ).returncode:
                if time.monotonic() > until:
                    raise ServiceError(
                        f"PostgreSQL took nobody in on port {port}:\n{log.read_text(errors='replace')[-2000:]}"
                    )
                time.sleep(0.1)
            for database, command in (
                ("template1", "CREATE EXTENSION postgis"),
                ("postgres", "CREATE DATABASE haitang"),
            ):
                subprocess.run([*psql, "-d", database, "-c", command], env=env, check=True)
            yield f"postgresql://haitang:{password}@127.0.0.1:{port}/haitang"
        finally:
            # SIGINT: close the connections and stop at once ("fast shutdown").
            _stop(server, signal.SIGINT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def mosquitto() -> Iterator[str]:
    """A broker that keeps nothing; yields its address."""
    binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise ServiceError("Mosquitto is not installed; ./test installs it (apt-get install mosquitto)")
    with tempfile.TemporaryDirectory(prefix="haitang-mqtt-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        config, log = folder / "mosquitto.conf", folder / "log"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\n"
            "max_queued_messages 0\nset_tcp_nodelay true\nlog_dest stderr\n"
        )
        with log.open("wb") as out:
            broker = subprocess.Popen([binary, "-c", str(config)], stdout=out, stderr=out, start_new_session=True)
        try:
            _wait_for(port, broker, log, "Mosquitto")
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            _stop(broker, signal.SIGTERM)


def main() -> int:
    """Start both, then wait or run the command that was given."""
    command = sys.argv[2:] if sys.argv[1:2] == ["--"] else []
    with postgres() as database, mosquitto() as broker:
        env = {**os.environ, "HAITANG_TEST_POSTGRES_URL": database, "HAITANG_TEST_MQTT": broker}
        if command:
            return subprocess.call(command, env=env)
        sys.stdout.write(f"export HAITANG_TEST_POSTGRES_URL={database}\nexport HAITANG_TEST_MQTT={broker}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
