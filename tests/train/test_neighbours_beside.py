"""A fitted tower with what neighbours say beside it: as loud as it was asked for, the same everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from butaca.evaluate.scorers import answering
from butaca.model.features import History, Id
from butaca.model.neighbours import NeighbourSettings, neighbours
from butaca.recommend.recommender import Recommender
from butaca.train.callbacks import Checkpoint
from butaca.train.vectors import spread
from butaca.two_tower import TwoTower
from tests.support.narrow import some
from tests.support.ordered import ADAM, N_ITEMS, rounds

NEAR = NeighbourSettings(weight=0.4, near=8, most=5)


def tower(**more: object) -> TwoTower:
    settings: dict[str, object] = {"dim": 4, "unit": True, "temperature": 0.2, "seed": 1} | more
    return TwoTower((History(dropout=0.1),), (Id("item_id"),), **settings)  # type: ignore[arg-type]


def fitted(epochs: int = 2, **more: object) -> TwoTower:
    model = tower(**more)
    model.fit(rounds(), epochs=epochs, batch_size=256, optimizer=ADAM)
    return model


def test_it_is_so_loud_beside_what_was_trained_and_takes_no_training():
    model, plain = fitted(neighbours=NEAR), fitted()
    users = np.flatnonzero(model.seen.lengths).astype(np.int32)
    trained = plain.score(users)
    added = model.score(users) - trained
    assert spread(added) == pytest.approx(0.4 * spread(trained), rel=1e-4)
    np.testing.assert_array_equal(model.user_vectors, plain.user_vectors)
    own, want = some(model.query_tower.pairs), neighbours(model.seen, n_items=N_ITEMS, settings=NEAR)
    np.testing.assert_array_equal(own.item, want.item)
    np.testing.assert_array_equal(own.weight, want.weight)
    assert not own.reads_order


def test_it_counts_alike_wherever_a_history_comes_from(tmp_path: Path):
    """Stored, of given histories, in a request, later, in what explains it, and from a folder."""
    model = fitted(neighbours=NEAR)
    recommender = Recommender.build(model, rounds())
    code, ids = 7, model.items.ids.values
    want = model.score(np.array([code], np.int32))[0]
    np.testing.assert_allclose(
        answering(model, model.seen).score(np.array([code], np.int32))[0], want, rtol=1e-5
    )
    had = [ids[i] for i in model.seen[code]]
    left = sorted(set(range(N_ITEMS)) - set(model.seen[code].tolist()))
    recommender.save(tmp_path / "model")
    for one in (recommender, Recommender.load(tmp_path / "model")):
        for answer in (
            one.recommend(model.users.ids.values[code], N_ITEMS),
            one.recommend(None, N_ITEMS, history=had),
        ):
            scores = {item.id: item.score for item in answer.items}
            np.testing.assert_allclose([scores[ids[i]] for i in left], want[left], rtol=1e-4, atol=1e-4)
        parts = some(one.explain(ids.tolist(), None, history=had))
        np.testing.assert_allclose(parts.total(), want, rtol=1e-4, atol=1e-4)


def test_it_resumes_to_the_same_bits_and_asks_for_no_new_training(tmp_path: Path):
    """What is counted once trained is no part of what a checkpoint has to agree with."""
    plain = tower()
    plain.fit(rounds(), epochs=1, batch_size=256, optimizer=ADAM, callbacks=[Checkpoint(tmp_path)])
    model = tower(neighbours=NEAR)
    again = [Checkpoint(tmp_path)]
    model.fit(rounds(), epochs=2, batch_size=256, optimizer=ADAM, callbacks=again, resume=tmp_path)
    whole, users = fitted(neighbours=NEAR), np.arange(5, dtype=np.int32)
    np.testing.assert_array_equal(model.score(users), whole.score(users))
