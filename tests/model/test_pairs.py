"""Pairs of items say what few dimensions leave out, as a sum over the history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.model import remainder, ridge
from butaca.model.closeness import SortedInteractions
from butaca.model.entries import Entries
from butaca.model.pairs import ItemPairs, PairTerms
from butaca.model.query import QueryTower
from butaca.model.remainder import largest_pairs
from butaca.model.spectral_settings import SpectralSettings
from tests.support.narrow import some

#: Item 0 speaks for 1 and 2, item 1 for none, item 2 for 0.
BY_HAND = ItemPairs(
    np.array([0, 2, 2, 3], np.int32), np.array([1, 2, 0], np.int32), np.array([0.5, 2.0, 1.0], np.float32)
)


def test_terms_by_hand():
    rows, items = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 0], np.int32)
    terms = BY_HAND.terms(Entries(rows, items), factor=np.array([1.0, 1.0, 10.0], np.float32))
    scores = np.zeros((3, 3), np.float32)
    terms.add_to(scores)
    assert scores.tolist() == [[1.0, 0.5, 2.0], [0.0, 0.0, 0.0], [0.0, 5.0, 20.0]]
    assert [part.tolist() for part in terms.rows(1, 3)] == [[1, 1], [1, 2], [5.0, 20.0]]
    assert [part.tolist() for part in terms.rows(2, 3)] == [[0, 0], [1, 2], [5.0, 20.0]]
    assert terms.by_item().item.tolist() == [0, 1, 1, 2, 2]


def test_a_term_of_a_score_that_is_named_twice_counts_twice():
    terms = PairTerms(np.array([0, 0]), np.array([1, 1], np.int32), np.array([1.0, 2.0], np.float32))
    scores = np.zeros((1, 2), np.float32)
    terms.add_to(scores)
    assert scores.tolist() == [[0.0, 3.0]]


def test_between_by_hand():
    had = np.array([0, 1, 2], np.int32)
    assert BY_HAND.between(had, np.array([2, 0])).tolist() == [[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    assert BY_HAND.between(had, np.array([], np.int64)).shape == (3, 0)
    assert BY_HAND.between(had, np.array([2, 0, 2])).tolist() == [[2.0, 0.0, 2.0], [0.0] * 3, [0.0, 1.0, 0.0]]


def test_further_items_speak_for_none():
    longer = BY_HAND.longer(2)
    assert len(longer) == 5
    assert (
        longer.terms(
            Entries(np.array([0]), np.array([4], np.int32)), factor=np.ones(1, np.float32)
        ).item.tolist()
        == []
    )


def test_the_largest_of_what_is_left_by_hand():
    """B less T V' is [[., 1, 3], [5, ., -1], [.002, .5, .]] over codes 1, 4 and 7 of nine: a row's diagonal,
    what is below 0 and what is rounding beside the largest stay out, and of a row the two largest remain."""
    rest = np.array([[9.0, 1.0, 3.0], [5.0, 9.0, -1.0], [0.002, 0.5, 9.0]], np.float32)
    table, candidates = np.ones((3, 1), np.float32), np.array([[2.0], [0.0], [1.0]], np.float32)
    weights = rest + table @ candidates.T
    found = largest_pairs(
        weights, table=table, candidates=candidates, kept=np.array([1, 4, 7]), n_items=9, most=2
    )
    assert found.start.tolist() == [0, 0, 2, 2, 2, 3, 3, 3, 4, 4]
    assert found.item.tolist() == [4, 7, 1, 4]
    np.testing.assert_allclose(found.weight, [1.0, 3.0, 5.0, 0.5], rtol=1e-6)
    one = largest_pairs(
        weights, table=table, candidates=candidates, kept=np.array([1, 4, 7]), n_items=9, most=1
    )
    assert one.item.tolist() == [7, 1, 4]


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**31))
def test_rows_are_what_a_dense_matrix_gives(n, most, seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n, n)).astype(np.float32)
    nothing = np.zeros((n, 1), np.float32)
    pairs = largest_pairs(weights, table=nothing, candidates=nothing, kept=np.arange(n), n_items=n, most=most)
    dense = pairs.between(np.arange(n, dtype=np.int32), np.arange(n))
    assert (dense[dense > 0] == weights[dense > 0]).all()
    assert (np.diag(dense) == 0).all()
    assert ((dense > 0).sum(axis=1) <= most).all()
    for row in range(n):
        left = np.delete(weights[row], row)
        kept = np.sort(dense[row][dense[row] > 0])[::-1]
        wanted = np.sort(left[left > 1e-3 * np.abs(weights).max()])[::-1][: len(kept)]
        assert kept.tolist() == wanted.tolist()
        assert len(kept) == min(most, (left > 1e-3 * np.abs(weights).max()).sum())


@given(st.integers(0, 2**31), st.integers(1, 5))
def test_the_largest_of_a_row_are_found_alike_in_short_rows_and_in_long_ones(seed, most):
    """And none that equals one that is left out, or would if it were added up in another order."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(-1, 6, (6, 9)).astype(np.float64)
    want = []
    for row in range(6):
        falling = np.append(np.sort(dense[row])[::-1], 0.0)
        bound = max(falling[most], 0.0)
        want += [(row, column, dense[row, column]) for column in np.flatnonzero(dense[row] > bound).tolist()]
    values = sparse.csr_array(dense)
    values.data *= 1 + rng.integers(0, 2, len(values.data)) * 1e-15
    for long in (0, 99):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(remainder, "LONG", long)
            found = remainder.largest_of_rows(values, most)
        assert sorted(zip(*(part.tolist() for part in found), strict=True)) == want


def test_a_short_history_is_trusted_as_little_by_its_pairs():
    tower = QueryTower(np.zeros((1, 2), np.float32), pairs=BY_HAND, pairs_scale=3.0)
    assert tower.reads_history
    seen = Histories.from_pairs(np.array([0, 1, 1]), np.array([0, 0, 2]), n_users=3)
    terms = some(tower.terms(np.array([0, 1, 2, 9], np.int32), seen))
    assert terms.value.tolist() == [1.5, 6.0, 1.5, 6.0, 3.0]
    assert terms.row.tolist() == [0, 0, 1, 1, 1]  # users 2 and 9 have no history
    careful = some(replace(tower, trusted_from=4, trust_power=0.5).terms(np.array([0, 1], np.int32), seen))
    np.testing.assert_allclose(careful.value, np.array([1.5, 6, 1.5, 6, 3]) * np.sqrt([0.25] * 2 + [0.5] * 3))
    assert replace(tower, pairs=None).terms(np.array([0], np.int32), seen) is None


@pytest.mark.parametrize("settings", [{"form": "filter", "dim": 8}, {"form": "ridge", "dim": 0}])
def test_pairs_are_of_a_regression_that_is_cut(settings):
    with pytest.raises(SettingError, match="beyond its dimensions"):
        SpectralSettings(pairs=4, **settings)
    with pytest.raises(SettingError, match="pairs_weight=-1"):
        SpectralSettings(pairs_weight=-1)


def test_items_outside_of_a_regression_are_predicted_and_speak_for_what_occurs_with_them(monkeypatch):
    """Half of the items are in the inverse. Every pair is what the dense formulas give, or is not kept."""
    monkeypatch.setattr(ridge, "RIDGE_ITEMS", 6)
    rng = np.random.default_rng(2)
    x = (rng.random((40, 12)) < np.linspace(0.6, 0.2, 12)).astype(np.float32)
    user, item = (part.astype(np.int32) for part in np.nonzero(x))
    settings = SpectralSettings(
        span=np.inf, user_power=0.0, item_power=0.2, dim=2, ridge=3.0, leave_out=1.0, history_power=0.3,
        candidate_power=0.1, form="ridge", pairs=12,
    )  # fmt: skip
    had = SortedInteractions.of(user, item, time=None)
    found = ridge.regression(had, n_items=12, settings=settings)
    table, candidates, pairs = found.towers(settings)
    degree = x.sum(axis=0)
    kept, others = found.kept, np.setdiff1d(np.arange(12), found.kept)
    assert len(kept) == 6
    assert (table[others] == 0).all()
    gram = (x * degree**-0.2).T @ (x * degree**-0.2)
    inside = gram[np.ix_(kept, kept)]
    r = 3.0 * np.diag(inside).mean()
    inverse = np.linalg.inv(inside + r * np.eye(6))
    wanted = np.zeros((12, 12))
    b = np.eye(6) - inverse / np.diag(inverse)
    wanted[np.ix_(kept, kept)] = b
    wanted[np.ix_(kept, others)] = inverse @ gram[np.ix_(kept, others)]
    wanted[others] = gram[others] / (np.diag(gram)[others] + r)[:, None] / 2
    wanted *= (degree**-0.3)[:, None] * degree**0.1
    wanted -= table @ candidates.T
    np.fill_diagonal(wanted, 0.0)
    got = some(pairs).between(np.arange(12, dtype=np.int32), np.arange(12))
    np.testing.assert_allclose(got[got > 0], wanted[got > 0], rtol=2e-4, atol=1e-6)
    left = np.where(got > 0, 0.0, wanted)
    inside_rows = left[kept]
    assert (inside_rows[:, kept] < 2e-3).all()  # all that is above 0 is kept of those inside
    assert (left[others] < 2e-3).all()
    assert ((got[np.ix_(kept, others)] > 0).sum(axis=1) <= 6).all()
    assert (got[np.ix_(kept, others)] > 0).any()


@pytest.mark.parametrize(("span", "weighed"), [(5.0, False), (np.inf, True)])
def test_beside_closeness_in_time_or_weights_items_outside_have_no_pairs(monkeypatch, span, weighed):
    """Plain counts would be louder than what is inside."""
    monkeypatch.setattr(ridge, "RIDGE_ITEMS", 6)
    rng = np.random.default_rng(3)
    user, item = (part.astype(np.int32) for part in np.nonzero(rng.random((40, 12)) < 0.4))
    settings = SpectralSettings(span=span, dim=2, form="ridge", pairs=12)
    weight = rng.random(len(user)).astype(np.float32) if weighed else None
    had = SortedInteractions.of(user, item, time=np.arange(len(user)), weight=weight)
    found = ridge.regression(had, n_items=12, settings=settings)
    assert found.outside is None
    assert set(some(found.towers(settings)[2]).item.tolist()) <= set(found.kept.tolist())


def test_where_looking_outside_is_long_only_the_items_inside_have_pairs(monkeypatch):
    monkeypatch.setattr(ridge, "RIDGE_ITEMS", 6)
    rng = np.random.default_rng(3)
    user, item = (part.astype(np.int32) for part in np.nonzero(rng.random((40, 12)) < 0.4))
    settings = SpectralSettings(span=np.inf, dim=2, form="ridge", pairs=12)
    had = SortedInteractions.of(user, item, time=None)
    for limit in ("OUTSIDE_PAIRS", "OUTSIDE_PRODUCTS", "OUTSIDE_WEIGHTS"):
        with monkeypatch.context() as patch:
            patch.setattr(ridge, limit, 1)
            found = ridge.regression(had, n_items=12, settings=settings)
            _, _, pairs = found.towers(settings)
        assert set(some(pairs).item.tolist()) <= set(found.kept.tolist())
