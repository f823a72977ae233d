"""Exact top-k: against a full sort, with exclusions and ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.errors import SettingError
from butaca.index import exact
from butaca.index.exact import ExactIndex, best


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(1, 40))
def test_best_is_a_stable_sort(values, k):
    got, scores = best(np.array(values, dtype=np.float32), k)
    want = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]
    assert got.tolist() == want
    assert scores.tolist() == [values[i] for i in want]


def test_excluded_items_never_come_back_and_k_do():
    rng = np.random.default_rng(0)
    index = ExactIndex(rng.normal(size=(50, 4)).astype(np.float32))
    queries = rng.normal(size=(7, 4)).astype(np.float32)
    exclude = [rng.choice(50, 30, replace=False) for _ in range(7)]
    top = index.top_k(queries, 20, exclude)
    for row in range(7):
        assert not set(top.items[row].tolist()) & set(exclude[row].tolist())
        assert (top.items[row] >= 0).all()
        left = np.setdiff1d(np.arange(50), exclude[row])
        want = left[np.argsort(-(index.vectors[left] @ queries[row]), kind="stable")]
        assert top.items[row].tolist() == want.tolist()


def test_fewer_than_k_left_is_said_with_minus_one():
    index = ExactIndex(np.eye(3, dtype=np.float32))
    top = index.top_k(np.ones((1, 3), dtype=np.float32), 3, [np.array([0, 2])])
    assert top.items.tolist() == [[1, -1, -1]]


def test_k_beyond_the_catalogue_gives_all_of_it():
    assert ExactIndex(np.eye(3, dtype=np.float32)).top_k(
        np.ones((2, 3), dtype=np.float32), 9
    ).items.shape == (2, 3)


def test_bias_is_added_and_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    vectors, bias = rng.normal(size=(9, 2)).astype(np.float32), rng.normal(size=9).astype(np.float32)
    queries = rng.normal(size=(5, 2)).astype(np.float32)
    whole = ExactIndex(vectors, bias).top_k(queries, 4)
    np.testing.assert_allclose(whole.scores[0], np.sort(vectors @ queries[0] + bias)[::-1][:4], rtol=1e-5)
    monkeypatch.setattr(exact, "CHUNK", 9)
    assert ExactIndex(vectors, bias).top_k(queries, 4).items.tolist() == whole.items.tolist()


def test_wrong_calls():
    index = ExactIndex(np.eye(2, dtype=np.float32))
    with pytest.raises(SettingError, match="k=0"):
        index.top_k(np.ones((1, 2), dtype=np.float32), 0)
    with pytest.raises(SettingError, match="1 for 2 queries"):
        index.top_k(np.ones((2, 2), dtype=np.float32), 1, [np.array([0])])
