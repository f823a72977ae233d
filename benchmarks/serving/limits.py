"""This program says what the notebook's training costs in arithmetic, and how fast this machine is at it.

Ten epochs over unique rows are, per step, three products of Q x C x d (the scores, and the gradients of
both towers) and Q x C exponentials: Q unique users, C unique titles, d dimensions. Two rates to hold
them against: a large float32 product, the most that this machine gives, and the same three products at
their own shapes with nothing else around them (an inner dimension of 32 does not fill the units).

`python -m benchmarks.serving.limits` prints one line of JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from butaca import load_movielens, random_split
from butaca.recipes import NOTEBOOK
from butaca.train.batch import BatchPlan
from butaca.train.batches import Batches

LARGE = 4096


def main() -> None:
    model, epochs = NOTEBOOK.model, NOTEBOOK.epochs
    train, _ = random_split(load_movielens("100k").keyed_by("movie_title"), test_share=0.2, seed=42)
    plan = BatchPlan(NOTEBOOK.batch_size, "in_batch", "none", shuffle="once", seed=model.seed)
    n_users, n_items = len(train.users), len(train.items)
    batches = list(Batches(train.user, train.item, n_users=n_users, n_items=n_items, plan=plan).epoch(0))
    users = [int((np.asarray(b.query_rows) != len(train.users)).sum()) for b in batches]
    titles = [int(np.isfinite(np.asarray(b.log_weight)).sum()) for b in batches]
    cells = epochs * sum(q * c for q, c in zip(users, titles, strict=True))  # of all score matrices
    flops = 3 * 2 * model.dim * cells

    large = jax.random.normal(jax.random.key(0), (LARGE, LARGE))
    large_rate = 2 * LARGE**3 / best_seconds(jnp.matmul, 6, large, large)
    q, c = int(np.median(users)), int(np.median(titles))
    product_seconds, exp_seconds = own_shapes(q, c, model.dim)
    exp_rate = q * c / exp_seconds
    own_rate = 3 * 2 * q * c * model.dim / product_seconds
    answer = {
        "steps": epochs * len(batches),
        "users_per_step": q,
        "titles_per_step": c,
        "dim": model.dim,
        "flops": flops,
        "exps": cells,
        "large_product_flops_per_s": large_rate,
        "own_products_flops_per_s": own_rate,
        "exps_per_s": exp_rate,
        "seconds_at_large_rate": flops / large_rate + cells / exp_rate,
        "seconds_at_own_rate": flops / own_rate + cells / exp_rate,
    }
    print(json.dumps(answer))


def own_shapes(q: int, c: int, d: int) -> tuple[float, float]:
    """Returns seconds of a step's three products, each alone in its faster form, and of its exponentials."""
    keys = jax.random.split(jax.random.key(1), 3)
    queries = jax.random.normal(keys[0], (q, d))
    candidates = jax.random.normal(keys[1], (c, d))
    grad = jax.random.normal(keys[2], (q, c))
    scores = best_seconds(lambda a, b: a @ b.T, 60, queries, candidates)  # [q, c]
    to_queries = best_seconds(jnp.matmul, 60, grad, candidates)  # [q, d]
    to_candidates = min(  # [c, d]
        best_seconds(lambda g, a: g.T @ a, 60, grad, queries),
        best_seconds(lambda g, a: a @ g, 60, grad, queries.T.copy()),
    )
    return scores + to_queries + to_candidates, best_seconds(jnp.exp, 60, grad)


def best_seconds(function: Callable[..., Any], n: int, *arguments: jax.Array) -> float:
    """Returns the shortest of n runs, compiled beforehand: other work on the machine only ever adds."""
    compiled = jax.jit(function)
    compiled(*arguments).block_until_ready()
    shortest = np.inf
    for _ in range(n):
        begin = time.perf_counter()
        compiled(*arguments).block_until_ready()
        shortest = min(shortest, time.perf_counter() - begin)
    return float(shortest)


if __name__ == "__main__":
    main()
