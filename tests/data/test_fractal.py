"""Growing: the same bytes each time, the original's curves, values and times; whole folders or none."""

from __future__ import annotations

import json
import subprocess
import time

import duckdb
import numpy as np
import pytest

from butaca.data.folders import read_manifest, sha256, verify, writing
from butaca.data.fractal import Growth, grow
from butaca.errors import SettingError, TableError
from butaca.workflows.loading import load
from tests.support.boards import checkerboard
from tests.support.forks import start
from tests.support.narrow import some


@pytest.fixture(scope="module")
def grown(ml, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grown") / "big"
    grow(ml, folder, growth=Growth(4, 8))
    return folder


def rows(folder, sql="*", tail=""):
    pattern = str(folder / "interactions" / "*.parquet")
    return some(duckdb.sql(f"SELECT {sql} FROM read_parquet('{pattern}') {tail}")).fetchnumpy()


def gini(counts):
    """0: all equal; 1: one has all. [1, 3]: the area between the diagonal and the Lorenz curve is .25."""
    x = np.sort(counts)
    return 1 + 1 / len(x) - 2 * (np.cumsum(x) / x.sum()).sum() / len(x)


def test_gini_by_hand():
    assert gini(np.array([1, 3])) == pytest.approx(0.25)


def test_sizes_and_pairs_are_distinct(grown, ml):
    manifest = read_manifest(grown, "grown", made_by="")
    verify(grown, manifest)
    found = rows(grown, "count(*) n, count(DISTINCT (user_id, movie_id)) d")
    assert found["n"][0] == found["d"][0] == manifest["interactions"]
    assert manifest["interactions"] == pytest.approx(len(ml) * 4 * 1.5625, rel=0.01)
    assert (manifest["users"], manifest["items"]) == (943 * 4, 1682 * 8)


def test_same_bytes_and_another_seed_another_set(tmp_path):
    board = checkerboard()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        grow(board, tmp_path / name, growth=Growth(6, 4, seed=seed))
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 4
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    part = "interactions/part-00000.parquet"
    assert sha256(tmp_path / "a" / part) != sha256(tmp_path / "c" / part)


def test_parts_cut_no_copy_of_a_user(ml, tmp_path, monkeypatch, grown):
    monkeypatch.setattr("butaca.data.fractal.PART_ROWS", 40_000)
    grow(ml, tmp_path / "big", growth=Growth(4, 8))
    assert len(list((tmp_path / "big" / "interactions").iterdir())) > 8
    pattern = str(tmp_path / "big" / "interactions" / "*.parquet")
    sql = f"FROM (SELECT user_id, count(DISTINCT filename) n FROM '{pattern}' GROUP BY 1) SELECT max(n)"
    assert some(duckdb.sql(sql)).fetchall() == [(1,)]
    assert len(rows(tmp_path / "big")["user_id"]) == pytest.approx(len(rows(grown)["user_id"]), rel=0.01)


@pytest.mark.parametrize(("key", "times", "size"), [("user_id", 4, 943), ("movie_id", 8, 1682)])
def test_curves_stay(grown, ml, key, times, size):
    before = np.bincount(ml.user if key == "user_id" else ml.item, minlength=size)
    after = np.bincount(rows(grown, key)[key] - 1, minlength=size * times)
    assert gini(after) == pytest.approx(gini(before), abs=0.025)
    # The same share of all interactions goes to the most active or popular hundredth, tenth and half.
    for share in (0.01, 0.1, 0.5):
        top = [np.sort(c)[::-1][: round(share * len(c))].sum() / c.sum() for c in (before, after)]
        assert top[1] == pytest.approx(top[0], abs=0.03)


def test_values_are_the_original_pairs(grown, ml):
    found = rows(grown)
    value = np.zeros((943, 1682), dtype=np.float32)
    value[ml.user, ml.item] = ml.value
    user, item = (found["user_id"] - 1) // 4, (found["movie_id"] - 1) // 8
    np.testing.assert_array_equal(value[user, item], found["user_rating"])
    assert found["user_rating"].min() >= 1


def test_times_keep_span_and_order(grown, ml):
    found = rows(grown)
    assert found["timestamp"].min() >= ml.timestamp.min()
    assert found["timestamp"].max() <= ml.timestamp.max()
    when = np.zeros((943, 1682), dtype=np.int64)
    when[ml.user, ml.item] = ml.timestamp
    original = when[(found["user_id"] - 1) // 4, (found["movie_id"] - 1) // 8]
    order = np.lexsort((original, found["user_id"]))
    user, moved = found["user_id"][order], found["timestamp"][order]
    # What came earlier, in another second, does not come later; ties may fall either way within theirs.
    firsts = np.append(True, (np.diff(user) != 0) | (np.diff(original[order]) != 0))
    least, most = (f.reduceat(moved, np.flatnonzero(firsts)) for f in (np.minimum, np.maximum))
    same_user = np.diff(user[firsts]) == 0
    assert (least[1:][same_user] >= most[:-1][same_user]).all()
    # A sitting stays a sitting: each copy is moved as a whole, but for a minute.
    copies = np.flatnonzero(np.append(True, np.diff(user) != 0))
    delta = moved - original[order]
    assert (np.maximum.reduceat(delta, copies) - np.minimum.reduceat(delta, copies)).max() < 60


def test_there_is_something_to_learn(grown):
    """Copies of a film differ: those who had a copy had some other copies far more than chance says."""
    found = rows(grown)
    some = found["user_id"] <= 4 * 943
    user, item = found["user_id"][some] - 1, found["movie_id"][some] - 1
    matrix = np.zeros((943 * 4, 400 * 8), dtype=np.float32)
    near = item < 400 * 8
    matrix[user[near], item[near]] = 1
    chance = matrix.mean(axis=0)
    lift = (matrix.T @ matrix / len(matrix) + 1e-6) / (np.outer(chance, chance) + 1e-6)
    popular = np.flatnonzero(chance > 0.03)
    lift = lift[np.ix_(popular, popular)][~np.eye(len(popular), dtype=bool)]
    assert np.quantile(lift, 0.95) > 1.6 * np.quantile(lift, 0.05)


def test_tables_say_what_was_known(grown, ml):
    items = some(duckdb.sql(f"FROM '{grown}/items.parquet' ORDER BY movie_id LIMIT 2")).fetchall()
    assert items[0] == (1, "1", "Toy Story (1995)", ["Animation", "Children", "Comedy"], 1995)
    assert items[1][:3] == (2, "1", "Toy Story #2 (1995)")
    users = duckdb.sql(f"FROM '{grown}/users.parquet' SELECT count(*), count(DISTINCT source_user_id)")
    assert some(users).fetchall() == [(943 * 4, 943)]


def test_grown_data_are_loaded_with_their_tables(grown):
    data = load(str(grown))
    assert len(data) == json.loads((grown / "manifest.json").read_text())["interactions"]
    assert {"movie_genres", "user_occupation_text"} <= {*data.items.columns, *data.users.columns}
    assert data.timestamp is not None


def test_one_without_times_or_values(tmp_path):
    from dataclasses import replace

    board = replace(checkerboard(), value=None, timestamp=None)
    grow(board, tmp_path / "big", growth=Growth(3, 4))
    assert list(rows(tmp_path / "big")) == ["user_id", "item_id"]


def test_what_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(TableError, match=r"holds something else\. Choose another folder"):
        grow(checkerboard(), tmp_path / "mine", growth=Growth(2, 4))
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_over_grown_data_is_fine(tmp_path):
    for seed in (1, 2):
        grow(checkerboard(), tmp_path / "big", growth=Growth(2, 4, seed=seed))
    assert json.loads((tmp_path / "big" / "manifest.json").read_text())["settings"]["seed"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["big"]


@pytest.mark.parametrize("wrong", [{"users": 0}, {"items": 0}, {"length": 0}, {"length": 3}, {"seed": -1}])
def test_wrong_settings(wrong):
    with pytest.raises(SettingError, match="Received"):
        Growth(**({"users": 2, "items": 4} | wrong))


def test_killed_writer_leaves_nothing_that_looks_whole(tmp_path):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom butaca.data.folders import writing\n"
        "with writing(Path(sys.argv[1]), 'grown') as draft:\n"
        "    (draft.path / 'users.parquet').write_text('half')\n"
        "    print('writing', flush=True)\n    time.sleep(60)\n"
    )
    out = tmp_path / "big"
    child = start(out, code=script, stdout=subprocess.PIPE)
    assert some(child.stdout).readline() == "writing\n"
    with pytest.raises(TableError, match="One run at a time"), writing(out, "grown"):
        pass
    child.kill()
    child.wait()
    some(child.stdout).close()
    assert not out.exists()
    assert [p.name for p in tmp_path.iterdir()] == [".big.partial"]
    assert not (tmp_path / ".big.partial" / "manifest.json").exists()
    began = time.monotonic()
    grow(checkerboard(), out, growth=Growth(2, 4))  # clears what is left
    assert [p.name for p in tmp_path.iterdir()] == ["big"]
    assert time.monotonic() - began < 30


def test_a_failure_leaves_what_was_there(tmp_path):
    grow(checkerboard(), tmp_path / "big", growth=Growth(2, 4))
    before = sha256(tmp_path / "big" / "manifest.json")
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "big", "grown") as draft:
        (draft.path / "x").write_text(f"half {1 / 0}")
    assert sha256(tmp_path / "big" / "manifest.json") == before
    assert [p.name for p in tmp_path.iterdir()] == ["big"]


def test_damage_is_named(tmp_path):
    grow(checkerboard(), tmp_path / "big", growth=Growth(2, 4))
    path = tmp_path / "big" / "items.parquet"
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    manifest = read_manifest(tmp_path / "big", "grown", made_by="")
    with pytest.raises(TableError, match=r"items\.parquet: its contents"):
        verify(tmp_path / "big", manifest)
    path.write_bytes(content[:-1])
    with pytest.raises(TableError, match=r"items\.parquet: it holds"):
        read_manifest(tmp_path / "big", "grown", made_by="")
