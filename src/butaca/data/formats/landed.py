"""This module brings what a source names to plain files on this machine: globs, folders, archives, addresses.

What is compressed in a way that DuckDB or the checks of text can't look into is unpacked to a folder of the
session's own, which goes when the session does. Messages call such a file by its first name.
"""

from __future__ import annotations

import bz2
import glob
import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import duckdb

from butaca.data.formats.encoded import as_utf8, encoding_of
from butaca.data.formats.endings import (
    JSON_ENDINGS,
    MAGIC,
    PACKED_ENDINGS,
    TABLE_ENDINGS,
    TEXT_ENDINGS,
    ending_of,
    first_bytes,
)
from butaca.data.formats.lines import is_gzip_file, open_bytes
from butaca.data.formats.opened import quoted, unreadable
from butaca.data.formats.other_kinds import refuse_office, refuse_other_kind
from butaca.data.formats.unpacked import copied, from_xz, from_zstd, temporary
from butaca.errors import TableError

_REMOTE = ("s3", "https", "http", "gs", "gcs", "r2", "az", "azure", "hf")


#: How what gzip packed begins, where it is itself packed, or no text.
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zX", *(magic for at, magic, _ in MAGIC if not at))


@dataclass(frozen=True)
class Landed:
    """A Landed is a plain file on this machine.

    Attributes:
        path: where it lies.
        label: what to call it in messages.
        ending: what it is, such as ".csv"; "" where nothing says.
        name: short, for reports.
        notes: what bringing it decided.
    """

    path: Path
    label: str
    ending: str
    name: str
    notes: tuple[str, ...] = ()


def is_remote(source: str) -> bool:
    """Returns whether a source is an address on the network."""
    scheme, mark, _ = source.partition("://")
    return bool(mark) and scheme.lower() in _REMOTE


def land(
    con: duckdb.DuckDBPyConnection, source: str, *, inner: str = "", encoding: str | None = None
) -> list[Landed]:
    """Returns the plain files that a source names, in order.

    Args:
        con: of the session, whose end removes what was unpacked.
        source: a path, a pattern, a folder, "-" for the standard input, or an address on the network.
        inner: the member of an archive, where the source names one.
        encoding: of text that does not say its own.

    Raises:
        TableError: nothing is there, or it can't be read.
    """
    asked = partial(_land_file, con, encoding=encoding)
    if source == "-":
        return asked(_standard_input(con), label="standard input", inner=inner, name="stdin")
    if is_remote(source):
        return asked(_fetched(con, source), label=source, inner=inner)
    path = Path(source).expanduser()
    if not source.strip():
        raise TableError("A table is a file that exists", "an empty path", "Name the file")
    if not path.exists() and any(c in source for c in "*?["):
        found = [Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_file()]
        if not found:
            raise TableError(
                "A pattern of files fits at least one", f"{source}, which fits none", "Correct it"
            )
        return _several(found, asked)
    if path.is_dir():
        return _several(_parts(path), asked)
    if not path.exists():
        raise TableError("A table is a file that exists", f"{path}, which does not", "Check the path")
    return asked(path, label=str(path), inner=inner)


def _several(files: Sequence[Path], asked: Callable[..., list[Landed]]) -> list[Landed]:
    """Returns the files of which some may be empty, as parts are, but not all."""
    filled = [path for path in files if not _is_empty(path)] or files
    first, *others = [one for file in filled for one in asked(file, label=str(file))]
    n = len(files) - len(filled)
    said = (f"{n:,} empty file{'s' if n > 1 else ''} passed over",) if n else ()
    return [replace(first, notes=(*said, *first.notes)), *others]


def _is_empty(path: Path) -> bool:
    try:
        with open_bytes(path) as raw:
            return not raw.read(1)
    except (EOFError, OSError, zlib.error):  # the reader says what is wrong with it
        return False


def _parts(folder: Path) -> list[Path]:
    """Returns the tables in a folder and below, without what is hidden or a note of who wrote them."""
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and not any(part.startswith((".", "_")) for part in p.relative_to(folder).parts)
    )
    found = [
        p
        for p in files
        if any(
            p.name.lower().removesuffix(packed).endswith(TABLE_ENDINGS) for packed in ("", *PACKED_ENDINGS)
        )
    ]
    if not found:  # part-00000, as Spark and Hadoop write them
        found = [p for p in files if p.stat().st_size and _is_part(p.name)]
    if not found:
        raise TableError(
            "A folder of tables holds some",
            f"the folder {folder}, in which no file ends as a table does (.csv, .parquet, ...)",
            "Name a file in it",
        )
    kinds = {ending_of(p) for p in found if p.stat().st_size}
    texts = kinds & set(TEXT_ENDINGS)
    if len(kinds - texts) + bool(texts) > 1:
        raise TableError(
            "The tables of a folder are of one kind",
            f"the folder {folder} with {', '.join(sorted(kinds))}",
            f"Name the files, such as {folder}/*{found[0].suffix}",
        )
    return found


def _is_part(name: str) -> bool:
    """Returns whether a file without an ending, but for what packed it, is one of several by its digits."""
    stem = next((name.removesuffix(packed) for packed in PACKED_ENDINGS if name.endswith(packed)), name)
    return "." not in stem and any(c.isdigit() for c in stem)


def _land_file(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    label: str,
    inner: str = "",
    name: str = "",
    encoding: str | None = None,
) -> list[Landed]:
    """Returns a file, unpacked where DuckDB or the checks of text could not read it as it is."""
    if not path.stat().st_size:
        raise TableError("A table has at least one row", f"{label}, which is empty", "Name another file")
    name = name or path.name.split(".")[0] or path.name
    try:
        with path.open("rb") as raw:
            head = raw.read(4)
        if ending_of(path) not in {ending for *_, ending in MAGIC}:
            refuse_other_kind(path, label=label)
        if head == b"PK\x03\x04":
            return _land_zip(con, path, label=label, inner=inner, name=name, encoding=encoding)
        if head.startswith(b"BZh"):
            with bz2.open(path, "rb") as packed:
                path = copied(con, packed, name=path.stem)
        elif head == b"\xfd7zX":
            path = from_xz(con, path, label=label)
        elif head == b"\x28\xb5\x2f\xfd":
            path = from_zstd(con, path, label=label)
        elif is_gzip_file(path) and first_bytes(path).startswith(_PACKED):
            with open_bytes(path) as unpacked:
                path = copied(con, unpacked, name=path.name.removesuffix(".gz"))
            return _land_file(con, path, label=label, inner=inner, name=name, encoding=encoding)
        found = encoding_of(path, asked=encoding)
        if found is not None:
            path = as_utf8(con, path, encoding=found, label=label)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, UnicodeError) as error:
        raise TableError(
            "A table is a file that can be read",
            f"{label}: {error}",
            "Fetch it again if it is damaged, or check its permissions; an archive has no password",
        ) from error
    ending = ending_of(path)
    is_other = found is None and encoding is not None and ending in {"", *JSON_ENDINGS, *TEXT_ENDINGS}
    notes = (f"{label}: all of it is UTF-8, and not read as {encoding}",) if is_other else ()
    return [Landed(path, label, ending, name, notes)]


def _land_zip(
    con: duckdb.DuckDBPyConnection, path: Path, *, label: str, inner: str, name: str, encoding: str | None
) -> list[Landed]:
    """Returns a workbook as it is, of an archive the member asked for or its only table."""
    with zipfile.ZipFile(path) as archive:
        if "xl/workbook.xml" in archive.namelist():
            return [Landed(path, label, ".xlsx", name)]
        refuse_office(archive, label=label)
        members = [
            m
            for m in sorted(archive.namelist())
            if not m.endswith("/") and not any(p.startswith((".", "__")) for p in m.split("/"))
        ]
        chosen = [m for m in members if inner in (m, m.rpartition("/")[2])] if inner else members
        if not inner and len(chosen) > 1:
            chosen = [m for m in members if m.lower().endswith(TABLE_ENDINGS)] or members
            if len({_shape(m) for m in chosen}) == 1:  # part-0.csv, part-1.csv
                inner = "*"
        if (len(chosen) > 1 and not inner) or not chosen:
            some = ", ".join(members[:10]) + (", ..." if len(members) > 10 else "") or "none"
            raise TableError(
                "An archive is named with the table to read",
                f"{label}{f'::{inner}' if inner else ''}, whose files are {some}",
                f"Write {label}::{members[0] if members else 'table.csv'}",
            )
        out: list[Landed] = []
        for member in chosen:
            with archive.open(member) as packed:
                copy = copied(con, packed, name=member.rpartition("/")[2])
            short = copy.name.split(".")[0] if len(chosen) == 1 else name
            out += _land_file(con, copy, label=f"{label}::{member}", name=short, encoding=encoding)
        return out


def _shape(name: str) -> str:
    """Returns a file's name without its digits."""
    return "".join(c for c in name if not c.isdigit())


def _standard_input(con: duckdb.DuckDBPyConnection) -> Path:
    target = temporary(con, "stdin")
    with target.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return target


def _fetched(con: duckdb.DuckDBPyConnection, address: str) -> Path:
    """Fetches a file by DuckDB's own extension, which must be installed: nothing is downloaded to run."""
    extension = "azure" if address.startswith("az") else "httpfs"
    try:
        con.execute(f"LOAD {extension}")
    except duckdb.Error as error:
        raise TableError(
            f"A table on the network is read by DuckDB's extension {extension}",
            f"{address}, and a DuckDB that has it not installed",
            f"Install it once: python -c \"import duckdb; duckdb.sql('INSTALL {extension}')\"; or "
            "download the file and pass its path",
        ) from error
    target = temporary(con, os.path.basename(address.partition("?")[0]) or "table")
    try:
        row = con.execute(f"FROM read_blob({quoted(address)}) SELECT content").fetchone()
    except duckdb.Error as error:
        raise unreadable(address, error) from error
    target.write_bytes(row[0] if row else b"")
    return target
