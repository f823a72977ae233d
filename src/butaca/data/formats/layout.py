"""This module says how a text file is read, and where in it something is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from butaca.data.columns.names import Held, Kind
from butaca.data.formats.lines import bad_bytes, is_gzip_file, open_bytes, records_of
from butaca.errors import TableError

ROW_NAMES = "; if the first line has no name for the first column, as R writes it, add one"


@dataclass(frozen=True)
class Layout:
    """Says how a text file is to be read.

    Attributes:
        names: of the columns; column1, column2, ... where the file has no header.
        kinds: what the first lines of each column seem to hold.
        skip: lines before the first: blank ones, comments, "sep=;".
        label: what to call the file in messages.
        has_quotes: whether a cell between double quotes is what stands between them.
        has_escapes: whether a quote within a cell follows a backslash, and is not doubled.
        held: without a header, what the first cells of each column say that it is.
        above: lines of titles among those that are skipped.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    has_header: bool
    skip: int
    label: str = ""
    has_quotes: bool = True
    held: tuple[Held | None, ...] = ()
    above: int = 0
    has_escapes: bool = False

    @property
    def quote(self) -> str:
        """Returns the quote; none in "::" files, whose titles hold lone quotes (MovieLens 10M)."""
        return '"' if self.has_quotes and len(self.delimiter) == 1 else ""

    @property
    def escape(self) -> str:
        """Returns what stands before a quote within a cell: another, or a backslash; none without quotes."""
        return "\\" if self.quote and self.has_escapes else self.quote

    def escaped(self) -> Layout | None:
        """Returns the layout with backslashes before quotes, where all lines then fit; else None."""
        if not self.quote or bad_bytes(self.path, self.label) is not None or self._bad_record() is None:
            return None
        with open_bytes(self.path) as raw:
            if not any(b'\\"' in line for line in raw):
                return None
        escaped = replace(self, has_escapes=True)
        return escaped if escaped._bad_record() is None else None

    def unquoted(self) -> Layout | None:
        """Returns the layout whose quotes are text like any other, where all lines then fit; else None."""
        if not self.quote or bad_bytes(self.path, self.label) is not None or self._bad_record() is None:
            return None
        plain_text = replace(self, has_quotes=False)
        return plain_text if plain_text._bad_record() is None else None

    @property
    def is_gzip(self) -> bool:
        """Returns whether the file is compressed."""
        return is_gzip_file(self.path)

    def records(self, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Returns every record that is not blank, header included, with the number of its first line."""
        with open_bytes(self.path) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
            for _ in range(self.skip):
                text.readline()
            for line, cells in records_of(
                text, self.delimiter, strict=strict, has_quotes=bool(self.quote), has_escapes=self.has_escapes
            ):
                yield line + self.skip, cells

    def line(self, row: int) -> int | None:
        """Returns the line of the file, header = 1, where data row `row` (from 0) begins."""
        try:
            for n, (line, _) in enumerate(self.records()):
                if n == row + self.has_header:
                    return line
        except csv.Error:  # a cell beyond its limit: the row's own number must do
            pass
        return None

    def mistake(self) -> TableError | None:
        """Returns the first line that breaks the rules of a text table, found by reading all of it."""
        return bad_bytes(self.path, self.label) or self._bad_record() or self._mixed_ends()

    def _bad_record(self) -> TableError | None:
        last = 0
        try:
            for n, (last, cells) in enumerate(self.records(strict=True)):
                if len(cells) != len(self.names):
                    return TableError(
                        "Every line of a text table has the same number of cells",
                        f"{len(cells)} cells for {len(self.names)} columns in line {last} of {self.label}",
                        f"Correct that line; a cell that holds {self.delimiter!r} goes between double quotes"
                        + (ROW_NAMES if len(cells) == len(self.names) + 1 and n == 1 else ""),
                    )
        except csv.Error as error:
            if "field limit" in str(error):
                return TableError(
                    "The lines of a text table can be checked up to the first very long cell",
                    f"a cell of more than {csv.field_size_limit()} characters in the record after "
                    f"line {last} of {self.label}, which cannot be read there or further on",
                    "Shorten that cell, or export the table as Parquet",
                )
            return TableError(
                "A quoted cell ends with a quote, and a quote within it is doubled",
                f"a quote that does not, in the record after line {last} of {self.label}",
                'Close the quote, or write "" for a quote within the cell',
            )
        return None

    def _mixed_ends(self) -> TableError | None:
        ends: set[bytes] = set()
        with open_bytes(self.path) as raw:
            for number, line in enumerate(raw, start=1):
                ends.add(line[-2:] if line.endswith(b"\r\n") else line[-1:])
                if len(ends & {b"\r\n", b"\n"}) == 2:
                    end = "CR LF" if line.endswith(b"\r\n") else "LF"
                    return TableError(
                        "Every line of a text table ends in the same way",
                        f"line {number} of {self.label}, which ends in {end} unlike those before",
                        "Save the file again with one kind of line end, for example with dos2unix",
                    )
        return None
