"""This module puts retrieved candidates in the ranker's order, and says what moved each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from butaca.catalogue.items import Catalogue
from butaca.data.histories import Histories
from butaca.index.interface import TopK
from butaca.rank.people import People
from butaca.rank.ranker import Contribution, Ranker
from butaca.recommend.answers import Item, Reason
from butaca.recommend.person import Person
from butaca.recommend.reorder import LEAST, varied
from butaca.types import Bools, Codes, Floats, Ints


class Ordered(NamedTuple):
    """An Ordered holds candidates after the second stage.

    items int32 [C]; scores float32 [C], the ranker's; retrieval float32 [C], the first stage's; place int64
    [C], where each stood before, from 0; moved, for the first of them, what moved it most.
    """

    items: Codes
    scores: Floats
    retrieval: Floats
    place: Ints
    moved: list[tuple[Contribution, ...]]


def ranked(
    ranker: Ranker,
    found: TopK,
    *,
    k: int,
    person: Person,
    seen: Histories,
    catalogue: Catalogue,
    vectors: Floats | None = None,
    variety: float = 0.0,
    reasons_of: Callable[[Codes], list[tuple[Reason, ...]] | None] | None = None,
) -> tuple[Item, ...]:
    """Returns a list in the second stage's order; what lies beyond its candidates follows as retrieved.

    Args:
        ranker: orders the first `ranker.settings.candidates`.
        found: what was retrieved for the person, one row.
        k: how many.
        person: who the list is for.
        seen: the stored histories.
        catalogue: names the items.
        vectors: unit vectors of all items [N, d]; None: variety does not count.
        variety: see `reorder.varied`.
        reasons_of: gives the reasons of items; None explains nothing.
    """
    n = ranker.settings.candidates
    real = found.items[0] >= 0
    codes, scores = found.items[0][real], found.scores[0][real]
    histories, row = (seen, person.code) if person.histories is None else (person.histories, 0)
    explained = (k if vectors is None else LEAST) if reasons_of is not None else 0
    best_first = ordered(
        ranker,
        codes[:n],
        scores=scores[:n],
        user=person.code,
        histories=histories,
        row=row,
        explained=explained,
    )
    chosen = np.arange(min(k, len(best_first.items)))
    if vectors is not None:
        candidates = best_first.items.astype(np.int64)
        chosen = varied(candidates, best_first.scores, vectors=vectors, k=k, variety=variety)
    reasons = None if reasons_of is None else reasons_of(best_first.items[chosen])
    beyond = zip(codes[n:k].tolist(), scores[n:k].tolist(), strict=True)
    return listed(best_first, chosen, catalogue=catalogue, reasons=reasons, beyond=beyond, after=n)


def ordered(
    ranker: Ranker,
    items: Codes,
    *,
    scores: Floats,
    user: int,
    histories: Histories,
    row: int,
    explained: int = 0,
) -> Ordered:
    """Returns one person's candidates in the ranker's order.

    Items that entered the catalogue after the ranker was trained keep their places: it knows nothing of them.

    Args:
        ranker: orders.
        items: the first stage's candidates, best first [C].
        scores: its scores [C].
        user: code of a known user, or any other for someone unknown.
        histories: what was had.
        row: the person's row in them.
        explained: of the first so many, say what moved them.
    """
    known = items < ranker.n_items
    people = as_people(ranker, user, histories=histories, row=row)
    candidates, given = items[known][None], scores[known][None]
    rows = ranker.matrix(people, candidates, scores=given)
    points = ranker.scores(rows)
    order = np.argsort(-points, kind="stable")
    place = np.arange(len(items))
    after = place.copy()
    after[known] = place[known][order]
    final = np.full(len(items), np.nan)
    final[known] = points[order]
    final = filled(final)
    moved: list[tuple[Contribution, ...]] = []
    if explained:
        chosen = after[:explained]
        mine = chosen[known[chosen]]
        found = ranker.moved(rows[np.cumsum(known)[mine] - 1])
        by_place = dict(zip(mine.tolist(), map(tuple, found), strict=True))
        moved = [by_place.get(int(p), ()) for p in chosen]
    return Ordered(items[after], final.astype(np.float32), scores[after], after, moved)


def listed(
    found: Ordered,
    chosen: Ints,
    *,
    catalogue: Catalogue,
    reasons: Sequence[tuple[Reason, ...]] | None,
    beyond: Iterable[tuple[int, float]],
    after: int,
) -> tuple[Item, ...]:
    """Returns a list of the chosen candidates, and what lies beyond the candidates as it was retrieved.

    Args:
        found: the candidates after the second stage.
        chosen: rows of these, in the order of the list.
        catalogue: names the items.
        reasons: for each of the chosen, or None.
        beyond: code and retrieval score of what follows, scored a trifle below the list's end each.
        after: candidates that were retrieved before these.
    """
    ids, titles = catalogue.ids, catalogue.titles
    out = [
        Item(
            ids[found.items[c]],
            titles[found.items[c]],
            float(found.scores[c]),
            "ranker",
            reasons[i] if reasons else (),
            float(found.retrieval[c]),
            int(found.place[c]) + 1,
            found.moved[c] if c < len(found.moved) else (),
        )
        for i, c in enumerate(chosen.tolist())
    ]
    floor = out[-1].score if out else 0.0
    for place, (code, score) in enumerate(beyond, start=after + 1):
        floor = float(np.nextafter(np.float32(floor), np.float32(-np.inf)))
        out.append(Item(ids[code], titles[code], floor, "retrieval", (), score, place))
    return tuple(out)


def placed(
    items: Sequence[Item], codes: Codes, *, popularity: Floats, excluded: Codes, allowed: Bools | None
) -> tuple[Item, ...]:
    """Returns items with the places that popularity gives them: what someone unknown gets unranked.

    Args:
        items: a list.
        codes: of these items.
        popularity: of the catalogue, [N]; equal ones stand by code.
        excluded: codes that are left out.
        allowed: which items may come back, [N]; None: all.
    """
    left = np.ones(len(popularity), dtype=bool) if allowed is None else allowed.copy()
    left[excluded] = False
    out = []
    for item, code in zip(items, codes.tolist(), strict=True):
        before = np.count_nonzero(left & (popularity > popularity[code]))
        before += np.count_nonzero(left[:code] & (popularity[:code] == popularity[code]))
        out.append(item._replace(place=int(before) + 1))
    return tuple(out)


def as_people(ranker: Ranker, user: int, *, histories: Histories, row: int) -> People:
    """Returns the person as the ranker reads one; items that it does not know are left out of the history."""
    one = np.array([row], dtype=np.int32)
    _, at = histories.rows(one)
    items = histories.items[at]
    if len(items) and int(items.max()) >= ranker.n_items:
        keep = at[items < ranker.n_items]
        histories = Histories.from_pairs(
            np.zeros(len(keep), np.int32),
            histories.items[keep],
            n_users=1,
            value=None if histories.value is None else histories.value[keep],
            time=None if histories.time is None else histories.time[keep],
        )
        one = np.zeros(1, dtype=np.int32)
    return ranker.people(one, histories, known_as=np.array([user], dtype=np.int32))


def filled(scores: np.ndarray) -> np.ndarray:
    """Returns scores in falling order, where what has none takes that of the item before it."""
    out = scores.copy()
    last = np.nanmax(out) if np.isfinite(out).any() else 0.0
    for i, value in enumerate(out.tolist()):
        last = value if value == value else last
        out[i] = last
    return out
