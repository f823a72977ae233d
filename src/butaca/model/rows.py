"""This module adds weighted rows of a table to other rows, by pairs: histories, a softmax's positives.

In JAX that is a gather, a product and a scatter, each a pass over [P, d] numbers in memory. On CPUs machine
code adds a row at a time instead, where there are pairs enough (kernels.py decides).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from butaca.model.kernels import rows_kernels


@jax.custom_vjp
def add_rows(rows: Array, to: Array, source: Array, weight: Array, table: Array) -> Array:
    """Returns the rows, with weight[p] table[source[p]] added to row to[p] for each pair p, [n, d].

    Differentiable in rows, weight and table.

    Args:
        rows: [n, d].
        to: row of each pair [P], in range.
        source: row of the table of each pair [P], in range.
        weight: of each pair [P].
        table: [m, d].
    """
    kernels = rows_kernels(len(to), rows, weight, table)
    if kernels is not None:
        return kernels.add_rows(rows, to, source, weight, table)
    return rows.at[to].add((weight[:, None] * table[source]).astype(rows.dtype))


def _forward(
    rows: Array, to: Array, source: Array, weight: Array, table: Array
) -> tuple[Array, tuple[Any, ...]]:
    return add_rows(rows, to, source, weight, table), (to, source, weight, table)


def _backward(residuals: tuple[Any, ...], g: Array) -> tuple[Any, ...]:
    to, source, weight, table = residuals
    d_weight = jnp.sum(g[to] * table[source], axis=1).astype(weight.dtype)
    return g, None, None, d_weight, add_rows(jnp.zeros_like(table), source, to, weight, g)


add_rows.defvjp(_forward, _backward)
