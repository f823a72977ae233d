"""This module says why an item is in a list: the exact share of each item of the history in its score.

A query vector without hidden layers is a sum over the history (model/query.py), so

    score(c) = sum_i share_i(c) + rest(c)

holds exactly, with share_i(c) the product of item i's part of the vector and the candidate's, divided by the
lengths that the whole vectors were divided by and times the trust in a short history, and rest(c) what comes
from the user's other features and from the candidate alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.catalogue.items import Catalogue
from butaca.data.histories import Histories
from butaca.model.query import QueryTower, entries
from butaca.recommend.answers import Reason
from butaca.types import Codes, Floats

#: Reasons named with an item.
REASONS = 3


@dataclass(frozen=True, eq=False)
class Shares:
    """A Shares holds the shares of a history in some scores.

    Attributes:
        items: codes of the history [m].
        shares: float32 [m, k], for k candidates.
        rest: float32 [k], from the user's features and the candidate alone.
    """

    items: Codes
    shares: Floats
    rest: Floats

    def total(self) -> Floats:
        """Returns the scores, [k]."""
        out: Floats = self.shares.sum(axis=0) + self.rest
        return out


def shares_of(
    tower: QueryTower, histories: Histories, *, known_as: int, vectors: Floats, bias: Floats | None
) -> Shares | None:
    """Returns the shares of the one history in the scores of candidates; None if the tower is no sum.

    Args:
        tower: without hidden layers.
        histories: of one person.
        known_as: code of the user whose features hold.
        vectors: of the candidates [k, D].
        bias: of the candidates alone [k], or None.
    """
    if tower.layers:
        return None
    one = np.zeros(1, dtype=np.int32)
    had = entries(one, histories, with_time=tower.reads_time)
    items = had.items
    d = tower.base.shape[1]
    trained, beside = vectors[:, :d], vectors[:, d:]
    base = tower.base[known_as if 0 <= known_as < len(tower.base) - 1 else -1]
    shares = np.zeros((len(items), len(vectors)), dtype=np.float32)
    rest = np.zeros(len(vectors), dtype=np.float32) if bias is None else bias.astype(np.float32)
    whole = base
    parts: Floats | None = np.zeros((len(items), d), dtype=np.float32)
    if tower.history is not None and len(items):
        parts = tower.history.parts(had)
        if parts is None:
            return None
        whole = base + parts.sum(axis=0)
    trust = tower.trust(len(items))
    scale = np.float32(trust * tower.scale / (_length(whole) if tower.unit else 1.0))
    shares += (parts @ trained.T) * scale
    rest = rest + (trained @ base) * scale
    if tower.head is not None and len(items):
        rows = tower.head[items]
        shares += (rows @ beside.T) * np.float32(trust * tower.head_scale / _length(rows.sum(axis=0)))
    return Shares(items, shares, rest.astype(np.float32))


def largest(shares: Shares | None, catalogue: Catalogue) -> list[tuple[Reason, ...]] | None:
    """Returns for each item its largest positive shares, by id and title; None without any history."""
    if shares is None or not len(shares.items):
        return None
    ids, titles, of = catalogue.ids, catalogue.titles, shares.items.tolist()
    top = np.argsort(-shares.shares, axis=0, kind="stable")[:REASONS].T  # [k, REASONS]
    values = np.take_along_axis(shares.shares.T, top, axis=1)
    return [
        tuple(Reason(ids[of[i]], titles[of[i]], v) for i, v in zip(row, points, strict=True) if v > 0)
        for row, points in zip(top.tolist(), values.tolist(), strict=True)
    ]


def _length(x: Floats) -> float:
    """Returns the length that `model.query.unit` divides by."""
    return float(np.sqrt(np.square(x).sum() + np.float32(1e-12)))
