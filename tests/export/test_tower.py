"""The query tower as ONNX answers what the model's own does, of every kind and of any history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from butaca.data.histories import Histories
from butaca.export.tower import tower_model
from butaca.export.vectors import vectors_of
from butaca.recommend.recommender import Recommender
from tests.support.exports import random_model

pytest.importorskip("onnx", reason="the extra export is not installed")
runtime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime, of the development requirements, is not installed"
)

KINDS = [("bag", False), ("bag", True), ("timescales", False), ("attention", False), (None, False)]


def session(model: Recommender) -> Any:
    return runtime.InferenceSession(
        tower_model(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )


def query(run: Any, user: int, histories: Histories) -> np.ndarray:
    """The vector of the first history, as another program asks for it."""
    given = {
        "user": np.array([user], np.int64),
        "items": histories.items.astype(np.int64),
        "values": histories.value,
        "times": None if histories.time is None else histories.time.astype(np.float64),
    }
    takes = {one.name for one in run.get_inputs()}
    (found,) = run.run(["query"], {name: value for name, value in given.items() if name in takes})
    assert isinstance(found, np.ndarray)
    return found


def some_history(rng: np.random.Generator, n: int) -> Histories:
    value = rng.integers(1, 6, n).astype(np.float32)
    value[rng.random(n) < 0.2] = np.nan
    time = rng.integers(0, 40, n).astype(np.int64) * 3_600  # some at the same time
    items = rng.permutation(20)[:n].astype(np.int32)
    return Histories(items, np.array([0, n]), value, time)


@pytest.mark.parametrize(("reader", "layers"), KINDS)
def test_it_answers_as_the_model_does(reader: str | None, layers: bool) -> None:
    model = random_model(reader, layers=layers)
    run, items = session(model), vectors_of(model).items
    rng = np.random.default_rng(1)
    if reader is None:
        for user in (0, 5, -1, 99):
            row = user if 0 <= user < 40 else 40
            np.testing.assert_array_equal(
                query(run, user, some_history(rng, 0))[0, :-1], model.user_vectors[row]
            )
        return
    assert model.query_tower is not None
    for n in (0, 1, 2, 5, 12, 20):
        for user in (-1, 3):
            history = some_history(rng, n)
            own = model.query_tower(np.zeros(1, np.int32), history, known_as=np.array([user], np.int32))
            found = query(run, user, history)
            np.testing.assert_allclose(found[0, :-1], own[0], rtol=2e-5, atol=2e-5)
            assert found[0, -1] == 1
            mine = np.argsort(-(items @ found[0]))
            theirs = np.argsort(-(items[:, :-1] @ own[0] + items[:, -1]))
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("reader", ["bag", "timescales", "attention"])
def test_a_known_users_history_gives_the_exported_query(reader: str) -> None:
    model = random_model(reader)
    run, vectors = session(model), vectors_of(model)
    for user in (0, 17):
        at = slice(model.seen.start[user], model.seen.start[user + 1])
        assert model.seen.value is not None
        assert model.seen.time is not None
        n = at.stop - at.start
        own = Histories(model.seen.items[at], np.array([0, n]), model.seen.value[at], model.seen.time[at])
        np.testing.assert_allclose(query(run, user, own)[0], vectors.queries[user], rtol=2e-5, atol=2e-5)
