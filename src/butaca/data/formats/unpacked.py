"""This module unpacks files into folders of the session's own, which go when it does."""

from __future__ import annotations

import glob
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import IO

import duckdb

from butaca.data.formats.endings import PARQUET_ENDINGS
from butaca.data.formats.opened import quoted, unreadable
from butaca.data.formats.other_kinds import refuse_other_kind
from butaca.errors import TableError


def temporary(con: duckdb.DuckDBPyConnection, name: str) -> Path:
    """Returns a path in a new folder that goes when the session does."""
    folder = tempfile.mkdtemp(prefix="butaca-")
    weakref.finalize(con, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / name


def copied(con: duckdb.DuckDBPyConnection, source: IO[bytes], *, name: str) -> Path:
    """Copies what was unpacked into a file of the session's own."""
    target = temporary(con, name or "table")
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return target


def from_zstd(con: duckdb.DuckDBPyConnection, path: Path, *, label: str) -> Path:
    """Unpacks lines by DuckDB, which has zstd where Python has not."""
    target = temporary(con, path.name.removesuffix(".zst") or "table")
    if Path(target.name).suffix in PARQUET_ENDINGS:
        raise TableError("Parquet packs itself", f"{label}, packed once more", "Unpack it with zstd -d")
    escaped = quoted(glob.escape(str(path)))
    plain = "auto_detect = false, delim = '\x01', quote = '', escape = '', header = false"
    lines = f"FROM read_csv({escaped}, {plain}, columns = {{'line': 'VARCHAR'}}, compression = 'zstd')"
    as_text = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01'"
    try:
        con.execute(f"COPY ({lines}) TO {quoted(str(target))} ({as_text})")
    except duckdb.Error as error:
        raise unreadable(label, error) from error
    return target


def from_xz(con: duckdb.DuckDBPyConnection, path: Path, *, label: str) -> Path:
    """Unpacks what xz packed, where Python has lzma."""
    try:
        import lzma
    except ModuleNotFoundError as error:
        raise TableError(
            "A file that xz packed is read where Python has lzma", label, "Unpack it: xz -d"
        ) from error
    try:
        with lzma.open(path, "rb") as packed:
            found = copied(con, packed, name=path.stem)
    except lzma.LZMAError as error:
        raise TableError(
            "A table is a file that can be read", f"{label}: {error}", "Fetch it again if it is damaged"
        ) from error
    refuse_other_kind(found, label=label)
    return found
