"""This module judges a model beside the baselines: on held-out pairs, on a folder's, in both stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from butaca.baselines.panel import Panel, fit_panel
from butaca.baselines.popularity import Popularity
from butaca.catalogue.items import item_titles
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.negatives import Negatives, together
from butaca.data.splits import COMES_NEXT
from butaca.errors import SettingError
from butaca.evaluate.beyond import beyond_accuracy, user_columns
from butaca.evaluate.both_ways import MODEL, both_ways
from butaca.evaluate.collapse import collapse
from butaca.evaluate.honesty import (
    Notice,
    cut_above_catalogue,
    duplicate_candidates,
    repeats_of_training,
    users_without_history,
)
from butaca.evaluate.judged import Judged, best_baseline, outdone
from butaca.evaluate.protocol import NOTEBOOK_K, Evaluation, evaluate_scorer
from butaca.evaluate.scorers import answering, vectors_of
from butaca.evaluate.slices import by_slice
from butaca.evaluate.verdict import MEASURES, Verdict, verdict
from butaca.recommend.recommender import Recommender
from butaca.types import Scorer
from butaca.workflows.about import split_record

if TYPE_CHECKING:
    from butaca.rank.judge import RankVerdict

#: Length of the model's lists, which reports look into; the baselines' are as long as what they are
#: measured by (`beyond_accuracy`).
LISTS = 100


#: Test pairs are all judged up to so many scores, and of so many users in any case.
JUDGED_SCORES, JUDGED_USERS = 1e9, 10_000


def judged_on(test: Dataset, seed: int) -> Dataset:
    """Draws users whose test pairs are judged where scoring all would take minutes, else takes all.

    Up to JUDGED_SCORES scores, and JUDGED_USERS users in any case, nothing is drawn.
    """
    users = np.unique(test.user)
    most = max(JUDGED_USERS, int(JUDGED_SCORES / max(len(test.items), 1)))
    if len(users) <= most:
        return test
    drawn = np.random.default_rng([seed, 4]).choice(users, most, replace=False)
    return test.take(np.flatnonzero(np.isin(test.user, drawn)))


def judge_stages(recommender: Recommender, test: Dataset) -> RankVerdict | None:
    """Judges what the second stage gains on test pairs in the model's codes; None where there is none.

    On the pairs that a folder kept, which have no ratings, what needs these is as it was in `fit`.
    """
    if recommender.ranker is None:
        return None
    from butaca.rank.judge import judge_ranking, with_kept
    from butaca.rank.two_stage import TwoStage

    verdict = judge_ranking(TwoStage(recommender, recommender.ranker, recommender.seen), test)
    kept = recommender.about.get("metrics", {}).get("ranking")
    own = recommender.test is not None and test.user is recommender.test[0] and test.value is None
    return with_kept(verdict, kept) if kept and own else verdict


def judge(
    scorer: Scorer,
    *,
    train: Dataset,
    test: Dataset,
    loss_batch: int = 4096,
    split: str = "given",
    given: Dataset | None = None,
    repeats: Repeating | None = None,
) -> Judged:
    """Judges the model beside the baselines, all on the same pairs.

    Args:
        scorer: the model; its codes are those of both sets.
        train: what it was fitted on, and the baselines are; its items are left out as seen.
        test: pairs to find.
        loss_batch: pairs of the batch whose loss is reported, as Keras does.
        split: name of the split, which chooses the baselines, the verdict's question and what is warned of.
        given: further interactions that all scorers answer from (`answering`) and none is fitted on,
            such as histories of people that training never saw; seen too.
        repeats: what people had again, of data of which training and `test` hold the latest of each pair.
    """
    panel = fit_panel(train, split)
    return _judge(
        scorer, train, test, panel, loss_batch=loss_batch, split=split, given=given, repeats=repeats
    )


@dataclass(frozen=True, eq=False)
class Repeating:
    """A Repeating is what judges both ways where the data hold the latest of each pair alone.

    Attributes:
        scorer: the model, answering from `before`.
        before: all that users had before the test pairs.
        test: pairs, those of what users had before among them.
    """

    scorer: Scorer
    before: Dataset
    test: Dataset


def judge_saved(recommender: Recommender, test: Dataset | None = None) -> Judged:
    """Judges a saved model on its own held-out pairs, or on a test set in its codes."""
    users, items, seen = recommender.users, recommender.items, recommender.seen
    split = "given"
    if test is None:
        test = recommender.held_out
        if test is None:
            raise SettingError(
                "A model is judged on interactions that it was not trained on",
                "a model fitted with split='none' (--split none)",
                "Pass test= with interactions of your own (on the command line: --test FILE)",
            )
        split = str(split_record(recommender.about).get("split", split))
    rows = np.repeat(np.arange(len(users), dtype=np.int32), seen.lengths)
    train, given = Dataset(users, items, rows, seen.items, seen.value, seen.time, weight=seen.weight), None
    train = replace(train, again=recommender.again)
    if seen.negatives is not None:
        of = np.repeat(np.arange(len(users), dtype=np.int32), seen.negatives.lengths)
        train = replace(train, negatives=Negatives(of, seen.negatives.items))
    if recommender.test is not None and "given" in recommender.about.get("split", {}):
        held_out = np.isin(rows, recommender.test[0])
        train, given = train.take(np.flatnonzero(~held_out)), train.take(np.flatnonzero(held_out))
    panel = fit_panel(train, split)
    panel.scorers["popularity"] = _Counts(recommender.popularity)
    return _judge(recommender, train, test, panel, loss_batch=4096, split=split, given=given)


def _judge(
    scorer: Scorer,
    train: Dataset,
    test: Dataset,
    panel: Panel,
    *,
    loss_batch: int,
    split: str,
    given: Dataset | None = None,
    repeats: Repeating | None = None,
) -> Judged:
    seen = Histories.of(train if given is None else joined(train, given))
    scorers = panel.scorers
    if given is not None:
        scorer = answering(scorer, seen)
        scorers = {name: answering(baseline, seen) for name, baseline in scorers.items()}
    again = train.again
    kept = evaluate_scorer(scorer, test, seen=None, loss_batch=loss_batch, lists=LISTS if again else 0)
    left_out = evaluate_scorer(scorer, test, seen=seen, lists=LISTS)
    ours, gone = (kept, None) if again else (left_out, seen)
    baselines = {name: evaluate_scorer(b, test, seen=gone, lists=10) for name, b in scorers.items()}
    left = {"seen left out": ours, **baselines}
    beyond, columns = {}, user_columns(seen, ours.n_items)
    for name, row in left.items():
        assert row.lists is not None
        beyond[name] = beyond_accuracy(row.lists, row.users, seen=seen, n_items=row.n_items, columns=columns)
    found = verdict(
        ours,
        baselines,
        comes_next=split in COMES_NEXT,
        limited=panel.limited,
        left_out=panel.left_out,
    )
    known = {"seen left out": {MODEL: left_out}, "seen allowed": {MODEL: kept}}
    known["seen allowed" if again else "seen left out"] |= baselines
    rows, pairs, had = {MODEL: scorer, **scorers}, test, seen
    if repeats is not None:
        known, pairs, had = {}, repeats.test, Histories.of(repeats.before)
        rows = {name: answering(baseline, had) for name, baseline in scorers.items()}
        rows = {MODEL: repeats.scorer, **rows}
    both = both_ways(rows, pairs, seen=had, known=known, comes_next=split in COMES_NEXT)
    told = None if both is None or again else repeats_of_training(pairs.user, pairs.item, seen=had)
    notices = (
        users_without_history(test.user, seen),
        told,
        duplicate_candidates(item_titles(train.items), seen, vectors=vectors_of(scorer)),
        cut_above_catalogue((*NOTEBOOK_K, *(k for _, k, _ in MEASURES)), ours.n_items),
        _collapse(ours, baselines, found=found, seen=seen),
    )
    return Judged(
        {"seen kept": kept, "seen left out": left_out, **baselines},
        len(test),
        found,
        tuple(notice for notice in notices if notice is not None),
        by_slice(ours, seen),
        beyond,
        panel.left_out,
        again=again,
        both_ways=both,
    )


def _collapse(
    ours: Evaluation, baselines: Mapping[str, Evaluation], *, found: Verdict, seen: Histories
) -> Notice | None:
    """Returns the collapse alarm where something better than the model's lists is less alike, else None."""
    if not outdone(found, baselines):
        return None
    best = best_baseline(baselines)
    popular, other = baselines["popularity"].lists, baselines[best].lists
    assert ours.lists is not None
    return collapse(ours.lists, ours.users, seen=seen, n_items=ours.n_items, popular=popular, best=other)


def judge_both(
    recommender: Recommender, judged: Judged, *, test: Dataset
) -> tuple[Judged, RankVerdict | None]:
    """Judges what the second stage gains, and both stages beside the baselines; as it is where there is none.

    Args:
        recommender: the model.
        judged: its first stage, on the same pairs.
        test: the pairs, in its codes.
    """
    ranking = judge_stages(recommender, test)
    return (judged if ranking is None else judged.with_stages(ranking.both)), ranking


def joined(one: Dataset, other: Dataset) -> Dataset:
    """Joins the interactions of both, which share users, items and columns."""
    both: dict[str, Any] = {
        name: None
        if getattr(one, name) is None
        else np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("user", "item", "value", "timestamp")
    }
    if one.weight is not None or other.weight is not None:
        both["weight"] = np.concatenate([one.weights, other.weights])
    return replace(one, **both, negatives=together(one.negatives, other.negatives))


class _Counts(Popularity):
    """A _Counts is popularity from counts that a model folder kept (repeats of a pair included)."""

    def __init__(self, counts: Any) -> None:
        self._counts = counts
