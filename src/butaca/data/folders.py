"""This module writes a folder of many files that is there whole or not at all: grown or prepared data.

All is written into a hidden folder beside the one that was asked for, with a manifest last, and then moved
into place. A run that is killed leaves only the hidden folder, which no reader takes for data and which the
next run to the same place clears.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from butaca.errors import TableError
from butaca.files import locked, move_folder, replace_file, sync

MANIFEST = "manifest.json"
BLOCK = 1 << 22  # bytes hashed at a time
GROWN = "grown"  # the kind of a folder that data/fractal.py wrote


@dataclass
class Draft:
    """A Draft is a folder being written.

    Attributes:
        path: where its files go, in any sub-folder.
        facts: what the manifest will say beside the list of files.
        checksums: SHA-256 by name, for files whose writer knows it already; the rest is computed.
    """

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)


def check_free(folder: Path, kind: str) -> None:
    """Refuses a folder that may not be written to, before any work is done for it.

    Raises:
        TableError: it holds something other than data of this kind.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and kind_of(folder) != kind)):
        raise TableError(
            f"{kind.capitalize()} data are written to a new folder, or over other {kind} data",
            f"{folder}, which holds something else",
            "Choose another folder (on the command line: --out)",
        )


@contextmanager
def writing(folder: Path, kind: str) -> Iterator[Draft]:
    """Gives a draft to write into; when the block ends well, it is sealed and moved to `folder`.

    Raises:
        TableError: the folder holds something else, or another run writes to it now.
    """
    folder = Path(os.path.abspath(folder))
    check_free(folder, kind)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(partial))
        except BlockingIOError:
            raise TableError(
                "One run at a time writes to a folder", f"another that writes to {folder}", "Wait for it"
            ) from None
        _clear(partial)
        try:
            draft = Draft(partial)
            yield draft
            _seal(draft, kind)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        move_folder(partial, folder)


def kind_of(folder: Path) -> str | None:
    """Returns what a folder says it holds, "grown" or "prepared"; None where it says nothing."""
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_manifest(folder: Path, kind: str, *, made_by: str) -> dict[str, Any]:
    """Returns what a folder of this kind says of itself.

    Args:
        folder: where.
        kind: "grown" or "prepared".
        made_by: the function and the command that make one, for the message.

    Raises:
        TableError: it is no such folder, a file is missing or has another size.
    """
    if kind_of(folder) != kind:
        raise TableError(
            f"A folder of {kind} data holds a {MANIFEST} that says so",
            f"{folder}, which {'has none' if folder.is_dir() else 'is not a folder'}",
            f"Make one with {made_by}",
        )
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    for name, entry in manifest["files"].items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            raise _damaged(path, "it is missing" if size is None else f"it holds {size:,} bytes")
    return manifest


def verify(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Compares every file with its checksum.

    Raises:
        TableError: one differs.
    """
    for name, entry in manifest["files"].items():
        if sha256(folder / name) != entry["sha256"]:
            raise _damaged(folder / name, "its contents do not match its checksum")


def sha256(path: Path) -> str:
    """Returns the checksum of a file, read a block at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _seal(draft: Draft, kind: str) -> None:
    """Brings every file to the disk, then the manifest."""
    files = {}
    for path in sorted(p for p in draft.path.rglob("*") if p.is_file()):
        name = path.relative_to(draft.path).as_posix()
        sync(path)
        files[name] = {
            "bytes": path.stat().st_size,
            "sha256": draft.checksums.get(name) or sha256(path),
        }
    manifest = {"kind": kind, **draft.facts, "files": files}
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    replace_file(draft.path / MANIFEST, f"{text}\n".encode())


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        remove: Callable[[Path], None] = shutil.rmtree if path.is_dir() else os.unlink
        remove(path)


def _damaged(path: Path, reason: str) -> TableError:
    return TableError("Data are read only if every file is whole", f"{path}: {reason}", "Make them again")
