"""Declared features and towers, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from butaca.data.bags import Bags
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import FeatureError
from butaca.model.encoded import pad_rows
from butaca.model.features import Bag, Category, Id, Number, Text, encode_with_unknown, unknown_row
from butaca.model.towers import as_tower, init_tower
from tests.support.narrow import some

FILMS = Entities(
    "film_id",
    Vocabulary.of(["a", "b", "c"]),
    {
        "title": np.array(["The Red Shoes", "Red River", "M"], dtype=object),
        "genres": Bags.of([["drama"], [], ["crime", "drama"]]),
        "year": np.array([1948.0, np.nan, 1931.0]),
        "country": np.array(["UK", "US", "DE"], dtype=object),
    },
)


def test_id_of_the_key_is_its_code_and_unknown_comes_last():
    encoded = encode_with_unknown(Id("film_id").fit(FILMS), FILMS)
    assert encoded.codes.tolist() == [[0], [1], [2], [3]]
    assert encoded.weights is None


def test_category_is_sorted_and_keeps_an_unknown_code():
    encoder = Category("country").fit(FILMS)
    assert encoder.n_rows == 4
    assert encoder.encode(np.array(["US", "DE", "FR"], dtype=object)).codes.tolist() == [[2], [0], [3]]


def test_number_is_standardised_and_missing_has_its_own_direction():
    encoded = Number("year").fit(FILMS).encode(FILMS["year"])
    # mean 1939.5, deviation 8.5: (1948 - 1939.5) / 8.5 = 1
    assert some(encoded.weights).tolist() == [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]


def test_a_constant_number_is_zero_not_nan():
    same = Entities("i", Vocabulary.of(["a", "b"]), {"x": np.array([3.0, 3.0])})
    assert np.isfinite(some(Number("x").fit(same).encode(same["x"]).weights)).all()


def test_bag_is_a_mean_and_an_empty_one_is_zero():
    encoded = Bag("genres").fit(FILMS).encode(FILMS["genres"])
    assert some(encoded.weights).tolist() == [[1.0, 0.0], [0.0, 0.0], [0.5, 0.5]]
    assert encoded.codes[2].tolist() == [0, 1]  # crime, drama


def test_text_keeps_words_of_two_rows_or_more():
    encoder = Text("title").fit(FILMS)
    assert encoder.vocabulary.values.tolist() == ["red"]
    encoded = encoder.encode(FILMS["title"])
    assert encoded.codes[1].tolist()[:2] == [0, 1]  # red, unknown word
    assert some(encoded.weights)[1].tolist() == [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    ("feature", "cure"),
    [
        (Category("genres"), "Declare Bag"),
        (Number("title"), "Declare Category"),
        (Bag("title"), "Declare Category"),
        (Text("genres"), "Declare Bag"),
        (Category("director"), "while the table has film_id, title, genres"),
    ],
)
def test_a_feature_that_does_not_fit_its_column_says_the_cure(feature, cure):
    with pytest.raises(FeatureError, match=cure):
        feature.fit(FILMS)


@pytest.mark.parametrize("feature", [Id("film_id"), Number("year"), Bag("genres"), Text("title")])
def test_unknown_and_padded_rows(feature):
    encoder = feature.fit(FILMS)
    encoded = encode_with_unknown(encoder, FILMS)
    assert len(encoded.codes) == 4
    padded = pad_rows(encoded, 6)
    assert len(padded.codes) == 6
    assert unknown_row(encoder).codes.shape == (1, encoder.width)
    if padded.weights is not None:
        assert not padded.weights[4:].any()


def test_tower_is_the_sum_of_its_features():
    encoders = {f.column: f.fit(FILMS) for f in (Id("film_id"), Bag("genres"), Number("year"))}
    parameters = init_tower(encoders, 2, hidden=(), rng=np.random.default_rng(0))
    inputs: dict[str, Any] = {name: tuple(encode_with_unknown(e, FILMS)) for name, e in encoders.items()}
    vectors = np.asarray(as_tower(parameters)(inputs))
    t = parameters["tables"]
    crime, drama = t["genres"][0], t["genres"][1]
    want = t["film_id"][2] + (crime + drama) / 2 - t["year"][0]  # film c: two genres, year at -1 deviation
    np.testing.assert_allclose(vectors[2], want, rtol=1e-5)
    assert np.abs(t["film_id"]).max() <= 0.05


def test_hidden_layers_end_in_the_same_dimension_and_bend():
    encoders = {"film_id": Id("film_id").fit(FILMS)}
    parameters = init_tower(encoders, 4, hidden=(8, 6), rng=np.random.default_rng(0))
    assert [w.shape for w, _ in parameters["layers"]] == [(4, 8), (8, 6), (6, 4)]
    tower = as_tower(parameters)
    inputs: dict[str, Any] = {"film_id": (np.array([[0], [1]], dtype=np.int32), None)}
    one = np.asarray(tower(inputs))
    doubled = parameters | {"tables": {"film_id": 2 * parameters["tables"]["film_id"]}}
    two = np.asarray(as_tower(doubled)(inputs))
    assert one.shape == (2, 4)
    w1, w2, w3 = (w for w, _ in parameters["layers"])
    x = parameters["tables"]["film_id"][0] @ w1
    np.testing.assert_allclose(one[0], np.maximum(np.maximum(x, 0) @ w2, 0) @ w3, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(two, 2 * one, rtol=1e-4, atol=1e-7)  # relu without bias scales
