"""The leak guard: a field of the facts that was learned with what is to be found is refused by its name."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from butaca.baselines.item_knn import ItemKNN
from butaca.data.dataset import Entities
from butaca.rank.fact_check import check_facts, sampled
from butaca.rank.facts import Neighbours, TrainFacts
from butaca.rank.fit import fit_ranker
from butaca.rank.folds import Fold, examples_of, folds_of
from butaca.rank.kinds import default_features
from butaca.rank.leaks import LeakError, check_when
from butaca.rank.learn import FactSettings, learn_facts
from butaca.rank.settings import RankSettings
from tests.support.boards import checkerboard, rated_board
from tests.support.narrow import some

KEPT = FactSettings(neighbours=6, steps=8)


@pytest.fixture(scope="module")
def fold():
    """The one of three that hides the latest row of all."""
    folds = folds_of(rated_board(), n=3)
    return max(folds, key=lambda one: some(one.label.timestamp).max())


@pytest.fixture(scope="module")
def honest(fold):
    return learn_facts(fold.known, settings=KEPT)


@pytest.fixture(scope="module")
def knowing():
    return learn_facts(rated_board(), settings=KEPT)


PLAIN = ("users_of", "times", "counts", "first", "typical", "mean_rating", "rating", "spread")
MAPPED = (("label_share", "kind"), ("audience", "job"))
MODELS = ("together", "near", "linear")


def test_facts_of_what_is_known_pass(fold, honest):
    check_facts(honest, fold.known, label=fold.label, settings=KEPT)
    check_facts(learn_facts(fold.known), fold.known, label=fold.label)
    check_facts(
        replace(honest, neighbours={}, rating=None, spread=None), fold.known, label=fold.label, settings=KEPT
    )


@pytest.mark.parametrize("name", PLAIN)
def test_a_field_learned_with_the_answers_is_refused_by_name(fold, honest, knowing, name):
    with pytest.raises(LeakError, match=f"{name} learned elsewhere"):
        check_facts(
            replace(honest, **{name: getattr(knowing, name)}), fold.known, label=fold.label, settings=KEPT
        )


@pytest.mark.parametrize(("field", "column"), MAPPED)
def test_a_column_learned_with_the_answers_is_refused_by_name(fold, honest, knowing, field, column):
    leaky = {**getattr(honest, field), column: getattr(knowing, field)[column]}
    with pytest.raises(LeakError, match=rf"{field}\['{column}'\] learned elsewhere"):
        check_facts(replace(honest, **{field: leaky}), fold.known, label=fold.label, settings=KEPT)


@pytest.mark.parametrize("name", MODELS)
def test_neighbours_learned_with_the_answers_are_refused_by_name(fold, honest, knowing, name):
    leaky = {**honest.neighbours, name: knowing.neighbours[name]}
    with pytest.raises(LeakError, match=rf"neighbours\['{name}'\] learned elsewhere"):
        check_facts(replace(honest, neighbours=leaky), fold.known, label=fold.label, settings=KEPT)


def test_people_of_the_answers_are_refused():
    """User 0 has nothing known: the label alone tells that there is a 40th person."""
    data = rated_board()
    mine = data.user == 0
    known, label = data.take(np.flatnonzero(~mine)), data.take(np.flatnonzero(mine))
    facts = learn_facts(known, settings=KEPT)
    check_facts(facts, known, label=label, settings=KEPT)
    with pytest.raises(LeakError, match="people learned elsewhere: 40 where 39 is known"):
        check_facts(replace(facts, people=40), known, label=label, settings=KEPT)


def test_labels_chosen_by_the_answers_are_refused():
    """Kept are the two most frequent kinds: noir has 2 known, epic 1, and 3 with what is to be found."""
    board, kinds = checkerboard(8, 12), ["farce", "noir", "epic"]
    items = Entities("item_id", board.items.ids, {"kind": np.array([kinds[i % 3] for i in range(12)])})
    user, item = np.arange(8, dtype=np.int32), np.array([0, 0, 3, 1, 1, 2, 2, 2], np.int32)
    data = replace(board, items=items, user=user, item=item, value=None, timestamp=None)
    known, label, few = data.take(np.arange(6)), data.take(np.arange(6, 8)), FactSettings(labels=2)
    facts = learn_facts(known, settings=few)
    check_facts(facts, known, label=label, settings=few)
    with pytest.raises(LeakError, match=r"labels\['kind'\] learned elsewhere"):
        check_facts(
            replace(facts, labels=learn_facts(data, settings=few).labels), known, label=label, settings=few
        )


def test_a_model_that_known_data_do_not_allow_is_refused(fold, honest):
    timeless = replace(fold.known, timestamp=None)
    near = learn_facts(timeless, settings=KEPT)
    with pytest.raises(LeakError, match="'near'"):
        check_facts(
            replace(near, neighbours={"near": honest.neighbours["near"]}),
            timeless,
            label=fold.label,
            settings=KEPT,
        )
    with pytest.raises(LeakError, match="times learned elsewhere"):
        check_facts(honest, timeless, label=fold.label, settings=KEPT)


def test_strong_neighbours_that_are_missing_are_noticed(fold, honest):
    """Right weights of the weakest six in place of the strongest: no weight is wrong, and they say much."""
    whole = learn_facts(fold.known, settings=replace(KEPT, neighbours=20)).neighbours["together"]
    weakest = np.sort(np.argsort(whole.weights, axis=1, kind="stable")[:, :6], axis=1)
    cut = Neighbours(
        np.take_along_axis(whole.items, weakest, 1), np.take_along_axis(whole.weights, weakest, 1)
    )
    with pytest.raises(LeakError, match="'together'"):
        check_facts(
            replace(honest, neighbours={"together": cut}), fold.known, label=fold.label, settings=KEPT
        )


def test_every_field_is_looked_at():
    """A new field of the facts needs a check, and a test here; vectors are the first stage's."""
    tested = {*PLAIN, *(field for field, _ in MAPPED), "neighbours", "people", "labels"}
    of_tables = {"numbers", "group_of"}  # no interaction tells them; compared all the same
    assert set(TrainFacts.__dataclass_fields__) == tested | of_tables | {"vectors"}


def test_the_most_found_items_are_sampled(fold):
    items = sampled(fold.known, fold.label)
    count = np.bincount(fold.label.item, minlength=20)
    assert set(np.argsort(-count, kind="stable")[:4]) <= set(items.tolist())
    assert len(set(items.tolist())) == len(items) == 8


def test_other_settings_are_told_apart_from_leaks(fold):
    """Facts of other settings are right by those settings, which training passes on."""
    other = replace(KEPT, span=2.0, prior=2.0)
    facts = learn_facts(fold.known, settings=other)
    check_facts(facts, fold.known, label=fold.label, settings=other)
    with pytest.raises(LeakError, match="rating learned elsewhere"):
        check_facts(facts, fold.known, label=fold.label, settings=KEPT)
    first = ItemKNN().fit(fold.known)
    assert len(examples_of(fold, first, facts=facts, features=default_features(facts), n=10, settings=other))
    small = RankSettings(rounds=2, least=5, n_folds=2, held_out=0.0, candidates=10, facts=other)
    board = rated_board()
    ranker = fit_ranker(board, ItemKNN().fit, first=ItemKNN().fit(board), settings=small)
    assert ranker.settings.facts == other


@pytest.mark.parametrize("off", [-1.0, 1.0])
def test_a_fold_in_time_asks_between_what_is_known_and_what_is_to_be_found(off):
    fold = folds_of(rated_board(), "time", n=3, label=0.2)[-1]
    check_when(fold.known, fold.label, when=fold.when)
    check_when(fold.known, fold.label, when=None)
    known, label = some(fold.known.timestamp), some(fold.label.timestamp)
    moment = float(known.max()) if off < 0 else float(label.min()) + 1
    facts = learn_facts(fold.known)
    with pytest.raises(LeakError, match="known on the wrong" if off < 0 else "to be found on the wrong"):
        examples_of(
            Fold(fold.known, fold.label, moment),
            ItemKNN().fit(fold.known),
            facts=facts,
            features=default_features(facts),
            n=10,
        )
    with pytest.raises(LeakError, match="a time for every interaction"):
        check_when(replace(fold.known, timestamp=None), fold.label, when=fold.when)


def test_a_mean_rating_of_nothing_is_that_of_nothing(fold):
    unrated = replace(fold.known, value=None)
    facts = learn_facts(unrated)
    assert math.isnan(facts.mean_rating)
    check_facts(facts, unrated, label=fold.label)
    with pytest.raises(LeakError, match="mean_rating learned elsewhere"):
        check_facts(replace(facts, mean_rating=3.0), unrated, label=fold.label)
