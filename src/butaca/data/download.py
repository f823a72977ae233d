"""This module fetches files, and writes files that get their name only when whole, verified and on disk."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from butaca.errors import SourceError
from butaca.files import replacing

# Connecting may take seconds only, so that a machine without network is told so at once; a slow server may
# then pause for longer.
CONNECT_SECONDS, STALL_SECONDS = 5, 60
BLOCK = 1 << 18
DAY = 86400
ELSEWHERE = "Free some space, or set BUTACA_CACHE to a folder that can be written"


class WriteError(SourceError):
    """A WriteError says that the disk is full or can't be written: no other source would help."""


def download(
    url: str, target: Path, *, published: str, cure: str, changed: str, progress: bool | None
) -> None:
    """Fetches a file whose checksum is known. Nothing is at `target` unless it arrived whole.

    Args:
        url: http or https.
        target: where it goes.
        published: its checksum in hexadecimal, SHA-256 or MD5.
        cure: what to do if the network fails.
        changed: what to do if the checksum differs.
        progress: whether to draw a bar on stderr; None: if it is a terminal.

    Raises:
        SourceError: no answer, a broken connection, another checksum, or no room on the disk.
    """
    digest, received = _hasher(published), 0
    with _answer(url, cure) as response, landing(target) as file:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        with _bar(target.name, total, progress) as advance:
            while block := _block(response, url, cure):
                file.write(block)
                digest.update(block)
                received += len(block)
                advance(len(block))
        if total is not None and received < total:
            raise SourceError(
                "An archive arrives whole",
                f"{received:,} of {total:,} bytes of {url}, then the connection closed",
                cure,
            )
        if digest.hexdigest() != published:
            raise SourceError(
                "An archive has the checksum that was published for it",
                f"{digest.name} {digest.hexdigest()} instead of {published} from {url}",
                changed,
            )


@contextmanager
def landing(target: Path) -> Iterator[BinaryIO]:
    """Gives a new file that appears as `target` when the block ends well, and leaves no trace if not."""
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.glob(".*.part"):  # a killed process left it
            with suppress(FileNotFoundError):
                if old.stat().st_mtime < time.time() - DAY:
                    old.unlink()
        with replacing(target) as file:
            yield file


@contextmanager
def writing(target: Path, cure: str = ELSEWHERE) -> Iterator[None]:
    """Turns what the disk refuses into a `WriteError`."""
    try:
        yield
    except SourceError:
        raise
    except OSError as error:
        raise WriteError(
            "Files can be read and written, and the disk has room for them",
            f"{error.strerror or error} at {target}",
            cure,
        ) from error


def checksum(path: Path, like: str) -> str:
    """Returns the checksum of a file, SHA-256 or MD5 as the given one."""
    digest = _hasher(like)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _hasher(published: str) -> hashlib._Hash:
    return hashlib.new("md5" if len(published) == 32 else "sha256", usedforsecurity=False)


@contextmanager
def _answer(url: str, cure: str) -> Iterator[http.client.HTTPResponse]:
    try:
        opener = urllib.request.build_opener(_HttpHandler, _HttpsHandler)
        response = opener.open(url, timeout=CONNECT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        received = f"status {error.code}, {error.reason}, for {url}"
        raise SourceError("The server has the archive", received, cure) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        received = f"{getattr(error, 'reason', error)} for {url}"
        raise SourceError("The server of the archive answers", received, cure) from error
    with response:
        yield response


def _block(response: http.client.HTTPResponse, url: str, cure: str) -> bytes:
    try:
        return response.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise SourceError("An archive arrives whole", f"{error!r} from {url}", cure) from error


@contextmanager
def _bar(label: str, total: int | None, progress: bool | None) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    shown = console.is_terminal if progress is None else progress
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=console.is_terminal, disable=not shown) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)


class _Http(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _Https(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Http, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Https, req)
