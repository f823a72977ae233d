"""This module reads a Copy: the files of one MovieLens set, in a folder or a .zip."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from butaca.data.download import writing
from butaca.errors import SourceError


class Copy:
    """Holds the files of one set by their bare names ("u.data"), wherever in the .zip they lie.

    Attributes:
        path: the folder or the .zip.
        origin: where it comes from, for reports.
    """

    def __init__(self, path: Path, origin: str = "") -> None:
        """Lists the files.

        Raises:
            SourceError: `path` is neither a folder nor an undamaged .zip.
        """
        self.path, self.origin = path, origin or f"{path}, as it is (no checksum)"
        with self._reading():
            if path.is_dir():
                members = [entry.name for entry in path.iterdir() if entry.is_file()]
            else:
                with zipfile.ZipFile(path) as archive:
                    members = sorted(archive.namelist(), key=lambda name: name.count("/"))
        self._members: dict[str, str] = {}
        for member in members:
            self._members.setdefault(member.rpartition("/")[2], member)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def place(self, name: str) -> str:
        """Returns where a file lies, for messages: ml-1m.zip/ml-1m/ratings.dat."""
        return f"{self.path}/{self._members.get(name, name)}"

    def read(self, name: str) -> bytes:
        """Returns the content of a small file."""
        if name not in self:
            raise SourceError(
                f"A copy of MovieLens with {self.path} as its place holds {name}",
                "no such file",
                "Unpack the archive again, with all of its files",
            )
        with self._reading():
            if self.path.is_dir():
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self._members[name])

    @contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """Gives a file outside any .zip, unpacked to the temporary folder for as long as it is needed."""
        if self.path.is_dir():
            yield self.path / name
            return
        with ExitStack() as stack:
            cure = "Free some space, or set TMPDIR to a folder elsewhere"
            with self._reading(), writing(Path(tempfile.gettempdir()), cure):
                target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="butaca-"))) / name
                with (
                    zipfile.ZipFile(self.path) as archive,
                    archive.open(self._members[name]) as packed,
                    open(target, "wb") as file,
                ):
                    shutil.copyfileobj(packed, file, 1 << 20)
            yield target

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except SourceError:
            raise
        # A damaged .zip raises any of these; RuntimeError is an encrypted one.
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise SourceError(
                "A copy of MovieLens is a readable folder or an undamaged .zip",
                f"{self.path}: {error}",
                "Correct the path, or download the archive again",
            ) from error
