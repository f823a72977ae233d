"""This module reads the bytes, the lines and the records of a text file."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, cast

from butaca.errors import TableError

#: Encodings in which tables are written that are not UTF-8, the most usual first.
ENCODINGS = ("cp1252", "cp1251", "mac_roman", "shift_jis", "gbk")
MOST_BYTES = 40  # of a cell that a message shows
SAMPLE = 1 << 16  # bytes that decide the layout


def first_records(text: str, delimiter: str, *, is_whole: bool, has_quotes: bool = True) -> list[list[str]]:
    """Returns the records of the first lines of a file, without the last where it may be cut."""
    lines = io.StringIO(text, newline="")
    rows = [cells for _, cells in records_of(lines, delimiter, strict=False, has_quotes=has_quotes)]
    return rows if is_whole or len(rows) == 1 else rows[:-1]  # the last may be cut


def records_of(
    lines: IO[str], delimiter: str, *, strict: bool, has_quotes: bool = True, has_escapes: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yields every record of some lines, with the number of its first line."""
    if len(delimiter) > 1:
        for number, line in enumerate(lines, start=1):
            if line.strip("\r\n"):
                yield number, line.rstrip("\r\n").split(delimiter)
        return
    if has_escapes:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict, doublequote=False, escapechar="\\")
    elif has_quotes:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    else:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict, quoting=csv.QUOTE_NONE)
    start = 1
    for cells in reader:
        if cells:
            yield start, cells
        start = reader.line_num + 1


def lines_of(path: Path, n: int | None = None) -> Iterator[str]:
    """Returns the first lines of a text file, or all."""
    with (
        open_bytes(path) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text,
    ):
        yield from islice(text, n)


def sample(path: Path, *, label: str) -> tuple[str, bool]:
    """Returns the first lines as text, and whether they are the whole file."""
    try:
        with open_bytes(path) as raw:
            head = raw.read(SAMPLE + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise TableError(
            "A table is a file that can be read",
            f"{label}: {error}",
            "Fetch it again if it is damaged, or check its permissions",
        ) from error
    kind = _binary_kind(head)
    if kind:
        raise TableError(
            "A text table is plain text or gzip, in UTF-8", f"{label}, which is {kind[0]}", kind[1]
        )
    is_whole = len(head) <= SAMPLE
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, final=is_whole), is_whole
    except UnicodeDecodeError:
        mistake = bad_bytes(path, label)
        assert mistake is not None
        raise mistake from None


def _binary_kind(head: bytes) -> tuple[str, str] | None:
    if b"\0" in head:
        return "binary", "Export it as CSV, or give it its own ending (.parquet, .duckdb)"
    return None


def readings(line: bytes, at: int) -> dict[str, str]:
    r"""Returns how the usual encodings read the cell that holds a byte, without those that read it alike.

    >>> readings(b"ana,A\xf1o,5\n", 5)
    {'cp1252': 'Año', 'cp1251': 'Aсo', 'mac_roman': 'AÒo', 'gbk': 'A駉'}
    """
    begin = max(line.rfind(mark, 0, at) for mark in b',;\t|"') + 1
    ends = [end for mark in b',;\t|"\r\n' if (end := line.find(mark, at)) >= 0]
    cell = line[begin : min(ends, default=len(line))][:MOST_BYTES]
    out: dict[str, str] = {}
    for encoding in ENCODINGS:
        try:
            text = cell.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text not in out.values() and text.isprintable():
            out[encoding] = text
    return out


def bad_bytes(path: Path, label: str) -> TableError | None:
    """Returns the error of the first line that is not UTF-8; None where all are."""
    number = 0
    with open_bytes(path) as raw:
        try:
            for line in raw:
                number += 1
                line.decode("utf-8")
        except UnicodeDecodeError as error:
            read = readings(error.object, error.start)
            said = [f"{text!r} in {encoding}" for encoding, text in read.items()]
            likely = next(iter(read), ENCODINGS[0])
            return TableError(
                "A text table is written in UTF-8",
                f"the bytes {error.object[error.start : error.end]!r} in line {number} of {label}"
                + (f", of a cell that is {', '.join(said)}" if said else ""),
                f"Say in which it is: encoding= (on the command line: --encoding), such as {likely}",
            )
        except (EOFError, OSError, zlib.error) as error:
            return TableError("A table is a file that can be read", f"{label}: {error}", "Fetch it again")
    return None


def is_gzip_file(path: Path) -> bool:
    """Returns whether gzip packed a file."""
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """Opens a file, unpacked if it is gzip."""
    return cast(IO[bytes], gzip.open(path, "rb") if is_gzip_file(path) else path.open("rb"))
