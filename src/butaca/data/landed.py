"""This module brings what a source names to plain files on this machine: globs, folders, archives, addresses.

What is compressed in a way that DuckDB or the checks of text can't look into is unpacked to a folder of the
session's own, which goes when the session does. Messages call such a file by its first name.
"""

from __future__ import annotations

import bz2
import codecs
import glob
import os
import shutil
import sys
import tempfile
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb

from butaca.data.lines import open_bytes
from butaca.data.opened import quoted, unreadable
from butaca.data.other_kinds import refuse_office, refuse_other_kind
from butaca.errors import TableError

JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
PARQUET_ENDINGS = (".parquet", ".pq")
DUCKDB_ENDINGS = (".duckdb", ".ddb", ".db")
SQLITE_ENDINGS = (".sqlite", ".sqlite3", ".db3")
EXCEL_ENDINGS = (".xlsx", ".xlsm")
ARROW_ENDINGS = (".feather", ".arrow", ".ipc")
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".tab", ".data")
PACKED_ENDINGS = (".gz", ".bz2", ".zst", ".zip", ".xz")
TABLE_ENDINGS = (
    *(*JSON_ENDINGS, *PARQUET_ENDINGS, *DUCKDB_ENDINGS, *SQLITE_ENDINGS),
    *(*EXCEL_ENDINGS, *ARROW_ENDINGS, *TEXT_ENDINGS),
)
# What a file is by its first bytes, whatever it is called: where they are, they, the ending they stand for.
_MAGIC = (
    (0, b"PAR1", ".parquet"),
    (0, b"SQLite format 3\0", ".sqlite"),
    (8, b"DUCK", ".duckdb"),
    (0, b"ARROW1", ".feather"),
    (0, b"FEA1", ".feather"),
)
ZEROS = 0.3  # share of zeros in every second byte that tells UTF-16 without a mark
_REMOTE = ("s3", "https", "http", "gs", "gcs", "r2", "az", "azure", "hf")


@dataclass(frozen=True)
class Landed:
    """A Landed is a plain file on this machine.

    Attributes:
        path: where it lies.
        label: what to call it in messages.
        ending: what it is, such as ".csv"; "" where nothing says.
        name: short, for reports.
    """

    path: Path
    label: str
    ending: str
    name: str


def is_remote(source: str) -> bool:
    """Returns whether a source is an address on the network."""
    scheme, mark, _ = source.partition("://")
    return bool(mark) and scheme.lower() in _REMOTE


def land(con: duckdb.DuckDBPyConnection, source: str, *, inner: str = "") -> list[Landed]:
    """Returns the plain files that a source names, in order.

    Args:
        con: of the session, whose end removes what was unpacked.
        source: a path, a pattern, a folder, "-" for the standard input, or an address on the network.
        inner: the member of an archive, where the source names one.

    Raises:
        TableError: nothing is there, or it can't be read.
    """
    if source == "-":
        return _land_file(con, _standard_input(con), label="standard input", inner=inner, name="stdin")
    if is_remote(source):
        return _land_file(con, _fetched(con, source), label=source, inner=inner)
    path = Path(source).expanduser()
    if not path.exists() and any(c in source for c in "*?["):
        found = [Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_file()]
        if not found:
            raise TableError(
                "A pattern of files fits at least one", f"{source}, which fits none", "Correct it"
            )
        return [one for file in found for one in _land_file(con, file, label=str(file))]
    if path.is_dir():
        return [one for file in _parts(path) for one in _land_file(con, file, label=str(file))]
    if not path.exists():
        raise TableError("A table is a file that exists", f"{path}, which does not", "Check the path")
    return _land_file(con, path, label=str(path), inner=inner)


def temporary(con: duckdb.DuckDBPyConnection, name: str) -> Path:
    """Returns a path in a new folder that goes when the session does."""
    folder = tempfile.mkdtemp(prefix="butaca-")
    weakref.finalize(con, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / name


def ending_of(path: Path) -> str:
    """Returns what a plain file is, by its first bytes and else by its name."""
    with path.open("rb") as raw:
        head = raw.read(64)
    for at, magic, ending in _MAGIC:
        if head[at:].startswith(magic):
            return ending
    named = path.suffix.lower()
    if named == ".gz":
        named = Path(path.stem).suffix.lower()
    if not named and head.lstrip(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        return ".json"
    return named


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
    con: duckdb.DuckDBPyConnection, path: Path, *, label: str, inner: str = "", name: str = ""
) -> list[Landed]:
    """Returns a file, unpacked where DuckDB or the checks of text could not read it as it is."""
    if not path.stat().st_size:
        raise TableError("A table has at least one row", f"{label}, which is empty", "Name another file")
    name = name or path.name.split(".")[0] or path.name
    try:
        with path.open("rb") as raw:
            head = raw.read(4)
        if ending_of(path) not in {ending for *_, ending in _MAGIC}:
            refuse_other_kind(path, label=label)
        if head == b"PK\x03\x04":
            return _land_zip(con, path, label=label, inner=inner, name=name)
        if head.startswith(b"BZh"):
            with bz2.open(path, "rb") as packed:
                path = _copied(con, packed, path.stem)
        elif head == b"\xfd7zX":
            path = _from_xz(con, path, label=label)
        elif head == b"\x28\xb5\x2f\xfd":
            path = _from_zstd(con, path, label=label)
        encoding = _encoding(path)
        if encoding is not None:
            path = _as_utf8(con, path, encoding)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, UnicodeError) as error:
        raise TableError(
            "A table is a file that can be read",
            f"{label}: {error}",
            "Fetch it again if it is damaged, or check its permissions; an archive has no password",
        ) from error
    return [Landed(path, label, ending_of(path), name)]


def _land_zip(
    con: duckdb.DuckDBPyConnection, path: Path, *, label: str, inner: str, name: str
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
                copy = _copied(con, packed, member.rpartition("/")[2])
            short = copy.name.split(".")[0] if len(chosen) == 1 else name
            out += _land_file(con, copy, label=f"{label}::{member}", name=short)
        return out


def _shape(name: str) -> str:
    """Returns a file's name without its digits."""
    return "".join(c for c in name if not c.isdigit())


def _copied(con: duckdb.DuckDBPyConnection, source: IO[bytes], name: str) -> Path:
    target = temporary(con, name or "table")
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return target


def _from_zstd(con: duckdb.DuckDBPyConnection, path: Path, *, label: str) -> Path:
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


def _encoding(path: Path) -> str | None:
    """Returns in which encoding of several bytes a letter a text is written; None where it is in none.

    Without a mark, many of every second byte are zero, those of Latin letters, digits and separators, and no
    other is.
    """
    if ending_of(path) in {ending for *_, ending in _MAGIC}:
        return None
    try:
        with open_bytes(path) as raw:
            head = raw.read(1024)
    except (EOFError, OSError, zlib.error):  # the reader says what is wrong with it
        return None
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = len(head) // 2
    zeros = [head[at : 2 * half : 2].count(0) for at in (0, 1)]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if half > 1 and zeros[first] > ZEROS * half and not zeros[1 - first]:
            return encoding
    return None


def _as_utf8(con: duckdb.DuckDBPyConnection, path: Path, encoding: str) -> Path:
    target = temporary(con, path.name.removesuffix(".gz"))
    with open_bytes(path) as source, target.open("w", encoding="utf-8", newline="") as file:
        reader = codecs.getreader(encoding)(source)
        while block := reader.read(1 << 20):
            file.write(block)
    return target


def _from_xz(con: duckdb.DuckDBPyConnection, path: Path, *, label: str) -> Path:
    try:
        import lzma
    except ModuleNotFoundError as error:
        raise TableError(
            "A file that xz packed is read where Python has lzma", label, "Unpack it: xz -d"
        ) from error
    try:
        with lzma.open(path, "rb") as packed:
            found = _copied(con, packed, path.stem)
    except lzma.LZMAError as error:
        raise TableError(
            "A table is a file that can be read", f"{label}: {error}", "Fetch it again if it is damaged"
        ) from error
    refuse_other_kind(found, label=label)
    return found


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
