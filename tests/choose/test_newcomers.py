"""People without a history get lists by what is known of them, where validation says that it helps."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from butaca import Category, History, Id, Recommender, TwoTower
from butaca.choose.newcomers import ForNewcomers, for_newcomers
from butaca.choose.slices import ValidationSlice
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.model.newcomers import Smoother, features_of_users, fit_newcomers
from butaca.recipes import DEFAULT
from butaca.scale.batch import write_lists
from butaca.workflows.choosing import Choosing
from butaca.workflows.fitting import fit
from tests.support.lists import rows_of
from tests.support.narrow import some

#: People, of whom the last two have had nothing, and items, of which each taste has half.
USERS, ITEMS = 62, 20


def people(*, told: bool) -> Dataset:
    """Returns people of two tastes, which their country tells, or which it has nothing to do with."""
    rng = np.random.default_rng(3)
    country = np.array(["es" if u % 2 else "pt" for u in range(USERS)], dtype=object)
    taste = np.arange(USERS) % 2 if told else rng.permutation(np.arange(USERS) % 2)
    user = np.repeat(np.arange(USERS - 2), 6)
    own = [rng.choice(ITEMS // 2, 6, replace=False) + taste[u] * (ITEMS // 2) for u in range(USERS - 2)]
    ids = Vocabulary.of([f"u{u:02d}" for u in range(USERS)])
    return Dataset(
        Entities("user", ids, {"country": country}),
        Entities("item", Vocabulary.of([f"i{i:02d}" for i in range(ITEMS)])),
        user.astype(np.int32),
        np.concatenate(own).astype(np.int32),
        name="people",
    )


def found(data: Dataset) -> ForNewcomers:
    """Returns the comparison on scores that know everybody's taste, and no term of the items."""
    part = ValidationSlice.of(data, "random")
    had = np.zeros((len(data.users), ITEMS), np.float32)
    np.add.at(had, (part.train.user, part.train.item), 1.0)
    halves = np.stack([had[:, : ITEMS // 2].sum(1), had[:, ITEMS // 2 :].sum(1)], axis=1)
    scores = np.repeat(halves, ITEMS // 2, axis=1)[part.users]
    out = for_newcomers(part, scores, term=np.zeros(ITEMS, np.float32))
    assert out is not None
    return out


def test_what_the_others_say_by_hand():
    """Two columns tell a, a, b, b apart; without the user in question the others' weighted ridge is fitted.

    Each of the four is left out in turn, and the intercept, which no ridge holds back, is fitted anew.
    """
    x = np.array([[1.0, 0.0], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0]])
    weight, y, ridge = np.array([1.0, 3.0, 2.0, 0.5]), np.array([[1.0], [3.0], [10.0], [20.0]]), 0.7
    smoother = Smoother.of(x, weight)
    w = weight / weight.mean()
    for i in range(4):
        rest = np.arange(4) != i
        a = np.column_stack([np.ones(3), x[rest]])
        gram = a.T @ (w[rest, None] * a) + np.diag([0.0, ridge, ridge])
        b = np.linalg.solve(gram, a.T @ (w[rest, None] * y[rest]))
        expected = (np.append(1.0, x[i]) @ b).item()
        assert smoother.left_out(y, ridge)[i, 0] == pytest.approx(expected)


def test_two_groups_give_the_means_of_their_people():
    """Vectors 1, 3 of a and 10, 20 of b, of one interaction each: as the items of test_cold.py."""
    users = Entities(
        "user", Vocabulary.of(list("pqrst")), {"group": np.array(["a", "a", "b", "b", "b"], object)}
    )
    vectors = np.array([[1.0], [3.0], [10.0], [20.0], [0.0]], np.float32)
    got = fit_newcomers(
        (Category("group"),),
        users,
        count=np.array([1, 1, 1, 1, 0]),
        vectors=vectors,
        items=np.ones((1, 1), np.float32),
    )
    assert got is not None
    np.testing.assert_allclose(got(users, np.array([0, 4]))[:, 0], [3.3, 13.7], rtol=1e-5)
    # of someone of whom nothing is known: the mean of all
    stranger = Entities("user", Vocabulary.of(["z"]), {"group": np.array(["?"], object)})
    np.testing.assert_allclose(got(stranger, np.array([0])), [[8.5]], rtol=1e-5)
    assert fit_newcomers((), users, count=np.ones(5, int), vectors=vectors, items=vectors) is None


def test_columns_that_tell_the_taste_are_used_and_others_are_not():
    """Who tells the taste has ten items to guess among, less those known; who does not has twenty."""
    told, silent = found(people(told=True)), found(people(told=False))
    assert told.used
    assert some(told.told).ours > some(told.told).theirs + 0.1
    assert "People without a history get lists by the users' columns country" in told.sentence
    assert not silent.used
    assert "country are not used" in silent.sentence
    assert "gets what most people chose" in silent.sentence
    for one in (told, silent):
        assert json.loads(json.dumps(one.as_json())) == one.as_json()


def test_where_next_to_nobody_has_a_history_it_is_said():
    """After a cut in time those who are asked about may all be new: then there is nobody to learn from."""
    data = people(told=True)
    part = ValidationSlice.of(data, "random")
    new = replace(part, users=np.array([60, 61], np.int32))
    found = for_newcomers(new, np.zeros((2, ITEMS), np.float32), term=np.zeros(ITEMS, np.float32))
    assert found is not None
    assert not found.used
    assert "fewer than two of the users" in found.sentence
    assert found.as_json() == {
        "columns": ["country"],
        "used": False,
        "users": 2,
        "sentence": found.sentence,
    }


def test_nothing_is_compared_where_a_table_says_nothing():
    data = people(told=True)
    plain = replace(data, users=Entities("user", data.users.ids))
    part = ValidationSlice.of(plain, "random")
    scores = np.zeros((len(part.users), ITEMS), np.float32)
    assert for_newcomers(part, scores, term=scores[0]) is None
    words = Vocabulary.of(["ana maria", "eva luz", "bea sol"])  # ids in words are ids all the same
    assert features_of_users(Entities("user", words)) == ()


def test_a_model_answers_who_had_nothing_by_what_is_known_and_all_others_as_before():
    data = people(told=True)
    towers = (History(),), (Id("item"),)
    plain, known = (
        TwoTower(*towers, dim=8),
        TwoTower(*towers, dim=8, newcomer_features=(Category("country"),)),
    )
    for model in (plain, known):
        model.fit(data, epochs=20)
    np.testing.assert_array_equal(plain.user_vectors[:60], known.user_vectors[:60])
    np.testing.assert_array_equal(plain.user_vectors[62], known.user_vectors[62])  # who is not known at all
    scores = known.score(np.array([60, 61], np.int32))
    best = np.argsort(-scores, axis=1)[:, : ITEMS // 2]
    assert set(best[0]) == set(range(ITEMS // 2))
    assert set(best[1]) == set(range(ITEMS // 2, ITEMS))
    # what counts as had since training decides who has nothing
    known.remember(data.take(np.flatnonzero(data.user != 7)))
    assert known.user_vectors[7] == pytest.approx(known.user_vectors[61], abs=0.2)
    with pytest.raises(SettingError, match="those of people without one"):
        TwoTower(newcomer_features=(History(),))


def test_a_fit_uses_them_says_so_and_keeps_it(tmp_path):
    data = people(told=True)
    base = replace(DEFAULT, steps=8)
    fitted = fit(data, base, split="none", choosing=Choosing("normal", base=base))
    assert [f.column for f in fitted.recipe.model.newcomer_features] == ["country"]
    said = [note for note in fitted.notes if "country" in note]
    assert len(said) == 1
    assert said[0].startswith("People without a history get lists by the users' columns country")
    saved = Recommender.load(fitted.recommender.save(tmp_path / "m"))
    assert saved.about["choice"]["newcomers"]["used"] is True
    halves = {"u60": {f"i{i:02d}" for i in range(10)}, "u61": {f"i{i:02d}" for i in range(10, 20)}}
    for user, own in halves.items():
        answer = saved.recommend(user, 10, explain=True)
        assert answer.source == "features"
        assert {item.id for item in answer.items} == own
    assert saved.recommend("nobody", 3).source == "popularity"
    # in bulk too
    write_lists(tmp_path / "m", tmp_path / "lists")
    listed = dict(rows_of(tmp_path / "lists"))["u61"]
    assert {item for item, _ in listed[:10]} == halves["u61"]


def test_a_quick_fit_says_what_it_does_not_read():
    data = people(told=True)
    fitted = fit(data, replace(DEFAULT, steps=8), split="none")
    said = [note for note in fitted.notes if "country" in note]
    assert len(said) == 1
    assert "--effort normal" in said[0]
    assert fitted.recommender.recommend("u60", 3).source == "popularity"


def test_histories_of_other_people_leave_those_without_one_known():
    """A split by user: the model is fitted on some, and answers for those it was given histories of."""
    data = people(told=True)
    some = data.take(np.flatnonzero(data.user < 50))
    model = TwoTower((History(),), (Id("item"),), dim=8, newcomer_features=(Category("country"),))
    model.fit(some, epochs=20)
    parts = Recommender.build(model, data)
    np.testing.assert_array_equal(parts.user_vectors[60:], model.user_vectors[60:])
    given = model.query_vectors(Histories.of(data))[55]
    np.testing.assert_allclose(parts.user_vectors[55], given, rtol=1e-5)
