"""Files as people have them: every kind gives the same interactions, and docs/tables.md names each."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import json
import re
import shlex
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from scipy import sparse

from butaca.data.dataset import Dataset
from butaca.data.tables import read_table, read_test
from butaca.errors import SettingError, TableError
from tests.support.narrow import some

NAMES = ("userId", "movieId", "rating", "timestamp")
ROWS = [("u1", "i1", 4.5, 1_700_000_000), ("u2", "i2", 3.0, 1_700_000_100), ("u1", "i2", 1.0, 1_700_000_200)]
COLUMNS = {name: [row[i] for row in ROWS] for i, name in enumerate(NAMES)}
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
CSV = "userId,movieId,rating,timestamp\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)
HEAD, BODY = CSV[:32], CSV[32:]


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(folder: Path, members: dict[str, str], name: str = "r.zip") -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return folder / name


def zstd(folder: Path) -> Path:
    with pa.output_stream(str(folder / "r.csv.zst"), compression="zstd") as out:
        out.write(CSV.encode())
    return folder / "r.csv.zst"


def sqlite_file(folder: Path, name: str = "r.db") -> Path:
    with sqlite3.connect(folder / name) as con:
        con.execute("CREATE TABLE ratings (userId TEXT, movieId TEXT, rating REAL, timestamp INTEGER)")
        con.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", ROWS)
    con.close()
    return folder / name


def duckdb_file(folder: Path) -> Path:
    with duckdb.connect(str(folder / "r.duckdb")) as con:
        con.execute("CREATE TABLE r (userId VARCHAR, movieId VARCHAR, rating REAL, timestamp BIGINT)")
        con.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", ROWS)
    return folder / "r.duckdb"


def excel(folder: Path, rows: list[list[Any]] | None = None) -> Path:
    """A workbook as spreadsheets write it: shared texts, numbers, a date by its style."""
    texts: list[str] = []

    def cell(at: str, value: Any) -> str:
        if isinstance(value, str):
            texts.append(value)
            return f'<c r="{at}" t="s"><v>{len(texts) - 1}</v></c>'
        style = ' s="1"' if isinstance(value, np.datetime64) else ""
        number = (value - np.datetime64("1899-12-30")) / np.timedelta64(1, "D") if style else value
        return f'<c r="{at}"{style}><v>{number}</v></c>'

    table = rows or [list(NAMES), *map(list, ROWS)]
    lines = [
        f'<row r="{r}">'
        + "".join(cell(f"{chr(65 + i)}{r}", v) for i, v in enumerate(row) if v is not None)
        + "</row>"
        for r, row in enumerate(table, start=1)
    ]
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    sheet = f"<worksheet {main}><sheetData>{''.join(lines)}</sheetData></worksheet>"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return zipped(
        folder,
        {
            "xl/workbook.xml": f'<workbook {main} xmlns:r="{links}"><sheets>'
            '<sheet name="Sales" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
            'relationships"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/styles.xml": f'<styleSheet {main}><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
            "</styleSheet>",
            "xl/worksheets/sheet1.xml": sheet,
            "xl/sharedStrings.xml": f"<sst {main}>{''.join(f'<si><t>{t}</t></si>' for t in texts)}</sst>",
        },
        "r.xlsx",
    )


def parts(folder: Path) -> Path:
    head, *lines = CSV.splitlines(keepends=True)
    file(folder, "parts/part-0.csv", head + lines[0])
    file(folder, "parts/part-1.csv", head + "".join(lines[1:]))
    file(folder, "parts/_SUCCESS", "")
    return folder / "parts"


def parquet_parts(folder: Path) -> Path:
    for i in range(3):
        (folder / "pq" / f"day={i}").mkdir(parents=True)
        pq.write_table(pa.table(COLUMNS).slice(i, 1), folder / "pq" / f"day={i}" / "p.parquet")
    return folder / "pq"


def both_parts(folder: Path) -> list[str]:
    parts(folder)
    turned = "timestamp;rating;movieId;userId\n" + "".join(
        ";".join(map(str, reversed(row))) + "\n" for row in ROWS[1:]
    )
    return [str(folder / "parts/part-0.csv"), str(file(folder, "other.csv", turned))]


class PolarsFrame:
    """What polars has that reading asks for: names, a schema, a stream with its kind of text; and lazily."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @property
    def columns(self) -> list[str]:
        return list(self.table.column_names)

    @property
    def schema(self) -> Any:
        return type("Schema", (dict,), {"names": lambda self: list(self)})(
            {field.name: str(field.type) for field in self.table.schema}
        )

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        views = [
            column.cast(pa.string_view()) if pa.types.is_string(column.type) else column
            for column in self.table.columns
        ]
        return pa.table(views, names=self.columns).__arrow_c_stream__(requested_schema)

    def lazy(self) -> Any:
        return type("LazyFrame", (), {"collect_schema": lambda _: self.schema, "collect": lambda _: self})()


def polars_frame(folder: Path) -> Any:
    """Returns a frame of polars, or of a stand-in where it is not installed."""
    if not importlib.util.find_spec("polars"):
        return PolarsFrame(pa.table(COLUMNS))
    return importlib.import_module("polars").DataFrame(COLUMNS)


def test_the_stand_in_has_what_polars_has() -> None:
    polars = pytest.importorskip("polars")
    real, ours = polars.DataFrame(COLUMNS), PolarsFrame(pa.table(COLUMNS))
    assert real.columns == ours.columns
    assert callable(real.schema.names)
    assert pa.table(real).schema == pa.table(ours).schema
    assert hasattr(real.lazy(), "collect_schema")


def arrow_file(folder: Path) -> Path:
    feather.write_feather(pa.table(COLUMNS), folder / "r.feather")
    return folder / "r.feather"


def structured(folder: Path) -> Any:
    kinds = [("userId", "U8"), ("movieId", "U8"), ("rating", "f8"), ("timestamp", "i8")]
    return np.array([tuple(row) for row in ROWS], dtype=kinds)


class Stream:
    """What another library gives: an Arrow stream and nothing else."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return pa.table(COLUMNS).__arrow_c_stream__(requested_schema)


KINDS: dict[str, Callable[[Path], Any]] = {
    "csv": lambda p: file(p, "r.csv", CSV),
    "gzip": lambda p: file(p, "r.csv.gz", gzip.compress(CSV.encode())),
    "bz2": lambda p: file(p, "r.csv.bz2", bz2.compress(CSV.encode())),
    "zstd": zstd,
    "zip": lambda p: zipped(p, {"data/r.csv": CSV, "__MACOSX/._r.csv": "x"}),
    "zip, a member": lambda p: f"{zipped(p, {'r.csv': CSV, 'readme.csv': 'a'})}::r.csv",
    "zip of parts": lambda p: zipped(
        p, {f"p{i}.csv": HEAD + row for i, row in enumerate(BODY.splitlines(True))}
    ),
    "utf-16": lambda p: file(p, "r.csv", CSV.encode("utf-16")),
    "utf-16, big end first, gzip": lambda p: file(
        p, "r.csv.gz", gzip.compress(b"\xfe\xff" + CSV.encode("utf-16-be"))
    ),
    "blanks": lambda p: file(p, "r.txt", CSV.replace(",", "  ")),
    "blanks and tabs": lambda p: file(p, "r.txt", CSV.replace(",", " \t")),
    "sep=": lambda p: file(p, "r.csv", "sep=;\n" + CSV.replace(",", ";")),
    "comments": lambda p: file(p, "r.csv", "# made today\n#\n" + CSV.replace("u2", "# u2 is new\nu2")),
    "a header after #": lambda p: file(p, "r.csv", "#" + CSV),
    "decimal comma": lambda p: file(p, "r.csv", CSV.replace(",", ";").replace(".", ",")),
    "decimal comma, quoted": lambda p: file(
        p, "r.csv", CSV.replace("4.5", '"4,5"').replace("3.0", '"3,0"').replace("1.0", '"1,0"')
    ),
    "excel": excel,
    "excel, a sheet": lambda p: f"{excel(p)}::Sales",
    "feather": arrow_file,
    "parquet": lambda p: pq.write_table(pa.table(COLUMNS), p / "r.parquet") or p / "r.parquet",
    "json lines": lambda p: file(p, "r.jsonl", "\n".join(map(json.dumps, RECORDS))),
    "json": lambda p: file(p, "r.json", json.dumps(RECORDS)),
    "sqlite": sqlite_file,
    "sqlite, by its first bytes": lambda p: sqlite_file(p, "r.dat"),
    "sqlite, a table": lambda p: f"{sqlite_file(p)}::ratings",
    "sqlite, an address": lambda p: f"sqlite:///{sqlite_file(p)}",
    "duckdb": duckdb_file,
    "a folder": parts,
    "a folder of parquet": parquet_parts,
    "a pattern": lambda p: str(parts(p) / "part-*.csv"),
    "several files": both_parts,
    "pandas": lambda p: pd.DataFrame(COLUMNS),
    "polars": polars_frame,
    "polars, lazy": lambda p: polars_frame(p).lazy(),
    "arrow": lambda p: pa.table(COLUMNS),
    "arrow, a batch": lambda p: pa.table(COLUMNS).to_batches()[0],
    "arrow, a stream": lambda p: Stream(),
    "a mapping": lambda p: COLUMNS,
    "a structured array": structured,
}


def rows_of(data: Dataset) -> list[tuple[Any, ...]]:
    columns = [data.users.ids.decode(data.user), data.items.ids.decode(data.item), data.value, data.timestamp]
    return list(zip(*(c.tolist() for c in columns if c is not None), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    assert len(KINDS) > 20
    data = read_table(KINDS[kind](tmp_path))
    assert rows_of(data) == ROWS
    assert (data.users.key, data.items.key, data.value_name, data.time_name) == NAMES


def test_what_was_unpacked_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = zipped(tmp_path, {"r.csv": CSV})
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert len(read_table(source)) == 3
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (CSV.encode(), gzip.compress(CSV.encode()), json.dumps(RECORDS).encode()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        data = read_table("-")
        assert (rows_of(data), data.name) == (ROWS, "stdin")


class TestSeveral:
    def test_an_error_names_the_file_and_its_line(self, tmp_path: Path) -> None:
        file(tmp_path, "a.csv", "user,item\n1,2\n2,3\n")
        file(tmp_path, "b.csv", "user,item\n1,3\n,5\n")
        with pytest.raises(TableError, match=r"empty cell in column 'user', line 3 of .*b\.csv of"):
            read_table(tmp_path)
        file(tmp_path, "b.csv", "user,item\n1,3\n1,5,7\n")
        with pytest.raises(TableError, match=r"3 cells for 2 columns in line 3 of .*b\.csv"):
            read_table(tmp_path)

    def test_other_columns_or_kinds_are_refused(self, tmp_path: Path) -> None:
        file(tmp_path, "ratings.csv", CSV)
        file(tmp_path, "movies.csv", "movieId,title\n1,Heat\n")
        with pytest.raises(TableError, match=r"same columns.*ratings\.csv"):
            read_table(tmp_path)
        pq.write_table(pa.table(COLUMNS), tmp_path / "x.parquet")
        with pytest.raises(TableError, match="of one kind"):
            read_table(tmp_path)

    def test_said_and_named_by_the_folder(self, tmp_path: Path) -> None:
        data = read_table(parts(tmp_path))
        assert data.name == "parts"
        assert data.notes[0].startswith("2 files read as one table")

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="fits none"):
            read_table(str(tmp_path / "*.csv"))

    def test_a_zip_of_different_tables_is_asked_about(self, tmp_path: Path) -> None:
        path = zipped(tmp_path, {"ratings.csv": CSV, "movies.csv": "movieId,title\n1,x\n"})
        with pytest.raises(TableError, match=r"movies\.csv, ratings\.csv.*::movies\.csv"):
            read_table(path)
        with pytest.raises(TableError, match="can be read"):
            read_table(file(tmp_path, "r.zip", b"PK\x03\x04" + bytes(50)))


def test_a_workbooks_dates_and_empty_cells(tmp_path: Path) -> None:
    day = np.datetime64("2012-04-03T18:00:09")
    path = excel(tmp_path, [["user", "item", "date"], [1, "a", day], [2, None, day], [3, "b", day]])
    with pytest.raises(TableError, match="empty cell in column 'item', row 2"):
        read_table(path)
    assert rows_of(read_table(path, drop_nulls=True)) == [(1, "a", 1333476009), (3, "b", 1333476009)]
    with pytest.raises(TableError, match="whose sheets are Sales"):
        read_table(f"{path}::Costs")


class TestDatabases:
    def test_a_query(self, tmp_path: Path) -> None:
        sql = "SELECT userId AS user, movieId AS item FROM {} WHERE rating > 2"
        for path, table in ((sqlite_file(tmp_path), "ratings"), (duckdb_file(tmp_path), "r")):
            assert rows_of(read_table(path, query=sql.format(table))) == [row[:2] for row in ROWS[:2]]
            with pytest.raises(TableError, match=r"A query gives a table.*Correct the query"):
                read_table(path, query="SELECT nothing FROM nowhere")
        with pytest.raises(TableError, match="asked of a database"):
            read_table(file(tmp_path, "r.csv", CSV), query="SELECT 1")

    def test_several_tables_are_asked_about(self, tmp_path: Path) -> None:
        path = sqlite_file(tmp_path)
        with sqlite3.connect(path) as con:
            con.execute("CREATE TABLE films (id INTEGER)")
        con.close()
        with pytest.raises(TableError, match=r"whose tables are films, ratings.*--query"):
            read_table(path)

    def test_numbers_keep_their_kind_and_nothing_is_nothing(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "n.sqlite") as con:
            con.execute("CREATE TABLE t (user INTEGER, item INTEGER, rating REAL)")
            con.executemany(
                "INSERT INTO t VALUES (?, ?, ?)", [(1, 2**60, 1), (2, 2**60 + 1, 2.5), (None, 3, 4)]
            )
        con.close()
        with pytest.raises(TableError, match="empty cell in column 'user', row 3"):
            read_table(tmp_path / "n.sqlite")
        data = read_table(tmp_path / "n.sqlite", drop_nulls=True)
        assert rows_of(data) == [(1, 2**60, 1), (2, 2**60 + 1, 2.5)]

    @pytest.mark.skipif(find_spec("sqlalchemy") is None, reason="no SQLAlchemy")
    def test_an_address_that_does_not_answer_says_no_password(self) -> None:
        with pytest.raises((TableError, SettingError)) as caught:
            read_table("postgresql://me:secret@127.0.0.1:1/shop?connect_timeout=2", query="SELECT 1")
        assert "secret" not in str(caught.value)

    def test_a_real_postgresql(self, postgres_server: Any) -> None:
        address = postgres_server.fresh()
        values = ", ".join(map(str, ROWS))
        names = '"userId", "movieId", rating, timestamp'
        made = f"CREATE TABLE orders AS SELECT * FROM (VALUES {values}) AS t({names})"
        sa = pytest.importorskip("sqlalchemy")
        url = sa.engine.make_url(address).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url)
        with engine.begin() as con:
            con.execute(sa.text(made))
        engine.dispose()
        assert rows_of(read_table(address)) == ROWS
        assert rows_of(read_table(f"{address}::orders")) == ROWS
        query = "SELECT * FROM orders WHERE rating::INTEGER > 2 AND \"movieId\" LIKE 'i%'"
        assert rows_of(read_table(address, query=query)) == ROWS[:2]
        with pytest.raises(TableError, match="reached and read"):
            read_table(address, query="SELECT nothing FROM nowhere")


class TestWide:
    MATRIX = "user,i1,i2,i3\nu1,4,,5\nu2,0,3,\n"

    def test_users_by_items(self, tmp_path: Path) -> None:
        expected = [("u1", "i1", 4), ("u1", "i3", 5), ("u2", "i2", 3)]
        path = file(tmp_path, "w.csv", self.MATRIX)
        assert rows_of(read_table(path, wide=True)) == expected
        assert rows_of(read_table(pd.read_csv(path), wide=True)) == expected

    def test_a_message_names_ten_columns_and_what_to_pass(self, tmp_path: Path) -> None:
        many = (
            "user,"
            + ",".join(f"x{i}" for i in range(3000))
            + "\nu1"
            + ",1" * 3000
            + "\nu2"
            + ",1" * 3000
            + "\n"
        )
        with pytest.raises(TableError, match=r"and 2,991 more.*--wide") as caught:
            read_table(file(tmp_path, "w.csv", many))
        assert len(str(caught.value)) < 600
        assert len(read_table(tmp_path / "w.csv", wide=True)) == 6000

    @pytest.mark.parametrize(
        "found",
        [
            {"u1": ["i1", "i3"], "u2": ["i2", "i3"]},
            [{"user": "u1", "items": ["i1", "i3"]}, {"user": "u2", "items": ["i2", "i3"]}],
            [["u1", "i1"], ["u1", "i3"], ["u2", "i2"], ["u2", "i3"]],
        ],
    )
    def test_lists_in_json(self, found: Any, tmp_path: Path) -> None:
        path = file(tmp_path, "w.json", json.dumps(found))
        assert [r[:2] for r in rows_of(read_table(path, wide=True))] == [
            ("u1", "i1"), ("u1", "i3"), ("u2", "i2"), ("u2", "i3"),
        ]  # fmt: skip

    def test_values_in_json(self, tmp_path: Path) -> None:
        path = file(tmp_path, "w.json", json.dumps({"u1": {"i1": 4, "i2": 2}, "u2": {"i2": 5}}))
        assert rows_of(read_table(path, wide=True)) == [("u1", "i1", 4), ("u1", "i2", 2), ("u2", "i2", 5)]


class TestArrays:
    def test_sparse(self) -> None:
        matrix = sparse.csr_array(np.array([[0, 2, 0], [1, 0, 3]]))
        for one in (matrix, sparse.coo_matrix(matrix), matrix.tocsc()):
            assert sorted(rows_of(read_table(one))) == [(0, 1, 2), (1, 0, 1), (1, 2, 3)]

    def test_numpy(self) -> None:
        table = np.array([[0, 1, 2.5], [1, 0, 1]])
        assert rows_of(read_table(table)) == [(0, 1, 2.5), (1, 0, 1)]
        users_by_items = np.array([[0, 2, np.nan], [1, 0, 3]])
        assert rows_of(read_table(users_by_items, wide=True)) == [(0, 1, 2), (1, 0, 1), (1, 2, 3)]
        with pytest.raises(TableError, match=r"shape \(2, 9\).*wide=True"):
            read_table(np.zeros((2, 9)))


class TestText:
    def test_the_separator_as_asked(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.txt", CSV.replace(",", "~"))
        assert rows_of(read_table(path, sep="~")) == ROWS
        path = file(tmp_path, "r.txt", CSV.replace(",", "\t"))
        assert rows_of(read_table(path, sep="tab")) == ROWS
        for wrong in ("", "ab", '"'):
            with pytest.raises(SettingError, match="separator"):
                read_table(path, sep=wrong)

    def test_lines_keep_their_numbers(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.txt", "# a\n# b\nuser item\n1 2\n# c c c\n2  3\n3 4\n\n4 x y\n")
        with pytest.raises(TableError, match="3 cells for 2 columns in line 9"):
            read_table(path)
        path = file(tmp_path, "r.csv", "sep=,\nuser,item\n1,2\n,4\n")
        with pytest.raises(TableError, match="empty cell in column 'user', line 4"):
            read_table(path)

    def test_two_words_are_no_two_columns(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.tsv", "user\titem\nAna Gil\tThe Sting\nEva Roy\tThe Birds\n")
        assert rows_of(read_table(path)) == [("Ana Gil", "The Sting"), ("Eva Roy", "The Birds")]

    def test_lone_quotes_do_not_swallow_lines(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.tsv", 'user\titem\n1\t"A\n2\tB"\n3\tC\n')
        assert rows_of(read_table(path)) == [("1", '"A'), ("2", 'B"'), ("3", "C")]

    def test_the_netflix_prize(self, tmp_path: Path) -> None:
        path = file(
            tmp_path,
            "combined_data_1.txt",
            "1:\n30878,4,2005-12-26\n2:\n30878,3,2005-01-19\n7,5,2004-08-04\n",
        )
        data = read_table(path)
        assert [r[:3] for r in rows_of(data)] == [("30878", "1", 4), ("30878", "2", 3), ("7", "2", 5)]
        file(tmp_path, "combined_data_1.txt", "1:\n30878,4,2005-12-26\n2:\n30878,3\n")
        with pytest.raises(TableError, match="3 cells for 4 columns in line 4"):
            read_table(path)

    def test_thousands_are_no_decimals(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match=r"'1,234' in column 'weight', line 2.* 1234 .* and 1\.234"):
            read_table(file(tmp_path, "r.csv", "user;item;weight\n1;2;1,234\n2;3;2,000\n"))

    @pytest.mark.parametrize(
        ("text", "user"),
        [
            ("item20,user2,5\nitem3,user9,4\n", "user2"),
            ("B000GKXY4S,A3SBTW3WS4IQSN,5\nB000GKXY44,A3SBTW3WS4IQSA,4\n", "A3SBTW3WS4IQSN"),
            ("A3SBTW3WS4IQSN,0132793040,5\nA3SBTW3WS4IQSA,0132793041,4\n", "A3SBTW3WS4IQSN"),
            ("user_2,item_20,5\nuser_9,item_3,4\n", "user_2"),
        ],
    )
    def test_users_and_items_are_told_by_what_they_hold(self, text: str, user: str, tmp_path: Path) -> None:
        data = read_table(file(tmp_path, "r.csv", text))
        assert data.users.ids.decode(data.user)[0] == user

    def test_where_nothing_tells_it_is_said_how_to_turn_them(self, tmp_path: Path) -> None:
        data = read_table(file(tmp_path, "r.csv", "1,20,5\n2,30,4\n"))
        assert "if it is the item, pass user_column='column2'" in data.notes[0]


class TestIds:
    def test_words_for_nothing(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.csv", "user,item\nNULL,a\n\\N,b\nnan,c\nu,a\nv,b\n,c\n")
        with pytest.raises(TableError, match=r"empty cell.*drop_nulls=True or --drop-nulls"):
            read_table(path)
        data = read_table(path, drop_nulls=True)
        assert rows_of(data) == [("u", "a"), ("v", "b")]
        assert "user: 4 rows without one left out" in data.notes
        told = read_table(file(tmp_path, "r.csv", "user,item\nu,a\nNULL,b\nv,c\n")).notes[2]
        assert "1 row in which a word for nothing" in told
        assert "'NULL' in line 3" in told

    def test_errors_after_rows_were_left_out_name_the_lines_of_the_file(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.csv", "user,item,rating\n,a,1\nu,a,2\n,b,3\nv,b,x\n")
        with pytest.raises(TableError, match="'x' in column 'rating', line 5"):
            read_table(path, drop_nulls=True)
        with pytest.raises(TableError, match="lack one"):
            read_table(file(tmp_path, "r.csv", "user,item\n,a\n,b\n"), drop_nulls=True)

    def test_whole_floats(self, tmp_path: Path) -> None:
        path = file(tmp_path, "r.csv", "user,item\n14.0,1\n15.0,2\n")
        data = read_table(path)
        assert data.users.ids.values.tolist() == ["14", "15"]
        assert [data.users.ids.code(v) for v in ("14", 14, 14.0)] == [0, 0, 0]
        items = file(tmp_path, "i.csv", "item,title\n1.0,Heat\n2.0,Alien\n")
        assert read_table(path, items=items).items.columns["title"].tolist() == ["Heat", "Alien"]  # type: ignore[union-attr]
        numbers = read_table({"user": [14, 15], "item": [1, 2]})
        assert numbers.users.ids.code("14.0") == 0
        test = file(tmp_path, "t.csv", "user,item\n14.0,2\n")
        assert read_test(test, users=numbers.users, items=numbers.items).user.tolist() == [0]
        kept = read_table(file(tmp_path, "r.csv", "user,item\n1.0,a\n1.5,b\n")).users.ids.values.tolist()
        assert kept == ["1.0", "1.5"]

    @pytest.mark.parametrize(
        ("user", "item"),
        [
            ("CustomerID", "StockCode"),
            ("user_id", "recipe_id"),
            ("userId", "venue_id"),
            ("cliente", "artículo"),
            ("User-ID", "ISBN"),
            ("utilisateur_id", "livre_id"),
            ("Kunde", "Artikelnummer"),
            ("customer_no", "item_code"),
            ("player_id", "app_id"),
            ("用户", "商品"),
        ],
    )
    def test_usual_names(self, user: str, item: str) -> None:
        data = read_table({item: ["a", "b"], user: ["x", "y"], "Country": ["es", "fr"]})
        assert (data.users.key, data.items.key) == (user, item)


class TestItems:
    SEEN: ClassVar = {"user": ["x", "y", "x", "y", "z"], "item": ["1", "2", "3", "4", "1"]}

    def items(self, **columns: list[Any]) -> Dataset:
        return read_table(self.SEEN, items={"item": ["1", "2", "3", "4"], **columns})

    @pytest.mark.parametrize(
        "cells",
        [
            ["Comedy, Drama", "Drama", "Comedy", "Drama, Comedy"],
            ["Comedy;Drama", "Drama", "Comedy", "Drama; Comedy"],
            ["Comedy|Drama", "Drama", "Comedy", "Drama|Comedy"],
            ["['Comedy', 'Drama']", "['Drama']", "['Comedy']", "['Drama', 'Comedy']"],
            ['["Comedy", "Drama"]', '["Drama"]', '["Comedy"]', '["Drama", "Comedy"]'],
            [json.dumps([{"id": i, "name": n} for i, n in enumerate(c.split())])
             for c in ("Comedy Drama", "Drama", "Comedy", "Drama Comedy")],
            [["Comedy", "Drama"], ["Drama"], ["Comedy"], ["Drama", "Comedy"]],
        ],
    )  # fmt: skip
    def test_lists_in_every_spelling(self, cells: list[Any]) -> None:
        data = self.items(genres=cells)
        bags = [data.items["genres"][i].tolist() for i in range(4)]
        assert bags == [["Comedy", "Drama"], ["Drama"], ["Comedy"], ["Drama", "Comedy"]]
        assert any("item feature 'genres': lists" in note for note in data.notes)

    @pytest.mark.parametrize(
        "cells",
        [
            ["Matrix, The", "Sting, The", "Heat", "Alien"],
            ["King, Stephen", "King, Owen", "Hill, Joe", "King, Stephen"],
            ["Paris, France", "Lyon, France", "Rome, Italy", "Paris, France"],
            ["a long plot, with commas, of one", "another, of two, of three", "a third, of four", "x, y, z"],
        ],
    )
    def test_commas_that_are_no_lists(self, cells: list[str]) -> None:
        assert self.items(note=cells).items["note"].tolist() == cells  # type: ignore[union-attr]

    def test_a_stray_cell_is_told_and_the_column_stays_numbers(self, tmp_path: Path) -> None:
        lines = "".join(f"{i},{'-' if i == 7 else i / 2}\n" for i in range(1, 31))
        items = file(tmp_path, "i.csv", "item,price\n" + lines)
        data = read_table(self.SEEN, items=items)
        price = some(data.items["price"])
        assert np.isnan(price).sum() == 1  # type: ignore[call-overload]
        told = next(note for note in data.notes if "price" in note)
        assert "1 cell is no number, the first '-' in line 8" in told

    def test_years(self) -> None:
        made = self.items(title=["Heat (1995)", "Alien (1979)", "Jaws (1975)", "M (1931)"]).items["year"]
        assert made.tolist() == [1995, 1979, 1975, 1931]  # type: ignore[union-attr]
        own = self.items(release_year=["(1995)", "(1979)", "(1975)", "(1931)"])
        assert own.items["release_year"].tolist() == [1995, 1979, 1975, 1931]  # type: ignore[union-attr]
        assert "year" not in self.items(title=["Heat", "Alien", "Jaws", "M (1931)"]).items

    def test_without_a_header_by_position(self, tmp_path: Path) -> None:
        ratings = file(tmp_path, "r.dat", "1::1::4\n2::2::5\n")
        movies = file(tmp_path, "m.dat", "1::Toy Story (1995)::Comedy|Drama\n2::Heat (1995)::Drama\n")
        users = file(tmp_path, "u.dat", "1::F::25\n2::M::56\n")
        data = read_table(ratings, items=movies, users=users)
        assert data.items["title"].tolist() == ["Toy Story (1995)", "Heat (1995)"]  # type: ignore[union-attr]
        assert data.items["genres"][0].tolist() == ["Comedy", "Drama"]
        assert data.users["column2"].tolist() == ["F", "M"]  # type: ignore[union-attr]
        assert any("no header line" in note and "column2 is 'title'" in note for note in data.notes)

    def test_columns_that_are_not_read_are_named_with_their_use(self) -> None:
        notes = read_table(
            {"user": ["a", "b"], "item": ["x", "y"], "price": [1, 2], "gender": ["F", "M"], "k": [1, 2]}
        ).notes
        assert "ignored: 'price', 'gender', 'k'" in notes
        assert any("describe items" in n and "'price'" in n and "--items" in n for n in notes)
        assert any("describe users" in n and "'gender'" in n and "--users" in n for n in notes)


class TestCore:
    PAIRS: ClassVar = {
        "user": ["a", "a", "b", "b", "c", "d", "d"],
        "item": ["x", "y", "x", "y", "z", "x", "z"],
    }

    def test_again_and_again(self) -> None:
        # z has c and d; c has one item, so goes, then z has d alone and goes, then d has x alone and goes
        data = read_table(self.PAIRS, min_user=2, min_item=2)
        assert rows_of(data) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
        assert data.users.ids.values.tolist() == ["a", "b"]
        assert "4 of 7 interactions, 2 of 4 users and 2 of 3 items are left" in data.notes[-1]

    def test_features_follow_and_nothing_left_is_an_error(self) -> None:
        items = {"item": ["w", "x", "y", "z"], "title": ["W", "X", "Y", "Z"]}
        data = read_table(self.PAIRS, items=items, min_user=2, min_item=2)
        assert data.items.columns["title"].tolist() == ["X", "Y"]  # type: ignore[union-attr]
        with pytest.raises(TableError, match="Ask for less"):
            read_table(self.PAIRS, min_user=3)
        with pytest.raises(SettingError, match="min_user"):
            read_table(self.PAIRS, min_user=-1)


DOC = Path(__file__).parents[2] / "docs" / "tables.md"


def documented(of: str) -> list[str]:
    """The sources that the page lists, of the command or of Python."""
    text = DOC.read_text(encoding="utf-8").partition("## Where it comes from")[2].partition("## Columns")[0]
    command, _, python = text.partition("In Python, SOURCE is also")
    lines = (command if of == "command" else python).splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[2].strip() for line in lines if line.startswith("| ")]
    return [cell.strip("`") for cell in cells if cell.startswith("`")]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file that the page names."""
    monkeypatch.chdir(tmp_path)
    head, *lines = CSV.splitlines(keepends=True)
    file(tmp_path, "ratings.csv", CSV)
    file(tmp_path, "ratings.csv.gz", gzip.compress(CSV.encode()))
    zipped(tmp_path, {"ratings.csv": CSV}, "ratings.zip")
    zipped(tmp_path, {"ratings.csv": CSV, "films.csv": "movieId,title\n"}, "shop.zip")
    parts(tmp_path)
    file(tmp_path, "january.csv", head + lines[0])
    file(tmp_path, "february.csv", head + "".join(lines[1:]))
    file(tmp_path, "unicode.csv", CSV.encode("utf-16"))
    rows = [head.strip() + ",país", *(line.strip() + ",España" for line in lines)]
    file(tmp_path, "latin.csv", "\n".join(rows).encode("cp1252"))
    nested = ({"user": {"id": r["userId"]}, "movie": {"id": r["movieId"]}} for r in RECORDS)
    file(tmp_path, "nested.jsonl", "\n".join(map(json.dumps, nested)))
    file(tmp_path, "blanks.txt", CSV.replace(",", " "))
    file(tmp_path, "tilde.txt", CSV.replace(",", "~"))
    file(tmp_path, "excel.csv", "sep=;\n" + CSV.replace(",", ";"))
    file(tmp_path, "spain.csv", CSV.replace(",", ";").replace(".", ","))
    pq.write_table(pa.table(COLUMNS), tmp_path / "ratings.parquet")
    file(tmp_path, "ratings.jsonl", "\n".join(map(json.dumps, RECORDS)))
    file(tmp_path, "lists.json", json.dumps({"u1": ["i1", "i2"], "u2": ["i2"]}))
    file(tmp_path, "baskets.csv", 'user,items\nu1,"i1, i2"\nu2,i2\n')
    file(tmp_path, "matrix.csv", "userId,i1,i2\nu1,4.5,1\nu2,,3\n")
    netflix = "1:\nu1,4.5,2020-01-01\n2:\nu2,3,2020-01-01\nu1,1,2020-01-01\n"
    file(tmp_path, "combined_data_1.txt", netflix)
    excel(tmp_path).rename(tmp_path / "ratings.xlsx")
    arrow_file(tmp_path).rename(tmp_path / "ratings.feather")
    sqlite_file(tmp_path, "shop.sqlite")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as con:
        con.execute("CREATE TABLE ratings AS FROM read_csv('ratings.csv')")
    return tmp_path


@pytest.mark.parametrize("line", documented("command"))
def test_every_line_of_the_page(line: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV.encode())))
    words, sources = iter(shlex.split(line)), []
    options: dict[str, Any] = {}
    for word in words:
        if word == "--wide":
            options["wide"] = True
        elif word.startswith("--"):
            options[word.removeprefix("--")] = next(words)
        else:
            sources.append(word)
    data = read_table(sources[0] if len(sources) == 1 else sources, **options)
    pairs = sorted((str(r[0]), str(r[1])) for r in rows_of(data))
    expected = [("u1", "i1"), ("u1", "i2"), ("u2", "i2")]
    if line.startswith("combined"):
        expected = [(user, item.strip("i")) for user, item in expected]
    assert pairs == expected


@pytest.mark.parametrize("line", documented("python"))
def test_every_line_of_the_page_in_python(line: str, shop: Path) -> None:
    known = {"pd": pd, "pa": pa, "columns": COLUMNS, "structured": structured(shop), "dict": dict}
    assert rows_of(read_table(eval(line, known))) == ROWS


def test_the_page_lists_more_than_twenty_kinds() -> None:
    assert len(documented("command")) > 20
    assert len(documented("python")) >= 4
