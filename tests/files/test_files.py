"""Write-then-replace and locks: the old or the new, whatever fails and wherever it runs."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from butaca.files import locked, move_file, move_folder, replace_file, replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_in_the_middle_leaves_the_old_bytes_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace_file(path, b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:  # noqa: PT012
        file.write(b"half of the n")
        assert [path.read_bytes(), len(names(tmp_path))] == [b"old", 2]
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_disk_refuses_leaves_the_old_bytes_and_no_temporary_file(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    replace_file(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"


def test_the_content_is_synced_before_the_move_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, fsync, replace = [], os.fsync, os.replace

    def synced(handle: int) -> None:
        fsync(handle)
        about = os.fstat(handle)
        done.append("folder" if stat.S_ISDIR(about.st_mode) else f"file of {about.st_size}")

    def moved(source: Path, target: Path) -> None:
        replace(source, target)
        done.append("move")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    replace_file(tmp_path / "a", b"12345")
    assert done == ["file of 5", "move", "folder"]
    done.clear()
    move_file(tmp_path / "a", tmp_path / "b")
    assert done == ["file of 5", "move", "folder"]
    done.clear()
    for name in ("made", "there"):
        (tmp_path / name).mkdir()
    move_folder(tmp_path / "made", tmp_path / "there")
    assert done == ["move", "move", "folder"]


def test_a_folder_that_can_not_take_its_place_leaves_the_old_one_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, there, replace = tmp_path / "made", tmp_path / "there", os.replace
    for folder in (made, there):
        folder.mkdir()
        (folder / folder.name).touch()

    def refuse(source: Path, target: Path) -> None:
        if source == made:
            raise PermissionError(errno.EACCES, "in use")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError):
            move_folder(made, there)
    assert names(there) == ["there"]
    assert names(tmp_path) == ["made", "there"]
    move_folder(made, there)
    assert names(there) == ["made"]
    assert names(tmp_path) == ["there"]


def test_a_folder_is_locked_by_one_at_a_time_and_may_move_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    with locked(folder):
        with pytest.raises(BlockingIOError), locked(folder):
            pass
        os.replace(folder, tmp_path / "two")
    with locked(tmp_path / "two"):
        assert names(tmp_path) == ["two"]


def test_windows_locks_a_file_beside_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    def locking(handle: int, mode: int, n: int) -> None:
        if held:
            raise PermissionError(errno.EACCES, "Permission denied")
        held.append(f"mode {mode}, {n} byte")

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(sys, "platform", "win32")
    folder = tmp_path / "one"
    folder.mkdir()
    with locked(folder):
        assert held == ["mode 2, 1 byte"]
        assert names(tmp_path) == ["one", "one.lock"]
        with pytest.raises(BlockingIOError), locked(folder):
            pass
    replace_file(folder / "a", b"1")  # and opens no folder to sync it
    assert names(folder) == ["a"]


def test_the_command_starts_where_there_is_nothing_of_posix() -> None:
    """Windows has none of these modules, and no file of butaca may need one to be imported."""
    code = (
        "import sys\n"
        "for name in ('fcntl', 'resource', 'pwd', 'grp', 'termios', 'uvloop', 'llvmlite'):\n"
        "    sys.modules[name] = None\n"
        "import os\n"
        "for name in ('sched_getaffinity', 'nice', 'getuid', 'fork'):\n"
        "    if hasattr(os, name):\n"
        "        delattr(os, name)\n"
        "from butaca.cli.app import main\n"
        "import butaca.data.folders, butaca.scale.batch, butaca.train.checkpoints, butaca.model.tiles\n"
        "import butaca.recommend.map, butaca.cores\n"
        "assert butaca.cores.cores() >= 1\n"
        "sys.argv = ['butaca', '--version']\n"
        "main()\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("butaca ")
