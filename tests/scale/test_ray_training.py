"""Training by several processes of a real Ray cluster on loopback: same parameters, also after losses."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from benchmarks.scale.traffic import bytes_sent, collective_bytes
from typer.testing import CliRunner

import butaca
from butaca.cli.app import app
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import ClusterError, SettingError
from butaca.recipes import Recipe, recipe
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared
from butaca.scale.ray_training import JobEvent, Patience, fit_on_ray, run
from butaca.scale.ray_worker import Job, Worker, WorkerPlace
from butaca.train.batch import BatchPlan, UserRows
from butaca.train.batches import Batches
from butaca.train.checkpoints import position
from butaca.train.shares import SharedBatches
from tests.support.boards import checkerboard
from tests.support.narrow import some

STARTS = 240.0  # seconds, on a busy machine
#: JAX warns of every fork; what Ray forks here starts another program at once.
pytestmark = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")

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
def board(tmp_path_factory):
    data = checkerboard(60, 24)
    return write(tmp_path_factory.mktemp("board") / "prepared", data.user, data.item)


@pytest.fixture(scope="module")
def by_two(board, raylets, tmp_path_factory):
    """What two processes end with when nothing happens to them."""
    at = tmp_path_factory.mktemp("two")
    model, history = fit_on_ray(
        board.folder, small(board.dataset()), workers=2, checkpoint=at, patience=PATIENT
    )
    assert history.epoch == [0, 1, 2, 3]
    return parameters(model)


@pytest.fixture(scope="module")
def several(board, raylets, tmp_path_factory):
    """The checkpoints of several recipes, trained by two processes."""
    complete(raylets)
    at = tmp_path_factory.mktemp("several")
    job = Job(str(board.folder), board.digest, small(board.dataset()), str(at), 0, 2)
    run(job, PATIENT, progress=lambda _: None, worker=Several)
    return at


def parameters(model: butaca.TwoTower) -> dict[str, np.ndarray]:
    found = some(model._fitted).run.parameters()
    assert {"bias", "candidate/tables/item_id", "query/history/table"} == set(found)
    return found


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], within: float) -> None:
    for name, values in wanted.items():
        assert float(np.abs(values).max()) > 0.05, name
        np.testing.assert_allclose(found[name], values, rtol=0, atol=within, err_msg=name)


def test_one_two_and_four_processes_end_with_the_same_parameters(board, cluster, by_two, tmp_path):
    model, _ = small(board.dataset()).fit(board.dataset())  # one process, without Ray
    alone = parameters(model)
    assert_same(by_two, alone, 2e-4)
    events: list[JobEvent] = []
    for workers in (1, 4):
        found, at = small(board.dataset()), tmp_path / str(workers)
        model, _ = fit_on_ray(
            board.folder, found, workers=workers, checkpoint=at, patience=PATIENT, progress=events.append
        )
        assert_same(parameters(model), alone, 2e-4)
    places = [e.places for e in events if e.kind == "started"]
    assert [len(set(p)) for p in places] == [1, 4]
    assert os.getpid() not in {place.pid for of in places for place in of}
    assert events[-1] == JobEvent("trained", (4, 0))


def trained_by_two(board, checkpoints: Path, name: str) -> tuple[Any, Any, Any, Any]:
    """What two processes made of a recipe, read from their checkpoint, and what one makes of it."""
    from butaca.train.callbacks import Checkpoint

    at, data = checkpoints / name, board.dataset()
    found = several_recipes(data)[name]
    model, history = found.fit(data, [Checkpoint(at, 0)], resume=at)
    alone, of_one = found.fit(data)
    return some(model._fitted).run.parameters(), history, some(alone._fitted).run.parameters(), of_one


def test_two_processes_draw_the_same_and_end_with_the_same_parameters(board, several):
    """A sampled softmax: the draws are split over the processes, the positives' slots are found by each."""
    assert several_recipes(board.dataset())["sampled"].model.mask_for("sampled") == "known"
    found, _, alone, _ = trained_by_two(board, several, "sampled")
    assert_same(found, alone, 2e-4)


@pytest.mark.parametrize("order", ["timescales", "attention"])
def test_histories_in_order_end_with_the_same_parameters(board, several, order):
    """Prepared data from the disk, on two processes and on one: each builds the windows whole."""
    found, _, alone, _ = trained_by_two(board, several, order)
    for name, values in alone.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=5e-4, err_msg=name)


def test_early_stopping_is_the_same_decision_in_every_process(board, several):
    """Every list is right from the first epoch on: two more without improvement, and its parameters."""
    found, history, alone, of_one = trained_by_two(board, several, "stopped early")
    assert history.epoch == of_one.epoch == [0, 1, 2]
    assert_same(found, alone, 2e-4)


def test_the_command_trains_the_model_that_it_trains_alone(board, cluster, tmp_path):
    lists = []
    for name, how in (("alone", []), ("ray", ["--engine", "ray", "--workers", "2"])):
        out = tmp_path / name
        done = CliRunner().invoke(app, ["fit", str(board.folder), "--epochs", "1", "--out", str(out), *how])
        assert done.exit_code == 0, done.output
        assert ("2 workers train from the beginning" in done.output) == bool(how)
        made = butaca.Recommender.load(out).recommend(user="u0007", k=5)
        lists.append({item.id: item.score for item in made.items})
    assert list(lists[0]) == list(lists[1])
    assert lists[0] == pytest.approx(lists[1], abs=1e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alone", "ray"]  # no checkpoint is left


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--workers", "2"], "--address and --workers are of a Ray cluster"),
        (["--engine", "ray", "--tensorboard", "logs"], "writes no TensorBoard logs"),
    ],
)
def test_options_that_do_not_go_together_are_refused(board, tmp_path, asked, said):
    done = CliRunner().invoke(app, ["fit", str(board.folder), "--out", str(tmp_path / "model"), *asked])
    assert isinstance(done.exception, SettingError)
    assert said in str(done.exception)


def test_processes_that_nothing_joins_are_refused(board, cluster, tmp_path):
    with pytest.raises(ClusterError, match="Received: 1 processes and 1 devices for 2 workers"):
        fit_on_ray(
            board.folder,
            small(board.dataset()),
            workers=2,
            checkpoint=tmp_path,
            patience=PATIENT,
            worker=Apart,
        )


@pytest.mark.parametrize(
    ("candidates", "mask"), [("full", "none"), ("sampled", "none"), ("sampled", "known")]
)
def test_shares_of_a_batch_make_up_the_whole_and_read_no_more(board, candidates, mask):
    """Three processes' item codes, one after another, are the whole batch's; all else is the whole's."""
    data = board.dataset()
    seen = Histories.of(data)
    plan = BatchPlan(size=90, candidates=candidates, samples=10, by="user", seed=3, mask=mask)
    assert SharedBatches.can(plan, data.item, histories=seen.items)
    assert not SharedBatches.can(plan, data.item.copy(), histories=seen.items)
    assert not SharedBatches.can(replace(plan, candidates="in_batch"), data.item, histories=seen.items)
    assert SharedBatches.can(replace(plan, mask="known"), data.item, histories=seen.items)
    assert not SharedBatches.can(replace(plan, mask="accidental"), data.item, histories=seen.items)
    whole: dict[str, Any] = {
        "n_users": 60,
        "n_items": 24,
        "plan": plan,
        "n_shards": 3,
        "rows_per_shard": 9,
        "histories": UserRows(seen.items, seen.start),
    }
    parts = [SharedBatches(data.user, data.item, **whole, process=p, n_processes=3) for p in range(3)]
    read: list[int] = []
    for part in parts:
        part.item = cast(Any, Reading(data.item, read))
    n_batches = 0
    for batch, *shares in zip(
        Batches(data.user, data.item, **whole).epoch(1), *(part.epoch(1) for part in parts), strict=True
    ):
        n_batches += 1
        for name in ("positive_slot", "item"):
            of = batch if name == "positive_slot" else batch.history
            wanted = getattr(of, name)
            got = [getattr(s if name == "positive_slot" else s.history, name) for s in shares]
            assert {len(g) for g in got} == {-(-len(wanted) // 3)}
            np.testing.assert_array_equal(np.concatenate(got)[: len(wanted)], wanted)
        for share in shares:
            assert (share.candidate_rows is None) == (candidates == "full")
            assert share.known_query is None
            if candidates == "sampled":
                np.testing.assert_array_equal(share.candidate_rows, batch.candidate_rows)
            for name in ("query_rows", "log_weight", "positive_query", "positive_weight"):
                np.testing.assert_array_equal(
                    getattr(share, name)[: len(getattr(batch, name))], getattr(batch, name)
                )
            np.testing.assert_array_equal(
                share.history.query[: len(batch.history.query)], batch.history.query
            )
            np.testing.assert_array_equal(
                share.history.weight[: len(batch.history.weight)], batch.history.weight
            )
    assert n_batches == 8
    assert sum(read) == 2 * len(data)  # once as positives, once as histories; by whole batches, thrice that


class Reading:
    """An array that counts what is read of it."""

    def __init__(self, values: np.ndarray, read: list[int]) -> None:
        self.values, self.read = values, read

    def __getitem__(self, rows: np.ndarray) -> Any:
        self.read.append(len(rows))
        return self.values[rows]


def test_a_mesh_is_not_cut_to_some_devices(board, tmp_path):
    found = small(board.dataset())
    found = replace(found, model=replace(found.model, devices=2))
    with pytest.raises(SettingError, match="devices=2"):
        fit_on_ray(board.folder, found, workers=2, checkpoint=tmp_path)


def test_what_a_step_sends_does_not_grow_with_the_catalogue_or_the_interactions(cluster, tmp_path):
    """Users of 10 items each, 30 to a batch: 8 times the items, then 4 times the users, the same bytes."""
    rng = np.random.default_rng(0)
    for name, n_users, n_items in (("base", 120, 64), ("catalogue", 120, 512), ("interactions", 480, 64)):
        user = np.repeat(np.arange(n_users), 10)
        item = np.concatenate([rng.choice(n_items, 10, replace=False) for _ in range(n_users)])
        (tmp_path / "data").mkdir(exist_ok=True)
        write(tmp_path / "data" / name, user, item)
    base = Prepared.open(tmp_path / "data" / "base")
    found = replace(small(base.dataset()), epochs=4, batch_size=300)
    out = tmp_path / "sent.json"
    job = Job(str(base.folder), base.digest, found, str(out), 0, 2)
    run(job, PATIENT, progress=lambda _: None, worker=Measuring)
    sent = json.loads(out.read_text(encoding="utf-8"))
    assert set(sent) == {"base", "catalogue", "interactions"}
    dim = found.model.dim
    for name, (in_program, measured) in sent.items():
        assert in_program == sent["base"][0], name
        assert measured == pytest.approx(sent["base"][1], rel=0.1), name
    assert 30 * dim * 4 < sent["base"][0]


def test_a_killed_worker_and_a_lost_machine_change_nothing(board, cluster, by_two, tmp_path):
    """SIGKILL to a worker after the first checkpoint, then to a raylet after a later one: the same bits."""
    events: list[JobEvent] = []

    def interfere(event: JobEvent) -> None:
        events.append(event)
        place = [e.places for e in events if e.places][-1][1]
        lost = sum(e.kind == "lost" for e in events)
        if event.kind == "saved" and lost == 0:
            os.kill(place.pid, signal.SIGKILL)
        if event.kind == "saved" and lost == 1 and len(cluster.worker_nodes) == 2:
            lose(cluster, place.node)

    found = small(board.dataset())
    model, history = fit_on_ray(
        board.folder,
        found,
        workers=2,
        checkpoint=tmp_path,
        every_steps=2,
        patience=PATIENT,
        progress=interfere,
        worker=Slow,
    )
    assert history.epoch == [0, 1, 2, 3]
    for name, values in by_two.items():
        np.testing.assert_array_equal(parameters(model)[name], values, err_msg=name)
    kinds = [e.kind for e in events if e.kind != "saved"]
    assert (kinds[:3], kinds[-1]) == (["started", "lost", "started"], "trained")
    assert kinds.count("lost") >= 2  # Ray may try a machine again before it sees that it is gone
    at = [e.position for e in events if e.kind == "started"]
    assert at[0] is None
    assert (0, 0) < some(at[1]) < some(at[-1]) < (4, 0)  # each went on where the one before had saved


def test_a_worker_that_can_not_come_back_is_an_error(board, raylets, tmp_path):
    """A worker on each core there is; a machine with two cores goes: no hang, and what was saved is there."""
    cores = 2 * len(raylets.worker_nodes)
    assert cores > 0
    places: list[tuple[WorkerPlace, ...]] = []
    gone: list[float] = []

    def interfere(event: JobEvent) -> None:
        if event.places:
            places.append(event.places)
        if event.kind == "saved" and not gone:
            gone.append(time.monotonic())
            lose(raylets, places[0][-1].node)
            object.__setattr__(patience, "start_within", 8.0)  # in vain, this time

    patience = Patience(start_within=STARTS)
    said = f"{cores - 2} of {cores} that started within 8 seconds, on a cluster of"
    with pytest.raises(ClusterError, match=said):
        fit_on_ray(
            board.folder, small(board.dataset()), workers=cores, checkpoint=tmp_path, every_steps=2,
            patience=patience, progress=interfere, worker=Slow,
        )  # fmt: skip
    assert time.monotonic() - gone[0] < 60
    assert position(tmp_path) is not None
