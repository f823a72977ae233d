"""This is the butaca side of the notebook benchmark: a fresh process that times one thing after another.

`python -m benchmarks.notebook.butaca time` measures; `... seeds` trains the recipe with seeds 0 to 4.
Prints one line of JSON.
"""

from __future__ import annotations

import time

_BEGIN = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402
from importlib import import_module  # noqa: E402
from importlib.metadata import version  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from butaca import Dataset, Recommender, TwoTower, load_movielens, random_split  # noqa: E402
from butaca.recipes import NOTEBOOK, Recipe  # noqa: E402

IMPORT_SECONDS = time.perf_counter() - _BEGIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("time", "seeds"))
    parser.add_argument("--warm", type=int, default=5, help="warm fits, each evaluated once")
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--user", default="21")
    parser.add_argument("-k", type=int, default=10)
    args = parser.parse_args()

    train, test = random_split(load_movielens("100k").keyed_by("movie_title"), test_share=0.2, seed=42)
    recipe = NOTEBOOK.for_data(train)
    if args.what == "seeds":
        print(
            json.dumps(
                {"rows": [quality(recipe, seed, train=train, test=test) for seed in range(args.seeds)]}
            )
        )
        return

    model, cold = fit(recipe, train)
    out: dict[str, Any] = {"fit_cold": cold, "fit_warm": [], "evaluate": []}
    _, out["evaluate_cold"] = seconds(lambda: model.evaluate(test))
    for _ in range(args.warm):  # a new model each time: nothing is left from the last but compiled code
        model, warm = fit(recipe, train)
        metrics, evaluate = seconds(lambda model=model: model.evaluate(test))  # type: ignore[misc]
        out["fit_warm"].append(warm)
        out["evaluate"].append(evaluate)
        out["metrics"] = metrics

    recommender, out["build"] = seconds(lambda: Recommender.build(model, train))
    ways: dict[str, Callable[[], Any]] = {
        "all titles": lambda: recommender.recommend(user=args.user, k=args.k, exclude_seen=False),
        "seen titles left out": lambda: recommender.recommend(user=args.user, k=args.k, exclude_seen=True),
    }
    out["query"] = {name: median_seconds(call, args.queries) for name, call in ways.items()}
    out |= {
        "titles": [item.title for item in ways["all titles"]().items],
        "imports": IMPORT_SECONDS,
        "blas": blas_kernel(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("butaca", "jax", "numpy")},
        },
    }
    print(json.dumps(out))


def fit(recipe: Recipe, train: Dataset) -> tuple[TwoTower, float]:
    """Returns a new model of the recipe, fitted, and the seconds that `fit` took."""
    model = recipe.build()
    _, elapsed = seconds(
        lambda: model.fit(
            train,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            optimizer=recipe.make_optimizer(),
        )
    )
    return model, elapsed


def quality(recipe: Recipe, seed: int, *, train: Dataset, test: Dataset) -> dict[str, float]:
    """Returns the notebook's metrics of one seed, seen titles kept in."""
    model, _ = fit(replace(recipe, model=replace(recipe.model, seed=seed)), train)
    return {"seed": seed, **model.evaluate(test)}


def seconds(call: Callable[[], Any]) -> tuple[Any, float]:
    """Returns what a call returns and how long it took."""
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def median_seconds(call: Callable[[], Any], n: int) -> float:
    """Returns the median seconds of n calls, after n / 10 to warm up."""
    for _ in range(max(n // 10, 1)):
        call()
    return float(np.median([seconds(call)[1] for _ in range(n)]))


def blas_kernel() -> str | None:
    """Returns the kernel that numpy's BLAS chose, if threadpoolctl is there to ask."""
    try:
        threadpools = import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return None
    kernels = {
        f"{i['internal_api']} {i.get('architecture', '')}" for i in threadpools if i["user_api"] == "blas"
    }
    return ", ".join(sorted(kernels)) or None


if __name__ == "__main__":
    main()
