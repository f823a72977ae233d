"""Items without interactions, known by their features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import butaca
from butaca.data.bags import Bags
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import FeatureError, SettingError
from butaca.model.cold import (
    MAX_COLUMNS,
    ColdItems,
    ItemVectors,
    encoded_rows,
    features_of,
    fit_cold,
    in_scores,
    least_left_out,
)
from butaca.model.features import Bag, Buckets, Category, History, Number, Text, unknown_row
from butaca.recipes import DEFAULT, NOTEBOOK
from butaca.two_tower import TwoTower
from butaca.workflows.about import describe
from tests.support.commands import loaded_after
from tests.support.narrow import some


def text(*values):
    return np.array(values, dtype=object)


def table(n, **columns):
    return Entities("film", Vocabulary.of([f"f{i:03d}" for i in range(n)]), columns)


# By hand.


def test_two_values_give_the_means_of_their_items_when_the_ridge_is_small():
    """Items a, a, b, b at 1, 3, 10, 20, all with one interaction: x is +-, weights alike.

    The block (a, b) has variance 1/4 + 1/4, so it is scaled by sqrt 2; centred, a row is
    +-(1, -1) / sqrt 2, of length 1. The Gram matrix has the eigenvalue 4 (and 0), so ridge r keeps
    4 / (4 + r) of each mean's distance from 8.5: at r = 1, 8.5 -+ 6.5 * 0.8 = 3.3 and 13.7.
    """
    films = table(4, kind=text("a", "a", "b", "b"))
    rows = ItemVectors(None, None, np.array([[1.0], [3.0], [10.0], [20.0]], np.float32), None)
    cold = fit_cold(
        (Category("kind"),), films, count=np.ones(4, int), rows=rows, queries=np.ones((1, 1), np.float32)
    )
    assert cold is not None
    got = cold(films)
    np.testing.assert_allclose(got.items[:, 0], [3.3, 3.3, 13.7, 13.7], rtol=1e-5)
    assert got.history is None
    assert got.head is None
    assert got.bias is None
    # A value never seen is the mean of the known; so is a column that a table lacks.
    new = Entities("film", Vocabulary.of(["x"]), {"kind": text("zzz")})
    np.testing.assert_allclose(cold(new).items, [[8.5]], rtol=1e-5)
    np.testing.assert_allclose(cold(Entities("film", Vocabulary.of(["x"]))).items, [[8.5]], rtol=1e-5)


def test_items_weigh_by_the_log_of_their_interactions():
    """One value for all, so that nothing but the intercept is learned: the weighted mean.

    log(1 + 1) : log(1 + 7) is 1 : 3, and (1 * 0 + 3 * 8) / 4 = 6. In the bias all count alike: (8 + 0) / 2.
    """
    films = table(3, kind=text("a", "a", "a"))
    items = np.array([[0.0], [8.0], [99.0]], np.float32)
    rows = ItemVectors(None, None, items, np.array([8.0, 0.0, 99.0], np.float32))
    cold = fit_cold(
        (Category("kind"),), films, count=np.array([1, 7, 0]), rows=rows, queries=np.ones((1, 1), np.float32)
    )
    assert cold is not None
    got = cold(films)
    np.testing.assert_allclose(got.items[:, 0], 6.0, rtol=1e-5)
    np.testing.assert_allclose(some(got.bias), 4.0, rtol=1e-5)


def test_leave_one_out_is_what_leaving_out_gives():
    rng = np.random.default_rng(0)
    n, f = 30, 5
    x, y = rng.normal(size=(n, f)), rng.normal(size=(n, 2))
    y += 3 * x[:, :2]
    x -= x.mean(axis=0)  # the hat matrix of a regression with an intercept
    values, turn = np.linalg.eigh(x.T @ x)

    def by_hand(ridge):
        total = 0.0
        for i in range(n):
            rest = np.arange(n) != i
            mean_x, mean_y = x[rest].mean(axis=0), y[rest].mean(axis=0)
            a = x[rest] - mean_x
            w = np.linalg.solve(a.T @ a + ridge * np.eye(f), a.T @ (y[rest] - mean_y))
            total += float(np.square(y[i] - mean_y - (x[i] - mean_x) @ w).sum())
        return total

    from butaca.model import cold

    best = min(cold.RIDGES, key=by_hand)
    found = least_left_out(x @ turn, values, y=y - y.mean(axis=0), lever=np.full(n, 1 / n))
    assert found == best < max(cold.RIDGES)


def test_errors_are_measured_in_scores():
    rng = np.random.default_rng(1)
    few = rng.normal(size=(8, 3)).astype(np.float32)
    error = rng.normal(size=4)
    exact = np.mean((few @ error[:3] + error[3]) ** 2)
    assert np.square(in_scores(few, True) @ error).sum() == pytest.approx(exact)
    many = rng.normal(size=(5000, 3)).astype(np.float32)
    turns = np.square(in_scores(many, False, dim=512) @ error[:3]).sum()
    assert turns == pytest.approx(np.mean((many @ error[:3]) ** 2), rel=0.3)


def test_rows_are_codes_and_weights_and_an_empty_bag_is_unknown():
    films = table(3, genres=Bags.of([["a", "b"], [], ["b"]]), year=np.array([1.0, np.nan, 3.0]))
    encoders = (Bag("genres").fit(films), Number("year").fit(films))
    x = encoded_rows(encoders, films, rows=np.array([0, 1, 2]))
    assert x.tolist() == [[0.5, 0.5, 0, -1, 0], [0, 0, 1, 0, 1], [0, 1, 0, 1, 0]]
    assert encoded_rows(encoders, films, rows=np.array([2])).tolist() == [[0, 1, 0, 1, 0]]


def test_columns_beyond_the_limit_are_the_rare_ones():
    n = MAX_COLUMNS + 60
    films = table(2 * n, kind=text(*[f"k{i % n:05d}" if i >= n else "k00000" for i in range(2 * n)]))
    y = np.zeros((2 * n, 1), np.float32)
    y[:n] = 1.0
    rows = ItemVectors(None, None, y, None)
    cold = fit_cold(
        (Category("kind"),), films, count=np.ones(2 * n, int), rows=rows, queries=np.ones((1, 1), np.float32)
    )
    assert cold is not None
    assert cold.weights.shape == (n + 1, 1)
    assert (cold.weights[-61:-1] == 0).all()
    assert (cold.weights[:50] != 0).all()
    assert cold(films).items[0, 0] > 0.5 > cold(films).items[-1, 0]


def test_buckets_are_even_and_go_on_beyond_their_edges():
    films = table(8, year=np.array([1.0, 2, 3, 4, 5, 6, 7, np.nan]))
    encoder = Buckets("year", n=2).fit(films)
    assert encoder.feature == Buckets("year", 2, (4.0,))
    assert encoder.n_rows == 3
    codes, weights = encoder.encode(np.array([-9.0, 3.9, 4.0, 99.0, np.inf, np.nan]))
    assert codes[:, 0].tolist() == [0, 0, 1, 1, 1, 2]
    assert weights is None
    assert unknown_row(encoder).codes.tolist() == [[2]]
    same = Buckets("year").fit(table(3, year=np.array([5, 5, 5])))
    assert len(same.vocabulary) == 1
    missing = Buckets("year").fit(table(1, year=np.array([np.nan])))
    assert missing.encode(np.array([np.nan, 1.0])).codes.tolist() == [[1], [0]]
    with pytest.raises(FeatureError, match=r"Buckets takes a column of numbers.*'old'"):
        Buckets("year").fit(table(1, year=text("old")))
    with pytest.raises(FeatureError, match="Declare Bag"):
        Buckets("year").fit(table(1, year=Bags.of([[1]])))


# In the model.


def without(data: Dataset, items: list[int]) -> Dataset:
    return data.take(np.flatnonzero(~np.isin(data.item, items)))


def fitted(train: Dataset, **changes) -> TwoTower:
    made = DEFAULT.for_data(train)
    model, _ = replace(made, model=replace(made.model, **changes)).fit(train)
    return model


EVERYBODY = np.arange(20, dtype=np.int32)
NEW = [4, 5]  # of the checkerboard: one even, one odd


@pytest.fixture(scope="module")
def train(board):
    return without(board, NEW)


def test_an_unseen_item_of_ones_own_genre_scores_above_one_of_the_other(train):
    model = fitted(train)
    scores = model.score(EVERYBODY)
    even = np.arange(20) % 2 == 0
    assert (scores[even, 4] > scores[even, 5]).all()
    assert (scores[~even, 5] > scores[~even, 4]).all()
    # Among its own kind it is one of them, not a hit nor the last of all.
    assert (scores[even, 4] > scores[even][:, 1::2].max(axis=1)).all()
    blind = fitted(train, cold_features=()).score(EVERYBODY)
    assert not (blind[even, 4] > blind[even][:, 1::2].max(axis=1)).any()


def test_what_has_interactions_stays_to_the_bit(train):
    plain, model = fitted(train, cold_features=()), fitted(train)
    warm = ~np.isin(np.arange(16), NEW)
    one, other = plain._vectors(), model._vectors()
    biases = some(one.bias), some(other.bias)
    towers = some(one.tower), some(other.tower)
    tables = [some(tower.history).table for tower in towers]
    heads = [some(tower.head) for tower in towers]
    for a, b in (
        (one.users, other.users),
        (one.items[warm], other.items[warm]),
        (biases[0][warm], biases[1][warm]),
        (tables[0][warm], tables[1][warm]),
        (heads[0][warm], heads[1][warm]),
    ):
        np.testing.assert_array_equal(a, b)
    assert towers[0].head_scale == towers[1].head_scale
    for a, b in (
        (one.items, other.items),
        (biases[0][:, None], biases[1][:, None]),
        (tables[0], tables[1]),
        (heads[0], heads[1]),
    ):
        assert (a[NEW] != b[NEW]).any(axis=1).all()
    assert plain.cold is None
    assert isinstance(model.cold, ColdItems)


def test_without_new_items_nothing_changes_and_the_map_is_there(board):
    plain, model = fitted(board, cold_features=()), fitted(board)
    np.testing.assert_array_equal(plain.item_vectors, model.item_vectors)
    np.testing.assert_array_equal(plain.item_bias, model.item_bias)
    rows, tower = some(model.cold)(board.items), some(model.query_tower)
    assert rows.items.shape == model.item_vectors.shape
    assert some(rows.history).shape == some(tower.history).table.shape
    assert some(rows.head).shape == some(tower.head).shape
    assert some(rows.bias).shape == (16,)


def test_a_table_of_further_items(board):
    """What was never seen counts as unknown; the rest places them."""
    model = fitted(board)
    further = Entities(
        "item_id",
        Vocabulary(text("new even", "new odd", "odd one out")),
        {
            "title": text("Film 99 (2050)", "", "Une île"),
            "genres": Bags.of([["film", "even"], ["odd"], ["western"]]),
            "year": np.array([2050.0, np.nan, -1.0]),
        },
    )
    cold = some(model.cold)
    rows = cold(further)
    assert np.isfinite(rows.items).all()
    scores = model.user_vectors[:-1] @ rows.items.T + some(rows.bias)
    even = np.arange(20) % 2 == 0
    assert (scores[even, 0] > scores[even, 1]).all()
    assert (scores[~even, 1] > scores[~even, 0]).all()
    assert len(cold(replace(further, ids=Vocabulary(text()), columns={})).items) == 0
    with pytest.raises(FeatureError, match="'genres'"):
        cold(replace(further, columns={**further.columns, "genres": text("a", "b", "c")}))


def test_a_new_item_in_a_history_tells_of_its_kind(train):
    """Nobody trained on item 4, and whoever brings it is offered even ones."""
    model = fitted(train)
    seen = butaca.Histories.from_pairs(np.array([0, 1]), np.array(NEW), n_users=2)
    scores = model.answering(seen).score(np.array([0, 1]))
    even = [i for i in range(0, 16, 2) if i not in NEW]
    odd = [i for i in range(1, 16, 2) if i not in NEW]
    assert scores[0, even].min() > scores[0, odd].max()
    assert scores[1, odd].min() > scores[1, even].max()


def test_remembering_new_items_changes_those_users_alone(train, board):
    model = fitted(train)
    before, items = model.user_vectors, model.item_vectors
    had = np.isin(np.arange(20), board.user[np.isin(board.item, NEW)])
    rows = np.flatnonzero((board.user < 3) | ~np.isin(board.item, NEW))
    model.remember(board.take(rows))
    changed = (model.user_vectors != before).any(axis=1)
    assert had[:3].all()
    assert changed.tolist() == [True] * 3 + [False] * 18
    np.testing.assert_array_equal(model.item_vectors, items)


def test_the_same_fit_gives_the_same_bits(train):
    one, other = fitted(train), fitted(train)
    np.testing.assert_array_equal(one.item_vectors, other.item_vectors)
    np.testing.assert_array_equal(some(one.cold).weights, some(other.cold).weights)


def test_a_tower_of_ids_places_new_items_too(train):
    model = TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], cold_features=(Bag("genres"),))
    model.fit(train, epochs=20)
    scores, even = model.score(EVERYBODY), np.arange(20) % 2 == 0
    assert (scores[even, 4] > scores[even, 5]).all()
    rows = some(model.cold)(train.items)
    assert rows.history is None
    assert rows.head is None
    assert rows.bias is None


def test_data_without_features_work_as_before(board):
    bare = replace(board, items=replace(board.items, columns={}))
    assert DEFAULT.for_data(bare).model.cold_features == ()
    model = fitted(without(bare, NEW))
    assert model.cold is None
    assert np.isfinite(model.score(EVERYBODY[:3])).all()


def test_one_item_with_interactions_teaches_nothing(board):
    one = board.take(np.flatnonzero(board.item == 3))
    assert fitted(one).cold is None


def test_settings_say_what_is_wrong(train):
    with pytest.raises(SettingError, match="belongs to the query tower"):
        TwoTower(cold_features=(History(),))
    with pytest.raises(FeatureError, match="'studio'"):
        fitted(train, cold_features=(Category("studio"),)).cold  # noqa: B018


# Which columns.


def test_features_of_a_table_by_the_kind_of_its_columns():
    n = 40
    films = Entities(
        "title",
        Vocabulary.of([f"Film {i:02d} (1990)" for i in range(n)]),
        {
            "genres": Bags.of([["a", "b"]] * n),
            "release_year": np.arange(1950, 1950 + n),
            "minutes": np.linspace(80.0, 120.0, n),
            "votes": np.arange(n) % 7,
            "imdb": np.arange(1000, 1000 + n),
            "country": text(*(["UK", "US"] * (n // 2))),
            "code": text(*[f"tt{i:07d}" for i in range(n)]),
            "poster": text(*[f"https://films.example/{i}.jpg" for i in range(n)]),
            "plot": text(*[f"A person meets person {i}" for i in range(n)]),
            "studio": np.arange(n) % 3,
            "colour": np.arange(n) % 2 == 0,
            "same": text(*["x"] * n),
            "nothing": np.full(n, np.nan),
            "empty": Bags.of([[]] * n, dtype=object),
        },
        {"studio": ("A", "B", "C")},
    )
    assert features_of(films) == (
        Text("title", min_count=3),
        Bag("genres"),
        Buckets("release_year"),
        Buckets("minutes"),
        Buckets("votes"),
        Category("country"),
        Text("plot", min_count=3),
        Category("studio"),
        Category("colour"),
    )


def test_recipes_find_them(board, ml_split):
    assert DEFAULT.for_data(board).model.cold_features == (
        Text("title", min_count=3),
        Bag("genres"),
        Buckets("year"),
    )
    assert DEFAULT.for_data(ml_split[0]).model.cold_features == (
        Text("movie_title", min_count=3),
        Bag("movie_genres"),
        Buckets("movie_year"),
    )
    assert NOTEBOOK.for_data(board).model.cold_features == ()
    kept = replace(DEFAULT, model=replace(DEFAULT.model, cold_features=(Bag("genres"),)))
    assert kept.for_data(board).model.cold_features == (Bag("genres"),)
    assert describe(kept)["cold_features"] == ["Bag(column='genres', max_values=32)"]


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
            st.one_of(st.just(np.nan), st.floats(-1e300, 1e300)),
            st.text(max_size=8),
            st.integers(0, 3),
        ),
        min_size=2,
        max_size=12,
    ),
    st.integers(0, 2**32 - 1),
)
def test_odd_features_give_finite_rows(rows, seed):
    bags, years, titles, counts = zip(*rows, strict=True)
    n, rng = len(rows), np.random.default_rng(seed)
    films = table(n, genres=Bags.of(bags, object), year=np.array(years), title=text(*titles))
    vectors = ItemVectors(
        rng.normal(size=(n, 3)).astype(np.float32),
        None,
        rng.normal(size=(n, 4)).astype(np.float32),
        rng.normal(size=n).astype(np.float32),
    )
    features = (Bag("genres"), Buckets("year"), Text("title"), Category("title"))
    queries = rng.normal(size=(5, 4)).astype(np.float32)
    cold = fit_cold(features, films, count=np.array(counts), rows=vectors, queries=queries)
    if sum(c > 0 for c in counts) < 2:
        assert cold is None
        return
    assert cold is not None
    got = cold(films)
    assert some(got.history).shape == (n, 3)
    assert got.head is None
    assert got.items.shape == (n, 4)
    assert all(np.isfinite(some(part)).all() for part in (got.history, got.items, got.bias))
    # No prediction lies beyond what it was made from by more than a ridge allows.
    assert np.abs(got.items).max() < 100


def test_numpy_alone():
    assert not {"jax", "optax", "duckdb", "scipy"} & loaded_after("import butaca.model.cold")


def test_new_titles_of_movielens(ml):
    """A tenth of the titles unknown to training: top-10 among them, where chance is .06 and genres' .046."""
    from benchmarks.quality.scores import Only
    from benchmarks.shapes.cold_titles import by_genre, hold_out

    data = ml.keyed_by("movie_title")
    train, test = hold_out(data, seed=42)
    held = np.zeros(len(data.items), dtype=bool)
    held[np.unique(test.item)] = True
    seen = butaca.Histories.of(train)
    model, _ = DEFAULT.for_data(train).fit(train)
    ours = butaca.evaluate_scorer(Only(model, held), test, seen=seen)
    genres = butaca.evaluate_scorer(Only(by_genre(train), held), test, seen=seen)
    assert ours.top_k(10) > 3 * genres.top_k(10) > 0.1
