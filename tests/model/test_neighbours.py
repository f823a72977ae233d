"""Each item is regressed on the items near it, of a catalogue of any size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.model import neighbours as near_by
from butaca.model.followers import FollowerSettings
from butaca.model.neighbours import NeighbourSettings, neighbours
from butaca.model.pairs import ItemPairs
from butaca.model.spectral_settings import SpectralSettings

ALL = NeighbourSettings(near=99, most=99)


def histories(had: np.ndarray, weight: np.ndarray | None = None) -> Histories:
    """Returns histories of a matrix of users by items."""
    user, item = np.nonzero(had)
    worth = None if weight is None else weight[user, item].astype(np.float32)
    return Histories.from_pairs(user.astype(np.int32), item.astype(np.int32), n_users=len(had), weight=worth)


def dense(pairs: ItemPairs) -> np.ndarray:
    n = len(pairs)
    return pairs.between(np.arange(n, dtype=np.int32), np.arange(n))


def drawn(seed: int, users: int = 60, items: int = 14) -> np.ndarray:
    rng = np.random.default_rng(seed)
    taste = rng.random((users, 2)) @ rng.random((2, items))
    return (rng.random((users, items)) < 0.25 + 0.4 * (taste > 0.5)).astype(np.float64)


def regressed(had: np.ndarray, ridge: float) -> np.ndarray:
    """Regresses every item on all others, one by one."""
    degree = np.maximum(had.sum(axis=0), 1.0)
    scaled = had * degree**-near_by.ITEM_POWER
    gram = scaled.T @ scaled
    r = ridge * np.diag(gram)[np.diag(gram) > 0].mean()
    out = np.zeros_like(gram)
    for j in range(len(gram)):
        on = np.flatnonzero((np.arange(len(gram)) != j) & (gram[:, j] > 0))
        out[on, j] = np.linalg.solve(gram[np.ix_(on, on)] + r * np.eye(len(on)), gram[on, j])
    weighed = out * degree[:, None] ** -near_by.ITEM_POWER * degree**near_by.CANDIDATE_POWER
    return np.where(weighed > 0, weighed, 0.0)


def test_two_items_by_hand():
    """Both of three users had both: g / (g_ii + r), each beside the other alone, and none for itself."""
    seen = histories(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0]]))
    power, candidate = near_by.ITEM_POWER, near_by.CANDIDATE_POWER
    own = 3 * 3 ** (-2 * power), 2 * 2 ** (-2 * power)
    g, r = 2 * 6**-power, 0.5 * sum(own) / 2
    want = np.zeros((3, 3))
    want[0, 1] = g / (own[0] + r) * 3**-power * 2**candidate
    want[1, 0] = g / (own[1] + r) * 2**-power * 3**candidate
    found = neighbours(seen, n_items=3, settings=replace(ALL, ridge=0.5))
    np.testing.assert_allclose(dense(found), want, rtol=1e-5)


@pytest.mark.parametrize("last", [0, 5, 4096])
def test_with_all_others_near_it_is_a_whole_regression(monkeypatch, last):
    """However many products are kept dense, and however few systems are solved at once."""
    monkeypatch.setattr(near_by, "DENSE", last)
    monkeypatch.setattr(near_by, "BLOCK", 4)
    had = drawn(1)
    found = neighbours(histories(had), n_items=14, settings=ALL)
    np.testing.assert_allclose(dense(found), regressed(had, ALL.ridge), rtol=1e-4, atol=1e-7)


def test_weights_count_as_so_many_people():
    had = drawn(2)
    weight = np.where(np.arange(14) % 2, 1.5, 0.5) * np.ones_like(had)
    worth = had * weight / weight[had > 0].mean()
    found = neighbours(histories(had, weight), n_items=14, settings=ALL)
    np.testing.assert_allclose(dense(found), regressed(worth, ALL.ridge), rtol=1e-4, atol=1e-7)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 999), st.integers(1, 9), st.integers(1, 9))
def test_neither_ids_nor_rows_decide(seed: int, near: int, most: int) -> None:
    had, rng = drawn(seed, 30, 10), np.random.default_rng(seed)
    asked = NeighbourSettings(near=near, most=most)
    found = dense(neighbours(histories(had), n_items=10, settings=asked))
    users, items = rng.permutation(30), rng.permutation(10)
    other = dense(neighbours(histories(had[users][:, items]), n_items=10, settings=asked))
    np.testing.assert_allclose(other, found[np.ix_(items, items)], rtol=1e-4, atol=1e-7)
    assert (found > 0).sum(axis=1).max(initial=0) <= most
    assert np.diag(found).max(initial=0.0) == 0.0


def test_the_nearest_alone_are_read():
    """Of two copies of an item and one that seldom comes with it, the copy is near."""
    rng = np.random.default_rng(3)
    one = (rng.random(300) < 0.3).astype(float)
    had = np.stack(
        [one, one, (rng.random(300) < 0.3).astype(float), (rng.random(300) < 0.2).astype(float)], axis=1
    )
    found = dense(neighbours(histories(had), n_items=4, settings=NeighbourSettings(near=1)))
    assert np.flatnonzero(found[:, 0]).tolist() == [1]
    assert np.flatnonzero(found[:, 1]).tolist() == [0]


def test_of_equals_none_is_taken():
    """Three that were had by the same people and one place: no number decides which."""
    had = np.zeros((4, 4))
    had[:2] = 1.0
    found = neighbours(histories(had), n_items=4, settings=NeighbourSettings(near=2))
    assert len(found.item) == 0


def test_of_many_products_evenly_spaced_users_are_looked_at(monkeypatch):
    had = np.repeat(drawn(4), 2, axis=0)  # every user twice
    whole = dense(neighbours(histories(had), n_items=14, settings=ALL))
    monkeypatch.setattr(near_by, "MOST_PRODUCTS", float((had.sum(axis=1) ** 2).sum()) / 2)
    half = dense(neighbours(histories(had), n_items=14, settings=ALL))
    scale = 2.0 ** (near_by.CANDIDATE_POWER - near_by.ITEM_POWER)  # degrees are half as large
    np.testing.assert_allclose(half * scale, whole, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("n_users", [0, 3])
def test_without_interactions_there_are_none(n_users):
    found = neighbours(histories(np.zeros((n_users, 5))), n_items=5, settings=ALL)
    assert (len(found), len(found.item)) == (5, 0)


@pytest.mark.parametrize("n_items", [1, 2])
def test_a_catalogue_of_hardly_any(n_items):
    found = neighbours(histories(np.ones((3, n_items))), n_items=n_items, settings=NeighbourSettings())
    assert len(found.item) == (2 if n_items == 2 else 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": -1.0},
        {"weight": 1e60},
        {"ridge": 0.0},
        {"ridge": float("inf")},
        {"near": 0},
        {"most": 0},
    ],
    ids=str,
)
def test_settings_are_checked(wrong):
    with pytest.raises(SettingError, match="ridge, near and most above 0"):
        NeighbourSettings(**wrong)


def test_products_are_of_any_pair(monkeypatch):
    monkeypatch.setattr(near_by, "DENSE", 6)
    had = drawn(5)
    products = near_by._item_products(histories(had), 14)
    first, second = np.triu_indices(14, 1)
    scaled = had[:, products.code] * np.maximum(had.sum(axis=0), 1.0)[products.code] ** -near_by.ITEM_POWER
    np.testing.assert_allclose(
        products.of_pairs(first, second), (scaled.T @ scaled)[first, second], rtol=1e-5, atol=1e-7
    )
    assert sp.issparse(products.all)


@pytest.mark.parametrize("of", [FollowerSettings, NeighbourSettings, SpectralSettings])
def test_a_weight_is_what_scores_can_hold(of):
    assert of(weight=1e6).weight == 1e6
    with pytest.raises(SettingError, match=rf"weight.* 0 to 1,000,000.*weight=1000001\.0.*{of.__name__}\(\)"):
        of(weight=1e6 + 1)


@pytest.mark.parametrize("ridge", [5e-324, 1e-12, 1e300, 1.7e308])
def test_any_ridge_leaves_systems_that_can_be_solved(ridge):
    """Three items that everyone has together are one equation thrice: without a ridge there is no answer."""
    seen = histories(np.ones((6, 3)))
    found = dense(neighbours(seen, n_items=3, settings=replace(ALL, ridge=ridge)))
    least = dense(neighbours(seen, n_items=3, settings=replace(ALL, ridge=near_by.LEAST_RIDGE)))
    np.testing.assert_array_equal(found, least if ridge < 1.0 else np.zeros((3, 3)))
    assert least[~np.eye(3, dtype=bool)] == pytest.approx(least[0, 1])
