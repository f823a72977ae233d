"""This module prints the quality benchmark: accuracy, times, and a verdict on each peer."""

from __future__ import annotations

from collections import Counter
from statistics import mean, median

from rich.console import Console
from rich.table import Table

from benchmarks.machine import cpu
from benchmarks.notebook.report import duration, new_table
from benchmarks.quality.figures import COLUMNS, MEASURES, QualityResults, Split
from benchmarks.quality.scores import OverSeeds
from butaca import Evaluation
from butaca.evaluate.intervals import mean_over_seeds
from butaca.evaluate.verdict import Comparison

STYLE = {"beats": "green", "ties": "", "loses": "red", "open": ""}


def show(console: Console, results: QualityResults) -> None:
    """Prints all tables."""
    for split in results.splits:
        console.print()
        console.print(accuracy(split, results))
    first = results.splits[0]
    console.print()
    console.print(verdicts(first))
    if len(results.splits) > 1:
        console.print()
        console.print(across(results))
    for line in notes(results):
        console.print(f"  {line}", style="dim", markup=False)
    console.print()
    for claim in results.claims():
        word, style = ("yes", "green") if claim.ok else ("no ", "red")
        console.print(f"  {word}  {claim.sentence}", style=style, markup=False)
    console.print()


def accuracy(split: Split, results: QualityResults) -> Table:
    """Makes the table of every model on one split; the best of a column is in bold."""
    title = f"MovieLens 100K, random split {split.seed}, seen titles left out"
    title += " (settings chosen on its training data)" if split.tuned_on else " (nothing chosen on it)"
    table = new_table(title, *(label for _, _, label in COLUMNS), "validation", "fit, warm")
    rows: list[tuple[str, Evaluation, float | None, float | None]] = [
        ("butaca default", split.model, results.validation, median(results.fit_warm))
    ]
    by_validation = sorted(split.peers, key=lambda n: -float(results.settings[n]["validation"]))
    rows += [
        (n, split.peers[n], results.settings[n]["validation"], results.peer_warm.get(n))
        for n in by_validation
    ]
    rows.append(("popularity", split.popularity, None, None))
    best = {label: max(e.metric(m, k) for _, e, _, _ in rows) for m, k, label in COLUMNS}
    for name, evaluation, validation, seconds in rows:
        cells = []
        for metric, k, label in COLUMNS:
            text = figure(evaluation, metric, k=k)
            cells.append(f"[bold]{text}[/]" if evaluation.metric(metric, k) == best[label] else text)
        marked = f"{name} *" if name == results.picked else name
        shown = seconds if results.splits[0] is split else None
        table.add_row(
            marked,
            *cells,
            "" if validation is None else f"{validation:.4f}",
            "" if shown is None else duration(shown),
            end_section=name == "butaca default",
        )
    return table


def figure(evaluation: Evaluation, metric: str, *, k: int) -> str:
    """Writes a figure, with its t interval where there are seeds."""
    value = evaluation.metric(metric, k)
    if not isinstance(evaluation, OverSeeds) or len(evaluation.seeds) < 2:
        return f"{short(value)}       "
    over = mean_over_seeds(evaluation.each(metric, k))
    return f"{short(value)} ±{short(over.high - over.mean)}"


def short(value: float, form: str = ".4f") -> str:
    """Writes four digits, without the zero before the point."""
    return format(value, form).replace("0.", ".", 1)


def verdicts(split: Split) -> Table:
    """Makes the table of the model against every peer on one split."""
    title = f"The model less each peer, split {split.seed}: paired, 95 % intervals from resampled users"
    table = new_table(title, *(label for _, _, label in MEASURES), "in a word")
    for name, row in split.verdict.against.items():
        table.add_row(name, *(cell(c) for c in row), split.verdict.word(name))
    return table


def cell(c: Comparison) -> str:
    """Writes a word and the difference, and under it the interval."""
    low, high = short(c.low, "+.4f"), short(c.high, "+.4f")
    text = f"{c.word} {short(c.difference, '+.4f')}\n{low} to {high}"
    return f"[{STYLE[c.word]}]{text}[/]" if STYLE[c.word] else text


def across(results: QualityResults) -> Table:
    """Makes one table of every split: the mean difference, and how often which word."""
    n = len(results.splits)
    title = f"The model less each peer, mean of {n} splits: how often it beats / ties / loses"
    table = new_table(title, *(label for _, _, label in MEASURES))
    for name in results.settings:
        cells = []
        for place in range(len(MEASURES)):
            each = [s.verdict.against[name][place] for s in results.splits]
            words = Counter(c.word for c in each)
            text = short(mean(c.difference for c in each), "+.4f")
            text += f"  {words['beats']} / {words['ties']} / {words['loses']}"
            style = "red" if words["loses"] else "green" if words["beats"] > n / 2 else ""
            cells.append(f"[{style}]{text}[/]" if style else text)
        table.add_row(name, *cells)
    return table


def notes(results: QualityResults) -> list[str]:
    """Returns lines that say what the words in the tables mean, and where it ran."""
    ratio = results.ials_ratio
    trials = sorted({found["trials"] for found in results.settings.values()})
    out = [
        f"* the peer that validation picks. validation: NDCG@20 on a tenth of split 42's training data; each "
        f"peer's settings are the best of {' or '.join(str(n) for n in trials)} trials there.",
        f"±: half of a 95 % t interval over seeds ({results.seeds}); peers without it have no randomness.",
        "A user's figure is the mean over seeds before users are resampled (2,000 times).",
        "fit, warm: seconds on two threads, median of three after a first; butaca's from its table of pairs, "
        "the peers' from a ready sparse matrix.",
    ]
    if ratio is not None:
        low = duration(median(results.ials_warm))
        out.append(f"The model's warm fit takes {ratio:.1f} times that of tuned iALS ({low}, in turn).")
    versions = results.versions["peers"].items()
    out.append("Peers: " + ", ".join(f"{name} {v}" for name, v in versions) + ".")
    out.append(f"On {cpu()}.")
    if results.load_average > 0.5:
        out.append(f"Other work was running at the start: load average {results.load_average:.1f}.")
    return out
