"""This benchmark tries new users and new titles: `python -m benchmarks.shapes.cold [users|items]`.

Users: a fifth of them is left out of training; each then brings 3, 10 or four fifths of his or her titles,
drawn at random or first by time, and the rest is to be found. The default recipe answers from what was
brought, nothing is trained; item-kNN and EASE do likewise. Titles: a tenth of them is left out of training
with everything about who had them; what is known is genres, year and the words of the title.
`--explore` holds out another tenth of the titles, or another fifth of the users, within the training data,
and tells what was chosen there. `--markdown docs/shapes.md` writes both sections.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.command import seeded_parser
from benchmarks.machine import one_core
from benchmarks.pages import finish, markdown, write_section
from benchmarks.quality.data import TEST, movielens
from benchmarks.quality.figures import MEASURES
from benchmarks.quality.scores import OverSeeds
from benchmarks.shapes.ablation import with_words
from benchmarks.shapes.cold_titles import by_genre, feature_recipes, fit_lifted, hold_out
from benchmarks.shapes.fits import (
    Fit,
    against,
    as_figures,
    cells,
    difference_text,
    fit_seed,
    judged,
    over_seeds,
    where,
)
from butaca import (
    EASE,
    Dataset,
    Evaluation,
    Histories,
    Popularity,
    RecentPopularity,
    Scorer,
    TwoTower,
    recipe,
)
from butaca.baselines.item_knn import ItemKNN
from butaca.data.splits import user_split
from butaca.evaluate.protocol import evaluate_scorer
from butaca.referee.tables import seconds
from butaca.types import Bools

LABELS = [label for _, _, label in MEASURES]


def main() -> int:
    parser = seeded_parser(__doc__, "write the sections into this page")
    parser.add_argument("what", nargs="*", metavar="WHAT", help="users, items (default: both)")
    parser.add_argument("--explore", action="store_true", help="on validation, no more")
    args = parser.parse_args()
    if set(args.what) - {"users", "items"}:
        parser.error("WHAT is users or items")
    one_core()
    data = with_words(movielens())
    figures: dict[str, object] = {}
    if args.explore:
        if "users" in args.what or not args.what:
            explore_trust(user_split(data, TEST, seed=42)[0], args.seeds)
        if "items" in args.what or not args.what:
            new_titles(hold_out(data, seed=42)[0], args.seeds, seed=1)
        return 0
    if "users" in args.what or not args.what:
        figures["users"], text = new_users(data, args.seeds)
        write_section(args.markdown, "new users", text=text)
    if "items" in args.what or not args.what:
        figures["items"], text = new_titles(data, args.seeds, seed=42)
        write_section(args.markdown, "new titles", text=text)
    finish(figures, args.out)
    return 0


def explore_trust(train: Dataset, seeds: int) -> None:
    """Prints how far to trust short histories, on another fifth of the users for each seed; means."""
    rules = [(0, 0.0)] + [(n, p) for n in (10, 15, 20) for p in (0.5, 0.75, 1.0)]
    found: dict[tuple[int, bool, str], list[list[float]]] = {}
    for seed in range(seeds):
        known, out = user_split(train, TEST, seed=seed)
        model = fit_seed(recipe("default").for_data(known), known, seed)
        assert isinstance(model, TwoTower)
        for given in (1, 3, 5, 10):
            for by_time in (False, True):
                mask = brought(out, given, by_time=by_time)
                test = out.take(np.flatnonzero(~mask))
                seen = Histories.of(out.take(np.flatnonzero(mask)))
                ways: dict[str, Scorer] = {"popularity": Popularity().fit(known)}
                answering = model.answering(seen)
                for n, p in rules:
                    tower = replace(answering.vectors.tower, trusted_from=n, trust_power=p)
                    ways[f"trusted from {n}, power {p:g}"] = replace(
                        answering, vectors=replace(answering.vectors, tower=tower)
                    )
                for name, scorer in ways.items():
                    judgement = evaluate_scorer(scorer, test, seen=seen)
                    row = [judgement.metric(metric, k) for metric, k, _ in MEASURES]
                    found.setdefault((given, by_time, name), []).append(row)
    for (n_given, timed, name), rows in found.items():
        when = "first by time" if timed else "at random"
        print(
            f"{n_given:3g} {when:14}{name:30}", *(f"{x:.4f}" for x in np.mean(rows, axis=0)), file=sys.stderr
        )


def brought(data: Dataset, given: float, *, by_time: bool) -> Bools:
    """Says which rows of new users are given [n]: so many of each user's, or that share if below 1."""
    rng = np.random.default_rng(0)
    key = data.timestamp if by_time else None
    order = np.lexsort((rng.random(len(data)), data.user) if key is None else (data.item, key, data.user))
    user = data.user[order]
    start = np.searchsorted(user, user, side="left")
    size = np.searchsorted(user, user, side="right") - start
    rows = np.zeros(len(data), dtype=bool)
    rows[order] = np.arange(len(user)) - start < (np.round(given * size) if given < 1 else given)
    return rows


def new_users(data: Dataset, seeds: int) -> tuple[dict[str, object], str]:
    """Returns the figures of new users and their section."""
    train, out = user_split(data, TEST, seed=42)
    chosen = recipe("default").for_data(train)
    ours = []
    for seed in range(seeds):
        fitted = fit_seed(chosen, train, seed)
        assert isinstance(fitted, TwoTower)
        ours.append(fitted)
    fixed: dict[str, Scorer] = {
        "popularity": Popularity().fit(train),
        "recent popularity": RecentPopularity().fit(train),
    }
    knn, ease = ItemKNN().fit(train), EASE().fit(train)
    figures: dict[str, object] = {}
    rows, words = [], []
    for given, text in ((3, "3 titles"), (10, "10 titles"), (0.8, "four fifths")):
        for by_time in (False, True):
            mask = brought(out, given, by_time=by_time)
            test = out.take(np.flatnonzero(~mask))
            seen = Histories.of(out.take(np.flatnonzero(mask)))
            mine = OverSeeds.of([evaluate_scorer(m.answering(seen), test, seen=seen) for m in ours])
            others = {"item-kNN": knn.answering(seen), "EASE": ease.answering(seen)}
            theirs = judged({**fixed, **others}, test, seen=seen)
            verdict = against(mine, theirs)
            name = f"{text}, {'first by time' if by_time else 'at random'}"
            rows.append([f"**{name}**", "default", *cells(mine)])
            rows += [["", n, *cells(e)] for n, e in theirs.items()]
            words.append(
                [name, *(difference_text(c) for c in verdict.against["popularity"]), verdict.word("EASE")]
            )
            figures[name] = as_lines(mine, theirs) | {
                "words": {n: [c.word for c in row] for n, row in verdict.against.items()}
            }
            print(name, *words[-1], sep="\n  ", file=sys.stderr, flush=True)
            for n, e in {"default": mine, **theirs}.items():
                print(f"    {n:18}", *cells(e), file=sys.stderr, flush=True)
    parts = [
        f"{len(np.unique(out.user))} of {len(data.users)} users take no part in training. "
        f"Means of {seeds} seeds.",
        "The model less popularity, paired by user, and in a word against EASE:",
        markdown(["brought", *LABELS, "against EASE"], words),
        markdown(["brought", "", *LABELS], rows),
    ]
    return figures, "\n\n".join(parts)


def as_lines(mine: Evaluation, theirs: Mapping[str, Evaluation]) -> dict[str, object]:
    """Returns the figures of everyone."""
    return {"default": as_figures(mine), **{n: as_figures(e) for n, e in theirs.items()}}


def new_titles(data: Dataset, seeds: int, *, seed: int) -> tuple[dict[str, object], str]:
    """Returns the figures of new titles and their section; `seed` draws the titles."""
    train, test = hold_out(data, seed)
    held: Bools = np.zeros(len(data.items), dtype=bool)
    held[np.unique(test.item)] = True
    seen = Histories.of(train)
    theirs: dict[str, Scorer] = {"popularity": Popularity().fit(train), "genres' popularity": by_genre(train)}
    rows: dict[str, list[list[str]]] = {}
    figures: dict[str, object] = {}
    for among, only in (("the new titles alone", held), ("all titles", None)):
        others = judged(theirs, test, seen=seen, only=only)
        lines = [[n, *cells(e), "", ""] for n, e in others.items()]
        ways: dict[str, Fit] = {n: partial(fit_seed, r) for n, r in feature_recipes(train).items()}
        ways["of genres, year, words, new titles' prior the mean"] = fit_lifted
        for name, fit in ways.items():
            fitted = over_seeds(fit, train, test=test, seeds=seeds, seen=seen, only=only)
            verdict = against(fitted.evaluation, others)
            words = [difference_text(verdict.against[n][0]) for n in others]
            lines.append([name, *cells(fitted.evaluation), *words])
            figures[f"{among}: {name}"] = as_figures(fitted.evaluation) | {
                "words": {n: [c.word for c in row] for n, row in verdict.against.items()}
            }
            print(
                among,
                name,
                *cells(fitted.evaluation),
                *words,
                seconds(fitted.warm),
                file=sys.stderr,
                flush=True,
            )
        for n, e in others.items():
            figures[f"{among}: {n}"] = as_figures(e)
            print(among, n, *cells(e), file=sys.stderr)
        rows[among] = lines
    heads = ["", *LABELS, *(f"top-10 less {n}" for n in theirs)]
    chance = 10 / held.sum()
    parts = [
        f"{held.sum()} of {len(held):,} titles are unknown to training, with their {len(test):,} ratings, "
        f"which are to be found. By chance a top-10 finds some {chance:.2f} of those among the new titles. "
        f"Popularity ties all of them, and ties count against it. Means of {seeds} seeds.",
    ]
    parts += [f"**Among {among}**\n\n{markdown(heads, lines)}" for among, lines in rows.items()]
    return figures, "\n\n".join([*parts, where()])


if __name__ == "__main__":
    sys.exit(main())
