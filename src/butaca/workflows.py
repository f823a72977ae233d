"""What the commands do, without the commands: from a source to a judged, saved model."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np

from butaca.baselines.panel import Panel, fit_panel
from butaca.baselines.popularity import Popularity
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import stratified_split
from butaca.errors import SettingError
from butaca.evaluate.beyond import beyond_accuracy, user_columns
from butaca.evaluate.collapse import collapse
from butaca.evaluate.honesty import (
    cut_above_catalogue,
    duplicate_candidates,
    random_split_of_timed_data,
    repeats_of_training,
    users_without_history,
)
from butaca.evaluate.judged import Judged, nullable
from butaca.evaluate.protocol import NOTEBOOK_K, evaluate_scorer
from butaca.evaluate.slices import by_slice
from butaca.evaluate.verdict import MEASURES, verdict
from butaca.loading import Sides, Split, split
from butaca.recommend.catalogue import item_titles
from butaca.recommend.recommender import Recommender
from butaca.types import Scorer

if TYPE_CHECKING:  # these load JAX, or a database
    from butaca.rank.judge import RankVerdict
    from butaca.rank.ranker import Ranker
    from butaca.recipes import Recipe
    from butaca.train.callbacks import Callback, FitHistory
    from butaca.two_tower import TwoTower

    Trainer: TypeAlias = Callable[[Recipe], tuple[TwoTower, FitHistory]]

#: What a second stage learns: rank/settings.py.
Target: TypeAlias = Literal["watched", "graded"]

#: The notebook's printed result (cell 106) and TFRS 0.7.7 re-run: top-1, 5, 10, 50, 100, last batch's loss.
NOTEBOOK_PRINTED = {1: 0.00005, 5: 0.0009, 10: 0.00355, 50: 0.07435, 100: 0.18775, "loss": 29655.32}

#: Length of the model's lists, which reports look into; the baselines' are as long as what they are
#: measured by (`beyond_accuracy`).
LISTS = 100

#: What each softmax trains against.
SOFTMAX = {
    "full": "Trained against the whole catalogue (full softmax).",
    "sampled": "Trained against a sample of the catalogue with logQ correction (sampled softmax).",
    "in_batch": "Trained against the other items of each batch (in-batch softmax).",
}

#: A split by user gives this share of each held-out user's interactions as history; the rest test.
GIVEN = 0.8

#: Test pairs are all judged up to so many scores, and of so many users in any case.
JUDGED_SCORES, JUDGED_USERS = 1e9, 10_000


@dataclass
class Fitted:
    """The outcome of `fit`."""

    recommender: Recommender
    history: FitHistory
    recipe: Recipe
    train: Dataset
    judged: Judged | None = None
    notes: list[str] = field(default_factory=list)
    ranking: RankVerdict | None = None


def fit(
    data: Dataset,
    recipe: Recipe,
    how: Split = "random",
    test_share: float = 0.2,
    seed: int = 42,
    callbacks: Sequence[Callback] = (),
    resume: str | Path | None = None,
    rank: bool = False,
    target: Target = "watched",
    sides: Sides | None = None,
    trainer: Trainer | None = None,
) -> Fitted:
    """Split, train, judge; nothing is written but what callbacks write.

    A split by user trains on some people and judges on others: of each of those a share of the
    interactions, `GIVEN`, is their history, from which the model and the baselines answer as they are,
    and the rest is to be found.

    With `rank` a second stage is trained on the same data, and judged beside the first; where it hurts, it is
    left out of the model, and the notes say so. Its `target` is what was watched, or also liked.

    With `sides`, prepared data, `data` is their training side and they say how they were split.

    A `trainer` trains the recipe somewhere else, on a cluster, and looks after checkpoints itself.
    """
    if sides is None:
        train, test = split(data, how, test_share, seed)
        n_interactions = len(data)
    else:
        how, test_share, seed = sides.how, sides.share, sides.seed
        train, test = sides.train, sides.test
        n_interactions = len(train) + (0 if test is None else len(test))
    given = None
    if how == "user" and test is not None:
        given, test = stratified_split(test, 1 - GIVEN, seed, by="user")
    of_split: dict[str, Any] = {"how": "none"}
    if test is not None:
        of_split = {"how": how, "test": test_share, "seed": seed}
        n_users = len(np.unique(test.user))
        test = judged_on(test, seed)
        if (drawn := len(np.unique(test.user))) < n_users:
            of_split |= {"judged_users": drawn, "test_users": n_users}
    ratings = 0 if train.value is None else len(np.unique(train.value[np.isfinite(train.value)]))
    if rank and target == "graded" and ratings < 2:
        raise SettingError(
            "The graded target tells what is liked by ratings",
            f"{data.name!r}, which has none that differ",
            'Name their column, or learn the target "watched"',
        )
    recipe = recipe.for_data(train, future=how in {"temporal", "last"})
    if how == "user" and not any(f.column != data.users.key for f in recipe.model.query):
        raise SettingError(
            "A split by user judges people the model never saw, which an id tower can't answer",
            "--split user with a query tower of user ids",
            "Use --recipe default, which reads histories, or --split random or temporal",
        )
    model, history = trainer(recipe) if trainer else recipe.fit(train, callbacks, resume)
    recommender = Recommender.build(model, train if given is None else _joined(train, given), test)
    if given is not None:  # what most people chose in training
        recommender = replace(recommender, popularity=Popularity().fit(train).counts)
    judged = None if test is None else judge(recommender, train, test, how=how, given=given)
    ranking = None
    if rank:
        recommender = replace(recommender, ranker=second_stage(recipe, model, train, how, target))
        ranking = None if test is None else judge_stages(recommender, test)
    if given is not None:
        of_split["given"] = GIVEN
    about: dict[str, Any] = {
        "recipe": recipe.name,
        "model": describe(recipe),
        "softmax": model.softmax,
        "split": of_split,
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint(),
            "interactions": n_interactions,
            "users": len(data.users),
            "items": len(data.items),
        },
        "metrics": {} if judged is None else judged.as_json(),
        "history": {name: [nullable(v) for v in row] for name, row in history.history.items()},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    notes = protocol(about)
    if ranking is not None:
        about["metrics"]["ranking"] = ranking.as_json()
        if ranking.notice is not None:
            recommender = replace(recommender, ranker=None)
            notes.append(f"The second stage was left out. {ranking.notice}")
    if recommender.ranker is not None:
        from butaca.rank.told import second_about

        about["ranker"] = second_about(recommender.ranker)
    return Fitted(replace(recommender, about=about), history, recipe, train, judged, notes, ranking)


def judged_on(test: Dataset, seed: int) -> Dataset:
    """The test pairs of a draw of their users where scoring all would take minutes, else all.

    Up to JUDGED_SCORES scores, and JUDGED_USERS users in any case, nothing is drawn.
    """
    users = np.unique(test.user)
    most = max(JUDGED_USERS, int(JUDGED_SCORES / max(len(test.items), 1)))
    if len(users) <= most:
        return test
    drawn = np.random.default_rng([seed, 4]).choice(users, most, replace=False)
    return test.take(np.flatnonzero(np.isin(test.user, drawn)))


def second_stage(
    recipe: Recipe, model: TwoTower, train: Dataset, how: Split, target: Target = "watched"
) -> Ranker:
    """A ranker for a fitted model; it learns from first stages that did not train on what it learns."""
    from butaca.rank.fit import fit_ranker
    from butaca.rank.settings import RankSettings

    folds: Literal["time", "random"] = "time" if how in {"temporal", "last"} else "random"
    if folds == "time" and train.timestamp is None:
        folds = "random"
    settings = RankSettings(target=target, folds=folds, seed=recipe.model.seed)
    return fit_ranker(train, lambda part: recipe.fit(part)[0], model, settings)


def judge_stages(recommender: Recommender, test: Dataset) -> RankVerdict | None:
    """What the second stage gains on test pairs in the model's codes; None where the model has none.

    On the pairs that a folder kept, which have no ratings, what needs these is as it was in `fit`.
    """
    if recommender.ranker is None:
        return None
    from butaca.rank.judge import judge_ranking, with_kept
    from butaca.rank.two_stage import TwoStage

    verdict = judge_ranking(TwoStage(recommender, recommender.ranker, recommender.seen), test)
    told = recommender.about.get("metrics", {}).get("ranking")
    own = recommender.test is not None and test.user is recommender.test[0] and test.value is None
    return with_kept(verdict, told) if told and own else verdict


def protocol(about: Mapping[str, Any]) -> list[str]:
    """What a reader must know of how a model was trained and judged, a line each."""
    of_split, softmax = about.get("split", {}), str(about.get("softmax", ""))
    notes = [SOFTMAX[softmax]] if softmax in SOFTMAX else []
    if "judged_users" in of_split:
        notes.append(
            f"Judged on {of_split['judged_users']:,} users drawn from the {of_split['test_users']:,} with "
            "held-out interactions, each against the whole catalogue."
        )
    if "given" not in of_split:
        return notes
    return [
        *notes,
        "Judged on people that training never saw: of each one's interactions "
        f"{of_split['given']:.0%} are given as history, from which every scorer answers, "
        "and the rest are to be found.",
    ]


def judge(
    scorer: Scorer,
    train: Dataset,
    test: Dataset,
    loss_batch: int = 4096,
    how: str = "given",
    given: Dataset | None = None,
) -> Judged:
    """The model beside the baselines, all on the same pairs, and what follows.

    Args:
        scorer: the model; its codes are those of both sets.
        train: what it was fitted on, and the baselines are; its items are left out as seen.
        test: pairs to find.
        loss_batch: pairs of the batch whose loss is reported, as Keras does.
        how: name of the split, for the warning about random ones.
        given: further interactions that all scorers answer from (`answering`) and none is fitted on,
            such as histories of people that training never saw; seen too.
    """
    return _judge(scorer, train, test, fit_panel(train), loss_batch, how, given)


def judge_saved(recommender: Recommender, test: Dataset | None = None) -> Judged:
    """Judge a saved model on its own held-out pairs, or on a test set in its codes."""
    users, items, seen = recommender.users, recommender.items, recommender.seen
    how = "given"
    if test is None:
        if recommender.test is None:
            raise SettingError(
                "A model is judged on interactions that it was not trained on",
                "a model fitted with --split none",
                "Pass --test FILE with interactions of your own",
            )
        test = Dataset(users, items, *recommender.test)
        how = str(recommender.about.get("split", {}).get("how", how))
    rows = np.repeat(np.arange(len(users), dtype=np.int32), seen.lengths)
    train, given = Dataset(users, items, rows, seen.items, seen.value, seen.time), None
    if recommender.test is not None and "given" in recommender.about.get("split", {}):
        held_out = np.isin(rows, recommender.test[0])
        train, given = train.take(np.flatnonzero(~held_out)), train.take(np.flatnonzero(held_out))
    panel = fit_panel(train)
    panel.scorers["popularity"] = _Counts(recommender.popularity)
    return _judge(recommender, train, test, panel, 4096, how, given)


def _judge(
    scorer: Scorer,
    train: Dataset,
    test: Dataset,
    panel: Panel,
    loss_batch: int,
    how: str,
    given: Dataset | None = None,
) -> Judged:
    seen = Histories.of(train if given is None else _joined(train, given))
    scorers = panel.scorers
    if given is not None:
        scorer = _answering(scorer, seen)
        scorers = {name: _answering(baseline, seen) for name, baseline in scorers.items()}
    kept = evaluate_scorer(scorer, test, None, loss_batch)
    ours = evaluate_scorer(scorer, test, seen, lists=LISTS)
    baselines = {name: evaluate_scorer(b, test, seen, lists=10) for name, b in scorers.items()}
    left = {"seen left out": ours, **baselines}
    beyond, columns = {}, user_columns(seen, ours.n_items)
    for name, row in left.items():
        assert row.lists is not None
        beyond[name] = beyond_accuracy(row.lists, row.users, seen, row.n_items, columns=columns)
    assert ours.lists is not None
    notices = (
        random_split_of_timed_data(how, train.timestamp is not None),
        users_without_history(test.user, seen),
        repeats_of_training(test.user, test.item, seen),
        duplicate_candidates(item_titles(train.items), seen, getattr(scorer, "item_vectors", None)),
        cut_above_catalogue((*NOTEBOOK_K, *(k for _, k, _ in MEASURES)), ours.n_items),
        collapse(ours.lists, ours.users, seen, ours.n_items),
    )
    return Judged(
        {"seen kept": kept, **left},
        len(test),
        verdict(ours, baselines),
        tuple(notice for notice in notices if notice is not None),
        by_slice(ours, seen),
        beyond,
        panel.left_out,
    )


def _answering(scorer: Scorer, seen: Histories) -> Scorer:
    """The scorer over these histories; itself if it reads none, or was built on them."""
    answering = getattr(scorer, "answering", None)
    return scorer if answering is None else cast(Scorer, answering(seen))


def _joined(one: Dataset, other: Dataset) -> Dataset:
    """The interactions of both, which share users, items and columns."""
    both: dict[str, Any] = {
        name: None
        if getattr(one, name) is None
        else np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("user", "item", "value", "timestamp")
    }
    return replace(one, **both)


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
        "logq": model.logq,
        "l2": model.l2,
        "unit": model.unit,
        "temperature": model.temperature,
        "prior": model.prior,
        "prior_power": model.prior_power,
        "prior_half_life": model.prior_half_life,
        "start": model.start,
        # A span of whole histories is infinite, which JSON lacks: null.
        "spectral": None
        if model.spectral is None
        else {name: nullable(value) for name, value in asdict(model.spectral).items()},
        "trusted_from": model.trusted_from,
        "trust_power": model.trust_power,
        "cold_features": [repr(f) for f in model.cold_features],
        "shuffle": model.shuffle,
        "seed": model.seed,
        "optimizer": recipe.optimizer,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
    }
