"""This module is the one way in which butaca replaces what is on the disk, and locks it.

A file is written beside the old one, synced and moved over it, and then the folder is synced, so that the
name is on the disk as well. Whoever reads meanwhile, and whoever comes after a power cut, finds the old file
or the new one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Gives a new file that takes the place of `path` when the block ends well.

    If it does not, the old file is as it was and no trace is left. A writer that was killed leaves its
    temporary file, named `.<name>.<8 hexadecimal digits>.part`.

    Raises:
        OSError: the disk refuses.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync(path.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all.

    Raises:
        OSError: the disk refuses; the old file is as it was.
    """
    with replacing(path) as file:
        file.write(content)


def move_file(made: Path, path: Path) -> None:
    """Moves a finished file over `path`, on the same disk, its content synced first."""
    sync(made)
    os.replace(made, path)
    sync(path.parent)


def move_folder(made: Path, path: Path) -> None:
    """Moves a finished folder beside `path` into its place; what was there goes once the new one stands.

    The files in it are its writer's to sync. An old folder is called `.<name>.old` for the moment between.

    Raises:
        OSError: the disk refuses; the old folder is back in its place.
    """
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(made, path)
    except OSError:
        if old.exists():
            os.replace(old, path)
        raise
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's names, are on the disk.

    Windows opens no folder, and is not asked to sync one.
    """
    windows = sys.platform == "win32"
    if windows and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if windows else os.O_RDONLY)  # Windows syncs only what may be written
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder for one process at a time, as long as the block runs; the folder may move meanwhile.

    The system gives it back when the process ends, however it ends.

    Raises:
        BlockingIOError: another process holds it.
    """
    # Windows locks no folder: there it is a file beside it, which the next run may find and lock again.
    beside = folder.with_name(f"{folder.name}.lock") if sys.platform == "win32" else None
    handle = os.open(beside, os.O_RDWR | os.O_CREAT) if beside else os.open(folder, os.O_RDONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)
        if beside:
            with suppress(OSError):
                beside.unlink()


def _lock(handle: int) -> None:
    """Locks an open file or folder until it is closed.

    Raises:
        BlockingIOError: another process holds it.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from None
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
