"""Recipes of every kind on a real Ray cluster on loopback, and what their steps send."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from butaca.errors import ClusterError
from butaca.scale.prepared import Prepared
from butaca.scale.ray_training import fit_on_ray, run
from butaca.scale.ray_worker import Job
from tests.support.narrow import some
from tests.support.ray_training import (
    PATIENT,
    Apart,
    Measuring,
    Several,
    assert_same,
    complete,
    several_recipes,
    small,
    write,
)

#: JAX warns of every fork; what Ray forks here starts another program at once.
pytestmark = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")


@pytest.fixture(scope="module")
def several(prepared_board, raylets, tmp_path_factory):
    """The checkpoints of several recipes, trained by two processes."""
    complete(raylets)
    at = tmp_path_factory.mktemp("several")
    job = Job(
        str(prepared_board.folder), prepared_board.digest, small(prepared_board.dataset()), str(at), 0, 2
    )
    run(job, PATIENT, progress=lambda _: None, worker=Several)
    return at


def trained_by_two(prepared_board, checkpoints: Path, name: str) -> tuple[Any, Any, Any, Any]:
    """What two processes made of a recipe, read from their checkpoint, and what one makes of it."""
    from butaca.train.callbacks import Checkpoint

    at, data = checkpoints / name, prepared_board.dataset()
    found = several_recipes(data)[name]
    model, history = found.fit(data, [Checkpoint(at, 0)], resume=at)
    alone, of_one = found.fit(data)
    return some(model._fitted).run.parameters(), history, some(alone._fitted).run.parameters(), of_one


def test_two_processes_draw_the_same_and_end_with_the_same_parameters(prepared_board, several):
    """A sampled softmax: the draws are split over the processes, the positives' slots are found by each."""
    assert several_recipes(prepared_board.dataset())["sampled"].model.mask_for("sampled") == "known"
    found, _, alone, _ = trained_by_two(prepared_board, several, "sampled")
    assert_same(found, alone, 2e-4)


@pytest.mark.parametrize("order", ["timescales", "attention"])
def test_histories_in_order_end_with_the_same_parameters(prepared_board, several, order):
    """Prepared data from the disk, on two processes and on one: each builds the windows whole."""
    found, _, alone, _ = trained_by_two(prepared_board, several, order)
    for name, values in alone.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=5e-4, err_msg=name)


def test_early_stopping_is_the_same_decision_in_every_process(prepared_board, several):
    """Every list is right from the first epoch on: two more without improvement, and its parameters."""
    found, history, alone, of_one = trained_by_two(prepared_board, several, "stopped early")
    assert history.epoch == of_one.epoch == [0, 1, 2]
    assert_same(found, alone, 2e-4)


def test_processes_that_nothing_joins_are_refused(prepared_board, cluster, tmp_path):
    with pytest.raises(ClusterError, match="Received: 1 processes and 1 devices for 2 workers"):
        fit_on_ray(
            prepared_board.folder,
            small(prepared_board.dataset()),
            workers=2,
            checkpoint=tmp_path,
            patience=PATIENT,
            worker=Apart,
        )


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
