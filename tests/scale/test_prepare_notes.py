"""Preparing says what reading says, gives the same features, and keeps what is had again where it may be."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.data.bags import Bags
from butaca.data.dataset import Dataset
from butaca.data.signal import Signal
from butaca.data.splits import temporal_split
from butaca.data.tables import read_table
from butaca.recommend.recommender import Recommender
from butaca.scale.pool import Here
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared
from butaca.workflows.carrying import carry_out_fit
from butaca.workflows.plans import FitPlan
from butaca.workflows.recipe_choice import RecipeChoice
from tests.support.narrow import some

ALONE = Preparing(workers=1, split="none", partitions=3)


def prepared(source, tmp_path, **settings) -> Prepared:
    return prepare(source, tmp_path / "p", settings=replace(ALONE, **settings), runner=Here())


#: Tables in which there is something to say: their header, their lines.
SAY = {
    "a label": ("user,item,label,timestamp", [f"u{n % 3},i{n % 4},{n % 2},{n}" for n in range(12)]),
    "values of 0": ("user,item,rating", [f"u{n % 3},i{n},{n % 2 * 5}" for n in range(12)]),
    "kinds": ("user,item,event", [f"u{n % 3},i{n},{'view' if n % 2 else 'buy'}" for n in range(12)]),
    "columns": ("user,item,price,genre", [f"u{n % 3},i{n},{n}.5,a|b" for n in range(12)]),
    "old times": ("user,item,timestamp", [f"u{n % 3},i{n},{n * 3e8:.0f}" for n in range(12)]),
    "words": ("user,item", [f"{'NULL' if n == 5 else f'u{n % 3}'},i{n}" for n in range(12)]),
    "repeats": ("user,item,timestamp", [f"u{n % 3},i{n % 2},{1e9 + n:.0f}" for n in range(12)]),
    "bought again": (
        "user,item,timestamp",
        [f"u{n % 7},i{n % 5},{1e9 + 9 * n:.1f}" for n in range(150) for _ in range(1 + n % 2)],
    ),
}


@pytest.mark.parametrize("case", SAY)
def test_it_says_what_reading_says(tmp_path, case):
    header, lines = SAY[case]
    (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    expected = read_table(str(tmp_path / "t.csv")).notes
    assert len(expected) > 2
    found = prepared(tmp_path / "t.csv", tmp_path)
    assert tuple(found.manifest["notes"]) == expected
    assert found.dataset("train").notes == expected


@pytest.mark.parametrize(
    "signal", [Signal(1), Signal(weight_column="rating"), Signal(repeats="sum"), Signal(repeats="allow")]
)
def test_so_it_does_of_what_counts_as_what(tmp_path, signal):
    rng = np.random.default_rng(2)
    rows = [f"u{u},i{i},{r - 2},{t}" for u, i, r, t in rng.integers(0, 6, (90, 4)).tolist()]
    (tmp_path / "t.csv").write_text("\n".join(["user,item,rating,timestamp", *rows]) + "\n")
    found = prepared(tmp_path / "t.csv", tmp_path, signal=signal)
    assert tuple(found.manifest["notes"]) == read_table(str(tmp_path / "t.csv"), signal=signal).notes


def test_of_several_files_what_is_of_one_has_its_name(tmp_path):
    for name, user in (("a", "u1"), ("b", "NULL")):
        rows = [f"{user},i{n},{1_000_000_000 + 86_400 * n * (name == 'b')}" for n in range(4)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    notes = prepared(str(tmp_path / "?.csv"), tmp_path).manifest["notes"]
    assert notes == [
        "user: column 'user' (by name)",
        "item: column 'item' (by name)",
        "time: column 'timestamp' (by name), seconds since 1970, from 2001-09-09 to 2001-09-12",
        "b.csv: user: 4 rows in which a word for nothing is taken as an id, the first 'NULL' in line 2; "
        "drop_nulls=True or --drop-nulls leaves them out",
    ]


ITEMS = """item,name,year,price,genres,cast,zip
i0,Heat (1995),(1995),1.5,"Action, Drama","['Ana', 'Eva']",0213
i1,Up (2009),(2009),-,"Drama, Kids","['Eva']",1000
i2,Alien (1979),(1979),3,"Action, Drama",,2000
"""


def items_of(data: Dataset | Prepared) -> dict[str, object]:
    out: dict[str, object] = {}
    for name, column in data.items.columns.items():
        rows = [column[row] for row in range(len(column))]
        out[name] = [r.tolist() if isinstance(column, Bags) else r for r in rows]
        out[f"{name}: kind"] = (column.values if isinstance(column, Bags) else column).dtype.kind
    return out


def test_tables_of_items_become_what_they_become_in_memory(tmp_path):
    """Strays among numbers, years in brackets, lists as they are written, titles, postcodes."""
    extra = [f'i{n},Film {n} ({1990 + n}),({1990 + n}),{n},"Action, Kids",,{n:04d}\n' for n in range(3, 14)]
    (tmp_path / "i.csv").write_text(ITEMS + "".join(extra))
    rows = [f"u{n % 3},i{n % 13}" for n in range(26)]
    (tmp_path / "t.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    table = str(tmp_path / "i.csv")
    for title in (None, "name"):
        expected = read_table(str(tmp_path / "t.csv"), items=table, title_column=title)
        found = prepared(tmp_path / "t.csv", tmp_path, items=table, title=title)
        np.testing.assert_equal(items_of(found), items_of(expected))
        assert tuple(found.manifest["notes"]) == expected.notes
        shutil.rmtree(tmp_path / "p")
    (tmp_path / "n.csv").write_text("\n".join(["user,item", *(f"u{n % 3},{n % 2 + 1}" for n in range(6))]))
    (tmp_path / "bare.csv").write_text("1,Heat\n2,Up\n")
    bare = prepared(tmp_path / "n.csv", tmp_path, items=str(tmp_path / "bare.csv"))
    assert bare.items.record(1)["title"] == "Up"
    assert any("no header line" in note for note in bare.manifest["notes"])


def bought(tmp_path) -> str:
    """Returns a table of people who buy the same again: each item of one's own thrice."""
    rows = [
        f"u{u},i{(u + i) % 8},{1_000_000_000 + 1000 * time + u}"
        for u in range(20)
        for time in range(3)
        for i in range(4)
    ]
    path = tmp_path / "bought.csv"
    path.write_text("\n".join(["user,item,timestamp", *rows, rows[0]]) + "\n")  # one line twice
    return str(path)


def test_what_is_had_again_stays_where_it_may(tmp_path):
    allow = Signal(repeats="allow")
    source = bought(tmp_path)
    expected = read_table(source, signal=allow)
    assert len(expected) == 20 * 3 * 4
    found = prepare(
        source, tmp_path / "p", settings=replace(ALONE, split="temporal", signal=allow), runner=Here()
    )
    for name, side in zip(("train", "test"), temporal_split(expected, 0.2), strict=True):
        got = found.dataset(name)
        assert got.again
        order = np.lexsort((some(side.timestamp), side.item, side.user))
        for column in ("user", "item", "timestamp"):
            np.testing.assert_array_equal(getattr(got, column), getattr(side, column)[order])
    # at random each time is drawn by itself: of a pair some times train and others test
    split = prepare(
        source, tmp_path / "q", settings=replace(ALONE, split="random", signal=allow), runner=Here()
    )
    sides = [split.dataset(name) for name in ("train", "test")]
    pairs = [set(zip(s.user.tolist(), s.item.tolist(), strict=True)) for s in sides]
    assert pairs[0] & pairs[1]
    assert sum(map(len, sides)) == len(expected)


def test_a_fit_of_them_serves_it(tmp_path):
    source, out = bought(tmp_path), str(tmp_path / "p")
    run = CliRunner().invoke(
        app, ["data", "prepare", source, "--out", out, "--split", "temporal", "--repeats", "allow"]
    )
    assert run.exit_code == 0, run.output
    assert "every time counts, and what was had may come again" in " ".join(run.output.split())
    plan = FitPlan(out, tmp_path / "m", recipe=RecipeChoice(epochs=2))
    fitted = carry_out_fit(plan)
    assert some(fitted.judged).ours.seen_left_out is False
    saved = Recommender.load(tmp_path / "m")
    assert saved.again
    assert {item.id for item in saved.recommend("u0", 8).items} == {f"i{n}" for n in range(8)}


def test_without_it_it_says_how_much_is_had_again(tmp_path):
    run = CliRunner().invoke(
        app, ["data", "prepare", bought(tmp_path), "--out", str(tmp_path / "p"), "--split", "none"]
    )
    said = " ".join(run.output.split())
    # 240 times of 80 pairs, and one line twice
    assert "80 repeated (user, item) pairs: the latest of each kept, 161 dropped" in said
    assert "of 240 interactions 160 (67%) are of what the user had before" in said
    assert "(--repeats allow)" in said
