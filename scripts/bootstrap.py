"""From a bare Debian with python3 to a platform ready to start: what ./run and ./test share.

Standard library only. Each step is skipped when what it depends on has not changed: a stamp in .cache/stamps holds the
digest of its inputs. Nothing outside this folder is touched but the caches of uv and npm.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from telling import ROOT, Teller, Trouble

CACHE = ROOT / ".cache"
STAMPS = CACHE / "stamps"
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
WEB = ROOT / "web"
SOURCE = ROOT / "src" / "haitang"

PYPI = "https://pypi.org/simple"
UV_VERSION = "0.13.9"
# File and sha256 as PyPI publishes them; a new version means new lines here and nothing else.
UV_WHEELS = {
    "x86_64": (
        "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    "aarch64": (
        "uv-0.13.9-py3-none-manylinux_2_28_aarch64.whl",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
}
NODE_MINIMUM = (20, 19)
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def digest_of(*parts: object) -> str:
    """One digest of texts and files; a folder counts with the names and contents of all its files."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for path in sorted(_files(part)):
                total.update(str(path.relative_to(ROOT)).encode() + b"\0")
                total.update(hashlib.sha256(path.read_bytes()).digest())
        else:
            total.update(repr(part).encode() + b"\0")
    return total.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    skipped = {"node_modules", "dist", "__pycache__"}
    found: list[Path] = []
    for folder, names, files in os.walk(path):
        names[:] = [name for name in names if name not in skipped]
        found.extend(Path(folder) / name for name in files)
    return found


def is_fresh(stamp: str, digest: str, *outputs: Path) -> bool:
    """Whether the step was done for exactly these inputs and what it made is still there."""
    path = STAMPS / stamp
    return all(output.exists() for output in outputs) and path.exists() and path.read_text() == digest


def set_stamp(stamp: str, digest: str) -> None:
    """Remember that a step was done; written last, so that an interrupted step is done again."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    (STAMPS / stamp).write_text(digest)


@contextlib.contextmanager
def only_one(tell: Teller) -> Iterator[None]:
    """Let one setup at a time work in this folder; another waits."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        handle = (CACHE / "lock").open("w")
    except OSError as error:
        raise Trouble(
            f"Cannot write in {ROOT}: {error.strerror}", "Copy the folder to a place of your own and start there."
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            tell.say("  another ./run or ./test is setting up in this folder; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class _Links(HTMLParser):
    """The files of a PEP 503 page: file name to address."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.files: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            address = urldefrag(urljoin(self.base, href)).url
            self.files[unquote(address.rsplit("/", 1)[-1])] = address


def index_url() -> str:
    """The Python package index to use: UV_DEFAULT_INDEX, then UV_INDEX_URL and PIP_INDEX_URL, then PyPI."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        value = os.environ.get(name, "").strip()
        if value:
            # uv lets an index carry a name: name=https://...
            return re.sub(r"^[\w.-]+=(?=https?:)", "", value).rstrip("/")
    return PYPI


def fetch(url: str) -> bytes:
    """Read an address, trying again after a passing fault; Trouble names the host and what can be done."""
    parts = urlsplit(url)
    request = urllib.request.Request(url)
    if parts.username:
        host = parts.hostname or ""
        netloc = f"{host}:{parts.port}" if parts.port else host
        request = urllib.request.Request(urlunsplit(parts._replace(netloc=netloc)))
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(secret).decode())
    request.add_header("User-Agent", "haitang-setup")
    reason = ""
    for pause in (0, 1, 3):
        time.sleep(pause)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            reason = f"it answered {error.code} {error.reason}"
            if error.code < 500:
                break
        except (urllib.error.URLError, OSError) as error:
            reason = str(getattr(error, "reason", error))
    remedy = (
        "Check the network. Behind a proxy: export HTTPS_PROXY=http://proxy:port. Where PyPI is out of reach, name a mirror:\n"
        "export UV_DEFAULT_INDEX=https://pypi.tuna.tsinghua.edu.cn/simple"
    )
    if "CERTIFICATE" in reason.upper():
        remedy = "The machine has no certificate authorities for this host: apt-get install ca-certificates, or set SSL_CERT_FILE."
    raise Trouble(f"Cannot read {parts.hostname}: {reason}", remedy)


def tool_environment() -> dict[str, str]:
    """The environment of uv and npm: no Python from elsewhere, the machine's own certificate authorities."""
    env = dict(os.environ)
    env.pop("VIRTUAL_ENV", None)
    env["UV_PYTHON_DOWNLOADS"] = "never"
    env["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    env["UV_NO_PROGRESS"] = "1"
    if index_url() != PYPI:
        env["UV_DEFAULT_INDEX"] = index_url()
    if CA_BUNDLE.exists():
        env.setdefault("SSL_CERT_FILE", str(CA_BUNDLE))
        env.setdefault("NODE_EXTRA_CA_CERTS", str(CA_BUNDLE))
    return env


def get_uv(tell: Teller) -> Path:
    """The pinned uv in .tools, fetched as a wheel from the package index and checked against its digest."""
    uv = TOOLS / f"uv-{UV_VERSION}" / "uv"
    if uv.exists():
        return uv
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if machine not in UV_WHEELS:
        raise Trouble(
            f"No uv is pinned for this processor ({platform.machine()})",
            f"Add its wheel to UV_WHEELS in {Path(__file__).relative_to(ROOT)}; x86_64 and aarch64 are there.",
        )
    name, sha256 = UV_WHEELS[machine]
    with tell.step(f"fetching uv {UV_VERSION} from {urlsplit(index_url()).hostname}"):
        page = f"{index_url()}/uv/"
        links = _Links(page)
        links.feed(fetch(page).decode("utf-8", "replace"))
        if name not in links.files:
            raise Trouble(
                f"{page} does not list {name}", "The mirror may lag behind; name another one with UV_DEFAULT_INDEX."
            )
        wheel = fetch(links.files[name])
        found = hashlib.sha256(wheel).hexdigest()
        if found != sha256:
            raise Trouble(
                f"{name} has sha256 {found}, expected {sha256}",
                "The file was changed on its way. Use another index or network.",
            )
        uv.parent.mkdir(parents=True, exist_ok=True)
        packed = uv.parent / "wheel.zip"
        packed.write_bytes(wheel)
        with zipfile.ZipFile(packed) as archive:
            member = next(item for item in archive.namelist() if item.endswith("/scripts/uv"))
            fresh = uv.with_suffix(".new")
            fresh.write_bytes(archive.read(member))
        packed.unlink()
        fresh.chmod(0o755)
        fresh.rename(uv)
    return uv


def install_packages(tell: Teller, groups: Iterable[str]) -> None:
    """The packages of uv.lock in .venv, with these dependency groups; others already there stay."""
    wanted = set(groups)
    digest = digest_of(ROOT / "uv.lock", ROOT / "pyproject.toml", str(ROOT), index_url())
    stamp = STAMPS / "packages"
    python = VENV / "bin" / "python"
    known = stamp.read_text().split() if stamp.exists() and python.exists() else []
    if known[:1] == [digest] and wanted <= set(known[1:]):
        return
    uv = get_uv(tell)
    env = tool_environment()
    if not python.exists():
        env["UV_PYTHON"] = getattr(sys, "_base_executable", sys.executable)
    remedy = "Check the network and try again; where PyPI is out of reach, name a mirror with UV_DEFAULT_INDEX."
    wanted |= set(known[1:])
    flags = [flag for group in sorted(wanted) for flag in ("--group", group)]
    with tell.step("installing packages"):
        if index_url() == PYPI:
            tell.command(
                "packages", [str(uv), "sync", "--frozen", "--inexact", "--no-default-groups", *flags], remedy, env
            )
        else:
            _install_from_mirror(tell, str(uv), flags, remedy, env)
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(" ".join([digest, *sorted(wanted)]))


def _install_from_mirror(tell: Teller, uv: str, flags: list[str], remedy: str, env: dict[str, str]) -> None:
    """The same versions and digests from another index: uv.lock names PyPI's own addresses, a list of pins does not."""
    pins = CACHE / "pins.txt"
    export = [uv, "export", "--frozen", "--no-emit-project", "--no-default-groups", *flags, "--output-file", str(pins)]
    tell.command("pins", export, remedy, env)
    python = VENV / "bin" / "python"
    if not python.exists():
        tell.command("venv", [uv, "venv", str(VENV)], remedy, env)
    install = [uv, "pip", "install", "--python", str(python)]
    env.pop("UV_PYTHON", None)
    tell.command("packages", [*install, "--require-hashes", "--requirement", str(pins)], remedy, env)
    tell.command("project", [*install, "--no-deps", "--editable", str(ROOT)], remedy, env)


def system_node() -> str | None:
    """The folder of a Node on this machine that is new enough and has npm, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        version = tuple(int(part) for part in text.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return str(Path(node).parent) if version >= NODE_MINIMUM else None


_ICON = re.compile(rb"icon\W{1,8}(?:str\s*=\s*[\"'])?([a-z0-9-]+)[\"']")


def _front_end_digest() -> str:
    """What the bundle is made from: the sources in web/ and the icons that pages and declarations name."""
    icons = set()
    for path in _files(SOURCE):
        if path.suffix in {".html", ".py"}:
            icons.update(_ICON.findall(path.read_bytes()))
    return digest_of(WEB, sorted(icons))


def build_front_end(tell: Teller) -> bool:
    """Make web/dist from web/; returns whether anything had to be done."""
    digest = _front_end_digest()
    if is_fresh("front-end", digest, WEB / "dist" / "manifest.json"):
        return False
    env = tool_environment()
    node = system_node()
    if node is None:
        install_packages(tell, ["assets"])
        env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', '')}"
        npm = str(VENV / "bin" / "npm")
    else:
        npm = shutil.which("npm") or "npm"
    packages = digest_of(WEB / "package.json", WEB / "package-lock.json", node or "wheel")
    if not is_fresh("npm", packages, WEB / "node_modules" / ".package-lock.json"):
        remedy = (
            "Check the network and try again; where registry.npmjs.org is out of reach, name a mirror:\n"
            "export npm_config_registry=https://registry.npmmirror.com"
        )
        with tell.step("installing the front end's packages"):
            tell.command("npm", [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], remedy, env, WEB)
        set_stamp("npm", packages)
    with tell.step("building the front end"):
        tell.command("front-end", [npm, "run", "build"], "Mend what the build names in web/, then try again.", env, WEB)
    set_stamp("front-end", digest)
    return True


def compile_catalogues(tell: Teller) -> None:
    """The translations in the form that Django reads."""
    sources = sorted(SOURCE.glob("*/locale/*/LC_MESSAGES/*.po"))
    digest = digest_of(*sources)
    if is_fresh("catalogues", digest, *(path.with_suffix(".mo") for path in sources)):
        return
    with tell.step("compiling the translations"):
        remedy = "Mend the catalogue that is named, then try again."
        tell.command(
            "catalogues", [str(VENV / "bin" / "python"), "-m", "haitang.config.catalogues"], remedy, tool_environment()
        )
    set_stamp("catalogues", digest)


def prepare(tell: Teller, groups: Iterable[str] = ()) -> None:
    """Everything short of data: packages, front end, translations."""
    with only_one(tell):
        if shutil.disk_usage(ROOT).free < 1_500_000_000 and not VENV.exists():
            raise Trouble(f"Less than 1.5 GB is free where {ROOT} is", "Make room, or copy the folder to another disk.")
        install_packages(tell, groups)
        build_front_end(tell)
        compile_catalogues(tell)


def port_is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
