"""The spectral start against naive loops and numpy's eigenvectors, and its closed form against EASE."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from butaca.baselines.ease import EASE
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.model import closeness, spectral
from butaca.model.closeness import windows
from butaca.model.query import QueryTower
from butaca.model.spectral import closed_form, decompose, start_vectors
from butaca.model.spectral_settings import SpectralSettings


def random_rows(n=120, n_users=6, n_items=9, seed=0, duplicates=True):
    """Interactions in no order, with distinct times; some pairs occur more than once."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, n_users, n), rng.integers(0, n_items, n)
    if not duplicates:
        user, item = np.unique(np.stack([user, item], axis=1), axis=0).T
        order = rng.permutation(len(user))
        user, item = user[order], item[order]
    time = rng.permutation(len(user)) * 1000 - 50_000
    return user.astype(np.int32), item.astype(np.int32), time.astype(np.int64)


def naive_kernel(user, item, time, n_items, span, user_power):
    """K by its definition: two loops over each user's positions, no matter how far apart."""
    kernel = np.zeros((n_items, n_items))
    for u in set(user.tolist()):
        mine = np.flatnonzero(user == u)
        history = item[mine[np.argsort(time[mine], kind="stable")]]
        for p, i in enumerate(history):
            for q, j in enumerate(history):
                kernel[i, j] += len(history) ** (-2 * user_power) * np.exp(-abs(p - q) / span)
    return kernel


def scaled(kernel, item, item_power):
    scale = np.maximum(np.bincount(item, minlength=len(kernel)), 1) ** -item_power
    return scale[:, None] * kernel * scale


def check_spectrum(got, matrix, dim):
    """Orthonormal, falling, with residuals of nearly 0 and numpy's eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1][:dim], vectors[:, ::-1][:, :dim]
    top = values[0]
    np.testing.assert_allclose(got.values, values, rtol=1e-4, atol=1e-4 * top)
    np.testing.assert_allclose(got.vectors.T @ got.vectors, np.eye(dim), atol=1e-5)
    np.testing.assert_allclose(matrix @ got.vectors, got.vectors * got.values, atol=1e-4 * top)
    for k in range(dim):  # the same direction wherever eigenvalues stand apart
        others = np.delete(np.linalg.eigvalsh(matrix)[::-1], k)
        if np.abs(others - values[k]).min() > 1e-2 * top:
            assert abs(got.vectors[:, k] @ vectors[:, k]) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("span", [0.5, 2.0, 19.0, 40.0, 500.0])
@pytest.mark.parametrize(("user_power", "item_power"), [(0.0, 0.0), (0.3, 0.5)])
def test_eigenvectors_of_the_naive_kernel(span, user_power, item_power):
    user, item, time = random_rows()  # histories of 15 to 28: spans below and above their lengths
    kernel = naive_kernel(user, item, time, 9, span, user_power)
    settings = SpectralSettings(span=span, user_power=user_power, item_power=item_power)
    got = decompose(user, item, time=time, n_items=9, dim=5, settings=settings)
    check_spectrum(got, scaled(kernel, item, item_power), 5)
    assert got.degree.tolist() == np.bincount(item, minlength=9).tolist()


@pytest.mark.parametrize("with_time", [True, False])
def test_without_span_or_times_the_kernel_is_co_occurrence(with_time):
    user, item, time = random_rows()
    counts = np.zeros((6, 9))
    np.add.at(counts, (user, item), 1.0)
    span = np.inf if with_time else 2.0  # without times the span has nothing to measure
    settings = SpectralSettings(span=span, user_power=0.0, item_power=0.0)
    got = decompose(user, item, time=time if with_time else None, n_items=9, dim=4, settings=settings)
    check_spectrum(got, counts.T @ counts, 4)


def test_kernel_by_hand():
    # One user, items 0, 1, 0 in order of time; span 1/log 2, so that a step halves: e^{-1/span} = 1/2.
    # K00: the two occurrences with themselves, and with each other both ways at distance 2: 2 + 2/4.
    # K01: item 1 is one step from either occurrence: 1/2 + 1/2. K11: 1.
    span = 1 / np.log(2)
    kernel = np.asarray(
        closeness._kernel(
            np.zeros(3, np.int32), np.array([0, 1, 0], np.int32), np.ones(3, np.float32), span, 2, n_items=2
        )
    )
    np.testing.assert_allclose(kernel, [[2.5, 1.0], [1.0, 1.0]], rtol=1e-6)


def test_order_of_rows_does_not_matter_and_order_in_time_does():
    user, item, time = random_rows(duplicates=False)
    settings = SpectralSettings(span=2.0)
    first = decompose(user, item, time=time, n_items=9, dim=4, settings=settings)
    shuffled = np.random.default_rng(1).permutation(len(user))
    again = decompose(
        user[shuffled], item[shuffled], time=time[shuffled], n_items=9, dim=4, settings=settings
    )
    np.testing.assert_array_equal(first.vectors, again.vectors)
    mixed = decompose(user, item, time=time[shuffled], n_items=9, dim=4, settings=settings)
    assert np.abs(first.values - mixed.values).max() > 1e-3


def test_windows_of_a_long_history_fall_as_a_triangle():
    # span 4: a window of 12 positions every 3, so two positions share 4 - |p // 3 - q // 3| windows,
    # each at 1/2 * 1/2, times 40 ** (-2 * 0.25).
    n = 40
    user, item = np.zeros(n, np.int32), np.arange(n, dtype=np.int32)
    rows = windows(user, item, count=np.array([n]), n_items=n, span=4.0, power=0.25)
    assert rows.shape == (39 // 3 + 4, n)
    assert rows.getnnz(axis=0).tolist() == [4] * n  # every position in four windows
    assert rows.getnnz(axis=1).max() == 12
    cut = np.arange(n) // 3
    want = np.maximum(4 - np.abs(cut[:, None] - cut), 0) / 4 * n**-0.5
    np.testing.assert_allclose((rows.T @ rows).toarray(), want, rtol=1e-12)
    # Over where windows happen to begin, that is 1 - |p - q| / 12: the right mean on each diagonal.
    inner = (rows.T @ rows).toarray()[6:33, 6:33] * n**0.5
    for distance in (0, 3, 6, 9, 12):
        assert np.diag(inner, distance).mean() == pytest.approx(1 - distance / 12)


def test_windows_keep_short_histories_whole_and_users_apart():
    # Users of 2, 0, 12 and 13 items, span 4: rows 1, 1 (empty), 1, and 12 // 3 + 4 = 8.
    count = np.array([2, 0, 12, 13])
    user = np.repeat(np.arange(4, dtype=np.int32), count)
    item = np.arange(27, dtype=np.int32)
    rows = windows(user, item, count=count, n_items=27, span=4.0, power=0.5)
    assert rows.shape == (1 + 1 + 1 + 8, 27)
    gram = (rows.T @ rows).toarray()
    np.testing.assert_allclose(gram[:2, :2], 1 / 2)
    np.testing.assert_allclose(gram[2:14, 2:14], 1 / 12)
    np.testing.assert_allclose(np.diag(gram)[14:], 1 / 13)
    assert gram[14, 26] == 0  # 12 apart
    apart = user[:, None] != user
    assert not gram[apart].any()


@pytest.mark.parametrize("span", [np.inf, 1e300])
def test_windows_without_a_span_are_whole_histories(span):
    rows = windows(
        np.array([0, 0, 1]), np.array([0, 1, 1]), count=np.array([2, 1]), n_items=2, span=span, power=0.0
    )
    assert rows.toarray().tolist() == [[1.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("span", [np.inf, 1e300])
def test_windowed_equals_dense_where_histories_are_whole(span, monkeypatch):
    user, item, time = random_rows()
    settings = SpectralSettings(span=span, user_power=0.2, item_power=0.4)
    dense = decompose(user, item, time=time, n_items=9, dim=5, settings=settings)
    monkeypatch.setattr(spectral, "DENSE_ITEMS", 0)
    windowed = decompose(user, item, time=time, n_items=9, dim=5, settings=settings)
    np.testing.assert_allclose(windowed.values, dense.values, rtol=1e-4)
    np.testing.assert_allclose(np.abs(np.diag(windowed.vectors.T @ dense.vectors)), 1.0, atol=1e-3)
    assert windowed.vectors.dtype == np.float32


def test_long_histories_with_a_wide_span_are_neither_flat_nor_slow():
    """Of 2,400 positions and span 300, too many diagonals to add: windows stand in, not X^T X."""
    rng = np.random.default_rng(0)
    item = (np.arange(2400) // 600 * 10 + rng.integers(0, 10, 2400)).astype(np.int32)  # four phases of ten
    user, time = np.zeros(2400, np.int32), np.arange(2400, dtype=np.int64)
    x = np.eye(40)[item]
    distance = np.abs(time[:, None] - time)
    kernel = x.T @ np.exp(-distance / 300) @ x
    got = decompose(
        user,
        item,
        time=time,
        n_items=40,
        dim=4,
        settings=SpectralSettings(span=300, user_power=0, item_power=0),
    )
    wanted = np.linalg.eigh(kernel)[1][:, -4:]
    assert np.linalg.svd(wanted.T @ got.vectors)[1].min() > 0.99
    assert got.values[1] > 0.2 * got.values[0]  # X^T X of one user has one eigenvalue


def test_windowed_and_dense_span_about_the_same_space_on_movielens(ml_split, monkeypatch):
    train, _ = ml_split
    rows = {"time": train.timestamp, "n_items": len(train.items), "dim": 16, "settings": SpectralSettings()}
    dense = decompose(train.user, train.item, **rows)
    monkeypatch.setattr(spectral, "DENSE_ITEMS", 0)
    windowed = decompose(train.user, train.item, **rows)
    cosines = np.linalg.svd(dense.vectors[:, :8].T @ windowed.vectors)[1]
    assert cosines.min() > 0.9  # measured .97; a random space of 16 in 1,664 has .1
    chance = np.linalg.qr(np.random.default_rng(0).normal(size=windowed.vectors.shape))[0]
    assert np.linalg.svd(dense.vectors[:, :8].T @ chance)[1].max() < 0.5


@pytest.mark.parametrize("dense_items", [0, 4096])
def test_same_input_same_bits_other_seed_other_bits(ml_split, monkeypatch, dense_items):
    train, _ = ml_split
    few = train.take(np.arange(20_000))
    monkeypatch.setattr(spectral, "DENSE_ITEMS", dense_items)
    rows = {"time": few.timestamp, "n_items": len(few.items), "dim": 8, "settings": SpectralSettings()}
    first, again, other = (decompose(few.user, few.item, **rows, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.vectors, again.vectors)
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.array_equal(first.vectors, other.vectors)
    np.testing.assert_allclose(first.values, other.values, rtol=0.05)


@pytest.mark.parametrize("dense_items", [0, 4096])
@pytest.mark.parametrize(
    ("user", "item", "n_items"),
    [
        ([0], [0], 1),
        ([0, 0, 0], [0, 1, 2], 3),
        ([0, 1, 2], [0, 0, 0], 1),
        ([0, 0, 0], [1, 1, 1], 4),  # one pair three times
        ([5, 5, 7], [0, 3, 3], 6),  # users without rows, items never seen
        ([], [], 3),
    ],
    ids=["one pair", "one user", "one item", "duplicates", "gaps", "nothing"],
)
def test_smallest_data(user, item, n_items, dense_items, monkeypatch):
    monkeypatch.setattr(spectral, "DENSE_ITEMS", dense_items)
    user, item = np.array(user, np.int32), np.array(item, np.int32)
    time = np.arange(len(user), dtype=np.int64)
    for ridge in (0.0, 0.1):
        settings = SpectralSettings(dim=8, ridge=ridge)
        got = decompose(user, item, time=time, n_items=n_items, dim=8, settings=settings)
        k = min(8, n_items)
        assert got.vectors.shape == (n_items, k)
        assert got.values.shape == (k,)
        assert np.isfinite(got.vectors).all()
        assert (got.values >= 0).all()
        start = start_vectors(got, 8)
        assert start.shape == (n_items, 8)
        history, candidate = closed_form(got, settings)
        assert history.shape == candidate.shape == (n_items, k)
        for table in (start, history, candidate):
            assert np.isfinite(table).all()
        never = np.setdiff1d(np.arange(n_items), item)
        np.testing.assert_allclose(start[never], 0.0, atol=1e-4)


def test_start_vectors_by_hand():
    # V sqrt(S) = [[2, 0], [0, 1]], root mean square sqrt(5 / 4); a third dimension that the data lack is 0.
    spectrum = spectral.Spectrum(np.eye(2, dtype=np.float32), np.array([4.0, 1.0]), np.ones(2, np.float32))
    got = start_vectors(spectrum, 3, size=0.5)
    np.testing.assert_allclose(got, np.array([[2, 0, 0], [0, 1, 0]]) * 0.5 / np.sqrt(5 / 4), rtol=1e-6)
    np.testing.assert_allclose(start_vectors(spectrum, 1, size=0.5), [[0.5 * 2**0.5], [0.0]], rtol=1e-6)


def test_closed_form_by_hand():
    # Values 3 and 1, mean 2, ridge 1/2: f = 3/4 and 1/2. Item 0 explains 3/4 of itself, item 1 a half.
    spectrum = spectral.Spectrum(
        np.eye(2, dtype=np.float32), np.array([3.0, 1.0]), np.array([16.0, 1.0], np.float32)
    )
    settings = SpectralSettings(dim=2, ridge=0.5, leave_out=0.5, history_power=0.25, candidate_power=0.5)
    history, candidate = closed_form(spectrum, settings)
    np.testing.assert_allclose(history, [[0.75 / 2, 0], [0, 0.5]])
    np.testing.assert_allclose(candidate, [[4 / 0.25**0.5, 0], [0, 1 / 0.5**0.5]], rtol=1e-6)


def test_closed_form_with_every_dimension_ranks_unseen_items_as_ease():
    user, item, _ = random_rows(400, 40, 25, duplicates=False)
    settings = SpectralSettings(
        span=np.inf,
        user_power=0,
        item_power=0,
        dim=25,
        ridge=1.0,
        leave_out=1,
        history_power=0,
        candidate_power=0,
    )
    spectrum = decompose(user, item, time=None, n_items=25, dim=25, settings=settings)
    l2 = settings.ridge * float(spectrum.values.mean())
    assert spectrum.values.mean() == pytest.approx(len(user) / 25, rel=1e-4)  # trace of X'X over N
    head, candidate = closed_form(spectrum, settings)
    names = [Vocabulary.of([f"{k}{n:02d}" for n in range(size)]) for k, size in (("u", 40), ("i", 25))]
    data = Dataset(Entities("user", names[0]), Entities("item", names[1]), user, item)
    ease = EASE(l2=l2).fit(data).score(np.arange(40, dtype=np.int32))
    had = np.zeros((40, 25), dtype=bool)
    had[user, item] = True
    mine = had.astype(np.float32) @ head @ candidate.T
    np.testing.assert_allclose(mine[~had], ease[~had], atol=1e-5)
    assert np.abs(ease[~had]).max() > 0.1
    assert np.abs(mine[had] - ease[had]).max() > 0.1  # of those that were had it keeps their own share
    # As the query tower answers: the same but for each user's length.
    tower = QueryTower(np.zeros((1, 0), np.float32), head=head)
    vectors = tower(np.arange(40, dtype=np.int32), Histories.of(data))
    for u in range(40):
        got, want = (vectors[u] @ candidate.T)[~had[u]], ease[u][~had[u]]
        assert np.corrcoef(got, want)[0, 1] == pytest.approx(1.0, abs=1e-5)
        assert (np.argsort(got)[-3:] == np.argsort(want)[-3:]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"span": 0.0}, {"span": -1.0}, {"span": np.nan}, {"dim": -1}, {"weight": -0.1}, {"weight": np.nan},
        {"weight": np.inf}, {"weight": 1e60}, {"pairs_weight": 1e60}, {"ridge": -1.0}, {"ridge": np.nan},
        {"user_power": np.nan}, {"item_power": np.inf},
        {"leave_out": np.nan}, {"history_power": np.nan}, {"candidate_power": -np.inf},
    ],
    ids=str,
)  # fmt: skip
def test_settings_are_checked(wrong):
    (name, value) = next(iter(wrong.items()))
    with pytest.raises(SettingError, match=re.escape(f"{name}={value}")):
        SpectralSettings(**wrong)


@pytest.mark.parametrize("dense", [True, False])
def test_equal_times_are_one_moment(dense, monkeypatch):
    user, item, _ = random_rows(duplicates=False)
    monkeypatch.setattr(spectral, "DENSE_ITEMS", 4096 if dense else 1)
    renamed = np.random.default_rng(2).permutation(9).astype(np.int32)
    times = {"none": None, "one": np.zeros(len(user), np.int64), "days": np.arange(len(user)) // 7}

    def values(time, codes=item):
        settings = SpectralSettings(span=2.0, item_power=0.0)
        return decompose(user, codes, time=time, n_items=9, dim=5, settings=settings).values

    of = {name: values(time) for name, time in times.items()}
    np.testing.assert_allclose(of["one"], of["none"], rtol=1e-4)
    assert abs(of["days"] / of["none"] - 1).max() > 0.05  # days still have an order
    for name, time in times.items():
        np.testing.assert_allclose(values(time, renamed[item]), of[name], rtol=1e-3)


def test_kernel_of_moments_and_weights_by_hand():
    # One user: items 0 and 1 at one time, in the middle of places 0 and 1, then item 2 at place 2; weights 1,
    # 2 and 4, in parts of the mean 3/7, 6/7 and 12/7. A step halves, so 1.5 places count 2 ** -1.5.
    user, item = np.zeros(3, np.int32), np.array([2, 0, 1], np.int32)
    settings = SpectralSettings(span=1 / np.log(2), user_power=0.0, item_power=0.0)
    own = np.array([4, 1, 2], np.float32)
    got = decompose(user, item, time=np.array([9, 5, 5]), n_items=3, dim=3, settings=settings, weight=own)
    w, near = np.array([3, 6, 12]) / 7, 2**-1.5
    kernel = np.sqrt(np.outer(w, w)) * [[1, 1, near], [1, 1, near], [near, near, 1]]
    np.testing.assert_allclose(got.values, np.linalg.eigvalsh(kernel)[::-1], atol=1e-5)
    np.testing.assert_allclose(got.degree, w, rtol=1e-6)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("with_time", [True, False])
def test_equal_weights_change_nothing(dense, with_time, monkeypatch):
    user, item, time = random_rows(duplicates=False)
    monkeypatch.setattr(spectral, "DENSE_ITEMS", 4096 if dense else 1)
    asked: dict[str, Any] = {
        "time": time if with_time else None,
        "n_items": 9,
        "dim": 4,
        "settings": SpectralSettings(span=3.0),
    }
    weighed = decompose(user, item, weight=np.full(len(user), 5, np.float32), **asked)
    np.testing.assert_allclose(weighed.values, decompose(user, item, **asked).values, rtol=1e-4)


def test_a_window_never_cuts_a_moment():
    n = 40
    user, item = np.zeros(n, np.int32), np.arange(n, dtype=np.int32)
    place = closeness.moments(user, np.arange(n) // 10)
    rows = windows(user, item, count=np.array([n]), n_items=n, span=4.0, power=0.0, place=place).toarray()
    for moment in range(4):
        held = rows[:, moment * 10 : moment * 10 + 10] > 0
        assert (held.all(axis=1) | ~held.any(axis=1)).all()
