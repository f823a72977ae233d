"""A ranked item's place is where the list without ranking has it, for people of whom nothing is known too."""

from __future__ import annotations

import numpy as np
import pytest

from butaca.recommend.answers import Item
from butaca.recommend.ranking import placed
from tests.support.two_stages import two_stages


@pytest.fixture(scope="module")
def model():
    return two_stages()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"user": "nobody knows"},
        {"user": "u03"},
        {"history": ["i00", "i03"]},
        {"exclude": ["i01", "i02"]},
        {"allow": [f"i{i:02d}" for i in range(5, 39)]},
    ],
    ids=str,
)
def test_places_are_those_of_the_list_without_ranking(model, asked):
    before = [item.id for item in model.recommend(k=40, rank=False, **asked).items]
    ranked = model.recommend(k=40, **asked).items
    assert {item.id for item in ranked} == set(before)
    assert [item.place for item in ranked] == [before.index(item.id) + 1 for item in ranked]
    assert all(type(item.place) is int for item in ranked)  # as JSON takes it
    assert [item.place for item in ranked] != sorted(item.place for item in ranked)


def test_places_by_hand():
    """Popularity 5, 9, 5, 7, 9; item 4 is excluded, item 3 not allowed: the order is 1, 0, 2."""
    popularity = np.array([5, 9, 5, 7, 9], np.float32)
    allowed = np.array([True, True, True, False, True])
    items = [Item(name, name, 0.0) for name in "cab"]
    found = placed(items, np.array([2, 0, 1]), popularity=popularity, excluded=np.array([4]), allowed=allowed)
    assert [item.place for item in found] == [3, 2, 1]
    assert allowed.tolist() == [True, True, True, False, True]
