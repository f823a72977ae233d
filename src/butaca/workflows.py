"""What the commands do, without the commands: from a source to a judged, saved model."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from butaca.baselines.popularity import Popularity
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import leave_last_out, random_split, temporal_split, user_split
from butaca.errors import SettingError, TableError
from butaca.evaluate.protocol import NOTEBOOK_K, Evaluation, evaluate_scorer
from butaca.recommend.recommender import Recommender

if TYPE_CHECKING:  # these load JAX
    from butaca.recipes import Recipe
    from butaca.train.callbacks import Callback, History

Split: TypeAlias = Literal["random", "temporal", "last", "user", "none"]

#: The notebook's printed result (cell 106) and TFRS 0.7.7 re-run: top-1, 5, 10, 50, 100, last batch's loss.
NOTEBOOK_PRINTED = {1: 0.00005, 5: 0.0009, 10: 0.00355, 50: 0.07435, 100: 0.18775, "loss": 29655.32}

#: Names that `fit` takes for MovieLens.
MOVIELENS = ("ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m", "ml-latest-small")


@dataclass(frozen=True)
class Columns:
    """Columns and feature tables that the caller named; None is found by name and type."""

    user: str | None = None
    item: str | None = None
    value: str | None = None
    time: str | None = None
    items: str | None = None
    users: str | None = None


@dataclass(frozen=True)
class Judged:
    """Evaluations on one test set, by the name of their row.

    Attributes:
        rows: "seen kept", "seen left out" of the model, and "popularity" with seen left out.
        n_test: pairs.
    """

    rows: Mapping[str, Evaluation]
    n_test: int

    def as_json(self, k: Sequence[int] = NOTEBOOK_K) -> dict[str, Any]:
        """The notebook's names at the top level, the other rows under theirs."""
        return {
            **finite(self.rows["seen kept"].metrics(k)),
            "seen_left_out": finite(self.rows["seen left out"].metrics(k)),
            "popularity": finite(self.rows["popularity"].metrics(k)),
            "test_pairs": self.n_test,
        }


@dataclass
class Fitted:
    """The outcome of `fit`."""

    recommender: Recommender
    history: History
    recipe: Recipe
    train: Dataset
    judged: Judged | None = None
    notes: list[str] = field(default_factory=list)


def load(source: str, columns: Columns | None = None) -> Dataset:
    """A MovieLens set by name (items are titles, as in the notebook), or a table of the caller's own."""
    columns = columns or Columns()
    if source in MOVIELENS:
        from butaca.data.movielens import load_movielens

        return load_movielens(source.removeprefix("ml-")).keyed_by(columns.item or "movie_title")
    from butaca.data.tables import read_table

    if not Path(source).exists() and source.startswith("ml-"):
        raise TableError("A MovieLens set is one of " + ", ".join(MOVIELENS), source, "Correct the name")
    return read_table(
        source,
        items=columns.items,
        users=columns.users,
        user_column=columns.user,
        item_column=columns.item,
        value_column=columns.value,
        time_column=columns.time,
    )


def split(data: Dataset, how: Split, test: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """Train and test by the name of the split; "none" trains on everything."""
    if how == "none":
        return data, None
    if how == "random":
        return random_split(data, test, seed)
    if how == "temporal":
        return temporal_split(data, test)
    if how == "user":
        return user_split(data, test, seed)
    return leave_last_out(data)


def fit(
    data: Dataset,
    recipe: Recipe,
    how: Split = "random",
    test_share: float = 0.2,
    seed: int = 42,
    callbacks: Sequence[Callback] = (),
    resume: str | Path | None = None,
) -> Fitted:
    """Split, train, judge; nothing is written but what callbacks write."""
    recipe = recipe.for_data(data)
    if how == "user" and not any(f.column != data.users.key for f in recipe.model.query):
        raise SettingError(
            "A split by user judges people the model never saw, which an id tower can't answer",
            "--split user with a query tower of user ids",
            "Use --split random or temporal",
        )
    train, test = split(data, how, test_share, seed)
    model = recipe.build()
    history = model.fit(
        train,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.make_optimizer(),
        callbacks=callbacks,
        resume=resume,
    )
    judged = None if test is None else judge(model, train, test)
    about = {
        "recipe": recipe.name,
        "model": describe(recipe),
        "softmax": model.softmax,
        "split": {"how": how, "test": test_share, "seed": seed} if test is not None else {"how": "none"},
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint(),
            "interactions": len(data),
            "users": len(data.users),
            "items": len(data.items),
        },
        "metrics": {} if judged is None else judged.as_json(),
        "history": {name: [nullable(v) for v in row] for name, row in history.history.items()},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    recommender = Recommender.build(model, train, test, about)
    return Fitted(recommender, history, recipe, train, judged)


def judge(scorer: Any, train: Dataset, test: Dataset, loss_batch: int = 4096) -> Judged:
    """The three rows of a comparison, all on the same pairs."""
    seen = Histories.of(train)
    return Judged(
        {
            "seen kept": evaluate_scorer(scorer, test, None, loss_batch),
            "seen left out": evaluate_scorer(scorer, test, seen),
            "popularity": evaluate_scorer(Popularity().fit(train), test, seen),
        },
        len(test),
    )


def judge_saved(recommender: Recommender, test: Dataset | None = None) -> Judged:
    """Judge a saved model on its own held-out pairs, or on a test set in its codes."""
    users, items = recommender.users, recommender.items
    if test is None:
        if recommender.test is None:
            raise SettingError(
                "A model is judged on interactions that it was not trained on",
                "a model fitted with --split none",
                "Pass --test FILE with interactions of your own",
            )
        test = Dataset(users, items, *recommender.test)
    rows = np.repeat(np.arange(len(users), dtype=np.int32), np.diff(recommender.seen.start))
    train = Dataset(users, items, rows, recommender.seen.items)
    judged = judge(recommender, train, test)
    by_count = evaluate_scorer(_Counts(recommender.popularity), test, recommender.seen)
    return replace(judged, rows=dict(judged.rows) | {"popularity": by_count})


class _Counts(Popularity):
    """Popularity from counts that a model folder kept (repeats of a pair included)."""

    def __init__(self, counts: Any) -> None:
        self._counts = counts


def describe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON values."""
    model = recipe.model
    return {
        "query": [repr(f) for f in model.query],
        "candidate": [repr(f) for f in model.candidate],
        "dim": model.dim,
        "hidden": list(model.hidden),
        "softmax": model.softmax,
        "mask": model.mask,
        "l2": model.l2,
        "shuffle": model.shuffle,
        "seed": model.seed,
        "optimizer": recipe.optimizer,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
    }


def nullable(value: float) -> float | None:
    """JSON has no nan or infinity."""
    return value if math.isfinite(value) else None


def finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON values."""
    return {name: nullable(value) for name, value in metrics.items()}
