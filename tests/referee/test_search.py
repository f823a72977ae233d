"""Trials on validation are the same for all, drawn by the seed; one that fails counts for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.referee.peers.vectors import OfVectors
from butaca.referee.search import Between, OneOf, draws, search
from butaca.types import Floats
from tests.support.boards import checkerboard
from tests.support.contestants import FAILING, PARITY, parity
from tests.support.narrow import some


def test_draws_begin_with_the_start_and_repeat_nothing() -> None:
    space: dict[str, Between | OneOf] = {
        "k": Between(2, 5, whole=True),
        "x": Between(0.01, 10.0),
        "p": OneOf(("a", "b")),
    }
    start = {"k": 3, "x": 1.0, "p": "a", "kept": True}
    found = draws(start, space, trials=12, seed=4)
    assert found[0] == start
    assert len(found) == 12
    assert all(one not in found[:at] for at, one in enumerate(found))
    assert found == draws(start, space, trials=12, seed=4) != draws(start, space, trials=12, seed=5)
    assert all(one["k"] in {2, 3, 4, 5} and 0.01 <= one["x"] <= 10 and one["kept"] for one in found)


def test_a_space_that_is_used_up_ends_the_draws() -> None:
    assert draws({"p": 1}, {"p": OneOf((1, 2, 3))}, trials=9, seed=0)[1:] != []
    assert sorted(one["p"] for one in draws({"p": 1}, {"p": OneOf((1, 2, 3))}, trials=9, seed=0)) == [1, 2, 3]
    assert draws({"p": 1}, {}, trials=9, seed=0) == [{"p": 1}]


def test_a_scale_of_logarithms_draws_as_much_below_the_middle_as_above() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([Between(0.01, 100.0).draw(rng) for _ in range(400)])
    assert 0.4 < np.mean(drawn < 1) < 0.6
    even = np.array([Between(0.0, 100.0, even=True).draw(rng) for _ in range(400)])
    assert 0.4 < np.mean(even < 50) < 0.6


def test_the_best_on_validation_is_taken(wide: Dataset) -> None:
    found = search(parity, wide, start=PARITY.start, space=PARITY.space, split="random", trials=5, seed=1)
    assert found.settings == {"good": 1.0}
    assert found.tried == 2  # there are no more
    assert found.value > 0.5


def test_one_that_fails_counts_for_nothing(wide: Dataset) -> None:
    space = {"good": OneOf((None, -1.0))}
    found = search(parity, wide, start={"good": None}, space=space, split="random", trials=5, seed=1)
    assert found.settings == {"good": -1.0}
    with pytest.raises(SettingError, match="RuntimeError: out of luck"):
        search(
            FAILING.fit, wide, start={"a": 1}, space={"a": OneOf((1, 2))}, split="random", trials=2, seed=1
        )


def test_nothing_is_judged_where_there_is_nothing_to_choose_or_to_hold_out(wide: Dataset) -> None:
    one = search(parity, wide, start=PARITY.start, space=PARITY.space, split="random", trials=1, seed=1)
    assert (one.settings, one.tried) == (PARITY.start, 0)
    few = wide.take(np.arange(1))
    none = search(parity, few, start=PARITY.start, space=PARITY.space, split="random", trials=5, seed=1)
    assert (none.settings, none.tried) == (PARITY.start, 0)


@pytest.fixture(scope="module")
def wide() -> Dataset:
    return checkerboard(60, 24)


class Halves(OfVectors):
    """Has vectors of its own for those it was fitted on, twice those that it folds in."""

    def _learn(self, matrix) -> None:
        self._item_vectors = np.eye(matrix.shape[1], dtype=np.float32)
        self._user_vectors = 2 * self._fold_in(matrix)

    def _fold_in(self, matrix) -> Floats:
        vectors: Floats = matrix.toarray()
        return vectors


def test_vectors_answer_those_that_they_were_fitted_on_and_fold_others_in() -> None:
    from butaca.data.histories import Histories

    data = checkerboard(4, 4)  # users 0 and 2 had items 2 and 0, users 1 and 3 items 3 and 1
    fitted = Halves().fit(data)
    assert fitted.score(np.array([0, 1])).tolist() == [[0, 0, 2, 0], [0, 0, 0, 2]]
    popular = [1.0, 1.0, 1.0, 1.0]
    assert fitted.score(np.array([9, -1])).tolist() == [popular, popular]
    user, item = np.array([0, 0], dtype=np.int32), np.array([1, 3], dtype=np.int32)
    others = fitted.answering(Histories.from_pairs(user, item, n_users=4))
    assert others.score(np.array([0, 1])).tolist() == [[0, 1, 0, 1], popular]
    assert some(fitted._user_vectors).shape == (4, 4)
