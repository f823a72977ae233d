"""This module reads a sheet of an Excel workbook (.xlsx): cells as text, dates and times in ISO."""

from __future__ import annotations

import datetime as dt
import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from butaca.data.formats.above import FIRST, rows_above
from butaca.errors import TableError
from butaca.types import Values

_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # formats that Excel has for dates
_CELL = re.compile(r"([A-Z]+)\d+")
_EPOCH = {False: dt.datetime(1899, 12, 30), True: dt.datetime(1904, 1, 1)}


def sheet_columns(path: Path, inner: str, *, label: str) -> tuple[dict[str, Values], str, list[str]]:
    """Returns the columns of a sheet by the names in its first row that is not blank, and its label.

    The last is what there is to say: of other sheets, and of rows of titles above the names.

    A column is numbers where all of its filled cells are, else text; an empty cell is None.

    Args:
        path: the workbook.
        inner: the sheet's name; "" is the first.
        label: what to call the workbook in messages.

    Raises:
        TableError: it is damaged, has no such sheet, or a sheet without rows.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sheets, dates_1904 = _sheets(archive)
            name = inner or next(iter(sheets), "")
            if name not in sheets:
                raise TableError(
                    "A workbook is named with a sheet of its own",
                    f"{label}::{inner}, whose sheets are {', '.join(sheets) or 'none'}",
                    f"Write {label}::{next(iter(sheets), 'Sheet1')}",
                )
            shared, dated = _shared(archive), _dated(archive)
            rows = [r for r in _rows(archive, sheets[name], shared, dated, dates_1904) if r]
    except (zipfile.BadZipFile, ET.ParseError, KeyError, ValueError, OverflowError) as error:
        raise TableError(
            "A table is a file that can be read", f"{label}: {error}", "Save it again, or as CSV"
        ) from error
    notes, others = [], [sheet for sheet in sheets if sheet != name]
    if others and not inner:
        notes = [f"{label}: the first of {len(sheets)} sheets, {name!r}; another is {label}::{others[0]}"]
    if len(rows) < 2:
        raise TableError(
            "A table has at least one row",
            f"{label}::{name}, which has none" if others else f"{label}, which has none",
            f"Name another sheet, such as {label}::{others[0]}" if others else "Add its rows",
        )
    label = f"{label}::{name}" if inner else label
    above = rows_above([["" if cell is None else str(cell) for cell in row] for row in rows[:FIRST]])
    header, *data = rows[above:]
    width = max(map(len, rows))
    names = [
        str(header[i]).strip() if i < len(header) and header[i] is not None else "" for i in range(width)
    ]
    names = [name or f"column{i + 1}" for i, name in enumerate(names)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TableError(
            "Every column has its own name",
            f"{names.count(twice)} columns called {twice!r} in {label}",
            "Rename them in the row of names",
        )
    if above:
        notes.append(f"{label}: {counted_rows(above)} above the names passed over")
    cells = ([row[i] if i < len(row) else None for row in data] for i in range(width))
    return {name: _column(column) for name, column in zip(names, cells, strict=True)}, label, notes


def counted_rows(n: int) -> str:
    """Returns a number of rows in words.

    >>> counted_rows(1), counted_rows(2)
    ('1 row', '2 rows')
    """
    return f"{n} row{'s' if n != 1 else ''}"


def _sheets(archive: zipfile.ZipFile) -> tuple[dict[str, str], bool]:
    """Returns the member of each sheet by its name, and whether dates count from 1904."""
    book, links = _xml(archive, "xl/workbook.xml"), _xml(archive, "xl/_rels/workbook.xml.rels")
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    out = {}
    for sheet in book.iter():
        if _tag(sheet) == "sheet":
            key = next((v for k, v in sheet.attrib.items() if k.endswith("}id")), None)
            out[sheet.get("name", "")] = posixpath.normpath(posixpath.join("/xl", targets[key])).lstrip("/")
    facts = next((one for one in book.iter() if _tag(one) == "workbookPr"), None)
    return out, facts is not None and facts.get("date1904") in {"1", "true"}


def _shared(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_texts(one) for one in _xml(archive, "xl/sharedStrings.xml") if _tag(one) == "si"]


def _dated(archive: zipfile.ZipFile) -> list[bool]:
    """Returns which styles show a number as a date."""
    if "xl/styles.xml" not in archive.namelist():
        return []
    styles = _xml(archive, "xl/styles.xml")
    own = {
        one.get("numFmtId"): re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", one.get("formatCode", ""))
        for one in styles.iter()
        if _tag(one) == "numFmt"
    }
    formats = next((one for one in styles if _tag(one) == "cellXfs"), ())
    return [
        int(f.get("numFmtId", 0)) in _DATES
        or bool(re.search("[ymdhs]", own.get(f.get("numFmtId"), ""), re.I))
        for f in formats
    ]


def _rows(
    archive: zipfile.ZipFile, member: str, shared: list[str], dated: list[bool], dates_1904: bool
) -> Iterator[list[str | float | None]]:
    """Returns the cells of each row, None where empty; [] for a blank row."""
    with archive.open(member) as file:
        for _, row in ET.iterparse(file):  # noqa: S314
            if _tag(row) != "row":
                continue
            cells: list[str | float | None] = []
            for cell in row:
                at = _place(cell.get("r", ""), len(cells))
                cells += [None] * (at + 1 - len(cells))
                cells[at] = _value(cell, shared, dated, dates_1904)
            row.clear()
            yield cells if any(c is not None for c in cells) else []


def _place(reference: str, otherwise: int) -> int:
    found = _CELL.fullmatch(reference)
    if found is None:
        return otherwise
    at = 0
    for letter in found[1]:
        at = at * 26 + ord(letter) - 64
    return at - 1


def _value(cell: ET.Element, shared: list[str], dated: list[bool], dates_1904: bool) -> str | float | None:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _texts(cell) or None
    raw = next((one.text for one in cell if _tag(one) == "v"), None)
    if raw is None or kind == "e":
        return None
    if kind == "s":
        return shared[int(raw)] or None
    if kind in {"str", "d"}:
        return raw or None
    if kind == "b":
        return float(raw)
    number, style = float(raw), int(cell.get("s", 0))
    if style < len(dated) and dated[style]:
        moment = _EPOCH[dates_1904] + dt.timedelta(milliseconds=round(number * 86_400_000))
        return moment.isoformat(sep=" ")
    return number


def _column(cells: list[str | float | None]) -> Values:
    filled = [c for c in cells if c is not None]
    out = np.empty(len(cells), dtype=object)
    if all(isinstance(c, float) for c in filled):
        whole = all(float(c).is_integer() and abs(float(c)) < 2**53 for c in filled)
        out[:] = [None if c is None else int(c) if whole else c for c in cells]
    else:
        out[:] = [f"{c:.15g}" if isinstance(c, float) else c for c in cells]
    return out


def _texts(one: ET.Element) -> str:
    """Returns the text of a string, its runs joined, without how it is read aloud."""
    return (
        "".join(
            part.text or ""
            for run in one
            for part in ([run] if _tag(run) == "t" else run)
            if _tag(part) == "t" and _tag(run) != "rPh"
        )
        if _tag(one) == "si"
        else "".join(t.text or "" for t in one.iter() if _tag(t) == "t")
    )


def _xml(archive: zipfile.ZipFile, member: str) -> ET.Element:
    return ET.fromstring(archive.read(member))  # noqa: S314


def _tag(one: ET.Element) -> str:
    return one.tag.rpartition("}")[2]
