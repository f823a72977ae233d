"""This module says why an item is in a list: the part of each item of the history in its score.

A query vector without hidden layers is a sum over the history (model/query.py), so

    score(c) = sum_i share_i(c) + rest(c)

holds exactly, with share_i(c) the product of item i's part of the vector and the candidate's, divided by the
lengths that the whole vectors were divided by and times the trust in a short history, and rest(c) what comes
from the user's other features and from the candidate alone. Attention is no sum, and neither is a tower with
hidden layers: there the part of an item is its effect, the score less the score without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from butaca.catalogue.items import Catalogue
from butaca.data.histories import Histories
from butaca.model.order.moments import ordered
from butaca.model.query import QueryTower, entries
from butaca.recommend.answers import Reason, ReasonKind
from butaca.types import Codes, Floats, Ints

#: Reasons named with an item.
REASONS = 3

#: Items of a history whose effects are computed, the latest and those of one moment with them: each takes a
#: query vector of its own.
EFFECTS = 32


@dataclass(frozen=True, eq=False)
class Shares:
    """A Shares holds the shares of a history in some scores.

    Attributes:
        items: codes of the history [m].
        shares: float32 [m, k], for k candidates.
        rest: float32 [k], from the user's features and the candidate alone; of effects, which do not add
            up, the scores less all of them.
        kind: what they are; see `Reason`.
    """

    items: Codes
    shares: Floats
    rest: Floats
    kind: ReasonKind = "share"

    def total(self) -> Floats:
        """Returns the scores, [k]."""
        out: Floats = self.shares.sum(axis=0) + self.rest
        return out


class Candidates(NamedTuple):
    """A Candidates holds the items whose scores are explained.

    Attributes:
        codes: [k].
        vectors: theirs [k, D].
        bias: a term of each alone [k], or None.
    """

    codes: Ints
    vectors: Floats
    bias: Floats | None


def shares_of(tower: QueryTower, histories: Histories, *, known_as: int, of: Candidates) -> Shares | None:
    """Returns the shares of the one history in the scores of candidates; None if the tower is no sum.

    Args:
        tower: without hidden layers.
        histories: of one person.
        known_as: code of the user whose features hold.
        of: the candidates.
    """
    if tower.layers:
        return None
    one = np.zeros(1, dtype=np.int32)
    had = entries(one, histories, with_time=tower.reads_time)
    items = had.items
    d = tower.base.shape[1]
    vectors, bias = of.vectors, of.bias
    trained, beside = vectors[:, :d], vectors[:, d:]
    base = tower.base[known_as if 0 <= known_as < len(tower.base) - 1 else -1]
    shares = np.zeros((len(items), len(vectors)), dtype=np.float32)
    rest = np.zeros(len(vectors), dtype=np.float32) if bias is None else bias.astype(np.float32)
    whole = base
    parts = np.zeros((len(items), d), dtype=np.float32)
    if tower.history is not None and len(items):
        of_each = tower.history.parts(had)
        if of_each is None:
            return None
        parts = of_each
        whole = base + parts.sum(axis=0)
    trust = tower.trust(len(items))
    scale = np.float32(trust * tower.scale / (_length(whole) if tower.unit else 1.0))
    shares += (parts @ trained.T) * scale
    rest = rest + (trained @ base) * scale
    if tower.head is not None and len(items):
        rows = tower.head[items]
        shares += (rows @ beside.T) * np.float32(trust * tower.head_scale / _length(rows.sum(axis=0)))
    if tower.pairs is not None and len(items):
        heard = tower.pairs.heard(had.rows, items, time=had.time) * np.float32(trust * tower.pairs_scale)
        shares += tower.pairs.between(items, of.codes) * heard[:, None]
    return Shares(items, shares, rest.astype(np.float32))


def effects_of(tower: QueryTower, histories: Histories, *, known_as: int, of: Candidates) -> Shares:
    """Returns what each of the latest items of the one history does to the scores of candidates.

    Args:
        tower: of any kind.
        histories: of one person.
        known_as: code of the user whose features hold.
        of: the candidates.
    """
    one = np.zeros(1, dtype=np.int32)
    had = entries(one, histories)
    n = len(had.items)
    order = ordered(had.rows, had.items, time=had.time)
    latest = np.sort(order.at[order.place < EFFECTS])  # whole moments: no id decides
    keep = np.ones((len(latest) + 1, n), dtype=bool)
    keep[np.arange(len(latest)), latest] = False
    at = np.nonzero(keep)[1]
    start = np.append(0, np.cumsum(keep.sum(axis=1)))
    without = Histories(
        had.items[at],
        start,
        None if had.value is None else had.value[at],
        None if had.time is None else had.time[at],
    )
    codes = np.arange(len(keep), dtype=np.int32)
    queries = tower(codes, without, known_as=np.full(len(keep), known_as, dtype=np.int32))
    scores = queries @ of.vectors.T + (0.0 if of.bias is None else of.bias)
    if tower.pairs is not None:
        heard = np.zeros(keep.shape, dtype=np.float32)
        row = np.nonzero(keep)[0]
        heard[row, at] = tower.pairs.heard(row, without.items, time=without.time)
        each = heard @ tower.pairs.between(had.items, of.codes)
        scores += tower.trusted(each * np.float32(tower.pairs_scale), keep.sum(axis=1))
    effects = (scores[-1] - scores[:-1]).astype(np.float32)
    return Shares(had.items[latest], effects, (scores[-1] - effects.sum(axis=0)).astype(np.float32), "effect")


def largest(shares: Shares | None, catalogue: Catalogue) -> list[tuple[Reason, ...]] | None:
    """Returns for each item its largest positive parts, by id and title; None without any history."""
    if shares is None or not len(shares.items):
        return None
    ids, titles, of = catalogue.ids, catalogue.titles, shares.items.tolist()
    top = np.argsort(-shares.shares, axis=0, kind="stable")[:REASONS].T  # [k, REASONS]
    values = np.take_along_axis(shares.shares.T, top, axis=1)
    return [
        tuple(
            Reason(ids[of[i]], titles[of[i]], v, shares.kind)
            for i, v in zip(row, points, strict=True)
            if v > 0
        )
        for row, points in zip(top.tolist(), values.tolist(), strict=True)
    ]


def _length(x: Floats) -> float:
    """Returns the length that `model.query.unit` divides by."""
    return float(np.sqrt(np.square(x).sum() + np.float32(1e-12)))
