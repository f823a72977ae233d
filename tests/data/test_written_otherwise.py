"""This module tests files as people have them: encodings, packings, titles above, months, other kinds."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from butaca.data.formats.written import Reading
from butaca.data.tables import read_table
from butaca.errors import SettingError, TableError

ROWS = "user,item,rating\n" + "".join(f"u{n % 6},i{n % 5},{n % 5 + 1}\n" for n in range(30))


def shape(source: object, **more: object) -> tuple[int, int, int]:
    data = read_table(source, **more)  # type: ignore[arg-type]
    return len(data), len(data.users), len(data.items)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_with_and_without_a_mark(encoding: str, packed: bool, tmp_path: Path) -> None:
    text = ROWS.replace("i3", "canción").replace("i4", "книга")
    raw = text.encode(encoding)
    path = tmp_path / ("r.csv.gz" if packed else "r.csv")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    data = read_table(path)
    assert data.items.ids.values.tolist() == ["canción", "i0", "i1", "i2", "книга"]


@pytest.mark.parametrize("name", ["r.xz", "r.csv.xz", "r.dat"])
def test_xz(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(lzma.compress(ROWS.encode()))
    assert shape(tmp_path / name) == (30, 6, 5)
    (tmp_path / name).write_bytes(lzma.compress(ROWS.encode())[:-20])
    with pytest.raises(TableError, match="A table is a file that can be read"):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    "names", [("part-00000", "part-00001"), ("000000_0", "000001_0"), ("p0.gz", "p1.gz")]
)
def test_folders_of_parts_without_an_ending(names: tuple[str, str], tmp_path: Path) -> None:
    for n, name in enumerate(names):
        raw = ROWS.replace("u", f"{n}u").replace(f"{n}user", "user").encode()
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "README").write_text("ours")
    assert shape(tmp_path) == (60, 12, 5)


def test_a_folder_of_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("ours")
    with pytest.raises(TableError, match="in which no file ends as a table does"):
        read_table(tmp_path)


@pytest.mark.parametrize("sep", ["<tab>", "\\t", "tab", "TAB", "<TAB>", "'\\t'", "\t", "tabs"])
def test_a_tab_in_words(sep: str, tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(ROWS.replace(",", "\t"))
    assert shape(path, sep=sep) == (30, 6, 5)


@pytest.mark.parametrize(("sep", "found"), [("pipe", "|"), ("semicolon", ";"), ("t", "t"), ("s", "s")])
def test_other_separators_in_words(sep: str, found: str) -> None:
    assert Reading(sep=sep).delimiter == found


@pytest.mark.parametrize("sep", ["", "word", "||", '"'])
def test_separators_that_are_none(sep: str) -> None:
    with pytest.raises(SettingError, match="A separator is one character"):
        Reading(sep=sep)


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("Sales report 2020\n", "1 line"),
        ("Sales report 2020\nExported on 3 May, by Ana\n\n", "3 lines"),
        ("Sales report,,\n,,\n", "2 lines"),
        ("Rating\n", "1 line"),
        ("\n# ours\nInforme de ventas\n", "1 line"),
        ("Report: 2020-01-01,,\n", "1 line"),
    ],
)
def test_titles_above_the_names_are_passed_over_and_counted(above: str, lines: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(above + ROWS)
    data = read_table(path)
    assert (len(data), len(data.users), len(data.items)) == (30, 6, 5)
    assert f"{path}: {lines} above the names passed over" in data.notes
    path.write_text(above + ROWS + "u1,,3\n")
    with pytest.raises(TableError, match=f"line {above.count(chr(10)) + 32} "):
        read_table(path)


def test_names_that_stand_first_are_the_names(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user,thing\nuser,item\nana,7\n")
    assert read_table(path, item_column="thing").users.ids.values.tolist() == ["ana", "user"]
    path.write_text("\n".join(f"{n % 5},{n % 7}" for n in range(30)))
    assert not [note for note in read_table(path).notes if "passed over" in note]


def test_words_in_rows_are_no_names(tmp_path: Path) -> None:
    """Two cells of a row are words that columns go by, of a table whose own names are none of these."""
    items = tmp_path / "items.csv"
    items.write_text("ref,cat,sub\ni0,toy,car\ni1,book,game\ni2,book,video\ni3,x,y\ni4,x,y\n")
    path = tmp_path / "r.csv"
    path.write_text(ROWS.replace("item", "ref"))
    data = read_table(path, item_column="ref", items=items)
    assert not [note for note in data.notes if "passed over" in note]
    assert data.items.names("cat", 1) == ["book"]


def test_titles_above_in_a_workbook(tmp_path: Path) -> None:
    rows = [["Sales of 2020"], [], *[line.split(",") for line in ROWS.split()]]
    cells = [
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in row) + "</row>" for row in rows
    ]
    with zipfile.ZipFile(tmp_path / "r.xlsx", "w") as book:
        book.writestr(
            "xl/workbook.xml",
            '<workbook xmlns:r="r"><sheets><sheet name="S" r:id="r1"/></sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        book.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{''.join(cells)}</sheetData></worksheet>"
        )
    data = read_table(tmp_path / "r.xlsx")
    assert (len(data), len(data.users), len(data.items)) == (30, 6, 5)
    assert any(note.endswith("1 row above the names passed over") for note in data.notes)


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["3 abr 2012", "14 ene 2013"], "Spanish"),
        (["3 de abril de 2012", "14 de enero del 2013"], "Spanish"),
        (["martes, 3 de abril de 2012", "lunes, 14 de enero de 2013"], "Spanish"),
        (["03-abr-2012", "14-ene-2013"], "Spanish"),
        (["03/Abr./2012", "14/Ene./2013"], "Spanish"),
        (["Abr 3, 2012", "Ene 14, 2013"], "Spanish"),
        (["3 avril 2012", "14 janvier 2013"], "French"),
        (["3 avr. 2012", "le 14 janv. 2013"], "French"),
        (["3. April 2012", "14. Januar 2013"], "German"),
        (["03.Apr.2012", "14.Jaenner.2013"], "German"),
        (["3 de abril de 2012", "14 de janeiro de 2013"], "Portuguese"),
        (["3 aprile 2012", "14 gennaio 2013"], "Italian"),
        (["3 april 2012", "14 januari 2013"], "Dutch"),
        (["03-abr-12", "14-ene-13"], "Spanish"),
        (["3 Apr 2012", "14 Jan 2013"], "English"),
    ],
)
def test_months_in_other_tongues(cells: list[str], name: str) -> None:
    table = {"user": ["ana", "eva"], "item": [7, 9], "fecha": cells}
    data = read_table(table)
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [1333411200, 1358121600]
    assert any(f"dates written {name}" in note for note in data.notes)


def test_every_month_in_spanish_with_a_time_of_day() -> None:
    first = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto")
    last = ("septiembre", "octubre", "noviembre", "diciembre")
    cells = [f"{n + 1} de {month} de 2012, 10:05:33" for n, month in enumerate((*first, *last))]
    table = {"user": list("ab") * 6, "item": list(range(12)), "fecha": cells}
    data = read_table(table)
    assert data.timestamp is not None
    expected = np.array([f"2012-{n + 1:02}-{n + 1:02}T10:05:33" for n in range(12)], dtype="datetime64[s]")
    assert data.timestamp.tolist() == expected.astype(int).tolist()


def test_a_cell_that_is_no_date_is_named() -> None:
    table = {"user": ["a", "b", "a"], "item": [7, 9, 9], "fecha": ["3 abr 2012", "4 ene 2012", "pronto"]}
    with pytest.raises(TableError, match="'pronto'"):
        read_table(table)


def tar(path: Path) -> None:
    with tarfile.open(path.with_name("plain.tar"), "w") as out:
        member = tarfile.TarInfo("inner.csv")
        member.size = len(ROWS)
        out.addfile(member, io.BytesIO(ROWS.encode()))
    content = path.with_name("plain.tar").read_bytes()
    packs: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".tgz": gzip.compress,
        ".bz2": bz2.compress,
    }
    path.write_bytes(packs[path.suffix](content) if path.suffix in packs else content)


def zipped(*names: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return write


def raw(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content + bytes(600))

    return write


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("r.tar", tar, r"a tar archive\. Unpack it \(tar xf\)"),
        ("r.tar.gz", tar, "a tar archive"),
        ("r.tgz", tar, "a tar archive"),
        ("r.tar.bz2", tar, "a tar archive"),
        ("r.7z", raw(b"7z\xbc\xaf\x27\x1c"), "7-Zip"),
        ("r.rar", raw(b"Rar!\x1a\x07\x01"), "a RAR archive"),
        ("r.xls", raw(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), r"\(\.xls\)\. Save it as \.xlsx"),
        ("r.ods", zipped("mimetype", "content.xml"), r"OpenDocument file \(\.ods\)"),
        ("r.xlsb", zipped("xl/workbook.bin"), "binary Excel"),
        ("r.npz", zipped("a.npy"), "NumPy"),
        ("r.pdf", raw(b"%PDF-1.4"), "a PDF"),
        ("r.h5", raw(b"\x89HDF\r\n\x1a\n"), "HDF5"),
        ("r.npy", raw(b"\x93NUMPY"), "numpy.load"),
        ("r.orc", raw(b"ORC"), "ORC"),
        ("r.pkl", raw(b"\x80\x04"), "a pickle"),
    ],
)
def test_what_is_no_table_is_called_by_its_name(
    name: str, write: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    write(tmp_path / name)
    with pytest.raises(TableError, match=said):
        read_table(tmp_path / name)


def test_text_that_begins_like_one_is_text(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("ORCID,item\na,x\nb,y\n")
    assert shape(path, user_column="ORCID") == (2, 2, 2)


def test_a_table_in_sqlite_is_no_text_in_utf16(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "r.txt")) as con:
        con.execute("CREATE TABLE t (user, item)")
        con.executemany("INSERT INTO t VALUES (?, ?)", [("a", "x"), ("b", "y")])
        con.commit()
    assert shape(tmp_path / "r.txt") == (2, 2, 2)


@pytest.mark.parametrize(
    ("address", "library", "cure"),
    [
        (
            "mysql://me:secret@h/shop",
            "MySQLdb",
            r"Install pymysql, and write the address as mysql\+pymysql://",
        ),
        ("mysql+pymysql://me:secret@h/shop", "pymysql", "Install pymysql"),
        ("mssql://me:secret@h/shop", "pyodbc", "Install pyodbc"),
        ("oracle+oracledb://me:secret@h/shop", "oracledb", "Install oracledb"),
        ("postgresql+asyncpg://me:secret@h/shop", "asyncpg", "Install psycopg"),
        ("snowflake://me:secret@h/shop", "snowflake", "Install snowflake-sqlalchemy"),
    ],
)
def test_a_database_without_its_driver_says_what_to_install(address: str, library: str, cure: str) -> None:
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed")
    with pytest.raises(TableError, match=cure) as caught:
        read_table(address)
    assert "secret" not in str(caught.value)


def test_a_large_record_of_json_is_told_of_wide(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps({f"u{u}": {f"item {i:06}": 1 for i in range(1000)} for u in range(1000)}))
    with pytest.raises(TableError, match=r"\(--wide\)"):
        read_table(path)


PAIRS = [(f"u{n % 6}", f"i{n % 5}") for n in range(30)]


@pytest.mark.parametrize(
    "found",
    [
        {
            "user": {str(n): u for n, (u, _) in enumerate(PAIRS)},
            "item": {str(n): i for n, (_, i) in enumerate(PAIRS)},
        },
        {"user": [u for u, _ in PAIRS], "item": [i for _, i in PAIRS]},
        {"columns": ["user", "item"], "index": list(range(30)), "data": [list(pair) for pair in PAIRS]},
        {"data": [{"user": u, "item": i} for u, i in PAIRS]},
        {"status": "ok", "n": 30, "rows": [{"user": u, "item": i} for u, i in PAIRS]},
        [{"user": u, "item": i} for u, i in PAIRS],
    ],
)  # fmt: skip
def test_json_by_columns_or_in_a_wrapping(found: object, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(found))
    assert shape(path) == (30, 6, 5)


@pytest.mark.parametrize("mark", ["\x01", "~", "^"])
@pytest.mark.parametrize("header", [["user", "item", "rating"], []])
def test_rarer_separators_are_found(mark: str, header: list[str], tmp_path: Path) -> None:
    lines = [mark.join(header)] if header else []
    lines += [mark.join([u, i, "3"]) for u, i in PAIRS]
    path = tmp_path / "r.txt"
    path.write_text("\n".join(lines) + "\n")
    assert shape(path) == (30, 6, 5)


def test_one_column_is_told_of_separators(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text("".join(f"{u}:{i}\n" for u, i in PAIRS))
    with pytest.raises(TableError, match=r"pass it with sep=\.\.\. \(--sep\)"):
        read_table(path)
    assert shape(path, sep=":") == (30, 6, 5)


def test_markdown_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_text("| user | item |\n|:---|---:|\n" + "".join(f"| {u} | {i} |\n" for u, i in PAIRS))
    with pytest.raises(TableError, match="Markdown"):
        read_table(path)


def test_a_first_line_like_all_others_names_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("".join(f"{u},{i}\n" for u, i in PAIRS))
    assert shape(path) == (30, 6, 5)
    path.write_text("x1,y1\n" + "".join(f"{u},{i}\n" for u, i in PAIRS))  # of their form, and never again
    assert shape(path, user_column="x1", item_column="y1") == (30, 6, 5)
    path.write_text("who,what\n" + "".join(f"{u},{i}\n" for u, i in PAIRS))
    assert shape(path, user_column="who", item_column="what") == (30, 6, 5)


@pytest.mark.parametrize(
    ("user", "item"),
    [("user_uuid", "product_uuid"), ("CustomerGUID", "sku"), ("email", "StockCode"), ("correo", "libro")],
)
def test_names_of_ids_that_people_have(user: str, item: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"{user},{item}\n" + "".join(f"{u},{i}\n" for u, i in PAIRS))
    assert shape(path) == (30, 6, 5)
