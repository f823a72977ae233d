"""This module makes a peer's own environment, out of the repo, on first use from a file of hashes.

It lies in the user's cache folder under the hash of its requirements, so that other requirements are
another environment. A marker is written last; a folder without it is half-made and is made anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

HERE = Path(__file__).resolve().parent
MARKER = ".complete"


class BenchmarkError(Exception):
    """A BenchmarkError says why the benchmark can't go on, and what to do."""


@dataclass(frozen=True)
class PeerEnvironment:
    """A PeerEnvironment says what a peer needs to run.

    Attributes:
        name: short name, part of the folder's.
        requirements: hash-locked file that lists everything, dependencies of dependencies too.
        pythons: minor versions of Python 3 that its packages have wheels for, best first.
        size: what to tell a person who waits, such as "about 600 MB".
    """

    name: str
    requirements: Path
    pythons: tuple[int, ...]
    size: str

    @property
    def folder(self) -> Path:
        """Returns where the environment lies."""
        digest = hashlib.sha256(self.requirements.read_bytes()).hexdigest()[:12]
        return cache_folder() / f"{self.name}-{digest}"

    def python(self, console: Console) -> Path:
        """Returns the environment's interpreter; makes the environment if it is not there.

        Raises:
            BenchmarkError: no suitable Python, or pip failed.
        """
        folder = self.folder
        python = folder / "bin" / "python"
        if (folder / MARKER).exists() and _answers(python, "pass"):
            return python
        base = self._base()
        console.print(
            f"Making an environment for {self.name} in {folder} ({self.size} to download, once) ...",
            markup=False,
            highlight=False,
        )
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        with console.status("Downloading and installing"):
            _run([str(base), "-m", "venv", str(folder)], "create a virtual environment")
            _run(
                [
                    *(str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"),
                    # --no-deps: the file lists all, and TFRS asks for a `tensorflow-macos` that is no more.
                    *("--require-hashes", "--no-deps", "-r", str(self.requirements)),
                ],
                f"install {self.requirements.name}",
            )
        (folder / MARKER).touch()
        console.print(f"Made in {time.perf_counter() - begin:.0f} s.", highlight=False)
        return python

    def _base(self) -> Path:
        """Returns the running interpreter's own if the peer supports it, else the first that answers."""
        own = Path(getattr(sys, "_base_executable", None) or sys.executable)
        candidates = [own, *(Path(p) for m in self.pythons if (p := shutil.which(f"python3.{m}")))]
        if p := shutil.which("python3"):
            candidates.append(Path(p))
        check = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in {self._versions()})"
        for python in candidates:
            if _answers(python, check):
                return python
        known = ", ".join(f"3.{m}" for m in self.pythons)
        raise BenchmarkError(
            f"{self.name} runs on Python {known} with the venv module; "
            f"this is Python {sys.version_info.major}.{sys.version_info.minor} and none of those answered "
            f"on PATH. Install one (Debian: apt install python3.{self.pythons[0]} "
            f"python3.{self.pythons[0]}-venv) and run again."
        )

    def _versions(self) -> list[tuple[int, int]]:
        return [(3, minor) for minor in self.pythons]


TFRS = PeerEnvironment("tfrs", HERE / "requirements-tfrs.txt", (13, 12, 11), "about 600 MB")
PEERS = PeerEnvironment("peers", HERE / "requirements-peers.txt", (13, 12, 11), "about 100 MB")
SASREC = PeerEnvironment("sasrec", HERE / "requirements-sasrec.txt", (11,), "about 300 MB")


def cache_folder() -> Path:
    """Returns the folder of environments: XDG_CACHE_HOME, or ~/.cache, then butaca/bench."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "butaca" / "bench"


def _answers(python: Path, code: str) -> bool:
    try:
        return subprocess.run([str(python), "-c", code], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise BenchmarkError(f"Could not {what} (exit status {done.returncode}):\n{tail}")
