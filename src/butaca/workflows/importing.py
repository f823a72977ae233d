"""This module makes a model of vectors that another system trained, judged and served as ours are."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from butaca.checks import check_type
from butaca.data.bags import Bags, Column, join_columns
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.evaluate.judged import Judged
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import verdict
from butaca.recommend.folder.bundle import check_free
from butaca.recommend.recommender import Recommender
from butaca.types import Floats
from butaca.workflows.judging import judge, judged_on
from butaca.workflows.loading import Columns, load, load_test
from butaca.workflows.vector_files import ForeignVectors, read_vectors

#: What the default recipe is called beside the imported vectors.
DEFAULT = "butaca's default"

#: What is taken off an item without a vector, so that it comes after all others.
LAST = 1e6


@dataclass(frozen=True)
class ImportPlan:
    """An ImportPlan holds every decision of an import: `butaca import-vectors` makes one of its options.

    Attributes:
        source: an .npz, a .parquet or a folder of vectors (`workflows/vector_files.py`).
        out: folder for the model.
        train: a table of the interactions that the vectors were trained on, which count as seen.
        test: a table of interactions to judge on, or None.
        ids: a file of the ids, where the source has none.
        metric: "dot", or "cosine", which scales every vector to length 1.
        columns: of both tables.
        default: whether the default recipe is trained on the same table, to stand beside the vectors.
        seed: of the default recipe, and of a draw of users to judge where there are many.
    """

    source: Path
    out: Path
    _: KW_ONLY
    train: str
    test: str | None = None
    ids: Path | None = None
    metric: Literal["dot", "cosine"] = "dot"
    columns: Columns = field(default_factory=Columns)
    default: bool = True
    seed: int = 42

    def __post_init__(self) -> None:
        """Checks what can be known before anything is read."""
        check_type("metric", self.metric, hint=Literal["dot", "cosine"])


@dataclass(frozen=True, eq=False)
class Imported:
    """An Imported holds the outcome of an import.

    Attributes:
        recommender: the model, as it was written.
        judged: the vectors beside the baselines and the default recipe, or None without a test table.
        notes: what a reader must know, a line each.
    """

    recommender: Recommender
    judged: Judged | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ImportedTowers:
    """An ImportedTowers holds vectors in the place of a model that was fitted."""

    users: Entities
    items: Entities
    user_vectors: Floats
    item_vectors: Floats
    item_bias: Floats | None


def carry_out_import(plan: ImportPlan) -> Imported:
    """Does what the plan says: reads, judges, and writes the model at `plan.out`.

    Raises:
        ButacaError: vectors or a table that can't be read, or a folder that holds something else.
    """
    check_free(plan.out)
    vectors = read_vectors(plan.source, plan.ids)
    if plan.metric == "cosine":
        vectors = vectors.unit()
    train = load(plan.train, plan.columns)
    towers, notes = placed(vectors, train)
    train = train.recoded(towers.users, towers.items)
    test = None
    if plan.test is not None:
        given = load_test(plan.test, users=train.users, items=train.items, columns=plan.columns)
        test = judged_on(given, plan.seed)
    recommender = Recommender.build(towers, train, test=test)
    judged = None if test is None else judge(recommender, train=train, test=test)
    if judged is not None and test is not None and plan.default:
        judged = beside_default(judged, train, test=test, seed=plan.seed)
    about: dict[str, Any] = {
        "recipe": "imported vectors",
        "model": {"source": plan.source.name, "metric": plan.metric},
        "split": {"split": "none" if test is None else "given"},
        "data": {
            "name": train.name,
            "fingerprint": train.fingerprint(),
            "interactions": len(train) + (0 if test is None else len(test)),
            "users": len(train.users),
            "items": len(train.items),
        },
        "metrics": {} if judged is None else judged.as_json(),
        "versions": {"numpy": np.__version__},
    }
    recommender = replace(recommender, about=about)
    recommender.save(plan.out)
    return Imported(recommender, judged, notes)


def placed(vectors: ForeignVectors, train: Dataset) -> tuple[ImportedTowers, tuple[str, ...]]:
    """Puts vectors in the codes of a table and of what they know beyond it; says what has none.

    A user without a vector gets the mean of all; an item without one comes last in every list, so that what
    was held out of it counts as missed.
    """
    users, items = _longer(train.users, vectors.user_ids), _longer(train.items, vectors.item_ids)
    mean = vectors.user_vectors.mean(axis=0)
    of_users = np.tile(mean, (len(users) + 1, 1)).astype(np.float32)
    at = users.ids.encode(vectors.user_ids)
    of_users[at] = vectors.user_vectors
    of_items = np.zeros((len(items), vectors.item_vectors.shape[1]), np.float32)
    where = items.ids.encode(vectors.item_ids)
    of_items[where] = vectors.item_vectors
    n_users, n_items = len(users) - len(at), len(items) - len(where)
    bias = None
    if vectors.item_bias is not None or n_items:
        bias = np.full(len(items), -LAST, np.float32)
        bias[where] = 0.0 if vectors.item_bias is None else vectors.item_bias
    notes = [
        f"{n:,} {side} of the table have no vector: {what}"
        for n, side, what in (
            (n_users, "users", "each gets the mean of all."),
            (n_items, "items", "they come last, and what was held out of them counts as missed."),
        )
        if n
    ]
    more = len(items) - len(train.items)
    if more:
        notes.append(f"{more:,} items have a vector and no interaction in the table.")
    return ImportedTowers(users, items, of_users, of_items, bias), tuple(notes)


def beside_default(judged: Judged, train: Dataset, *, test: Dataset, seed: int) -> Judged:
    """Trains the default recipe on the same interactions, and puts it among what the vectors stand beside."""
    from butaca import recipes
    from butaca.data.histories import Histories

    recipe = recipes.DEFAULT
    recipe = replace(recipe, model=replace(recipe.model, seed=seed)).for_data(train)
    model, _ = recipe.fit(train)
    found = evaluate_scorer(Recommender.build(model, train), test, seen=Histories.of(train), lists=10)
    more = verdict(judged.rows["seen left out"], {DEFAULT: found})
    against = {**judged.verdict.against, **more.against}
    return replace(
        judged, rows={**judged.rows, DEFAULT: found}, verdict=replace(judged.verdict, against=against)
    )


def _longer(entities: Entities, ids: Any) -> Entities:
    """Returns a table with rows for further ids at its end, of which nothing is known but the id."""
    known = entities.ids
    new = [
        one
        for one, code in zip(ids.tolist(), known.encode(ids).tolist(), strict=True)
        if code == known.unknown
    ]
    if not new:
        return entities
    values = known.values.astype(object) if known.is_text else known.values
    fresh = np.array([str(one) if known.is_text else int(one) for one in new], dtype=values.dtype)
    columns = {}
    for name, column in entities.columns.items():
        blank = _blank(column, len(new), coded=name in entities.labels)
        if blank is not None:
            columns[name] = join_columns(column, blank)
    labels = {name: words for name, words in entities.labels.items() if name in columns}
    return Entities(entities.key, Vocabulary(np.concatenate([values, fresh])), columns, labels)


def _blank(column: Column, n: int, *, coded: bool) -> Column | None:
    """Returns n cells that say nothing; None where a column has no such cell."""
    if isinstance(column, Bags):
        return Bags(column.values[:0], np.zeros(n + 1, np.int64))
    if column.dtype == object or column.dtype.kind == "U":
        return np.full(n, "", dtype=object)
    return np.full(n, np.nan) if column.dtype.kind in "iuf" and not coded else None
