"""This module trains a ranker: folds, out-of-fold examples, trees, and a ranker over the facts of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.evaluate.scorers import vectors_of
from butaca.rank import boosting
from butaca.rank.facts import Doubles, TrainFacts
from butaca.rank.features import RankFeature
from butaca.rank.folds import Examples, examples_of, folds_of, joined
from butaca.rank.kinds import default_features, names_of
from butaca.rank.learn import learn_facts
from butaca.rank.ranker import Ranker, base_rating
from butaca.rank.settings import RankSettings
from butaca.types import Bools, Codes, Ints, Scorer

#: Bins of the calibration.
BINS = 20


#: Fits a first stage, any scorer, on what is known.
FitFirst = Callable[[Dataset], Scorer]


def fit_ranker(
    train: Dataset,
    fit_first: FitFirst,
    *,
    first: Scorer,
    settings: RankSettings | None = None,
    features: Sequence[RankFeature] | None = None,
) -> Ranker:
    """Returns a ranker for a first stage.

    Args:
        train: interactions, in the first stage's codes; the test takes no part.
        fit_first: fits a first stage on some of them; called once for each fold.
        first: the one that serves, fitted on all of them.
        settings: of the training; None takes the defaults.
        features: declared; None takes all that the data allow.

    Raises:
        LeakError: an example saw its own answer, for instance since `fit_first` reads more than it is given.
    """
    settings = settings or RankSettings()
    facts = learn_facts(train, vectors_of(first), settings=settings.facts)
    declared = tuple(features) if features is not None else default_features(facts)
    found = out_of_fold(train, fit_first, settings=settings, features=declared, facts=facts)
    return train_ranker(found, facts, features=declared, settings=settings, train=train)


def out_of_fold(
    train: Dataset,
    fit_first: FitFirst,
    *,
    settings: RankSettings,
    features: Sequence[RankFeature],
    facts: TrainFacts,
) -> Examples:
    """Returns the folds' examples, after the leak guard; their columns are those of all the facts."""
    wanted, parts = names_of(features, facts), []
    folds = folds_of(
        train,
        settings.folds,
        n=settings.n_folds,
        seed=settings.seed,
        label=settings.label,
        used=settings.used,
    )
    whole = held_out_people(np.concatenate([fold.label.user for fold in folds]), settings)
    for fold in folds:
        part_first = fit_first(fold.known)
        part_facts = learn_facts(fold.known, vectors_of(part_first), settings=settings.facts)
        if names_of(features, part_facts) != wanted:
            missing = sorted(set(wanted) ^ set(names_of(features, part_facts)))
            raise SettingError(
                "Every fold has the features of the whole",
                f"a fold without {', '.join(missing)}",
                "Give more data",
            )
        parts.append(
            examples_of(
                fold,
                part_first,
                facts=part_facts,
                features=features,
                n=settings.candidates,
                settings=settings.facts,
                best=settings.trained,
                whole=whole,
            )
        )
    return joined(parts)


def train_ranker(
    found: Examples,
    facts: TrainFacts,
    *,
    features: Sequence[RankFeature],
    settings: RankSettings,
    train: Dataset,
) -> Ranker:
    """Trains trees over examples."""
    names = names_of(features, facts)
    held_out = np.isin(found.user, held_out_people(found.user, settings))
    learned = _first_places(found, settings.trained)
    start = found.features[:, names.index("retrieval_share")].astype(np.float64)
    label = _labels(found, settings, names, facts.mean_rating)
    fit_on, check_on = learned & ~held_out, learned & held_out
    booster, rounds = _order(found, label, start, fit_on, check_on, settings, names)
    trees = boosting.text_of(booster, rounds)
    calibrated = held_out if held_out.any() else np.ones(len(found), dtype=bool)
    raw = start[calibrated] + settings.weight * booster.predict(
        found.features[calibrated],
        raw_score=True,
        num_iteration=rounds,
        num_threads=boosting.threads(settings.threads),
    )
    gain = booster.feature_importance("gain", iteration=rounds)
    about: dict[str, Any] = {
        "rounds": rounds,
        "examples": int(np.count_nonzero(fit_on)),
        "people": len(np.unique(found.user[fit_on])),
    }
    ratings, figures = _ratings(found, names, facts.mean_rating, held_out, settings)
    about |= figures
    if train.timestamp is not None and len(train):
        about["now"] = float(train.timestamp.max())
    if train.value is not None and np.isfinite(train.value).any():
        about["rating_range"] = [float(np.nanmin(train.value)), float(np.nanmax(train.value))]
    return Ranker(
        settings,
        facts,
        tuple(features),
        trees,
        ratings,
        _calibration(raw, found.watched[calibrated]),
        {name: float(g / max(gain.sum(), 1e-12)) for name, g in zip(names, gain, strict=True)},
        about,
    )


def _parameters(s: RankSettings) -> dict[str, Any]:
    return {
        "num_leaves": s.leaves,
        "learning_rate": s.learning_rate,
        "min_data_in_leaf": s.least,
        "lambda_l2": s.l2,
        "feature_fraction": s.share,
        "max_bin": 127,
        "num_threads": boosting.threads(s.threads),
        "seed": s.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def _order(
    found: Examples,
    label: Ints,
    start: Doubles,
    fit_on: Bools,
    check_on: Bools,
    s: RankSettings,
    names: Sequence[str],
) -> tuple[Any, int]:
    """Trains LambdaMART, and says how many of its trees are kept."""
    group = np.repeat(np.arange(len(found.group)), found.group)

    def data(rows: Bools, of: Any = None) -> Any:
        sizes = np.bincount(group[rows], minlength=len(found.group))
        return boosting.lightgbm().Dataset(
            found.features[rows],
            label=label[rows],
            group=sizes[sizes > 0],
            init_score=start[rows],
            feature_name=list(names),
            reference=of,
            params={"max_bin": 127, "num_threads": boosting.threads(s.threads), "verbose": -1},
        )

    parameters = _parameters(s) | {
        "objective": "lambdarank",
        "lambdarank_truncation_level": s.truncation,
        "label_gain": [0.0, 1.0, s.liked],
        "metric": "ndcg",
        "eval_at": [10],
    }
    main = data(fit_on)
    if not s.patience or not check_on.any() or not found.watched[check_on].any():
        return boosting.lightgbm().train(parameters, main, s.rounds), s.rounds
    booster = boosting.lightgbm().train(
        parameters,
        main,
        s.rounds,
        valid_sets=[data(check_on, main)],
        callbacks=[boosting.lightgbm().early_stopping(s.patience, verbose=False)],
    )
    return booster, max(int(booster.best_iteration), 1)


def _labels(found: Examples, s: RankSettings, names: Sequence[str], mean: float) -> Ints:
    """Labels examples 0 or 1; under "graded" 2 for a rating above what person and item make likely."""
    label = found.watched.astype(np.int64)
    if s.target == "graded":
        expected = base_rating(found.features, names, mean=mean)
        with np.errstate(invalid="ignore"):
            label[found.watched & (found.value > expected)] = 2
    return label


def held_out_people(users: Codes, s: RankSettings) -> Codes:
    """Returns the people of some examples that early stopping watches: the same in every fold."""
    people = np.unique(users)
    n = int(len(people) * s.held_out)
    return np.random.default_rng([s.seed, 6]).permutation(people)[:n]


def _first_places(found: Examples, n: int) -> Bools:
    """Returns the rows among the first n of their person."""
    begin = np.repeat(np.cumsum(found.group) - found.group, found.group)
    return np.asarray(np.arange(len(found)) - begin < n)


def _ratings(
    found: Examples, names: Sequence[str], mean: float, held_out: Bools, s: RankSettings
) -> tuple[str, dict[str, Any]]:
    """Returns the trees that predict ratings, and their error on the held-out people."""
    rated = np.isfinite(found.value)
    fit_on, check_on = rated & ~held_out, rated & held_out
    if fit_on.sum() < 20 or not np.isfinite(mean):
        return "", {}
    base = base_rating(found.features, names, mean=mean)
    off = found.value - base
    main = boosting.lightgbm().Dataset(
        found.features[fit_on],
        label=off[fit_on],
        feature_name=list(names),
        params={"max_bin": 127, "num_threads": boosting.threads(s.threads), "verbose": -1},
    )
    parameters = _parameters(s) | {"objective": "regression", "min_data_in_leaf": min(s.least, 100)}
    booster = boosting.lightgbm().train(parameters, main, 80)
    figures: dict[str, Any] = {}
    if check_on.any():
        predicted = base[check_on] + booster.predict(
            found.features[check_on], num_threads=boosting.threads(s.threads)
        )
        low, high = found.value[rated].min(), found.value[rated].max()
        error = np.clip(predicted, low, high) - found.value[check_on]
        figures = {"rmse": float(np.sqrt(np.square(error).mean())), "mae": float(np.abs(error).mean())}
    return boosting.text_of(booster), figures


def _calibration(raw: Doubles, watched: Bools) -> Doubles:
    """Returns by bin of equal numbers the mean score, the share watched and the number."""
    order = np.argsort(raw, kind="stable")
    bins = [b for b in np.array_split(order, BINS) if len(b)]
    return np.array([[raw[b].mean(), watched[b].mean(), len(b)] for b in bins]).reshape(-1, 3)
