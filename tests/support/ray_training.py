"""A Ray cluster of three machines on loopback, what trains on it, and workers that tests interfere with."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.scale.traffic import bytes_sent, collective_bytes

import butaca
from butaca.data.dataset import Dataset
from butaca.recipes import Recipe, recipe
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared
from butaca.scale.ray_training import Patience
from butaca.scale.ray_worker import Worker
from butaca.train.shares import SharedBatches
from tests.support.boards import checkerboard
from tests.support.narrow import some

STARTS = 240.0  # seconds, on a busy machine
HERE = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
PATIENT = Patience(start_within=STARTS)


class Slow(Worker):
    """A tenth of a second per step, so that a test can interfere."""

    def _fit(self, train: Dataset, resume: bool) -> int:
        from butaca.train.callbacks import Checkpoint

        kept = Checkpoint.on_train_batch_end

        def slowly(self, batch, logs=None):
            time.sleep(0.1)
            kept(self, batch, logs)

        Checkpoint.on_train_batch_end = slowly  # type: ignore[method-assign]
        return super()._fit(train, resume)


class Apart(Worker):
    """Does what Ray's own trainer does with workers on CPUs: nothing joins them."""

    def join(self, rank: int, coordinator: str) -> None:
        pass


class Several(Worker):
    """Trains several recipes, one after another: processes that start once for all of them."""

    def _fit(self, train: Dataset, resume: bool) -> int:
        from butaca.train import loop, shares
        from butaca.train.callbacks import Checkpoint

        place = shares.place_batch

        def place_shares(batch, batches, *, mesh):
            assert isinstance(batches, SharedBatches), "each process reads whole batches"
            return place(batch, batches, mesh=mesh)

        for name, found in several_recipes(train).items():
            loop.place_batch = place_shares if name == "sampled" else place  # type: ignore[attr-defined]
            found.fit(train, [Checkpoint(Path(self.job.checkpoint) / name, 0)])
        return 0


class Measuring(Worker):
    """Trains on each of some prepared folders, and writes down what steps send."""

    def _fit(self, train: Dataset, resume: bool) -> int:
        import jax

        from butaca.train.callbacks import Callback
        from butaca.train.loop import TrainingRun

        class Count(Callback):
            run: TrainingRun

            def __init__(self) -> None:
                self.sent: list[int] = []

            def on_train_batch_end(self, batch, logs=None):
                jax.block_until_ready((self.run.towers, logs["loss"]))
                self.sent.append(bytes_sent())

        out = {}
        for folder in sorted(Path(self.job.folder).parent.iterdir()):
            count = Count()
            data = Prepared.open(folder).dataset()
            model, _ = self.job.recipe.fit(data, [count])
            step = some(model._fitted).run
            batch = next(iter(step._on_devices(step.batches.epoch(0))))
            compiled: Any = step._step
            lowered = compiled.lower(step.towers, step.optimizer_state, step.features, batch, np.uint32(0))
            between = np.diff(count.sent)
            assert isinstance(step.batches, SharedBatches)
            out[folder.name] = [collective_bytes(lowered.compile().as_text()), float(np.median(between))]
        if jax.process_index() == 0:
            Path(self.job.checkpoint).write_text(json.dumps(out), encoding="utf-8")
        return 0


def write(folder: Path, user: np.ndarray, item: np.ndarray) -> Prepared:
    """Prepared data of these pairs, all to train on."""
    table = folder.parent.with_suffix(f".{folder.name}.csv")
    lines = (f"u{u:04d},i{i:04d},{n % 5},{n * 60}" for n, (u, i) in enumerate(zip(user, item, strict=True)))
    table.write_text("\n".join(["user_id,item_id,rating,timestamp", *lines]), encoding="utf-8")
    prepare(table, folder, settings=Preparing(split="none", workers=1))
    return Prepared.open(folder)


def small(data: Dataset, held_out: int = 0) -> Recipe:
    """The default recipe, adapted to data, 4 epochs of 8 steps."""
    return replace(
        recipe("default").for_data(data), epochs=4, batch_size=90, learning_rate=0.01, held_out=held_out
    )


def several_recipes(data: Dataset) -> dict[str, Recipe]:
    """What two processes train as one does: each by the name of what is its own."""
    found = small(data)
    of_order = replace(found, epochs=2, batch_size=200, learning_rate=0.005)
    made = {
        "sampled": replace(found, model=replace(found.model, softmax="sampled", samples=8)),
        "stopped early": small(data, held_out=30),
    }
    for order in ("timescales", "attention"):
        in_order = recipe("default").ordered(order).for_data(data)
        made[order] = replace(of_order, model=in_order.model)
    return made


def complete(cluster) -> None:
    """Two raylets with two cores each."""
    for _ in range(2 - len(cluster.worker_nodes)):
        cluster.add_node(num_cpus=2, wait=False, **HERE)
    cluster.wait_for_nodes(timeout=60)


def lose(cluster, node_id: str) -> None:
    """A machine that stops: its raylet and all its workers are killed."""
    (raylet,) = (node for node in cluster.worker_nodes if node.node_id == node_id)
    cluster.remove_node(raylet, allow_graceful=False)


@pytest.fixture
def cluster(raylets):
    """Two raylets, also where the test before has lost one."""
    complete(raylets)
    return raylets


@pytest.fixture(scope="module")
def raylets():
    """A head without cores and two raylets with two each, on 127.0.0.1; this process is their driver."""
    before = dict(os.environ)
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    root = Path(__file__).parents[2]
    os.environ["PYTHONPATH"] = (
        f"{root}{os.pathsep}{root / 'src'}"  # this module and this tree, in the workers
    )
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # there: each process compiles its steps, and runs few
    import ray
    from ray.cluster_utils import Cluster

    notices = {"health_check_period_ms": 1000}  # a dead machine after 5 seconds, not 15
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": notices, **HERE})
    try:
        complete(made)
        ray.init(made.address, log_to_driver=False, logging_level=logging.ERROR)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def prepared_board(tmp_path_factory):
    """A checkerboard of 60 users and 24 items, prepared."""
    data = checkerboard(60, 24)
    return write(tmp_path_factory.mktemp("board") / "prepared", data.user, data.item)


def parameters(model: butaca.TwoTower) -> dict[str, np.ndarray]:
    found = some(model._fitted).run.parameters()
    assert {"bias", "candidate/tables/item_id", "query/history/table"} == set(found)
    return found


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], within: float) -> None:
    for name, values in wanted.items():
        assert float(np.abs(values).max()) > 0.05, name
        np.testing.assert_allclose(found[name], values, rtol=0, atol=within, err_msg=name)
