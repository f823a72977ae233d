"""Vectors of another system: read as they come, judged beside the baselines, and served as ours are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from butaca.errors import TableError
from butaca.export.writing import export
from butaca.recommend.recommender import Recommender
from butaca.workflows.importing import DEFAULT, Imported, ImportPlan, carry_out_import
from butaca.workflows.vector_files import read_vectors
from tests.support.boards import checkerboard, left_out
from tests.support.commands import butaca
from tests.support.exports import random_model
from tests.support.serving import asking, post, running_app

USERS, ITEMS = 24, 16


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkerboard as train.csv, what each user has not had of it as test.csv, and vectors that know."""
    folder = tmp_path_factory.mktemp("tables")
    board = checkerboard(USERS, ITEMS)
    rows = [f"u{u:02d},i{i:02d}" for u, i in zip(board.user, board.item, strict=True)]
    (folder / "train.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    rows = [f"u{u:02d},i{left_out(u, ITEMS):02d}" for u in range(USERS)]
    (folder / "test.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    np.savez(folder / "known.npz", **arrays())
    return folder


def arrays(dtype: Any = str) -> dict[str, Any]:
    """Vectors whose product is large for what each user has not had, and random else."""
    rng = np.random.default_rng(0)
    users = rng.normal(0, 1, (USERS, 12)).astype(np.float32)
    items = rng.normal(0, 0.1, (ITEMS, 12)).astype(np.float32)
    for i in range(ITEMS):
        fans = [u for u in range(USERS) if left_out(u, ITEMS) == i]
        items[i] += users[fans].mean(axis=0)
    return {
        "user_vectors": users,
        "item_vectors": items,
        "user_ids": np.array([f"u{u:02d}" for u in range(USERS)], dtype),
        "item_ids": np.array([f"i{i:02d}" for i in range(ITEMS)], dtype),
    }


def imported(tables: Path, source: Path, out: Path, **more: Any) -> Imported:
    settings: dict[str, Any] = {"train": str(tables / "train.csv"), "default": False, **more}
    return carry_out_import(ImportPlan(source, out, **settings))


def test_they_are_judged_and_served_as_they_are(tables: Path, tmp_path: Path) -> None:
    found = imported(tables, tables / "known.npz", tmp_path / "m", test=str(tables / "test.csv"))
    assert found.notes == ()
    assert found.judged is not None
    assert found.judged.rows["seen left out"].top_k(1) > 0.8
    assert found.judged.verdict.word("popularity") == "beats"

    loaded = Recommender.load(tmp_path / "m")
    made = arrays()
    scores = made["user_vectors"] @ made["item_vectors"].T
    with running_app(tmp_path, {"imported": loaded}) as app:
        known, new = asking(
            app,
            post("/v1/recommend", {"user": "u07", "k": 16, "exclude_seen": False}),
            post("/v1/recommend", {"user": "nobody", "k": 3}),
        )
    assert [int(item["id"][1:]) for item in known.json()["items"]] == np.argsort(-scores[7]).tolist()
    assert [known.json()["source"], new.json()["source"]] == ["user", "popularity"]


def test_the_command_puts_the_default_recipe_beside_them(tables: Path) -> None:
    said = butaca(
        "import-vectors", "known.npz", "--train", "train.csv", "--test", "test.csv", "--out", "m", cwd=tables
    ).stdout
    verdict = json.loads(butaca("inspect", "m", "--json", cwd=tables).stdout)["verdict"]
    assert "popularity" in verdict
    assert DEFAULT in verdict
    assert DEFAULT in said
    assert "24 users and 16 items, vectors of 12 dimensions" in " ".join(said.split())


def as_json(made: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    np.savez(folder / "v.npz", user_factors=made["user_vectors"], item_factors=made["item_vectors"])
    ids = {name: made[name].tolist() for name in ("user_ids", "item_ids")}
    (folder / "ids.json").write_text(json.dumps(ids))
    return folder / "v.npz", folder / "ids.json"


def as_bytes(made: dict[str, Any], folder: Path) -> tuple[Path, None]:
    np.savez(folder / "v.npz", **arrays("S"))  # as TensorFlow has them
    return folder / "v.npz", None


def as_parquet(made: dict[str, Any], folder: Path) -> tuple[Path, None]:
    con = duckdb.connect()
    for side in ("user", "item"):
        vectors = np.empty(len(made[f"{side}_ids"]), dtype=object)
        vectors[:] = made[f"{side}_vectors"].tolist()
        con.register(side, {"id": made[f"{side}_ids"].astype(object), "vector": vectors})
    one = "SELECT '{0}' AS side, id, vector::FLOAT[] AS vector FROM \"{0}\""
    con.execute(f"COPY ({one.format('item')} UNION ALL {one.format('user')}) TO '{folder}/v.parquet'")
    return folder / "v.parquet", None


@pytest.mark.parametrize("written", [as_json, as_bytes, as_parquet])
def test_they_are_read_in_every_form(written: Any, tmp_path: Path) -> None:
    made = arrays()
    found = read_vectors(*written(made, tmp_path))
    assert found.user_ids.tolist() == made["user_ids"].tolist()
    np.testing.assert_array_equal(found.user_vectors, made["user_vectors"])
    np.testing.assert_array_equal(found.item_vectors, made["item_vectors"])


def test_what_was_exported_comes_back_with_the_same_lists(tmp_path: Path) -> None:
    model = random_model(None)
    export(model, tmp_path / "out")
    rows = [
        f"{model.users.ids.values[u]},{model.items.ids.values[i]}"
        for u in range(len(model.users))
        for i in model.seen[u]
    ]
    (tmp_path / "train.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    found = carry_out_import(ImportPlan(tmp_path / "out", tmp_path / "m", train=str(tmp_path / "train.csv")))
    users = model.users.ids.values[:39].tolist()
    for own, theirs in zip(
        model.recommend_many(users, 5), found.recommender.recommend_many(users, 5), strict=True
    ):
        assert [item.id for item in own.items] == [item.id for item in theirs.items]


def test_whoever_has_no_vector_is_said_and_counts_as_missed(tables: Path, tmp_path: Path) -> None:
    made = arrays()
    some = {
        "user_vectors": made["user_vectors"][1:],
        "user_ids": made["user_ids"][1:],
        "item_vectors": np.concatenate([made["item_vectors"][2:], np.ones((3, 12), np.float32)]),
        "item_ids": np.array([*made["item_ids"][2:], "x1", "x2", "x3"]),
    }
    np.savez(tmp_path / "v.npz", **some)
    found = imported(tables, tmp_path / "v.npz", tmp_path / "m", test=str(tables / "test.csv"))
    assert [note.split(":")[0] for note in found.notes] == [
        "1 users of the table have no vector",
        "2 items of the table have no vector",
        "3 items have a vector and no interaction in the table.",
    ]
    model = found.recommender
    assert (len(model.users), len(model.items)) == (24, 19)
    np.testing.assert_allclose(model.user_vectors[0], some["user_vectors"].mean(axis=0), rtol=1e-5)
    whole = model.recommend("u05", 19, exclude_seen=False).items
    assert {item.id for item in whole[-2:]} == {"i00", "i01"}
    assert found.judged is not None
    row = found.judged.rows["seen left out"]
    assert row.n_items == 19
    # Of 19 items a user had 7; the two without a vector are the last of the 12, and tie.
    assert set(row.ranks[row.item < 2].tolist()) == {11}


def test_cosine_takes_every_vector_at_length_1(tables: Path, tmp_path: Path) -> None:
    made = arrays()
    np.savez(tmp_path / "v.npz", **{**made, "item_vectors": made["item_vectors"] * np.arange(1, 17)[:, None]})
    found = imported(tables, tmp_path / "v.npz", tmp_path / "m", metric="cosine").recommender
    unit = made["item_vectors"] / np.linalg.norm(made["item_vectors"], axis=1, keepdims=True)
    own = [int(item.id[1:]) for item in found.recommend("u03", 16, exclude_seen=False).items]
    assert own == np.argsort(-(unit @ made["user_vectors"][3])).tolist()


def test_an_items_own_term_counts(tables: Path, tmp_path: Path) -> None:
    bias = np.linspace(-5, 5, ITEMS)
    np.savez(tmp_path / "v.npz", item_biases=bias, **arrays())
    found = imported(tables, tmp_path / "v.npz", tmp_path / "m").recommender
    made = arrays()
    scores = made["item_vectors"] @ made["user_vectors"][3] + bias
    own = [int(item.id[1:]) for item in found.recommend("u03", 16, exclude_seen=False).items]
    assert own == np.argsort(-scores).tolist()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in arrays().items() if key != name}


BAD: list[tuple[str, dict[str, Any]]] = [
    ("without item_ids", without("item_ids")),
    ("weights\\[1:\\]", arrays() | {"user_vectors": np.ones((USERS + 1, 12), np.float32)}),
    ("come twice", arrays() | {"user_ids": np.array(["u"] * USERS)}),
    ("same length", arrays() | {"item_vectors": np.ones((ITEMS, 11), np.float32)}),
    ("a row each", arrays() | {"item_vectors": np.ones(ITEMS, np.float32)}),
    ("nan", arrays() | {"item_vectors": np.full((ITEMS, 12), np.nan, np.float32)}),
    ("own term", arrays() | {"item_bias": np.ones(3)}),
]


@pytest.mark.parametrize(("words", "held"), BAD, ids=[words for words, _ in BAD])
def test_what_can_not_be_vectors_is_told(words: str, held: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", **held)
    with pytest.raises(TableError, match=words):
        read_vectors(tmp_path / "v.npz")


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("no")
    np.savez(tmp_path / "o.npz", user_vectors=np.array([{}], dtype=object))
    duckdb.connect().execute(f"COPY (SELECT 1 AS side) TO '{tmp_path}/b.parquet'")
    for name in ("a.npz", "o.npz", "b.parquet", "missing.npz", "missing.parquet"):
        with pytest.raises(TableError):
            read_vectors(tmp_path / name)
    (tmp_path / "folder").mkdir()
    with pytest.raises(TableError, match=r"queries\.parquet"):
        read_vectors(tmp_path / "folder")
