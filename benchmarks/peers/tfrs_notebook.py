"""This program times the notebook's steps with TensorFlow Recommenders, in an environment of its own.

Knows nothing of butaca: reads train.tsv and test.tsv (user, title), movies.txt (a title per movie,
repeats kept, as the notebook's `movies` has them) from a folder, and prints one line of JSON.

Left as the notebook has it: StringLookup and Embedding(32) per tower, the Retrieval task,
FactorizedTopK over `movies.batch(128).map(movie_model)`, Adagrad 0.5, batches of 8192 shuffled, then
cached, 10 epochs, evaluation in batches of 4096, BruteForce from the zipped data sets.
Left out, in TFRS's favour: the TensorBoard callback and Keras's progress bar.
"""

# ruff: noqa: E402
from __future__ import annotations

import os
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFRS 0.7 needs Keras 2
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

_BEGIN = time.perf_counter()

import argparse
import json
import platform
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

IMPORT_SECONDS = time.perf_counter() - _BEGIN

tf.get_logger().setLevel("ERROR")

DIM, LEARNING_RATE = 32, 0.5


class MovielensModel(tfrs.Model):  # type: ignore[misc]
    """A MovielensModel is the notebook's cell 86; `metrics_in_training` False trains faster."""

    def __init__(self, user_model: Any, movie_model: Any, *, task: Any, metrics_in_training: bool) -> None:
        super().__init__()
        self.movie_model, self.user_model, self.task = movie_model, user_model, task
        self.metrics_in_training = metrics_in_training
        self.traces = 0  # Python runs this code only while TensorFlow traces it

    def compute_loss(self, features: dict[str, Any], training: bool = False) -> Any:
        """Returns the loss of a batch; the task also updates the metrics."""
        self.traces += 1
        users = self.user_model(features["user_id"])
        positives = self.movie_model(features["movie_title"])
        if self.metrics_in_training:
            return self.task(users, positives)
        return self.task(users, positives, compute_metrics=not training)


class EpochTimes(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """An EpochTimes notes when each epoch ended."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self.at = time.perf_counter()
        self.seconds: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Notes the seconds of one epoch."""
        now = time.perf_counter()
        self.seconds.append(now - self.at)
        self.at = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.tsv, test.tsv, movies.txt")
    parser.add_argument("--metrics", choices=("on", "off"), required=True, help="metrics while training")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=3)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--user", default="21")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument(
        "--vectors", type=Path, help="write the trained vectors here, for butaca import-vectors"
    )
    args = parser.parse_args()
    tf.keras.utils.set_random_seed(args.seed)

    titles = args.data.joinpath("movies.txt").read_text(encoding="utf8").splitlines()
    movies = tf.data.Dataset.from_tensor_slices(titles)
    train, users = interactions(args.data / "train.tsv")
    test, more_users = interactions(args.data / "test.tsv")
    cached_train = train.shuffle(100_000).batch(8192).cache()
    cached_test = test.batch(4096).cache()

    user_model = tower(np.unique(np.concatenate([users, more_users])))
    movie_model = tower(np.unique(np.array([t.encode() for t in titles])))
    metrics = tfrs.metrics.FactorizedTopK(candidates=movies.batch(128).map(movie_model))
    model = MovielensModel(
        user_model,
        movie_model,
        task=tfrs.tasks.Retrieval(metrics=metrics),
        metrics_in_training=args.metrics == "on",
    )
    model.compile(optimizer=tf.keras.optimizers.Adagrad(learning_rate=LEARNING_RATE))

    # The first fit also traces the graph, shuffles and fills the cache.
    cold, cold_epochs, loss = fit(model, cached_train, epochs=args.epochs)
    out: dict[str, Any] = {"fit_cold": cold, "cold_epochs": cold_epochs, "train_loss": loss}
    if args.metrics == "off" and not args.vectors:
        # Warm: parameters and accumulators as before the first fit, the traced graph and the cache kept.
        traced = model.traces
        reset(model, args.seed)
        out["fit_warm"], out["warm_epochs"], out["warm_train_loss"] = fit(
            model, cached_train, epochs=args.epochs
        )
        if model.traces != traced:
            raise SystemExit("The warm fit traced the graph again: it would not be a warm fit.")

    if args.vectors:
        np.savez(
            args.vectors,
            user_vectors=model.user_model.layers[-1].embeddings.numpy()[
                1:
            ],  # the first is the unknown user's
            item_vectors=model.movie_model.layers[-1].embeddings.numpy()[1:],
            user_ids=np.array(model.user_model.layers[0].get_vocabulary(include_special_tokens=False)),
            item_ids=np.array(model.movie_model.layers[0].get_vocabulary(include_special_tokens=False)),
        )

    evaluate: list[float] = []
    for _ in range(args.evaluations + 1):
        begin = time.perf_counter()
        out["metrics"] = {
            n: float(v) for n, v in model.evaluate(cached_test, return_dict=True, verbose=0).items()
        }
        evaluate.append(time.perf_counter() - begin)
    out["evaluate_cold"], out["evaluate"] = evaluate[0], evaluate[1:]

    if args.queries:
        out["query"], out["titles"] = queries(model, movies, user=args.user, k=args.k, n=args.queries)
    out |= {
        "imports": IMPORT_SECONDS,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "tensorflow-recommenders": tfrs.__version__,
        },
    }
    print(json.dumps(out))


def interactions(path: Path) -> tuple[Any, Any]:
    """Returns a data set of {"user_id", "movie_title"} from a TSV, and its users."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf8").splitlines()]
    users = np.array([user.encode() for user, _ in rows])
    titles = np.array([title.encode() for _, title in rows])
    return tf.data.Dataset.from_tensor_slices({"user_id": users, "movie_title": titles}), users


def tower(vocabulary: Any) -> Any:
    """Makes a tower as the notebook's cells 81 and 70 do."""
    lookup = tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None)
    return tf.keras.Sequential([lookup, tf.keras.layers.Embedding(len(vocabulary) + 1, DIM)])


def fit(model: Any, data: Any, *, epochs: int) -> tuple[float, list[float], float]:
    """Returns the seconds of a fit, those of each epoch, and the loss that Keras printed last."""
    times = EpochTimes()
    begin = time.perf_counter()
    history = model.fit(data, epochs=epochs, verbose=0, callbacks=[times])
    seconds = time.perf_counter() - begin
    return seconds, times.seconds, float(history.history["loss"][-1])


def reset(model: Any, seed: int) -> None:
    """Draws new embeddings as Keras's own initializer does, and sets Adagrad back to its start."""
    for number, embedding in enumerate((model.user_model.layers[-1], model.movie_model.layers[-1])):
        start = tf.keras.initializers.RandomUniform(-0.05, 0.05, seed=seed + number)
        embedding.embeddings.assign(start(embedding.embeddings.shape))
    optimizer = model.optimizer
    optimizer.iterations.assign(0)
    accumulators = [v for v in optimizer.variables if "accumulator" in v.name]
    if len(accumulators) != 2:
        raise SystemExit(f"Adagrad has two accumulators here, not {[v.name for v in optimizer.variables]}")
    for variable in accumulators:
        variable.assign(tf.fill(variable.shape, optimizer.initial_accumulator_value))


def queries(model: Any, movies: Any, *, user: str, k: int, n: int) -> tuple[dict[str, float], list[str]]:
    """Returns the median seconds of one user's top k from BruteForce, called three ways, and the titles."""
    index = tfrs.layers.factorized_top_k.BruteForce(model.user_model)
    index.index_from_dataset(
        tf.data.Dataset.zip((movies.batch(100), movies.batch(100).map(model.movie_model)))
    )
    graph = tf.function(lambda asked: index(asked, k=k))
    concrete = graph.get_concrete_function(tf.TensorSpec([1], tf.string))
    ways: dict[str, Callable[[], Any]] = {
        "eager": lambda: index(tf.constant([user]), k=k),  # as the notebook calls it
        "tf.function": lambda: graph(tf.constant([user])),
        "concrete function": lambda: concrete(tf.constant([user])),
    }
    answer = [title.decode() for title in ways["eager"]()[1].numpy()[0]]
    return {name: median_seconds(call, n) for name, call in ways.items()}, answer


def median_seconds(call: Callable[[], Any], n: int) -> float:
    """Returns the median seconds of n calls, after n / 10 to warm up."""
    for _ in range(max(n // 10, 1)):
        call()
    seconds = []
    for _ in range(n):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
