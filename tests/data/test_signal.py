"""What counts as what: positives, their weights, what says no, what comes again; worked by hand."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import butaca
from butaca.cli.app import app
from butaca.cli.options import signal_of
from butaca.data.core import cored
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.negatives import Negatives
from butaca.data.settled import signalled
from butaca.data.signal import PLAIN, Signal, events_of
from butaca.data.tables import read_table, read_test
from butaca.errors import SettingError, TableError
from tests.support.commands import commands_of
from tests.support.narrow import some

#: Who, what, and when, of the tables below.
WHO = ["ana", "ana", "ana", "eva", "eva"]
WHAT = ["tea", "cup", "pot", "tea", "pot"]


def table(**columns: Any) -> dict[str, Any]:
    n = len(next(iter(columns.values())))
    return {"user": WHO[:n], "item": WHAT[:n], **columns}


def pairs(data: Dataset) -> dict[tuple[str, str], float]:
    """The positives by raw ids, with their weights."""
    keys = zip(data.users.ids.decode(data.user), data.items.ids.decode(data.item), strict=True)
    return dict(zip(((str(u), str(i)) for u, i in keys), data.weights.tolist(), strict=True))


def said_no(data: Dataset) -> set[tuple[str, str]]:
    aside = some(data.negatives)
    keys = zip(data.users.ids.decode(aside.user), data.items.ids.decode(aside.item), strict=True)
    return {(str(u), str(i)) for u, i in keys}


def settled(rows: list[tuple[Any, ...]], signal: Signal, more: str = "amount") -> Dataset:
    """Rows of user, item, time and one more column, beside two rows that make a table of any."""
    rows = [*rows, ("zoe", "tea", 0, 1), ("zoe", "mug", 0, 1)]
    user, item, time, value = zip(*rows, strict=True)
    return read_table({"user": user, "item": item, "timestamp": time, more: list(value)}, signal=signal)


THREE: Mapping[str, dict[str, Any]] = {
    "label of 0 and 1": {"label": [1, 0, 1, 0, 1]},
    "rating of 0 and 1": {"rating": [1, 0, 1, 0, 1]},
    "rating of -1 and 1": {"rating": [1.0, -1.0, 1.0, -1.0, 1.0]},
    "answer as true and false": {"clicked": [True, False, True, False, True]},
}


@pytest.mark.parametrize("how", THREE)
def test_one_answer_written_in_several_ways_gives_its_positive_rows(how: str) -> None:
    data = read_table(table(**THREE[how]), signal=Signal(1))
    assert list(pairs(data)) == [("ana", "tea"), ("ana", "pot"), ("eva", "pot")]
    assert data.weight is None
    assert said_no(data) == {("ana", "cup"), ("eva", "tea")}
    assert data.notes[-1] == "negatives: 2 pairs below 1, kept aside: never recommended"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"label": [1, 0, 1, 0, 1]},
            "pass value_column='label', positive_from=1 (--value-column label --positi",
        ),
        (
            {"rating": [1, 0, 1, 0, 1]},
            "2 of 5 values of 'rating' are 0: if they say no, pass positive_from=1 (--p",
        ),
        (
            {"rating": [1, -1, 1, 0, 1]},
            "2 of 5 values of 'rating' are -1 or 0: if they say no, pass positive_from=1",
        ),
        (
            {"rating": [5, -10, 3, 2, 1]},
            "1 of 5 values of 'rating' are 0 or below: if low values say no, pass posi",
        ),
        (
            {"Quantity": [6, -6, 3, 2, 1]},
            "if such a row takes something back, pass weight_column='Quantity' (--we",
        ),
        ({"plays": [6, 0, 3, 2, 1]}, "if such a row counts nothing, pass weight_column='plays'"),
        (
            {"event": ["view", "buy", "view", "view", "buy"]},
            "column 'event' holds view, buy, which all count the same: to say what each counts, pass event_",
        ),
        ({"stars": [5, 4, 3, 2, 5], "score": [1, 0, -1, 0, 1]}, "pass value_column='score', positive_from=1"),
    ],
)
def test_a_table_that_plainly_tells_is_named_with_what_to_pass(columns: dict[str, Any], said: str) -> None:
    asked: dict[str, Any] = {"value_column": "stars"} if "stars" in columns else {}
    found = [note for note in read_table(table(**columns), **asked).notes if " pass " in note]
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    "columns",
    [{"rating": [5, 4, 3, 2, 1]}, {"event": ["view"] * 5}, {"label": [1, 1, 1, 1, 1]}, {"price": [-1] * 5}],
)
def test_others_are_not_named(columns: dict[str, Any]) -> None:
    assert not [note for note in read_table(table(**columns)).notes if " pass " in note]


def test_kinds_of_event_count_as_said() -> None:
    kinds = [" View", "purchase", "dislike", "hover", "view"]
    said = events_of(["view=0.3", "purchase=1", "dislike=negative"])
    data = read_table(table(kind=kinds), signal=Signal(event_column="kind", events=said))
    assert pairs(data) == {
        ("ana", "tea"): pytest.approx(0.3),
        ("ana", "cup"): 1,
        ("eva", "pot"): pytest.approx(0.3),
    }
    assert said_no(data) == {("ana", "pot")}
    assert "left out: 1 row counting nothing: not view, purchase, dislike" in data.notes


TWO = [("ana", "tea", 10, 4.0), ("ana", "tea", 20, 2.0)]


@pytest.mark.parametrize(
    ("repeats", "weights"),
    [
        ("last", [2.0]),
        ("sum", [6.0]),
        ("mean", [3.0]),
        ("count", [2.0]),
        ("allow", [4.0, 2.0]),
        (None, [6.0]),
    ],
)
def test_what_the_rows_of_a_pair_come_to(repeats: Any, weights: list[float]) -> None:
    data = settled(TWO, Signal(weight_column="amount", repeats=repeats, curve="linear"))
    rows = data.user == data.users.ids.code("ana")
    assert data.weights[rows].tolist() == weights
    assert data.again is (repeats == "allow")


def test_lines_of_one_purchase_are_one_where_people_buy_again() -> None:
    rows = [*TWO, ("ana", "tea", 20, 5.0)]
    data = settled(rows, Signal(weight_column="amount", repeats="allow", curve="linear"))
    assert data.weights[:2].tolist() == [4.0, 7.0]
    assert some(data.timestamp)[:2].tolist() == [10, 20]


@pytest.mark.parametrize(
    ("curve", "worth"),
    [("linear", 6.0), ("sqrt", 6**0.5), ("log", 1 + np.log(6) / 4), (None, 1 + np.log(6) / 4), ("one", 1)],
)
def test_the_curve_is_of_the_amount_of_the_pair(curve: Any, worth: float) -> None:
    data = settled(TWO, Signal(weight_column="amount", curve=curve))
    assert pairs(data)["ana", "tea"] == pytest.approx(worth)


@pytest.mark.parametrize(
    ("amounts", "weight"),
    [([6, -6], None), ([6, -4], 2.0), ([6, -6, 1], 1.0), ([-6], None), ([-6, 6], None), ([2, 0], 2.0)],
)
def test_a_return_takes_a_purchase_back(amounts: list[int], weight: float | None) -> None:
    rows = [("ana", "tea", n, amount) for n, amount in enumerate(amounts)]
    found = pairs(settled(rows, Signal(weight_column="amount", curve="linear")))
    assert found.get(("ana", "tea")) == weight


def test_the_latest_word_decides_and_a_return_is_none() -> None:
    yes_then_no = [("ana", "tea", 1, 5), ("ana", "tea", 2, 1), ("ana", "pot", 3, 1), ("ana", "pot", 4, 5)]
    data = settled(yes_then_no, Signal(4), more="rating")
    assert ("ana", "tea") in said_no(data)
    assert pairs(data) == {("ana", "pot"): 1.0}
    again = settled(yes_then_no[::-1], Signal(4), more="rating")  # by time, not by row
    assert said_no(again) == said_no(data)


def test_what_is_said_is_checked() -> None:
    for wrong in (
        lambda: Signal(4, events={"view": 1}, event_column="kind"),
        lambda: Signal(event_column="kind"),
        lambda: Signal(event_column="kind", events={"view": 0}),
        lambda: Signal(event_column="kind", events={"view": "negative"}),
        lambda: Signal(event_column="kind", events={"view": "no"}),  # type: ignore[dict-item]
        lambda: Signal(weight_column=""),
        lambda: Signal(repeats="all"),  # type: ignore[arg-type]
        lambda: Signal(curve="steep"),  # type: ignore[arg-type]
        lambda: events_of(["view"]),
        lambda: events_of(["=1"]),
        lambda: read_table(table(rating=[1, 2, 3, 4]), signal=Signal(2), duplicates="keep"),
        lambda: signalled(read_table(table(rating=[1, 2, 3, 4])), Signal(weight_column="plays")),
    ):
        with pytest.raises(SettingError) as caught:
            wrong()
        assert caught.value.rule
        assert caught.value.received
        assert caught.value.cure


@pytest.mark.parametrize(
    ("columns", "signal", "said"),
    [
        ({"rating": [1, 2, 3, 4]}, Signal(9), "positive_from=9"),
        ({"price": [1, 2, 3, 4]}, Signal(2), "--value-column"),
        ({"rating": [1, 2, 3, 4]}, Signal(weight_column="plays"), "'plays'"),
        ({"plays": [1, None, 3, 4]}, Signal(weight_column="plays"), "row 2"),
        ({"kind": ["look"] * 4}, Signal(event_column="kind", events={"view": 1}), "which holds look"),
    ],
)
def test_a_table_that_it_does_not_fit_is_refused(columns: dict[str, Any], signal: Signal, said: str) -> None:
    columns["plays" if "plays" in columns else "other"] = columns.get("plays", [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(TableError, match=said):
        read_table(table(**columns), signal=signal)


def test_a_signal_travels_and_is_what_it_was() -> None:
    signal = Signal(
        event_column="kind", events={"view": 0.3, "dislike": "negative"}, repeats="count", curve="sqrt"
    )
    for other in (
        pickle.loads(pickle.dumps(signal)),
        copy.deepcopy(signal),
        Signal.of_json(signal.as_json()),
    ):
        assert other == signal
        assert hash(other) == hash(signal)
    assert Signal.of_json(PLAIN.as_json()) == PLAIN
    assert not PLAIN.says


def test_without_a_signal_data_are_what_they_were() -> None:
    plain = table(rating=[5, 1, 4, 2], timestamp=[1, 2, 3, 4])
    data = read_table(plain, signal=PLAIN)
    assert data.fingerprint() == FINGERPRINT
    assert signalled(data, PLAIN) is data
    liked = signalled(data, Signal(4))
    assert liked.fingerprint() != data.fingerprint()
    assert liked.fingerprint() == read_table(plain, signal=Signal(4)).fingerprint()


#: Of that table, before there were signals.
FINGERPRINT = "0c38c8b836c0c94ca21d247bc5a454ce35215e3b8ce1cf6c3166f2fa68b7e876"


@pytest.fixture(scope="module")
def rated() -> Dataset:
    """Thirty people who each rated some of twelve things, at times of their own; low ratings say no."""
    rng = np.random.default_rng(3)
    user, item = np.nonzero(rng.random((30, 12)) < 0.6)
    n = len(user)
    rating, time = rng.integers(1, 6, n), rng.permutation(n)
    return read_table({"user": user, "item": item, "rating": rating, "timestamp": time}, signal=Signal(3))


def test_splits_know_in_training_what_was_said_before(rated: Dataset) -> None:
    aside = some(rated.negatives)
    train, test = butaca.random_split(rated)
    assert len(some(train.negatives)) == len(aside)
    train, test = butaca.temporal_split(rated)
    assert some(some(train.negatives).timestamp).max() < some(test.timestamp).min()
    assert len(some(train.negatives)) + len(some(test.negatives)) == len(aside)
    train, test = butaca.leave_last_out(rated)
    first = dict(zip(test.user.tolist(), some(test.timestamp).tolist(), strict=True))
    known = some(train.negatives)
    at = zip(known.user.tolist(), some(known.timestamp).tolist(), strict=True)
    assert all(when < first.get(user, np.inf) for user, when in at)
    assert 0 < len(known) < len(aside)
    train, test = butaca.user_split(rated)
    assert not set(some(train.negatives).user.tolist()) & set(test.user.tolist())


def test_negatives_follow_the_codes(rated: Dataset) -> None:
    left = cored(rated, min_user=6)
    ids = left.users.ids.decode(some(left.negatives).user)
    assert set(ids.tolist()) <= set(left.users.ids.values.tolist())
    back = left.recoded(rated.users, rated.items)
    assert set(zip(back.user.tolist(), back.item.tolist(), strict=True)) <= set(
        zip(rated.user.tolist(), rated.item.tolist(), strict=True)
    )
    one = replace(rated.items, columns={"kind": np.array(["all"] * 6 + ["other"] * 6, dtype=object)})
    merged = replace(rated, items=one).keyed_by("kind")
    no, yes = (
        set(zip(p.user.tolist(), p.item.tolist(), strict=True)) for p in (some(merged.negatives), merged)
    )
    assert not no & yes


def test_histories_leave_lists_with_what_was_refused(rated: Dataset) -> None:
    seen, users = Histories.of(rated), np.arange(30, dtype=np.int32)
    row, item = seen.gone(users)
    aside = some(rated.negatives)
    both = {*zip(rated.user.tolist(), rated.item.tolist(), strict=True)}
    both |= {*zip(aside.user.tolist(), aside.item.tolist(), strict=True)}
    assert {*zip(row.tolist(), item.tolist(), strict=True)} == both
    assert len(seen.items) == len(rated)
    assert set(seen.left_out(4).tolist()) == {i for u, i in both if u == 4}


def test_what_was_had_again_counts_each_time_in_a_history() -> None:
    data = settled(TWO, Signal(weight_column="amount", repeats="allow", curve="linear"))
    seen = Histories.of(data)
    assert some(seen.weight)[seen.start[0] : seen.start[1]].tolist() == [6.0]


def test_a_test_table_counts_as_the_models_own_where_it_can(rated: Dataset) -> None:
    known: dict[str, Any] = {
        "users": rated.users,
        "items": rated.items,
        "signal": Signal(3),
        "as_fitted": True,
    }
    judged = read_test({"user": [0, 0, 1], "item": [1, 2, 3], "rating": [5, 1, 4]}, **known)
    assert len(judged) == 2
    bare = read_test({"user": [0, 0, 1], "item": [1, 2, 3]}, **known)
    assert len(bare) == 3
    assert "no value as in the data of the model: every row is a positive" in bare.notes


def test_weights_are_above_zero_and_negatives_whole() -> None:
    data = read_table(table(rating=[1, 2, 3, 4]))
    with pytest.raises(TableError, match="above 0"):
        replace(data, weight=np.array([1, 0, 1, 1], dtype=np.float32))
    with pytest.raises(TableError, match="same length"):
        Negatives(data.user, data.item[:1])


@pytest.mark.parametrize(
    ("repeats", "told"), [(None, True), ("last", True), ("count", True), ("allow", False)]
)
def test_what_many_had_before_is_counted_where_amounts_are_put_together(repeats: Any, told: bool) -> None:
    rows = table(user=["a", "b"] * 60, item=["i", "j", "k", "l"] * 30, n=[1, 2] * 60, time=range(10, 130))
    data = read_table(rows, signal=Signal(weight_column="n", repeats=repeats))
    assert any("of 120 interactions 116 (97%) are of what" in note for note in data.notes) is told


def test_what_many_had_before_is_counted() -> None:
    n = np.arange(200)
    log = {"user": n % 20, "item": n % 10, "timestamp": n}
    said = [note for note in read_table(log).notes if "--repeats allow" in note]
    assert said == [
        "of 200 interactions 180 (90%) are of what the user had before: to learn these too, and offer it "
        'again, pass Signal(repeats="allow") (--repeats allow)'
    ]
    data = read_table(log, signal=Signal(repeats="allow"))
    assert len(data) == 200
    assert data.again


def documented() -> list[str]:
    """The lines of the page on what counts as what."""
    page = (Path(butaca.__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    lines = page.partition("## What counts as what")[2].partition("## ")[0].splitlines()
    return [line.split("|")[2].strip(" `") for line in lines if line.startswith("| ") and "--" in line]


ROWS = (
    "u1,a,5,1,3,2,view,1",
    "u1,b,2,0,1,-1,dislike,2",
    "u2,a,1,0,4,1,view,3",
    "u2,b,4,1,9,3,purchase,4",
    "u1,a,5,1,3,2,view,9",
)


@pytest.mark.parametrize("line", documented())
@pytest.mark.parametrize("command", ["fit", "tune"])
def test_every_line_of_the_page(command: str, line: str, tmp_path: Path) -> None:
    """The command parses it, and it reads a table that has all such columns."""
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["user,item,rating,label,plays,quantity,kind,time", *ROWS]) + "\n")
    parser = commands_of(app)[command]
    asked = parser.make_context(command, [str(table), *line.split()]).params
    signal = signal_of(
        asked["positive_from"],
        asked["weight_column"],
        event_column=asked["event_column"],
        events=asked["event"],
        repeats=asked["repeats"],
        curve=asked["weight_curve"],
    )
    found = read_table(table, value_column=asked["value_column"] or "rating", signal=signal)
    assert signal.says
    assert 2 <= len(found) <= 5
    assert (found.negatives is not None) is ("positive" in line or "negative" in line)
    assert found.again is line.endswith("allow")


def test_the_page_lists_every_option() -> None:
    page = " ".join(documented())
    for option in ("--positive-from", "--weight-column", "--event-column", "--event ", "--repeats"):
        assert option in page


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), np.float64("nan"), 10**400])
def test_numbers_of_a_signal_are_finite(bad: Any) -> None:
    with pytest.raises(SettingError, match=r"positive_from is a finite number\. Received: positive_from="):
        Signal(positive_from=bad)
    with pytest.raises(SettingError, match="of 'view' is a finite number"):
        Signal(event_column="kind", events={"view": bad})


@pytest.mark.parametrize("weight", [1e-60, 1e39])
def test_weights_fit_in_what_holds_them(weight: float) -> None:
    with pytest.raises(SettingError, match="An event counts a weight above 0"):
        Signal(event_column="kind", events={"view": weight})


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "1e999"])
def test_words_for_no_number_are_refused_in_commands(word: str) -> None:
    for said in (["--positive-from", word], ["--event-column", "rating", "--event", f"view={word}"]):
        run = CliRunner().invoke(app, ["fit", "nothing.csv", "--out", "m", *said])
        assert run.exit_code != 0
        assert "finite number" in str(run.exception)
