"""What callers pass of the wrong kind is refused with rule, received and cure, never by a raw error."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optax
import pytest

import butaca
from butaca.checks import check_fields, several, shown, user_codes, whole_number
from butaca.data.splits import tied_at_the_cut, validation_split
from butaca.errors import ButacaError, SettingError
from butaca.serve.settings import ServeSettings
from butaca.workflows.plans import FitPlan, TunePlan
from butaca.workflows.recipe_choice import RecipeChoice
from tests.support.boards import checkerboard

#: Values of many kinds; each argument below takes none, or only some of them.
ODD = [
    None, 0, -1, 2.0, 2.5, float("nan"), "3", "", True, [1], (), {}, object(), np.array([1, 2]), "nowhere",
    float("inf"), 10**400,
]  # fmt: skip


@dataclass(frozen=True)
class Lamp:
    """A Lamp is settings of every kind that is checked."""

    watts: int = 60
    hue: float = 0.5
    lit: bool = True
    colour: Literal["red", "green"] = "red"
    name: str = ""
    cells: tuple[int, ...] = ()
    dimmer: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.fixture(scope="module")
def made():
    """Data, a model of ids, one of histories, and what answers from each."""
    data = checkerboard()
    train, test = butaca.random_split(data)
    query = {"of ids": butaca.Id("user_id"), "of histories": butaca.History()}
    models = {name: butaca.TwoTower([one], [butaca.Id("item_id")], dim=4) for name, one in query.items()}
    for model in models.values():
        model.fit(train, epochs=1)
    return data, train, test, models, butaca.Recommender.build(models["of histories"], train)


@pytest.mark.parametrize(
    "wrong",
    [
        {"watts": 60.0},
        {"watts": "60"},
        {"watts": True},
        {"watts": None},
        {"hue": "blue"},
        {"hue": None},
        {"hue": False},
        {"lit": 1},
        {"colour": "blue"},
        {"colour": ["red"]},
        {"name": 3},
        {"cells": [1]},
        {"cells": (1, "2")},
        {"dimmer": "low"},
    ],
)
def test_a_field_of_another_type_is_named(wrong):
    (name,) = wrong
    with pytest.raises(SettingError, match=name):
        Lamp(**wrong)


def test_fields_of_their_type_are_taken():
    three, half = np.array([3])[0], np.array([0.5], dtype=np.float32)[0]  # numpy's own numbers
    Lamp(three, 1, colour="green", cells=(1, 2), dimmer=None)
    Lamp(hue=half, dimmer=2)


def test_a_whole_number_written_as_a_real_one_gets_its_cure():
    with pytest.raises(SettingError, match=r"k is a whole number. Received: k=2.0. Write k=2."):
        whole_number("k", 2.0)


def test_long_values_are_cut():
    assert len(shown(list(range(1000)))) == 80


def test_an_array_of_one_thing_is_that_thing():
    assert several("history", np.array("Alien")) == ["Alien"]
    with pytest.raises(SettingError, match=r"history is a list. Received: history=5"):
        several("history", np.array(5))


@pytest.mark.parametrize("codes", [[[1], [1, 2]], [1, [2]], [[1, 2]], 5, [1.5]])
def test_codes_that_are_no_list_of_whole_numbers_are_refused(codes):
    with pytest.raises(SettingError, match="Users are given by their codes"):
        user_codes(codes)


def test_several_reads_arrays_of_ids_as_ids():
    assert several("users", np.array(["a", "b"])) == ["a", "b"]
    assert [type(v) for v in several("users", np.array([1, 2]))] == [int, int]


#: What of the public face is called with every odd value: takes (what was made, the value).
CALLS: dict[str, Any] = {
    "recommend user": lambda m, v: m[4].recommend(v),
    "recommend k": lambda m, v: m[4].recommend("u01", v),
    "history": lambda m, v: m[4].recommend(history=v),
    "an item of a history": lambda m, v: m[4].recommend(history=[v]),
    "a rating of a history": lambda m, v: m[4].recommend(history=[("i03", v)]),
    "a time of a history": lambda m, v: m[4].recommend(history=[("i03", None, v)]),
    "less": lambda m, v: m[4].recommend("u01", less=v),
    "exclude": lambda m, v: m[4].recommend("u01", exclude=v),
    "allow": lambda m, v: m[4].recommend("u01", allow=v),
    "where": lambda m, v: m[4].recommend("u01", where=v),
    "a condition": lambda m, v: m[4].recommend("u01", where={"genres": v}),
    "variety": lambda m, v: m[4].recommend("u01", variety=v),
    "freshness": lambda m, v: m[4].recommend("u01", freshness=v),
    "recommend_many": lambda m, v: list(m[4].recommend_many(v)),
    "one of many": lambda m, v: list(m[4].recommend_many([v])),
    "top_k users": lambda m, v: m[4].top_k(v),
    "top_k k": lambda m, v: m[4].top_k(np.array([0]), v),
    "similar": lambda m, v: m[4].similar(v),
    "similar k": lambda m, v: m[4].similar("i03", v),
    "explain": lambda m, v: m[4].explain(v, "u01"),
    "build model": lambda m, v: butaca.Recommender.build(v, m[1]),
    "build train": lambda m, v: butaca.Recommender.build(m[3]["of ids"], v),
    "build test": lambda m, v: butaca.Recommender.build(m[3]["of ids"], m[1], test=v),
    "load": lambda m, v: butaca.Recommender.load(v),
    "score": lambda m, v: m[4].score(v),
    "score of a model": lambda m, v: m[3]["of ids"].score(v),
    "evaluate": lambda m, v: m[3]["of ids"].evaluate(v),
    "evaluate k": lambda m, v: m[3]["of ids"].evaluate(m[2], k=v),
    "one k of evaluate": lambda m, v: m[3]["of ids"].evaluate(m[2], k=(v,)),
    "evaluate batch_size": lambda m, v: m[3]["of ids"].evaluate(m[2], batch_size=v),
    "remember": lambda m, v: m[3]["of ids"].remember(v),
    "random_split": lambda m, v: butaca.random_split(v),
    "test_share": lambda m, v: butaca.random_split(m[0], v),
    "seed": lambda m, v: butaca.random_split(m[0], seed=v),
    "temporal_split": lambda m, v: butaca.temporal_split(v),
    "stratified_split": lambda m, v: butaca.stratified_split(v),
    "leave_last_out seed": lambda m, v: butaca.leave_last_out(m[0], seed=v),
    "validation_split": lambda m, v: validation_split(v, "last"),
    "validation_split split": lambda m, v: validation_split(m[0], v),
    "tied_at_the_cut": lambda m, v: tied_at_the_cut(v, v),
    "leave_last_out": lambda m, v: butaca.leave_last_out(m[0], v),
    "user_split": lambda m, v: butaca.user_split(m[0], seed=v),
    "take": lambda m, v: m[0].take(v),
    "record": lambda m, v: m[0].record(v),
    "keyed_by": lambda m, v: m[0].keyed_by(v),
    "find": lambda m, v: m[0].find(v, v),
    "Popularity": lambda m, v: butaca.Popularity().fit(v),
    "EASE": lambda m, v: butaca.EASE().fit(v),
    "EASE l2": lambda m, v: butaca.EASE(l2=v),
    "EASE limit": lambda m, v: butaca.EASE(limit=v),
    "ItemKNN": lambda m, v: butaca.ItemKNN(v, v),
    "MarkovChain": lambda m, v: butaca.MarkovChain().fit(v),
    "MarkovChain smoothing": lambda m, v: butaca.MarkovChain(v),
    "MarkovChain window": lambda m, v: butaca.MarkovChain(window=v),
    "MarkovChain decay": lambda m, v: butaca.MarkovChain(decay=v),
    "IALS dim": lambda m, v: butaca.IALS(dim=v),
    "IALS alpha": lambda m, v: butaca.IALS(alpha=v),
    "IALS seed": lambda m, v: butaca.IALS(seed=v),
    "half_life": lambda m, v: butaca.RecentPopularity(v),
    "score of popularity": lambda m, v: butaca.Popularity().fit(m[1]).score(v),
    "score of EASE": lambda m, v: butaca.EASE().fit(m[1]).score(v),
    "Checkpoint": lambda m, v: butaca.Checkpoint(v),
    "every_steps": lambda m, v: butaca.Checkpoint("x", v),
    "TensorBoard": lambda m, v: butaca.TensorBoard(v),
    "monitor": lambda m, v: butaca.EarlyStopping(v),
    "patience": lambda m, v: butaca.EarlyStopping(patience=v),
    "mode": lambda m, v: butaca.EarlyStopping(mode=v),
    "recipe": lambda m, v: butaca.recipe(v),
    "Recipe epochs": lambda m, v: butaca.Recipe("x", epochs=v),
    "Recipe ordered": lambda m, v: butaca.recipe("default").ordered(v),
    "Recipe optimizer": lambda m, v: butaca.Recipe("x", optimizer=v).make_optimizer(),
    "metric": lambda m, v: butaca.evaluate_scorer(m[4], m[2]).metric(v),
    "k of a metric": lambda m, v: butaca.evaluate_scorer(m[4], m[2]).metric("ndcg", v),
    "evaluate_scorer": lambda m, v: butaca.evaluate_scorer(v, m[2]),
    "seen": lambda m, v: butaca.evaluate_scorer(m[4], m[2], seen=v),
    "compare": lambda m, v: butaca.compare(v, v),
    "Vocabulary": lambda m, v: butaca.Vocabulary.of(v),
    "encode": lambda m, v: m[0].users.ids.encode(v),
    "decode": lambda m, v: m[0].users.ids.decode(v),
    "a column": lambda m, v: m[0].items[v],
    "Bags": lambda m, v: butaca.Bags.of(v),
    "ExactIndex": lambda m, v: butaca.ExactIndex(v),
    "queries": lambda m, v: butaca.ExactIndex(np.eye(3, dtype=np.float32)).top_k(v, 1),
    "query_vectors": lambda m, v: m[3]["of histories"].query_vectors(v),
    "FitPlan out": lambda m, v: FitPlan("a.csv", v),
    "FitPlan seed": lambda m, v: FitPlan("a.csv", seed=v),
    "FitPlan split": lambda m, v: FitPlan("a.csv", split=v),
    "FitPlan noun": lambda m, v: FitPlan("a.csv", noun=v),
    "RecipeChoice": lambda m, v: RecipeChoice(epochs=v),
    "RecipeChoice order": lambda m, v: RecipeChoice(order=v),
    "TunePlan": lambda m, v: TunePlan("a.csv", trials=v),
    **{
        f"ServeSettings {name}": lambda m, v, name=name: ServeSettings(**{name: v})
        for name in ServeSettings.__dataclass_fields__
    },
    "Id": lambda m, v: butaca.Id(v),
    "Buckets": lambda m, v: butaca.Buckets("year", v),
    "History": lambda m, v: butaca.History(dropout=v),
    "History order": lambda m, v: butaca.History(order=v),
    "History window": lambda m, v: butaca.History(window=v),
    "History heads": lambda m, v: butaca.History(order="attention", heads=v),
    "SpectralSettings": lambda m, v: butaca.SpectralSettings(dim=v),
    **{
        f"{kind.__name__} {name}": lambda m, v, kind=kind, name=name: kind(**{name: v})
        for kind in (butaca.FollowerSettings, butaca.NeighbourSettings)
        for name in kind.__dataclass_fields__
    },
    "RankSettings": lambda m, v: butaca.RankSettings(rounds=v),
    **{
        f"TwoTower {name}": lambda m, v, name=name: butaca.TwoTower(**{name: v})
        for name in butaca.TwoTowerSettings.__dataclass_fields__
    },
    **{
        f"fit {name}": lambda m, v, name=name: butaca.TwoTower(dim=2).fit(
            **{"train": m[1], "epochs": 0} | {name: v}
        )
        for name in ("train", "batch_size", "callbacks", "optimizer", "validation_data", "validation_k")
    },
}


@pytest.mark.parametrize("call", CALLS)
def test_odd_values_are_taken_or_refused_in_words(made, call):
    for value in ODD:
        with contextlib.suppress(ButacaError):
            CALLS[call](made, value)


@pytest.mark.parametrize("call", ["score", "top_k users", "take", "decode", "ExactIndex"])
def test_lists_of_several_lengths_are_refused_in_words(made, call):
    with pytest.raises(ButacaError, match=r"\[\[1\], \[1, 2\]\]"):
        CALLS[call](made, [[1], [1, 2]])


@pytest.mark.parametrize(
    ("call", "value", "says"),
    [
        ("recommend user", ["u01", "u02"], "recommend_many"),
        ("recommend k", 2.0, "Write k=2"),
        ("one k of evaluate", 0, "at least 1"),
        ("exclude", 5, r"\[...\]"),
        ("score", ["u01"], r"users.ids.encode"),
        ("build model", "model/", "Fit a TwoTower"),
        ("random_split", "ratings.csv", "read_table"),
        ("take", [0.5], "row numbers"),
    ],
)
def test_the_cure_is_what_helps(made, call, value, says):
    with pytest.raises(ButacaError, match=says):
        CALLS[call](made, value)


def test_an_empty_test_is_refused(made):
    with pytest.raises(SettingError, match="at least one test pair"):
        made[3]["of ids"].evaluate(made[2].take(np.array([], dtype=int)))


@pytest.mark.parametrize("callbacks", ["x", [3], [butaca.Callback]])
def test_callbacks_are_callbacks(made, callbacks):
    with pytest.raises(SettingError, match=r"callbacks is a Callback"):
        butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")]).fit(made[1], 1, callbacks=callbacks)


def test_an_optimizer_is_of_optax(made):
    with pytest.raises(SettingError, match=r"optax.adam"):
        butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")]).fit(made[1], 1, optimizer=optax.adam)
