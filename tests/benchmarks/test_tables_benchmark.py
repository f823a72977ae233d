"""The benchmark of real tables: differences over fits, and what its last line counts."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.shapes.__main__ import Outcome, less_baselines, page, summary
from benchmarks.shapes.tables import SplitTable, TableRun, tables

from butaca.evaluate.judged import Judged
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.verdict import verdict


def evaluation(ranks, n_items=200):
    n = len(ranks)
    user = np.arange(n, dtype=np.int32)
    lists = np.zeros((n, 1), dtype=np.int32)
    return Evaluation(np.asarray(ranks), n_items, True, None, user, user.copy(), lists)


def run(ours, theirs):
    rows = {"seen kept": ours, "seen left out": ours, "EASE": theirs}
    return TableRun(Judged(rows, len(ours.ranks), verdict(ours, {"EASE": theirs})), 2.0, 1.0)


@pytest.fixture(scope="module")
def outcome():
    """Two splits; the model finds half of what is asked, EASE three quarters of it."""
    half = [np.where((np.arange(80) + shift) % 2 == 0, 0, 150) for shift in (0, 1)]
    more = [np.where((np.arange(80) + shift) % 4 == 1, 0, own) for shift, own in enumerate(half)]
    runs = [run(evaluation(a), evaluation(b)) for a, b in zip(half, more, strict=True)]
    return Outcome(SplitTable("tweets", "x", "random"), runs, less_baselines(runs), {"iALS": 0.5})


def test_differences_are_means_over_fits_with_the_users_of_all_drawn_together(outcome):
    first = outcome.differences[0]
    ours, theirs = (
        np.mean([r.judged.rows[name].top_k(10) for r in outcome.runs]) for name in ("seen left out", "EASE")
    )
    assert (first.other, first.label) == ("EASE", "top-10")
    assert first.value == pytest.approx(ours - theirs)
    assert first.low < first.value < first.high < 0
    assert first.loses


def test_the_last_line_counts_losses(outcome):
    found = summary([outcome], None)
    assert (found["losses"], found["comparisons"]) == (4, 4)
    assert found["worst"] == pytest.approx(-min(d.value for d in outcome.differences), abs=1e-5)
    assert found["worst_at"][:2] == ["tweets", "EASE"]
    difference = found["tables"]["tweets"]["differences"][0]
    assert list(difference) == ["baseline", "label", "value", "low", "high", "loses"]
    assert found["tweets_ndcg_20"] == pytest.approx(0.5)
    assert found["random_top_10"] is None
    assert found["effort_ratio"] is None
    assert "0.7500 **loses**" in page([outcome])
    assert "| tweets | 2.0 s | 1.0 s | 0.5 s | – |" in page([outcome])


def test_tables_that_are_not_there_are_left_out(tmp_path):
    assert [t.name for t in tables(tmp_path)] == ["ml-100k", "ml-100k-temporal", "ml-100k-last"]
    (tmp_path / "movietweetings-ratings.parquet").touch()
    names = [t.name for t in tables(tmp_path, tmp_path)]
    assert names[3:] == ["tweets", "tweets-temporal", "tweets-last", "grown"]
