"""This module tests records within records, and what Python holds that is no table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from butaca.data.tables import read_table
from butaca.errors import TableError

RECORDS = [(f"u{n % 3}", f"i{n % 4}", n % 5) for n in range(12)]

SHAPES: dict[str, tuple[Callable[[str, str, int], Any], tuple[str, str, str]]] = {
    "records within": (
        lambda u, i, v: {"user": {"id": u, "name": "x"}, "item": {"id": i, "name": "y"}, "rating": v},
        ("user.id", "item.id", "rating"),
    ),
    "a wrapper": (
        lambda u, i, v: {"_index": "x", "_source": {"user": u, "item": i, "rating": v}},
        ("user", "item", "rating"),
    ),
    "a database's types": (
        lambda u, i, v: {"_id": {"$oid": "1"}, "user": u, "item": i, "rating": {"$numberInt": v}},
        ("user", "item", "rating"),
    ),
    "further within": (
        lambda u, i, v: {"event": {"who": {"user": {"_id": {"$oid": u}}}, "item": i, "rating": v}},
        ("user._id", "item", "rating"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lines", [True, False])
def test_records_within_records_are_columns(shape: str, lines: bool, tmp_path: Path) -> None:
    make, names = SHAPES[shape]
    records = [make(*record) for record in RECORDS]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    (tmp_path / "r.json").write_text(text)
    extra = {"user_column": "event.who.user._id"} if shape == "further within" else {}
    data = read_table(tmp_path / "r.json", **extra)  # type: ignore[arg-type]
    assert len(data) == 12
    assert (data.items.key, data.value_name) == names[1:]
    assert data.value is not None
    assert data.value.tolist() == [v for *_, v in RECORDS]
    assert any("records within records are columns" in note for note in data.notes)


@pytest.mark.parametrize("within", [["data"], ["data", "ratings"], ["a", "b", "c"]])
def test_a_list_of_records_is_found_within(within: list[str], tmp_path: Path) -> None:
    found: Any = [{"user": u, "item": i, "rating": v} for u, i, v in RECORDS]
    for name in reversed(within):
        found = {"status": "ok", "pages": {"n": 3}, name: found}
    (tmp_path / "r.json").write_text(json.dumps(found))
    assert len(read_table(tmp_path / "r.json")) == 12


@pytest.mark.parametrize(
    "column", ["abc", b"abc", {"0": "ana", "1": "eva"}, {"ana", "eva"}, 3, None, iter(["ana", "eva"])]
)
def test_what_is_no_column(column: object) -> None:
    with pytest.raises(TableError, match=r"A column of a mapping is a list.*'user'"):
        read_table({"user": column, "item": [1, 2]})


def test_a_mapping_of_pairs_is_no_table() -> None:
    with pytest.raises(TableError, match="of pairs to values, lists of users"):
        read_table({("ana", "Heat"): 4, ("eva", "Up"): 5})


@pytest.mark.parametrize("index", [["user"], ["user", "item"], ["item"]])
def test_the_names_of_an_index_are_columns(index: list[str]) -> None:
    frame = pd.DataFrame(RECORDS, columns=["user", "item", "rating"]).set_index(index)
    data = read_table(frame)
    assert (len(data), len(data.users), len(data.items)) == (12, 3, 4)
    np.testing.assert_array_equal(data.value, frame["rating"])
    assert list(frame.columns) == [c for c in ("user", "item", "rating") if c not in index]


def test_an_index_called_as_a_column_is_left() -> None:
    frame = pd.DataFrame(RECORDS, columns=["user", "item", "rating"])
    frame.index = pd.Index(frame["user"], name="user")
    assert len(read_table(frame)) == 12


def test_only_text_is_told_of_a_separator(tmp_path: Path) -> None:
    with pytest.raises(TableError) as of_python:
        read_table({"user": ["ana", "eva"]})
    assert "--sep" not in str(of_python.value)
    (tmp_path / "r.csv").write_text("user~item\nana~7\neva~8\nana~9\n".replace("~", "#"))
    with pytest.raises(TableError, match="--sep"):
        read_table(tmp_path / "r.csv")


def test_lists_of_items_are_told_of_wide() -> None:
    with pytest.raises(TableError, match=r"which holds lists.*are read with wide=True"):
        read_table({"user": ["ana", "eva"], "item": [["a", "b"], ["c"]]})
