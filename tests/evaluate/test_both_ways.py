"""This module tests judging both ways: with what people had before left out of lists, and allowed."""

from __future__ import annotations

import json

import numpy as np

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.evaluate.both_ways import MODEL, both_ways
from butaca.types import Codes, Floats

N = 20


class Always:
    """An Always gives everyone the same scores."""

    def __init__(self, best: int) -> None:
        self.best = best
        self.n_items = N

    def score(self, users: Codes) -> Floats:
        """Returns 1 for the best, and less for each further one."""
        row = -np.abs(np.arange(N, dtype=np.float32) - self.best)
        return np.tile(row, (len(users), 1))


def some(item: list[int]) -> Dataset:
    users, items = (Entities(name, Vocabulary.of(range(n))) for name, n in (("user", 30), ("item", N)))
    return Dataset(users, items, np.arange(30, dtype=np.int32), np.array(item, dtype=np.int32))


SEEN = Histories.of(some([0] * 30))  # everyone had 0
TEST = some([0] * 15 + [19] * 15)  # half have it again, half have 19


def test_both_ways_are_judged_on_the_same_pairs():
    found = both_ways({MODEL: Always(0), "popularity": Always(19)}, TEST, seen=SEEN)
    assert found is not None
    assert (found.n_test, found.n_again) == (30, 15)
    top = {
        (way, name): row.top_k(10)
        for way, rows in (("left out", found.left_out), ("allowed", found.allowed))
        for name, row in rows.items()
    }
    # 0 is hit only where it may stand in lists; 19 both ways
    assert top == {
        ("left out", MODEL): 0.0,
        ("left out", "popularity"): 0.5,
        ("allowed", MODEL): 0.5,
        ("allowed", "popularity"): 0.5,
    }
    assert found.verdicts["seen left out"].word("popularity") == "loses"
    assert found.verdicts["seen allowed"].word("popularity") != "loses"
    assert [s.partition(":")[0] for s in found.sentences] == [
        "What people had before left out",
        "What people had before allowed",
    ]
    said = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert said["seen allowed"]["rows"]["popularity"]["top-10"] == 0.5


def test_few_repeats_are_not_judged_both_ways():
    assert both_ways({MODEL: Always(0)}, some([0] + [19] * 29), seen=SEEN) is None


def test_what_is_known_is_not_judged_again():
    first = both_ways({MODEL: Always(0), "popularity": Always(19)}, TEST, seen=SEEN)
    assert first is not None
    known = {"seen left out": first.left_out, "seen allowed": {}}
    again = both_ways({MODEL: Always(5), "popularity": Always(5)}, TEST, seen=SEEN, known=known)
    assert again is not None
    assert again.left_out["popularity"] is first.left_out["popularity"]
    assert again.allowed["popularity"] is not first.allowed["popularity"]
