"""What the tests need from Debian: PostgreSQL with PostGIS, Mosquitto, Chromium, Chinese fonts. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from telling import Teller, Trouble


@dataclass(frozen=True)
class Need:
    """A package of Debian, and the files by which its presence is seen (any of the patterns)."""

    package: str
    seen_by: tuple[str, ...]
    what_for: str

    def is_there(self) -> bool:
        """Whether it is installed, by Debian or otherwise."""
        return any(next(Path("/").glob(pattern), None) is not None for pattern in self.seen_by)


NEEDS = (
    Need("postgresql", ("usr/lib/postgresql/*/bin/initdb",), "the suite's second database"),
    Need("postgresql-postgis", ("usr/share/postgresql/*/extension/postgis.control",), "the views for QGIS"),
    Need("mosquitto", ("usr/sbin/mosquitto", "usr/bin/mosquitto"), "telemetry by MQTT"),
    Need("chromium", ("usr/bin/chromium",), "journeys in a browser"),
    Need(
        "fonts-noto-cjk", ("usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",), "Chinese on screenshots and PDF"
    ),
)


def install_missing(tell: Teller) -> None:
    """Install what is missing with apt-get, as root or through sudo; Trouble says the command where neither works."""
    missing = [need for need in NEEDS if not need.is_there()]
    if not missing:
        return
    names = [need.package for need in missing]
    command = f"apt-get install --no-install-recommends {' '.join(names)}"
    reasons = "\n".join(f"    {need.package}: {need.what_for}" for need in missing)
    if not shutil.which("apt-get"):
        raise Trouble(
            f"The tests need what this system lacks:\n{reasons}", "Install these with your system's own tool."
        )
    root = os.geteuid() == 0
    if not root and not shutil.which("sudo"):
        raise Trouble(f"The tests need packages of Debian:\n{reasons}", f"As root: {command}")
    prefix = [] if root else ["sudo"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300", "-y"]
    install = [*apt, "install", "--no-install-recommends", *names]
    remedy = f"Check the network and /etc/apt, then by hand: {command}"
    if not root:
        # A password is asked for here, where it can be seen, and not inside a step.
        subprocess.run(["sudo", "-v"], check=False)
    with tell.step(f"installing {', '.join(names)} from Debian"):
        # Lists may be absent or older than the mirror: ask anew only if the first attempt fails.
        quiet = subprocess.run(install, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if quiet.returncode != 0:
            tell.command("apt-update", [*apt, "update"], remedy, env)
            tell.command("apt-install", install, remedy, env)
    still = [need.package for need in NEEDS if not need.is_there()]
    if still:
        raise Trouble(f"Installed, and yet not found: {', '.join(still)}", remedy)
