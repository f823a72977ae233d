"""Eigenvectors from blocks of sparse rows, against the whole matrix decomposed at once."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.model import spectral, subspace
from butaca.model.spectral import decompose
from butaca.model.spectral_settings import SpectralSettings

N = 12


def interactions(seed, n_users=40):
    """Pairs by user and item, each once."""
    rng = np.random.default_rng(seed)
    had = rng.random((n_users, N)) < rng.uniform(0.1, 0.9, (n_users, 1))
    user, item = (x.astype(np.int32) for x in np.nonzero(had))
    return user, item, np.append(0, np.cumsum(np.bincount(user, minlength=n_users))), had


def dense(blocks):
    return np.concatenate([rows().toarray() for rows in blocks])


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_blocks_are_the_histories_weighted_by_their_lengths(block, monkeypatch):
    monkeypatch.setattr(subspace, "BLOCK", block)
    _, item, start, had = interactions(0)
    blocks = subspace.histories(item, start, n_items=N, power=0.5)
    want = had / np.sqrt(np.maximum(had.sum(axis=1, keepdims=True), 1))
    np.testing.assert_allclose(dense(blocks), want[had.any(axis=1)], rtol=1e-6)
    assert len(blocks) == {1: had.any(axis=1).sum(), 10_000: 1}.get(block, len(blocks))
    matrix = blocks[0]() if block == 10_000 else None
    if matrix is not None:
        monkeypatch.setattr(subspace, "BLOCK", 5)
        parts = subspace.in_blocks(matrix)
        assert len(parts) > 10
        np.testing.assert_array_equal(dense(parts), matrix.toarray())


@pytest.mark.parametrize("block", [9, 10_000])
def test_leading_eigenvectors_are_those_of_the_whole(block, monkeypatch):
    monkeypatch.setattr(subspace, "BLOCK", block)
    _, item, start, had = interactions(1)
    scale = np.linspace(0.5, 2, N).astype(np.float32)
    first = np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32)
    values, vectors = subspace.leading(
        subspace.histories(item, start, n_items=N, power=0.3), scale, first=first, strides=(2, *(1,) * 40)
    )
    w = had / np.maximum(had.sum(axis=1, keepdims=True), 1) ** 0.3 * scale
    want, basis = np.linalg.eigh(w.T @ w)
    np.testing.assert_allclose(values[:3], want[::-1][:3], rtol=1e-4)
    agree = np.abs(np.sum(vectors[:, :3] * basis[:, ::-1][:, :3], axis=0))
    np.testing.assert_allclose(agree, 1, atol=1e-3)


def test_the_first_passes_skip_blocks(monkeypatch):
    monkeypatch.setattr(subspace, "BLOCK", 1)
    _, item, start, _ = interactions(2)
    blocks = subspace.histories(item, start, n_items=N, power=0.0)
    read: list[int] = []

    def noted(number):
        def block():
            read.append(number)
            return blocks[number]()

        return block

    watched = [noted(number) for number in range(len(blocks))]
    first = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    subspace.leading(watched, np.ones(N, np.float32), first=first, strides=(4, 1))
    n = len(blocks)
    assert len(read) == -(-n // 4) + n + n  # the last time for the eigenvectors
    assert set(read[: -(-n // 4)]) == set(range(0, n, 4))


def test_the_bits_do_not_depend_on_the_cores(monkeypatch):
    monkeypatch.setattr(subspace, "BLOCK", 10)
    _, item, start, _ = interactions(3)
    first = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    ends = []
    for cores in (1, 2, 64):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        blocks = subspace.histories(item, start, n_items=N, power=0.1)
        ends.append(subspace.leading(blocks, np.ones(N, np.float32), first=first, strides=(1, 1)))
    for values, vectors in ends[1:]:
        assert values.tobytes() == ends[0][0].tobytes()
        assert vectors.tobytes() == ends[0][1].tobytes()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(0, 3))
def test_orthonormal_spans_the_same(seed, rank, more):
    """Columns at length one and at right angles, as many as the rank; the others zero."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, rank)).astype(np.float32)
    wide = np.concatenate([x, x[:, :1] * np.ones(more, np.float32)], axis=1) if more else x
    q = subspace.orthonormal(wide)
    gram = q.T @ q
    np.testing.assert_allclose(gram, np.diag(np.round(np.diag(gram))), atol=1e-4)
    assert round(float(np.trace(gram))) == rank
    np.testing.assert_allclose(q @ (q.T @ x), x, atol=1e-3)


def test_sorted_histories_are_decomposed_where_they_are(monkeypatch):
    """Prepared data give what shuffled rows give, and are not copied to be sorted."""
    monkeypatch.setattr(spectral, "DENSE_ITEMS", 4)
    monkeypatch.setattr(subspace, "BLOCK", 20)
    user, item, *_ = interactions(4)
    whole = SpectralSettings(span=np.inf, user_power=0.3, dim=2)
    mixed = np.random.default_rng(0).permutation(len(user))
    want = decompose(user[mixed], item[mixed], time=None, n_items=N, dim=2, settings=whole)
    monkeypatch.setattr(np, "lexsort", lambda *_: pytest.fail("sorted anew"))
    got = decompose(user, item, time=None, n_items=N, dim=2, settings=whole)
    np.testing.assert_allclose(got.values, want.values, rtol=1e-2)
    assert got.degree.tolist() == want.degree.tolist()
