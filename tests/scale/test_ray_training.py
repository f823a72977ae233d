"""Training by several processes of a real Ray cluster on loopback: same parameters, also after losses."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

import butaca
from butaca.cli.app import app
from butaca.data.histories import Histories
from butaca.errors import ClusterError, SettingError
from butaca.scale.ray_training import JobEvent, Patience, fit_on_ray
from butaca.scale.ray_worker import WorkerPlace
from butaca.train.batch import BatchPlan, UserRows
from butaca.train.batches import Batches
from butaca.train.checkpoints import position
from butaca.train.shares import SharedBatches
from tests.support.narrow import some
from tests.support.ray_training import (
    PATIENT,
    STARTS,
    Slow,
    assert_same,
    lose,
    parameters,
    small,
)

#: JAX warns of every fork; what Ray forks here starts another program at once.
pytestmark = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")


@pytest.fixture(scope="module")
def by_two(prepared_board, raylets, tmp_path_factory):
    """What two processes end with when nothing happens to them."""
    at = tmp_path_factory.mktemp("two")
    model, history = fit_on_ray(
        prepared_board.folder, small(prepared_board.dataset()), workers=2, checkpoint=at, patience=PATIENT
    )
    assert history.epoch == [0, 1, 2, 3]
    return parameters(model)


def test_one_two_and_four_processes_end_with_the_same_parameters(prepared_board, cluster, by_two, tmp_path):
    model, _ = small(prepared_board.dataset()).fit(prepared_board.dataset())  # one process, without Ray
    alone = parameters(model)
    assert_same(by_two, alone, 2e-4)
    events: list[JobEvent] = []
    for workers in (1, 4):
        found, at = small(prepared_board.dataset()), tmp_path / str(workers)
        model, _ = fit_on_ray(
            prepared_board.folder,
            found,
            workers=workers,
            checkpoint=at,
            patience=PATIENT,
            progress=events.append,
        )
        assert_same(parameters(model), alone, 2e-4)
    places = [e.places for e in events if e.kind == "started"]
    assert [len(set(p)) for p in places] == [1, 4]
    assert os.getpid() not in {place.pid for of in places for place in of}
    assert events[-1] == JobEvent("trained", (4, 0))


def test_the_command_trains_the_model_that_it_trains_alone(prepared_board, cluster, tmp_path):
    lists = []
    for name, how in (("alone", []), ("ray", ["--engine", "ray", "--workers", "2"])):
        out = tmp_path / name
        done = CliRunner().invoke(
            app, ["fit", str(prepared_board.folder), "--epochs", "1", "--out", str(out), *how]
        )
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
def test_options_that_do_not_go_together_are_refused(prepared_board, tmp_path, asked, said):
    done = CliRunner().invoke(
        app, ["fit", str(prepared_board.folder), "--out", str(tmp_path / "model"), *asked]
    )
    assert isinstance(done.exception, SettingError)
    assert said in str(done.exception)


@pytest.mark.parametrize(
    ("candidates", "mask"), [("full", "none"), ("sampled", "none"), ("sampled", "known")]
)
def test_shares_of_a_batch_make_up_the_whole_and_read_no_more(prepared_board, candidates, mask):
    """Three processes' item codes, one after another, are the whole batch's; all else is the whole's."""
    data = prepared_board.dataset()
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


def test_a_mesh_is_not_cut_to_some_devices(prepared_board, tmp_path):
    found = small(prepared_board.dataset())
    found = replace(found, model=replace(found.model, devices=2))
    with pytest.raises(SettingError, match="devices=2"):
        fit_on_ray(prepared_board.folder, found, workers=2, checkpoint=tmp_path)


def test_a_killed_worker_and_a_lost_machine_change_nothing(prepared_board, cluster, by_two, tmp_path):
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

    found = small(prepared_board.dataset())
    model, history = fit_on_ray(
        prepared_board.folder,
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


def test_a_worker_that_can_not_come_back_is_an_error(prepared_board, raylets, tmp_path):
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
            prepared_board.folder, small(prepared_board.dataset()), workers=cores, checkpoint=tmp_path,
            every_steps=2, patience=patience, progress=interfere, worker=Slow,
        )  # fmt: skip
    assert time.monotonic() - gone[0] < 60
    assert position(tmp_path) is not None
