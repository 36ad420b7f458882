"""How ./run and ./test speak: one line per step, trouble with its remedy. Standard library only."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".cache" / "logs"


class Trouble(Exception):
    """Something the person at the keyboard can mend: what happened, and how to go on."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class Teller:
    """Prints one line per step; what the tools say goes into a log, or onto the screen with `verbose`."""

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def paint(self, code: str, text: str) -> str:
        """The text in a colour of the terminal, or bare where there is none."""
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def say(self, text: str = "") -> None:
        """Print one line at once."""
        print(text, flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announce a step that takes time, and how long it took."""
        began = time.monotonic()
        if self.verbose:
            print(f"  {name} ...", flush=True)
        elif self.colour:
            print(f"  {name} ...", end="", flush=True)
        yield
        overwrite = "\r" if self.colour and not self.verbose else ""
        print(f"{overwrite}  {name}: {self.paint('32', 'done')} ({time.monotonic() - began:.1f} s)", flush=True)

    def command(self, name: str, arguments: list[str], remedy: str, env: dict[str, str], cwd: Path = ROOT) -> None:
        """Run a tool; its last lines and the remedy are shown if it fails."""
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{name}.log"
        if self.verbose:
            code = subprocess.call(arguments, cwd=cwd, env=env)
            tail = ""
        else:
            with log.open("wb") as out:
                code = subprocess.call(
                    arguments, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
                )
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:]
            tail = "\n".join(f"    {line}" for line in lines)
        if code != 0:
            shown = Path(arguments[0]).name + " " + " ".join(arguments[1:4])
            raise Trouble(
                f"{shown} ended with exit code {code}\n{tail}", f"{remedy}\n(whole output: {log.relative_to(ROOT)})"
            )


def guarded(main: Callable[[], int]) -> int:
    """Run a command; trouble is told in three lines instead of a traceback."""
    try:
        return main()
    except Trouble as trouble:
        print(f"\n{trouble.what}\n", file=sys.stderr)
        for line in trouble.remedy.splitlines():
            print(f"  -> {line}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
