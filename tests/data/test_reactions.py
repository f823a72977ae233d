"""This module tests which columns are said to tell yes from no, by their names and by their cells alone."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from butaca.data.signal import Signal, events_of
from butaca.data.tables import read_table
from butaca.errors import TableError


def notices(cells: list[str], *, name: str = "zzz", folder: Path) -> list[str]:
    """Returns what reading says to pass, of a table whose third column holds the cells, again and again."""
    rows = [f"u{n % 12},i{n * 7 % 11},{cells[n % len(cells)]}" for n in range(60)]
    path = folder / "t.csv"
    quoted = '"' + name.replace('"', '""') + '"'
    path.write_text("\n".join([f"user,item,{quoted}", *rows]) + "\n")
    return [note for note in read_table(path).notes if " pass " in note and "--" in note]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1", "-1", "0"], "--value-column zzz --positive-from 1)"),
        (["1", "-1"], "--value-column zzz --positive-from 1)"),
        (["up", "down"], "--event up=1 --event down=negative"),
        (["Thumbs Up", "Thumbs Down"], "--event 'Thumbs Up=1' --event 'Thumbs Down=negative'"),
        (["👍", "👎"], "--event '👍=1' --event '👎=negative'"),
        (["pv", "buy", "cart", "fav"], "--event pv=0.3"),
        (["view", "add to cart", "purchase"], "--event 'add to cart=0.6'"),
        (["vista", "compra", "carrito"], "--event compra=1"),
        (["me gusta", "no me gusta"], "--event 'no me gusta=negative'"),
        (["liked", "skipped"], "--event liked=1 --event skipped=negative"),
        (["play", "skip", "unheard of"], "..."),
    ],
)
def test_cells_that_plainly_say_it_are_told_whatever_the_name(
    cells: list[str], said: str, tmp_path: Path
) -> None:
    (note,) = notices(cells, folder=tmp_path)
    assert said in note


@pytest.mark.parametrize(
    "cells",
    [
        ["red", "blue"],
        ["web", "app"],
        ["F", "M"],
        ["yes", "no"],  # whether it was a gift?
        ["true", "false"],
        ["1", "0"],
        ["-1", "0"],
        ["1", "2", "5"],
        ["view"],
        ["like", "new", "old", "other", "used"],
        [f"play{n}" for n in range(20)],
    ],
)
def test_others_are_not(cells: list[str], tmp_path: Path) -> None:
    assert notices(cells, folder=tmp_path) == []


@pytest.mark.parametrize("name", ["Has Bought?", "userVote", "was_liked", "reaction", "opinion"])
def test_yes_and_no_are_told_where_the_name_holds_a_word(name: str, tmp_path: Path) -> None:
    (note,) = notices(["yes", "no"], name=name, folder=tmp_path)
    assert note.endswith(f"--event-column {shlex.quote(name)} --event yes=1 --event no=negative")


@pytest.mark.parametrize("name", ["vote_count", "event_id", "clicked_at", "label number"])
def test_but_not_where_it_is_a_number_or_a_time(name: str, tmp_path: Path) -> None:
    assert notices(["1", "0"], name=name, folder=tmp_path) == []


@pytest.mark.parametrize("name", ["my kind", "$kind", "it's", "a;b", "kind"])
@pytest.mark.parametrize("cells", [["view", "buy", "add to cart"], ["like $1", "dislike", "like"]])
def test_a_line_to_paste_is_quoted_for_a_shell(name: str, cells: list[str], tmp_path: Path) -> None:
    (note,) = notices(cells, name=name, folder=tmp_path)
    words = shlex.split(note.partition("such as ")[2].removesuffix(" ..."))
    assert words[:2] == ["--event-column", name]
    events = events_of([w for w in words[2:] if w != "--event"])
    assert set(events) <= set(cells)
    signal = Signal(event_column=name, events=events)
    assert len(read_table(tmp_path / "t.csv", signal=signal)) > 0


def test_other_names_are_quoted_too(tmp_path: Path) -> None:
    (note,) = notices(["1", "-1"], name="$ n", folder=tmp_path)
    assert "(--value-column '$ n' --positive-from 1)" in note
    (note,) = notices(["3", "-2"], name="Play Count", folder=tmp_path)
    assert "(--weight-column 'Play Count')" in note


def test_a_value_in_words_is_refused_with_what_reads_it(tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match="--value-column '' --event-column rating --event like=1 --event dis"
    ):
        notices(["like", "dislike"], name="rating", folder=tmp_path)
    with pytest.raises(TableError, match="finite number"):
        notices(["5", "oops"], name="rating", folder=tmp_path)


def test_kinds_are_no_value_where_there_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"{n % 5},{n % 7},{('pv', 'buy')[n % 2]},{1511540000 + n}" for n in range(40)]
    path.write_text("\n".join(rows) + "\n")
    data = read_table(path)
    assert data.value is None
    assert data.timestamp is not None
    assert any("--event-column column3 --event buy=1 --event pv=0.3" in note for note in data.notes)
    kwargs: dict[str, Any] = {"signal": Signal(event_column="column3", events={"buy": 1.0})}
    assert len(read_table(path, **kwargs)) == 20


LOG = {"user": ["a", "a", "b", "b"], "item": [1, 2, 1, 3], "event": ["view", "buy", "view", "buy"]}


def test_kinds_without_their_column_are_refused_with_its_name() -> None:
    with pytest.raises(TableError, match=r"Pass event_column='event' \(--event-column event\)"):
        read_table(LOG, signal=Signal(events={"View": 0.3}))
    other = Signal(events={"watch": 1.0})  # as of a store of events, beside a table
    assert len(read_table(LOG, signal=other)) == 4


def test_a_kind_that_no_row_is_of_is_told() -> None:
    data = read_table(LOG, signal=Signal(event_column="event", events={"view": 0.3, "bought": 1.0}))
    assert "no row is of the kind bought: 'event' holds buy, view" in data.notes


@pytest.mark.parametrize(
    ("yes", "no"), [("True", "False"), ("yes", "no"), ("Y", "N"), ("sí", "no"), (" true ", "FALSE")]
)
def test_words_for_true_and_false_are_values(yes: str, no: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"u{n % 4},i{n % 3},{yes if n % 2 else no}" for n in range(12)]
    path.write_text("user,item,liked\n" + "\n".join(rows) + "\n")
    data = read_table(path, value_column="liked", signal=Signal(positive_from=1))
    assert len(data) == 6
    assert data.negatives is not None
    assert len(data.negatives) == 6
    found = read_table(path, signal=Signal(positive_from=1))
    assert (len(found), found.value_name) == (6, "liked")
    path.write_text("user,item,liked\n" + "\n".join([*rows, "u1,i1,perhaps"]) + "\n")
    with pytest.raises(TableError, match="finite number"):
        read_table(path, value_column="liked", signal=Signal(positive_from=1))
