"""This module holds an EvaluatePlan, what `butaca evaluate` decides before anything is read, and does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

from butaca.checks import path_of, whole_number
from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.evaluate.judged import Judged
from butaca.evaluate.protocol import NOTEBOOK_K
from butaca.rank.judge import RankVerdict
from butaca.recommend.recommender import Recommender
from butaca.workflows.about import protocol, signal_of
from butaca.workflows.judging import judge_both, judge_saved
from butaca.workflows.loading import Columns, load_test


@dataclass(frozen=True)
class EvaluatePlan:
    """An EvaluatePlan holds every decision of an evaluation of a saved model.

    Attributes:
        model: folder of the model.
        test: a table of interactions that judge; None: those that `fit` held out.
        columns: of that table; its signal, if it says nothing, is the one that the model was fitted with.
        k: where lists are cut.

    Raises:
        SettingError: columns are named without a table, or a list is cut before its first place.
    """

    model: Path
    test: str | None = None
    _: KW_ONLY
    columns: Columns = field(default_factory=Columns)
    k: Sequence[int] = NOTEBOOK_K

    def __post_init__(self) -> None:
        """Checks what can be known before anything is read."""
        object.__setattr__(self, "model", path_of("model", self.model))
        object.__setattr__(self, "k", tuple(whole_number("k", k) for k in self.k))
        if not self.k:
            raise SettingError("Lists are cut at one place at least", "k=()", "Leave it out")
        if self.test is None and self.columns != Columns():
            raise SettingError(
                "Columns are those of a table of test interactions",
                "columns and no table",
                "Name it with test= (on the command line: --test), or leave them out",
            )


@dataclass(frozen=True, eq=False)
class Evaluated:
    """An Evaluated is what an evaluation came to.

    Attributes:
        recommender: the model.
        judged: its first stage, beside the baselines.
        ranking: both its stages; None without a second one.
    """

    recommender: Recommender
    judged: Judged
    ranking: RankVerdict | None


def carry_out_evaluate(
    plan: EvaluatePlan,
    *,
    data: Callable[[Dataset], None] | None = None,
    held_out: Callable[[Sequence[str]], None] | None = None,
) -> Evaluated:
    """Judges a saved model as the plan says.

    Args:
        plan: what to judge, and by what.
        data: called with a table of test interactions once it is read.
        held_out: called, where there is no such table, with what is known of the pairs that `fit` held out.

    Raises:
        ButacaError: the folder or the table can't be read, or nothing was held out.
    """
    recommender = Recommender.load(plan.model)
    given = None
    if plan.test is not None:
        given = _given(plan.test, recommender, plan.columns)
        if data is not None:
            data(given)
    elif held_out is not None:
        held_out(protocol(recommender.about))
    judged = judge_saved(recommender, given)
    pairs = recommender.held_out if given is None else given
    if pairs is None:
        return Evaluated(recommender, judged, None)
    return Evaluated(recommender, *judge_both(recommender, judged, test=pairs))


def _given(source: str, recommender: Recommender, columns: Columns) -> Dataset:
    """Reads a table of test interactions in the codes of a model, by the signal that it was fitted with."""
    said = columns.signal.says
    if not said:
        columns = replace(columns, signal=signal_of(recommender.about))
    return load_test(
        source,
        users=recommender.users,
        items=recommender.items,
        columns=columns,
        query=columns.reading.query,
        as_fitted=not said,
    )
