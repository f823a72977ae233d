"""Cells and tables as people write them: prices with a currency, dates of features, lists, no table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from butaca.data.bags import Bags
from butaca.data.dataset import Dataset
from butaca.data.tables import read_table
from butaca.errors import TableError

LINES = [f"u{n % 5},i{n % 12}" for n in range(60)]


@pytest.fixture
def plays(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    return table("plays.csv", "user,item", LINES)


def table(name: str, header: str, lines) -> str:
    with open(name, "w", encoding="utf-8") as file:
        file.write("\n".join([header, *lines]) + "\n")
    return name


def of_items(plays: str, cells, **more) -> Dataset:
    """Returns the data with a table of twelve items, of which one column holds these cells."""
    lines = [f'i{n},"{cell}"' for n, cell in enumerate(cells)]
    return read_table(plays, items=table("items.csv", "item,x", lines), **more)


def note(data: Dataset) -> str:
    return next(n.partition(": ")[2] for n in data.notes if n.startswith("item feature 'x'"))


def plain(data: Dataset, *items: str) -> list[Any]:
    """Returns what column x holds of some items."""
    column = data.items["x"]
    assert not isinstance(column, Bags)
    return [column[data.items.ids.code(item)] for item in items]


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda n: f"${n}.50", "numbers with '$'"),
        (lambda n: f"{n},50 €", "numbers with '€'"),
        (lambda n: f"1,00{n % 10}.5", "numbers with thousands apart"),
        (lambda n: f"{n} %", "numbers with '%'"),
        (lambda n: f"EUR {n}", "numbers with 'EUR'"),
    ],
)
def test_numbers_with_a_sign_are_numbers(plays, write, said):
    data = of_items(plays, [write(n) for n in range(12)])
    assert note(data) == said
    first, fourth = plain(data, "i0", "i4")
    assert fourth - first == 4
    assert first in {0.0, 0.5, 1000.5}


def test_one_price_that_is_none_is_told_with_its_line(plays):
    data = of_items(plays, [*(f"£{n}" for n in range(11)), "ask"])
    assert note(data) == "numbers with '£', 1 missing: 1 cell is no number, the first 'ask' in line 13"
    assert np.isnan(data.items["x"][data.items.ids.code("i11")])


@pytest.mark.parametrize(
    "cells",
    [
        [f"{'$' if n % 2 else '€'}{n}" for n in range(12)],  # two currencies are not one number
        [f"{n:05d}" for n in range(12)],  # postcodes
        [f"${n},250" for n in range(12)],  # a thousand here, a quarter there
        [f"{n}.1.0" for n in range(12)],  # versions
        [f"{n} m" for n in range(12)],
    ],
)
def test_what_is_no_one_number_stays_text(plays, cells):
    data = of_items(plays, cells)
    assert note(data) == "text"
    assert data.items["x"][data.items.ids.code("i3")] == cells[3]


def test_words_for_nothing_among_numbers_are_missing(plays):
    data = of_items(plays, ["NULL", "nan", "N/A", *map(str, range(9))])
    assert note(data) == "numbers, 3 missing: 2 cells are no number, the first 'NULL' in line 2"
    assert note(of_items(plays, [""] * 12)) == "empty"


def test_dates_of_items_become_iso_where_all_say_one_thing(plays):
    """The 25th says that the day comes first; then 05/02 is in February, and a range of days can be asked."""
    data = of_items(plays, ["25/12/2013", *(f"05/{n:02d}/2014" for n in range(2, 12)), ""])
    assert note(data) == "dates, written day first"
    assert plain(data, "i0", "i1", "i11") == ["2013-12-25", "2014-02-05", ""]
    asked = of_items(plays, [f"Jan {n + 1}, 2014 18:30" for n in range(12)])
    assert asked.items["x"][asked.items.ids.code("i4")] == "2014-01-05 18:30:00"
    open_ = of_items(plays, [f"05/{n:02d}/2014" for n in range(1, 13)])  # January the 5th, or May the 1st
    assert note(open_) == "text"
    assert note(of_items(plays, [f"2014-01-{n:02d}" for n in range(1, 13)])) == "text"
    assert note(of_items(plays, ["25/12/2013", *["2014-01-02"] * 11])) == "text"  # in two ways


def test_lists_of_records_in_json_are_lists(plays):
    rows = [
        {"item": f"i{n}", "tags": [{"id": n % 3, "name": "ab"[n % 2]}], "grid": [[n]], "odd": [{"z": n}]}
        for n in range(12)
    ]
    with open("items.json", "w", encoding="utf-8") as file:
        json.dump(rows, file)
    data = read_table(plays, items="items.json")
    tags = data.items["tags"]
    assert isinstance(tags, Bags)
    assert tags[data.items.ids.code("i1")].tolist() == ["b"]
    assert "item feature 'tags': lists, as they are written" in data.notes
    assert "item feature 'grid': ignored, it holds structures or bytes" in data.notes


def test_arrays_as_numpy_prints_them_are_lists(plays):
    rows = [f"i{n},\"['Comedy' 'Drama']\"" if n % 2 else f"i{n},['Drama']" for n in range(12)]
    with open("items.csv", "w", encoding="utf-8") as file:
        file.write("\n".join(["item,genres", *rows]) + "\n")
    genres = read_table(plays, items="items.csv").items["genres"]
    assert isinstance(genres, Bags)
    codes = [list(genres[n]) for n in range(2)]
    assert sorted(map(len, codes)) == [1, 2]


def test_rows_of_features_without_an_id_are_told_or_left_out(plays):
    lines = [*(f"i{n},{n}" for n in range(12)), "NULL,5"]
    items = table("items.csv", "item,x", lines)
    data = read_table(plays, items=items)
    assert "NULL" in data.items.ids
    assert any(
        n.startswith("items: items.csv, item: 1 row in which a word for nothing is taken as an id, the first")
        for n in data.notes
    )
    left = read_table(plays, items=table("items.csv", "item,x", [*lines, ",7"]), drop_nulls=True)
    assert len(left.items) == 12
    assert "items: 2 rows of items.csv without an id left out" in left.notes


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        ("user,items", ["u1,\"['a', 'b']\"", "u2,\"['b']\""]),
        ("user,items", ["u1,a|b", "u2,b"]),
        ("user,items", ['u1,"a, b"', "u2,b"]),
        ("who,basket", ["u1,a b", "u2,b"]),
        (",a,b,c", ["u1,1,1,", "u2,,1,"]),
        ("who;a;b;c", ["u1;4,5;3,0;", "u2;;1,5;"]),
    ],
)
def test_wide_tables_as_they_are_written(plays, header, lines):
    data = read_table(table("wide.csv", header, lines), wide=True)
    pairs = [
        (data.users.ids.values[u], data.items.ids.values[i])
        for u, i in zip(data.user, data.item, strict=True)
    ]
    assert pairs == [("u1", "a"), ("u1", "b"), ("u2", "b")]


def test_a_list_is_no_item(plays):
    lines = ["u1,\"['a', 'b']\"", "u2,\"['b']\""]
    with pytest.raises(TableError, match=r"of one item\. Received: .*line 2.*--wide"):
        read_table(table("wide.csv", "user,items", lines))
    # one title in brackets is a title
    titles = read_table(table("t.csv", "user,item", ["u1,[REC]", "u2,Alien", "u1,Up"]))
    assert "[REC]" in titles.items.ids


def test_comments_of_percent_signs_are_comments(plays):
    found = read_table(table("k.txt", "% bip unweighted", [f"{n % 5 + 1} {n % 7 + 1}" for n in range(35)]))
    assert (len(found), len(found.users), len(found.items)) == (35, 5, 7)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("<!DOCTYPE html><html>", "a page of the web"),
        ("version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("%%MatrixMarket matrix coordinate integer general", "scipy.io.mmread"),
    ],
)
def test_what_is_no_table_is_called_by_its_name(plays, head, said):
    with pytest.raises(TableError, match=said):
        read_table(table("t.csv", head, ["5 7 2", "1 2 3", "2 3 4"]))


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (("yes", "no"), "--event yes=1 --event no=negative"),
        (("true", "false"), "--event true=1 --event false=negative"),
        (("view", "dislike", "buy"), "--event buy=1 --event view=0.3 --event dislike=negative"),
        (("view", "buy"), "--event buy=1 --event view=0.3"),
    ],
)
def test_a_notice_never_takes_a_yes_for_a_no(plays, words, flags):
    lines = [f"{line},{words[n % len(words)]}" for n, line in enumerate(LINES)]
    notes = read_table(table("t.csv", "user,item,event", lines)).notes
    assert any(n.endswith(f"--event-column event {flags}") for n in notes), notes


def test_times_of_features_in_two_units_are_told(plays):
    """Half of them are seconds and half are milliseconds since 1970; numbers alone are numbers."""
    cells = [str(1_500_000_000 * (1000 if n % 2 else 1)) for n in range(12)]
    assert note(of_items(plays, cells)) == (
        "whole numbers, which look like times since 1970 in two units: "
        "6 like seconds (the first in line 2) and 6 like milliseconds (the first in line 3)"
    )
    assert note(of_items(plays, [str(1_500_000_000 + n) for n in range(12)])) == "whole numbers"
    assert note(of_items(plays, [*cells[:11], "5"])) == "whole numbers"
