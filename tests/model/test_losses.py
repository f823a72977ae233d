"""The softmax over unique rows against the plain matrix of pairs, value and gradient, in float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.model.losses import Known, Positives, l2_penalty, softmax_loss

USERS, ITEMS, PAIRS, DIM = 4, 5, 12, 3  # fixed shapes, so that JAX compiles once


@functools.partial(jax.jit, static_argnames="full")
def plain(q, c, user, item, gone, full):
    """TFRS's matrix: a row per pair, a column per pair (or per item), `gone` entries at -inf."""
    logits = q[user] @ (c if full else c[item]).T  # [B, B] or [B, N]
    own = (q[user] * c[item]).sum(axis=1)
    return jnp.sum(jax.nn.logsumexp(jnp.where(gone, -jnp.inf, logits), axis=1) - own)


def removed(user, item, mask, had, full):
    """What a mask removes from that matrix: never the positive itself."""
    columns = np.arange(ITEMS) if full else item
    gone = np.zeros((len(user), len(columns)), dtype=bool)
    for row in range(len(user)):
        for column, other in enumerate(columns):
            itself = other == item[row] if full else row == column
            if itself or mask == "none":
                continue
            gone[row, column] = other == item[row] or (mask == "known" and other in had[user[row]])
    return gone


@functools.partial(jax.jit, static_argnames="mask")
def compact(q, c, queries, items, log_weight, positives, known, mask):
    return softmax_loss(
        q[queries], c[items], log_weight=log_weight, positives=positives, known=known, mask=mask
    )


def unique_rows(user, item, mask, had, full, dtype):
    """The arguments of `compact` after q and c: unique rows, padded to fixed shapes."""
    queries, query = np.unique(user, return_inverse=True)
    if full:
        items, slot, log_weight = np.arange(ITEMS), item, np.zeros(ITEMS)
    else:
        items, slot, counts = np.unique(item, return_inverse=True, return_counts=True)
        log_weight = np.full(ITEMS, -np.inf)
        log_weight[: len(items)] = np.log(counts)
    known = None
    if mask == "known":
        pairs = [(i, j) for i, u in enumerate(queries) for j, n in enumerate(items) if n in had[u]]
        pairs += [(0, ITEMS)] * (USERS * ITEMS - len(pairs))  # padding
        known = Known(*(jnp.array(x, dtype=np.int32) for x in zip(*pairs, strict=True)))
    return (
        np.pad(queries, (0, USERS - len(queries))),
        np.pad(items, (0, ITEMS - len(items))),
        log_weight.astype(dtype),
        Positives(jnp.asarray(query), jnp.asarray(slot), jnp.ones(PAIRS, dtype=dtype)),
        known,
        mask,
    )


@st.composite
def batches(draw):
    """Random pairs with many duplicates, and known items that include them."""
    user = np.array(draw(st.lists(st.integers(0, USERS - 1), min_size=PAIRS, max_size=PAIRS)))
    item = np.array(draw(st.lists(st.integers(0, ITEMS - 1), min_size=PAIRS, max_size=PAIRS)))
    had = {u: set(item[user == u].tolist()) for u in range(USERS)}
    for u in range(USERS):
        had[u] |= set(draw(st.lists(st.integers(0, ITEMS - 1), max_size=2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    scale = draw(st.sampled_from([0.1, 1.0, 3.0]))
    return rng.normal(size=(USERS, DIM)) * scale, rng.normal(size=(ITEMS, DIM)) * scale, user, item, had


plain_grad = jax.jit(jax.value_and_grad(plain, argnums=(0, 1)), static_argnames="full")
compact_grad = jax.jit(jax.value_and_grad(compact, argnums=(0, 1)), static_argnames="mask")


@pytest.mark.parametrize("full", [False, True], ids=["in-batch", "full"])
@pytest.mark.parametrize("mask", ["none", "accidental", "known"])
@settings(max_examples=60, deadline=None)
@given(batches())
def test_equals_the_plain_matrix_in_value_and_gradient(mask, full, batch):
    q, c, user, item, had = batch
    gone = removed(user, item, mask, had, full)
    with jax.enable_x64(True):
        q, c = jnp.asarray(q), jnp.asarray(c)
        assert q.dtype == np.float64
        want, want_grad = plain_grad(q, c, user, item, gone, full=full)
        *arguments, mask = unique_rows(user, item, mask, had, full, np.float64)
        got, got_grad = compact_grad(q, c, *arguments, mask=mask)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-10)
    for g, w in zip(got_grad, want_grad, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("mask", ["none", "accidental", "known"])
@settings(max_examples=40, deadline=None)
@given(batches())
def test_float32_follows_float64(mask, batch):
    q, c, user, item, had = batch
    with jax.enable_x64(True):
        gone = removed(user, item, mask, had, False)
        want = plain(jnp.asarray(q), jnp.asarray(c), user, item, gone, full=False)
    *arguments, mask = unique_rows(user, item, mask, had, False, np.float32)
    got = compact(q.astype(np.float32), c.astype(np.float32), *arguments, mask=mask)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_worked_by_hand():
    # One user with scores 0 (item 0, twice in the batch) and log 3 (item 1, once).
    # Columns of the pair matrix: 1, 1, 3 after exp, sum 5; loss = 2 log(5/1) + log(5/3).
    q, c = jnp.array([[1.0]]), jnp.array([[0.0], [np.log(3.0)]])
    positives = Positives(jnp.array([0, 0, 0]), jnp.array([0, 0, 1]), jnp.ones(3))
    loss = softmax_loss(q, c, log_weight=jnp.log(jnp.array([2.0, 1.0])), positives=positives)
    assert float(loss) == pytest.approx(2 * np.log(5) + np.log(5 / 3), rel=1e-6)


def test_an_accidental_hit_has_no_probability_left():
    """The effect: with the mask, a second copy of the positive's item takes nothing from it."""
    q, c = jnp.array([[1.0]]), jnp.array([[2.0], [-30.0]])
    positives = Positives(jnp.array([0, 0]), jnp.array([0, 0]), jnp.ones(2))
    log_weight = jnp.log(jnp.array([2.0, 1.0]))
    masked = softmax_loss(q, c, log_weight=log_weight, positives=positives, mask="accidental") / 2
    assert 1 - np.exp(-float(masked)) < 1e-6  # each positive has all the probability
    plain = softmax_loss(q, c, log_weight=log_weight, positives=positives) / 2
    assert np.exp(-float(plain)) == pytest.approx(0.5)  # without the mask its copy has half


def test_a_known_item_is_not_pushed_away():
    """No gradient reaches a candidate that the user is known to have had."""
    q, c = jnp.array([[1.0, 0.5]]), jnp.array([[0.3, 0.1], [0.2, 0.9], [0.5, -0.4]])
    positives = Positives(jnp.array([0]), jnp.array([0]), jnp.ones(1))
    known = Known(jnp.array([0, 0]), jnp.array([0, 1]))

    def loss(c):
        return softmax_loss(q, c, log_weight=jnp.zeros(3), positives=positives, known=known, mask="known")

    grad = np.asarray(jax.grad(loss)(c))
    assert np.abs(grad[1]).max() == 0.0
    assert np.abs(grad[2]).max() > 0.1
    assert np.abs(grad[0]).max() > 0.1


def test_all_candidates_masked_leaves_the_positive_alone():
    q, c = jnp.array([[1.0]]), jnp.array([[0.5]])
    positives = Positives(jnp.array([0]), jnp.array([0]), jnp.ones(1))
    known = Known(jnp.array([0]), jnp.array([0]))
    loss, grad = jax.value_and_grad(
        lambda q: softmax_loss(q, c, log_weight=jnp.zeros(1), positives=positives, known=known, mask="known")
    )(q)
    assert float(loss) == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(np.asarray(grad)).all()


@pytest.mark.parametrize("mask", ["none", "accidental", "known"])
def test_large_scores_do_not_overflow(mask):
    q, c = jnp.array([[30.0]]), jnp.array([[10.0], [-10.0], [9.0]])  # scores 300, -300, 270
    positives = Positives(jnp.array([0, 0]), jnp.array([0, 1]), jnp.ones(2))
    known = Known(jnp.array([0, 0]), jnp.array([0, 1])) if mask == "known" else None
    loss, grad = jax.value_and_grad(
        lambda q: softmax_loss(q, c, log_weight=jnp.zeros(3), positives=positives, known=known, mask=mask)
    )(q)
    # Positive 0 costs nothing; positive 1 at -300 loses to 300, or to 270 where 0 is masked.
    assert float(loss) == pytest.approx(570.0 if mask == "known" else 600.0, rel=1e-6)
    assert np.isfinite(np.asarray(grad)).all()


def test_padding_changes_nothing():
    rng = np.random.default_rng(0)
    q, c = jnp.asarray(rng.normal(size=(3, 2))), jnp.asarray(rng.normal(size=(4, 2)))
    positives = Positives(jnp.array([0, 1, 1]), jnp.array([2, 0, 3]), jnp.ones(3))
    want = softmax_loss(q, c, log_weight=jnp.zeros(4), positives=positives)
    padded = Positives(
        jnp.array([0, 1, 1, 0, 0]), jnp.array([2, 0, 3, 0, 0]), jnp.array([1.0, 1.0, 1.0, 0.0, 0.0])
    )
    c_more, a_more = jnp.concatenate([c, 100 * c[:2]]), jnp.array([0, 0, 0, 0, -jnp.inf, -jnp.inf])
    got = softmax_loss(jnp.concatenate([q, q[:1]]), c_more, log_weight=a_more, positives=padded)
    assert float(got) == pytest.approx(float(want), rel=1e-6)


def test_bias_is_a_term_of_the_candidate():
    """A bias equals one more dimension in which every query is 1; gradient too."""
    rng = np.random.default_rng(1)
    q, c = jnp.asarray(rng.normal(size=(2, 2))), jnp.asarray(rng.normal(size=(3, 2)))
    bias = jnp.asarray(rng.normal(size=3))
    positives = Positives(jnp.array([0, 1]), jnp.array([1, 2]), jnp.ones(2))
    loss, grad = jax.value_and_grad(
        lambda b: softmax_loss(q, c, log_weight=jnp.zeros(3), positives=positives, bias=b)
    )(bias)
    wide_q = jnp.concatenate([q, jnp.ones((2, 1))], axis=1)
    want, want_grad = jax.value_and_grad(
        lambda b: softmax_loss(
            wide_q, jnp.concatenate([c, b[:, None]], axis=1), log_weight=jnp.zeros(3), positives=positives
        )
    )(bias)
    np.testing.assert_allclose([loss, *grad], [want, *want_grad], rtol=1e-5)


def test_sampled_softmax_estimates_the_full_one():
    """With logQ, E[denominator] is the full denominator, for any proposal (here a skewed one)."""
    rng = np.random.default_rng(3)
    n, draws = 40, 25
    scores = rng.normal(size=n)
    p = rng.dirichlet(np.ones(n) * 0.7) * 0.9 + 0.1 / n
    q, positive = jnp.array([[1.0]]), 5
    full = np.exp(scores).sum()
    sums = []

    @jax.jit
    def loss_of(vectors, weight, at):
        positives = Positives(jnp.array([0]), at[None], jnp.ones(1))
        return softmax_loss(
            q, vectors, log_weight=weight, positives=positives, mask="accidental", add_positive=True
        )

    for _ in range(400):
        drawn, times = np.unique(rng.choice(n, draws, p=p), return_counts=True)
        weight = np.log(times) - np.log(draws * p[drawn])  # logQ
        found = np.flatnonzero(drawn == positive)
        at = int(found[0]) if len(found) else draws  # beyond the draws: a slot that only holds the positive
        room = draws - len(drawn)
        vectors = np.append(np.pad(scores[drawn], (0, room)), scores[positive]).astype(np.float32)[:, None]
        weight = np.pad(weight, (0, room), constant_values=-np.inf).astype(np.float32)
        loss = loss_of(vectors, weight, jnp.int32(at))
        sums.append(np.exp(float(loss) + scores[positive]))
    error = np.std(sums) / np.sqrt(len(sums))
    assert abs(np.mean(sums) - full) < 4 * error
    assert error < 0.05 * full  # the test can tell: an uncorrected sum would be 25/40 of it


@pytest.mark.parametrize("mask", ["none", "accidental", "known"])
def test_positives_beside_the_candidates_by_the_definition(mask):
    """Slots beyond the log-weights hold positives alone: value and gradient, in float64."""
    rng = np.random.default_rng(7)
    queries, candidates, prior = rng.normal(size=(3, 2)), rng.normal(size=(6, 2)) * 2, rng.normal(size=6)
    candidates[5] *= 40  # a positive far above every candidate
    a = np.append(rng.normal(size=3), -np.inf)  # slots 0 to 3, the last padded; 4 and 5 hold positives
    query, slot, weight = np.array([0, 0, 1, 2, 2]), np.array([4, 1, 5, 0, 4]), np.array([1, 1, 2, 1, 0.0])
    known = Known(jnp.array([0, 0, 2, 1]), jnp.array([1, 4, 0, 6])) if mask == "known" else None
    gone = {(0, 1), (2, 0)} if mask == "known" else set()

    def want(q, c, bias):
        total = 0.0
        for i, s, w in zip(query, slot, weight, strict=True):
            terms = [
                q[i] @ c[j] + bias[j] + a[j]
                for j in range(3)
                if (i, j) not in gone and not (mask == "accidental" and j == s)
            ]
            own = q[i] @ c[s] + bias[s]
            total += w * (jax.nn.logsumexp(jnp.stack([*terms, own])) - own)
        return total

    with jax.enable_x64(True):
        q, c, bias = jnp.asarray(queries), jnp.asarray(candidates), jnp.asarray(prior)
        positives = Positives(jnp.asarray(query), jnp.asarray(slot), jnp.asarray(weight))

        def got(q, c, bias):
            return softmax_loss(
                q,
                c,
                log_weight=jnp.asarray(a),
                positives=positives,
                known=known,
                bias=bias,
                mask=mask,
                add_positive=mask == "none",
            )

        value, grads = jax.value_and_grad(got, argnums=(0, 1, 2))(q, c, bias)
        wanted, wanted_grads = jax.value_and_grad(want, argnums=(0, 1, 2))(q, c, bias)
    assert float(value) == pytest.approx(float(wanted), rel=1e-6)
    for g, w in zip(grads, wanted_grads, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-9)


def test_l2_penalty_by_hand():
    # |q|^2 = 5, |c1|^2 = 4 twice, |c0|^2 = 1 once: 0.5 * ((5 + 4) * 2 + (5 + 1)) = 12
    positives = Positives(jnp.array([0, 0, 0]), jnp.array([1, 1, 0]), jnp.ones(3))
    penalty = l2_penalty(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 1.0], [2.0, 0.0]]), positives=positives)
    assert float(penalty) == pytest.approx(12.0)


def test_known_pairs_and_their_mask_go_together():
    positives = Positives(jnp.array([0]), jnp.array([0]), jnp.ones(1))
    with pytest.raises(TypeError, match="go together"):
        softmax_loss(
            jnp.ones((1, 1)), jnp.ones((1, 1)), log_weight=jnp.zeros(1), positives=positives, mask="known"
        )


@pytest.mark.parametrize("mask", ["none", "accidental", "known"])
@pytest.mark.parametrize("above", [50.0, 88.0, 120.0, 1000.0])
def test_a_positive_far_above_all_candidates_keeps_the_others_finite(mask, above):
    """Float32: what one positive scores is in no other's denominator, nor in its gradient."""
    candidates = jnp.array([[0.1], [-0.2], [0.3], [above], [0.0], [-above]])
    weight = jnp.zeros(3)
    positives = Positives(jnp.zeros(4, jnp.int32), jnp.array([3, 4, 5, 3]), jnp.array([1.0, 1.0, 1.0, 0.0]))
    known = Known(jnp.array([0]), jnp.array([9])) if mask == "known" else None

    def loss(q, c):
        return softmax_loss(
            q, c, log_weight=weight, positives=positives, known=known, mask=mask, add_positive=mask == "none"
        )

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(jnp.ones((1, 1)), candidates)
    draws = np.exp([0.1, -0.2, 0.3])
    wanted = np.log(draws.sum() + 1.0) + np.log(draws.sum()) + above  # the highest adds nothing
    assert float(value) == pytest.approx(wanted, rel=1e-5)
    pushed = draws / (draws.sum() + 1.0) + draws / draws.sum()
    np.testing.assert_allclose(grads[1][:3, 0], pushed, rtol=1e-5)
    np.testing.assert_allclose(grads[1][3:, 0], [0.0, -draws.sum() / (draws.sum() + 1.0), -1.0], atol=1e-5)
    assert np.isfinite(grads[0]).all()


def test_where_every_candidate_is_masked_nothing_moves():
    """A user who has had all that was drawn, with a positive far below zero: no loss, no gradient, no NaN."""
    candidates = jnp.array([[3.0], [1.0], [-200.0]])
    positives = Positives(jnp.array([0]), jnp.array([2]), jnp.ones(1))
    known = Known(jnp.array([0, 0]), jnp.array([0, 1]))

    def loss(q, c):
        return softmax_loss(q, c, log_weight=jnp.zeros(2), positives=positives, known=known, mask="known")

    value, grads = jax.value_and_grad(loss, argnums=(0, 1))(jnp.ones((1, 1)), candidates)
    assert float(value) == 0.0
    assert all((np.asarray(g) == 0).all() for g in grads)
