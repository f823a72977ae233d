"""This benchmark has RecTools' SASRec beside histories in order: `python -m benchmarks.order.sasrec`.

On MovieLens 100K, and on MovieTweetings where `--data` holds it, split by each user's last. Both sides get
the same number of trials, the first a start and the others drawn, on each user's last but one in the training
side; NDCG@10 decides. Each is then fitted once on the whole training side and judged on the test side. The
peer runs in an environment of its own, and hands over the vectors whose products are its scores, so that one
protocol judges all. Everything runs on one core, and seconds are the processor's, so that other work on the
machine lengthens neither side's. `--markdown docs/order.md` writes the section.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from benchmarks.child import run_shown
from benchmarks.environment import HERE, SASREC, BenchmarkError
from benchmarks.machine import cpu, one_core
from benchmarks.order.baselines import SEED, TEST, data_sets
from benchmarks.order.sasrec_page import PeerSide, as_json, section
from benchmarks.order.search import OrderTrial, best_of, draws, places_of
from benchmarks.pages import finish, write_section
from benchmarks.shapes.fits import against
from butaca import Dataset, Evaluation, Histories, Recipe, evaluate_scorer, recipe
from butaca.data.splits import validation_split
from butaca.model.features import History, Order
from butaca.train.callbacks import Callback, Logs
from butaca.types import Bools, Codes, Floats
from butaca.workflows.loading import split_by

#: Epochs of ours that are judged, spread evenly, the last one too.
JUDGED = 6

NAMES = ("MovieLens 100K", "MovieTweetings")
SCRIPT = HERE / "peers" / "sasrec_peer.py"

#: Where the peer's search starts; `session_max_len` and `batch_size` come from the data.
PEER_START: Mapping[str, Any] = {
    "n_factors": 64,
    "n_blocks": 1,
    "n_heads": 1,
    "lr": 0.003,
    "dropout_rate": 0.2,
    "loss": "softmax",
}
PEER_SPACE: Mapping[str, tuple[Any, ...]] = {
    "n_factors": (32, 64, 128),
    "n_blocks": (1, 2),
    "lr": (0.001, 0.002, 0.003, 0.005),
    "dropout_rate": (0.1, 0.2, 0.3, 0.5),
    "loss": ("softmax", "gBCE"),
}
#: Of gBCE alone: the paper's calibration, and negatives that one core can bear.
GBCE: Mapping[str, Any] = {"n_negatives": 64, "gbce_t": 0.75}

OUR_SPACE: Mapping[str, tuple[Any, ...]] = {
    "dim": (64, 96, 128),
    "learning_rate": (0.003, 0.005, 0.007, 0.01),
    "dropout": (0.1, 0.2, 0.3, 0.5),
    "temperature": (0.1, 0.12, 0.15, 0.2),
}


@dataclass(frozen=True, eq=False)
class SavedVectors:
    """A SavedVectors is a scorer of what the peer wrote: products, -inf for items that it never saw."""

    queries: Floats
    items: Floats
    known: Bools

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.items)

    def score(self, users: Codes) -> Floats:
        """Returns scores [B, N]."""
        scores: Floats = np.where(self.known, self.queries[users] @ self.items.T, np.float32(-np.inf))
        return scores


class EpochsKept(Callback):
    """Keeps the parameters and processor seconds of each epoch; what the keeping takes is not counted."""

    def __init__(self) -> None:
        self.kept: list[tuple[float, dict[str, np.ndarray]]] = []
        self._begin, self._away = time.process_time(), 0.0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Takes a copy."""
        at = time.process_time()
        self.kept.append((at - self._begin - self._away, self.run.parameters()))
        self._away += time.process_time() - at


@dataclass(frozen=True)
class PeerRuns:
    """A PeerRuns starts the peer's processes.

    Attributes:
        python: of its environment.
        folder: for files between the two.
        seconds, epochs: the limits of one trial.
        progress: where progress goes.
    """

    python: Path
    folder: Path
    seconds: float
    epochs: int
    progress: Console

    def trial(self, settings: Mapping[str, Any], train: Dataset, *, valid: Dataset) -> OrderTrial:
        """Fits with settings, judged after each epoch, and checks its figure by butaca's protocol.

        Raises:
            BenchmarkError: the two figures differ.
        """
        file = self._hand_over(train, valid)
        answer, scorer = self._run(settings, file, epochs=self.epochs, seconds=self.seconds)
        found = OrderTrial.of(settings, answer["curve"], unfinished=answer["still_rising"])
        value = ndcg(evaluate_scorer(scorer, valid, seen=Histories.of(train)))
        if abs(value - found.value) > 1e-3:
            raise BenchmarkError(f"The peer says {found.value:.5f} of itself and the protocol {value:.5f}")
        return replace(found, value=value)

    def fitted(
        self, settings: Mapping[str, Any], train: Dataset, *, epochs: int
    ) -> tuple[SavedVectors, float, dict[str, str]]:
        """Fits so many epochs; also returns the seconds of training, and the versions of its libraries."""
        answer, scorer = self._run(settings, self._hand_over(train), epochs=epochs)
        return scorer, answer["seconds"], answer["versions"]

    def _hand_over(self, train: Dataset, valid: Dataset | None = None) -> Path:
        seen, file = Histories.of(train), self.folder / "pairs.npz"
        assert seen.time is not None
        arrays: dict[str, Any] = {
            "shape": np.array([len(train.users), len(train.items)]),
            "user": np.repeat(np.arange(len(seen)), seen.lengths),
            "item": seen.items,
            "time": seen.time,
        }
        if valid is not None:
            arrays |= {"valid_user": valid.user, "valid_item": valid.item}
        np.savez(file, **arrays)
        return file

    def _run(
        self, settings: Mapping[str, Any], file: Path, *, epochs: int, seconds: float = float("inf")
    ) -> tuple[dict[str, Any], SavedVectors]:
        out = self.folder / "vectors.npz"
        out.unlink(missing_ok=True)
        full = {**settings, **(GBCE if settings["loss"] == "gBCE" else {})}
        command = [str(self.python), "-I", str(SCRIPT), "--data", str(file), "--out", str(out)]
        command += ["--settings", json.dumps(full), "--epochs", str(epochs), "--seconds", str(seconds)]
        answer = run_shown([*command, "--threads", "1"], f"SASRec {json.dumps(full)}", progress=self.progress)
        with np.load(out) as saved:
            return answer, SavedVectors(saved["queries"], saved["items"], saved["known"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="DATA", help=", ".join(NAMES))
    parser.add_argument("--trials", type=int, default=4, help="of each side (default 4)")
    parser.add_argument(
        "--seconds", type=float, default=1800, help="of processor time, a peer's trial (default 1800)"
    )
    parser.add_argument("--epochs", type=int, default=200, help="of a peer's trial at most (default 200)")
    parser.add_argument("--orders", nargs="+", choices=["timescales", "attention"], default=["timescales"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of MovieTweetings")
    parser.add_argument("--note", default="", help="a sentence on how this run was made, for the page")
    parser.add_argument("--out", type=Path, help="write JSON here")
    parser.add_argument("--markdown", type=Path, help="write the section into this page")
    args = parser.parse_args()
    one_core()
    progress = Console(stderr=True, highlight=False)
    found: list[PeerSide] = []
    known = data_sets(args.data)
    try:
        with tempfile.TemporaryDirectory(prefix="butaca-bench-") as folder:
            peer = PeerRuns(SASREC.python(progress), Path(folder), args.seconds, args.epochs, progress)
            for name in args.names or [name for name in NAMES if name in known]:
                found.append(measure(name, known[name], peer=peer, trials=args.trials, orders=args.orders))
                text = section(found, args.trials, seconds=args.seconds, cpu=cpu(), note=args.note)
                write_section(args.markdown, "sasrec", text=text)  # data by data, so that none is lost
    except BenchmarkError as error:
        progress.print(f"The benchmark stopped. {error}", style="red", markup=False)
        if "torch" in str(error):
            progress.print("benchmarks/requirements-sasrec.in says where PyTorch for CPU has to come from.")
        return 1
    finish(as_json(found, args.trials), args.out)
    return 0


def measure(name: str, data: Dataset, *, peer: PeerRuns, trials: int, orders: list[Order]) -> PeerSide:
    """Searches, fits and judges both sides on one data set."""
    train, test = split_by(data, "last", test_share=TEST, seed=SEED)
    assert test is not None
    before, valid = validation_split(train, "last", share=0.1, seed=0)
    seen = Histories.of(train)
    ours: dict[Order, OrderTrial] = {}
    evaluations: dict[Order, Evaluation] = {}
    seconds: dict[Order, float] = {}
    for order in orders:
        start, space = own_settings(recipe_of(order, before, {})), OUR_SPACE
        tried = [
            our_trial(order, chosen, before, valid=valid, progress=peer.progress)
            for chosen in draws(start, space, trials=trials, seed=SEED)
        ]
        ours[order] = best_of(tried)
        begin = time.process_time()
        model, _ = recipe_of(order, train, ours[order].settings).fit(train)
        model.user_vectors  # noqa: B018  # both towers' vectors are part of a fit
        seconds[order] = time.process_time() - begin
        evaluations[order] = evaluate_scorer(model, test, seen=seen)
    places = places_of(Histories.of(before).lengths.tolist())
    start = {**PEER_START, "session_max_len": places, "batch_size": 16 if places == 100 else 64}
    peers = [
        peer.trial(chosen, before, valid=valid)
        for chosen in draws(start, PEER_SPACE, trials=trials, seed=SEED)
    ]
    best = best_of(peers)
    scorer, peer_seconds, versions = peer.fitted(best.settings, train, epochs=best.place)
    judged = evaluate_scorer(scorer, test, seen=seen)
    verdicts = {order: against(e, {"SASRec": judged}) for order, e in evaluations.items()}
    return PeerSide(
        name, best, tuple(peers), ours, judged, evaluations, verdicts, peer_seconds, seconds, versions
    )


def our_trial(
    order: Order, settings: Mapping[str, Any], train: Dataset, *, valid: Dataset, progress: Console
) -> OrderTrial:
    """Fits with settings, compiled anew, and judges some of its epochs once training is over."""
    jax.clear_caches()  # type: ignore[no-untyped-call]  # what a new process would compile is compiled, and counted
    watch, seen = EpochsKept(), Histories.of(train)
    model, _ = recipe_of(order, train, settings).fit(train, [watch])
    curve = []
    for epoch in np.unique(np.linspace(0, len(watch.kept) - 1, JUDGED).astype(int)).tolist():
        at, parameters = watch.kept[epoch]
        watch.run.restore(parameters)
        model.remember(train)  # forgets the vectors
        curve.append((at, ndcg(evaluate_scorer(model, valid, seen=seen))))
    # A recipe is judged by what it ends with, whatever its epochs were on the way.
    found = replace(OrderTrial.of(settings, curve), value=curve[-1][1], place=len(curve))
    progress.print(f"{order} {json.dumps(dict(settings))}: {found.value:.4f}, {found.seconds:.0f} s")
    return found


def recipe_of(order: Order, data: Dataset, settings: Mapping[str, Any]) -> Recipe:
    """Returns the default recipe in order, with settings where there are some."""
    base = recipe("default").ordered(order).for_data(data, future=True)
    full = {**own_settings(base), **settings}
    history = base.model.history
    assert history is not None
    read = replace(history, dropout=full["dropout"])
    query = tuple(read if isinstance(f, History) else f for f in base.model.query)
    model = replace(base.model, query=query, temperature=full["temperature"], dim=int(full["dim"]))
    return replace(base, model=model, learning_rate=full["learning_rate"])


def own_settings(chosen: Recipe) -> dict[str, Any]:
    """Returns the recipe's own values of what is searched."""
    history = chosen.model.history
    assert history is not None
    return {
        "dim": chosen.model.dim,
        "learning_rate": chosen.learning_rate,
        "dropout": history.dropout,
        "temperature": chosen.model.temperature,
    }


def ndcg(evaluation: Evaluation) -> float:
    """Returns what decides."""
    return evaluation.metric("ndcg", 10)


if __name__ == "__main__":
    sys.exit(main())
