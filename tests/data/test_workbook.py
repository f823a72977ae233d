"""This module tests workbooks of several sheets, and names that come twice."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from butaca.data.tables import read_table
from butaca.errors import TableError

ROWS = [["user", "item", "rating"], *([f"u{n % 3}", f"i{n % 4}", str(n % 5)] for n in range(12))]


def book(path: Path, sheets: Mapping[str, Sequence[Sequence[str]]]) -> Path:
    def lines(rows: Sequence[Sequence[str]]) -> str:
        cells = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
        return "".join(f"<row>{''.join(map(cells, row))}</row>" for row in rows)

    listed = "".join(f'<sheet name="{name}" r:id="r{n}"/>' for n, name in enumerate(sheets))
    links = "".join(f'<Relationship Id="r{n}" Target="worksheets/s{n}.xml"/>' for n in range(len(sheets)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", f'<workbook xmlns:r="r"><sheets>{listed}</sheets></workbook>')
        archive.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{links}</Relationships>")
        for n, rows in enumerate(sheets.values()):
            text = f"<worksheet><sheetData>{lines(rows)}</sheetData></worksheet>"
            archive.writestr(f"xl/worksheets/s{n}.xml", text)
    return path


def test_that_there_are_other_sheets_is_told(tmp_path: Path) -> None:
    path = book(tmp_path / "r.xlsx", {"Sales": ROWS, "Notes": [["x"]], "More": [["y"]]})
    data = read_table(path)
    assert len(data) == 12
    assert f"{path}: the first of 3 sheets, 'Sales'; another is {path}::Notes" in data.notes
    assert not any("sheets" in note for note in read_table(f"{path}::Sales").notes)
    assert not any("sheets" in note for note in read_table(book(tmp_path / "s.xlsx", {"Sales": ROWS})).notes)


def test_a_first_sheet_without_rows_names_another(tmp_path: Path) -> None:
    path = book(tmp_path / "r.xlsx", {"Notes": [["Read me"]], "Sales": ROWS})
    with pytest.raises(TableError, match=r"r\.xlsx::Notes, which has none. Name another .*r\.xlsx::Sales"):
        read_table(path)
    assert len(read_table(f"{path}::Sales")) == 12


def test_names_that_come_twice_are_refused(tmp_path: Path) -> None:
    rows = [["user", "item", "rating", "rating"], *([*row, "9"] for row in ROWS[1:])]
    with pytest.raises(TableError, match="2 columns called 'rating' in"):
        read_table(book(tmp_path / "r.xlsx", {"Sales": rows}))
