"""Rows of a table added to other rows: beside numpy, by machine code and by XLA, in value and gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.model import kernels
from butaca.model.kernels import native_kernels
from butaca.model.rows import add_rows

DIM = 32


@pytest.fixture(params=["xla", "native"])
def how(request, monkeypatch):
    """Which of the two runs."""
    monkeypatch.setattr(kernels, "NATIVE_PAIRS", 0 if request.param == "native" else 1 << 60)
    if request.param == "native" and native_kernels(DIM) is None:
        pytest.skip("no machine code for this processor")
    return request.param


def test_worked_by_hand(how):
    table = jnp.arange(2.0)[:, None] + jnp.ones((2, DIM))  # rows of 1 and of 2
    start = jnp.zeros((3, DIM)).at[1].set(10.0)
    to, source = jnp.array([1, 0, 1, 2]), jnp.array([0, 1, 1, 0])
    got = add_rows(start, to, source, jnp.array([3.0, -1.0, 0.5, 0.0]), table)
    np.testing.assert_array_equal(got[:, 0], [-2.0, 10 + 3 + 1, 0.0])
    np.testing.assert_array_equal(got, jnp.broadcast_to(got[:, :1], got.shape))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([1, 5, 300]),
    st.sampled_from([1, 7, 90]),
    st.sampled_from([0, 1, 500]),
)
def test_equals_numpy(seed, n_rows, n_table, n_pairs):
    rng = np.random.default_rng(seed)
    start, table = (rng.normal(size=(n, DIM)).astype(np.float32) for n in (n_rows, n_table))
    to, source = (rng.integers(0, n, n_pairs).astype(np.int32) for n in (n_rows, n_table))
    weight = (rng.normal(size=n_pairs) * rng.integers(0, 2, n_pairs)).astype(np.float32)
    want = start.astype(np.float64)
    np.add.at(want, to, weight[:, None] * table[source].astype(np.float64))
    for pairs in (0, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels, "NATIVE_PAIRS", pairs)
            got = add_rows(*map(jnp.asarray, (start, to, source, weight, table)))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


def test_gradient_is_that_of_a_gather_and_a_scatter(how):
    rng = np.random.default_rng(0)
    start, table = (jnp.asarray(rng.normal(size=(n, DIM)), jnp.float32) for n in (6, 9))
    to, source = jnp.asarray(rng.integers(0, 6, 40)), jnp.asarray(rng.integers(0, 9, 40))
    weight, at = (
        jnp.asarray(rng.normal(size=40), jnp.float32),
        jnp.asarray(rng.normal(size=(6, DIM)), jnp.float32),
    )

    def ours(start, weight, table):
        return jnp.sum(at * add_rows(start, to, source, weight, table))

    def plainly(start, weight, table):
        return jnp.sum(at * start.at[to].add(weight[:, None] * table[source]))

    got, want = (jax.jit(jax.grad(f, (0, 1, 2)))(start, weight, table) for f in (ours, plainly))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-5)


def test_what_it_is_given_stays_as_it_was(how):
    """The result may take the place of the rows, where nobody else reads them."""
    start = jnp.ones((4, DIM))
    one = jnp.zeros(1, jnp.int32)
    twice = jax.jit(lambda x: (add_rows(x, one, one, jnp.ones(1), x), x))
    got, kept = twice(start)
    np.testing.assert_array_equal(kept, np.ones((4, DIM)))
    np.testing.assert_array_equal(start, np.ones((4, DIM)))
    np.testing.assert_array_equal(got[:, 0], [2, 1, 1, 1])


def test_what_lies_beyond_the_last_row_is_as_in_jax(how):
    """Nothing is read or written where no row is."""
    table = jnp.arange(1.0, 4.0)[:, None] * jnp.ones((3, DIM))
    to, source = jnp.array([0, 1, 2, 4]), jnp.array([3, 10**9, 1, 0])
    got = add_rows(jnp.zeros((3, DIM)), to, source, jnp.ones(4), table)
    np.testing.assert_array_equal(got[:, 0], [3.0, 3.0, 2.0])


@pytest.mark.parametrize("other", range(3), ids=["rows", "weight", "table"])
def test_other_precisions_are_xlas(how, other):
    some = [jnp.ones((3, DIM)), jnp.full(4, 0.5), jnp.arange(3.0)[:, None] * jnp.ones((3, DIM))]
    some[other] = some[other].astype(jnp.bfloat16)
    to = jnp.array([0, 1, 2, 2])

    def total(start, weight, table):
        return add_rows(start, to, to, weight, table).astype(jnp.float32)[:, 0]

    np.testing.assert_array_equal(total(*some), [1.0, 1.5, 3.0])
    grads = jax.grad(lambda *x: total(*x).sum(), (0, 1, 2))(*some)
    np.testing.assert_array_equal(grads[2][:, 0], [0.5, 0.5, 1.0])
    np.testing.assert_array_equal(grads[1], [0.0, 1.0, 2.0, 2.0])


def test_few_pairs_and_other_sizes_are_xlas(monkeypatch):
    called: list[int] = []

    def noted(dim):
        called.append(dim)
        return native_kernels(dim)

    monkeypatch.setattr(kernels, "native_kernels", noted)
    one, two = jnp.zeros(1, jnp.int32), jnp.zeros(1 << 14, jnp.int32)

    def text(dim, at):
        table = jnp.ones((2, dim))
        return jax.jit(lambda x: add_rows(x, at, at, jnp.ones(len(at)), x)).lower(table).as_text()

    assert "_rows" not in text(DIM, one)
    assert called == []
    assert ("butaca_" in text(DIM, two)) == (native_kernels(DIM) is not None)
    assert "butaca_" not in text(20, two)  # not a whole number of vectors
