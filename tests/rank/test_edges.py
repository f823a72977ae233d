"""The second stage where there is little: few people, ratings that say nothing, lists of nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import butaca
from butaca.baselines.item_knn import ItemKNN
from butaca.data.histories import Histories
from butaca.rank.fit import fit_ranker, held_out_people
from butaca.rank.judge import judge_ranking
from butaca.rank.people import People
from butaca.rank.settings import RankSettings
from butaca.rank.two_stage import TwoStage
from tests.support.boards import rated_board
from tests.support.two_stages import two_stages

SMALL = RankSettings(rounds=4, least=2, n_folds=3, held_out=0.3, candidates=10, trained=4)


def knn(part):
    return ItemKNN().fit(part)


def fitted(data, settings=SMALL):
    return fit_ranker(data, knn, first=knn(data), settings=settings)


@pytest.mark.parametrize("people", [1, 2])
def test_a_ranker_of_few_people_whose_table_has_groups_without_anybody(people):
    """Of three jobs one or two are anybody's: who is in the others has nothing, and the share is 0."""
    data = rated_board()
    few = data.take(np.flatnonzero(data.user < people))
    ranker = fitted(few)
    assert np.isfinite(ranker.facts.audience["job"]).all()
    assert ranker.about["people"] == people


@pytest.mark.parametrize("target", ["watched", "graded"])
def test_ratings_that_are_all_missing_are_none(target):
    data = rated_board()
    data = replace(data, value=np.full(len(data), np.nan, np.float32))
    train, test = butaca.random_split(data, 0.2, seed=1)
    ranker = fitted(train, replace(SMALL, target=target))
    json.dumps(ranker.as_parts()[1], allow_nan=False)
    assert "rating_range" not in ranker.about
    assert ranker.ratings == ""
    verdict = judge_ranking(TwoStage(knn(train), ranker, Histories.of(train)), test)
    assert verdict.liked is verdict.graded is None


def test_ratings_of_held_out_people_alone_teach_nothing():
    data = rated_board()
    rated = np.isin(data.user, held_out_people(data.user, SMALL))
    assert rated.sum() > 20
    ranker = fitted(replace(data, value=np.where(rated, 4.0 + data.item % 2, np.nan).astype(np.float32)))
    assert ranker.ratings == ""


def test_examples_and_people_are_those_that_trees_learn_from():
    """40 people, of whom .3 are held out; of three folds, with 4 of 10 candidates or a few more each."""
    about = fitted(rated_board()).about
    assert about["people"] == 40 - 12
    assert 28 * 4 < about["examples"] <= 28 * 3 * 10
    wider = fitted(rated_board(), replace(SMALL, trained=10)).about
    assert wider["people"] == 28
    assert about["examples"] < wider["examples"] <= 28 * 3 * 10


@pytest.mark.parametrize("asked", [{}, {"user": "u03"}, {"user": "nobody knows"}], ids=str)
def test_a_list_of_nothing(asked):
    assert two_stages().recommend(allow=[], **asked).items == ()


def test_no_candidates_and_nobody():
    ranker = fitted(rated_board())
    seen = Histories.of(rated_board())
    three = People.of(np.array([0, 1, 2000], np.int32), seen)
    nobody = People.of(np.zeros(0, np.int32), seen)
    for people, n in ((three, 0), (nobody, 4)):
        shape = (len(people), n)
        assert (
            ranker.rank(people, np.zeros(shape, np.int32), scores=np.zeros(shape, np.float32)).items.shape
            == shape
        )
    short = ranker.rank(three, np.full((3, 4), -1, np.int32), scores=np.zeros((3, 4), np.float32))
    assert (short.items == -1).all()
