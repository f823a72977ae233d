"""Lists: exact, seen left out, any k, any number of users; the saved folder answers the same."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import butaca
from butaca.catalogue.titles import Titles
from butaca.data.histories import Histories
from butaca.data.negatives import Negatives
from butaca.errors import BundleError, SettingError, UnknownEntityError
from butaca.model.pairs import ItemPairs
from butaca.recommend.folder.bundle import MANIFEST, canonical, read_manifest
from butaca.recommend.recommender import Recommender
from butaca.workflows.inspecting import folder_facts
from tests.support.boards import left_out
from tests.support.exports import random_model
from tests.support.forks import run
from tests.support.narrow import one_each, some

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def fitted(board):
    model = butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=8)
    model.fit(board, epochs=60, batch_size=64)
    return model


@pytest.fixture(scope="module")
def recommender(fitted, board):
    return Recommender.build(fitted, board, about={"recipe": "test"})


@pytest.fixture
def folder(recommender, tmp_path):
    return recommender.save(tmp_path / "model")


def test_the_one_item_that_is_missing_comes_first(recommender):
    for u in range(20):
        answer = recommender.recommend(f"u{u:02d}", k=1)
        assert answer.items[0].id == f"i{left_out(u):02d}"
        assert answer.items[0].title == f"Film {left_out(u)} (19{50 + left_out(u)})"
        assert answer.source == "user"


def test_lists_are_a_sort_of_the_scores_without_seen_items(recommender, board):
    for u in (0, 7):
        answer = recommender.recommend(f"u{u:02d}", k=100)
        scores = recommender.score(np.array([u], dtype=np.int32))[0]
        had = set(board.item[board.user == u].tolist())
        want = [i for i in np.argsort(-scores, kind="stable").tolist() if i not in had]
        assert [item.id for item in answer.items] == [f"i{i:02d}" for i in want]
        with_seen = recommender.recommend(f"u{u:02d}", k=100, exclude_seen=False)
        assert len(with_seen.items) == 16


def test_many_users_are_answered_as_one_by_one(recommender):
    users = [f"u{u:02d}" for u in range(20)] + ["nobody", "u03"]
    many = list(recommender.recommend_many(users, k=5))
    assert [m.asked for m in many] == users
    for user, answer in zip(users, many, strict=True):
        alone = recommender.recommend(user, k=5)
        assert [i.id for i in answer.items] == [i.id for i in alone.items]
        assert answer.source == alone.source


def test_an_unknown_user_gets_what_is_popular_and_is_told(recommender, board):
    answer = recommender.recommend("nobody", k=3)
    counts = np.bincount(board.item, minlength=16)
    assert answer.source == "popularity"
    assert [i.id for i in answer.items] == [f"i{i:02d}" for i in np.argsort(-counts, kind="stable")[:3]]
    assert [i.score for i in answer.items] == sorted(counts.tolist(), reverse=True)[:3]


def test_a_user_without_training_interactions_is_not_given_noise(fitted, board):
    """Known to the vocabulary, but only through held-out rows: popularity, and it says so."""
    train = board.take(np.flatnonzero(board.user != 5))
    recommender = Recommender.build(fitted, train)
    assert recommender.recommend("u05", k=3).source == "popularity"
    many = list(recommender.recommend_many(["u05", "u04"], k=3))
    assert [m.source for m in many] == ["popularity", "user"]


def test_similar_trusts_an_item_by_how_many_had_it(recommender):
    """An item that one person had points exactly the same way, one that fifty had nearly."""
    vectors = recommender.item_vectors.copy()
    vectors[1], vectors[2] = vectors[0], vectors[0] + 0.2 * np.abs(vectors[0]).mean()
    counts = np.full(len(vectors), 5, dtype=np.float32)
    counts[1], counts[2] = 1, 50
    tail = replace(recommender, item_vectors=vectors, popularity=counts)
    ids = recommender.catalogue.ids
    found = [item.id for item in tail.similar(ids[0], k=len(vectors)).items]
    assert found.index(ids[2]) < found.index(ids[1])
    alike = replace(tail, popularity=np.full(len(vectors), 5, dtype=np.float32))
    assert alike.similar(ids[0], k=1).items[0].id == ids[1]


def test_similar_items_share_a_colour_and_leave_the_item_out(recommender):
    answer = recommender.similar("film 4", k=5)
    assert answer.asked == "Film 4 (1954)"
    assert {int(i.id[1:]) % 2 for i in answer.items} == {0}
    assert "i04" not in {i.id for i in answer.items}
    assert all(-1.0001 <= i.score <= 1.0001 for i in answer.items)


TITLES = ["Toy Story (1995)", "Usual Suspects, The (1995)", "Amélie (2001)", "Heat (1995)", "Heat (1986)"]


@pytest.mark.parametrize(
    ("asked", "position"),
    [
        ("Toy Story (1995)", 0),
        ("toy story", 0),
        ("  TOY   story (1995) ", 0),
        ("the usual suspects", 1),
        ("The Usual Suspects (1995)", 1),
        ("usual suspects, the", 1),
        ("AMELIE", 2),
        ("heat (1986)", 4),
    ],
)
def test_titles_as_people_type_them(asked, position):
    assert Titles(TITLES, np.zeros(len(TITLES), np.float32)).find(asked) == position


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("heat", "Add the year"),
        ("toy stroy", "Did you mean 'Toy Story"),
        ("story", "Did you mean"),
        ("zzz", "Check"),
    ],
)
def test_titles_that_name_none_or_several(asked, hint):
    with pytest.raises(UnknownEntityError, match=hint):
        Titles(TITLES, np.zeros(len(TITLES), np.float32)).find(asked)


# Histories: answered at once, from the query tower.

#: Two halves, an item prior, nothing but the history; then everything that a query tower may read.
TOWERS: dict[str, dict[str, Any]] = {
    "history alone": {
        "query": [butaca.History()],
        "unit": True,
        "temperature": 0.25,
        "prior": "popularity",
        "start": "spectral",
        "spectral": butaca.SpectralSettings(dim=3),
    },
    "no closed form": {"query": [butaca.History()]},
    "everything": {
        "query": [
            butaca.Id("user_id"),
            butaca.Category("parity"),
            butaca.History(by_rating=True, by_recency=True),
        ],
        "hidden": (6,),
        "unit": True,
        "prior": "recent",
        "spectral": butaca.SpectralSettings(dim=3, span=5.0),
    },
}


@pytest.fixture(scope="module")
def rated(board):
    """The checkerboard with ratings of 1 to 5, and a day between interactions."""
    at = np.arange(len(board), dtype=np.int64)
    return replace(board, value=(1 + at % 5).astype(np.float32), timestamp=at * 86_400)


@pytest.fixture(scope="module", params=TOWERS)
def reader(request, rated):
    """A model that reads histories, and its recommender."""
    settings = dict(TOWERS[request.param])
    model = butaca.TwoTower(settings.pop("query"), [butaca.Id("item_id")], dim=8, **settings)
    model.fit(rated, epochs=60, batch_size=256)
    return request.param, model, Recommender.build(model, rated)


def test_scores_are_the_models_with_the_item_prior(reader):
    _, model, recommender = reader
    everyone = np.arange(21, dtype=np.int32)
    np.testing.assert_allclose(recommender.score(everyone), model.score(everyone), rtol=1e-6, atol=1e-6)
    by_hand = model.user_vectors @ model.item_vectors.T
    if model.item_bias is not None:
        by_hand = by_hand + model.item_bias
        assert np.ptp(model.item_bias) > 0.01
    np.testing.assert_allclose(recommender.score(everyone), by_hand, rtol=1e-5, atol=1e-5)


def test_a_new_person_with_a_users_history_is_answered_as_that_user(reader):
    kind, model, recommender = reader
    for u in range(20):
        had = [f"i{i:02d}" for i in model.seen[u]]
        new = recommender.recommend(history=had, k=3)
        known = recommender.recommend(f"u{u:02d}", k=3)
        assert (new.source, known.source) == ("history", "user")
        assert new.items[0].id == f"i{left_out(u):02d}"
        assert not {i.id for i in new.items} & set(had)
        if kind != "everything":  # nothing but the history speaks
            assert [i.id for i in new.items] == [i.id for i in known.items]
            np.testing.assert_allclose(
                [i.score for i in new.items], [i.score for i in known.items], rtol=1e-4, atol=1e-4
            )


def test_one_more_item_changes_the_answer_and_keeps_the_stored_history(reader, rated):
    """A user after one more film is the user who had it all along, in time and unrated."""
    _, model, recommender = reader
    before = recommender.recommend("u03", k=16)
    after = recommender.recommend("u03", k=16, history=["film 3"])
    assert after.source == "history"
    assert after.history == ("Film 3 (1953)",)
    assert {i.id for i in before.items} - {i.id for i in after.items} == {"i03"}
    score = {i.id: i.score for i in before.items}
    assert max(abs(score[i.id] - i.score) for i in after.items) > 1e-3

    own = np.flatnonzero(rated.user == 3)
    items = np.append(rated.item[own], 3)
    value = np.append(rated.value[own], np.nan)
    time = np.append(rated.timestamp[own], rated.timestamp[own].max())
    longer = Histories.from_pairs(np.zeros(len(items), int), items, n_users=1, value=value, time=time)
    vector = model.query_vectors(longer, np.array([3], dtype=np.int32))
    want = (vector @ model.item_vectors.T)[0]
    want = want if model.item_bias is None else want + model.item_bias
    for item in after.items:
        assert item.score == pytest.approx(float(want[int(item.id[1:])]), rel=1e-4, abs=1e-4)


def test_what_a_user_had_already_changes_nothing(reader):
    _, _, recommender = reader
    again = recommender.recommend("u00", k=5, history=["i02", "Film 2 (1952)"])
    want = recommender.recommend("u00", k=5)
    assert [i.id for i in again.items] == [i.id for i in want.items]
    np.testing.assert_allclose([i.score for i in again.items], [i.score for i in want.items], rtol=1e-4)


def test_who_has_nothing_gets_what_is_popular_and_who_is_unknown_is_read(reader):
    _, _, recommender = reader
    for answer in (recommender.recommend(), recommender.recommend("nobody", history=[])):
        assert answer.source == "popularity"
    answer = recommender.recommend("nobody", k=3, history=["i01", "i03"])
    assert (answer.asked, answer.source) == ("nobody", "history")
    assert {int(i.id[1:]) % 2 for i in answer.items} == {1}
    assert not {i.id for i in answer.items} & {"i01", "i03"}
    kept = recommender.recommend(k=16, history="film 1", exclude_seen=False)
    assert len(kept.items) == 16
    with pytest.raises(UnknownEntityError, match="Did you mean"):
        recommender.recommend(history=["film 1", "flim 3"])


def test_a_saved_tower_reads_histories_the_same(reader, tmp_path):
    _, _, recommender = reader
    again = Recommender.load(recommender.save(tmp_path / "reader"))
    everyone = np.arange(21, dtype=np.int32)
    np.testing.assert_array_equal(again.score(everyone), recommender.score(everyone))
    asked: list[dict[str, Any]] = [
        {"history": ["i01", "i05"]},
        {"user": "u04", "history": ["i01", "film 4"]},
        {"user": "u07"},
    ]
    for one in asked:
        assert again.recommend(k=9, **one) == recommender.recommend(k=9, **one)  # bit for bit


def test_interactions_beyond_training_count(reader, rated):
    """Built on more than the model was trained on, it answers from all of it."""
    _, model, _ = reader
    more = rated.take(np.arange(len(rated)))
    more = replace(
        more,
        user=np.append(more.user, 3).astype(np.int32),
        item=np.append(more.item, 3).astype(np.int32),
        value=np.append(more.value, np.float32(np.nan)),
        timestamp=np.append(more.timestamp, rated.timestamp[rated.user == 3].max()),
    )
    got = Recommender.build(model, more).recommend("u03", k=9)
    want = Recommender.build(model, rated).recommend("u03", k=9, history=["i03"])
    assert [i.id for i in got.items] == [i.id for i in want.items]
    np.testing.assert_allclose([i.score for i in got.items], [i.score for i in want.items], rtol=1e-4)


def test_a_model_of_ids_says_that_it_reads_no_history(recommender):
    with pytest.raises(SettingError, match=r"reads histories.*--recipe default"):
        recommender.recommend(history=["Film 1"])
    assert recommender.recommend("u01", history=[]).source == "user"


# The folder.


def test_a_manifest_that_json_lacks_leaves_nothing_behind(recommender, tmp_path):
    wrong = replace(recommender, about={"metric": float("nan")}, popularity=recommender.popularity + 1)
    for folder in (tmp_path / "new", recommender.save(tmp_path / "old")):
        before = sorted(p.name for p in folder.iterdir()) if folder.exists() else None
        with pytest.raises(ValueError, match="not JSON compliant"):
            wrong.save(folder)
        assert (sorted(p.name for p in folder.iterdir()) if folder.exists() else None) == before


def test_saved_and_loaded_answers_the_same(recommender, folder):
    again = Recommender.load(folder)
    users = [f"u{u:02d}" for u in range(20)] + ["nobody"]
    before, after = (list(r.recommend_many(users, k=7)) for r in (recommender, again))
    assert before == after  # ids, titles, scores and sources, bit for bit
    assert again.similar("Film 4") == recommender.similar("Film 4")
    assert again.about == {"recipe": "test"}
    assert again.items["genres"][3].tolist() == ["odd", "film"]
    assert one_each(again.items["year"]).dtype == np.int64


def test_every_kind_of_column_comes_back(recommender, tmp_path):
    """Reals with gaps, booleans, whole numbers, text, bags of each kind, empty ones too."""
    columns = {
        "real": np.where(np.arange(16) % 3 == 0, np.nan, np.arange(16) / 7).astype(np.float32),
        "flag": np.arange(16) % 2 == 0,
        "whole": np.arange(16),
        "text": np.array([f"título «{i}» \u2028" for i in range(16)], dtype=object),
        "codes": butaca.Bags.of([[i, i + 1] for i in range(16)]),
        "reals": butaca.Bags.of([[0.5]] * 16, dtype=np.float32),
        "words": butaca.Bags.of([["a"]] * 16),
        "none": butaca.Bags.of([[]] * 16, dtype=np.int64),
    }
    items = butaca.Entities("item_id", recommender.items.ids, columns, {"codes": ("x",) * 17})
    replace(recommender, items=items).save(tmp_path / "all")
    again = Recommender.load(tmp_path / "all").items
    assert again.labels == items.labels
    for name, column in columns.items():
        a, b = (c.values if isinstance(c, butaca.Bags) else c for c in (column, again[name]))
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_it_loads_with_numpy_alone(folder):
    code = f"""
import sys
from butaca.recommend.recommender import Recommender
r = Recommender.load({str(folder)!r})
assert len(r.recommend("u00", k=3).items) == 3
loaded = {{m.split(".")[0] for m in sys.modules}}
assert not loaded & {{"jax", "jaxlib", "optax", "equinox", "duckdb", "scipy"}}, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_flipped_byte_in_any_file_is_refused(folder):
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for at in (0, len(whole) // 2, len(whole) - 1):
            damaged = bytearray(whole)
            damaged[at] ^= 1
            path.write_bytes(bytes(damaged))
            with pytest.raises(BundleError):
                Recommender.load(folder)
        path.write_bytes(whole)
    Recommender.load(folder)


def test_a_manifest_is_refused_whichever_byte_of_it_is_another(folder):
    """What it tells of the model too, which nothing but its seal protects."""
    whole = (folder / MANIFEST).read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        (folder / MANIFEST).write_bytes(bytes(damaged))
        with pytest.raises(BundleError):
            read_manifest(folder)


def test_a_file_is_on_the_disk_before_it_takes_its_name_and_its_name_before_the_next(
    recommender, tmp_path, monkeypatch
):
    """Else a power cut could leave a manifest whose files are empty."""
    done, synced, real, move = [], set(), os.fsync, os.replace

    def fsync(descriptor):
        real(descriptor)
        about = os.fstat(descriptor)
        synced.add(about.st_ino)
        if stat.S_ISDIR(about.st_mode):
            done.append("folder")

    def replaced(source, target):
        assert os.stat(source).st_ino in synced
        move(source, target)
        done.append(os.path.basename(target).split("-")[0])

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replaced)
    recommender.save(tmp_path / "synced")
    assert done == ["arrays", "folder", "entities", "folder", MANIFEST, "folder"]


def test_a_truncated_or_missing_file_is_refused_with_the_reason(folder):
    arrays = next(folder.glob("arrays-*"))
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-10])
    with pytest.raises(BundleError, match=rf"holds {len(whole) - 10:,} of {len(whole):,} bytes"):
        Recommender.load(folder)
    arrays.unlink()
    with pytest.raises(BundleError, match="it is missing"):
        Recommender.load(folder)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="can't be read"):
        Recommender.load(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(BundleError, match="butaca fit"):
        Recommender.load(folder)
    with pytest.raises(BundleError, match="is not a folder"):
        Recommender.load(folder / "nowhere")


def resealed(folder, manifest):
    """The manifest of a folder, as a writer that knows it so would have sealed it."""
    seal = hashlib.sha256(canonical(manifest)).hexdigest()
    (folder / MANIFEST).write_bytes(canonical({"manifest": manifest, "sha256": seal}))


def places(value, *path):
    """Every key of nested mappings, as its path."""
    for key in value if isinstance(value, dict) else ():
        yield (*path, key)
        yield from places(value[key], *path, key)


def test_a_manifest_that_lacks_a_key_is_read_or_refused_with_the_cure(reader, tmp_path):
    """As an older butaca may have written it: each key of it left out by turns."""
    _, _, recommender = reader
    about = {"recipe": "x", "metrics": {"verdict": {"sentence": "It ties."}}, "data": {}, "split": {}}
    folder = replace(recommender, about=about).save(tmp_path / "m")
    whole = read_manifest(folder)
    refused, loaded = set(), set()
    for path in places(whole):
        manifest = copy.deepcopy(whole)
        inner = manifest
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        resealed(folder, manifest)
        try:
            again = Recommender.load(folder)
            assert folder_facts(read_manifest(folder), again)["version"] == again.version
            assert len(again.recommend("u01", k=3, explain=True).items) == 3
        except BundleError as error:
            refused |= {path[0]} if error.cure else set()
        else:
            loaded.add(path[0])
    assert {"format", "version", "butaca", "about", "files"} <= refused
    assert {"user_features", "cold", "about"} <= loaded
    resealed(folder, whole)
    Recommender.load(folder)


def test_only_a_folder_with_pairs_is_of_the_newer_version(tmp_path):
    """One that a butaca without pairs would answer from, differently and without a word."""
    model = random_model()
    tower = some(model.query_tower)
    pairs = ItemPairs(np.array([0, 1, *[1] * 19], np.int32), np.array([3], np.int32), np.ones(1, np.float32))
    paired = replace(model, query_tower=replace(tower, pairs=pairs, pairs_scale=2.0))
    heard = replace(pairs, half_life=1.5)
    in_order = replace(model, query_tower=replace(tower, pairs=heard, pairs_scale=2.0))
    for made, version in ((model, 1), (paired, 2), (in_order, 3)):
        made.save(tmp_path / "model")
        assert json.loads((tmp_path / "model" / MANIFEST).read_text())["manifest"]["version"] == version
        loaded = Recommender.load(tmp_path / "model")
        vectors = folder_facts(read_manifest(tmp_path / "model"), loaded)["vectors"]
        assert vectors["half-life of pairs"] == (1.5 if version == 3 else None)
        users = np.arange(len(model.users), dtype=np.int32)
        np.testing.assert_array_equal(loaded.score(users), made.score(users))
    assert not np.array_equal(paired.score(users), model.score(users))
    assert not np.array_equal(paired.score(users), in_order.score(users))
    short = replace(tower, pairs=replace(pairs, start=pairs.start[:-1]), pairs_scale=2.0)
    replace(model, query_tower=short).save(tmp_path / "model")
    with pytest.raises(BundleError, match="do not fit together"):
        Recommender.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("pairs_half_life", wrong) for wrong in (-1.0, 0, "nan", "three", None, [3])),
        *((name, wrong) for name in ("pairs_scale", "scale", "head_scale") for wrong in ("nan", "inf", 1e60)),
        ("pairs_scale", None),
    ],
)
def test_a_folder_whose_scores_would_be_no_numbers_is_refused(tmp_path, name, wrong):
    model = random_model()
    pairs = ItemPairs(
        np.array([0, 1, *[1] * 19], np.int32), np.array([3], np.int32), np.ones(1, np.float32), 1.5
    )
    tower = replace(some(model.query_tower), pairs=pairs, pairs_scale=2.0)
    folder = replace(model, query_tower=tower).save(tmp_path / "m")
    manifest = read_manifest(folder)
    manifest["query_tower"][name] = wrong
    resealed(folder, manifest)
    with pytest.raises(BundleError, match="do not fit together"):
        Recommender.load(folder)


def test_a_newer_folder_is_refused(folder):
    sealed = json.loads((folder / MANIFEST).read_text())
    sealed["manifest"]["version"] = 99
    (folder / MANIFEST).write_text(json.dumps(sealed))
    with pytest.raises(BundleError, match=r"up to version 3.*version 99.*Upgrade butaca"):
        Recommender.load(folder)


def test_a_path_in_the_manifest_stays_in_the_folder(folder, tmp_path):
    """Even with a right seal, a manifest can't name a file elsewhere."""
    import hashlib

    from butaca.recommend.folder.bundle import canonical

    outside = tmp_path / "outside.safetensors"
    shutil.copy(next(folder.glob("arrays-*")), outside)
    sealed = json.loads((folder / MANIFEST).read_text())
    sealed["manifest"]["files"]["arrays"]["name"] = "../outside.safetensors"
    sealed["sha256"] = hashlib.sha256(canonical(sealed["manifest"])).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(sealed))
    with pytest.raises(BundleError, match="missing"):
        Recommender.load(folder)


def test_a_folder_of_something_else_is_not_written_over(recommender, tmp_path):
    (tmp_path / "precious.txt").write_text("keep me")
    with pytest.raises(BundleError, match="something else"):
        recommender.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def test_saving_over_a_model_leaves_only_the_new_one(recommender, board, folder):
    other = butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=3)
    other.fit(board, epochs=1, batch_size=64)
    Recommender.build(other, board).save(folder)
    assert len(list(folder.iterdir())) == 3
    assert Recommender.load(folder).item_vectors.shape == (16, 3)


KILL = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import numpy as np
from dataclasses import replace
from butaca.recommend.folder import bundle
from butaca.recommend.recommender import Recommender
from butaca.workflows.inspecting import folder_facts

old = Recommender.load({folder!r})
new = replace(old, item_vectors=old.item_vectors + 1)
count = 0
def counted(call):
    def step(*args, **options):
        global count
        count += 1
        if count == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)
    return step
os.fsync, os.replace, os.unlink = counted(os.fsync), counted(os.replace), counted(os.unlink)
new.save({folder!r})
print("done", count)
"""


def test_a_writer_killed_at_any_step_leaves_a_whole_model(recommender, folder):
    """Killed before each sync, move and removal in turn, the folder is the old model or the new one."""
    old = recommender.item_vectors
    outcomes = []
    for at in range(1, 30):
        code = KILL.format(tests=ROOT, folder=str(folder), at=at)
        status = run(code=code).returncode
        now = Recommender.load(folder).item_vectors
        outcomes.append("old" if np.array_equal(now, old) else "new")
        assert outcomes[-1] == "old" or np.array_equal(now, old + 1)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        recommender.save(folder)
    assert outcomes[0] == "old"
    assert outcomes[-1] == "new"
    assert len(outcomes) > 10


def test_manifest_says_what_it_is(folder):
    manifest = read_manifest(folder)
    assert manifest["butaca"] == butaca.__version__
    assert manifest["about"] == {"recipe": "test"}
    assert sorted(manifest["files"]) == ["arrays", "entities"]


@pytest.fixture(scope="module")
def refused(fitted, board):
    """The model, of people of whom u00 said no to what would come first, and u01 to something else."""
    no = butaca.Dataset(board.users, board.items, *np.array([[0, 1], [0, 5]], dtype=np.int32))
    return Recommender.build(fitted, replace(board, negatives=Negatives(no.user, no.item)))


def test_what_someone_said_no_to_leaves_their_lists_whatever_is_kept(refused, recommender, tmp_path):
    assert recommender.recommend("u00", k=1).items[0].id == "i00"
    for model in (refused, Recommender.load(refused.save(tmp_path / "m"))):
        for kept in (False, True, None):
            answers = [model.recommend("u00", k=16, exclude_seen=kept)]
            answers += model.recommend_many(["u00"], 16, exclude_seen=kept)
            assert 0 not in model.top_k(np.array([0]), 16, exclude_seen=kept).items[0]
            assert all("i00" not in {item.id for item in answer.items} for answer in answers)
        assert "i00" in {item.id for item in model.recommend("u02", k=16, exclude_seen=False).items}
        assert 0 not in model.top_k(np.array([0]), 16).items[0]


def test_where_people_have_things_again_lists_keep_what_they_had(fitted, board, tmp_path):
    again = Recommender.build(fitted, replace(board, again=True))
    for model in (again, Recommender.load(again.save(tmp_path / "m"))):
        had = {f"i{i:02d}" for i in board.item[board.user == 3]}
        assert had <= {item.id for item in model.recommend("u03", k=16).items}
        assert had <= {item.id for item in next(model.recommend_many(["u03"], 16)).items}
        assert not had & {item.id for item in model.recommend("u03", k=16, exclude_seen=True).items}
    assert "again" not in read_manifest(Recommender.build(fitted, board).save(tmp_path / "once"))


def test_a_folder_keeps_weights(fitted, board, tmp_path):
    weight = np.linspace(0.5, 3, len(board)).astype(np.float32)
    data = replace(board, weight=weight)
    model = Recommender.build(fitted, data, test=data.take(np.arange(9)))
    back = Recommender.load(model.save(tmp_path / "m"))
    assert back.seen.weight is not None
    np.testing.assert_array_equal(back.seen.weight, Histories.of(data).weight)
    np.testing.assert_array_equal(some(back.held_out).weight, weight[:9])
    np.testing.assert_allclose(back.popularity, np.bincount(board.item, weight), rtol=1e-6)
