"""This module says what is to be prepared: the settings, the files, and how many partitions fit in memory."""

from __future__ import annotations

import glob
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import get_args

from butaca.data.folders import GROWN, read_manifest
from butaca.data.formats.endings import JSON_ENDINGS, PARQUET_ENDINGS
from butaca.data.formats.opened import quoted, session
from butaca.data.formats.written import AS_IT_IS, Reading
from butaca.data.signal import PLAIN, Signal
from butaca.data.splits import check_share
from butaca.errors import SettingError, TableError
from butaca.scale.partition import SplitName

ROW_BYTES = 130  # what sorting takes, a row
MOST_PARTITIONS = 1024
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat")
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


@dataclass(frozen=True)
class Preparing:
    """Says how to prepare.

    Attributes:
        split: "random" (each interaction by a hash of its user, item and the seed), "temporal" (all before
            a moment trains, all from it on tests) or "none".
        test_share: the share that is held out.
        seed: of the random split.
        workers: tasks at the same time.
        memory: that all workers together should keep to, such as "3GB"; less makes smaller partitions
            and spills to the disk.
        partitions: of the users; 0: as many as the memory asks for.
        user_column, item_column, value_column, time_column: found by name if not given; an empty name
            for value or time means: none.
        reading: how the files are written.
        items, users: tables of features; grown data bring their own.
        title: the items' column of titles; found by name if not given.
        signal: what counts as what; each pair stands once, unless what was had may come again.
    """

    split: SplitName = "random"
    test_share: float = 0.2
    seed: int = 42
    workers: int = 2
    memory: str = "3GB"
    partitions: int = 0
    user_column: str | None = None
    item_column: str | None = None
    value_column: str | None = None
    time_column: str | None = None
    reading: Reading = AS_IT_IS
    items: str | None = None
    users: str | None = None
    title: str | None = None
    signal: Signal = PLAIN

    def __post_init__(self) -> None:
        if self.split not in get_args(SplitName):
            raise SettingError(
                "A split is random, temporal or none",
                f"split={self.split!r}",
                "Pass one of them (on the command line: --split)",
            )
        check_share(self.test_share)
        if not 0 <= self.partitions <= MOST_PARTITIONS or self.workers < 1 or self.seed < 0:
            raise SettingError(
                f"Workers are at least 1, a seed at least 0, partitions 0 to {MOST_PARTITIONS:,}",
                f"workers={self.workers}, seed={self.seed} and partitions={self.partitions}",
                "Correct them (on the command line: --workers, --seed, --partitions)",
            )
        bytes_of(self.memory)


def bytes_of(memory: str) -> int:
    """Returns the bytes of a size in words.

    >>> bytes_of("3GB"), bytes_of("512 MiB")
    (3000000000, 536870912)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", memory)
    size = int(float(found[1]) * UNITS.get(found[2].upper(), 0)) if found else 0
    if size < 200_000_000:
        raise SettingError(
            "Memory is a size from 200MB on, such as 3GB",
            f"memory={memory!r}",
            "Pass such a size (on the command line: --memory)",
        )
    return size


def files_of(
    source: str | PathLike[str] | Sequence[str | PathLike[str]], settings: Preparing, *, spool: Path
) -> tuple[list[Path], Preparing]:
    """Returns the files of interactions, and the settings with the tables that grown data bring.

    Args:
        source: a file, a folder, a pattern of files, "-" for the standard input, or several of these.
        settings: the settings.
        spool: a folder for what comes from the standard input.
    """
    if isinstance(source, str | PathLike):
        return _files_of(source, settings, spool)
    files: list[Path] = []
    for one in source:
        more, settings = _files_of(one, settings, spool)
        files += more
    if not files:
        raise TableError("What is prepared is a table", "no source", "Name at least one")
    return files, settings


def _files_of(named: str | PathLike[str], settings: Preparing, spool: Path) -> tuple[list[Path], Preparing]:
    """Returns the files of one source, and the settings with the tables that grown data bring."""
    if str(named) == "-":
        target = spool / "stdin"
        with target.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        return [target], settings
    source = Path(named).expanduser()
    if not source.exists() and any(c in str(source) for c in "*?["):
        matched = [Path(p) for p in sorted(glob.glob(str(source), recursive=True)) if Path(p).is_file()]
        if not matched:
            raise TableError(
                "A pattern of files fits at least one", f"{source}, which fits none", "Correct it"
            )
        return matched, settings
    if not source.is_dir():
        return [source], settings
    if (source / "interactions").is_dir():
        read_manifest(
            source,
            GROWN,
            made_by="grow, or `butaca data grow ml-100k --user-copies 160 --item-copies 32 --out big`",
        )
        settings = replace(
            settings,
            items=settings.items or str(source / "items.parquet"),
            users=settings.users or str(source / "users.parquet"),
        )
        source = source / "interactions"
    known = (*PARQUET_ENDINGS, *JSON_ENDINGS, *TEXT_ENDINGS)
    found = sorted(
        p
        for p in source.iterdir()
        if p.is_file() and not p.name.startswith((".", "_")) and p.name.removesuffix(".gz").endswith(known)
    )
    if not found:
        raise TableError(
            "A folder of interactions holds tables", f"{source}, which has none of {', '.join(known)}", ""
        )
    return found, settings


def partitions_for(files: Sequence[Path], room: int, *, workers: int) -> int:
    """Returns how many make a partition's rows fit `room` bytes, and are enough for every worker."""
    rows = 0.0
    with session() as con:
        for path in files:
            if path.suffix.lower() in PARQUET_ENDINGS:
                sql = f"FROM parquet_file_metadata({quoted(str(path))}) SELECT num_rows"
                try:
                    rows += con.execute(sql).fetchall()[0][0]
                except Exception:  # noqa: S112  (reading it says what is wrong with it)
                    continue
            elif path.is_file():
                rows += path.stat().st_size / (4 if path.suffix == ".gz" else 16)
    return min(max(-(-int(rows) * ROW_BYTES // room), workers), MOST_PARTITIONS)
