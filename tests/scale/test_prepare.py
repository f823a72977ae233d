"""Preparing: as reading and splitting in memory, the same bytes whoever does it, in little memory."""

from __future__ import annotations

import gzip
import io
import subprocess
import time
from dataclasses import replace

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.data.formats.written import Reading
from butaca.data.fractal import Growth, grow
from butaca.data.histories import Histories
from butaca.data.signal import Signal, events_of
from butaca.data.splits import temporal_split
from butaca.data.tables import read_table
from butaca.errors import SettingError, SplitError, TableError
from butaca.scale.partition import Rule, latest, sort
from butaca.scale.placing import UNIT, Stripe, span, stripes
from butaca.scale.pool import Here, local_runner
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared
from tests.support.commands import commands_of
from tests.support.forks import start
from tests.support.narrow import some
from tests.support.prepared import contents, csv

ALONE = Preparing(workers=1)


@pytest.fixture(scope="module")
def big(ml, tmp_path_factory):
    """MovieLens 100K, twice the users and films, in several files."""
    folder = tmp_path_factory.mktemp("grown") / "big"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("butaca.data.fractal.PART_ROWS", 80_000)
        grow(ml, folder, growth=Growth(2, 4))
    return folder


@pytest.fixture(scope="module")
def prepared(big, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "p"
    return prepare(big, out, settings=replace(ALONE, split="temporal"))


@pytest.fixture(scope="module")
def read(big):
    """The same table through the reader that holds everything in memory."""
    files = str(big / "interactions" / "*.parquet")
    return read_table(
        some(duckdb.sql(f"FROM '{files}'")).to_arrow_table(),
        items=str(big / "items.parquet"),
        users=str(big / "users.parquet"),
    )


def small(path):
    return csv(
        path, *(f"u{u},i{i},{1 + (u + i) % 5},{100 * u + i}" for u in range(9) for i in range(u % 5 + 2))
    )


def test_same_as_in_memory(prepared, read):
    train, test = temporal_split(read, 0.2)
    for side, data in ((prepared.train, train), (prepared.test, test)):
        expected = Histories.of(data)
        np.testing.assert_array_equal(side.start, expected.start)
        np.testing.assert_array_equal(side.item, expected.items)
        np.testing.assert_array_equal(side.value, expected.value)
        np.testing.assert_array_equal(side.time, expected.time)
        assert isinstance(side.item, np.memmap)
    assert prepared.users.ids == read.users.ids
    assert prepared.items.ids == read.items.ids
    assert set(prepared.items.columns) == {"source_movie_id", "movie_title", "movie_genres", "movie_year"}
    row = prepared.items.ids.code(2)
    assert prepared.items.record(row)["movie_title"] == "Toy Story #2 (1995)"
    assert prepared.dataset("train").fingerprint() == replace_order(train).fingerprint()


def replace_order(data):
    return data.take(np.lexsort((data.item, data.user)))


@pytest.mark.parametrize("split", ["temporal", "random"])
def test_same_bytes_whatever_the_partitions_and_the_workers(big, tmp_path, split):
    asked = replace(ALONE, split=split, partitions=1)
    prepare(big, tmp_path / "one", settings=asked)
    prepare(big, tmp_path / "seven", settings=replace(asked, partitions=7))
    prepare(big, tmp_path / "two", settings=replace(asked, partitions=5, workers=2))
    one = contents(tmp_path / "one")
    assert len(one) == 11
    assert one == contents(tmp_path / "seven") == contents(tmp_path / "two")


def test_stripes_are_whole_whoever_writes_which(big, tmp_path, monkeypatch):
    """Of 2 and of many, cut within users, the bytes of one."""
    prepare(big, tmp_path / "one", settings=replace(ALONE, partitions=3))
    monkeypatch.setattr("butaca.scale.placing.UNIT", 4096)
    most = []
    progress = lambda stage, done, total: most.append(total) if stage == "placing" else None  # noqa: E731
    for partitions in (2, 9):
        prepare(big, tmp_path / "many", settings=replace(ALONE, partitions=partitions), progress=progress)
        assert most[-1] == {2: 4, 9: 17}[partitions]  # of both sides; the test side has 16 units, 2 a stripe
        assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_no_page_of_a_file_has_two_writers(tmp_path):
    n, rule = 3 * UNIT + 5, Rule("random", 0.2, 42)
    for name, dtype in (("item", np.int32), ("time", np.int64)):
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", dtype, (n,))
        path, after = tmp_path / f"{name}.npy", 0
        for first, last in stripes(n, 9):
            begin, end = span(Stripe("train", first, last, (), tmp_path, (), rule, tmp_path), path, n=n)
            assert begin == after
            after = end
            if first:  # 128 bytes of header, then rows
                assert (128 + begin * np.dtype(dtype).itemsize) % (1 << 20) == 0
        assert after == n


def test_a_row_that_is_lost_is_noticed(tmp_path):
    class Forgetful(Here):
        def map(self, function, tasks):
            if function is sort:
                tasks = [replace(tasks[0], files=()), *tasks[1:]]
            return map(function, tasks)

    with pytest.raises(TableError, match=r"Every row that was read .* Received: 34 rows read"):
        prepare(
            small(tmp_path / "t.csv"),
            tmp_path / "p",
            settings=replace(ALONE, partitions=2),
            runner=Forgetful(),
        )


class Twice(Here):
    """Every task is run, and run again as if its first worker had died before it could tell."""

    def map(self, function, tasks):
        for task in tasks:
            function(task)
            yield function(task)


def test_a_task_that_runs_again_changes_nothing(big, tmp_path):
    asked = replace(ALONE, split="temporal", partitions=3)
    prepare(big, tmp_path / "once", settings=asked)
    prepare(big, tmp_path / "twice", settings=asked, runner=Twice())
    assert contents(tmp_path / "once") == contents(tmp_path / "twice")


def test_another_runner_will_do(tmp_path):
    class Backwards(Here):
        workers = 3

        def map(self, function, tasks):
            return reversed([function(task) for task in reversed(tasks)])

    source = small(tmp_path / "t.csv")
    prepare(source, tmp_path / "a", settings=ALONE)
    prepare(source, tmp_path / "b", runner=Backwards())
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_random_split_is_of_the_asked_share_and_of_the_seed(big, tmp_path):
    sides = {}
    for seed in (1, 2):
        found = prepare(big, tmp_path / f"s{seed}", settings=replace(ALONE, test_share=0.3, seed=seed))
        n = len(found.train) + len(found.test)
        assert len(found.test) / n == pytest.approx(0.3, abs=0.004)  # 4 standard deviations
        sides[seed] = set(zip(*pairs(found.test), strict=True))
    assert len(sides[1] & sides[2]) / len(sides[1]) == pytest.approx(0.3, abs=0.01)


def pairs(side):
    return np.repeat(np.arange(len(side.start) - 1), np.diff(side.start)).tolist(), side.item.tolist()


def test_rule_draws_each_pair_alone():
    rule = Rule("random", 0.5, 7)
    user, item = np.arange(1000, dtype=np.int32), np.arange(1000, dtype=np.int32)[::-1]
    whole = rule.tests(user, item, time=None)
    assert [bool(rule.tests(user[i : i + 1], item[i : i + 1], time=None)[0]) for i in range(50)] == whole[
        :50
    ].tolist()
    assert 430 < whole.sum() < 570  # binomial: 500, standard deviation 16


def test_little_memory_spills_rather_than_fails(tmp_path, monkeypatch):
    """A table of 32 bytes a row, twice what DuckDB may use here, in one file."""
    monkeypatch.setattr("butaca.scale.reading.SMALLEST", 20_000_000)
    monkeypatch.setattr("butaca.scale.prepare.FOR_DUCKDB", 0.12)
    path = tmp_path / "wide.parquet"
    duckdb.sql(
        "COPY (FROM range(1500000) r(x) SELECT hash(x) % 20000 AS user, hash(x * 7 + 1) % 3000 AS item, "
        f"(hash(x + 9) % 1000) / 7.0 AS rating, hash(x * 3) % 1000000000 AS timestamp) TO '{path}'"
    )
    found = prepare(path, tmp_path / "p", settings=replace(ALONE, memory="200MB"))
    again = prepare(path, tmp_path / "q", settings=replace(ALONE, memory="3GB"))
    assert contents(tmp_path / "p") == contents(tmp_path / "q")
    assert len(found.train) == len(again.train)
    assert len(found.train) + len(found.test) + found.manifest["repeats"] == 1_500_000


def test_killed_run_leaves_nothing_that_looks_whole(big, tmp_path):
    out = tmp_path / "p"
    command = "from butaca.scale.prepare import *; import sys, time\n"
    command += "prepare(sys.argv[1], sys.argv[2], settings=Preparing(workers=1), "
    command += "progress=lambda s, d, n: (print(s, flush=True), time.sleep(60)) if s == 'placing' else None)"
    child = start(big, out, code=command, stdout=subprocess.PIPE)
    assert some(child.stdout).readline() == "placing\n"
    child.kill()
    child.wait()
    some(child.stdout).close()
    assert not out.exists()
    for folder in (out, tmp_path / ".p.partial"):
        with pytest.raises(TableError, match="manifest"):
            Prepared.open(folder)
    began = time.monotonic()
    prepare(small(tmp_path / "t.csv"), out, settings=ALONE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p", "t.csv"]
    assert time.monotonic() - began < 30


cells = st.tuples(
    st.sampled_from(["ana", "eva", "Ñ", "007", "7", "x y"]),
    st.sampled_from(["a", "b", "c|d", "é", "10", "9"]),
    st.sampled_from(["1", "2.5", "-3", "1e2"]),
    st.integers(-5, 5).map(lambda n: str(n * 86_400)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(cells, min_size=2, max_size=30), partitions=st.integers(1, 4), split=st.booleans())
def test_odd_tables_as_in_memory(tmp_path, rows, partitions, split):
    path = csv(tmp_path / "t.csv", *(",".join(row) for row in rows))
    asked = replace(ALONE, split="temporal" if split else "none", partitions=partitions)
    try:
        data = read_table(path)
        sides = temporal_split(data) if split else (data,)
    except (TableError, SplitError) as error:
        with pytest.raises(type(error)):
            prepare(path, tmp_path / "p", settings=asked)
        return
    found = prepare(path, tmp_path / "p", settings=asked)
    assert found.users.ids == data.users.ids
    for side, expected in zip((found.train, found.test), map(Histories.of, sides), strict=False):
        for name, theirs in (("start", "start"), ("item", "items"), ("value", "value"), ("time", "time")):
            np.testing.assert_array_equal(getattr(side, name), getattr(expected, theirs))


@pytest.mark.parametrize(
    "times",
    [
        ["2024-05-31T18:30:00Z", "2024-06-01", "1969-12-31 23:59:59.5", "2024-05-31T18:30:00+02:00"],
        ["1717180200123", "1717180201999", "1717180200000", "1717180299999"],
        ["20240531", "20240601", "20240602", "19700101"],
        ["1.9", "-1.9", "0", "3"],
    ],
)
def test_times_as_in_memory(tmp_path, times):
    path = csv(tmp_path / "t.csv", *(f"u{n % 2},i{n},1,{t}" for n, t in enumerate(times)))
    found = prepare(path, tmp_path / "p", settings=replace(ALONE, split="none"))
    in_memory = some(Histories.of(read_table(path)).time)
    assert some(found.train.time).tolist() == np.floor(in_memory).tolist()  # prepared times are whole seconds


@pytest.mark.parametrize("first", [900, 100])
def test_the_latest_within_a_second_stays(tmp_path, first):
    rest = [f"u{n % 2},i{n},1,1700000000000" for n in range(2, 6)]
    lines = [f"u1,i0,{t},{1_700_000_000_000 + t}" for t in (first, 1000 - first)]
    found = prepare(
        csv(tmp_path / "t.csv", *lines, *rest), tmp_path / "p", settings=replace(ALONE, split="none")
    )
    assert 900 in some(found.train.value).tolist()
    assert 100 not in some(found.train.value).tolist()


def test_latest_by_hand():
    #       key 4 comes at 9 and 2: row 0; key 1 twice at 5: the later row, 3; key 2 once: row 4
    key, when, place = np.array([4, 1, 4, 1, 2]), np.array([9, 5, 2, 5, 0]), np.arange(5)
    assert latest(key, when, place=place).tolist() == [3, 4, 0]
    assert latest(key, None, place=place).tolist() == [3, 4, 2]


def test_text_features_and_a_folder_of_files(tmp_path):
    (tmp_path / "in").mkdir()
    csv(tmp_path / "in" / "b.csv", "u1,i1,5,10", "u2,i2,4,20")
    lines = "user,item,rating,timestamp\nu1,i1,1,30\nu3,i3,2,30\n"
    (tmp_path / "in" / "c.csv.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "i.csv").write_text("item,year,zip,price\ni1,1990,0213,1.5\ni9,1991,,2\n")
    found = prepare(
        tmp_path / "in", tmp_path / "p", settings=replace(ALONE, split="none", items=str(tmp_path / "i.csv"))
    )
    assert found.items.ids.values.tolist() == ["i1", "i2", "i3", "i9"]
    assert found.items.record(3) == {"item": "i9", "year": 1991, "zip": "", "price": 2}
    assert found.manifest["repeats"] == 1
    assert some(found.train.value).tolist() == [1, 4, 2]  # of u1's i1 the later file's, 20 seconds on
    assert "user" in found.users


def test_without_values_and_times(tmp_path):
    source = small(tmp_path / "t.csv")
    found = prepare(source, tmp_path / "p", settings=replace(ALONE, value_column="", time_column=""))
    assert found.train.value is None
    assert found.train.time is None
    with pytest.raises(SplitError, match="has no time column"):
        prepare(source, tmp_path / "q", settings=replace(ALONE, split="temporal", time_column=""))


def test_blocks_hold_every_user_once(prepared):
    for size in (1, 1000, 10**9):
        seen, first = [], 0
        for begin, block in prepared.train.blocks(size):
            assert begin == first
            first += len(block.start) - 1
            seen.append(block.items)
            assert len(block.items) <= max(size, np.diff(prepared.train.start).max())
        assert first == prepared.n_users
        np.testing.assert_array_equal(np.concatenate(seen), prepared.train.item)
    (only,) = prepared.train.blocks(1000, np.array([3]))
    assert only[0] == prepared.train.cuts(1000)[3]
    with pytest.raises(SettingError, match="A block holds"):
        next(prepared.train.blocks(0))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",i1,5,1", "an empty cell in column 'user', line 3"),
        ("u1,i1,five,1", "'five' in column 'rating', line 3"),
        ("u1,i1,5,soon", "'soon' in column 'timestamp', line 3"),
        ("u1,i1,5", "line 3"),
    ],
)
def test_wrong_cells_are_named(tmp_path, line, said):
    path = csv(tmp_path / "t.csv", "u1,i1,5,1", line, "u2,i2,5,1")
    with pytest.raises(TableError, match=said):
        prepare(path, tmp_path / "p", settings=replace(ALONE, workers=2 if "five" in line else 1))
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_wrong_inputs(tmp_path):
    source = small(tmp_path / "t.csv")
    (tmp_path / "in").mkdir()
    with pytest.raises(TableError, match="A folder of interactions holds tables"):
        prepare(tmp_path / "in", tmp_path / "p", settings=ALONE)
    csv(tmp_path / "in" / "a.csv", "u1,i1,5,1", "u2,i2,5,1")
    (tmp_path / "in" / "b.csv").write_text("user,item\nu1,i1\n")
    with pytest.raises(TableError, match=r"written alike\. Received: .*b\.csv"):
        prepare(tmp_path / "in", tmp_path / "p", settings=ALONE)
    with pytest.raises(TableError, match="holds something else"):
        prepare(source, tmp_path / "in", settings=ALONE)
    with pytest.raises(TableError, match="at least two users"):
        prepare(csv(tmp_path / "one.csv", "u,i,1,1", "u,j,1,2"), tmp_path / "p", settings=ALONE)
    with pytest.raises(TableError, match="exists"):
        prepare(tmp_path / "nowhere.csv", tmp_path / "p", settings=ALONE)
    (tmp_path / "i.csv").write_text("item,year\nz1,1990\nz2,1990\n")
    with pytest.raises(TableError, match="none of their 6 ids"):
        prepare(source, tmp_path / "p", settings=replace(ALONE, items=str(tmp_path / "i.csv")))
    with pytest.raises(SplitError, match="Both sides"):
        prepare(
            csv(tmp_path / "two.csv", "u,i,1,1", "v,j,1,2"),
            tmp_path / "p",
            settings=replace(ALONE, test_share=1e-9),
        )


@pytest.mark.parametrize(
    "wrong",
    [
        *({"memory": size} for size in ("lots", "3", "1GBB")),
        {"workers": 0},
        {"seed": -1},
        {"partitions": -1},
        {"split": "by moon"},
        {"test_share": 0},
        {"test_share": 1},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises((SettingError, SplitError), match="Received"):
        Preparing(**wrong)


def test_no_runner_of_nobody():
    with pytest.raises(SettingError, match="--workers"), local_runner(0):
        pass


def test_damage_is_found(tmp_path):
    prepare(small(tmp_path / "t.csv"), tmp_path / "p", settings=ALONE)
    Prepared.open(tmp_path / "p", check=True)
    path = tmp_path / "p" / "train" / "item.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"item\.npy: its contents"):
        Prepared.open(tmp_path / "p", check=True)
    path.write_bytes(content[:-1])
    with pytest.raises(TableError, match=r"item\.npy: it holds"):
        Prepared.open(tmp_path / "p")


def test_the_commands(tmp_path):
    run = CliRunner()
    source, grown, out = small(tmp_path / "t.csv"), tmp_path / "big", tmp_path / "p"
    done = run.invoke(
        app, ["data", "grow", str(source), "--user-copies", "3", "--item-copies", "4", "--out", str(grown)]
    )
    assert done.exit_code == 0, done.output
    asked = ["data", "prepare", str(grown), "--out", str(out), "--split", "temporal", "--workers", "1"]
    done = run.invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "27 users" in done.output.replace("\n", " ")
    assert Prepared.open(out).n_items == 4 * 6


def test_every_option_of_data_has_help_and_every_setting_a_word():
    import dataclasses
    import re

    for name, command in commands_of(app, "data").items():
        assert command.help
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"
    for record in (Growth, Preparing):
        for field in dataclasses.fields(record):
            assert re.search(rf"^\s+[\w, ]*\b{field.name}\b[\w, ]*: ", record.__doc__ or "", flags=re.M), (
                field.name
            )


def test_rows_without_an_id_are_left_out_as_asked(tmp_path):
    lines = [f"u{n % 2},i{n},1,{n}" for n in range(6)]
    path = csv(tmp_path / "t.csv", "NULL,i1,1,5", ",i2,1,5", *lines)
    settings = replace(ALONE, split="none", reading=Reading(drop_nulls=True))
    found = prepare(path, tmp_path / "p", settings=settings)
    assert (len(found.train), found.n_users) == (6, 2)
    with pytest.raises(TableError, match="empty cell in column 'user', line 3"):
        prepare(path, tmp_path / "q", settings=replace(ALONE, split="none"))


@pytest.mark.parametrize(
    "signal",
    [
        Signal(4),
        Signal(weight_column="plays"),
        Signal(event_column="kind", events=events_of(["view=0.3", "buy=1", "no=negative"]), repeats="count"),
        Signal(2, weight_column="plays", repeats="mean", curve="sqrt"),
    ],
)
def test_what_counts_as_what_is_as_in_memory(tmp_path, signal):
    rng = np.random.default_rng(1)
    lines = [
        f"u{u},i{i},{1 + r % 5},{t},{a},{k}"
        for u, i, r, t, a, k in zip(
            rng.integers(0, 12, 300),
            rng.integers(0, 9, 300),
            rng.integers(0, 9, 300),
            rng.integers(0, 40, 300),
            rng.integers(-3, 7, 300),
            rng.choice(["view", "buy", "no", "other"], 300),
            strict=True,
        )
    ]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["user,item,rating,timestamp,plays,kind", *lines]) + "\n")
    settings = replace(ALONE, split="temporal", signal=signal, partitions=3)
    found = prepare(table, tmp_path / "p", settings=settings, runner=Here())
    train, test = temporal_split(read_table(table, signal=signal), 0.2)
    for name, data in (("train", train), ("test", test)):
        side, expected = found.dataset(name), Histories.of(data)
        got = Histories.of(side)
        for column in ("items", "start", "value", "time", "weight"):
            one, other = getattr(got, column), getattr(expected, column)
            assert (one is None) is (other is None), column
            if one is not None:
                np.testing.assert_array_equal(one, other, err_msg=column)
    no, said = found.negatives, train.negatives
    pairs = [sorted(zip(p.user.tolist(), p.item.tolist(), strict=True)) for p in (no, said) if p is not None]
    assert not pairs if no is None else pairs[0] == pairs[1]
    assert found.signal == signal


def test_several_files_a_pattern_and_the_standard_input_are_one_table(tmp_path, monkeypatch):
    rows = [f"u{u},i{i},{1 + (u + i) % 5},{10**9 + 100 * u + i}" for u in range(9) for i in range(u % 5 + 2)]
    table = csv(tmp_path / "t.csv", *rows)
    head, *lines = table.read_text().splitlines(keepends=True)
    (tmp_path / "a1.csv").write_text(head + "".join(lines[:20]))
    (tmp_path / "a2.csv").write_text(head + "".join(lines[20:]))
    expected = contents(prepare(table, tmp_path / "whole", settings=ALONE, runner=Here()).folder)
    parts = [str(tmp_path / "a1.csv"), str(tmp_path / "a2.csv")]
    for n, source in enumerate((parts, str(tmp_path / "a?.csv"), "-")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table.read_bytes())))
        found = contents(prepare(source, tmp_path / f"p{n}", settings=ALONE, runner=Here()).folder)
        assert found == expected
    with pytest.raises(TableError, match="fits none"):
        prepare(str(tmp_path / "b*.csv"), tmp_path / "no", settings=ALONE, runner=Here())
