"""Exact top-k: against a full sort, with exclusions and ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from butaca.errors import SettingError
from butaca.index import exact
from butaca.index.exact import ExactIndex
from butaca.index.interface import Index, TopK
from butaca.index.selection import best, best_of
from butaca.model.pairs import PairTerms


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
    top = index.top_k(queries, 20, exclude=exclude)
    for row in range(7):
        assert not set(top.items[row].tolist()) & set(exclude[row].tolist())
        assert (top.items[row] >= 0).all()
        left = np.setdiff1d(np.arange(50), exclude[row])
        want = left[np.argsort(-(index.vectors[left] @ queries[row]), kind="stable")]
        assert top.items[row].tolist() == want.tolist()


def test_fewer_than_k_left_is_said_with_minus_one():
    index = ExactIndex(np.eye(3, dtype=np.float32))
    top = index.top_k(np.ones((1, 3), dtype=np.float32), 3, exclude=[np.array([0, 2])])
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


def test_best_of_pairs():
    """Two rows; of row 0 the values 5 and 7, of row 1 the two equal ones in their order."""
    row = np.array([1, 0, 1, 0, 0, 1])
    items, values = best_of(
        row, np.array([4, 5, 6, 7, 8, 9]), value=np.array([2, 5, 1, 3, 7, 2], np.float32), n_rows=2, k=2
    )
    assert items.tolist() == [[8, 5], [4, 9]]
    assert values.tolist() == [[7, 5], [2, 2]]


def by_sorting(vectors, bias, queries, k, exclude, allowed, terms):
    """The list as anyone would make it: sort all that is left by score, then by code."""
    items = np.full((len(queries), k), -1)
    for row, query in enumerate(queries):
        scores = vectors @ query + bias
        for of, item, value in zip(*terms, strict=True):
            if of == row:
                scores[item] += value
        left = [i for i in range(len(vectors)) if allowed[i] and i not in set(exclude[row].tolist())]
        best_first = sorted(left, key=lambda i: (-scores[i], i))[:k]
        items[row, : len(best_first)] = best_first
    return items


@st.composite
def asked(draw):
    """Small whole numbers, so that many scores are equal and all are exact."""
    n, d, b = draw(st.integers(1, 40)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors, queries = (rng.integers(-2, 3, size=(m, d)).astype(np.float32) for m in (n, b))
    bias = rng.integers(-1, 2, size=n).astype(np.float32)
    exclude = [rng.choice(n, rng.integers(0, n + 1), replace=False) for _ in range(b)]
    allowed = rng.random(n) < draw(st.sampled_from([0.0, 0.2, 0.7, 1.0]))
    m = draw(st.sampled_from([0, 1, 30]))
    added = rng.integers(0, n, m).astype(np.int32), rng.integers(-2, 3, m).astype(np.float32)
    terms = PairTerms(np.sort(rng.integers(0, b, m)), *added)
    return vectors, bias, queries, draw(st.integers(1, n)), exclude, allowed, terms


@settings(max_examples=200, deadline=None)
@given(
    asked(),
    st.sampled_from([1, 7, 20, 1 << 22]),
    st.sampled_from([1, 2, 64]),
    st.sampled_from([1, 5, 40]),
    st.sampled_from([1, 3, 64]),
)
def test_lists_are_those_of_a_full_sort_whatever_the_tiles(asked, chunk, rows, width, even):
    vectors, bias, queries, k, exclude, allowed, terms = asked
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "CHUNK", chunk)
        patch.setattr(exact, "ROWS", rows)
        patch.setattr(exact, "WIDTH", width)
        patch.setattr(exact, "EVEN", even)
        index = ExactIndex(vectors, bias)
        top = index.top_k(queries, k, exclude=exclude, allowed=allowed, terms=terms)
    assert top.items.tolist() == by_sorting(vectors, bias, queries, k, exclude, allowed, terms).tolist()
    assert ((top.scores == -np.inf) == (top.items == -1)).all()


def test_a_catalogue_of_equals_comes_back_by_code_from_tiles(monkeypatch):
    monkeypatch.setattr(exact, "CHUNK", 64)
    top = ExactIndex(np.ones((1000, 2), np.float32)).top_k(np.ones((3, 2), np.float32), 5)
    assert top.items.tolist() == [[0, 1, 2, 3, 4]] * 3


@pytest.mark.parametrize(("n", "d"), [(1027, 64), (2052, 16), (2048, 64), (3001, 64)])
@pytest.mark.parametrize("width", [1024, 1 << 17])
@pytest.mark.parametrize("n_queries", [1, 3, 8])
def test_equal_vectors_come_back_by_code(monkeypatch, n, d, width, n_queries):
    """Floats, whose sums differ with their order: the last few items are multiplied as all others are."""
    monkeypatch.setattr(exact, "WIDTH", width)
    rng = np.random.default_rng(n)
    vectors = np.tile(rng.standard_normal(d, dtype=np.float32), (n, 1))
    queries = rng.standard_normal((n_queries, d), dtype=np.float32)
    with threadpool_limits(2):
        index = ExactIndex(vectors)
        top, products = index.top_k(queries, 5), queries @ index._columns[:, :n]
    if (products == products[:, :1]).all():  # as with most kernels of OpenBLAS
        assert top.items.tolist() == [[0, 1, 2, 3, 4]] * n_queries
    else:
        np.testing.assert_allclose(top.scores, products[:, :1] + np.zeros(5, np.float32), rtol=1e-5)
        assert (np.diff(top.scores) <= 0).all()


def test_exact_says_so():
    index = ExactIndex(np.eye(2, dtype=np.float32))
    assert isinstance(index, Index)
    assert not index.approximate
    assert not index.top_k(np.ones((1, 2), np.float32), 1).approximate
    assert not TopK(np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32)).approximate


def test_wrong_calls():
    index = ExactIndex(np.eye(2, dtype=np.float32))
    with pytest.raises(SettingError, match="k=0"):
        index.top_k(np.ones((1, 2), dtype=np.float32), 0)
    with pytest.raises(SettingError, match="1 for 2 queries"):
        index.top_k(np.ones((2, 2), dtype=np.float32), 1, exclude=[np.array([0])])
