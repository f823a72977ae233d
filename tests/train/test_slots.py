"""Where a sampled softmax's candidates and positives lie on a device."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.train.slots import slots_of
from tests.support.narrow import some


def test_by_hand():
    """Rows 0 to 5 of a device; 4 and 1 were drawn, one slot is padding; 2 and 5 are positives alone."""
    drawn, counts = jnp.array([1, 4, 0]), jnp.array([True, True, False])
    positive = jnp.array([5, 4, 2, 9, 5, -3])  # 9 and -3 are other devices'
    known = jnp.array([1, 2, 4, 0, 17])
    found = slots_of(drawn, counts, positive=positive, known=known, n_rows=6)
    assert found.rows.tolist() == [1, 4, 0, 2, 5, 0, 0, 0, 0]
    assert found.positive.tolist() == [4, 1, 3, -1, 4, -1]
    assert some(found.known).tolist() == [0, -1, 1, -1, -1]  # only what was drawn is in a denominator
    assert slots_of(drawn, counts, positive=positive, known=None, n_rows=6).known is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_every_item_of_this_device_finds_its_row(seed):
    rng = np.random.default_rng(seed)
    n_rows = 12
    drawn = rng.permutation(n_rows)[: rng.integers(0, 8)]
    slots = np.zeros(8, dtype=np.int32)
    slots[: len(drawn)] = drawn
    positive = rng.integers(-20, 40, 30)
    found = slots_of(
        jnp.array(slots), jnp.arange(8) < len(drawn), positive=jnp.array(positive), known=None, n_rows=n_rows
    )
    inside = (positive >= 0) & (positive < n_rows)
    at = np.asarray(found.positive)
    assert (at[~inside] == -1).all()
    np.testing.assert_array_equal(np.asarray(found.rows)[at[inside]], positive[inside])
    is_drawn = np.isin(positive[inside], drawn)
    assert ((at[inside] < 8) == is_drawn).all()  # a draw's own slot, for what is drawn
    assert (at[inside] < len(drawn))[is_drawn].all()
