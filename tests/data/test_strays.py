"""This module tests what is told of rows and ids that are none, and texts that are no tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from butaca.data.formats.written import Reading
from butaca.data.signal import Signal
from butaca.data.tables import read_table
from butaca.errors import TableError
from butaca.scale.pool import local_runner
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing

ROWS = [f"u{n % 3},i{n % 4},{n % 5 + 1}" for n in range(12)]


def written(
    folder: Path, rows: Sequence[str], *, header: str = "user,item,rating", name: str = "r.csv"
) -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / name


def notes_of_both(path: Path, *, drop_nulls: bool = False, signal: Signal | None = None) -> list[str]:
    """Returns the notes of fit's reading, which those of prepare's are too."""
    signal = signal or Signal()
    data = read_table(path, drop_nulls=drop_nulls, signal=signal)
    settings = Preparing(split="none", reading=Reading(drop_nulls=drop_nulls), signal=signal)
    with local_runner(1) as runner:
        prepared = prepare(path, path.parent / "p", settings=settings, runner=runner)
    assert list(data.notes) == prepared.manifest["notes"]
    assert len(prepared.train) == len(data)
    return list(data.notes)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["user,item,rating", "user,item"])
def test_names_that_come_again_are_left_out(mark: str, header: str, tmp_path: Path) -> None:
    rows = ROWS if header.endswith("rating") else [row.rpartition(",")[0] for row in ROWS]
    path = written(tmp_path, [*rows[:5], mark + header, *rows[5:9], header, *rows[9:]], header=header)
    assert "2 lines that repeat the names left out, the first in line 7" in notes_of_both(path)
    data = read_table(path)
    assert (len(data), len(data.users), len(data.items)) == (12, 3, 4)


def test_lines_are_counted_with_the_names_that_were_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, [*ROWS[:2], "user,item,rating", *ROWS[2:4], "u1,i1,bad?"])
    with pytest.raises(TableError, match=r"'bad\?' in column 'rating', line 7 of"):
        read_table(path)


def test_lines_are_counted_with_rows_without_a_user_and_without_an_item(tmp_path: Path) -> None:
    path = written(tmp_path, [",i1,3", ROWS[0], "u1,,3", ROWS[1], "u1,i1,bad?"])
    with pytest.raises(TableError, match=r"'bad\?' in column 'rating', line 6 of"):
        read_table(path, drop_nulls=True)


@pytest.mark.parametrize("last", ["Total,,60", "TOTAL,all,60", "u1,Suma,60", "Grand total,,60"])
def test_a_total_in_the_last_row_is_told(last: str, tmp_path: Path) -> None:
    path = written(tmp_path, [*ROWS, last])
    is_told = ",," not in last
    notes = notes_of_both(path, drop_nulls=not is_told)
    assert any("in the last row, line 14; leave it out if it sums" in note for note in notes) == is_told


def test_a_total_elsewhere_is_a_name(tmp_path: Path) -> None:
    notes = notes_of_both(written(tmp_path, ["Total,i9,3", *ROWS]))
    assert not any("last row" in note for note in notes)


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("1.2345E+12", "1 id such as '1.2345E+12', which a spreadsheet shortened"),
        ("1,2E+15", "1 id such as '1,2E+15', which a spreadsheet shortened"),
        ("u0\u200b", "1 id with a mark that nobody sees, such as 'u0\\u200b'"),
        ("\ufeffu0", "1 id with a mark that nobody sees, such as '\\ufeffu0'"),
        ("1E5", ""),
        ("می\u200cخواهم", ""),
    ],
)
def test_odd_ids_are_told(user: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, [*ROWS, f'"{user}",i1,3'])
    notes = [note for note in notes_of_both(path) if " id such" in note or " id with" in note]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


def test_prepare_tells_of_kinds_that_no_row_is_of(tmp_path: Path) -> None:
    signal = Signal(event_column="kind", events={"view": 0.3, "buy": 1.0, "steal": 1.0})
    rows = [f"u{n % 3},i{n % 4},{'buy' if n % 2 else 'view'}" for n in range(12)]
    path = written(tmp_path, rows, header="user,item,kind")
    assert "no row is of the kind steal: 'kind' holds buy, view" in notes_of_both(path, signal=signal)
    parts = [
        written(tmp_path, [row for row in rows if kind in row], header="user,item,kind", name=f"{kind}.csv")
        for kind in ("view", "buy")
    ]
    settings = Preparing(split="none", signal=signal)
    with local_runner(1) as runner:
        sources = [str(part) for part in parts]
        of_all = prepare(sources, tmp_path / "q", settings=settings, runner=runner)
        told = [note for note in of_all.manifest["notes"] if "no row is of the kind" in note]
        assert told == ["no row is of the kind steal: 'kind' holds view, buy"]
        some = replace(settings, signal=replace(signal, events={"view": 0.3, "buy": 1.0}))
        of_all = prepare(sources, tmp_path / "q", settings=some, runner=runner)
    assert not any("no row is of the kind" in note for note in of_all.manifest["notes"])


def test_what_is_said_of_amounts_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, [f"u{n % 3},i{n % 4},{n + 1} pts" for n in range(12)], header="user,item,credit")
    notes = notes_of_both(path, signal=Signal(weight_column="credit", curve="log"))
    assert any("the numbers of 'credit' are read by what stands before" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" user | item \n------+------\n ana  | p1\n(1 row)\n", "a database's client prints it"),
        (
            "+------+------+\n| user | item |\n+------+------+\n| ana  | p1   |\n",
            "a database's client|Markdown",
        ),
        ("user   item\n------ ------\nana    p1\n", "a database's client prints it"),
        ("| user | item |\n|---|---|\n| ana | p1 |\n", "Markdown writes it"),
        ("| user | item |\n|:--|--:|\n| ana | p1 |\n", "Markdown writes it"),
        ("-- MySQL dump 10\n--\n\nDROP TABLE IF EXISTS `r`;\n", "SQL"),
        ("CREATE TABLE r (user TEXT, item TEXT);\n", "SQL"),
        ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "SQL"),
        ("% a comment\n@relation r\n@attribute user string\n", "ARFF"),
        ("<table><tr><td>user</td></tr></table>\n", "page of the web"),
        ("1 3:1 7:1\n2 4:1 7:0.5\n", "libsvm"),
        ("{\\rtf1 user,item}\n", "word processor"),
    ],
)
def test_texts_that_are_no_tables(text: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(text)
    with pytest.raises(TableError, match=rf"which is .*({kind})"):
        read_table(tmp_path / "r.txt")


@pytest.mark.parametrize("first", ["--,--", "a-b,c-d", "2014-05-31,7", "--- total ---,x"])
def test_dashes_in_cells_make_no_such_table(first: str, tmp_path: Path) -> None:
    assert len(read_table(written(tmp_path, [f"{first},3", *ROWS]))) == 13


def test_names_of_rows_that_r_writes_are_spoken_of(tmp_path: Path) -> None:
    path = written(tmp_path, [f"{n},{row}" for n, row in enumerate(ROWS)])
    with pytest.raises(TableError, match=r"line 2 of .* no name for the first column, as R writes it"):
        read_table(path)
    path = written(tmp_path, [*ROWS, "9,u1,i1,3"])
    with pytest.raises(TableError, match="line 14 of") as raised:
        read_table(path)
    assert "as R writes" not in str(raised.value)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (r'"The \"X\""', 'The "X"'),
        (r'"a, \"b\", c"', 'a, "b", c'),
        ('"two\nlines \\"x\\""', 'two\nlines "x"'),
        (r'"\"all\""', '"all"'),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_quotes_after_backslashes(cell: str, expected: str, late: bool, tmp_path: Path) -> None:
    before = [f"u{n},i{n % 9},3" for n in range(9000 if late else 3)]
    path = written(tmp_path, [*before, f"ana,{cell},4", f"eva,{cell},5"])
    data = read_table(path)
    assert expected in data.items.ids.values.tolist()
    assert len(data) == len(before) + 2
    assert any("each after a backslash" in note for note in data.notes)
    rows = [*before, f"ana,{cell},4", "eva,p,bad?"]
    with pytest.raises(
        TableError, match=rf"'bad\?' in column 'rating', line {len(before) + 3 + cell.count(chr(10))}"
    ):
        read_table(written(tmp_path, rows))


def test_a_backslash_before_the_last_quote_ends_the_cell_where_quotes_are_doubled(tmp_path: Path) -> None:
    data = read_table(written(tmp_path, [*ROWS, 'ana,"C:\\",4', 'eva,"the ""X""",5']))
    assert {"C:\\", 'the "X"'} <= set(data.items.ids.values)


FEATURES = [f"i{n},T{n},{n + 1}/5,{'★' * (n + 1)},{n} pts,{n + 5}/9,60{n} 123 456,{n}/12" for n in range(4)]


@pytest.mark.parametrize("late", [[], ["item,title,score,stars,points,ratio,phone,part"]])
def test_ratings_that_describe_items_are_numbers(late: list[str], tmp_path: Path) -> None:
    header = "item,title,score,stars,points,ratio,phone,part"
    items = written(
        tmp_path, [*FEATURES[:2], *late, *FEATURES[2:], "i4,T4,,,,,,"], header=header, name="i.csv"
    )
    data = read_table(written(tmp_path, ROWS), items=items)
    assert data.items.ids.values.tolist() == [f"i{n}" for n in range(5)]
    columns = {
        name: np.asarray(column).tolist() for name, column in data.items.columns.items() if name != "title"
    }
    for name, first in (("score", 1), ("stars", 1), ("points", 0)):
        assert columns[name][:4] == [first + n for n in range(4)]
        assert np.isnan(columns[name][4])
    assert columns["ratio"][0] == "5/9"
    assert columns["phone"][0] == "600 123 456"
    assert columns["part"][1] == "1/12"
    assert any("score': numbers, read out of 5: '1/5' is 1" in note for note in data.notes)
    assert any("1 line that repeats the names" in note for note in data.notes) == bool(late)


def test_a_total_below_items_is_told(tmp_path: Path) -> None:
    items = written(
        tmp_path, [*(f"i{n},T{n},5" for n in range(4)), "Total,,20"], header="item,title,price", name="i.csv"
    )
    data = read_table(written(tmp_path, ROWS), items=items)
    assert any("'Total' in the last row, line 6; leave it out" in note for note in data.notes)
