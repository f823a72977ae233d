"""What other systems get: the same lists come out of Parquet, FAISS, Qdrant and pgvector as of the model."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from butaca.errors import SettingError, StoreError, TableError
from butaca.export.engines import COLLECTION
from butaca.export.vectors import vectors_of
from butaca.export.writing import export
from butaca.model.pairs import ItemPairs
from butaca.recommend.recommender import Recommender
from tests.support.commands import butaca
from tests.support.exports import random_model
from tests.support.postgres import Postgres

K = 8


@pytest.fixture(scope="module")
def model() -> Recommender:
    return random_model()


def lists(model: Recommender, *, seen: bool) -> dict[str, list[str]]:
    """The model's own lists, of everybody who has one."""
    users = [u for u in model.users.ids.values.tolist() if u != "u39"]
    answers = model.recommend_many(users, K, exclude_seen=not seen)
    return {str(a.asked): [str(item.id) for item in a.items] for a in answers}


def table(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = duckdb.connect().execute(f"SELECT * FROM '{path}'").fetchnumpy()
    return found


def test_parquet_has_the_same_lists(model: Recommender, tmp_path: Path) -> None:
    export(model, tmp_path / "out")
    items, queries = table(tmp_path / "out/items.parquet"), table(tmp_path / "out/queries.parquet")
    seen = table(tmp_path / "out/seen.parquet")
    scores = np.stack(queries["vector"]) @ np.stack(items["vector"]).T
    assert scores.dtype == np.float32

    def found() -> dict[str, list[str]]:
        best = np.argsort(-scores, axis=1)[:, :K]
        rows = zip(queries["user_id"].tolist(), best, scores, strict=True)
        return {user: [items["item_id"][i] for i in row if s[i] > -np.inf] for user, row, s in rows}

    assert found() == lists(model, seen=True)
    scores[seen["user_row"], seen["item_row"]] = -np.inf
    assert found() == lists(model, seen=False)
    assert items["row"].tolist() == list(range(20))
    assert set(seen) == {"user_row", "item_row", "user_id", "item_id", "value", "time"}

    facts = json.loads((tmp_path / "out/manifest.json").read_text())
    assert facts["metric"] == "inner product"
    assert (facts["items"], facts["queries"], facts["users_without_query"], facts["dimensions"]) == (
        20,
        39,
        1,
        15,
    )
    assert facts["last_dimension"] == "the item's own term; 1 in queries"


@pytest.mark.parametrize("half_life", [math.inf, 1.0])
def test_pairs_of_items_are_beside_the_vectors_and_add_up(
    model: Recommender, tmp_path: Path, half_life: float
) -> None:
    """With them the model's lists come out; without them others do, and the command says so."""
    start = np.arange(21, dtype=np.int32) * 2
    item = np.array([sorted({(i + 1) % 20, (i + 7) % 20}) for i in range(20)], np.int32).ravel()
    weight = np.linspace(1, 4, 40, dtype=np.float32)
    tower = model.query_tower
    assert tower is not None
    paired = ItemPairs(start, item, weight, half_life)
    tower = dataclasses.replace(tower, pairs=paired, pairs_scale=2.0, trusted_from=4, trust_power=0.5)
    vectors = tower(np.arange(len(model.users) + 1, dtype=np.int32), model.seen)
    made = dataclasses.replace(model, query_tower=tower, user_vectors=vectors)
    made.save(tmp_path / "model")
    assert "40 pairs of items" in butaca("export", "model", "--out", "out", cwd=tmp_path).stdout
    items, queries = table(tmp_path / "out/items.parquet"), table(tmp_path / "out/queries.parquet")
    seen, pairs = table(tmp_path / "out/seen.parquet"), table(tmp_path / "out/pairs.parquet")
    says = json.loads((tmp_path / "out/manifest.json").read_text())["pairs"]
    scores = np.stack(queries["vector"]) @ np.stack(items["vector"]).T
    lengths = np.bincount(seen["user_row"], minlength=len(scores))
    trust = np.minimum(1, lengths / says["trusted_from"]) ** says["trust_power"]
    assert ("heard" in seen) == math.isfinite(half_life)
    heard = seen.get("heard", np.ones(len(seen["user_row"]), np.float32))
    for user, had, counts in zip(seen["user_row"], seen["item_row"], heard, strict=True):
        of = pairs["had_row"] == had
        scores[user, pairs["item_row"][of]] += pairs["weight"][of] * np.float32(trust[user] * counts)
    best, wanted = items["item_id"][np.argsort(-scores, axis=1)[:, :K]], lists(made, seen=True)
    assert dict(zip(queries["user_id"].tolist(), best.tolist(), strict=True)) == wanted
    assert wanted != lists(model, seen=True)


def test_without_an_own_term_there_is_no_dimension_for_it(model: Recommender) -> None:
    from dataclasses import replace

    plain = vectors_of(replace(model, item_bias=None))
    assert (plain.dimensions, plain.bias) == (14, False)


def test_people_with_features_have_a_query_without_a_history(model: Recommender) -> None:
    from dataclasses import replace

    assert vectors_of(replace(model, user_features=("job",))).left_out == 0


def test_faiss_has_the_same_lists(model: Recommender, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss", reason="the extra ann is not installed")
    export(model, tmp_path / "out", to="faiss")
    index = faiss.read_index(str(tmp_path / "out/index.faiss"))
    queries, items = table(tmp_path / "out/queries.parquet"), table(tmp_path / "out/items.parquet")
    _, rows = index.search(np.stack(queries["vector"]), K)
    found = {user: items["item_id"][row].tolist() for user, row in zip(queries["user_id"], rows, strict=True)}
    assert found == lists(model, seen=True)


def test_qdrant_has_the_same_lists(model: Recommender, tmp_path: Path) -> None:
    qdrant = pytest.importorskip("qdrant_client", reason="the extra export is not installed")
    export(model, tmp_path / "out", to="qdrant")
    queries = table(tmp_path / "out/queries.parquet")
    seen = table(tmp_path / "out/seen.parquet")
    for left_out in (False, True):
        found = {}
        client = qdrant.QdrantClient(path=str(tmp_path / "out/qdrant"))
        for row, (user, vector) in enumerate(zip(queries["user_id"], queries["vector"], strict=True)):
            had = seen["item_row"][seen["user_row"] == row].tolist() if left_out else []
            but = qdrant.models.Filter(must_not=[qdrant.models.HasIdCondition(has_id=had)]) if had else None
            answer = client.query_points(COLLECTION, query=vector.tolist(), limit=K, query_filter=but)
            found[user] = [point.payload["item_id"] for point in answer.points]
        client.close()
        assert found == lists(model, seen=not left_out)


LIST = """
SELECT i.item_id FROM butaca_items i, butaca_queries q
WHERE q.user_id = %(user)s AND (%(kept)s OR NOT EXISTS (
    SELECT FROM butaca_seen s WHERE s.user_id = q.user_id AND s.item_id = i.item_id))
ORDER BY i.vector <#> q.vector LIMIT %(k)s
"""


def in_database(address: str, *, seen: bool) -> dict[str, list[str]]:
    import psycopg

    with psycopg.connect(address) as connection:
        users = [user for (user,) in connection.execute("SELECT user_id FROM butaca_queries").fetchall()]
        asked = [{"user": user, "kept": seen, "k": K} for user in users]
        return {one["user"]: [i for (i,) in connection.execute(LIST, one).fetchall()] for one in asked}


def test_pgvector_has_the_same_lists(model: Recommender, postgres_server: Postgres, tmp_path: Path) -> None:
    address = postgres_server.url("postgres")
    export(model, tmp_path / "out", to="pgvector", address=address)
    assert in_database(address, seen=True) == lists(model, seen=True)
    assert in_database(address, seen=False) == lists(model, seen=False)

    other = random_model(seed=1)  # by the file, over the tables that are there
    export(other, tmp_path / "out", to="pgvector")
    done = subprocess.run(
        [
            postgres_server.bin / "psql",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--file={tmp_path / 'out/pgvector.sql'}",
            address,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert in_database(address, seen=False) == lists(other, seen=False)


def test_a_database_that_refuses_is_told_in_words(
    model: Recommender, postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="check the address"):
        export(model, tmp_path / "out", to="pgvector", address="postgresql://me@127.0.0.1:9/films")
    lacking = "CREATE EXTENSION no_such_extension"
    monkeypatch.setattr("butaca.export.pgvector.definitions", lambda vectors: lacking)
    with pytest.raises(StoreError, match="Install pgvector"):
        export(model, tmp_path / "out", to="pgvector", address=postgres_server.url("postgres"))


def test_an_address_is_one_of_its_target(model: Recommender, tmp_path: Path) -> None:
    for to, address in (
        ("parquet", "http://127.0.0.1:6333"),
        ("pgvector", "http://a"),
        ("qdrant", "postgresql://a"),
    ):
        with pytest.raises(SettingError, match="An address"):
            export(model, tmp_path / "out", to=to, address=address)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="A target is one of"):
        export(model, tmp_path / "out", to="redis")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_it_says_and_nothing_over_other_things(
    model: Recommender, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    said = butaca("export", "model", "--out", "out", cwd=tmp_path).stdout
    text = " ".join(said.split())
    assert "20 items and 39 queries of 15 dimensions, the last one the item's own term" in text
    assert "1 users of whom nothing is known" in text
    version = json.loads((tmp_path / "out/manifest.json").read_text())["model_version"]
    assert version == Recommender.load(tmp_path / "model").version
    with pytest.raises(TableError, match="holds something else"):
        export(model, tmp_path / "model")


def test_a_missing_library_is_named(
    model: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for to, module, extra in (
        ("qdrant", "qdrant_client", "export"),
        ("faiss", "faiss", "ann"),
        ("onnx", "onnx", "export"),
    ):
        with monkeypatch.context() as patched, contextlib.ExitStack() as stack:
            patched.setitem(sys.modules, module, None)
            stack.enter_context(pytest.raises(SettingError, match=rf"butaca\[{extra}\]"))
            export(model, tmp_path / "out", to=to)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
