"""This program fits the peers of the quality benchmark, irspack's and implicit's, in their environment.

Knows nothing of butaca: it reads pairs of codes from an .npz, and prints one line of JSON.

`tune` searches a peer's settings with Optuna (TPE), every trial fitted on `user_0`, `item_0` and judged on
`valid_user_0`, `valid_item_0` by NDCG@20, and so on for each fold; `fit` fits peers with given settings and
writes their scores of all users for all items, float32 [U, N], one .npy for each seed.

A pair counts once however often it occurs, and weighs one: no peer sees ratings.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-not-found]
from implicit.cpu.bpr import BayesianPersonalizedRanking  # type: ignore[import-not-found]
from irspack.recommenders import (  # type: ignore[import-not-found]
    CosineKNNRecommender,
    CosineUserKNNRecommender,
    DenseSLIMRecommender,
    EDLAERecommender,
    IALSRecommender,
    RP3betaRecommender,
    SLIMRecommender,
    TruncatedSVDRecommender,
)
from scipy.sparse import csr_matrix

Settings = dict[str, Any]
#: A fitted model's scores of all users, computed when called: float32 [U, N].
Scores = Callable[[], Any]

K = 20


@dataclass(frozen=True)
class Peer:
    """A Peer is a model of another library.

    Attributes:
        fit: (interactions [U, N], settings, seed, threads) -> its scores.
        space: what one trial draws.
        start: the first trial; None lets Optuna draw that one too.
    """

    fit: Callable[[Any, Settings, int, int], Scores]
    space: Callable[[Any], Settings]
    start: Settings | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    tuning = commands.add_parser("tune")
    tuning.add_argument("--data", type=Path, required=True, help=".npz of the pairs")
    tuning.add_argument("--peer", choices=PEERS, required=True)
    tuning.add_argument("--trials", type=int, default=60)
    tuning.add_argument("--seed", type=int, default=0, help="of the sampler and of every trial's model")
    tuning.add_argument("--threads", type=int, default=1)
    fitting = commands.add_parser("fit")
    fitting.add_argument("--data", type=Path, required=True, help=".npz of the pairs")
    fitting.add_argument("--jobs", type=Path, required=True, help="JSON: {peer: settings}")
    fitting.add_argument("--out", type=Path, required=True, help="folder for PEER-SEED.npy")
    fitting.add_argument("--seeds", type=int, nargs="*", default=[], help="of the fits that write scores")
    fitting.add_argument("--warm", type=int, default=3, help="timed fits after a first, 0 for none")
    fitting.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):  # irspack's progress bars
        answer = tune(args) if args.command == "tune" else fit(args)
    print(json.dumps(answer))


def tune(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the best settings of `trials`: the mean over the validation slices decides."""
    data = np.load(args.data)
    peer, n_folds = PEERS[args.peer], sum(name.startswith("valid_user_") for name in data)
    folds = [
        (interactions(data, i), data[f"valid_user_{i}"], data[f"valid_item_{i}"]) for i in range(n_folds)
    ]

    def value(trial: optuna.Trial) -> float:
        settings = peer.space(trial)
        values = []
        for train, user, item in folds:
            scores = peer.fit(train, settings, args.seed, args.threads)()
            values.append(ndcg(scores, train, user, item))
        return float(np.mean(values))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=args.seed))
    if peer.start is not None:
        study.enqueue_trial(peer.start)
    begin = time.perf_counter()
    study.optimize(value, n_trials=args.trials)
    found = peer.space(optuna.trial.FixedTrial(study.best_params))
    return {
        "settings": found,
        "validation": study.best_value,
        "trials": len(study.trials),
        "best_trial": study.best_trial.number + 1,
        "seed": args.seed,
        "seconds": time.perf_counter() - begin,
        "versions": versions(),
    }


def fit(args: argparse.Namespace) -> dict[str, Any]:
    """Writes score files, and returns the seconds of each fit and of warm ones, of every peer asked for."""
    train = interactions(np.load(args.data))
    peers: dict[str, Any] = {}
    for name, settings in json.loads(args.jobs.read_text(encoding="utf8")).items():
        peer = PEERS[name]
        files, seconds, warm = [], [], []
        for seed in args.seeds:
            begin = time.perf_counter()
            scores = peer.fit(train, settings, seed, args.threads)
            seconds.append(time.perf_counter() - begin)
            files.append(f"{name}-{seed}.npy")
            np.save(args.out / files[-1], np.ascontiguousarray(scores(), dtype=np.float32))
        for n in range(args.warm + 1 if args.warm else 0):  # the first is not timed
            begin = time.perf_counter()
            peer.fit(train, settings, 0, args.threads)
            warm += [time.perf_counter() - begin] if n else []
        fit_warm = float(np.median(warm)) if warm else None
        peers[name] = {"files": files, "seconds": seconds, "fit_warm": fit_warm}
    return {"peers": peers, "threads": args.threads, "versions": versions()}


def interactions(data: Any, fold: int = 0) -> Any:
    """Returns who had what: float32 [U, N] of zeros and ones."""
    users, items = (int(n) for n in data["shape"])
    user, item = data[f"user_{fold}"], data[f"item_{fold}"]
    ones = np.ones(len(user), dtype=np.float32)
    matrix = csr_matrix((ones, (user, item)), shape=(users, items))
    matrix.data[:] = 1.0
    matrix.sort_indices()
    return matrix


def ndcg(scores: Any, train: Any, user: Any, item: Any, k: int = K) -> float:
    """Returns NDCG@k, the mean over users with a pair to find; what they had in `train` is left out.

    A user's distinct pairs are relevant, also one that `train` holds and that can't be hit. Ties count
    against the model.
    """
    users, items = train.shape
    wanted = np.unique(user.astype(np.int64) * items + item)
    user, item = wanted // items, wanted % items
    scores = np.array(scores, dtype=np.float32)
    scores[train.nonzero()] = -np.inf
    own = scores[user, item]
    ordered = np.sort(scores, axis=1)
    rank = np.array([items - np.searchsorted(ordered[u], s) - 1 for u, s in zip(user, own, strict=True)])
    hit = (rank < k) & np.isfinite(own)
    gain = np.bincount(user, np.where(hit, 1 / np.log2(rank + 2), 0.0), minlength=users)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2))])
    relevant = np.bincount(user, minlength=users)
    judged = relevant > 0
    return float(np.mean(gain[judged] / ideal[np.minimum(relevant[judged], k)]))


def irspack_model(kind: Any, seed_name: str | None = None, *, threaded: bool = True) -> Any:
    """Returns how to fit one of irspack's recommenders."""

    def run(train: Any, settings: Settings, seed: int, threads: int) -> Scores:
        extra: Settings = {} if seed_name is None else {seed_name: seed}
        if threaded:
            extra["n_threads"] = threads
        model = kind(train, **settings, **extra)
        model.learn()
        return lambda: model.get_score(np.arange(train.shape[0]))

    return run


def implicit_model(kind: Any, **fixed: Any) -> Any:
    """Returns how to fit one of implicit's models."""

    def run(train: Any, settings: Settings, seed: int, threads: int) -> Scores:
        model = kind(**settings, **{"num_threads": threads, **fixed}, random_state=seed)
        model.fit(train, show_progress=False)
        return lambda: np.asarray(model.user_factors) @ np.asarray(model.item_factors).T

    return run


def neighbours(trial: Any) -> Settings:
    """Draws settings of both cosine neighbour models."""
    settings: Settings = {
        "top_k": trial.suggest_int("top_k", 4, 1000, log=True),
        "shrinkage": trial.suggest_float("shrinkage", 0.0, 1000.0),
        "normalize": trial.suggest_categorical("normalize", [False, True]),
        "feature_weighting": trial.suggest_categorical("feature_weighting", ["NONE", "TF_IDF", "BM_25"]),
    }
    if settings["feature_weighting"] == "BM_25":
        settings["bm25_k1"] = trial.suggest_float("bm25_k1", 0.1, 10.0, log=True)
        settings["bm25_b"] = trial.suggest_float("bm25_b", 0.0, 1.0)
    return settings


#: Search spaces: the libraries' own, widened. First trials: what earlier tuning on MovieLens 100K found.
PEERS = {
    "EASE": Peer(
        irspack_model(DenseSLIMRecommender, threaded=False),
        lambda t: {"reg": t.suggest_float("reg", 1.0, 1e4, log=True)},
        {"reg": 300.0},
    ),
    "EDLAE": Peer(
        irspack_model(EDLAERecommender, threaded=False),
        lambda t: {
            "reg": t.suggest_float("reg", 1.0, 1e4, log=True),
            "dropout_p": t.suggest_float("dropout_p", 0.0, 0.95),
        },
        {"reg": 252.0, "dropout_p": 0.383},
    ),
    "iALS": Peer(
        irspack_model(IALSRecommender, "random_seed"),
        lambda t: {
            "n_components": t.suggest_int("n_components", 8, 256, log=True),
            "alpha0": t.suggest_float("alpha0", 3e-3, 3.0, log=True),
            "reg": t.suggest_float("reg", 1e-4, 1e-1, log=True),
            "nu": t.suggest_float("nu", 0.0, 1.5),
            "train_epochs": t.suggest_int("train_epochs", 2, 24),
        },
        {"n_components": 94, "alpha0": 0.281, "reg": 0.00561, "nu": 1.145, "train_epochs": 6},
    ),
    "implicit ALS": Peer(
        implicit_model(AlternatingLeastSquares),
        lambda t: {
            "factors": t.suggest_int("factors", 8, 256, log=True),
            "regularization": t.suggest_float("regularization", 0.01, 300.0, log=True),
            "alpha": t.suggest_float("alpha", 0.3, 30.0, log=True),
            "iterations": t.suggest_int("iterations", 5, 30),
        },
        {"factors": 145, "regularization": 23.8, "alpha": 2.53, "iterations": 20},
    ),
    "SLIM": Peer(
        irspack_model(SLIMRecommender),
        lambda t: {
            "alpha": t.suggest_float("alpha", 1e-2, 3.0, log=True),
            "l1_ratio": t.suggest_float("l1_ratio", 1e-4, 0.5, log=True),
            "positive_only": t.suggest_categorical("positive_only", [False, True]),
        },
        {"alpha": 0.3, "l1_ratio": 0.003, "positive_only": False},
    ),
    "RP3beta": Peer(
        irspack_model(RP3betaRecommender),
        lambda t: {
            "top_k": t.suggest_int("top_k", 4, 1000, log=True),
            "beta": t.suggest_float("beta", 0.0, 1.2),
            "normalize_weight": t.suggest_categorical("normalize_weight", [False, True]),
        },
        None,
    ),
    "item-kNN": Peer(irspack_model(CosineKNNRecommender), neighbours, None),
    "user-kNN": Peer(irspack_model(CosineUserKNNRecommender), neighbours, None),
    "truncated SVD": Peer(
        irspack_model(TruncatedSVDRecommender, "random_seed", threaded=False),
        lambda t: {"n_components": t.suggest_int("n_components", 2, 256, log=True)},
        None,
    ),
    # One thread: several write to the same rows at once, and no run repeats another.
    "implicit BPR": Peer(
        implicit_model(BayesianPersonalizedRanking, num_threads=1),
        lambda t: {
            "factors": t.suggest_int("factors", 8, 256, log=True),
            "learning_rate": t.suggest_float("learning_rate", 1e-3, 0.3, log=True),
            "regularization": t.suggest_float("regularization", 1e-4, 0.3, log=True),
            "iterations": t.suggest_int("iterations", 20, 400),
        },
        None,
    ),
}


def versions() -> dict[str, str]:
    names = ("irspack", "implicit", "optuna", "numpy", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


if __name__ == "__main__":
    main()
