"""The graded target: its measure by hand, what counts as liked, and all the places that show it."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

import butaca
from butaca.baselines.item_knn import ItemKNN
from butaca.cli.app import app
from butaca.cli.screen import ranking_table
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.metrics import graded_ndcg, ndcg
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.verdict import Comparison
from butaca.rank.fit import fit_ranker
from butaca.rank.graded import compare_graded, worth_of
from butaca.rank.judge import judge_ranking
from butaca.rank.settings import RankSettings
from butaca.rank.two_stage import TwoStage
from butaca.recipes import DEFAULT
from butaca.report.second_facts import Second, of_manifest, of_verdict
from butaca.report.second_stage import second_section
from butaca.report.words import Words
from butaca.workflows import fitting
from tests.support.boards import checkerboard
from tests.support.narrow import some
from tests.support.reports import Page

SMALL = RankSettings(rounds=4, least=5, n_folds=2, held_out=0.0, candidates=10, target="graded", liked=2.0)


def rated():
    board = checkerboard(40, 20)
    n = np.arange(len(board))
    return replace(board, value=(n * 7 % 5 + 1).astype(np.float32), timestamp=n * 3600)


def knn(part):
    return ItemKNN().fit(part)


@pytest.fixture(scope="module")
def judged():
    train, test = butaca.random_split(rated(), 0.2, seed=1)
    two = TwoStage(knn(train), fit_ranker(train, knn, first=knn(train), settings=SMALL), Histories.of(train))
    return two, train, test, judge_ranking(two, test)


def test_graded_ndcg_by_hand():
    """One person, relevant items at places 0, 2 and 7, worth 1, 2 and 1; lists of 3.

    Found: 1/log2(2) + 2/log2(4) = 1 + 1 = 2. Ideal: 2/log2(2) + 1/log2(3) + 1/log2(4) = 2 + 0.6309 + 0.5.
    """
    ranks, row, worth = np.array([0, 2, 7]), np.zeros(3, int), np.array([1.0, 2.0, 1.0])
    found = graded_ndcg(ranks, row, n=1, k=3, gain=worth)
    np.testing.assert_allclose(found, 2 / (2 + 1 / np.log2(3) + 0.5))
    # The liked one first instead: 2 + 1/2, nearer to the ideal.
    assert graded_ndcg(ranks, row, n=1, k=3, gain=np.array([2.0, 1.0, 1.0]))[0] > found[0]


def test_with_equal_gains_it_is_ndcg():
    rng = np.random.default_rng(0)
    row, ranks = rng.integers(0, 5, 60), rng.integers(0, 30, 60)
    row[:5] = np.arange(5)
    np.testing.assert_allclose(
        graded_ndcg(ranks, row, n=5, k=10, gain=np.full(60, 1.5)), ndcg(ranks, row, n=5, k=10)
    )


def test_the_comparison_by_hand_counts_a_repeated_pair_once():
    """Two people: both stages bring the first one's liked item from place 1 to 0; nothing else changes."""
    user, item = np.array([0, 0, 1], np.int32), np.array([3, 3, 4], np.int32)
    first = Evaluation(np.array([1, 1, 0]), 20, True, None, user, item)
    both = replace(first, ranks=np.array([0, 0, 0]))
    c = compare_graded(both, first, worth=np.array([1.5, 1.5, 1.0]))
    np.testing.assert_allclose([c.theirs, c.ours], [(1 / np.log2(3) + 1) / 2, 1.0])
    np.testing.assert_allclose(c.difference, c.ours - c.theirs)
    assert c.label == "graded NDCG@10"
    assert c.word == "open"  # two people are too few for an interval


def test_liked_is_what_training_calls_so_and_the_test_takes_no_part(judged):
    """Above the item's mean and the person's generosity, of training: by hand for one pair."""
    two, train, test, _ = judged
    worth = some(worth_of(two.ranker, two.seen, test=test))
    assert set(worth.tolist()) == {1.0, 2.0}
    user, item = int(test.user[0]), int(test.item[0])
    rating = two.ranker.facts.rating
    mine = train.user == user
    off = train.value[mine].astype(float) - rating[train.item[mine]]
    expected = rating[item] + off.sum() / (mine.sum() + 3.0)  # a prior of three ratings (rank/scene.py)
    assert (worth[0] == 2.0) == (test.value[0] > expected)
    # One pair's rating changes that pair alone: no mean over the test decides.
    other = test.value.copy()
    other[0] = 5.0 if worth[0] == 1.0 else 1.0
    changed = some(worth_of(two.ranker, two.seen, test=replace(test, value=other)))
    assert np.flatnonzero(changed != worth).tolist() == [0]
    assert worth_of(two.ranker, two.seen, test=replace(test, value=None)) is None
    unrated = test.value.copy()
    unrated[1] = np.nan
    assert some(worth_of(two.ranker, two.seen, test=replace(test, value=unrated)))[1] == 1.0


def test_the_verdict_and_its_json_tell_it(judged):
    two, _, test, verdict = judged
    assert (verdict.target, verdict.worth, verdict.graded.label) == ("graded", 2.0, "graded NDCG@10")
    told = json.loads(json.dumps(verdict.as_json()))
    assert told["target"] == "graded"
    assert told["graded"]["worth"] == 2.0
    assert of_manifest(told).graded == verdict.graded
    assert judge_ranking(two, replace(test, value=None)).graded is None


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_report_shows_it_below_the_plain_one(judged, language):
    two, _, _, verdict = judged
    words = Words(language)
    ranking = of_verdict(verdict, two.seen, candidates=10)
    found = Page(second_section(Second(False, 10, ranking), words)).words
    assert words("graded") in found
    assert words("graded note", worth=words.figure(2.0, 1)) in found
    assert words("target graded") in found
    assert found.index("NDCG@10") < found.index(words("graded")) < found.index("Recall@20")


def test_a_graded_ranker_is_warned_of_by_its_own_measure(judged, monkeypatch):
    two, _, test, verdict = judged
    bad = replace(verdict.graded, difference=-0.2, low=-0.3, high=-0.1, word="loses")
    monkeypatch.setattr("butaca.rank.judge.compare_graded", lambda *_, **__: bad)
    ties = tuple(replace(c, low=-1.0, high=1.0, word="ties") for c in verdict.gains)
    monkeypatch.setattr("butaca.rank.judge.compare_many", lambda *_, **__: {"first": ties, "": ties})
    assert "graded NDCG@10" in str(judge_ranking(two, test).notice)
    watched = replace(two, ranker=replace(two.ranker, settings=replace(SMALL, target="watched")))
    assert judge_ranking(watched, test).notice is None


def test_it_is_fitted_evaluated_and_told_from_the_command_line(tmp_path):
    data = rated()
    rows = [
        f"{u},m{i},{v:g},{t}"
        for u, i, v, t in zip(data.user, data.item, data.value, data.timestamp, strict=True)
    ]
    table, model = tmp_path / "ratings.csv", tmp_path / "model"
    table.write_text("\n".join(["user,movie,rating,time", *rows]) + "\n")
    run = CliRunner().invoke(
        app,
        [
            "fit",
            str(table),
            "--effort",
            "quick",
            "--rank",
            "--rank-target",
            "graded",
            "--split",
            "none",
            "--out",
            str(model),
        ],
    )
    assert run.exit_code == 0, run.output
    about = butaca.Recommender.load(model).about["ranker"]
    assert (about["target"], about["candidates"]) == ("graded", 300)
    assert about["features"] > 10
    run = CliRunner().invoke(app, ["evaluate", str(model), "--test", str(table), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.output)["ranking"]["graded"]["worth"] == 1.5
    refused = CliRunner().invoke(
        app, ["fit", str(table), "--rank-target", "graded", "--out", str(tmp_path / "n")]
    )
    assert refused.exit_code != 0
    bare = tmp_path / "bare.csv"
    bare.write_text(
        "\n".join(["user,movie", *(f"{u},m{i}" for u, i in zip(data.user, data.item, strict=True))])
    )
    refused = CliRunner().invoke(
        app, ["fit", str(bare), "--rank", "--rank-target", "graded", "--out", str(tmp_path / "n")]
    )
    assert refused.exit_code != 0
    one = replace(data, value=np.where(np.arange(len(data)) % 2, 3.0, np.nan).astype(np.float32))
    with pytest.raises(SettingError, match="none that differ"):  # one rating, and rows without any
        fitting.fit(one, DEFAULT, split="none", rank=True, target="graded")
    assert not (tmp_path / "n").exists()


def test_the_table_of_both_stages_is_whole_on_a_narrow_screen():
    """A row for each measure, in eighty columns."""
    first = knn(rated())
    verdict = judge_ranking(
        TwoStage(first, fit_ranker(rated(), knn, first=first, settings=SMALL), Histories.of(rated())), rated()
    )
    numbers = (0.1797, 0.1782, 0.0015, -0.0001, 0.0033)
    graded = Comparison("graded_ndcg", 10, *numbers, "ties")
    written = io.StringIO()
    console = Console(width=80, file=written)
    console.print(ranking_table(replace(verdict, graded=graded)))
    told = written.getvalue()
    assert "…" not in told
    assert told.splitlines()[-1].split() == (
        [*graded.label.split(), "0.1782", "0.1797", "+0.002", "ties", "-0.000", "to", "+0.003"]
    )
