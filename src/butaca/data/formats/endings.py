"""This module says what a file is, by its first bytes and else by its name."""

from __future__ import annotations

import codecs
import re
import zlib
from pathlib import Path

from butaca.data.formats.lines import open_bytes

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
MAGIC = (
    (0, b"PAR1", ".parquet"),
    (0, b"SQLite format 3\0", ".sqlite"),
    (8, b"DUCK", ".duckdb"),
    (0, b"ARROW1", ".feather"),
    (0, b"FEA1", ".feather"),
)


def ending_of(path: Path) -> str:
    """Returns what a plain file is, by its first bytes and else by its name.

    Text that begins as JSON does is that, whatever it is called, and is not where it begins otherwise.
    """
    with path.open("rb") as raw:
        head = raw.read(64)
    for at, magic, ending in MAGIC:
        if head[at:].startswith(magic):
            return ending
    named = path.suffix.lower()
    if named == ".gz":
        named = Path(path.stem).suffix.lower()
    if named not in {"", *TEXT_ENDINGS, *JSON_ENDINGS}:
        return named
    text = first_bytes(path).removeprefix(codecs.BOM_UTF8).lstrip()
    if not named:
        return ".json" if text[:1] in (b"{", b"[") else named
    if named in TEXT_ENDINGS:
        return ".json" if re.match(rb"\[?\s*\{\s*\"[^\"{}]*\"\s*:", text) else named
    first = text.partition(b"\n")[0]
    is_text = text[:1] not in (b"{", b"[", b'"') and b"\0" not in text
    is_table = is_text and any(mark in first for mark in b",;\t|")
    return ".csv" if is_table else named


def first_bytes(path: Path) -> bytes:
    """Returns the first bytes of a file, unpacked if it is gzip; none where it is damaged."""
    try:
        with open_bytes(path) as raw:
            return raw.read(512)
    except (EOFError, OSError, zlib.error):  # the reader says what is wrong with it
        return b""
