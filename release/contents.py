"""This module says what an sdist and a wheel hold: every tracked file of the package, and nothing else."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: What the sdist holds beside src/: what a reader and a packager look for, and what hatchling writes.
PAPERS = {
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "PKG-INFO",
    "README.es.md",
    "README.md",
    "hatch_build.py",
    "pyproject.toml",
}

#: What the wheel says of itself, in its .dist-info.
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}

#: Endings of files that the package is made of; anything else was left in src by mistake.
ENDINGS = {".css", ".html", ".js", ".md", ".py", ".svg", ".txt", ".typed", ".woff2"}

#: Files without which an installed butaca starts and then fails: the page, the event store, typing.
NEEDED = {
    "butaca/events/migrations/env.py",
    "butaca/events/migrations/versions/v0001_first.py",
    "butaca/py.typed",
    "butaca/report/page.css",
    "butaca/serve/page/index.html",
    "butaca/serve/page/static/js/main.js",
    "butaca/serve/page/static/fonts/OFL-Alegreya.txt",
}


def tracked(root: Path = ROOT) -> set[str]:
    """Returns the package's files as git has them, by their path in a wheel."""
    listed = subprocess.run(["git", "ls-files", "src"], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607
    return {name.removeprefix("src/") for name in listed.stdout.splitlines()}


def in_wheel(wheel: Path) -> set[str]:
    """Returns the paths of a wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def in_sdist(sdist: Path) -> set[str]:
    """Returns the paths of an sdist's files, below the one folder that they lie in."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def faults(files: Iterable[str], package: set[str], *, beside: set[str]) -> list[str]:
    """Returns what is wrong with a distribution, a line each; nothing where it is as it should be.

    >>> faults(["butaca/a.py", "secret.env"], {"butaca/a.py", "butaca/b.js"}, beside=set())
    ['secret.env ships and should not', 'butaca/b.js does not ship and should']

    Args:
        files: what it holds.
        package: the package's files, by the same paths.
        beside: what else it holds, all of it.
    """
    found, wanted = set(files), package | beside
    out = [f"{name} ships and should not" for name in sorted(found - wanted)]
    out += [f"{name} does not ship and should" for name in sorted(wanted - found)]
    out += [
        f"{name} is of a kind that the package is not made of"
        for name in sorted(package)
        if Path(name).suffix not in ENDINGS
    ]
    return out


def faults_of_wheel(wheel: Path, package: set[str]) -> list[str]:
    """Returns what is wrong with a wheel."""
    name, version = wheel.name.split("-")[:2]
    about = {f"{name}-{version}.dist-info/{part}" for part in METADATA}
    lacking = [f"{name} is needed and not tracked" for name in sorted(NEEDED - package)]
    return lacking + faults(in_wheel(wheel), package, beside=about)


def faults_of_sdist(sdist: Path, package: set[str]) -> list[str]:
    """Returns what is wrong with an sdist."""
    return faults(in_sdist(sdist), {f"src/{name}" for name in package}, beside=PAPERS)
