"""This module draws what the commands print, with rich: tables of results and lists of titles."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from butaca.catalogue.nouns import noun_of
from butaca.cli.figures import Figures, number
from butaca.data.dataset import Dataset
from butaca.evaluate.both_ways import MODEL, SHOWN, BothWays
from butaca.evaluate.judged import Judged, figures
from butaca.evaluate.protocol import NOTEBOOK_K, Evaluation
from butaca.evaluate.slices import Slice
from butaca.evaluate.verdict import MEASURES, Comparison
from butaca.recommend.answers import Recommendation

if TYPE_CHECKING:
    from butaca.rank.judge import RankVerdict


def data_summary(console: Console, data: Dataset, *, noun: str | None = None) -> None:
    """Prints the name of a data set, its sizes, and what reading decided.

    Args:
        console: where to.
        data: the data set.
        noun: what its items are called; None: what the columns' names say.
    """
    items = noun_of(data.items, {"noun": noun, "data": {"name": data.name}}).count(len(data.items))
    density = len(data) / max(len(data.users) * len(data.items), 1)
    console.print(
        f"[bold]{data.name}[/]: {len(data):,} interactions of {len(data.users):,} users "
        f"with {items} ({density:.2%} of all pairs)",
        highlight=False,
    )
    for note in data.notes:
        console.print(f"  {note}", style="dim", highlight=False, markup=False)


def accuracy_table(
    rows: Mapping[str, Evaluation | Mapping[Any, float]], title: str, *, k: Sequence[int] = NOTEBOOK_K
) -> Figures:
    """Draws top-k accuracies, a row each; a row may be an Evaluation or printed figures by k and "loss".

    The loss is that of the last test batch of 4,096, as Keras prints it.
    """
    table = Figures(title, [*(f"top-{n}" for n in k), "loss"])
    for name, row in rows.items():
        if isinstance(row, Evaluation):
            values, loss = [row.top_k(n) for n in k], row.loss
        else:
            values, loss = [row[n] for n in k], row.get("loss")
        table.add_row(name, *(_share(v) for v in values), "" if loss is None else number(loss, ",.0f"))
    return table


def comparison_table(judged: Judged, name: str) -> Figures:
    """Draws the model beside every baseline, on the same pairs with the same items left out."""
    title = f"{name} beside the baselines: {judged.n_test:,} test pairs, {_seen(judged)}"
    rows = {name: judged.ours}
    if judged.first is not None:
        rows = {f"{name}, first stage": judged.ours, f"{name}, both": judged.served}
    by_row = {row: figures(evaluation) for row, evaluation in {**rows, **judged.baselines}.items()}
    table = Figures(title, list(next(iter(by_row.values()))))
    for row, values in by_row.items():
        table.add_row(row, *(_share(v) for v in values.values()))
    return table


def both_ways_table(found: BothWays, name: str) -> Figures:
    """Draws the model and the baselines with what people had before left out, and with it allowed."""
    share = f"{found.n_again:,} ({found.n_again / found.n_test:.0%})"
    title = f"Both ways: of {found.n_test:,} test pairs {share} are of what the user had before"
    columns = [f"{label}, {way}" for *_, label in SHOWN for way in ("left out", "allowed")]
    table = Figures(title, columns)
    for row in found.left_out:
        cells = [
            _share(ways[row].metric(metric, k))
            for metric, k, _ in SHOWN
            for ways in (found.left_out, found.allowed)
        ]
        table.add_row(name if row == MODEL else row, *cells)
    return table


def verdict_table(judged: Judged) -> Figures:
    """Draws a row for each baseline: the word and the interval of the difference, by measure."""
    title = "The difference and its 95 % interval over users, of which all lower ends hold together"
    table = Figures(title, [label for *_, label in MEASURES])
    for name, row in judged.verdict.against.items():
        table.add_row(f"against {name}", *(_difference(c) for c in row))
    return table


def ranking_table(found: RankVerdict) -> Figures:
    """Draws the first stage beside both, and what the first allows at most."""
    ceiling = ", ".join(f"{share:.1%} among {k}" for k, share in found.ceiling.items())
    title = f"The second stage orders what the first retrieves (of the test pairs {ceiling})"
    gains = found.gains if found.graded is None else (*found.gains, found.graded)
    table = Figures(
        title, ["first", "both", "gain"]
    )  # a row each: five measures do not fit beside one another
    for c in gains:
        table.add_row(c.label, _share(c.theirs), _share(c.ours), _difference(c).replace("\n", "  "))
    return table


def _seen(judged: Judged) -> str:
    """Says whether what users had stands in the lists that are judged."""
    return "seen kept" if judged.again else "seen left out"


def slice_table(slices: Sequence[Slice], seen: str = "seen left out") -> Figures:
    """Draws the accuracy by slice; the empty ones are left out."""
    table = Figures(f"By slice, {seen}", ["users", "pairs", *(label for *_, label in MEASURES)])
    for part in slices:
        if part.n_pairs:
            shares = (_share(part.metrics[label]) for *_, label in MEASURES)
            table.add_row(f"{part.name} ({part.what})", f"{part.n_users:,}", f"{part.n_pairs:,}", *shares)
    return table


def beyond_table(judged: Judged) -> Figures:
    """Draws what lies beyond accuracy, for the model and the baselines."""
    columns = ["coverage", "novelty, bits", "popularity", "Gini", "similarity", "overlap"]
    k = judged.beyond["seen left out"].k
    own = judged.beyond["seen left out"].history_popularity_share
    table = Figures(
        f"Lists of {k} (what users chose themselves was had by {number(own, '.1%')} of users)", columns
    )
    for name, row in judged.beyond.items():
        table.add_row(
            "the model" if name == "seen left out" else name,
            number(row.coverage, ".1%"),
            number(row.novelty, ".2f"),
            number(row.popularity_share, ".1%"),
            number(row.gini, ".3f"),
            number(row.intra_list_similarity, ".3f"),
            number(row.overlap, ".1%"),
        )
    return table


def _share(value: float) -> str:
    return number(value, ".5f" if value < 0.001 else ".4f")


def _difference(c: Comparison) -> str:
    style = {"beats": "green", "ties": "yellow", "loses": "red", "open": "dim"}[c.word]
    if c.word == "open":
        return f"{number(c.difference, '+.3f')}\n[dim]too few users[/]"
    return f"{c.difference:+.3f} [{style}]{c.word}[/]\n[dim]{c.low:+.3f} to {c.high:+.3f}[/]"


def recommendation_table(answer: Recommendation, heading: str) -> Table:
    """Draws one list; with reasons, if any item has one."""
    explained = any(item.because for item in answer.items)
    table = Table(title=heading, title_justify="left", title_style="bold", header_style="dim", box=None)
    table.add_column("", justify="right", style="dim")
    table.add_column("title", overflow="fold")
    table.add_column("score", justify="right", style="dim", no_wrap=True)
    if explained:
        table.add_column("because of", overflow="fold")
    for place, item in enumerate(answer.items, start=1):
        why = ", ".join(f"{plain(r.title)} [dim]{r.share:+.2f}[/]" for r in item.because)
        table.add_row(str(place), plain(item.title), f"{item.score:.3f}", *([why] if explained else []))
    return table


def print_list(out: Console, answer: Recommendation, *, heading: str) -> None:
    """Prints one list, or a sentence where nothing is left to list."""
    if answer.items:
        out.print(recommendation_table(answer, plain(heading)))
        return
    out.print(heading, style="bold", highlight=False, markup=False)
    if answer.source == "similar":
        out.print("Nothing else in the catalogue meets the conditions.")
    else:
        out.print(
            "Nothing is left to list: everything that meets the conditions was had already, or left out. "
            "--include-seen lists what was had, too.",
            highlight=False,
        )


def plain(text: str) -> str:
    """Returns text in which square brackets are not markup."""
    return escape(text)


def as_json(answer: Recommendation) -> dict[str, Any]:
    """Returns one JSON line: {"user": ..., "source": ..., "items": [{"id", "title", "score"}, ...]}.

    With the titles found for a history that was given, under "history", and the reasons of an item that has
    some, under "because".
    """
    return {
        "user": answer.asked,
        **({"history": list(answer.history)} if answer.history else {}),
        "source": answer.source,
        "items": [
            {"id": i.id, "title": i.title, "score": i.score}
            | ({"because": [r._asdict() for r in i.because]} if i.because else {})
            for i in answer.items
        ],
    }


def print_judged(
    out: Console, judged: Judged, *, name: str, k: Sequence[int] = NOTEBOOK_K, details: bool = False
) -> None:
    """Prints a verdict: the model's accuracies, the baselines beside it, the intervals, and what to mind.

    Args:
        out: where to.
        judged: what was found.
        name: of the model.
        k: of the accuracies.
        details: by slice and beyond accuracy too.
    """
    rows = {
        f"{name}, seen kept": judged.rows["seen kept"],
        f"{name}, seen left out": judged.rows["seen left out"],
        f"popularity, {_seen(judged)}": judged.rows["popularity"],
    }
    out.print(accuracy_table(rows, f"Top-k accuracy of {judged.n_test:,} test pairs", k=k))
    out.print(comparison_table(judged, name))
    out.print(verdict_table(judged))
    if details:
        out.print(slice_table(judged.slices, _seen(judged)))
        out.print(beyond_table(judged))
    if judged.both_ways is not None:
        out.print(both_ways_table(judged.both_ways, name))
    for baseline, reason in judged.left_out.items():
        out.print(f"Not compared with {baseline}: {reason}.", style="dim", highlight=False)
    if judged.first is not None:
        out.print(judged.first.sentence_of("first stage alone"), highlight=False, markup=False)
    out.print(judged.verdict.sentence, style="bold", highlight=False, markup=False)
    for sentence in () if judged.both_ways is None else judged.both_ways.sentences:
        out.print(sentence, highlight=False, markup=False)
    if judged.verdict.word("popularity") in {"ties", "loses"}:
        Console(stderr=True).print(
            "A model that does not beat popularity should not be served as it is.", style="yellow"
        )
    for notice in judged.warnings:
        Console(stderr=True).print(f"[yellow]Mind:[/] {plain(str(notice))}", highlight=False)


def print_json(value: Mapping[str, Any]) -> None:
    """Prints one line of JSON on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


class ChoiceBar:
    """A ChoiceBar draws how far a search for a configuration is, by means of rich."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def begin(self, text: str, total: int) -> None:
        """Prints what will be done, and draws the bar."""
        self.console.print(text, highlight=False, markup=False)
        self._bar = Progress(
            TextColumn("validation"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=total)

    def advance(self) -> None:
        """Advances the bar."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def end(self) -> None:
        """Leaves the finished bar on the screen."""
        if self._bar is not None:
            self._bar.stop()
