"""Tables of one's own: every format, every rule for columns and cells, every refusal with its cure."""

from __future__ import annotations

import csv
import decimal
import gzip
import io
import json
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from butaca.data.bags import Bags
from butaca.data.dataset import Dataset, Entities
from butaca.data.repeats import Duplicates
from butaca.data.tables import read_table, read_test
from butaca.data.vocabulary import Vocabulary
from butaca.errors import ButacaError, SettingError, TableError
from tests.support.narrow import lists, one_each, some


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes text or bytes to a file and returns its path."""

    def _write(content: str | bytes, name: str = "ratings.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


@contextmanager
def refuses(*parts: object, kind: type[ButacaError] = TableError) -> Iterator[None]:
    """The error's message holds every part, and the error says rule, received and cure."""
    with pytest.raises(kind) as caught:
        yield
    for part in parts:
        assert str(part) in str(caught.value)
    assert caught.value.rule
    assert caught.value.received
    assert caught.value.cure


def rows(data: Dataset) -> list[tuple[Any, ...]]:
    """The interactions as raw values: (user, item[, value][, time])."""
    columns = [data.users.ids.decode(data.user), data.items.ids.decode(data.item), data.value, data.timestamp]
    return list(zip(*(c.tolist() for c in columns if c is not None), strict=True))


# Two users, two films whose ids differ only in leading zeros.
BASE = [("ana", "007", 4.5, 100), ("eva", "7", 3.0, 200), ("ana", "7", 1.0, 300)]
NAMES = ("userId", "movieId", "rating", "timestamp")
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in BASE]
COLUMNS = {name: [record[name] for record in RECORDS] for name in NAMES}
CSV = "userId,movieId,rating,timestamp\nana,007,4.5,100\neva,7,3,200\nana,7,1,300\n"


def duckdb_file(path: Path) -> str:
    with duckdb.connect(str(path / "store.duckdb")) as con:
        con.execute("CREATE TABLE ratings (userId VARCHAR, movieId VARCHAR, rating REAL, timestamp BIGINT)")
        con.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", BASE)
        con.execute("CREATE TABLE other AS SELECT 1 AS x")
    return f"{path / 'store.duckdb'}::ratings"


def written(path: Path, name: str, content: str | bytes) -> Path:
    (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return path / name


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path / "ratings.parquet")
    return path / "ratings.parquet"


def asked(role: str, name: str) -> dict[str, Any]:
    return {f"{role}_column": name}


FORMATS: dict[str, Callable[[Path], object]] = {
    "csv": lambda p: written(p, "ratings.csv", CSV),
    "csv as str": lambda p: str(written(p, "ratings.csv", CSV)),
    "csv, quoted": lambda p: written(p, "r.csv", CSV.replace("ana", '"ana"')),
    "csv, CR LF": lambda p: written(p, "r.csv", CSV.replace("\n", "\r\n")),
    "csv, CR": lambda p: written(p, "r.csv", CSV.replace("\n", "\r")),
    "csv, byte order mark": lambda p: written(p, "r.csv", CSV.encode("utf-8-sig")),
    "csv, blank lines": lambda p: written(p, "r.csv", "\n\n" + CSV.replace("\neva", "\n\neva") + "\n"),
    "csv, no last line end": lambda p: written(p, "r.csv", CSV.rstrip("\n")),
    "csv, blanks around": lambda p: written(p, "r.csv", CSV.replace(",", " , ")),
    "csv, semicolons": lambda p: written(p, "r.csv", CSV.replace(",", ";")),
    "csv, bars": lambda p: written(p, "r.txt", CSV.replace(",", "|")),
    "csv, pattern in name": lambda p: written(p, "r[1]*?.csv", CSV),
    "tsv": lambda p: written(p, "ratings.tsv", CSV.replace(",", "\t")),
    "::": lambda p: written(p, "ratings.dat", CSV.replace(",", "::")),
    "gzip": lambda p: written(p, "ratings.csv.gz", gzip.compress(CSV.encode())),
    "gzip of another name": lambda p: written(p, "ratings", gzip.compress(CSV.encode())),
    "parquet": lambda p: parquet(p, COLUMNS),
    "json lines": lambda p: written(p, "r.jsonl", "\n".join(map(json.dumps, RECORDS))),
    "json lines, gzip": lambda p: written(
        p, "r.ndjson.gz", gzip.compress("\n".join(map(json.dumps, RECORDS)).encode())
    ),
    "json list": lambda p: written(p, "r.json", json.dumps(RECORDS)),
    "duckdb": duckdb_file,
    "pandas": lambda p: pd.DataFrame(COLUMNS),
    "pandas, objects": lambda p: pd.DataFrame(COLUMNS, dtype=object),
    "pandas, categories": lambda p: pd.DataFrame(COLUMNS).astype({"userId": "category"}),
    "pandas, nullable": lambda p: pd.DataFrame(COLUMNS).astype({"timestamp": "Int64", "rating": "Float32"}),
    "pyarrow": lambda p: pa.table(COLUMNS),
    "pyarrow, dictionary": lambda p: pa.table(COLUMNS).set_column(
        0, "userId", pa.array(COLUMNS["userId"]).dictionary_encode()
    ),
    "lists": lambda p: COLUMNS,
    "arrays": lambda p: {name: np.array(column) for name, column in COLUMNS.items()},
    "arrays of bytes": lambda p: COLUMNS | {"movieId": np.array([b"007", b"7", b"7"])},
    "series": lambda p: {name: pd.Series(column) for name, column in COLUMNS.items()},
}


@pytest.mark.parametrize("source", FORMATS)
def test_every_format_gives_the_same_data(source: str, tmp_path: Path) -> None:
    data = read_table(FORMATS[source](tmp_path))
    assert data.users.key == "userId"
    assert data.users.ids.values.tolist() == ["ana", "eva"]
    assert data.items.key == "movieId"
    assert data.items.ids.values.tolist() == ["007", "7"]
    assert rows(data) == BASE
    assert data.user.dtype == data.item.dtype == np.int32
    assert data.value is not None
    assert data.value.dtype == np.float32
    assert data.timestamp is not None
    assert data.timestamp.dtype == np.int64
    assert (data.value_name, data.time_name) == ("rating", "timestamp")
    assert data.notes == (
        "user: column 'userId' (by name)",
        "item: column 'movieId' (by name)",
        "value: column 'rating' (by name)",
        "time: column 'timestamp' (by name), seconds since 1970, from 1970-01-01 to 1970-01-01; "
        + data.notes[3].partition("; ")[2],
    )


class TestName:
    def test_of_the_file_the_table_or_the_caller(self, tmp_path: Path) -> None:
        assert read_table(FORMATS["gzip"](tmp_path)).name == "ratings"
        assert read_table(duckdb_file(tmp_path)).name == "ratings"
        assert read_table(COLUMNS).name == "data"
        assert read_table(COLUMNS, name="films").name == "films"


class TestIds:
    @pytest.mark.parametrize(
        "ids",
        [
            np.array([10, 9, 10], dtype=np.int64),
            np.array([10, 9, 10], dtype=np.uint8),
            np.array([10.0, 9.0, 10.0]),
            [decimal.Decimal(10), decimal.Decimal(9), decimal.Decimal("10.0")],
            pd.array([10, 9, 10], dtype="Int64"),
        ],
    )
    def test_whole_numbers_of_any_type_are_int64_in_numeric_order(self, ids: object) -> None:
        data = read_table({"user": ids, "item": ["a", "b", "b"]})
        assert data.users.ids.values.dtype == np.int64
        assert data.users.ids.values.tolist() == [9, 10]
        assert data.user.tolist() == [1, 0, 1]

    def test_of_a_text_file_are_text_in_text_order(self, write: Callable[..., Path]) -> None:
        data = read_table(write("user,item\n10,1\n9,01\n"))
        assert data.users.ids.values.tolist() == ["10", "9"]
        assert data.items.ids.values.tolist() == ["01", "1"]
        assert data.users.ids.is_text

    def test_that_look_like_dates_or_numbers_stay_the_text_they_are(self, tmp_path: Path) -> None:
        token = str(uuid.UUID(int=10)).upper()
        records = [{"user": token, "item": "2020-01-01"}, {"user": "1", "item": "2020-01-02T00:00:00Z"}]
        data = read_table(written(tmp_path, "r.jsonl", "\n".join(map(json.dumps, records))))
        assert rows(data) == [(token, "2020-01-01"), ("1", "2020-01-02T00:00:00Z")]
        table = written(tmp_path, "r.csv", "user,item\n1e5,2020-01-01\n0x1F,2020-01-02\n")
        assert rows(read_table(table)) == [("1e5", "2020-01-01"), ("0x1F", "2020-01-02")]

    def test_uuids_are_text(self) -> None:
        data = read_table({"user": [uuid.UUID(int=1), uuid.UUID(int=2)], "item": [1, 2]})
        assert data.users.ids.values.tolist() == [str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]

    def test_numbers_and_text_mixed_are_text(self, tmp_path: Path) -> None:
        late = [*range(2999), "x", 3000]  # where no sample of every third row finds it
        assert read_table({"user": late, "item": late}).users.ids.is_text
        path = written(tmp_path, "r.jsonl", '{"user": 1, "item": 1}\n{"user": "a", "item": 2}\n')
        assert rows(read_table(path)) == [("1", 1), ("a", 2)]

    def test_a_late_fraction_is_not_rounded_to_an_id(self) -> None:
        late = np.array([*range(2999), 1.5, 3000], dtype=object)
        with refuses("'1.5' in column 'user', row 3000"):
            read_table({"user": late, "item": late})

    @pytest.mark.parametrize("empty", ["", "  ", '""'])
    def test_empty_in_a_text_file(self, empty: str, write: Callable[..., Path]) -> None:
        path = write(f"user,item\n1,2\n{empty},3\n2,3\n{empty},4\n")
        with refuses("has a user", "empty cell", "'user'", "line 3 of", path, "1 more", "remove the row"):
            read_table(path)

    def test_empty_is_found_on_its_line_whatever_came_before(self, write: Callable[..., Path]) -> None:
        path = write('user,note,item\n\n1,"one\n\ntwo, ""three""",2\n2,x,\n')
        with refuses("has an item", "empty cell in column 'item', line 6 of"):
            read_table(path)

    @pytest.mark.parametrize("empty", [None, np.nan, pd.NA, "", " "])
    def test_empty_in_a_frame(self, empty: object) -> None:
        with refuses("empty cell", "'item'", "row 2 (counting from 1) of the table passed", "remove the row"):
            read_table(pd.DataFrame({"user": [1, 2, 3], "item": pd.Series(["a", empty, "b"], dtype=object)}))

    def test_numbers_that_pandas_made_real_because_of_a_null(self) -> None:
        frame = pd.DataFrame({"user": [1, 2, None, None], "item": [1, 2, 3, 4]})
        with refuses("empty cell in column 'user', row 3", "1 more"):
            read_table(frame)
        assert read_table(frame.dropna()).users.ids.values.tolist() == [1, 2]

    @pytest.mark.parametrize("wrong", [2.5, 2.0**53 + 2, np.inf])
    def test_real_numbers_that_are_no_whole_ones(self, wrong: float) -> None:
        with refuses("text or whole numbers", "column 'user', row 2", "as text or as integers"):
            read_table({"user": np.array([1.0, wrong]), "item": [1, 2]})

    def test_beyond_64_bits(self) -> None:
        with refuses("64 bits", "'18446744073709551615'", "column 'user', row 2", "as text"):
            read_table({"user": np.array([1, 2**64 - 1], dtype=np.uint64), "item": [1, 2]})

    @pytest.mark.parametrize(
        ("ids", "held"),
        [
            ([True, False], "true and false"),
            (np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"), "dates or times"),
            ([[1], [2]], "lists"),
            ([b"a", b"b"], "structures or bytes"),
        ],
    )
    def test_of_other_types(self, ids: object, held: str) -> None:
        with refuses(
            "text or whole numbers", "column 'user' of the table passed", held, "Convert it to text"
        ):
            read_table({"user": ids, "item": [1, 2]})


class TestColumns:
    @pytest.mark.parametrize(
        ("user", "item", "value", "time"),
        [
            ("userId", "movieId", "rating", "timestamp"),
            ("user_id", "item_id", "score", "event_time"),
            ("USER ID", "Product-ID", "Stars", "DateTime"),
            ("uid", "asin", "overall", "unixReviewTime"),
            ("customer_id", "sku", "quantity", "created_at"),
            ("visitorid", "itemid", "weight", "ts"),
            ("reviewerID", "parent_asin", "value", "date"),
            ("username", "title", "play_count", "time"),
            ("usuario", "película", "valoración", "fecha"),
            ("id_usuario", "Título", "Puntuación", "hora"),
            ("Cliente", "artículo", "calificacion", "fecha_hora"),
            ("listener", "track", "plays", "watched_at"),
        ],
    )
    def test_are_found_by_name(self, user: str, item: str, value: str, time: str) -> None:
        data = read_table({time: [1, 2], value: [3, 4], item: ["a", "b"], user: ["x", "y"], "extra": [5, 6]})
        assert (data.users.key, data.items.key) == (user, item)
        assert (data.value_name, data.time_name) == (value, time)
        assert rows(data) == [("x", "a", 3, 1), ("y", "b", 4, 2)]
        assert data.notes[-1] == "ignored: 'extra'"

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (("user_name", "title", "user_id", "movie_id"), ("user_id", "movie_id")),
            (("user", "film", "userId", "filmId"), ("userId", "filmId")),
            (("user", "movie", "user name", "movie title"), ("user", "movie")),
        ],
    )
    def test_an_id_is_surer_than_a_name(self, names: tuple[str, ...], expected: tuple[str, str]) -> None:
        data = read_table({name: ["a", "b"] for name in names})
        assert (data.users.key, data.items.key) == expected

    def test_value_and_time_are_optional(self) -> None:
        data = read_table({"user": [1, 2], "item": [1, 2]})
        assert data.value is None
        assert data.timestamp is None
        assert (data.value_name, data.time_name) == ("value", "timestamp")

    def test_as_asked(self) -> None:
        source = {"a": [1, 2], "user": [3, 4], "c": [5, 6], "d": [7, 8]}
        data = read_table(source, user_column="c", item_column="user", value_column="a", time_column="D")
        assert rows(data) == [(5, 3, 1, 7), (6, 4, 2, 8)]
        assert data.notes == (
            "user: column 'c' (as asked)",
            "item: column 'user' (as asked)",
            "value: column 'a' (as asked)",
            "time: column 'd' (as asked), seconds since 1970, from 1970-01-01 to 1970-01-01; "
            + data.notes[3].partition("; ")[2],
        )

    def test_an_empty_name_asks_for_none(self) -> None:
        data = read_table(COLUMNS, value_column="", time_column="")
        assert data.value is None
        assert data.timestamp is None
        assert data.notes[-1] == "ignored: 'rating', 'timestamp'"

    def test_the_time_is_the_only_column_that_holds_times(self, write: Callable[..., Path]) -> None:
        moments = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[s]")
        data = read_table({"user": [1, 2], "item": [1, 2], "when": moments})
        assert rows(data) == [(1, 1, 1577836800), (2, 2, 1577923200)]
        assert "time: column 'when' (by type: the only one that holds times)" in data.notes[2]
        data = read_table(write("user,item,when\n1,2,2020-01-01\n2,3,2020-01-02 00:00\n"))
        assert rows(data) == [("1", "2", 1577836800), ("2", "3", 1577923200)]

    def test_a_name_counts_only_if_the_column_can_be_it(self) -> None:
        days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[s]")
        source = {"user": days, "username": ["a", "b"], "item": [1, 2], "stars": [[1], [2]], "value": [3, 4]}
        data = read_table(source | {"timestamp": [True, False], "date": [5, 6]})
        assert rows(data) == [("a", 1, 3, 5), ("b", 2, 4, 6)]
        assert data.notes[-1] == "ignored: 'user', 'stars', 'timestamp'"

    def test_the_kinds_of_a_large_file_do_not_hang_on_where_the_sample_ends(
        self, write: Callable[..., Path]
    ) -> None:
        for pad in range(15):  # lines of 15 bytes: the sample ends within each byte of one once
            path = write(f"user,item,when{'x' * pad}\n" + "1,2,2020-01-01\n" * 5000 + "2,3,2020-01-02\n")
            assert read_table(path).timestamp is not None

    @pytest.mark.parametrize(
        ("source", "role", "left"),
        [
            ({"who": [1, 2], "movieId": [3, 4], "rating": [5, 6]}, "user", "who"),
            ({"title": ["Heat", "Alien"], "year": [1995, 1979]}, "user", "year"),
            ({"user": [1, 2], "age": [3, 4]}, "item", "age"),
        ],
    )
    def test_the_only_column_left_is_not_taken(self, source: dict[str, Any], role: str, left: str) -> None:
        with refuses(f"known to be the {role}", f"If {left!r} is it, say so", f"--{role}-column"):
            read_table(source)

    @pytest.mark.parametrize(
        ("source", "role", "columns"),
        [
            ({"user": [1], "movieId": [1], "trackId": [1]}, "item", "'movieId', 'trackId'"),
            ({"user_id": [1], "customer_id": [1], "item": [1]}, "user", "'user_id', 'customer_id'"),
            ({"user": [1], "item": [1], "rating": [1], "score": [1]}, "value", "'rating', 'score'"),
            ({"user": [1], "item": [1], "date": [1], "time": [1]}, "time", "'date', 'time'"),
            ({"user": [1], "item": [1]} | {n: np.array([0], "M8[s]") for n in "ab"}, "time", "'a', 'b'"),
        ],
    )
    def test_ambiguous(self, source: dict[str, Any], role: str, columns: str) -> None:
        with refuses(f"is the {role}", columns, f"--{role}-column", f"{role}_column="):
            read_table(source)

    def test_an_ambiguous_value_may_be_none(self) -> None:
        source = {"user": [1, 2], "item": [1, 2], "rating": [1, 2], "score": [1, 2]}
        with refuses("an empty name means none"):
            read_table(source)
        assert read_table(source, value_column="").value is None

    @pytest.mark.parametrize(
        ("names", "role"),
        [(("a", "b", "item"), "user"), (("user", "a", "b"), "item"), (("a", "b", "rating"), "user")],
    )
    def test_not_found(self, names: tuple[str, ...], role: str) -> None:
        with refuses("a user and an item column", ", ".join(map(repr, names)), f"--{role}-column"):
            read_table({name: [1, 2] for name in names})

    @pytest.mark.parametrize("role", ["user", "item", "value", "time"])
    def test_asked_for_but_not_there(self, role: str) -> None:
        with refuses(f"The {role} column", "'ratin'", "'userId', 'movieId'", "'rating'?", f"--{role}-column"):
            read_table(COLUMNS, **asked(role, "ratin"))

    @pytest.mark.parametrize("role", ["user", "item"])
    def test_user_and_item_cannot_be_none(self, role: str) -> None:
        with refuses(f"The {role} column", "''", f"--{role}-column"):
            read_table(COLUMNS, **asked(role, ""))

    def test_one_column_twice(self) -> None:
        with refuses("different columns", "'movieId' as user and as item", "--item-column"):
            read_table(COLUMNS, user_column="movieId", item_column="movieId")

    def test_a_column_asked_for_is_not_taken_for_anything_else(self) -> None:
        with refuses("has a user and an item column", "known to be the item"):
            read_table({"user": [1, 2], "item": [1, 2]}, value_column="item")

    def test_two_columns_of_one_name(self, write: Callable[..., Path]) -> None:
        with refuses("own name", "2 columns called 'item'", "Rename"):
            read_table(write("user,item,item\n1,2,3\n"))
        with refuses("own name", "2 columns called 'item'"):
            read_table(pd.DataFrame([[1, 2, 3]], columns=["user", "item", "item"]))

    def test_names_that_differ_in_case_only_are_two(self, write: Callable[..., Path]) -> None:
        data = read_table(write("user,X,x\na,1,2\nb,3,4\n"), item_column="x")
        assert rows(data) == [("a", "2"), ("b", "4")]
        data = read_table(pd.DataFrame({"user": ["a", "b"], "X": [1, 3], "x": [2, 4]}), item_column="x")
        assert rows(data) == [("a", 2), ("b", 4)]

    def test_recbole_names_carry_types(self, write: Callable[..., Path]) -> None:
        data = read_table(write("user_id:token\titem_id:token\trating:float\n1\t2\t3\n2\t3\t4\n", "ml.inter"))
        assert (data.users.key, data.items.key, data.value_name) == ("user_id", "item_id", "rating")


class TestHeaderless:
    def test_movielens_100k(self, write: Callable[..., Path]) -> None:
        data = read_table(write("196\t242\t3\t881250949\n186\t302\t4\t891717742\n", "u.data"))
        assert rows(data) == [("196", "242", 3, 881250949), ("186", "302", 4, 891717742)]
        assert (data.users.key, data.items.key) == ("user_id", "item_id")
        assert (data.value_name, data.time_name) == ("value", "timestamp")
        assert data.notes == (
            "user: column 'user_id' (column1 by position, for want of a header line; if it is the item, pass "
            "user_column='column2' and item_column='column1')",
            "item: column 'item_id' (column2 by position, for want of a header line)",
            "value: column 'value' (column3 by position, for want of a header line)",
            "time: column 'timestamp' (column4 by position, for want of a header line), seconds since 1970, "
            "from 1997-12-04 to 1998-04-04",
        )

    def test_movielens_1m(self, write: Callable[..., Path]) -> None:
        data = read_table(write("1::1193::5::978300760\n2::661::3::978302109\n", "ratings.dat"))
        assert rows(data) == [("1", "1193", 5, 978300760), ("2", "661", 3, 978302109)]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1,5\n2,6\n", [("1", "5"), ("2", "6")]),
            ("1,5,3\n2,6,4.5\n", [("1", "5", 3), ("2", "6", 4.5)]),
            ("1,5,881250949\n2,6,891717742\n", [("1", "5", 881250949), ("2", "6", 891717742)]),
            ("1,5,2020-01-01\n2,6,2020-01-02\n", [("1", "5", 1577836800), ("2", "6", 1577923200)]),
            ("1,5,2020-01-01,3\n2,6,2020-01-02,4\n", [("1", "5", 3, 1577836800), ("2", "6", 4, 1577923200)]),
        ],
    )
    def test_two_to_four_columns(
        self, text: str, expected: list[tuple[Any, ...]], write: Callable[..., Path]
    ) -> None:
        assert rows(read_table(write(text))) == expected

    def test_a_third_column_of_times_is_no_value(self, write: Callable[..., Path]) -> None:
        data = read_table(write("1,5,881250949\n2,6,891717742\n"))
        assert data.value is None
        assert data.timestamp is not None

    def test_more_columns_must_be_named(self, write: Callable[..., Path]) -> None:
        path = write("1,5,3,0,7\n2,6,4,0,8\n")
        with refuses("'column1', 'column2'", "--user-column", "a first line that names its columns"):
            read_table(path)
        data = read_table(path, user_column="column1", item_column="column2", value_column="column5")
        assert rows(data) == [("1", "5", 7), ("2", "6", 8)]

    def test_text_without_a_header_can_be_counted_too(self, write: Callable[..., Path]) -> None:
        data = read_table(write("ana,Heat\neva,Alien\n"), user_column="column1", item_column="column2")
        assert rows(data) == [("ana", "Heat"), ("eva", "Alien")]

    def test_line_1_is_the_first_row(self, write: Callable[..., Path]) -> None:
        with refuses("empty cell", "'item_id'", "line 2 of"):
            read_table(write("1,5,3\n2,,4\n"))

    def test_a_header_that_holds_a_number_is_still_one(self, write: Callable[..., Path]) -> None:
        assert rows(read_table(write("user,item,1990\na,b,1\nc,d,0\n"))) == [("a", "b"), ("c", "d")]
        data = read_table(write("who,what,1990\na,b,1\nc,d,0\n"), user_column="who", item_column="what")
        assert rows(data) == [("a", "b"), ("c", "d")]

    def test_a_nameless_column_is_called_by_its_number(self, write: Callable[..., Path]) -> None:
        data = read_table(write(",user,item\n0,a,b\n1,c,d\n"))
        assert rows(data) == [("a", "b"), ("c", "d")]
        assert data.notes[-1] == "ignored: 'column1'"


class TestValues:
    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            (["4.5", "-1"], [4.5, -1]),
            (["1e2", " 3. "], [100, 3]),
            ([True, False], [1, 0]),
            ([decimal.Decimal("0.5"), decimal.Decimal(2)], [0.5, 2]),
            (np.array([3, -4], dtype=np.int8), [3, -4]),
            (np.array([3, 4], dtype=np.float16), [3, 4]),
        ],
    )
    def test_any_finite_numbers(self, cells: object, expected: list[float]) -> None:
        data = read_table({"user": [1, 2], "item": [1, 2], "rating": cells})
        assert data.value is not None
        assert data.value.tolist() == expected

    @pytest.mark.parametrize("wrong", ["nan", "inf", "-inf", "1e39", "four", "4 starfish", "1_0", "0x4"])
    def test_what_is_no_finite_number(self, wrong: str, write: Callable[..., Path]) -> None:
        path = write(f"user,item,rating\n1,2,3\n2,3,{wrong}\n3,4,{wrong}\n")
        with refuses(
            "finite number", repr(wrong.strip('"')), "'rating'", "line 3", "1 more", "--value-column"
        ):
            read_table(path)

    @pytest.mark.parametrize("wrong", [np.inf, -np.inf, 1e39])
    def test_what_is_not_finite_in_a_frame(self, wrong: float) -> None:
        with refuses("finite number", "column 'rating', row 2"):
            read_table({"user": [1, 2], "item": [1, 2], "rating": np.array([1.0, wrong])})

    def test_empty(self, write: Callable[..., Path]) -> None:
        with refuses("has a value", "empty cell in column 'rating', line 3", "value_column=''"):
            read_table(write("user,item,rating\n1,2,3\n2,3,\n"))
        with refuses("has a value", "empty cell in column 'rating', row 2", "value_column=''"):
            read_table({"user": [1, 2], "item": [1, 2], "rating": [1.0, None]})


NEW_YEAR = 1577836800  # 2020-01-01T00:00:00Z


class TestTimes:
    @pytest.mark.parametrize(
        ("cells", "seconds", "said"),
        [
            ([NEW_YEAR, 0], [NEW_YEAR, 0], "seconds since 1970"),
            ([NEW_YEAR + 0.9, -0.5], [NEW_YEAR + 0.9, -0.5], "seconds since 1970"),
            ([NEW_YEAR * 10**3 + 999, 0], [NEW_YEAR + 0.999, 0], "milliseconds since 1970"),
            ([NEW_YEAR * 10**6 + 999_999, -1], [NEW_YEAR + 0.999999, -0.000001], "microseconds since 1970"),
            ([NEW_YEAR * 10**9 + 999_999_999, 0], [NEW_YEAR + 1.0, 0], "nanoseconds since 1970"),
            ([10**11 - 1, 0], [10**11 - 1, 0], "seconds since 1970"),
            ([10**11, 0], [10**8, 0], "milliseconds since 1970"),
            ([10**14 - 1, 0], [1e11 - 0.001, 0.0], "milliseconds since 1970"),
            ([10**14, 0], [10**8, 0], "microseconds since 1970"),
            ([10**17, 0], [10**8, 0], "nanoseconds since 1970"),
            (["1577836800", "1.5e9"], [NEW_YEAR, 1500000000], "seconds since 1970"),
            (["1577836800999", "0"], [NEW_YEAR + 0.999, 0], "milliseconds since 1970"),
            ([20200101, 19991231], [NEW_YEAR, 946598400], "dates as yyyymmdd, taken as UTC"),
            (["20200101", "19991231"], [NEW_YEAR, 946598400], "dates as yyyymmdd, taken as UTC"),
            ([20200101, 20201301], [20200101, 20201301], "seconds since 1970"),
            (["2020-01-01", "1999-12-31"], [NEW_YEAR, 946598400], "without a zone taken as UTC"),
            (["2020-01-01 00:00:01", "1970-01-01T00:00"], [NEW_YEAR + 1, 0], "without a zone taken as UTC"),
            (["2020-01-01T01:00:00+01:00", "1969-12-31T19:00:00-0500"], [NEW_YEAR, 0], "dates and times"),
            (
                ["2020-01-01T00:00:00.999Z", "1969-12-31T23:59:59.5Z"],
                [NEW_YEAR + 0.999, -0.5],
                "dates and times",
            ),
            (
                ["2020-01-01 01:00:00 Europe/Madrid", "1970-01-01 00:00:00 UTC"],
                [NEW_YEAR, 0],
                "dates and times",
            ),
            (["2020-01-01T00:00:00Z", "2020-01-01"], [NEW_YEAR] * 2, "those without a zone taken as UTC"),
        ],
    )
    def test_as_people_write_them(self, cells: list[Any], seconds: list[float], said: str) -> None:
        data = read_table({"user": [1, 2], "item": [1, 2], "time": cells})
        assert data.timestamp is not None
        fraction = any(str(s).endswith(".0") or s != int(s) for s in seconds)
        assert data.timestamp.dtype == (np.float64 if fraction else np.int64)
        assert data.timestamp.tolist() == seconds
        assert f"{said}, from " in data.notes[2]

    def test_a_text_with_a_zone_is_not_said_to_be_taken_as_utc(self) -> None:
        data = read_table({"user": [1, 2], "item": [1, 2], "time": ["2020-01-01T00:00:00Z"] * 2})
        assert data.notes[2] == (
            "time: column 'time' (by name), dates and times, from 2020-01-01 to 2020-01-01"
        )

    @pytest.mark.parametrize("unit", ["D", "s", "ms", "us", "ns"])
    def test_of_numpy(self, unit: str) -> None:
        moments = np.array(["2020-01-01", "1969-12-31"], dtype=f"datetime64[{unit}]")
        data = read_table({"user": [1, 2], "item": [1, 2], "time": moments})
        assert data.timestamp is not None
        assert data.timestamp.tolist() == [NEW_YEAR, -86400]

    def test_of_pandas_and_parquet(self, tmp_path: Path) -> None:
        local = pd.to_datetime(["2020-01-01 01:00", "1970-01-01 01:00"])
        frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "time": local})
        assert rows(read_table(frame)) == [(1, 1, NEW_YEAR + 3600), (2, 2, 3600)]
        assert "those without a zone taken as UTC, from 1970-01-01" in read_table(frame).notes[2]
        zoned = frame.assign(time=local.tz_localize("Europe/Madrid"))
        assert rows(read_table(zoned)) == [(1, 1, NEW_YEAR), (2, 2, 0)]
        assert "dates and times, from 1970-01-01" in read_table(zoned).notes[2]
        zoned.to_parquet(tmp_path / "r.parquet")
        assert rows(read_table(tmp_path / "r.parquet")) == [(1, 1, NEW_YEAR), (2, 2, 0)]
        days = parquet(tmp_path, {"user": [1, 2], "item": [1, 2], "day": pa.array([18262, 0], pa.date32())})
        assert rows(read_table(days)) == [(1, 1, NEW_YEAR), (2, 2, 0)]

    @pytest.mark.parametrize("wrong", ["31/12/2020", "2020-13-01", "yesterday", "10:00"])
    def test_what_is_no_time(self, wrong: str, write: Callable[..., Path]) -> None:
        path = write(
            f"user,item,date\n1,2,2020-01-01\n2,3,2020-01-01\n2,4,{wrong}\n3,4,{wrong}\n3,5,2020-01-01\n"
        )
        with refuses(
            "has a time", repr(wrong), "'date'", "line 4", "1 more", "2024-05-31T18:30:00Z", "--time-column"
        ):
            read_table(path)

    @pytest.mark.parametrize("wrong", ["never", "2020-01-01", "inf", "nan", "1e19"])
    def test_what_is_no_number_among_numbers(self, wrong: str, write: Callable[..., Path]) -> None:
        with refuses("has a time", repr(wrong), "column 'ts', line 3", "--time-column"):
            read_table(write(f"user,item,ts\n1,2,978300760\n2,3,{wrong}\n3,4,978300761\n"))

    @pytest.mark.parametrize("empty", [None, np.datetime64("NaT")])
    def test_empty(self, empty: object, write: Callable[..., Path]) -> None:
        times = np.array(["2020-01-01", empty], dtype="datetime64[s]")
        with refuses("has a time", "empty cell in column 'time', row 2", "time_column=''"):
            read_table({"user": [1, 2], "item": [1, 2], "time": times})
        with refuses("has a time", "empty cell in column 'time', line 3", "time_column=''"):
            read_table(write("user,item,time\n1,2,3\n2,3,\n"))

    def test_endless(self, tmp_path: Path) -> None:
        with duckdb.connect(str(tmp_path / "r.duckdb")) as con:
            con.execute("CREATE TABLE t AS SELECT 1 AS user, 1 AS item, DATE '2020-01-01' AS day")
            con.execute("INSERT INTO t VALUES (2, 2, 'infinity')")
        with refuses("has a time", "'infinity' in column 'day', row 2"):
            read_table(tmp_path / "r.duckdb")


DOUBLED = {
    "user": ["a", "a", "a", "b", "b", "b"],
    "item": ["x", "x", "x", "x", "y", "y"],
    "rating": [1, 2, 3, 4, 5, 6],
    "time": [50, 60, 55, 1, 53, 53],
}


class TestDuplicates:
    @pytest.mark.parametrize(
        ("how", "kept", "note"),
        [
            ("last", [2, 4, 6], "2 repeated (user, item) pairs: the latest of each kept, 3 dropped"),
            ("first", [1, 4, 5], "2 repeated (user, item) pairs: the earliest of each kept, 3 dropped"),
            ("keep", [1, 2, 3, 4, 5, 6], "2 repeated (user, item) pairs: every row kept"),
        ],
    )
    def test_with_times_the_latest_or_earliest(self, how: Duplicates, kept: list[int], note: str) -> None:
        data = read_table(DOUBLED, duplicates=how)
        assert data.value is not None
        assert data.value.tolist() == kept  # in the order of the table
        assert data.notes[-1] == note

    @pytest.mark.parametrize(
        ("how", "kept", "which"), [("last", [3, 4, 6], "last"), ("first", [1, 4, 5], "first")]
    )
    def test_without_times_the_last_or_first_row(self, how: Duplicates, kept: list[int], which: str) -> None:
        data = read_table(DOUBLED, time_column="", duplicates=how)
        assert data.value is not None
        assert data.value.tolist() == kept
        assert f"the {which} of each kept" in data.notes[-1]

    def test_latest_is_the_default(self) -> None:
        assert rows(read_table(DOUBLED)) == rows(read_table(DOUBLED, duplicates="last"))

    def test_none(self) -> None:
        assert not any("repeated" in note for note in read_table(COLUMNS).notes)

    def test_as_an_error(self, write: Callable[..., Path]) -> None:
        path = write("user,item\na,x\nb,y\na,y\na,x\nb,y\n")
        with refuses(
            "once", "user 'a' with item 'x'", "line 2", "line 5", "2 repeated rows", 'duplicates="last"'
        ):
            read_table(path, duplicates="error")
        assert len(read_table(COLUMNS, duplicates="error")) == 3

    def test_of_another_name(self) -> None:
        with refuses("'last', 'first', 'keep' and 'error'", "'latest'", kind=SettingError):
            read_table(DOUBLED, duplicates="latest")  # type: ignore[arg-type]

    @settings(deadline=None, max_examples=40)
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=30),
        st.sampled_from(["last", "first"]),
        st.booleans(),
    )
    def test_as_a_dictionary_would(
        self, triples: list[tuple[int, int, int]], how: Duplicates, timed: bool
    ) -> None:
        triples = [*triples, (9, 8, 0), (8, 9, 0)]  # two users and two items at least
        columns = {"user": [t[0] for t in triples], "item": [t[1] for t in triples]}
        columns["value"] = list(range(len(triples)))
        if timed:
            columns["time"] = [t[2] for t in triples]
        best: dict[tuple[int, int], tuple[int, int]] = {}
        for row, (user, item, time) in enumerate(triples):
            rank = (time if timed else 0, row)
            old = best.get((user, item), rank)
            best[user, item] = max(old, rank) if how == "last" else min(old, rank)
        data = read_table(columns, duplicates=how)
        assert data.value is not None
        assert data.value.tolist() == sorted(row for _, row in best.values())


class TestWhatIsNoTable:
    def test_no_file(self, tmp_path: Path) -> None:
        with refuses("exists", tmp_path / "no.csv", "Check the path"):
            read_table(tmp_path / "no.csv")

    def test_a_folder(self, tmp_path: Path) -> None:
        with refuses("folder of tables holds some", f"the folder {tmp_path}", "Name a file"):
            read_table(tmp_path)

    def test_an_address(self) -> None:
        with refuses("a file, or an address", "ftp://example.org/r.csv", "Download it"):
            read_table("ftp://example.org/r.csv")
        with refuses("extension httpfs", "https://example.org/r.csv", "INSTALL httpfs", "download the file"):
            read_table("https://example.org/r.csv")

    @pytest.mark.parametrize("source", [[1, 2], 3, {1, 2}])
    def test_another_object(self, source: object) -> None:
        with refuses("a path, a pandas", f"a {type(source).__name__}", "Pass one of those"):
            read_table(source)

    @pytest.mark.parametrize("name", ["r.csv", "r.parquet", "r.json", "r.tsv.gz"])
    def test_an_empty_file(self, name: str, write: Callable[..., Path]) -> None:
        with refuses("at least one row", f"{name}, which is empty"):
            read_table(write("", name))

    @pytest.mark.parametrize("text", ["\n\n", "\ufeff", gzip.compress(b"", mtime=0)])
    def test_a_blank_file(self, text: str | bytes, write: Callable[..., Path]) -> None:
        with refuses("at least one row", "which is empty"):
            read_table(write(text))

    def test_no_rows(self, write: Callable[..., Path]) -> None:
        with refuses("at least one row", "ratings.csv, which has none"):
            read_table(write("user,item\n"))
        with refuses("at least one row", "the table passed, which has none"):
            read_table(pd.DataFrame({"user": [], "item": []}))
        with refuses("one record a line", "r.json, which holds no records"):
            read_table(write("[]", "r.json"))

    def test_one_user_or_one_item(self, write: Callable[..., Path]) -> None:
        with refuses("two users and two items", "'user' holds one value only", "right column"):
            read_table(write("user,item\n1,2\n1,3\n"))
        with refuses("two users and two items", "'item' holds one value only", "right column"):
            read_table({"user": [1, 2], "item": [1, 1]})

    def test_one_column(self, write: Callable[..., Path]) -> None:
        with refuses("a user and an item column", "with the columns 'user', none", "--item-column"):
            read_table(write("user\n1\n2\n"))

    @pytest.mark.parametrize("name", ["r.parquet", "r.duckdb", "r.json", "r.ndjson"])
    def test_garbage(self, name: str, write: Callable[..., Path]) -> None:
        with refuses("readable from its first row", name, "export it again"):
            read_table(write(bytes(range(256)) * 50, name))

    def test_garbage_in_the_middle_of_a_parquet_file(self, tmp_path: Path) -> None:
        n = 50_000
        path = parquet(tmp_path, {"user": list(range(n)), "item": list(range(n))})
        content = bytearray(path.read_bytes())
        content[100:5000] = b"\xff" * 4900
        path.write_bytes(content)
        with refuses("readable from its first row", path):
            read_table(path)

    @pytest.mark.parametrize(
        ("content", "held", "cure"),
        [
            (bytes(range(256)), "binary", "Export it as CSV"),
        ],
    )
    def test_what_is_not_text(self, content: bytes, held: str, cure: str, write: Callable[..., Path]) -> None:
        with refuses("plain text", held, cure):
            read_table(write(content))

    def test_a_json_line_that_is_cut(self, write: Callable[..., Path]) -> None:
        with refuses("readable", "r.jsonl", "line 3"):
            read_table(write('{"user": 1, "item": 2}\n{"user": 2, "item": 3\n', "r.jsonl"))

    @pytest.mark.parametrize("cut", [20, 200_000])
    def test_a_gzip_file_that_is_cut(self, cut: int, write: Callable[..., Path]) -> None:
        rng = np.random.default_rng(0).integers(0, 10**6, (100_000, 2))
        text = "user,item\n" + "".join(f"{user},{item}\n" for user, item in rng.tolist())
        with refuses("can be read", "r.csv.gz", "end-of-stream", "again"):
            read_table(write(gzip.compress(text.encode())[:cut], "r.csv.gz"))

    @pytest.mark.parametrize(
        ("columns", "received"),
        [
            ({"user": [1, 2], "item": [1, 2, 3]}, "'user' with 2 rows, 'item' with 3 rows"),
            ({"user": np.zeros((2, 2)), "item": [1, 2]}, "'user' with 2 dimensions"),
            ({}, "none"),
        ],
    )
    def test_arrays_that_make_no_table(self, columns: dict[str, Any], received: str) -> None:
        with refuses(received):
            read_table(columns)

    def test_arrays_of_a_type_that_no_table_has(self) -> None:
        with refuses("readable", "the table passed", "complex"):
            read_table({"user": np.array([1j, 2j]), "item": [1, 2]})


BLANKS = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c) == "Zs")


class TestTextFiles:
    @pytest.mark.parametrize(("line", "cells"), [("4,5", 2), ("4,5,6,7", 4), ("4", 1)])
    def test_a_line_of_another_length(self, line: str, cells: int, write: Callable[..., Path]) -> None:
        path = write(f'user,item,value\n1,"x\ny",3\n\n{line}\n4,5,6\n')
        with refuses(
            "same number of cells", f"{cells} cells for 3 columns in line 5 of", path, "Correct that line"
        ):
            read_table(path)

    def test_a_late_line_of_another_length(self, write: Callable[..., Path]) -> None:
        path = write("user,item\n" + "1,2\n3,4\n" * 200_000 + "1,2,3\n")
        with refuses("3 cells for 2 columns in line 400002 of"):
            read_table(path)

    def test_a_quote_that_does_not_end(self, write: Callable[..., Path]) -> None:
        with refuses("ends with a quote", "the record after line 3 of", 'write ""'):
            read_table(write('user,item\n1,"2,2"\n1,2\n3,"4\n5,6\n'))

    @pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
    @pytest.mark.parametrize("cell", ['"Weird Al" Yankovic', '"4', '"2"x'])
    def test_a_cell_that_begins_with_a_lone_quote(
        self, cell: str, mark: str, write: Callable[..., Path]
    ) -> None:
        path = write("user,item\n1,2\n3,@\n5,6\n".replace(",", mark).replace("@", cell))
        data = read_table(path)
        assert rows(data)[1] == ("3", cell)
        assert f"{path}: lone quotes, so that quotes are read as text" in data.notes

    def test_a_very_long_cell(self, write: Callable[..., Path]) -> None:
        long = "x" * 200_000
        data = read_table(write(f"user,item,text\n1,2,{long}\n2,3,y\n"), item_column="text")
        assert data.items.ids.values.tolist() == [long, "y"]
        with refuses("very long cell", "131072 characters", "the record after line 1 of", "Shorten"):
            read_table(write(f"user,item,text\n1,2,{long}\n2,3\n"))
        with refuses("empty cell in column 'user', row 2 (counting from 1) of"):
            read_table(write(f"user,item,text\n1,2,{long}\n,3,x\n"))

    def test_a_line_beyond_what_duckdb_reads(self, write: Callable[..., Path]) -> None:
        with refuses("very long cell", "the record after line 2 of", "Parquet"):
            read_table(write(f"user,item\n1,2\n2,{'x' * 3_000_000}\n"))

    def test_lone_quotes_within_a_cell_are_text(self, write: Callable[..., Path]) -> None:
        assert rows(read_table(write('user,item\n1,5" disc\n2,b\n'))) == [("1", '5" disc'), ("2", "b")]
        assert rows(read_table(write('user::item\n1::"Crime" 2\n2::b\n'))) == [("1", '"Crime" 2'), ("2", "b")]

    @pytest.mark.parametrize("line", [1, 2, 3, 5000])
    def test_not_utf_8(self, line: int, write: Callable[..., Path]) -> None:
        lines = ["user,item", *(f"{i},{i}" for i in range(6000))]
        lines[line - 1] = lines[line - 1].replace(",", "é,")
        path = write("\n".join(lines).encode("latin-1"))
        with refuses("UTF-8", r"b'\xe9'", f"line {line} of {path}", "in cp1252", "--encoding"):
            read_table(path, user_column="user", item_column="item")

    @pytest.mark.parametrize(("text", "end"), [("u,i\r\n1,2\n", "LF"), ("u,i\n1,2\r\n", "CR LF")])
    def test_line_ends_of_two_kinds(self, text: str, end: str, write: Callable[..., Path]) -> None:
        with refuses("ends in the same way", "line 2 of", f"ends in {end} unlike", "dos2unix"):
            read_table(write(text + "3,4\n"), user_column="u", item_column="i")

    def test_a_delimiter_within_quotes_or_titles(self, write: Callable[..., Path]) -> None:
        text = "user\ttitle\n1\tGood, the Bad; and|the Ugly\n2\tHeat, the; film|x\n"
        assert rows(read_table(write(text))) == [
            ("1", "Good, the Bad; and|the Ugly"),
            ("2", "Heat, the; film|x"),
        ]
        text = 'user,title\n1,"Good; the, Bad"\n2,"Heat; x"\n'
        assert rows(read_table(write(text))) == [("1", "Good; the, Bad"), ("2", "Heat; x")]

    @pytest.mark.parametrize("end", ["\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x0b", "\x0c"])
    def test_what_only_unicode_calls_the_end_of_a_line_is_none(self, tmp_path: Path, end: str) -> None:
        """What follows it within a cell would look like a comment, and the file be written anew."""
        path = written(tmp_path, "r.csv", f'user,item\n0,"0\r"\n1,"1{end}%"\n')
        assert rows(read_table(path)) == [("0", "0\r"), ("1", f"1{end}%")]

    @settings(deadline=None, max_examples=40)
    @given(
        st.lists(
            st.tuples(
                *[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)] * 2
            ),
            min_size=2,
            max_size=8,
        ),
        st.sampled_from(",;\t|"),
    )
    @example([("", ""), ("\t\r", "")], "\t")
    @example([("", ""), ("\t\n", ""), ("a", "b")], "\t")
    def test_whatever_csv_writes_is_read(
        self, tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], delimiter: str
    ) -> None:
        # a line of its own within quotes, cut as all others are, is what lone quotes look like
        assume(
            delimiter != "\t" or not any("\t" in cell and "\r\n" in cell for pair in pairs for cell in pair)
        )
        # ids made different and not empty by a number before them
        expected = [(f"{n}{a}".strip(BLANKS), f"{n}{b}".strip(BLANKS)) for n, (a, b) in enumerate(pairs)]
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter).writerows(
            [("user", "item"), *((f"{n}{a}", f"{n}{b}") for n, (a, b) in enumerate(pairs))]
        )
        path = written(tmp_path_factory.mktemp("csv"), "r.csv", out.getvalue())
        assert rows(read_table(path)) == expected

    @pytest.mark.parametrize("cell", ["1\t\r\n0", "1\t\r\n", "\r\n\t1", "1\t\r\n\t", "1\t\r", "1\t\n"])
    def test_quotes_around_the_end_of_a_line(self, cell: str, write: Callable[..., Path]) -> None:
        """They are no lone quotes: without them a cell would be empty, or the file have ends of two kinds."""
        path = write(f'user\titem\r\n0\t0\r\n"{cell}"\t1\r\n'.encode())
        assert rows(read_table(path)) == [("0", "0"), (cell.strip(BLANKS), "1")]


class TestDuckDBFiles:
    def test_the_only_table_needs_no_name(self, tmp_path: Path) -> None:
        with duckdb.connect(str(tmp_path / "one.db")) as con:
            con.execute("CREATE TABLE plays AS SELECT unnest([1, 2]) AS user, unnest([3, 4]) AS item")
        assert rows(read_table(tmp_path / "one.db")) == [(1, 3), (2, 4)]

    def test_a_table_of_a_schema_or_a_view(self, tmp_path: Path) -> None:
        with duckdb.connect(str(tmp_path / "two.duckdb")) as con:
            con.execute("CREATE SCHEMA log")
            con.execute('CREATE TABLE log."a ""b" AS SELECT unnest([1, 2]) AS user, unnest([3, 4]) AS item')
            con.execute('CREATE VIEW seen AS FROM log."a ""b"')
        assert rows(read_table(f'{tmp_path / "two.duckdb"}::log.a "b')) == [(1, 3), (2, 4)]
        assert rows(read_table(f"{tmp_path / 'two.duckdb'}::seen")) == [(1, 3), (2, 4)]

    def test_no_such_table(self, tmp_path: Path) -> None:
        path = duckdb_file(tmp_path).replace("::ratings", "")
        for wrong in ("", "::nothing"):
            with refuses(
                "with the table to read", f"{path}{wrong}", "other, ratings", f"Write {path}::other"
            ):
                read_table(path + wrong)


MOVIES = (
    "movieId,title,genres,year,zip,score\n"
    "1,Heat,Action|Drama,1995,02139,1.5\n"
    "3,Alien,,1979,10001,\n"
    "9,Zodiac,Drama,2007,1,-2\n"
)
SEEN = {"user": ["a", "b", "b"], "movieId": ["1", "2", "3"]}


class TestItemsAndUsers:
    def test_features_in_code_order(self, write: Callable[..., Path]) -> None:
        data = read_table(SEEN, items=write(MOVIES, "movies.csv"))
        items = data.items
        assert items.key == "movieId"
        assert items.ids.values.tolist() == ["1", "2", "3", "9"]  # 2 has no row, 9 no interaction
        assert data.item.tolist() == [0, 1, 2]
        assert one_each(items["title"]).dtype == object
        assert one_each(items["title"]).tolist() == ["Heat", "", "Alien", "Zodiac"]
        assert lists(items["genres"]) == [["Action", "Drama"], [], [], ["Drama"]]
        assert one_each(items["year"]).dtype == np.float32
        assert np.array_equal(one_each(items["year"]), [1995, np.nan, 1979, 2007], equal_nan=True)
        assert one_each(items["zip"]).tolist() == ["02139", "", "10001", "1"]
        assert np.array_equal(one_each(items["score"]), [1.5, np.nan, np.nan, -2], equal_nan=True)
        label = str(data.notes[2].split(",")[0])
        assert label.endswith("movies.csv")
        assert [note.replace(str(write(MOVIES, "movies.csv")), "movies.csv") for note in data.notes[2:]] == [
            "items: movies.csv, by its column 'movieId'",
            "items: 1 of 3 have no row in movies.csv; their features are missing",
            "items: 1 of 4 have no interactions",
            "item feature 'title': text",
            "item feature 'genres': lists, split on '|'",
            "item feature 'year': numbers, 1 missing",
            "item feature 'zip': text",
            "item feature 'score': numbers, 2 missing",
        ]

    def test_users_likewise(self) -> None:
        table = pd.DataFrame({"user": ["b", "a"], "age": [30, 20], "member": [True, False]})
        users = read_table(SEEN, users=table).users
        assert one_each(users["age"]).tolist() == [20, 30]
        assert one_each(users["age"]).dtype == np.int64
        assert one_each(users["member"]).tolist() == [False, True]
        assert one_each(users["member"]).dtype == bool

    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            ([1, 2, 3], np.array([1, 2, 3])),
            ([1, None, 3], np.array([1, np.nan, 3], dtype=np.float32)),
            ([1.5, np.nan, 3], np.array([1.5, np.nan, 3], dtype=np.float32)),
            ([decimal.Decimal("1.5"), decimal.Decimal(2), None], np.array([1.5, 2, np.nan], np.float32)),
            ([True, False, True], np.array([True, False, True])),
            ([True, None, False], np.array([1, np.nan, 0], dtype=np.float32)),
            (np.array([1, 2, 2**64 - 1], dtype=np.uint64), np.array([1, 2, 2**64 - 1], dtype=np.float32)),
            (["x", None, ""], np.array(["x", "", ""], dtype=object)),
            (["1", "2", "3"], np.array(["1", "2", "3"], dtype=object)),
            (pd.Categorical(["x", "y", "x"]), np.array(["x", "y", "x"], dtype=object)),
            (
                np.array(["2020-01-01", "NaT", "1999-12-31T10:00"], "M8[s]"),
                np.array(["2020-01-01 00:00:00", "", "1999-12-31 10:00:00"], dtype=object),
            ),
        ],
    )  # fmt: skip
    def test_kinds_of_columns(self, cells: object, expected: np.ndarray) -> None:
        column = read_table(SEEN, items={"movieId": ["1", "2", "3"], "x": cells}).items["x"]
        assert isinstance(column, np.ndarray)
        assert column.dtype == expected.dtype
        assert np.array_equal(column, expected, equal_nan=expected.dtype.kind == "f")

    @pytest.mark.parametrize(
        ("cells", "expected", "dtype"),
        [
            ([["b", "a"], None, ["c", None]], [["b", "a"], [], ["c"]], object),
            ([[2, 1], [], [3]], [[2, 1], [], [3]], np.int64),
            ([[0.5], None, [1, 2]], [[0.5], [], [1, 2]], np.float32),
            (["a|b", "c", " d | |e "], [["a", "b"], ["c"], ["d", "e"]], object),
        ],
    )
    def test_lists(self, cells: object, expected: list[list[Any]], dtype: type) -> None:
        bags = read_table(SEEN, items={"movieId": ["1", "2", "3"], "x": cells}).items["x"]
        assert isinstance(bags, Bags)
        assert lists(bags) == expected
        assert bags.values.dtype == dtype

    def test_lists_of_equal_length_and_of_pyarrow(self) -> None:
        cells = pa.array([["a", "b"], ["c", "d"], ["e", "f"]])
        for column in (cells, cells.to_pylist()):
            bags = read_table(SEEN, items={"movieId": ["1", "2", "3"], "x": column}).items["x"]
            assert isinstance(bags, Bags)
            assert lists(bags) == cells.to_pylist()

    @pytest.mark.parametrize(("n_piped", "is_list"), [(1, False), (2, True)])
    def test_a_tenth_of_the_cells_makes_lists(self, n_piped: int, is_list: bool) -> None:
        # 20 filled cells and 5 empty ones: a tenth is 2
        cells = ["a|b"] * n_piped + ["c"] * (20 - n_piped) + [""] * 5
        ids = [str(i) for i in range(25)]
        column = read_table({"user": ["a", "b"], "item": ["0", "1"]}, items={"item": ids, "x": cells}).items[
            "x"
        ]
        assert isinstance(column, Bags) == is_list

    @pytest.mark.parametrize(
        ("cells", "dtype"),
        [
            (["1", "2", "3"], np.int64),
            (["1", "-2", "+3"], np.int64),
            (["1", "", "3"], np.float32),
            (["1", "2.5", "3e1"], np.float32),
            (["0.5", "0", "-0.25"], np.float32),
            (["01", "2", "3"], object),
            (["1", "2", "x"], object),
            (["1_0", "2", "3"], object),
            (["", "", ""], object),
        ],
    )
    def test_numbers_in_text_files(self, cells: list[str], dtype: type, write: Callable[..., Path]) -> None:
        text = "movieId,x\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells, start=1))
        column = read_table(SEEN, items=write(text)).items["x"]
        assert isinstance(column, np.ndarray)
        assert column.dtype == dtype
        assert column[2] == (cells[2] if dtype is object else float(cells[2]))

    def test_structures_are_ignored(self) -> None:
        table = {
            "movieId": ["1", "2", "3"],
            "s": [{"k": 1}] * 3,
            "b": [b"x"] * 3,
            "ll": [[[1]]] * 3,
            "year": [1, 2, 3],
        }
        data = read_table(SEEN, items=table)
        assert list(data.items.columns) == ["year"]
        for name in ("s", "b", "ll"):
            assert f"item feature '{name}': ignored, it holds structures or bytes" in data.notes

    def test_numbers_that_are_not_finite(self, write: Callable[..., Path]) -> None:
        with refuses("describes items is finite", "'inf' in column 'x', line 3", "leave the cell empty"):
            read_table(SEEN, items=write("movieId,x\n1,1.5\n2,inf\n3,nan\n"))

    @pytest.mark.parametrize("key", ["movieId", "movie_id", "itemId", "ID", "film"])
    def test_the_key_is_found_by_name(self, key: str) -> None:
        data = read_table(SEEN, items={"title": ["x", "y", "z"], key: ["1", "2", "3"]})
        assert data.items.key == "movieId"
        assert one_each(data.items["title"]).tolist() == ["x", "y", "z"]
        assert key not in data.items.columns or key == "movieId"

    def test_the_interactions_name_goes_before_others(self) -> None:
        table = {"movieId": ["9", "9", "9"], "what": ["1", "2", "3"]}
        data = read_table({"user": ["a", "b"], "what": ["1", "2"]}, items=table, item_column="what")
        assert data.items.ids.values.tolist() == ["1", "2", "3"]
        assert one_each(data.items["movieId"]).tolist() == ["9", "9", "9"]

    def test_no_key(self) -> None:
        with refuses("has an id column", "'a', 'b'", "'movieId' in the interactions", "Rename its id column"):
            read_table(SEEN, items={"a": ["1"], "b": ["2"]})

    def test_two_rows_of_one_id(self, write: Callable[..., Path]) -> None:
        with refuses("one row per id", "'2' in column 'movieId', line 3 and line 5 of", "Remove one"):
            read_table(SEEN, items=write("movieId,x\n1,a\n2,b\n3,c\n2,d\n3,e\n"))

    def test_an_empty_id(self, write: Callable[..., Path]) -> None:
        with refuses("Every row of a table of items has an id", "empty cell in column 'movieId', line 3"):
            read_table(SEEN, items=write("movieId,x\n1,a\n,b\n"))

    def test_no_row_of_any_id(self) -> None:
        with refuses("has none of their 3 ids", "such as '1'", "right table", "'movieId'"):
            read_table(SEEN, items={"movieId": ["7", "8"], "x": [1, 2]})

    def test_text_ids_find_whole_numbers_and_the_reverse(self, write: Callable[..., Path]) -> None:
        numbers = {"user": [1, 2], "movieId": [5, 6]}
        items = read_table(numbers, items=write("movieId,x\n5,a\n06,b\n7,c\n")).items
        assert items.ids.values.tolist() == [5, 6, 7]
        assert one_each(items["x"]).tolist() == ["a", "b", "c"]
        items = read_table(SEEN, items={"movieId": [1, 2, 3], "x": ["a", "b", "c"]}).items
        assert items.ids.values.tolist() == ["1", "2", "3"]
        assert one_each(items["x"]).tolist() == ["a", "b", "c"]

    def test_ids_that_are_no_whole_numbers_as_the_interactions_are(self, write: Callable[..., Path]) -> None:
        path = write("movieId,x\n5,a\n6.5,b\n")
        with refuses("whole numbers here", "'6.5' in column 'movieId', line 3", "store the ids"):
            read_table({"user": [1, 2], "movieId": [5, 6]}, items=path)

    def test_an_error_names_the_table_it_is_in(self, write: Callable[..., Path]) -> None:
        path = write("movieId,x\n1,2,3\n", "movies.csv")
        with refuses("3 cells for 2 columns in line 2 of", path):
            read_table(SEEN, items=path)

    def test_a_dataset_with_features_works_as_any_other(self, write: Callable[..., Path]) -> None:
        data = read_table(SEEN, items={"movieId": ["1", "2", "3"], "title": ["B", "A", "B"]})
        assert data.keyed_by("title").item.tolist() == [1, 0, 1]
        assert data.record(0) == {"movieId": "1", "title": "B", "user": "a"}


class TestReadTest:
    users = Entities("userId", Vocabulary.of(["ana", "eva"]))
    items = Entities("movieId", Vocabulary.of([5, 6, 7]))

    def test_in_the_models_codes(self) -> None:
        source = {"userId": ["eva", "ana"], "movieId": ["7", "5"], "rating": [1, 2], "time": [3, 4]}
        data = read_test(source, users=self.users, items=self.items)
        assert (data.user.tolist(), data.item.tolist()) == ([1, 0], [2, 0])
        assert data.value is not None
        assert data.value.tolist() == [1, 2]
        assert data.timestamp is not None
        assert data.timestamp.tolist() == [3, 4]
        assert data.users is self.users
        assert data.items is self.items
        assert data.recoded(self.users, self.items) is data
        assert not any("left out" in note for note in data.notes)

    def test_a_single_user_and_item_will_do(self) -> None:
        data = read_test({"userId": ["eva"], "movieId": [6]}, users=self.users, items=self.items)
        assert (data.user.tolist(), data.item.tolist()) == ([1], [1])

    def test_unknown_ids_are_left_out_and_counted(self, write: Callable[..., Path]) -> None:
        path = write("userId,movieId,rating\nana,5,1\nzoe,5,2\nana,six,3\nana,8,4\nzoe,9,5\neva,07,6\n")
        data = read_test(path, users=self.users, items=self.items)
        assert (data.user.tolist(), data.item.tolist()) == ([0, 1], [0, 2])
        assert data.value is not None
        assert data.value.tolist() == [1, 6]
        assert data.notes[-2:] == (
            "left out: 2 rows of users that the model does not know, the first 'zoe' in line 3",
            "left out: 3 rows of items that the model does not know, the first 'six' in line 4",
        )

    def test_nothing_known(self) -> None:
        with refuses(
            "user and an item that the model knows",
            "1 row of users",
            "'zoe' in row 1",
            "'userId' and 'movieId'",
        ):
            read_test({"userId": ["zoe", "ana"], "movieId": [5, 8]}, users=self.users, items=self.items)

    def test_the_models_names_go_before_others(self) -> None:
        users, items = Entities("who", self.users.ids), Entities("what", self.items.ids)
        source = {"user_id": [1], "item_id": [2], "What": [6], "who": ["ana"]}
        data = read_test(source, users=users, items=items)
        assert (data.user.tolist(), data.item.tolist()) == ([0], [1])
        assert data.notes[0] == "user: column 'who' (by the model's name)"

    def test_usual_names_and_asked_ones(self) -> None:
        data = read_test({"customer": ["ana"], "product_id": [6]}, users=self.users, items=self.items)
        assert (data.user.tolist(), data.item.tolist()) == ([0], [1])
        source = {"a": ["ana"], "b": [6], "userId": [0], "movieId": [0]}
        data = read_test(source, users=self.users, items=self.items, user_column="a", item_column="b")
        assert (data.user.tolist(), data.item.tolist()) == ([0], [1])

    def test_repeated_pairs_follow_the_same_rule(self) -> None:
        source = {
            "userId": ["ana", "zoe", "ana"],
            "movieId": [5, 5, 5],
            "rating": [1, 2, 3],
            "time": [9, 8, 7],
        }
        data = read_test(source, users=self.users, items=self.items)
        assert data.value is not None
        assert data.value.tolist() == [1]
        assert data.notes[-1] == "1 repeated (user, item) pair: the latest of each kept, 1 dropped"
        assert len(read_test(source, users=self.users, items=self.items, duplicates="keep")) == 2
        with refuses("comes once", "row 1 (counting from 1) and in row 3"):
            read_test(source, users=self.users, items=self.items, duplicates="error")

    def test_cells_follow_the_same_rules(self) -> None:
        with refuses("finite number", "column 'rating', row 1"):
            read_test(
                {"userId": ["zoe"], "movieId": [5], "rating": ["x"]}, users=self.users, items=self.items
            )


def test_a_large_table_is_coded_as_numpy_would(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    user, item = rng.integers(0, 5000, 200_000), rng.integers(0, 3000, 200_000)
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        file.write("user,item,value\n")
        np.savetxt(file, np.c_[user, item, np.arange(200_000)], fmt="%d", delimiter=",")
    data = read_table(path, duplicates="keep")
    names, codes = np.unique(user.astype(str), return_inverse=True)
    assert data.users.ids.values.tolist() == names.tolist()
    assert np.array_equal(data.user, codes)
    assert np.array_equal(data.item, np.unique(item.astype(str), return_inverse=True)[1])
    assert np.array_equal(some(data.value), np.arange(200_000))
