"""This benchmark says what each part of the default recipe is worth: `python -m benchmarks.shapes.ablation`.

Every row is the default recipe with one thing changed, on the split of the notebook (seed 42, a fifth out,
seen titles left out), over five seeds, with the paired difference to the recipe itself. Rows are named by
`--list`; `--markdown docs/ablation.md` writes the page. Nothing here chooses a setting: that is done on
validation (docs/tuning.md).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.command import seeded_parser
from benchmarks.machine import one_core
from benchmarks.pages import finish, write
from benchmarks.quality.data import parts
from benchmarks.shapes.ablation_page import page
from benchmarks.shapes.fits import (
    Fit,
    SeedRuns,
    against,
    as_figures,
    cells,
    difference_text,
    fit_seed,
    over_seeds,
)
from butaca import Bag, Category, Dataset, History, Id, Number, Recipe, SpectralSettings, Text, recipe
from butaca.data.histories import Histories
from butaca.model.query import QueryTower
from butaca.model.spectral import closed_form, decompose
from butaca.referee.tables import seconds
from butaca.types import Codes, Floats, Scorer

Change = Callable[[Recipe], Recipe]


class ClosedForm:
    """A ClosedForm is the closed-form tower alone, as a scorer; there is nothing to train in it."""

    def __init__(self, train: Dataset, settings: SpectralSettings, *, seed: int) -> None:
        items = len(train.items)
        spectrum = decompose(
            train.user,
            train.item,
            time=train.timestamp,
            n_items=items,
            dim=settings.dim,
            settings=settings,
            seed=seed,
        )
        head, self.candidates = closed_form(spectrum, settings)
        self.tower = QueryTower(np.zeros((1, 0), np.float32), head=head)
        self.seen = Histories.of(train)

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.candidates)

    def score(self, users: Codes) -> Floats:
        """Returns products of its two sides."""
        scores: Floats = self.tower(users, self.seen) @ self.candidates.T
        return scores


@dataclass(frozen=True)
class Variant:
    """A Variant is a row of the ablation.

    Attributes:
        text: what the table calls it.
        change: of the recipe; None for the closed form, which is no recipe.
        group: the table that it stands in.
    """

    text: str
    change: Change | None
    group: str


def model(**fields: Any) -> Change:
    """Changes settings of the model."""
    return lambda r: replace(r, model=replace(r.model, **fields))


def spectral(**fields: Any) -> Change:
    """Changes settings of the spectrum."""
    return lambda r: replace(
        r, model=replace(r.model, spectral=replace(r.model.spectral or SpectralSettings(), **fields))
    )


def history(**fields: Any) -> Change:
    """Changes the history feature."""
    return lambda r: replace(r, model=replace(r.model, query=(_history(r, **fields),)))


def query(*features: Any, keep: bool = True) -> Change:
    """Adds features to the query tower, or puts others in their place."""
    return lambda r: replace(
        r, model=replace(r.model, query=((_history(r), *features) if keep else features))
    )


def candidate(*features: Any) -> Change:
    """Adds features to the candidate tower."""
    return lambda r: replace(r, model=replace(r.model, candidate=(*r.model.candidate, *features)))


def steps(times: float) -> Change:
    """Changes the epochs to so many times as many, a step each."""
    return lambda r: replace(r, epochs=max(round(times * r.epochs), 1))


def batches(n: int = 8192) -> Change:
    """Changes to batches of whole users with about n pairs, as many steps in all."""
    return lambda r: replace(r, batch_size=n, epochs=max(round(r.epochs * n / 80_000), 1), held_out=0)


def rate(value: float) -> Change:
    """Changes the learning rate."""
    return lambda r: replace(r, learning_rate=value)


def both(*changes: Change) -> Change:
    """Makes changes one after another."""

    def change(r: Recipe) -> Recipe:
        for each in changes:
            r = each(r)
        return r

    return change


def _history(r: Recipe, **fields: Any) -> History:
    return replace(r.model.history or History(), **fields)


PEOPLE = (Number("raw_user_age"), Category("user_gender"), Category("user_occupation_text"))
FILMS = (Bag("movie_genres"), Text("title_words"))

# Rates and l2 of the dot products were chosen on the validation slice (`--validation`), not on test.
DOT = both(model(unit=False, temperature=1.0), rate(0.01))

TOWERS, START, SOFTMAX, QUERY, CANDIDATE = (
    "The two towers",
    "The start",
    "Scores and the softmax",
    "The query tower",
    "The candidate tower and its size",
)

ROWS: dict[str, Variant] = {
    "default": Variant("the default recipe", lambda r: r, TOWERS),
    "trained-only": Variant("no closed-form tower beside the trained one", spectral(dim=0), TOWERS),
    "closed-form": Variant("the closed-form tower alone, nothing trained", None, TOWERS),
    "no-time": Variant("time ignored: span inf", spectral(span=float("inf")), START),
    "uniform": Variant("trained tower from noise", model(start="uniform"), START),
    "uniform-x3": Variant("the same, three times the steps", both(model(start="uniform"), steps(3)), START),
    "uniform-only": Variant(
        "from noise, no closed-form tower", both(model(start="uniform"), spectral(dim=0)), START
    ),
    "uniform-only-x3": Variant(
        "the same, three times the steps", both(model(start="uniform"), spectral(dim=0), steps(3)), START
    ),
    "steps-x3": Variant("spectral start, three times the steps", steps(3), START),
    "temperature-.1": Variant("temperature .1", model(temperature=0.1), SOFTMAX),
    "temperature-.5": Variant("temperature .5", model(temperature=0.5), SOFTMAX),
    "dot": Variant("dot products, not unit vectors; temperature 1", DOT, SOFTMAX),
    "dot-l2": Variant("the same with l2 .03", both(DOT, model(l2=0.03)), SOFTMAX),
    "no-prior": Variant("no item prior", model(prior="none"), SOFTMAX),
    "in-batch": Variant(
        "in-batch softmax, batches of 8,192, known items masked",
        both(model(softmax="in_batch", mask="known"), batches()),
        SOFTMAX,
    ),
    "in-batch-no-mask": Variant(
        "the same, no mask", both(model(softmax="in_batch", mask="none"), batches()), SOFTMAX
    ),
    "full-8192": Variant("full softmax, batches of 8,192", batches(), SOFTMAX),
    "full-mask": Variant("full softmax, known items masked", model(softmax="full", mask="known"), SOFTMAX),
    "sampled": Variant(
        "sampled softmax, 512 draws by count ** .5, logQ, known masked",
        model(softmax="sampled", samples=512),
        SOFTMAX,
    ),
    "sampled-uniform": Variant(
        "the same, uniform draws (logQ corrects nothing)",
        model(softmax="sampled", samples=512, sampling_power=0.0),
        SOFTMAX,
    ),
    "sampled-count": Variant(
        "the same, draws by count",
        model(softmax="sampled", samples=512, sampling_power=1.0),
        SOFTMAX,
    ),
    "sampled-no-logq": Variant(
        "512 draws by count ** .5, no logQ correction",
        model(softmax="sampled", samples=512, logq=False),
        SOFTMAX,
    ),
    "sampled-count-no-logq": Variant(
        "draws by count, no logQ correction",
        model(softmax="sampled", samples=512, sampling_power=1.0, logq=False),
        SOFTMAX,
    ),
    "sampled-no-mask": Variant(
        "512 draws by count ** .5, no mask", model(softmax="sampled", samples=512, mask="none"), SOFTMAX
    ),
    "trust-all": Variant("short histories trusted in full", model(trusted_from=0), QUERY),
    "dropout-0": Variant("history dropout 0", history(dropout=0.0), QUERY),
    "dropout-.25": Variant("history dropout .25", history(dropout=0.25), QUERY),
    "dropout-.75": Variant("history dropout .75", history(dropout=0.75), QUERY),
    "id": Variant("an id instead of the history", query(Id("user_id"), keep=False), QUERY),
    "id-x3": Variant(
        "the same, three times the steps", both(query(Id("user_id"), keep=False), steps(3)), QUERY
    ),
    "id-only-x3": Variant(
        "the same, no closed-form tower",
        both(query(Id("user_id"), keep=False), spectral(dim=0), steps(3)),
        QUERY,
    ),
    "history-id": Variant("history and id", query(Id("user_id")), QUERY),
    "history-people": Variant("history, age, gender, occupation", query(*PEOPLE), QUERY),
    "by-rating": Variant("history weighted by rating", history(by_rating=True), QUERY),
    "by-recency": Variant("history weighted by recency", history(by_recency=True), QUERY),
    "genres": Variant("id and genres", candidate(FILMS[0]), CANDIDATE),
    "genres-title": Variant("id, genres, words of the title", candidate(*FILMS), CANDIDATE),
    "no-cold": Variant(
        "no features of new items",
        lambda r: replace(r, features_of_new=False, model=replace(r.model, cold_features=())),
        CANDIDATE,
    ),
    "hidden": Variant("a hidden layer of 128 in both towers", model(hidden=(128,)), CANDIDATE),
    "dim-32": Variant("32 dimensions", model(dim=32), CANDIDATE),
    "dim-128": Variant("128 dimensions", model(dim=128), CANDIDATE),
    "dim-256": Variant("256 dimensions", model(dim=256), CANDIDATE),
}


def main() -> int:
    parser = seeded_parser(__doc__, "write the page here (docs/ablation.md)")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="these rows (default: all)")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--validation", action="store_true", help="on the validation slice instead of test")
    args = parser.parse_args()
    if args.list:
        print("\n".join(f"{name:18} {row.text}" for name, row in ROWS.items()))
        return 0
    unknown = sorted(set(args.rows) - set(ROWS))
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    one_core()
    names = ["default", *(n for n in args.rows or ROWS if n != "default")]
    found = measure(names, args.seeds, validation=args.validation)
    write(args.markdown, page(found, args.seeds))
    finish(
        {n: as_figures(f.evaluation) | {"fit_s": round(f.warm, 3)} for n, (_, f) in found.items()}, args.out
    )
    return 0


def with_words(data: Dataset) -> Dataset:
    """Adds the titles to the data once more as a feature: the id's own column serves one feature only."""
    items = data.items
    return replace(data, items=replace(items, columns={**items.columns, "title_words": items.ids.values}))


def measure(names: Sequence[str], seeds: int, *, validation: bool) -> dict[str, tuple[Variant, SeedRuns]]:
    """Fits and judges rows, and prints each as it comes."""
    train, test = (with_words(part) for part in parts("slice-0" if validation else "42"))
    out: dict[str, tuple[Variant, SeedRuns]] = {}
    for name in names:
        fitted = over_seeds(fitter(ROWS[name], train), train, test=test, seeds=seeds)
        out[name] = (ROWS[name], fitted)
        verdict = against(fitted.evaluation, {"default": out["default"][1].evaluation})
        words = "" if name == "default" else difference_text(verdict.against["default"][0])
        print(
            f"{name:18}", *cells(fitted.evaluation), seconds(fitted.warm), words, file=sys.stderr, flush=True
        )
    return out


def fitter(row: Variant, train: Dataset) -> Fit:
    """Returns how a row is fitted."""
    chosen = recipe("default").for_data(train)
    if row.change is None:
        settings = chosen.model.spectral or SpectralSettings()
        return lambda data, seed: ClosedForm(data, settings, seed=seed)
    changed = row.change(chosen)

    def fit(data: Dataset, seed: int) -> Scorer:
        return fit_seed(changed, data, seed)

    return fit


if __name__ == "__main__":
    sys.exit(main())
