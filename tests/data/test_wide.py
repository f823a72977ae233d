"""This module tests wide tables: columns that are no items, what errors name, and who is told of --wide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from butaca.data.dataset import Dataset
from butaca.data.tables import read_table
from butaca.errors import TableError

PLAIN = [("ana", "Heat", 5.0), ("ana", "Up", 3.0), ("eva", "Alien", 4.0), ("eva", "Up", 2.0)]


def file(folder: Path, text: str, name: str = "wide.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def rows(data: Dataset) -> list[tuple[Any, Any, float]]:
    assert data.value is not None
    return [
        (data.users.ids.values[u], data.items.ids.values[i], float(v))
        for u, i, v in zip(data.user, data.item, data.value, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("date", ("2020-01-01", "2020-01-03")),
        ("timestamp", ("1577836800", "1578009600")),
        ("fecha", ("20200101", "20200103")),
        ("Submitted", ("01 Jan 2020", "03 Jan 2020")),
        ("joined", ("2020-01-01", "2020-01-03")),
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_column_of_times_is_the_time_of_its_row(
    name: str, cells: tuple[str, str], place: int, tmp_path: Path
) -> None:
    table = [["Heat", "Alien", "Up"], ["5", "", "3"], ["", "4", "2"]]
    lines = []
    for who, cell, row in zip(("who", "ana", "eva"), (name, *cells), table, strict=True):
        lines.append(",".join([who, *row[:place], cell, *row[place:]]))
    data = read_table(file(tmp_path, "\n".join(lines) + "\n"), wide=True)
    assert rows(data) == PLAIN
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [1577836800] * 2 + [1578009600] * 2
    assert data.users.key == "who"


def test_a_second_time_and_what_describes_people_are_no_items(tmp_path: Path) -> None:
    text = (
        "name,city,age,date,updated_at,Heat,Alien,Up\n"
        "ana,Rome,30,2020-01-01,2021-01-01,5,,3\n"
        "eva,Oslo,31,2020-01-03,2021-01-01,,4,2\n"
    )
    data = read_table(file(tmp_path, text), wide=True)
    assert rows(data) == PLAIN
    assert "wide: left out 'city', 'age', 'updated_at', no items" in data.notes


def test_words_before_the_numbers_are_no_items_but_later_ones_are_errors(tmp_path: Path) -> None:
    text = "user,full_name,Heat,Alien,Up\nana,Ana P,5,,3\neva,Eva R,,4,2\n"
    assert rows(read_table(file(tmp_path, text), wide=True)) == PLAIN
    bad = "# ours\nuser,Heat,Alien,Up\nana,5,,3\neva,,abc,2\n"
    with pytest.raises(TableError, match=r"'abc' in column 'value', line 4 \(the cell of 'Alien'\)"):
        read_table(file(tmp_path, bad), wide=True)


def test_an_item_may_be_called_like_a_time(tmp_path: Path) -> None:
    text = "user,Heat,Time,Up\nana,5,,3\neva,,4,2\n"
    assert [item for _, item, _ in rows(read_table(file(tmp_path, text), wide=True))][2] == "Time"
    told = read_table(file(tmp_path, text), wide=True, time_column="")
    assert told.timestamp is None


def test_columns_as_asked(tmp_path: Path) -> None:
    text = "n,when,who,Heat,Alien\n1,2020-01-01,ana,5,\n2,2020-01-02,eva,,4\n"
    path = file(tmp_path, text)
    data = read_table(path, wide=True, user_column="who", time_column="when")
    assert data.users.ids.values.tolist() == ["ana", "eva"]
    assert data.timestamp is not None
    assert "item: column 'item_id' (of a wide table)" in data.notes


def test_frames_and_parquet_are_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "member_id": ["ana", "eva"],
            "date": pd.to_datetime(["2020-01-01", "2020-01-03"]),
            "Heat": [5.0, None],
            "Alien": [None, 4.0],
            "Up": [3, 2],
        }
    )
    frame.to_parquet(tmp_path / "w.parquet")
    for source in (frame, tmp_path / "w.parquet"):
        data = read_table(source, wide=True)
        assert rows(data) == PLAIN
        assert data.timestamp is not None
        assert data.timestamp[0] == 1577836800


def test_lists_keep_their_times_and_rows(tmp_path: Path) -> None:
    records = [
        {"user": "ana", "date": "2020-01-01", "basket": ["Heat", "Up"]},
        {"user": "eva", "date": "2020-01-03", "basket": ["Up"]},
    ]
    path = file(tmp_path, json.dumps(records), "w.json")
    data = read_table(path, wide=True)
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [1577836800, 1577836800, 1578009600]
    empty = file(tmp_path, 'user,items\nana,"Heat, Up"\n,"Up, Alien"\n')
    with pytest.raises(TableError, match=r"'user', line 3 "):
        read_table(empty, wide=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("who,Heat,Alien,Up\nana,5,,3\neva,,4,2\n", "w.csv"),
        ("userId,Heat,Alien\nana,5,\neva,,4\n", "w.csv"),
        ("user;city;Heat;Alien;Up\nana;Rome;4,5;;3\neva;Oslo;;4;2\n", "w.csv"),
        (json.dumps({"ana": {"Heat": 4}, "eva": {"Heat": 3}}), "w.json"),
        (json.dumps({"ana": ["Heat", "Up"], "eva": ["Heat"]}), "w.json"),
    ],
)
def test_small_ones_are_told_of_wide(text: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="--wide"):
        read_table(file(tmp_path, text, name))


def test_others_are_not(tmp_path: Path) -> None:
    with pytest.raises(TableError) as caught:
        read_table(file(tmp_path, "user,foo,bar\nana,x,y\neva,z,y\n"))
    assert "--wide" not in str(caught.value)
