"""This module gathers the page's figures from a saved model, its verdict and its lists: no words, no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from butaca.catalogue.genres import Genres, find_genres
from butaca.catalogue.items import item_titles
from butaca.data.columns.titles import title_of
from butaca.evaluate.beyond import Beyond, beyond_accuracy, exposure
from butaca.evaluate.collapse import Alikeness, alikeness
from butaca.evaluate.judged import Judged, best_baseline, outdone
from butaca.evaluate.protocol import top_lists
from butaca.evaluate.slices import Slice, by_slice
from butaca.recommend.projection import neighbours, project
from butaca.recommend.recommender import Recommender
from butaca.recommend.trust import trust_of
from butaca.report.second_facts import Second, gather_second, judge_second
from butaca.types import Codes, Floats, Ints
from butaca.workflows.judging import judge_saved

#: Length of the lists that are looked into.
LIST = 10

#: Users whose lists are made where there is no test set.
USERS = 2_000

#: Items on the map.
DRAWN = 2_000

#: Known items with a card, and neighbours on a card and of a dot.
CARDS, NEAR = 8, 6

#: The measure that tells slices and the best baseline.
MEASURE = ("recall", 20, "Recall@20")

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """Holds the share of each kind in each of the equal parts of the catalogue, the most popular first.

    Attributes:
        lists: of the places on lists, [parts].
        train: of the training interactions.
        test: of the test interactions, or None.
    """

    lists: Shares
    train: Shares
    test: Shares | None


@dataclass(frozen=True)
class Map:
    """A Map is a catalogue laid out in two dimensions.

    Attributes:
        how: "t-SNE" or "PCA".
        items: codes of what is drawn, the most popular first, [M].
        xy: within 0..1, [M, 2].
        near: rows of this map that are nearest by cosine, [M, NEAR or fewer].
        left_out: whether popularity decided what is drawn, for items with interactions were left out.
    """

    how: str
    items: Ints
    xy: Shares
    near: Ints
    left_out: bool


@dataclass(frozen=True)
class Facts:
    """Holds every figure on the page.

    Attributes:
        recommender: whose page it is.
        judged: the verdict, or None for a model without held-out pairs.
        version: of the butaca that wrote the folder, or "".
        titles: of every item.
        has_titles: whether a person's titles, not ids.
        genres: of every item, or None.
        best: the baseline with the best Recall@20, or None.
        slices: the model's and the best baseline's, in pairs.
        n_users: users with lists.
        parts: shares by popularity.
        beyond: by row, as `Judged.beyond`.
        alike: how alike lists are.
        alarm: whether they are the same for everyone, and others are better.
        map: of the catalogue, or None for fewer than two items.
        cards: known items, and their neighbours with the cosine.
        second: of the second stage; None for a model without.
    """

    recommender: Recommender
    judged: Judged | None
    version: str
    titles: list[str]
    has_titles: bool
    genres: Genres | None
    best: str | None
    slices: tuple[tuple[Slice, Slice | None], ...]
    n_users: int
    parts: Parts
    beyond: Mapping[str, Beyond]
    alike: Alikeness
    alarm: bool
    map: Map | None
    cards: tuple[tuple[int, tuple[tuple[int, float], ...]], ...]
    second: Second | None = None

    @property
    def about(self) -> Mapping[str, Any]:
        """Returns what the manifest keeps of the model."""
        return self.recommender.about


def gather(recommender: Recommender, version: str = "") -> Facts:
    """Judges a saved model anew, looks into its lists, and lays out its catalogue."""
    seen = recommender.seen
    judged = None if recommender.test is None else judge_saved(recommender)
    ranked = judge_second(recommender)
    if judged is not None and ranked is not None:
        judged = judged.with_stages(ranked.both)
    best: str | None = None
    slices: tuple[tuple[Slice, Slice | None], ...] = ()
    if judged is not None and len(judged.ours.ranks):
        ours = judged.ours
        assert ours.lists is not None
        users, lists, beyond = ours.users, ours.lists[:, :LIST], judged.beyond
        scores = {name: row.metric(*MEASURE[:2]) for name, row in judged.baselines.items()}
        best = max(scores, key=lambda name: scores[name]) if scores else None
        theirs = by_slice(judged.rows[best], seen) if best is not None else (None,) * len(judged.slices)
        slices = tuple(zip(judged.slices, theirs, strict=True))
    else:
        judged = None
        users = np.flatnonzero(seen.lengths).astype(np.int32)
        if len(users) > USERS:
            users = np.sort(np.random.default_rng(0).choice(users, USERS, replace=False))
        lists = top_lists(recommender, users, seen=seen, k=LIST)
        beyond = {"seen left out": beyond_accuracy(lists, users, seen=seen, n_items=recommender.n_items)}
    genres = find_genres(recommender.items, recommender.popularity)
    alike = _alike(judged, lists=lists, users=users, recommender=recommender)
    worse = judged is None or outdone(judged.first or judged.verdict, judged.baselines)
    order = np.argsort(-recommender.popularity, kind="stable")
    return Facts(
        recommender,
        judged,
        version,
        item_titles(recommender.items),
        title_of(recommender.items) is not None,
        genres,
        best,
        slices,
        len(users),
        _parts(order, lists, recommender),
        beyond,
        alike,
        alike.collapsed and worse,
        _map(order, recommender),
        _cards(order, genres, recommender),
        gather_second(recommender, ranked),
    )


def _alike(judged: Judged | None, *, lists: Codes, users: Codes, recommender: Recommender) -> Alikeness:
    """Returns how alike the lists are, beside those of popularity and of the best baseline."""
    rows = {} if judged is None else judged.baselines
    popular = rows["popularity"].lists if "popularity" in rows else None
    return alikeness(
        lists,
        users,
        seen=recommender.seen,
        n_items=recommender.n_items,
        popular=popular,
        best=rows[best_baseline(rows)].lists if rows else None,
    )


def _parts(ranked: Ints, lists: Codes, recommender: Recommender) -> Parts:
    """Returns the shares of list places and of interactions in each tenth of the items by popularity."""
    groups = np.array_split(ranked, max(min(10, len(ranked)), 1))

    def shares(counts: Floats | Ints) -> Shares:
        sums = np.array([counts[group].sum(dtype=np.float64) for group in groups])
        return np.asarray(sums / max(float(sums.sum()), 1.0))

    n = recommender.n_items
    test = None
    if recommender.test is not None and len(recommender.test[1]):
        test = shares(np.bincount(recommender.test[1], minlength=n))
    return Parts(shares(exposure(lists, n)), shares(recommender.popularity), test)


def _map(ranked: Ints, recommender: Recommender) -> Map | None:
    """Returns the map of the most popular items, or None for fewer than two."""
    watched = ranked[recommender.popularity[ranked] > 0]
    pool = watched if len(watched) > 1 else ranked
    items = pool[:DRAWN]
    if len(items) < 2:
        return None
    vectors = recommender.item_vectors[items]
    found, how = project(vectors)
    low, high = found.min(axis=0), found.max(axis=0)
    xy = (found - low) / np.where(high > low, high - low, 1)
    trust = trust_of(recommender.popularity[items])
    near, _ = neighbours(vectors, np.arange(len(items)), k=NEAR, trust=trust)
    return Map(how, items, xy, near, len(pool) > len(items))


def _cards(
    ranked: Ints, genres: Genres | None, recommender: Recommender
) -> tuple[tuple[int, tuple[tuple[int, float], ...]], ...]:
    """Returns the most popular item of each genre, then the most popular, with their neighbours."""
    chosen: list[int] = []
    if genres is not None:
        main = genres.main[ranked]
        for genre in range(len(genres.names)):
            own = np.flatnonzero(main == genre)
            chosen += [int(ranked[own[0]])] if len(own) else []
    chosen += [code for code in ranked.tolist() if code not in chosen][: max(CARDS - len(chosen), 0)]
    place = {int(code): i for i, code in enumerate(ranked)}
    chosen = sorted(chosen[:CARDS], key=lambda code: place[code])
    if recommender.n_items < 2:
        return ()
    trust = trust_of(recommender.popularity)
    near, cosine = neighbours(recommender.item_vectors, np.array(chosen), k=NEAR, trust=trust)
    rows = zip(chosen, near.tolist(), cosine.tolist(), strict=True)
    return tuple((code, tuple(zip(n, c, strict=True))) for code, n, c in rows)
