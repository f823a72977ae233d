"""Lists under conditions: filters, reasons, the ladder, less, variety, freshness, typed titles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca import Category, History, Id, Recommender, TwoTower
from butaca.catalogue.filters import Filters
from butaca.catalogue.items import Catalogue
from butaca.catalogue.titles import Titles
from butaca.data.bags import Bags
from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError, UnknownEntityError
from butaca.model.pairs import ItemPairs
from butaca.model.query import HistoryWeights, QueryTower, RatingBins
from butaca.model.spectral_settings import SpectralSettings
from butaca.recommend.ladder import shares_in
from butaca.recommend.person import Given, as_given, extended
from butaca.recommend.reorder import fresh, varied
from tests.support.narrow import some

N, U, D, K = 40, 6, 5, 4
GENRES = ("Drama", "Comedia", "Acción")


def films(n: int = N) -> Entities:
    """Film i: genre i mod 3 (Drama too, if i is even), year 1980 + i (0 for the last); a country or none."""
    bags = [sorted({i % 3, *([0] if i % 2 == 0 else [])}) for i in range(n)]
    return Entities(
        "movie_id",
        Vocabulary.of([f"m{i:03d}" for i in range(n)]),
        {
            "movie_title": np.array([f"Film {i} ({1980 + i})" for i in range(n)], dtype=object),
            "movie_genres": Bags.of(bags),
            "movie_year": np.array([*range(1980, 1980 + n - 1), 0]),
            "country": np.array(["France" if i % 4 == 0 else "" for i in range(n)], dtype=object),
            "rate": np.array([np.nan if i == 1 else i / 10 for i in range(n)], dtype=np.float32),
        },
        {"movie_genres": GENRES},
    )


def some_pairs(rng: np.random.Generator, half_life: float) -> ItemPairs:
    """Up to four candidates of each item, itself not among them."""
    picked = [np.sort(rng.choice(np.delete(np.arange(N), i), rng.integers(5), False)) for i in range(N)]
    start = np.append(0, np.cumsum([len(p) for p in picked])).astype(np.int32)
    item = np.concatenate(picked).astype(np.int32)
    return ItemPairs(start, item, rng.lognormal(size=len(item)).astype(np.float32), half_life)


def made(
    *,
    base: bool = False,
    unit: bool = True,
    head: bool = True,
    trained: bool = True,
    paired: bool = True,
    half_life: float = math.inf,
    seed: int = 0,
) -> Recommender:
    """A recommender of random vectors whose stored users are what its tower says of their histories."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    pairs = [(u, i) for u in range(U - 1) for i in range(N) if (3 * u + i) % 7 < 2]  # the last user has none
    user, item = np.array(pairs, dtype=np.int32).T
    value = rng.integers(1, 6, len(user)).astype(np.float32)
    time = rng.integers(0, 10**7, len(user))
    seen = Histories.from_pairs(user, item, n_users=U, value=value, time=time)
    table, by_rating = draw(N, D), (draw(5) * 0.3).astype(np.float32)
    history = HistoryWeights(table, RatingBins.of(value), by_rating, 0.2) if trained else None
    tower = QueryTower(
        draw(U + 1, D) if base else np.zeros((1, D), np.float32),
        history,
        (),
        unit,
        4.0,
        draw(N, K) if head else None,
        2.5,
        trusted_from=6,
        pairs=some_pairs(rng, half_life) if paired else None,
        pairs_scale=0.7,
    )
    users = Entities("user_id", Vocabulary.of([f"u{u}" for u in range(U)]))
    vectors = tower(np.arange(U + 1, dtype=np.int32), seen)
    return Recommender(
        users,
        films(),
        vectors,
        draw(N, D + (K if head else 0)),
        seen,
        np.bincount(item, minlength=N).astype(np.float32),
        draw(N),
        query_tower=tower,
        user_features=("job",) if base else (),
    )


@pytest.fixture(scope="module")
def rec() -> Recommender:
    return made()


def ids(answer) -> list[str]:
    return [item.id for item in answer.items]


# Conditions.


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"genres": "Comedia"}, [i for i in range(N) if i % 3 == 1]),
        ({"genres": ["comedia", "ACCION"]}, [i for i in range(N) if i % 3]),
        ({"movie_genres": {"all": ["Drama", "Acción"]}}, [i for i in range(N) if i % 3 == 2 and i % 2 == 0]),
        ({"genres": {"not": ["Drama"]}}, [i for i in range(N) if i % 3 and i % 2]),
        ({"year": {"min": 1985, "max": 1987}}, [5, 6, 7]),
        ({"year": {"max": 1981}}, [0, 1]),  # a year that is not known meets no condition
        ({"year": 1990}, [10]),
        ({"year": ["1990", 1991.0]}, [10, 11]),
        ({"country": "france"}, [i for i in range(N) if i % 4 == 0]),
        ({"rate": {"max": 0.2}}, [0, 2]),
        ({"genres": ["Comedia"], "year": {"min": 2010}}, [31, 34, 37]),
        ({"genres": {"any": []}}, []),
        ({"genres": {"all": []}}, list(range(N))),
        ({}, list(range(N))),
    ],
)
def test_a_condition_picks_these_items(where, wanted):
    assert np.flatnonzero(Filters(films()).mask(where)).tolist() == wanted


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"genre": "Drama"}, "genres, year, country, rate"),
        ({"genres": "Dramma"}, "'Drama'"),
        ({"year": {"from": 1990}}, "any, all, not, min, max"),
        ({"year": {}}, "any, all, not, min, max"),
        ({"year": {"min": "then"}}, "finite number"),
        ({"year": {"min": float("nan")}}, "finite number"),
        ({"year": {"max": 10**400}}, "finite number"),
        ({"genres": {"min": 3}}, "column of numbers"),
    ],
)
def test_a_condition_that_can_not_be_read_says_what_can(where, says):
    with pytest.raises(SettingError) as caught:
        Filters(films()).mask(where)
    assert says in str(caught.value)


def test_choices_are_what_items_share():
    choices = {c.name: c for c in Filters(films()).choices()}
    assert set(choices) == {"genres", "year", "country", "rate"}
    assert choices["genres"].values[0] == ("Drama", 27)
    assert (choices["year"].low, choices["year"].high) == (1980, 2018)
    assert choices["country"].values == (("France", 10),)


@pytest.mark.parametrize("repeated", [1, 3])
def test_texts_of_their_own_are_no_choice(repeated):
    plots = np.array([f"story {i // repeated}" for i in range(400)], dtype=object)
    items = Entities("movie_id", Vocabulary.of([f"{i:04d}" for i in range(400)]), {"plot": plots})
    assert Filters(items).choices() == []


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12),
    st.sampled_from([None, {"genres": ["Comedia"]}, {"year": {"min": 2000}}]),
    st.one_of(st.none(), st.lists(st.integers(0, N + 3), max_size=12)),
    st.lists(st.integers(0, N + 3), max_size=12),
    st.booleans(),
    st.sampled_from([0.0, 0.4]),
)
def test_k_come_back_if_k_exist_and_none_that_was_left_out(k, where, allow, exclude, exclude_seen, variety):
    recommender = made()
    names = None if allow is None else [f"m{i:03d}" for i in allow]
    answer = recommender.recommend(
        "u1",
        k,
        where=where,
        allow=names,
        exclude=[f"m{i:03d}" for i in exclude],
        exclude_seen=exclude_seen,
        variety=variety,
    )
    left = set(range(N)) - set(exclude)
    if where is not None:
        left &= set(np.flatnonzero(recommender.catalogue.filters.mask(where)).tolist())
    if allow is not None:
        left &= set(allow)
    if exclude_seen:
        left -= set(recommender.seen[1].tolist())
    got = {int(i[1:]) for i in ids(answer)}
    assert got <= left
    assert len(got) == len(answer.items) == min(k, len(left))
    if not variety:  # the best of those that are left
        scores = recommender.score(np.array([1], dtype=np.int32))[0]
        assert got == set(sorted(left, key=lambda i: (-scores[i], i))[:k])


# Reasons.


@pytest.mark.parametrize("base", [False, True])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(("head", "trained"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("half_life", [math.inf, 1.5])
def test_shares_add_up_to_the_score(base, unit, head, trained, half_life):
    recommender = made(base=base, unit=unit, head=head, trained=trained, half_life=half_life)
    asked = [f"m{i:03d}" for i in range(0, N, 3)]
    for user, history in (
        ("u2", None),
        ("u2", ["m001", ("m009", 5.0, 10**7)]),
        (None, ["m004", "m005"]),
        ("new", ["m004"]),
    ):
        shares = some(recommender.explain(asked, user, history=history))
        answer = recommender.recommend(
            user, N, history=history, allow=asked, exclude_seen=False, explain=True
        )
        score = {item.id: item.score for item in answer.items}
        np.testing.assert_allclose(shares.total(), [score[i] for i in asked], rtol=2e-4, atol=2e-4)
        for item in answer.items:
            column = shares.shares[:, asked.index(item.id)]
            best = sorted(zip(column, shares.items, strict=True), key=lambda pair: -pair[0])[:3]
            want = [f"m{i:03d}" for value, i in best if value > 0]
            assert [reason.id for reason in item.because] == want
            assert all(
                reason.share == pytest.approx(value, abs=1e-5)
                for reason, (value, _) in zip(item.because, best, strict=False)
            )


def test_the_default_recipes_shares_add_up_after_training(board):
    model = TwoTower(
        [History(dropout=0.3)], [Id("item_id")], dim=8, unit=True, prior="popularity",
        spectral=SpectralSettings(dim=3),
    )  # fmt: skip
    model.fit(board, epochs=5)
    recommender = Recommender.build(model, board)
    shares = some(recommender.explain(["i00", "i03", "i07"], "u05", history=["i01"]))
    want = recommender.recommend("u05", 16, history=["i01"], exclude_seen=False)
    score = {item.id: item.score for item in want.items}
    np.testing.assert_allclose(
        shares.total(), [score[i] for i in ("i00", "i03", "i07")], rtol=1e-4, atol=1e-4
    )
    because = recommender.recommend("u05", 1, explain=True).items[0].because
    assert because
    assert all(int(reason.id[1:]) % 2 == 1 for reason in because)  # odd users' films explain an odd film


@pytest.mark.parametrize("half_life", [math.inf, 1.5])
def test_hidden_layers_have_no_exact_shares_and_none_are_made_up(half_life):
    """What they have is the effect of each item, which is called so: the score less that without it."""
    rec = made(half_life=half_life)
    deep = replace(some(rec.query_tower), layers=((np.eye(D, dtype=np.float32), np.zeros(D, np.float32)),))
    recommender = replace(rec, query_tower=deep)
    history = ["m001", "m004", "m009"]
    effects = some(recommender.explain(["m020"], history=history))
    assert effects.kind == "effect"

    def score(given):
        listed = recommender.recommend(history=given, allow=["m020"], exclude_seen=False).items
        return listed[0].score if given else float("nan")

    for row, code in enumerate(effects.items.tolist()):
        rest = [h for h in history if h != f"m{code:03d}"]
        assert effects.shares[row, 0] == pytest.approx(score(history) - score(rest), abs=1e-4)
    because = recommender.recommend("u1", explain=True).items[0].because
    assert {reason.kind for reason in because} <= {"effect"}


# The ladder.


def test_every_rung_is_named():
    plain, featured = made(), made(base=True)
    assert plain.recommend("u1", history=["m000"]).source == "history"
    assert plain.recommend(history=["m000"]).source == "history"
    assert plain.recommend("u1", later=[Given("m000")]).source == "user"
    assert plain.recommend("nobody", later=[Given("m000")]).source == "user"
    assert plain.recommend("u1").source == "user"
    assert plain.recommend("u5").source == "popularity"  # known, without anything to learn from
    assert featured.recommend("u5").source == "features"
    assert featured.recommend("nobody").source == "popularity"
    assert plain.recommend().source == "popularity"
    assert {item.stage for item in plain.recommend().items} == {"popularity"}


def test_features_of_users_are_found_in_the_model(board):
    model = TwoTower([Id("user_id"), Category("parity")], [Id("item_id")], dim=4)
    train = board.take(np.flatnonzero(board.user != 5))
    model.fit(train, epochs=2)
    recommender = Recommender.build(model, train)
    assert recommender.user_features == ("parity",)
    assert recommender.recommend("u05").source == "features"
    assert recommender.recommend("zzz").source == "popularity"
    only = TwoTower([Id("user_id")], [Id("item_id")], dim=4)
    only.fit(train, epochs=2)
    assert Recommender.build(only, train).recommend("u05").source == "popularity"


def test_popularity_keeps_the_conditions(rec):
    answer = rec.recommend(k=5, where={"genres": "Comedia"}, exclude=["m001"])
    assert {int(i[1:]) % 3 for i in ids(answer)} == {1}
    assert "m001" not in ids(answer)


def test_events_since_training_count_as_the_history_does(rec):
    """The same person, whether the items came by training or since."""
    rows = rec.seen.rows(np.array([2], dtype=np.int32))[1]
    later = [
        Given(f"m{int(rec.seen.items[r]):03d}", float(rec.seen.value[r]), int(rec.seen.time[r])) for r in rows
    ]
    new, known = rec.recommend("new", 8, later=later), rec.recommend("u2", 8)
    assert ids(new) == ids(known)
    np.testing.assert_allclose([i.score for i in new.items], [i.score for i in known.items], rtol=1e-4)


def test_unknown_items_are_refused_or_passed_over_and_named(rec):
    with pytest.raises(UnknownEntityError):
        rec.recommend(history=["m000", "nothing"])
    answer = rec.recommend(history=["m000", "nothing"], less=["nor this"], skip_unknown=True)
    assert answer.unknown == ("nothing", "nor this")
    assert answer.source == "history"
    assert rec.recommend(history=["nothing"], skip_unknown=True).source == "popularity"


def test_histories_as_people_write_them():
    assert as_given("one") == [Given("one")]
    assert as_given(["a", 7, ("b", 2.0), {"item": "c", "value": 1, "time": 5}]) == [
        Given("a"), Given(7), Given("b", 2.0), Given("c", 1, 5),
    ]  # fmt: skip
    with pytest.raises(SettingError):
        as_given([("a", 1, 2, 3)])


@pytest.mark.parametrize(
    "wrong", ["a", "4", True, [1], 1j, math.inf, 1e39, 10**400, 10**5000], ids=lambda v: f"{type(v).__name__}"
)
def test_a_rating_or_a_time_that_is_no_number_is_refused(rec, wrong):
    with pytest.raises(SettingError, match="rating of an item in a history is a number"):
        rec.recommend(history=[("m003", wrong)])
    with pytest.raises(SettingError, match="time of an item in a history is in seconds"):
        rec.recommend(history=[("m003", 4.0, wrong)])


def test_a_rating_that_is_not_known_is_none(rec):
    none, unknown = (rec.recommend(history=[("m003", value)], k=5) for value in (None, math.nan))
    assert none == unknown


def test_items_named_more_than_once_are_explained_each_time():
    paired = made()
    items = [f"m{i:03d}" for i in range(N)]
    once, twice = (some(paired.explain(asked, "u2")) for asked in (items, items * 2))
    np.testing.assert_array_equal(twice.shares, np.tile(once.shares, 2))
    np.testing.assert_allclose(once.total(), paired.score(np.array([2], np.int32))[0], rtol=1e-4, atol=1e-4)


def test_lists_by_code_are_those_of_the_scores_by_code(rec):
    """A code outside of the known users is the unknown user, in both."""
    codes = np.array([0, U - 1, U, U + 9, -1, -2, -9], np.int32)
    top = rec.top_k(codes, N, exclude_seen=False)
    np.testing.assert_allclose(
        top.scores, np.take_along_axis(rec.score(codes), top.items.astype(np.int64), 1), rtol=1e-5, atol=1e-5
    )
    assert len({tuple(row) for row in top.items[2:].tolist()}) == 1


# Less, variety, freshness.


def test_less_of_an_item_moves_away_from_it_and_leaves_it_out(rec):
    """The item's own neighbours fall; its share is negative and exact."""
    tower = rec.query_tower
    like = np.argsort(-(rec.item_vectors[:, :D] @ tower.history.table[7]))[:5]
    allow = [f"m{i:03d}" for i in like if i != 7]
    before = rec.recommend("u1", N, allow=allow, exclude_seen=False)
    after = rec.recommend("u1", N, allow=[*allow, "m007"], less=["m007"], exclude_seen=False)
    assert "m007" not in ids(after)
    was = {i.id: i.score for i in before.items}
    trained_part = sum(was[i.id] - i.score for i in after.items)
    assert trained_part > 0
    person, _, _ = rec._person("u1", less=["m007"])
    shares = some(shares_in(rec, person, codes=np.array([int(i[1:]) for i in ids(after)])))
    np.testing.assert_allclose(shares.total(), [i.score for i in after.items], rtol=2e-4, atol=2e-4)


def test_what_is_wanted_less_of_weighs_as_far_as_the_history_is_trusted(rec):
    """A history of one item where six are trusted: 0.5 * (1/6) ** 0.75 of the vector of the other item alone.

    That is its trained row at length 4 (the scale), beside its closed-form row at length 2.5.
    """
    tower = rec.query_tower
    trained, beside = tower.history.table[7], tower.head[7]
    alone = np.concatenate([4.0 * trained / np.linalg.norm(trained), 2.5 * beside / np.linalg.norm(beside)])
    asked = {"history": ["m004"], "allow": ["m010", "m020"], "exclude_seen": False}
    before = {i.id: i.score for i in rec.recommend(k=2, **asked).items}
    after = {i.id: i.score for i in rec.recommend(k=2, less=["m007"], **asked).items}
    for code in (10, 20):
        want = 0.5 * (1 / 6) ** 0.75 * float(rec.item_vectors[code] @ alone)
        name = f"m{code:03d}"
        assert before[name] - after[name] == pytest.approx(want, rel=1e-3)


def test_what_is_stored_of_an_item_is_kept_where_it_is_given_again():
    """User 0 had item 5 (rated 4 at time 20) and item 2; 5 is given again, rated otherwise."""
    seen = Histories.from_pairs(
        np.zeros(2, np.int32),
        np.array([5, 2]),
        n_users=1,
        value=np.array([4.0, 1.0], np.float32),
        time=np.array([20, 10]),
    )
    row = extended(seen, 0, added={5: Given(5, 1.0), 9: Given(9, 3.0, 15), 7: Given(7)})
    assert row.items.tolist() == [2, 5, 7, 9]
    np.testing.assert_array_equal(row.value, [1.0, 4.0, np.nan, 3.0])
    assert some(row.time).tolist() == [10, 20, 21, 15]  # without a time, after the latest


def test_a_list_for_freshness_or_without_rank_is_the_towers_alone(rec):
    """A second stage that fails when it is asked."""
    ranked = replace(rec, ranker=object())
    with pytest.raises(AttributeError):
        ranked.recommend("u1", 5)
    assert ranked.recommend("u1", 5, freshness=0.5) == rec.recommend("u1", 5, freshness=0.5)
    assert ranked.recommend("u1", 5, rank=False) == rec.recommend("u1", 5)


def test_variety_is_maximal_marginal_relevance_by_hand():
    """Scores 3, 2.9, 1 and 0: items 0 and 1 point the same way, item 2 across.

    At 0.5 item 0 comes first; then 1 is worth .5 * .967 - .5 * 1 < 0, 2 is .5 * .333 - 0 = .167.
    """
    vectors = np.array([[1, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    scores = np.array([3, 2.9, 1, 0], dtype=np.float32)
    codes = np.arange(4)
    assert varied(codes, scores, vectors=vectors, k=2, variety=0.5).tolist() == [0, 2]
    assert varied(codes, scores, vectors=vectors, k=4, variety=0.0).tolist() == [0, 1, 2, 3]


def test_variety_and_freshness_change_the_list_as_they_say(rec):
    def likeness(answer):
        rows = rec._units[[int(i[1:]) for i in ids(answer)]]
        return float(np.triu(rows @ rows.T, 1).sum())

    plain, mixed = rec.recommend("u3", 8), rec.recommend("u3", 8, variety=0.8)
    assert likeness(mixed) < likeness(plain)
    assert mixed.items[0].id == plain.items[0].id
    new = rec.recommend("u3", 8, freshness=5.0)
    years = lambda answer: np.mean([int(i[1:]) for i in ids(answer)])  # noqa: E731
    assert years(new) > years(plain)
    scores = [i.score for i in new.items]
    assert scores == sorted(scores, reverse=True)


def test_shares_are_parts_of_a_fresh_lists_score_without_what_freshness_adds(rec):
    """What freshness adds: its weight, times the spread of the person's scores, times 2 ** (-age / 10)."""
    answer = rec.recommend("u3", 8, freshness=0.5, explain=True)
    shares = rec.explain(ids(answer), "u3")
    spread = rec.score(np.array([3], dtype=np.int32))[0].std()
    for item, total in zip(answer.items, shares.total(), strict=True):
        year = rec.catalogue.record(int(item.id[1:]))["year"]
        bonus = 0.0 if year is None else 0.5 * spread * 2 ** (-(2018 - year) / 10)
        assert item.score == pytest.approx(total + bonus, abs=2e-4)
        assert item.because
    assert max(i.score for i in answer.items) > shares.total().max() + 0.01


@pytest.mark.parametrize("setting", [{"variety": 1.5}, {"variety": float("nan")}, {"freshness": -1}])
def test_settings_out_of_range_are_refused(rec, setting):
    with pytest.raises(SettingError, match="between 0 and"):
        rec.recommend("u1", **setting)


def test_freshness_halves_every_ten_years_and_is_nothing_where_the_year_is_missing():
    new = fresh(Filters(films()))  # 1980 to 2018, the last one not known
    assert new[[38, 28, 18, 39]].tolist() == pytest.approx([1.0, 0.5, 0.25, 0.0])


def test_freshness_needs_a_year(rec):
    items = Entities("movie_id", rec.items.ids, {"title": rec.items.columns["movie_title"]})
    with pytest.raises(SettingError, match="column of years"):
        replace(rec, items=items).recommend("u1", freshness=1.0)


# Titles and records.

TITLES = ("Toy Story (1995)", "Amélie (2001)", "Lion King, The (1994)", "Toys (1992)", "King Kong (1976)")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("toy", [0, 3]),
        ("TOY s", [0]),
        ("ame", [1]),
        ("king", [4, 2]),  # titles that begin so come first
        ("1994", [2]),
        ("king lion", [2]),
        ("", [0, 1, 2, 3, 4]),
        ("zzz", []),
        ("(", [0, 1, 2, 3, 4]),
    ],
)
def test_search_as_people_type(typed, wanted):
    assert Titles(TITLES, np.array([5, 4, 3, 2, 1], np.float32)).search(typed, 9).tolist() == wanted


def test_a_trailing_article_is_forgiven():
    titles = Titles(TITLES, np.zeros(5, np.float32))
    assert [titles.find(t) for t in ("lion king", "The Lion King", "the lion king (1994)")] == [2, 2, 2]


def test_a_title_that_fits_several_films_is_none_of_them():
    """Two called Heat: an event on "heat" counts for neither; leaving "heat" out leaves out both."""
    names = ["Heat (1986)", "Heat (1995)", "Ran (1985)"]
    items = Entities("movie_id", Vocabulary.of(["a", "b", "c"]), {"title": np.array(names, dtype=object)})
    catalogue = Catalogue(items, np.zeros(3, np.float32))
    assert catalogue.known("heat") is None
    assert catalogue.known("heat (1995)") == 1
    assert catalogue.known("ran") == 2
    assert catalogue.known("c") == 2
    assert catalogue.matches(["heat"]).tolist() == [0, 1]


def test_similar_keeps_conditions(rec):
    answer = rec.similar("m000", 50, where={"genres": ["Comedia"]})
    assert {int(i[1:]) % 3 for i in ids(answer)} == {1}
    with pytest.raises(SettingError, match="at least 1"):
        rec.similar("m000", 0)


def test_a_record_in_plain_values(rec):
    catalogue = Catalogue(rec.items, rec.popularity)
    record = catalogue.record(1)
    assert record["genres"] == ["Comedia"]
    assert (record["id"], record["title"], record["year"], record["rate"]) == (
        "m001",
        "Film 1 (1981)",
        1981,
        None,
    )


def test_a_batch_is_the_lists_one_by_one(rec):
    codes = np.arange(5, dtype=np.int32)
    top = rec.top_k(codes, 7)
    for u in range(5):
        assert [f"m{i:03d}" for i in top.items[u]] == ids(rec.recommend(f"u{u}", 7))
