"""This module finds how the letters of a text file are written, and writes others anew in UTF-8."""

from __future__ import annotations

import codecs
from pathlib import Path

import duckdb

from butaca.data.formats.endings import JSON_ENDINGS, MAGIC, ending_of, first_bytes
from butaca.data.formats.lines import open_bytes
from butaca.data.formats.unpacked import temporary
from butaca.errors import TableError

ZEROS = 0.3  # share of zeros in every second byte that tells UTF-16 without a mark


def encoding_of(path: Path, *, asked: str | None = None) -> str | None:
    """Returns in which encoding a file is to be written anew; None where it is read as it is.

    Without a mark, many of every second byte are zero, those of Latin letters, digits and separators, and no
    other is. Text that is UTF-8, with letters beyond ASCII, is in no other encoding, whatever was asked.

    Args:
        path: the file.
        asked: what the caller says that it is in.
    """
    ending = ending_of(path)
    if ending in {ending for *_, ending in MAGIC}:
        return None
    head = first_bytes(path)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig" if ending in JSON_ENDINGS else None
    half = len(head) // 2
    zeros = [head[at : 2 * half : 2].count(0) for at in (0, 1)]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if half > 1 and zeros[first] > ZEROS * half and not zeros[1 - first]:
            return encoding
    return None if asked is None or is_utf8(path) else asked


def is_utf8(path: Path) -> bool:
    """Returns whether all of a text is UTF-8."""
    with open_bytes(path) as raw:
        try:
            for line in raw:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return False
    return True


def as_utf8(con: duckdb.DuckDBPyConnection, path: Path, *, encoding: str, label: str) -> Path:
    """Writes a text anew in UTF-8.

    Raises:
        TableError: it is not in that encoding.
    """
    target = temporary(con, path.name.removesuffix(".gz"))
    with open_bytes(path) as source, target.open("w", encoding="utf-8", newline="") as file:
        reader = codecs.getreader(encoding)(source)
        try:
            while block := reader.read(1 << 20):
                file.write(block)
        except UnicodeDecodeError as error:
            raise TableError(
                "A text is in the encoding that is said, or begins with a mark that says so",
                f"{label}, of which {encoding} does not read {error.object[error.start : error.start + 4]!r}",
                "Say another: encoding= (on the command line: --encoding), such as cp1252",
            ) from error
    return target
