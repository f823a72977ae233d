"""This module chooses settings by validation: a budgeted search with Optuna (extra `tune`).

The measure is NDCG@20 of validation slices of the training data, made in the way the test side is: mean over
a slice's users, what they had in the rest left out, mean over the slices. It is finer than top-10 accuracy
(more places count, and higher ones more), and one slice alone picks by luck: the best of 60 trials on one was
no better than its start on four others. The peers of `make bench-quality` are tuned by the same. No test pair
is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories, leaving_lists
from butaca.data.splits import COMES_NEXT, validation_split
from butaca.errors import DivergenceError, SettingError, SplitError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.extras import needed
from butaca.files import replace_file
from butaca.model.features import History
from butaca.model.spectral_settings import SpectralSettings
from butaca.recipes import Recipe

MEASURE, CUT = "ndcg", 20


@dataclass(frozen=True)
class Range:
    """A Range holds the values that a setting may take.

    Attributes:
        low, high: ends, both included.
        log: search evenly in the logarithm.
        whole: whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False


#: Interactions that slices are cut of, at most: those of a draw of users. Dimensions grow with the data's
#: size beyond what settings were tuned on (`Recipe.for_data`).
TUNED_ON = 200_000

#: What is searched; the names are those of `settings_of`.
SPACE: Mapping[str, Range] = {
    "learning_rate": Range(0.01, 0.1, log=True),
    "steps": Range(20, 40, whole=True),
    "dropout": Range(0.2, 0.7),
    "temperature": Range(0.12, 0.5, log=True),
    "prior_power": Range(0.4, 1.3),
    "span": Range(8.0, 60.0, log=True),
    "user_power": Range(0.0, 0.4),
    "item_power": Range(0.25, 0.5),
    "dim": Range(16, 64, whole=True),
    "weight": Range(0.15, 1.5, log=True),
    "ridge": Range(0.01, 0.6, log=True),
    "leave_out": Range(0.0, 1.2),
    "history_power": Range(0.1, 0.5),
    "candidate_power": Range(0.2, 0.6),
}


@dataclass(frozen=True)
class Trial:
    """A Trial is one choice of settings, fitted and judged.

    Attributes:
        number: from 0; the first is the recipe as it was.
        value: the measure on the validation slice.
        settings: by name, as in SPACE.
        seconds: that fit and judging took.
        slices: that it was judged on: all, or as many as it was among the better half.
    """

    number: int
    value: float
    settings: Mapping[str, float]
    seconds: float
    slices: int


@dataclass(frozen=True)
class Tuned:
    """Holds the outcome of `tune`.

    Attributes:
        recipe: with the best trial's settings.
        best: that trial.
        trials: all of them, in order.
    """

    recipe: Recipe
    best: Trial
    trials: tuple[Trial, ...]


def settings_of(recipe: Recipe) -> dict[str, float]:
    """Returns the recipe's own values of the settings in SPACE."""
    model, spectral, history = recipe.model, recipe.model.spectral, recipe.model.history
    if spectral is None or history is None:
        raise SettingError(
            "tune searches the settings of a history tower with a closed-form one beside it",
            f"the recipe {recipe.name!r}",
            'Start from recipe("default") (on the command line: --recipe default)',
        )
    found: dict[str, float] = {
        "learning_rate": recipe.learning_rate,
        "steps": recipe.steps,
        "dropout": history.dropout,
        "temperature": model.temperature,
        "prior_power": model.prior_power,
    }
    return found | {name: value for name, value in asdict(spectral).items() if name in SPACE}


def with_settings(recipe: Recipe, settings: Mapping[str, float]) -> Recipe:
    """Returns the recipe with settings by name, as in SPACE."""
    model, history = recipe.model, recipe.model.history or History()
    of_spectral: dict[str, Any] = {
        n: v for n, v in settings.items() if n in SpectralSettings.__dataclass_fields__
    }
    query = tuple(
        replace(history, dropout=settings.get("dropout", history.dropout)) if isinstance(f, History) else f
        for f in model.query
    )
    model = replace(
        model,
        query=query,
        temperature=settings.get("temperature", model.temperature),
        prior_power=settings.get("prior_power", model.prior_power),
        spectral=replace(model.spectral or SpectralSettings(), **of_spectral),
    )
    steps = int(settings.get("steps", recipe.steps))
    return replace(
        recipe, model=model, learning_rate=settings.get("learning_rate", recipe.learning_rate), steps=steps
    )


def measure(recipe: Recipe, train: Dataset, *, validation: Dataset, future: bool = False) -> float:
    """Fits on train and judges on validation: returns the measure of this slice, 0 where training diverges.

    Args:
        recipe: what to fit.
        train: on what.
        validation: what is to be found.
        future: it comes after what trains, as `Recipe.for_data` takes it.
    """
    try:
        model, _ = recipe.for_data(train, future=future).fit(train)
    except DivergenceError:  # the search goes on with other settings
        return 0.0
    return evaluate_scorer(
        model, validation, seen=leaving_lists(Histories.of(train), again=train.again)
    ).metric(MEASURE, CUT)


def tune(
    recipe: Recipe,
    slices: Sequence[tuple[Dataset, Dataset]],
    *,
    trials: int = 60,
    seconds: float | None = None,
    seed: int = 0,
    future: bool = False,
    progress: Callable[[Trial, float], None] | None = None,
) -> Tuned:
    """Searches settings with TPE (Bergstra et al. 2011), from the recipe's own on.

    A trial that is among the worse half of those before it after one slice, or after two, is judged on no
    further ones (successive halving, Jamieson and Talwalkar 2016).

    Args:
        recipe: where to start; settings outside SPACE stay.
        slices: pairs of what a trial is fitted on and what it is judged on, in the same codes.
        trials: how many at most.
        seconds: budget of time; None is no limit. A search that it ends early does not reproduce.
        seed: of the search.
        future: what a slice judges on comes after what a trial is fitted on.
        progress: called after each trial with it and the best value so far.

    Raises:
        SettingError: Optuna is not installed, or the recipe has nothing to search.
    """
    with needed("A search of settings"):
        import optuna
    if not slices:
        raise SettingError("A search judges on at least one slice", "none", "Pass validation_slices(train)")
    if trials < 1:
        raise SettingError("A search makes at least one trial", f"trials={trials}", "Try 60")
    start = settings_of(recipe)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=False)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.enqueue_trial({n: min(max(start[n], r.low), r.high) for n, r in SPACE.items()})
    made: list[Trial] = []
    begin = time.monotonic()

    def told(trial: Trial) -> None:
        made.append(trial)
        if progress is not None:
            progress(trial, max(t.value for t in made if t.slices == len(slices)))
        if seconds is not None and time.monotonic() - begin > seconds:
            study.stop()

    def objective(trial: optuna.Trial) -> float:
        settings = {name: _suggest(trial, name, of) for name, of in SPACE.items()}
        at = time.monotonic()
        tried = with_settings(recipe, settings)
        values: list[float] = []
        for part, (train, validation) in enumerate(slices):
            values.append(measure(tried, train, validation=validation, future=future))
            trial.report(fmean(values), part)
            if part + 1 < len(slices) and trial.should_prune():
                told(Trial(trial.number, fmean(values), settings, time.monotonic() - at, len(values)))
                raise optuna.TrialPruned
        value = fmean(values)
        told(Trial(trial.number, value, settings, time.monotonic() - at, len(values)))
        return value

    study.optimize(objective, n_trials=trials)
    best = max((t for t in made if t.slices == len(slices)), key=lambda t: t.value)
    tuned = replace(with_settings(recipe, best.settings), tuned_on=len(slices[0][0]))
    return Tuned(tuned, best, tuple(made))


def validation_slices(
    train: Dataset, n: int = 4, *, share: float = 0.1, split: str = "random"
) -> list[tuple[Dataset, Dataset]]:
    """Splits the training data n times in the way the test side was split: (to fit on, to judge on).

    Of more than TUNED_ON interactions, those of a seeded draw of users.

    At random with seeds 0 to n - 1. Of what comes next, by time or each user's last, slice after slice goes
    further back: the latest share, the latest of what is left then, and so on; the last but one of each user,
    the last but two. Where too little is left for n there are fewer.

    Args:
        train: the training side.
        n: slices.
        share: of the interactions that a slice judges on, `validation_split`.
        split: how the test side was held out.

    Raises:
        SplitError: not even one can be made.
    """
    if len(train) > TUNED_ON:
        users = np.random.default_rng([0, 8]).permutation(len(train.users))
        lengths = np.bincount(train.user, minlength=len(users))[users]
        drawn = users[: max(int(np.searchsorted(np.cumsum(lengths), TUNED_ON)), 1)]
        train = train.take(np.flatnonzero(np.isin(train.user, drawn)))
    if split not in COMES_NEXT:
        return [validation_split(train, split, share=share, seed=seed) for seed in range(n)]
    slices: list[tuple[Dataset, Dataset]] = []
    rest = train
    for seed in range(n):
        try:
            slices.append(validation_split(rest, split, share=share, seed=seed))
        except SplitError:
            if not slices:
                raise
            break
        rest = slices[-1][0]
    return slices


def save_settings(tuned: Tuned, path: Path, *, about: Mapping[str, Any]) -> None:
    """Writes what was found as JSON that `load_settings` reads, replacing the file in one move."""
    content = {
        "recipe": tuned.recipe.name,
        "measure": f"NDCG@{CUT}, mean over users with validation pairs and over slices, seen items left out",
        **about,
        "validation": tuned.best.value,
        "trials": len(tuned.trials),
        "best_trial": tuned.best.number,
        "tuned_on": tuned.recipe.tuned_on,
        "settings": dict(tuned.best.settings),
    }
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode())


def load_settings(path: Path, recipe: Recipe) -> Recipe:
    """Returns the recipe with the settings that a search wrote.

    Raises:
        SettingError: the file can't be read, or names settings that are not in SPACE; or the recipe
            has no such settings.
    """
    settings_of(recipe)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        settings = {str(n): float(v) for n, v in stored["settings"].items()}
        tuned_on = int(stored["tuned_on"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingError(
            "A file of settings is one that `butaca tune` wrote, or save_settings",
            f"{path}: {error}",
            "Tune again",
        ) from error
    unknown = sorted(set(settings) - set(SPACE))
    if unknown:
        raise SettingError("Settings are among " + ", ".join(SPACE), f"{unknown} in {path}", "Tune again")
    whole = {n: (int(v) if SPACE[n].whole else v) for n, v in settings.items()}
    return replace(with_settings(recipe, whole), tuned_on=tuned_on)


def _suggest(trial: Any, name: str, of: Range) -> float:
    if of.whole:
        return int(trial.suggest_int(name, int(of.low), int(of.high), log=of.log))
    return float(trial.suggest_float(name, of.low, of.high, log=of.log))
