"""New items in a trained model: by their features, with nothing of the old changed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from butaca import Bags, Entities, Recommender, Vocabulary, recipe
from butaca.data.bags import Column
from butaca.data.tables import read_entities
from butaca.errors import FeatureError, SettingError, TableError
from butaca.recommend.additions import with_items
from tests.support.boards import checkerboard
from tests.support.commands import butaca
from tests.support.narrow import some


@pytest.fixture(scope="module")
def made():
    """The checkerboard with a third genre that films share across; the default recipe, a few epochs."""
    board = checkerboard(40, 30)
    chosen = replace(recipe("default").for_data(board), epochs=30)
    model, _ = chosen.fit(board)
    return Recommender.build(model, board), board


def table(*rows: tuple[str, list[str], int], **columns) -> Entities:
    ids = Vocabulary(np.array([r[0] for r in rows], dtype=object))
    given: dict[str, Column] = {
        "title": np.array([f"{r[0]} the film ({r[2]})" for r in rows], dtype=object),
        "genres": Bags.of([r[1] for r in rows], object),
        "year": np.array([r[2] for r in rows]),
    }
    return Entities("item_id", ids, given | columns)


def test_new_items_are_found_by_who_likes_what_they_are_like(made):
    recommender, _ = made
    longer, became = with_items(
        recommender, table(("new even", ["even", "film"], 1960), ("new odd", ["odd"], 1961))
    )
    assert became.new == ("new even", "new odd")
    assert len(longer.items) == 32
    for user, better, worse in (("u04", "new even", "new odd"), ("u07", "new odd", "new even")):
        answer = longer.recommend(user, 2, allow=["new even", "new odd"])
        assert [i.id for i in answer.items] == [better, worse]
    someone = longer.recommend(history=["new even"], k=5)  # it counts in a history too
    assert {int(i.id[1:]) % 2 for i in someone.items if i.id.startswith("i")} == {0}
    assert longer.catalogue.record(30)["genres"] == ["even", "film"]
    assert longer.recommend(where={"year": 1961}, k=50).items[-1].id == "new odd"


def test_every_part_of_a_new_item_comes_from_what_it_is_like(made):
    """Its term, and its rows in both halves of the history: those of even films, for an even one."""
    recommender, board = made
    longer, _ = with_items(recommender, table(("x", ["even", "film"], 1960)))
    tower, even = some(longer.query_tower), np.arange(len(board.items)) % 2 == 0
    for rows in (longer.item_vectors, some(tower.history).table, some(tower.head)):
        known, new = rows[:-1], rows[-1]
        cosine = known @ new / (np.linalg.norm(known, axis=1) * np.linalg.norm(new))
        assert cosine[even].mean() > cosine[~even].mean() + 0.5
    bias, before = some(longer.item_bias), some(recommender.item_bias)
    assert bias.shape == (len(board.items) + 1,)
    assert bias[-1] != 0
    assert before.min() - 1 < bias[-1] < before.max() + 1


def test_what_was_there_stays_to_the_bit(made):
    recommender, _ = made
    longer, _ = with_items(recommender, table(("x", ["even"], 1970)))
    users = np.arange(len(recommender.users) + 1, dtype=np.int32)
    np.testing.assert_array_equal(longer.item_vectors[:-1], recommender.item_vectors)
    np.testing.assert_array_equal(longer.user_vectors, recommender.user_vectors)
    np.testing.assert_allclose(longer.score(users)[:, :-1], recommender.score(users), rtol=1e-5, atol=1e-5)
    assert longer.popularity[-1] == 0
    assert recommender.items.ids.values.tolist() == longer.items.ids.values[:-1].tolist()


def test_saved_loaded_and_added_again(made, tmp_path):
    recommender, _ = made
    longer, _ = with_items(recommender, table(("x", ["odd"], 1970)))
    longer.save(tmp_path / "m")
    loaded = Recommender.load(tmp_path / "m")
    assert loaded.version
    again, became = with_items(loaded, table(("x", ["even"], 1970), ("y", ["odd"], 1971)))
    assert (became.new, became.known) == (("y",), ("x",))
    assert again.version == ""  # no longer the folder's
    direct, _ = with_items(longer, table(("y", ["odd"], 1971)))
    np.testing.assert_array_equal(again.item_vectors, direct.item_vectors)
    assert [i.id for i in again.recommend("u07", 9).items] == [i.id for i in direct.recommend("u07", 9).items]


def test_odd_tables(made):
    recommender, _ = made
    sparse = Entities(
        "item_id",
        Vocabulary(np.array(["a", "b"], dtype=object)),
        {
            "genres": np.array(["odd|never seen", ""], dtype=object),
            "director": np.array(["x", "y"], dtype=object),
        },
    )
    longer, became = with_items(recommender, sparse)
    assert became.ignored == ("director",)
    assert set(became.missing) <= {"title", "year"}
    assert longer.catalogue.record(30)["genres"] == ["odd", "never seen"]
    assert np.isfinite(longer.item_vectors).all()
    assert longer.catalogue.record(30)["year"] is None  # not the year 0
    assert longer.catalogue.record(0)["year"] == 1950
    assert longer.recommend(where={"year": {"max": 1960}}, k=50, allow=["a"]).items == ()
    nothing = Entities(
        "item_id", Vocabulary(np.array(["a"], dtype=object)), {"director": np.array(["x"], dtype=object)}
    )
    with pytest.raises(TableError, match="reads of an item"):
        with_items(recommender, nothing)
    wrong = Entities(
        "item_id",
        Vocabulary(np.array(["a"], dtype=object)),
        {"year": np.array(["then"], dtype=object)},
    )
    with pytest.raises(FeatureError, match="finite numbers"):
        with_items(recommender, wrong)
    with pytest.raises(SettingError, match="--items"):
        with_items(replace(recommender, cold=None), sparse)
    same, became = with_items(recommender, table(("i00", ["odd"], 1950)))
    assert same is recommender
    assert became.new == ()


def test_ids_that_are_whole_numbers_stay_so(made):
    recommender, board = made
    numbered = replace(
        recommender,
        items=replace(board.items, ids=Vocabulary(np.arange(len(board.items)))),
        cold=recommender.cold,
    )
    row = replace(table(("x", ["odd"], 1970)), ids=Vocabulary(np.array([77])))
    assert with_items(numbered, row)[0].items.ids.values[-1] == 77
    with pytest.raises(TableError, match="whole numbers"):
        with_items(numbered, table(("x", ["odd"], 1970)))


def test_a_table_alone_is_read_as_beside_interactions(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text('id,title,genres,year\n007,"A, film",Drama|War,1990\n8,B,Drama|Comedy,\n')
    found = read_entities(str(path), "item", key="item_id", is_text=True)
    assert found.ids.values.tolist() == ["007", "8"]
    assert found["genres"][0].tolist() == ["Drama", "War"]
    assert np.isnan(found["year"][1])


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("added")
    made[0].save(root / "m")
    (root / "new.csv").write_text(
        'item_id,title,genres,year\nn1,"New (1999)",odd|film,1999\ni00,"Old",even|film,1950\n'
    )
    return root


def test_the_commands(folder):
    before = json.loads(butaca("inspect", "m", "--json", cwd=folder).stdout)
    run = butaca("add-items", "m", "new.csv", "--out", "m2", cwd=folder)
    assert "1 new items, 31 in all" in " ".join(run.stdout.split())
    assert "left as they are: i00" in " ".join(run.stdout.split())
    after = json.loads(butaca("inspect", "m2", "--json", cwd=folder).stdout)
    assert after["items"]["count"] == before["items"]["count"] + 1
    assert after["version"] != before["version"]
    assert after["added items"] == [{"source": "new.csv", "items": 1}]
    assert json.loads(butaca("inspect", "m", "--json", cwd=folder).stdout) == before
    text = " ".join(butaca("inspect", "m2", cwd=folder).stdout.split())
    assert "Bag(column='genres'" in text
    assert "whole" in text
    listed = json.loads(butaca("add-items", "m2", "new.csv", "--json", cwd=folder).stdout)
    assert listed["known"] == ["n1", "i00"] or set(listed["known"]) == {"n1", "i00"}


def test_a_wrong_table_leaves_the_model_as_it_was(folder):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in (folder / "m").iterdir())
    (folder / "bad.csv").write_text("item_id,year\nq1,then\n")
    run = butaca("add-items", "m", "bad.csv", cwd=folder, ok=False)
    assert "error:" in run.stderr
    assert sorted((p.name, p.stat().st_mtime_ns) for p in (folder / "m").iterdir()) == before


def test_inspect_refuses_a_flipped_byte(folder):
    butaca("add-items", "m", "new.csv", "--out", "m3", cwd=folder)
    path = next((folder / "m3").glob("arrays-*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert "checksum" in butaca("inspect", "m3", cwd=folder, ok=False).stderr
