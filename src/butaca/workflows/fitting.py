"""This module makes a judged model of a data set."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from butaca.baselines.popularity import Popularity
from butaca.data.dataset import Dataset
from butaca.data.earlier import with_all
from butaca.data.signal import Curve, Signal
from butaca.data.splits import COMES_NEXT, stratified_split, tied_at_the_cut
from butaca.errors import SettingError
from butaca.evaluate.judged import Judged, nullable
from butaca.recommend.recommender import Recommender
from butaca.workflows.about import describe, protocol
from butaca.workflows.choosing import Choosing, chosen_for
from butaca.workflows.judging import Repeating, joined, judge, judge_stages, judged_on
from butaca.workflows.loading import Sides, Split, ToldBy, split_by

if TYPE_CHECKING:  # these load JAX, or a database
    from butaca.choose.chosen import Chosen
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


#: A split by user gives this share of each held-out user's interactions as history; the rest test.
GIVEN = 0.8


@dataclass
class Fitted:
    """A Fitted holds the outcome of `fit`."""

    recommender: Recommender
    history: FitHistory
    recipe: Recipe
    train: Dataset
    judged: Judged | None = None
    notes: list[str] = field(default_factory=list)
    ranking: RankVerdict | None = None
    choice: Chosen | None = None


def fit(
    data: Dataset,
    recipe: Recipe,
    *,
    split: Split = "random",
    test_share: float = 0.2,
    seed: int = 42,
    callbacks: Sequence[Callback] = (),
    resume: str | Path | None = None,
    rank: bool = False,
    target: Target = "watched",
    sides: Sides | None = None,
    trainer: Trainer | None = None,
    signal: Signal | None = None,
    choosing: Choosing | None = None,
) -> Fitted:
    """Splits, trains and judges; nothing is written but what callbacks write.

    A split by user trains on some people and judges on others: of each of those a share of the
    interactions, `GIVEN`, is their history, from which the model and the baselines answer as they are,
    and the rest is to be found.

    With `rank` a second stage is trained on the same data, and judged beside the first; where it hurts, it is
    left out of the model, and the notes say so. Its `target` is what was watched, or also liked.

    With `sides`, prepared data, `data` is their training side and they say how they were split.

    The `signal` is what the data were read with, which the model keeps for what is read later.

    With `choosing`, validation on the training side chooses the configuration first, as its effort says.

    A `trainer` trains the recipe somewhere else, on a cluster, and looks after checkpoints itself.
    """
    held = hold_out(data, sides or sides_of(data, split, test_share=test_share, seed=seed))
    train, test, given, told = held.train, held.test, held.given, held.split
    ratings = 0 if train.value is None else len(np.unique(train.value[np.isfinite(train.value)]))
    if rank and target == "graded" and ratings < 2:
        raise SettingError(
            "The graded target tells what is liked by ratings",
            f"{data.name!r}, which has none that differ",
            'Name their column, or learn the target "watched"',
        )
    done = train_held(
        held, recipe, choosing=choosing or Choosing(), callbacks=callbacks, resume=resume, trainer=trainer
    )
    recipe, model, recommender, choice = done.recipe, done.model, done.recommender, done.choice
    held, signal = done.held, done.signal or signal
    train, test, given = held.train, held.test, held.given
    judged = None
    if test is not None:
        repeats = repeating(model, train, test=test)
        judged = judge(recommender, train=train, test=test, split=told, given=given, repeats=repeats)
    ranking = None
    if rank:
        recommender = replace(
            recommender, ranker=second_stage(recipe, model, train=train, split=told, target=target)
        )
        ranking = None if test is None else judge_stages(recommender, test)
    about = _about(data, recipe, model=model, held=held, judged=judged, history=done.history, signal=signal)
    if choice is not None:
        about["choice"] = choice.as_json()
    unread = []
    if choice is None or choice.newcomers is None:
        unread = unread_columns(recipe, data, rank=recommender.ranker is not None)
    notes = [*done.said, *protocol(about), *unread]
    if ranking is not None:
        about["metrics"]["ranking"] = ranking.as_json()
        if ranking.notice is not None:
            recommender = replace(recommender, ranker=None)
            notes.append(f"The second stage was left out. {ranking.notice}")
        elif judged is not None:
            judged = judged.with_stages(ranking.both)
            about["metrics"] = {**judged.as_json(), "ranking": ranking.as_json()}
    if recommender.ranker is not None:
        from butaca.rank.about import second_about

        about["ranker"] = second_about(recommender.ranker)
    return Fitted(
        replace(recommender, about=about), done.history, recipe, train, judged, notes, ranking, choice
    )


@dataclass(frozen=True, eq=False)
class Trained:
    """A Trained holds what training gave, before anything is judged.

    Attributes:
        recommender: the model, which answers for those whose histories were given too.
        model, history, recipe: of the towers.
        choice: how the configuration was chosen; None where none was.
        said: why none was.
        held: both sides, of which amounts are worth what was chosen.
        signal: with the curve that was chosen; None where none was.
    """

    recommender: Recommender
    model: TwoTower
    history: FitHistory
    recipe: Recipe
    choice: Chosen | None
    said: list[str]
    held: HeldOut
    signal: Signal | None


def train_held(
    held: HeldOut,
    recipe: Recipe,
    *,
    choosing: Choosing,
    callbacks: Sequence[Callback] = (),
    resume: str | Path | None = None,
    trainer: Trainer | None = None,
) -> Trained:
    """Chooses a configuration, as far as it is asked to, and trains it on the training side.

    Args:
        held: both sides.
        recipe: what trains where nothing is chosen.
        choosing: how.
        callbacks: of training.
        resume: a checkpoint to continue.
        trainer: trains somewhere else, as for `fit`.
    """
    choice, said = chosen_for(recipe, held.train, split=held.split, choosing=choosing)
    signal = None
    if choice is not None and choice.curve is not None and choosing.signal is not None:
        signal = replace(choosing.signal, curve=choice.curve.curve)
        held = _by_curve(held, choice.curve.curve, signal=choosing.signal)
    train, given, told = held.train, held.given, held.split
    recipe = choice.recipe if choice else recipe.for_data(train, future=told in COMES_NEXT, asks=told)
    if told == "user" and not any(f.column != train.users.key for f in recipe.model.query):
        raise SettingError(
            "A split by user judges people the model never saw, which an id tower can't answer",
            "split='user' with a query tower of user ids",
            "Use recipe('default'), which reads histories, or split='random' or 'temporal' (on the command "
            "line: --recipe default, --split random)",
        )
    model, history = trainer(recipe) if trainer else recipe.fit(train, callbacks, resume=resume)
    recipe = replace(recipe, model=model.settings)  # with the blend that it chose
    recommender = Recommender.build(model, train if given is None else joined(train, given), test=held.test)
    if given is not None:  # what most people chose in training
        recommender = replace(recommender, popularity=Popularity().fit(train).counts)
    return Trained(recommender, model, history, recipe, choice, said, held, signal)


def repeating(model: TwoTower, train: Dataset, *, test: Dataset) -> Repeating | None:
    """Returns what judges both ways; None where the data keep no earlier rows beside the latest of a pair."""
    if train.earlier is None or not len(train.earlier):
        return None
    asked = np.zeros(len(test.users), dtype=bool)
    asked[test.user] = True  # of many users a draw is judged
    before = with_all(train)
    return Repeating(Recommender.build(model, before), before, with_all(test, users=asked))


def unread_columns(recipe: Recipe, data: Dataset, *, rank: bool) -> list[str]:
    """Says which columns of the users' table nothing reads, and what would; nothing where all are read.

    Args:
        recipe: for these data (`Recipe.for_data`).
        data: with the table.
        rank: whether the model has a second stage, which reads them.
    """
    read = {feature.column for feature in recipe.model.query}
    unread = [name for name in data.users.columns if name not in read]
    if rank or not unread:
        return []
    named = ", ".join(unread[:6]) + (f" and {len(unread) - 6} more" if len(unread) > 6 else "")
    return [
        f"Not read by the recipe {recipe.name!r}: users' columns {named}. Someone without a history gets "
        "what most people chose. Where a fit chooses (Choosing('normal'); --effort normal) validation says "
        "whether they help; a second stage reads them (rank=True; --rank), and so does a TwoTower whose "
        "query or newcomer_features name them."
    ]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A HeldOut holds what trains, what judges, and how they were told apart.

    Attributes:
        train: what the model is fitted on.
        test: pairs to find, those of a draw of users where there are many; None: nothing is held out.
        given: histories of held-out people, of a split by user; else None.
        split: its name.
        record: how it was split, for the manifest.
        n_interactions: of both sides.
    """

    train: Dataset
    test: Dataset | None
    given: Dataset | None
    split: ToldBy
    record: dict[str, Any]
    n_interactions: int


def sides_of(data: Dataset, split: Split, *, test_share: float, seed: int) -> Sides:
    """Splits data that did not come split."""
    train, test = split_by(data, split, test_share=test_share, seed=seed)
    return Sides(train, test, split, test_share, seed)


def hold_out(data: Dataset, sides: Sides) -> HeldOut:
    """Draws what judges from the test side, and what of it is given as history where the split is by user."""
    test, given = sides.test, None
    if test is None:
        return HeldOut(sides.train, None, None, sides.split, {"split": "none"}, len(sides.train))
    n_interactions = len(sides.train) + len(test)
    record: dict[str, Any] = {"split": sides.split, "test_share": sides.test_share, "seed": sides.seed}
    if sides.split == "random" and test.timestamp is not None:
        record["timed"] = True
    if sides.split == "last":
        record["tied_users"] = tied_at_the_cut(sides.train, test)
    if sides.split == "user":
        given, test = stratified_split(test, 1 - GIVEN, seed=sides.seed, by="user")
        record["given"] = GIVEN
    n_users = len(np.unique(test.user))
    test = judged_on(test, sides.seed)
    if (drawn := len(np.unique(test.user))) < n_users:
        record |= {"judged_users": drawn, "test_users": n_users}
    return HeldOut(sides.train, test, given, sides.split, record, n_interactions)


def _by_curve(held: HeldOut, curve: Curve, *, signal: Signal) -> HeldOut:
    """Returns both sides with amounts worth what a curve says."""
    from butaca.choose.curves import weighed

    train, test, given = (
        None if side is None else weighed(side, curve, signal=signal)
        for side in (held.train, held.test, held.given)
    )
    assert train is not None
    return replace(held, train=train, test=test, given=given)


def _about(
    data: Dataset,
    recipe: Recipe,
    *,
    model: TwoTower,
    held: HeldOut,
    judged: Judged | None,
    history: FitHistory,
    signal: Signal | None,
) -> dict[str, Any]:
    """Returns what the manifest says of a model, before its second stage."""
    return {
        "recipe": recipe.name,
        "model": describe(recipe),
        "softmax": model.softmax,
        "split": held.record,
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint(),
            "interactions": held.n_interactions,
            "users": len(data.users),
            "items": len(data.items),
        },
        **({} if signal is None or not signal.says else {"signal": signal.as_json()}),
        "metrics": {} if judged is None else judged.as_json(),
        "history": {name: [nullable(v) for v in row] for name, row in history.history.items()},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }


def second_stage(
    recipe: Recipe, model: TwoTower, *, train: Dataset, split: ToldBy, target: Target = "watched"
) -> Ranker:
    """Fits a ranker for a fitted model, on first stages that did not train on what it learns."""
    from butaca.rank.fit import fit_ranker
    from butaca.rank.settings import RankSettings

    folds: Literal["time", "random"] = "time" if split in COMES_NEXT else "random"
    if folds == "time" and train.timestamp is None:
        folds = "random"
    settings = RankSettings(target=target, folds=folds, seed=recipe.model.seed)
    return fit_ranker(train, lambda part: recipe.fit(part)[0], first=model, settings=settings)
