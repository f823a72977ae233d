"""This module computes the towers: parameters in, vectors out.

A tower is the sum of its features' weighted embeddings, through hidden layers if it has any. It reads
rows of encoded features, so the query tower over all users and the candidate tower over a shard of
the catalogue are the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from butaca.model.features import Encoder
from butaca.model.order.tables import OrderTable
from butaca.types import Floats

Inputs: TypeAlias = Mapping[str, tuple[Array, Array | None]]  # feature -> (codes [n, w], weights [n, w])
#: The same, where None for the codes stands for all rows of the feature's table, in their order.
Rows: TypeAlias = Mapping[str, tuple[Array | None, Array | None]]


class Layer(eqx.Module):
    """A Layer is dense: weight [in, out], bias [out]."""

    weight: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        """Applies the layer: x [n, in] -> [n, out]."""
        return x @ self.weight + self.bias


class HistoryTable(eqx.Module):
    """Holds what a query tower learns of histories.

    Attributes:
        table: a vector of every item as something that was had [rows, d].
        rating: log-weight of each bin of the rating [bins], or None.
        recency: power of the fall with age, a scalar, or None.
    """

    table: Array
    rating: Array | None
    recency: Array | None

    def weights(self, weight: Array, bins: Array | None, *, age: Array | None) -> Array:
        """Returns the weights of history entries [M]: those given, by rating bin and by age in days."""
        if self.rating is not None and bins is not None:
            weight = weight * jnp.exp(self.rating[bins])
        if self.recency is not None and age is not None:
            weight = weight * (1.0 + age) ** -self.recency
        return weight


class Tower(eqx.Module):
    """A Tower holds embedding tables by feature, and hidden layers (none: the plain sum).

    Attributes:
        tables: feature name -> [rows, d].
        layers: applied in order with relu between; the last gives the output dimension.
        history: of a query tower that reads histories.
    """

    tables: dict[str, Array]
    layers: list[Layer]
    history: HistoryTable | OrderTable | None = None

    def __call__(self, inputs: Rows, history: Array | None = None) -> Array:
        """Returns vectors of n rows: encoded features, and the rows' summed histories [n, d] -> [n, d]."""
        return self.deep(self.embed(inputs, history))

    def embed(self, inputs: Rows, history: Array | None = None) -> Array:
        """Returns the sum before any hidden layer, [n, d]."""
        read = [(self.tables[name], *inputs[name]) for name in sorted(self.tables)]
        parts = [lookup(table, codes, weights=weights) for table, codes, weights in read]
        parts += [] if history is None else [history]
        return sum(parts[1:], start=parts[0])

    def deep(self, x: Array) -> Array:
        """Returns the hidden layers, [n, d] -> [n, d]."""
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else jax.nn.relu(x))
        return x


def unit(x: Array) -> Array:
    """Scales rows to length 1; a row of zeros stays one: [n, d] -> [n, d]."""
    return x * jax.lax.rsqrt(jnp.square(x).sum(axis=-1, keepdims=True) + 1e-12)


def lookup(table: Array, codes: Array | None, *, weights: Array | None) -> Array:
    """Sums weighted embedding rows: table [v, d], codes [n, w], weights [n, w] -> [n, d]."""
    of_one = codes is not None and codes.shape[1] == 1
    rows = table if codes is None else table[codes[:, 0] if of_one else codes]  # [n, d] or [n, w, d]
    if weights is None:
        return rows if rows.ndim == 2 else rows.sum(axis=1)
    if rows.ndim == 2:
        return rows * weights
    return jnp.einsum("nwd,nw->nd", rows, weights)


def init_tower(
    encoders: Mapping[str, Encoder], dim: int, *, hidden: Sequence[int], rng: np.random.Generator
) -> dict[str, Any]:
    """Returns starting parameters as numpy arrays: {"tables": {name: [rows, dim]}, "layers": [(w, b), ...]}.

    Embeddings are uniform(-0.05, 0.05), what Keras's Embedding starts from in the notebook; layers
    are Glorot-uniform with zero bias. With hidden layers (h1, ..., hk) the sum of embeddings has
    `dim` columns, and a last layer brings hk back to `dim`.
    """
    tables = {
        name: rng.uniform(-0.05, 0.05, (encoder.n_rows, dim)).astype(np.float32)
        for name, encoder in sorted(encoders.items())
    }
    layers: list[tuple[Floats, Floats]] = []
    widths = [dim, *hidden, dim] if hidden else []
    for n_in, n_out in pairwise(widths):
        bound = (6.0 / (n_in + n_out)) ** 0.5
        weight = rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
        layers.append((weight, np.zeros(n_out, dtype=np.float32)))
    return {"tables": tables, "layers": layers}


def as_tower(parameters: Mapping[str, Any], history: HistoryTable | OrderTable | None = None) -> Tower:
    """Makes a Tower from numpy (or JAX) arrays in `init_tower`'s layout."""
    return Tower(
        {name: jnp.asarray(table) for name, table in parameters["tables"].items()},
        [Layer(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in parameters["layers"]],
        history,
    )
