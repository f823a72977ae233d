"""Differences over several splits: worked by hand, whole users drawn, and what is too little to say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from butaca.errors import SettingError
from butaca.evaluate.paired import PairedDifference, differences, means
from butaca.evaluate.protocol import Evaluation


def evaluation(ranks, user=None, n_items=200):
    user = np.arange(len(ranks)) if user is None else np.asarray(user)
    item = np.arange(len(ranks), dtype=np.int32)
    return Evaluation(np.asarray(ranks), n_items, True, None, user.astype(np.int32), item)


def of(found, label):
    (one,) = [d for d in found if d.label == label]
    return one


def test_an_interval_by_hand():
    """Five of ten users gain a hit: of ten draws Binomial(10, 1/2) are such users, 2 to 8 in the middle 95 %.

    P(at most 1) = 11 / 1024 = .011 and P(at most 2) = 56 / 1024 = .055, so the 2.5 % point is 2.
    """
    ours, theirs = evaluation([0] * 10), evaluation([0] * 5 + [150] * 5)
    found = of(differences([{"a": ours, "b": theirs}], "a"), "top-10")
    assert (found.other, found.value, found.low, found.high) == ("b", 0.5, 0.2, 0.8)
    assert (found.word, found.loses) == ("beats", False)


def test_what_is_the_same_for_everyone_has_no_width():
    found = differences([{"a": evaluation([0] * 12), "b": evaluation([1] * 12)}], "a")
    assert [(d.value, d.low, d.high) for d in found if d.label in {"top-10", "top-100", "Recall@20"}] == [
        (0.0, 0.0, 0.0)
    ] * 3
    # one relevant item each: 1 at the first place, 1 / log2(3) at the second
    ndcg = of(found, "NDCG@10")
    assert (ndcg.value, ndcg.low, ndcg.high) == pytest.approx((1 - 1 / math.log2(3),) * 3)


def test_a_user_is_drawn_with_the_pairs_of_all_splits():
    """Of two splits: top-10 is hits over pairs of both, recall the mean over a user's appearances in them."""
    runs = [
        {"a": evaluation([0] * 12), "b": evaluation([150] * 12)},
        {"a": evaluation([0] * 24, [*range(12)] * 2), "b": evaluation([0] * 24, [*range(12)] * 2)},
    ]
    found = differences(runs, "a")
    top = of(found, "top-10")
    assert top.value == pytest.approx(12 / 36)
    assert (top.low, top.high) == pytest.approx((12 / 36, 12 / 36))  # every user alike, so no draw differs
    assert of(found, "Recall@20").value == pytest.approx((12 * 1 + 12 * 0) / 24)
    assert means([run["b"] for run in runs])["top-10"] == pytest.approx(0.5)


def test_a_user_of_one_split_alone_takes_part():
    runs = [{"a": evaluation([0] * n), "b": evaluation([150] * n)} for n in (4, 12)]
    assert of(differences(runs, "a"), "top-10").value == 1.0


def test_too_few_users_have_no_interval():
    found = differences([{"a": evaluation([0] * 9), "b": evaluation([150] * 9)}], "a")
    assert {d.word for d in found} == {"open"}
    assert not any(d.loses for d in found)
    assert of(found, "top-10").value == 1.0


def test_every_other_is_compared_with_the_first_and_the_first_with_nobody():
    rows = {name: evaluation([at] * 12) for at, name in enumerate("abc")}
    assert [d.other for d in differences([rows], "b")] == ["a"] * 4 + ["c"] * 4
    assert differences([{"a": rows["a"]}], "a") == []


def test_the_other_side_turns_the_signs():
    turned = PairedDifference("b", "top-10", 0.2, -0.1, 0.4).turned("a")
    assert turned == PairedDifference("a", "top-10", -0.2, -0.4, 0.1)
    zero = PairedDifference("b", "top-10", 0.0, 0.0, 0.0).turned("a")
    assert math.copysign(1, zero.value) == 1  # not minus nothing


def test_other_pairs_are_refused():
    with pytest.raises(SettingError, match="same test pairs"):
        differences([{"a": evaluation([0] * 12), "b": evaluation([0] * 12, [0] * 12)}], "a")
