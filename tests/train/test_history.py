"""History towers: the numpy query tower against the trained one, shares, dropout, and the loss by loops."""

from __future__ import annotations

import functools
import threading
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import butaca
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import FeatureError, SettingError
from butaca.model.entries import Entries
from butaca.model.features import History
from butaca.model.query import HistoryWeights, QueryTower, RatingBins, ages, weighted_sum
from butaca.model.spectral_settings import SpectralSettings
from butaca.model.towers import HistoryTable, unit
from butaca.train import step
from butaca.train.batch import BatchPlan, HistoryRows, UserRows
from butaca.train.batches import Batches
from butaca.train.build import item_prior
from butaca.train.settings import TwoTowerSettings
from butaca.train.slots import knowing
from butaca.train.step import summed_histories
from butaca.two_tower import TwoTower
from tests.support.narrow import some

DAY = 86_400
N_USERS, N_ITEMS = 30, 20
CLOSED = SpectralSettings(dim=4, span=3.0)
ADAM, GENTLE = optax.adam(0.1), optax.adam(0.05)  # one object each: the compiled step is found again


def rated(seed=0, n=300):
    """Ratings of 1 to 5 over 90 days; the last user has nothing, and item 0 was had by nobody."""
    rng = np.random.default_rng(seed)
    users = Entities(
        "user_id",
        Vocabulary.of([f"u{u:02d}" for u in range(N_USERS)]),
        {"job": np.array([("cook", "clerk", "poet")[u % 3] for u in range(N_USERS)], dtype=object)},
    )
    titles = np.array([f"Film {i // 2}" for i in range(N_ITEMS)], dtype=object)  # in pairs of the same title
    items = Entities("item_id", Vocabulary.of([f"i{i:02d}" for i in range(N_ITEMS)]), {"title": titles})
    return Dataset(
        users,
        items,
        rng.integers(0, N_USERS - 1, n).astype(np.int32),
        rng.integers(1, N_ITEMS, n).astype(np.int32),
        rng.integers(1, 6, n).astype(np.float32),
        rng.integers(0, 90 * DAY, n),
    )


VARIANTS: dict[str, dict[str, Any]] = {
    "history": {},
    "unit length": {"unit": True, "temperature": 0.25},
    "by rating": {"query": (History(by_rating=True),)},
    "by recency": {"query": (History(by_recency=True),), "unit": True},
    "both, with features": {
        "query": (
            butaca.Id("user_id"),
            History(dropout=0.2, by_rating=True, by_recency=True),
            butaca.Category("job"),
        ),
    },
    "hidden": {"hidden": (7, 5)},
    "hidden, unit, features": {
        "query": (History(by_rating=True), butaca.Category("job")), "hidden": (6,), "unit": True,
        "temperature": 0.5,
    },
    "in-batch": {"softmax": "in_batch", "prior": "popularity"},
    "sampled, unit, prior": {"softmax": "sampled", "samples": 9, "unit": True, "prior": "recent"},
}  # fmt: skip


@functools.cache
def fitted(name, **more):
    settings: dict[str, Any] = {"query": (History(),), "candidate": (butaca.Id("item_id"),), "dim": 6}
    settings |= VARIANTS[name] | more
    model = TwoTower(**settings)
    model.fit(rated(), epochs=4, batch_size=100, optimizer=ADAM)
    return model


def trained_queries(model):
    """Query vectors of all training users by the code that the training step runs, nothing left out."""
    run, settings = model._fitted.run, model.settings
    batches = run.batches
    everyone = np.arange(N_USERS, dtype=np.int32)
    batches._n_queries, batches._n_history = N_USERS, len(batches.histories.items) + 7
    rows = jax.tree.map(jnp.asarray, batches._history(everyone))
    towers = run.towers
    summed = summed_histories(
        towers.query.history, rows, n_queries=N_USERS, dropout=0.0, count=jnp.uint32(0), first=0, axis=None
    )
    inputs = {
        n: (codes[:N_USERS], None if w is None else w[:N_USERS])
        for n, (codes, w) in run.features.query.items()
    }
    queries = towers.query(inputs, summed)
    return np.asarray((unit(queries) if settings.unit else queries) / settings.temperature)


@pytest.mark.parametrize("name", VARIANTS)
def test_numpy_answers_what_was_trained(name):
    model = fitted(name)
    want = trained_queries(model)
    assert want.std() > 0.1
    trained = model.seen.lengths > 0  # the id of a user without interactions answers as an unknown one
    np.testing.assert_allclose(model.user_vectors[:N_USERS][trained], want[trained], rtol=1e-5, atol=1e-5)
    if "rating" in name or "both" in name:
        assert np.abs(model.query_tower.history.rating).max() > 0.01  # it did learn one
        assert len(model.query_tower.history.bins) == 5
    if "recency" in name or "both" in name:
        assert abs(model.query_tower.history.recency) > 0.01
    # With the closed form beside it, the trained half is the same.
    beside = fitted(name, spectral=CLOSED)
    assert beside.user_vectors.shape == (N_USERS + 1, 6 + 4)
    assert beside.item_vectors.shape == (N_ITEMS, 6 + 4)
    np.testing.assert_allclose(
        beside.user_vectors[:N_USERS, :6][trained], want[trained], rtol=1e-5, atol=1e-5
    )


def test_a_vector_by_its_definition():
    """One user in plain loops: rating weights, the fall with age, the root of the weights' sum, features."""
    model = fitted("both, with features", spectral=CLOSED)
    data, user = rated(), 4
    towers = model._fitted.run.towers
    latest = {}
    for row in np.flatnonzero(data.user == user)[np.argsort(data.timestamp[data.user == user])]:
        latest[int(data.item[row])] = (float(data.value[row]), int(data.timestamp[row]))
    assert len(latest) >= 4
    end = max(when for _, when in latest.values())
    total, weights, head = np.zeros(6), 0.0, np.zeros(4)
    for item, (rating, when) in latest.items():
        weight = np.exp(towers.query.history.rating[int(rating) - 1])
        weight *= (1 + (end - when) / DAY) ** -float(towers.query.history.recency)
        total += float(weight) * np.asarray(towers.query.history.table[item])
        weights += float(weight)
        head += model.query_tower.head[item]
    job = ["clerk", "cook", "poet"].index(data.users["job"][user])
    tables = towers.query.tables
    want = total / np.sqrt(weights) + np.asarray(tables["user_id"][user]) + np.asarray(tables["job"][job])
    np.testing.assert_allclose(model.user_vectors[user, :6], want, rtol=1e-4, atol=1e-5)
    beside = model.user_vectors[user, 6:]
    np.testing.assert_allclose(beside, head / np.linalg.norm(head) * model.query_tower.head_scale, rtol=1e-4)


@pytest.mark.parametrize("name", ["history", "by rating", "in-batch"])
def test_shares_of_a_score_add_up(name):
    """Without hidden layers or unit length, each film of a history adds its own share of every score."""
    model = fitted(name)
    tower, seen = model.query_tower, model.seen
    value = None if tower.history.bins is None else seen.value
    for user in (0, 11):
        span = slice(seen.start[user], seen.start[user + 1])
        had = Entries(
            np.zeros(span.stop - span.start, np.int64),
            seen.items[span],
            None if value is None else value[span],
        )
        weight = tower.history.weights(had, 1)
        shares = weight[:, None] * tower.history.table[seen.items[span]] / np.sqrt(weight.sum())
        np.testing.assert_allclose(tower.history.parts(had), shares, rtol=1e-6)
        scores = (shares @ model.item_vectors.T).sum(axis=0)
        if model.item_bias is not None:
            scores = scores + model.item_bias
        np.testing.assert_allclose(scores, model.score(np.array([user], np.int32))[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
def test_new_users_and_known_ones_after_one_more(name):
    model = fitted(name, spectral=CLOSED)
    now = rated().timestamp.max() + DAY
    three = [[1, 2, 3], [9, 12, 15], []]
    given = Histories.from_pairs(
        np.repeat([0, 1], 3), np.concatenate(three[:2]).astype(np.int32), n_users=3,
        value=np.array([5, 4, 1, 2, 3, 5], np.float32), time=np.arange(6) * DAY,
    )  # fmt: skip
    vectors = model.query_vectors(given)
    assert vectors.shape == (3, 10)
    assert np.isfinite(vectors).all()
    apart = vectors @ model.item_vectors.T
    assert np.abs(apart[0] - apart[1]).max() > 0.05  # personal
    np.testing.assert_array_equal(vectors[2], model.user_vectors[-1])  # nothing known: the unknown user
    # What it was trained on gives the training vectors, and one more item moves them.
    everyone = np.arange(N_USERS, dtype=np.int32)
    np.testing.assert_array_equal(model.query_vectors(model.seen, everyone), model.user_vectors[:-1])
    user = 7
    new = int(np.setdiff1d(np.arange(1, N_ITEMS), model.seen[user])[0])
    at = slice(model.seen.start[user], model.seen.start[user + 1])
    more = Histories.from_pairs(
        np.zeros(len(model.seen[user]) + 1, np.int32),
        np.append(model.seen[user], new).astype(np.int32),
        n_users=1,
        value=np.append(model.seen.value[at], 5).astype(np.float32),
        time=np.append(model.seen.time[at], now),
    )
    after = model.query_vectors(more, np.array([user], np.int32))
    assert np.isfinite(after).all()
    assert np.abs(after[0] - model.user_vectors[user]).max() > 1e-3


@pytest.mark.parametrize("name", ["history", "by rating", "in-batch", "both, with features"])
@pytest.mark.parametrize("spectral", [None, CLOSED])
def test_a_short_history_is_trusted_less(name, spectral):
    """Its whole vector by one number; long enough ones, and none at all, stay as they were to the bit."""
    plain = fitted(name, spectral=spectral)
    model = fitted(name, spectral=spectral, trusted_from=9, trust_power=0.5)
    lengths = np.append(model.seen.lengths, 0)
    short = (lengths > 0) & (lengths < 9)
    assert short.any()
    assert (lengths >= 9).any()
    np.testing.assert_array_equal(model.user_vectors[~short], plain.user_vectors[~short])
    np.testing.assert_array_equal(model.item_vectors, plain.item_vectors)
    assert model.query_tower.head_scale == plain.query_tower.head_scale
    want = plain.user_vectors[short] * np.sqrt(lengths[short] / 9)[:, None]
    np.testing.assert_allclose(model.user_vectors[short], want, rtol=1e-6)
    users = np.arange(N_USERS + 1, dtype=np.int32)
    np.testing.assert_array_equal(model.query_tower(users, model.seen), model.user_vectors)
    assert [model.query_tower.trust(n) for n in (0, 1, 4, 9, 10)] == [1, 1 / 3, 2 / 3, 1, 1]
    assert plain.query_tower.trust(1) == 1


def test_trust_is_checked():
    for wrong in ({"trusted_from": -1}, {"trust_power": -0.5}, {"trust_power": float("nan")}):
        with pytest.raises(SettingError, match=r"trusted_from is 0 or more|trust_power is a number"):
            TwoTowerSettings(**wrong)


def test_a_tower_that_reads_no_history_trusts_its_users():
    tower = QueryTower(np.ones((3, 2), np.float32), trusted_from=9)
    one = Histories(np.array([0], np.int32), np.array([0, 1]))
    assert tower.trust(1) == 1
    assert tower(np.array([0], np.int32), one).tolist() == [[1, 1]]


def test_an_empty_history_is_answered_by_the_prior_alone():
    model = fitted("in-batch", spectral=CLOSED)
    nobody = np.array([N_USERS - 1, N_USERS, -1, 10**6], np.int32)
    np.testing.assert_array_equal(model.score(nobody), np.tile(model.item_bias, (4, 1)))
    assert model.item_bias.std() > 0.1
    assert fitted("history").score(nobody).tolist() == np.zeros((4, N_ITEMS)).tolist()


def test_ratings_may_be_missing_or_absent():
    model = fitted("by rating", spectral=CLOSED)
    items, start = np.array([1, 2], np.int32), np.array([0, 2])
    missing = model.query_vectors(Histories(items, start, np.array([np.nan, np.nan], np.float32)))
    middle = model.query_vectors(Histories(items, start, np.array([3, 3], np.float32)))
    np.testing.assert_array_equal(missing, middle)
    assert np.isfinite(model.query_vectors(Histories(items, start))).all()


def test_rating_bins():
    halves = RatingBins.of(np.array([0.5, 1, np.nan, 3, 5, 1], np.float32))
    assert len(halves) == 4
    given = np.array([0, 0.5, 0.9, 1, 2.9, 3, 5, 9, np.inf, -np.inf, np.nan], np.float32)
    assert halves(given).tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 3, 0, 1]
    tenths = RatingBins.of(np.arange(100, dtype=np.float32))  # edges at 9.9, 19.8, ..., 89.1
    assert len(tenths) == 10
    assert tenths(np.arange(0, 100, 10, dtype=np.float32)).tolist() == list(range(10))
    assert np.bincount(tenths(np.arange(100, dtype=np.float32))).tolist() == [10] * 10
    assert len(RatingBins.of(np.full(3, np.nan, np.float32))) == 1
    assert RatingBins.of(np.full(3, np.nan, np.float32))(np.array([np.nan, 2.0], np.float32)).tolist() == [
        0,
        0,
    ]
    assert len(RatingBins.of(np.ones(3, np.float32))) == 1


def test_ages_are_days_before_each_users_latest():
    rows = np.array([0, 0, 0, 2, 2])
    time = np.array([-DAY, -3 * DAY, DAY // 2 - DAY, 10**17, 10**17 - DAY], dtype=np.int64)
    np.testing.assert_allclose(ages(rows, time, n_rows=3), [0.5, 2.5, 0.0, 0.0, 1.0], rtol=1e-5)
    far = ages(np.zeros(2, int), np.array([-(2**63), 2**63 - 1], dtype=np.int64), n_rows=1)
    np.testing.assert_allclose(far, [2**64 / DAY, 0.0])


@pytest.mark.parametrize("n_rows", [3, 2_000_000])
def test_weighted_sum_dense_and_by_row(n_rows):
    table = np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]], np.float32)
    rows, items = np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2], np.int32)  # one item twice: both count
    got = weighted_sum(
        table, rows, items=items, weight=np.array([2.0, 3.0, 0.25, 0.25], np.float32), n_rows=n_rows
    )
    assert got.shape == (n_rows, 2)
    assert got[:3].tolist() == [[2.0, 3.0], [0.0, 0.0], [2.5, 2.5]]
    assert not got[3:].any()


def test_a_table_alone_by_hand():
    # Weights 1 and e: (h0 + e h1) / sqrt(1 + e); base [0.5, 0.5] of the unknown user.
    weights = HistoryWeights(
        np.array([[1, 0], [0, 1]], np.float32), RatingBins(np.array([2.0], np.float32)), np.array([0.0, 1.0])
    )
    tower = QueryTower(np.array([[9, 9], [0.5, 0.5]], np.float32), weights)
    seen = Histories(np.array([0, 1], np.int32), np.array([0, 2]), np.array([1, 2], np.float32))
    got = tower(np.array([0], np.int32), seen, known_as=np.array([5], np.int32))
    np.testing.assert_allclose(got[0], np.array([1, np.e]) / np.sqrt(1 + np.e) + 0.5, rtol=1e-6)


# The step.


def one_history(n, padded=0):
    """A query that had items 0 to n - 1, each a direction of its own, and one without."""
    table = HistoryTable(jnp.eye(n), None, None)
    rows = HistoryRows(
        np.concatenate([np.zeros(n, np.int32), np.ones(padded, np.int32)]),
        np.concatenate([np.arange(n, dtype=np.int32), np.full(padded, n, np.int32)]),
        np.concatenate([np.ones(n, np.float32), np.zeros(padded, np.float32)]),
        None,
        None,
    )
    return table, jax.tree.map(jnp.asarray, rows)


def test_dropout_keeps_its_share_anew_each_step():
    table, rows = one_history(400, padded=50)

    def kept(count, dropout):
        out = np.asarray(
            summed_histories(
                table, rows, n_queries=2, dropout=dropout, count=jnp.uint32(count), first=0, axis=None
            )
        )
        assert not out[1].any()  # padding is nobody's
        present = out[0] > 0
        # The divisor is the root of what was kept, so that a query has the same length in every step.
        np.testing.assert_allclose(out[0][present], 1 / np.sqrt(max(present.sum(), 1)), rtol=1e-5)
        return present

    for dropout in (0.3, 0.8):
        draws = np.array([kept(c, dropout) for c in range(60)])
        # 24,000 draws: five deviations of their mean are below 0.016
        assert draws.mean() == pytest.approx(1 - dropout, abs=0.016)
        by_item = draws.mean(axis=0)  # no item is favoured: five deviations of 60 draws
        assert np.abs(by_item - (1 - dropout)).max() < 5 * np.sqrt(dropout * (1 - dropout) / 60)
        assert (draws[0] != draws[1]).any()
        assert (draws[3] == kept(3, dropout)).all()
    assert kept(0, 0.0).all()


def test_everything_left_out_is_no_history_and_no_nan():
    table, rows = one_history(3)

    def total(weights):
        return sum(
            summed_histories(
                weights, rows, n_queries=2, dropout=0.95, count=jnp.uint32(c), first=0, axis=None
            )[0].sum()
            for c in range(20)
        )

    learns = HistoryTable(table.table, jnp.zeros(2), jnp.ones(()))
    rows = rows._replace(bins=jnp.array([0, 1, 1]), age=jnp.array([0.0, 3.0, 9.0]))
    value, grad = jax.value_and_grad(total)(learns)
    assert np.isfinite(value)
    for leaf in jax.tree.leaves(grad):
        assert np.isfinite(np.asarray(leaf)).all()


def test_rows_of_a_large_catalogue_are_gathered(monkeypatch):
    """Sparse and filled give the same sums and gradients, and the sparse never makes queries x items."""
    rng = np.random.default_rng(0)
    n_queries, n_items, n = 20, 50, 300
    query = np.sort(rng.integers(0, n_queries, n)).astype(np.int32)
    rows = HistoryRows(
        query, rng.integers(0, n_items + 9, n).astype(np.int32), np.ones(n, np.float32),
        rng.integers(0, 3, n).astype(np.int32), rng.random(n).astype(np.float32),
    )  # fmt: skip
    weights = HistoryTable(jnp.asarray(rng.normal(size=(n_items, 4))), jnp.arange(3.0), jnp.ones(()))
    into = jnp.asarray(rng.normal(size=(n_queries, 4)))

    def objective(weights):
        return (
            summed_histories(
                weights, rows, n_queries=n_queries, dropout=0.4, count=jnp.uint32(3), first=0, axis=None
            )
            * into
        ).sum()

    filled = jax.value_and_grad(objective)(weights)
    monkeypatch.setattr(step, "FILLED", 0)
    sparse = jax.value_and_grad(objective)(weights)
    for a, b in zip(jax.tree.leaves(filled), jax.tree.leaves(sparse), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    monkeypatch.undo()
    shape: Any = jax.ShapeDtypeStruct((1_000_001, 64), jnp.float32)
    large = HistoryTable(shape, None, None)

    def of_large(n_pairs):
        many = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((n_pairs,), x.dtype), rows._replace(bins=None, age=None)
        )
        summed = jax.make_jaxpr(
            lambda w, r: summed_histories(
                w, r, n_queries=1200, dropout=0.5, count=jnp.uint32(0), first=0, axis=None
            )
        )
        return str(summed(large, many))

    assert "1200,1000001" not in of_large(200_000)  # by machine code, where there is any
    monkeypatch.setattr("butaca.model.kernels.native_kernels", lambda dim: None)
    gathered = of_large(200_001)
    assert "200001,64" in gathered
    assert "1200,1000001" not in gathered


MASKS = [
    ("full", "none"), ("full", "known"), ("in_batch", "none"), ("in_batch", "accidental"),
    ("in_batch", "known"), ("sampled", "none"), ("sampled", "accidental"), ("sampled", "known"),
]  # fmt: skip


@pytest.mark.parametrize(("softmax", "mask"), MASKS)
def test_a_steps_loss_by_loops(softmax, mask):
    """History, unit length, temperature, prior, masks: one batch's loss from the definition."""
    data = rated()
    model = fitted(
        "unit length", softmax=softmax, mask=mask, samples=8, prior="popularity", query=(History(dropout=0),)
    )
    run = model._fitted.run
    batch = next(iter(run.batches.epoch(0)))
    got = float(
        step.batch_loss(run.settings, run.mesh, towers=run.towers, features=run.features, batch=batch).loss
    )

    towers = jax.tree.map(np.asarray, run.towers)
    queries = trained_queries(model)  # unit length over the temperature
    rows = np.arange(len(batch.log_weight)) if batch.candidate_rows is None else batch.candidate_rows
    log_weight, at_slot = batch.log_weight, batch.positive_slot
    if softmax == "sampled":  # its slots are rows: the catalogue after the draws, in no denominator
        at_slot = len(rows) + at_slot
        rows = np.append(rows, np.arange(len(data.items)))
        log_weight = np.pad(log_weight, (0, len(data.items)), constant_values=-np.inf)
    slots = len(rows)
    vectors = towers.candidate.tables["item_id"][rows]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    had = {u: set(data.item[data.user == u].tolist()) for u in range(N_USERS)}
    want = 0.0
    for q, slot, weight in zip(batch.positive_query, at_slot, batch.positive_weight, strict=True):
        if weight == 0:
            continue
        user = int(batch.query_rows[q])
        score = vectors @ queries[user] + towers.bias[rows]
        mass = np.exp(score + log_weight)
        if mask == "known":
            mass[[c for c in range(slots) if rows[c] in had[user] and mass[c] > 0]] = 0
        if mask == "accidental":
            mass[rows == rows[slot]] = 0
        if mask != "none" or softmax == "sampled":
            mass[slot] += np.exp(score[slot])
        want += np.log(mass.sum()) - score[slot]
    assert got == pytest.approx(want, rel=2e-4)
    assert want > 10


@pytest.mark.parametrize("softmax", ["in_batch", "sampled"])
def test_masked_items_are_not_pushed_away_from_a_history(softmax):
    """The effect: no gradient reaches the candidate vectors of what the batch's only user has had."""
    data = rated()
    model = fitted("history", softmax=softmax, samples=15, mask="known")
    run, user = model._fitted.run, 3
    batches = run.batches
    batch = knowing(batches._build(batches._rows_of(np.array([user])), 0, 0))
    one = int(batch.positive_slot[0])
    batch = batch._replace(positive_weight=(np.arange(len(batch.positive_weight)) == 0).astype(np.float32))

    def loss(towers, settings, batch):
        return step.batch_loss(settings, run.mesh, towers=towers, features=run.features, batch=batch).loss

    grad = jax.grad(loss)(run.towers, run.settings, batch).candidate.tables["item_id"]
    moved = np.flatnonzero(np.abs(np.asarray(grad)).max(axis=1) > 1e-7)
    own = one if softmax == "sampled" else int(some(batch.candidate_rows)[one])
    others = set(data.item[data.user == user].tolist()) - {own}
    assert len(others) > 3
    assert not others & set(moved.tolist())
    if softmax == "sampled":
        assert own in moved
    bare = batch._replace(known_query=None, known_slot=None)
    grad = jax.grad(loss)(run.towers, replace(run.settings, mask="none"), bare).candidate.tables["item_id"]
    assert others & set(np.flatnonzero(np.abs(np.asarray(grad)).max(axis=1) > 1e-7).tolist())


# Fitting.


def fit_with(seed, dropout, epochs=3):
    model = TwoTower(
        [History(dropout=dropout)], [butaca.Id("item_id")], dim=6, seed=seed, unit=True, temperature=0.25,
        start="spectral", prior="popularity",
    )  # fmt: skip
    model.fit(rated(), epochs=epochs, batch_size=1000, optimizer=GENTLE)
    return model.item_vectors


def test_same_seed_same_bits_with_dropout_other_seed_other_bits():
    first = fit_with(1, 0.5)
    np.testing.assert_array_equal(first, fit_with(1, 0.5))
    assert not np.array_equal(first, fit_with(2, 0.5))


def test_without_dropout_a_single_batch_is_the_same_for_every_seed():
    """Spectral start, whole users, one step an epoch: all that a seed could change is the start's noise."""
    first, other = fit_with(1, 0.0), fit_with(2, 0.0)
    np.testing.assert_array_equal(first, fit_with(1, 0.0))
    differ = np.abs(first @ first.T - other @ other.T).max()
    dropped = np.abs(fit_with(1, 0.5) @ fit_with(1, 0.5).T - fit_with(2, 0.5) @ fit_with(2, 0.5).T).max()
    assert differ < 0.2 * dropped


def test_items_that_share_a_title_share_a_history_row():
    model = TwoTower([History()], [butaca.Id("title")], dim=4)
    model.fit(rated(), epochs=2, batch_size=100)
    assert model.n_items == N_ITEMS // 2
    assert some(model.query_tower.history).table.shape == (N_ITEMS // 2, 4)
    assert int(model.seen.items.max()) < N_ITEMS // 2
    assert np.isfinite(model.score(np.arange(N_USERS, dtype=np.int32))).all()


def test_lazily_built_vectors_are_the_same_from_every_thread():
    model = TwoTower([History()], [butaca.Id("item_id")], dim=6, spectral=CLOSED)
    model.fit(rated(), epochs=2, batch_size=100)
    users, answers = np.arange(N_USERS, dtype=np.int32), []
    threads = [threading.Thread(target=lambda: answers.append(model.score(users))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])


@pytest.mark.parametrize("dropout", [1.0, 1.5, -0.1, float("nan"), float("inf")])
def test_dropout_is_checked(dropout):
    with pytest.raises((FeatureError, SettingError), match=r"Try 0\.5|dropout is a number"):
        History(dropout=dropout)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_is_checked(temperature):
    with pytest.raises(SettingError, match=r"A temperature is above 0|temperature is a number"):
        TwoTower([History()], temperature=temperature)


def test_a_history_belongs_to_the_query_tower():
    with pytest.raises(SettingError, match="Move it to query"):
        TwoTower([History()], [History("item_id")])


# The prior.


def test_prior_by_hand():
    # Items had 3, 1 and 0 times: (3.5, 1.5, 0.5), mean 11/6.
    data = rated().take(np.array([], dtype=np.int64))
    names = Vocabulary.of(["a", "b", "c"])
    data = Dataset(
        Entities("u", Vocabulary.of(["x"])), Entities("i", names), np.zeros(4, np.int32),
        np.array([0, 0, 1, 0], np.int32), None, np.array([100, 0, 100, 50]),
    )  # fmt: skip
    want = np.log(np.array([3.5, 1.5, 0.5]) / (5.5 / 3))
    np.testing.assert_allclose(some(item_prior(data, "popularity", power=1.0)), want, rtol=1e-6)
    np.testing.assert_allclose(some(item_prior(data, "popularity", power=0.5)), want / 2, rtol=1e-6)
    assert item_prior(data, "none", power=1.0) is None
    # Recent: a half-life of 10 of the 100 seconds. Item 0: 1 + 2**-5 + 2**-10; item 1: 1.
    counts = np.array([1 + 2**-5 + 2**-10, 1.0, 0.0]) + 0.5
    recent = some(item_prior(data, "recent", power=1.0, half_life=0.1))
    np.testing.assert_allclose(recent, np.log(counts / counts.mean()), rtol=1e-6)
    untimed = replace(data, timestamp=None)
    np.testing.assert_allclose(some(item_prior(untimed, "recent", power=1.0)), want, rtol=1e-6)
    same = replace(data, timestamp=np.full(4, 7))
    np.testing.assert_allclose(some(item_prior(same, "recent", power=1.0)), want, rtol=1e-6)


def test_without_training_history_a_prior_starts_where_it_says():
    """A learning rate of 0 leaves the bias at its start."""
    model = TwoTower([History()], [butaca.Id("item_id")], dim=4, prior="popularity", prior_power=0.5)
    model.fit(rated(), epochs=1, optimizer=optax.sgd(0.0))
    want = some(item_prior(rated(), "popularity", power=0.5))
    np.testing.assert_allclose(some(model.item_bias), want, rtol=1e-6)


def test_batches_hold_whole_users_and_their_histories():
    model = fitted("history")
    plan = model._fitted.run.batches.plan
    assert plan.by == "user"
    assert isinstance(plan, BatchPlan)
    assert isinstance(model._fitted.run.batches, Batches)
    assert isinstance(model._fitted.run.batches.histories, UserRows)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"softmax": "bogus"}, "softmax is one of auto, in_batch, full, sampled"),
        ({"prior": "bogus"}, "prior is one of none, popularity, recent"),
        ({"start": "bogus"}, "start is one of"),
        ({"temperature": float("inf")}, "above 0 and finite"),
        ({"prior_power": float("nan")}, "prior_power is a number"),
        ({"seed": -1}, "seed is 0 or more"),
        ({"query": (History(), History("item_id"))}, "reads one history"),
    ],
)
def test_settings_that_would_train_nonsense_are_refused(settings, said):
    with pytest.raises(butaca.ButacaError, match=said):
        TwoTower(**({"query": (History(),), "candidate": (butaca.Id("item_id"),)} | settings))


def test_a_history_of_something_else_is_refused():
    model = TwoTower([History("nope")], [butaca.Id("item_id")], dim=4)
    with pytest.raises(butaca.ButacaError, match="by their id column"):
        model.fit(rated(), epochs=1)


def test_remembering_moves_the_vectors_and_what_is_seen():
    model = fitted("unit") if "unit" in VARIANTS else fitted(next(iter(VARIANTS)))
    before, data = model.user_vectors.copy(), rated()
    model.remember(data.take(np.flatnonzero(data.user != data.user[0])))
    assert model.seen.lengths[data.user[0]] == 0
    assert not np.array_equal(model.user_vectors[data.user[0]], before[data.user[0]])
    model.remember(data)
    np.testing.assert_array_equal(model.user_vectors, before)
