"""The tiled softmax against the held one and against numbers worked by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.model import kernels, losses, tiles
from butaca.model.kernels import native_kernels
from butaca.model.losses import Positives, softmax_loss
from butaca.model.tiles import tiled_softmax
from tests.support.narrow import some

QUERIES, SLOTS, PAIRS, DIM = 5, 150, 24, 3  # three tiles of 64, the last partly padding


def held(queries, candidates, added, query, slot, weight):
    """The same by the matrix of queries by candidates."""
    logits = queries @ candidates.T + added
    log_sum = jax.nn.logsumexp(logits, axis=1)
    return jnp.sum(weight * (log_sum[query] - logits[query, slot]))


held_grad = jax.jit(jax.value_and_grad(held, (0, 1, 2)))


tiled_grad: Any = jax.jit(jax.value_and_grad(lambda *x: tiled_softmax(None, *x), (0, 1, 2)))


@pytest.fixture(params=["xla", "native"])
def passes(request, monkeypatch):
    """Which of the two passes runs; nothing compiled with the other is used."""
    tiled_grad.clear_cache()
    if request.param == "xla":
        monkeypatch.setattr(kernels, "native_kernels", lambda dim: None)
    elif native_kernels(DIM) is None:
        pytest.skip("no machine code for this processor")
    yield
    tiled_grad.clear_cache()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 5.0]), st.integers(0, 100))
def test_equals_the_held_matrix_in_value_and_gradient(seed, scale, padding):
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        queries, candidates = rng.normal(size=(QUERIES, DIM)) * scale, rng.normal(size=(SLOTS, DIM)) * scale
        added = rng.normal(size=SLOTS)
        added[SLOTS - padding :] = -np.inf  # the last tile may be padding alone
        query = rng.integers(0, QUERIES - 1, PAIRS)  # the last query has no positive
        slot = rng.integers(0, SLOTS - padding, PAIRS)
        weight = rng.integers(0, 3, PAIRS).astype(np.float64)
        arguments = tuple(map(jnp.asarray, (queries, candidates, added, query, slot, weight)))
        want, want_grad = held_grad(*arguments)
        got, got_grad = tiled_grad(*arguments)
    np.testing.assert_allclose(got, want, rtol=1e-10)
    for g, w in zip(got_grad, want_grad, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-8, atol=1e-10)


def test_worked_by_hand(passes):
    # Scores 0, log 3 and, beside 64 padded slots, log 4: a sum of 8. One positive, twice, with score log 3.
    candidates = jnp.zeros((67, 1)).at[1, 0].set(np.log(3.0)).at[66, 0].set(np.log(4.0))
    added = jnp.full(67, -jnp.inf).at[jnp.array([0, 1, 66])].set(0.0)
    arguments = (jnp.ones((1, 1)), candidates, added, jnp.array([0]), jnp.array([1]), jnp.array([2.0]))
    loss, (d_query, d_candidates, d_added) = tiled_grad(*arguments)
    assert float(loss) == pytest.approx(2 * np.log(8 / 3), rel=1e-6)
    want = np.zeros(67)
    want[[0, 1, 66]] = 2 / 8, 2 * (3 / 8 - 1), 2 * 4 / 8
    np.testing.assert_allclose(d_added, want, atol=1e-6)
    np.testing.assert_allclose(d_candidates[:, 0], want, atol=1e-6)  # the query is 1
    assert float(d_query[0, 0]) == pytest.approx(want[1] * np.log(3) + want[66] * np.log(4), rel=1e-5)


def test_large_scores_do_not_overflow(passes):
    candidates = jnp.array([[500.0], [-500.0], [499.0]])
    arguments = (jnp.ones((1, 1)), candidates, jnp.zeros(3), jnp.array([0]), jnp.array([2]), jnp.ones(1))
    loss, grads = tiled_grad(*arguments)
    assert float(loss) == pytest.approx(1 + np.log1p(np.exp(-1)), rel=1e-6)
    assert all(np.isfinite(g).all() for g in grads)


def test_softmax_loss_tiles_where_the_matrix_is_large(monkeypatch, passes):
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(QUERIES, DIM)), rng.normal(size=(SLOTS, DIM))
    bias = jnp.asarray(rng.normal(size=SLOTS), jnp.float32)
    log_weight = jnp.where(jnp.arange(SLOTS) < 140, 0.0, -jnp.inf)
    of = Positives(
        jnp.asarray(rng.integers(0, QUERIES, PAIRS)),
        jnp.asarray(rng.integers(0, 140, PAIRS)),
        jnp.ones(PAIRS),
    )

    def both(q, c, b):
        return softmax_loss(q, c, log_weight=log_weight, positives=of, bias=b)

    q, c = jnp.asarray(queries, jnp.float32), jnp.asarray(candidates, jnp.float32)
    want, want_grad = jax.value_and_grad(both, (0, 1, 2))(q, c, bias)
    called: list[int] = []

    def noted(*x):
        called.append(1)
        return tiled_softmax(*x)

    monkeypatch.setattr(losses, "HELD_LOGITS", QUERIES * SLOTS - 1)
    monkeypatch.setattr(losses, "tiled_softmax", noted)
    got, got_grad = jax.value_and_grad(both, (0, 1, 2))(q, c, bias)
    assert called
    np.testing.assert_allclose(got, want, rtol=1e-5)
    for g, w in zip(got_grad, want_grad, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)


def test_no_matrix_of_queries_by_candidates_is_held(monkeypatch, passes):
    """What the compiled gradient takes beside its arguments and results stays below one such matrix."""
    monkeypatch.setattr(tiles, "TILE_LOGITS", 1 << 16)
    q, c = jnp.ones((256, 8)), jnp.ones((20_000, 8))
    arguments = (q, c, jnp.zeros(20_000), jnp.zeros(9, jnp.int32), jnp.zeros(9, jnp.int32), jnp.ones(9))

    def taken(f):
        compiled = jax.jit(jax.grad(f, (0, 1))).lower(*arguments).compile()
        return some(compiled.memory_analysis()).temp_size_in_bytes

    matrix = 4 * 256 * 20_000
    assert taken(held) > matrix
    assert taken(lambda *x: tiled_softmax(None, *x)) < matrix / 4
