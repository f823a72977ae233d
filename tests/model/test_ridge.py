"""The whole ridge regression, cut to few dimensions, is EASE where nothing is cut."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from butaca import SpectralSettings
from butaca.model.ridge import cut, inverted, item_weights
from butaca.model.spectral import closed_form, decompose
from butaca.types import Floats


def weights_of(gram: Floats, degree: Floats, *, ridge: float, leave_out: float) -> Floats:
    inverse, r = inverted(gram, degree, ridge=ridge)
    return item_weights(inverse, r, leave_out=leave_out)


@pytest.fixture(scope="module")
def histories() -> sp.csr_matrix:
    """Who had what, of 40 users and 12 items, no two of which were had by the same people."""
    rng = np.random.default_rng(5)
    return sp.csr_matrix((rng.random((40, 12)) < np.linspace(0.15, 0.6, 12)).astype(np.float32))


def test_two_items_by_hand() -> None:
    gram = np.array([[2.0, 1.0], [1.0, 2.0]], dtype=np.float32)
    # r = 2: P = [[4, -1], [-1, 4]] / 15, so r P_jj = 8 / 15 and B_01 = (2 / 15) / (8 / 15)
    weights = weights_of(gram, np.array([2.0, 2.0], dtype=np.float32), ridge=1.0, leave_out=1.0)
    np.testing.assert_allclose(weights, [[0.0, 0.25], [0.25, 0.0]], rtol=1e-6)
    relaxed = weights_of(gram, np.array([2.0, 2.0], dtype=np.float32), ridge=1.0, leave_out=0.0)
    np.testing.assert_allclose(relaxed, [[0.0, 2 / 15], [2 / 15, 0.0]], rtol=1e-6)


def test_uncut_it_is_ease(histories: sp.csr_matrix) -> None:
    x = histories.toarray().astype(np.float64)
    gram = x.T @ x
    r = 1.5 * np.diag(gram).mean()
    inverse = np.linalg.inv(gram + r * np.eye(12))
    ease = -inverse / np.diag(inverse)
    np.fill_diagonal(ease, 0.0)
    weights = weights_of(gram.astype(np.float32), np.diag(gram).astype(np.float32), ridge=1.5, leave_out=1.0)
    np.testing.assert_allclose(weights, ease, atol=1e-6)
    table, candidates = cut(weights, histories, dim=12, seed=0)
    np.testing.assert_allclose(table @ candidates.T, ease, atol=1e-5)


def test_a_cut_is_the_best_of_its_rank(histories: sp.csr_matrix) -> None:
    x = histories.toarray()
    weights = weights_of(x.T @ x, x.sum(axis=0), ridge=0.5, leave_out=0.5)
    table, candidates = cut(weights, histories, dim=3, seed=0)
    made = x @ weights
    u, s, v = np.linalg.svd(made)
    best = np.linalg.norm(made - (u[:, :3] * s[:3]) @ v[:3])
    assert np.linalg.norm(made - x @ table @ candidates.T) == pytest.approx(best, rel=1e-4)


def test_decompose_makes_it_where_the_catalogue_allows(histories: sp.csr_matrix) -> None:
    user, item = (part.astype(np.int32) for part in histories.nonzero())
    settings = SpectralSettings(dim=4, form="ridge", item_power=0.0, user_power=0.0)
    spectrum = decompose(user, item, time=None, n_items=12, dim=4, settings=settings)
    assert spectrum.table is not None
    table, candidates = closed_form(spectrum, settings)
    assert table.shape == candidates.shape == (12, 4)


def test_of_a_large_catalogue_it_keeps_what_most_had(
    histories: sp.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, item = (part.astype(np.int32) for part in histories.nonzero())
    monkeypatch.setattr("butaca.model.ridge.RIDGE_ITEMS", 5)
    settings = SpectralSettings(dim=4, form="ridge", user_power=0.0)
    spectrum = decompose(user, item, time=None, n_items=12, dim=4, settings=settings)
    table, candidates = closed_form(spectrum, settings)
    most = np.argsort(-spectrum.degree, kind="stable")[:5]
    for vectors in (table, candidates):
        assert set(np.flatnonzero(np.abs(vectors).sum(axis=1))) == set(most.tolist())


def test_the_same_data_give_the_same_bits(histories: sp.csr_matrix) -> None:
    weights = weights_of(
        (histories.T @ histories).toarray(), np.ones(12, dtype=np.float32), ridge=1.0, leave_out=1.0
    )
    one, other = (cut(weights, histories, dim=5, seed=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
