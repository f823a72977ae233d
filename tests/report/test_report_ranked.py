"""The report's section on the second stage: its figures by hand, its words, and its warning."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from butaca.baselines.item_knn import ItemKNN
from butaca.data.histories import Histories
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.slices import by_slice
from butaca.evaluate.verdict import Comparison
from butaca.report.charts import forest
from butaca.report.second_charts import calibration, reach
from butaca.report.second_facts import Ranking, Second, gather_second, of_manifest, pairs_of_slices
from butaca.report.second_stage import feature, second_section
from butaca.report.words import Words
from tests.support.boards import checkerboard
from tests.support.reports import Page, made

GAIN = {"first": 0.2, "both": 0.15, "gain": -0.05, "low": -0.08, "high": -0.02, "word": "loses"}
KEPT: dict[str, Any] = {
    "ceiling": {"recall@100": 0.6, "recall@300": 0.8},
    "gains": {"top-10": GAIN},
    "liked": GAIN,
    "slices": {"users: cold": {"pairs": 7, "first": {}, "both": {}}},
    "notice": {"rule": "r", "received": "x", "cure": "c"},
}
MEASURED = {"top-10": 0.1, "top-100": 0.2, "NDCG@10": 0.3, "Recall@20": 0.4}
KEPT["slices"]["users: cold"] |= {"first": MEASURED, "both": MEASURED}


def gathered(model, ranking):
    return gather_second(replace(model, about={"metrics": {"ranking": ranking}}), None)


def test_a_model_without_a_second_stage_has_no_section():
    assert gather_second(made(5, 9), None) is None
    assert gathered(made(5, 9), KEPT | {"notice": None}) is None


@pytest.mark.parametrize(("language", "said"), [("en", "ranking hurts"), ("es", "ordenar empeora")])
def test_where_ranking_hurt_and_was_left_out_it_warns(language, said):
    second = gathered(made(5, 9), KEPT)
    assert second.left_out
    words = Words(language)
    found = Page(second_section(second, words))
    assert said in found.words
    assert words("hurts gone") in found.words
    assert f"top-10 {words.signed(-0.05, 4)}" in found.words
    assert words.percent(0.8, 1) in found.words
    assert ("div", "role", "alert") in found.attributes


def test_the_warning_lists_what_is_lost_and_does_not_say_twice_that_it_is():
    both = KEPT | {"gains": {"top-10": GAIN, "NDCG@10": GAIN}, "graded": GAIN | {"worth": 1.5}}
    for language in ("en", "es"):
        words = Words(language)
        found = second_section(gathered(made(5, 9), both), words)
        warning = found[found.index('role="alert"') :].partition("</p></div>")[0]
        assert warning.count(";") == 2  # three measures
        assert f"{words('graded')} {words.signed(-0.05, 4)} (" in warning
        assert words("loses") + "," not in warning
        assert words("loses") + ";" not in warning


def test_an_option_in_the_warning_is_not_broken_at_its_hyphens():
    hurts = replace(of_manifest(KEPT), hurts=True)
    for language in ("en", "es"):
        found = second_section(Second(False, 300, hurts), Words(language))
        assert '<code class="whole">--rank</code>' in found
        assert found.count("--rank") == 1
    style = files("butaca.report").joinpath("page.css").read_text("utf-8")
    assert "code.whole { white-space: nowrap; }" in style


def test_a_mark_at_the_edge_is_not_cut_and_ties_of_nothing_have_a_round_axis():
    assert 'x1="359"' in reach([("in the first 100", 1.0, 1.0, None)], Words("en"))
    assert 'x1="1"' in reach([("in the first 100", 0.0, 1.0, None)], Words("en"))
    tie = Comparison("recall", 20, 0.5, 0.5, 0.0, 0.0, 0.0, "ties")
    drawn = forest("gain", [("users", tie)], words=Words("en"))
    assert ">+0.010<" in drawn
    assert "0.00000" not in drawn


def test_a_whole_section():
    ok = Comparison("top_k_accuracy", 10, 0.3, 0.2, 0.1, 0.05, 0.15, "beats")
    ranking = Ranking({300: 0.8}, {10: 0.5}, (ok,), ok, (), False)
    second = Second(
        False,
        300,
        ranking,
        {"history": 0.7, "<odd>": 0.3},
        ((-2.0, 0.1, 9), (-1.0, 0.4, 9)),
        {"rmse": 0.912, "mae": 0.7},
        (1.0, 5.0),
    )
    found = Page(second_section(second, Words("en")))
    for said in ("length of the history", "<odd>", "70.0 %", "0.912", "top-10, liked pairs", "+0.1000 beats"):
        assert said in found.words, said
    assert "alert" not in [value for _, _, value in found.attributes]
    assert "hurts" not in found.words


def test_without_held_out_pairs_it_says_so():
    assert "needs held-out" in Page(second_section(Second(False), Words("en"))).words


def test_bars_stand_where_the_shares_are():
    drawn = reach([("in the first 10", 0.25, 0.5, 0.75)], Words("en"))
    assert 'width="180.0"' in drawn
    assert 'x1="90"' in drawn
    assert 'cx="270"' in drawn
    assert "all: 25.0 %" in calibration([(-2.0, 0.1, 10), (-1.0, 0.4, 10)], Words("en"))


def test_pairs_of_slices_are_those_of_the_slices():
    board = checkerboard()
    seen = Histories.of(board)
    evaluation = evaluate_scorer(ItemKNN().fit(board), board, seen=None)
    pairs = pairs_of_slices(evaluation, seen)
    assert [int(p.sum()) for p in pairs] == [s.n_pairs for s in by_slice(evaluation, seen)]


def test_the_manifest_gives_the_same_figures():
    ranking = of_manifest(KEPT)
    assert ranking.ceiling == {100: 0.6, 300: 0.8}
    assert (ranking.gains[0].difference, ranking.gains[0].label) == (-0.05, "top-10")
    assert ranking.hurts


@pytest.mark.parametrize(
    ("name", "english", "spanish"),
    [
        ("recent_0.15", "popularity around then (±15 % of the time)", None),
        ("linear_liked", "EASE, of what was liked", "EASE, de lo que le gustó"),
        ("audience_user_gender", "audience by gender", "público según sexo"),
        ("audience_town", "audience by town", "público según town"),
        ("unheard_of", "unheard_of", "unheard_of"),
        ("recent_x", "recent_x", "recent_x"),
    ],
)
def test_features_in_words(name, english, spanish):
    assert feature(name, Words("en")) == english
    assert spanish is None or feature(name, Words("es")) == spanish
