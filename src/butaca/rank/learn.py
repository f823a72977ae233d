"""This module learns facts (rank/facts.py) from the interactions that count as known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.model.cold import features_of
from butaca.model.features import Encoder, Text, encode_with_unknown
from butaca.rank.facts import Doubles, Neighbours, TrainFacts
from butaca.rank.neighbours import linear, near, together
from butaca.types import Codes, Floats


@dataclass(frozen=True)
class FactSettings:
    """A FactSettings says what is kept of the past.

    Attributes:
        neighbours: items that speak for an item, in each item-to-item model.
        span: positions of a history over which nearness in time falls by e.
        linear_items: catalogues beyond this many items do without EASE's weights, whose time grows with the
            cube of it.
        steps: edges of time between which interactions are counted.
        prior: interactions' worth of the mean that an item's rating and a label's share begin with.
        labels: values kept of a column, the most frequent.
    """

    neighbours: int = 100
    span: float = 4.0
    linear_items: int = 6000
    steps: int = 64
    prior: float = 5.0
    labels: int = 64

    def __post_init__(self) -> None:
        if min(self.neighbours, self.steps, self.labels) < 1 or self.span <= 0 or self.prior <= 0:
            raise SettingError(
                "Facts keep at least one neighbour, step and label, with a span and a prior above 0",
                f"{self}",
                "Try FactSettings()",
            )


def learn_facts(
    known: Dataset,
    vectors: Floats | None = None,
    *,
    settings: FactSettings | None = None,
    neighbours: bool = True,
) -> TrainFacts:
    """Learns the facts of these interactions and nothing else.

    Args:
        known: what counts as known.
        vectors: of the items, [N, d], learned from the same; None leaves likeness out.
        settings: what is kept.
        neighbours: whether item-to-item models are learned, which take most of the time.
    """
    s = settings or FactSettings()
    seen, n = Histories.of(known), len(known.items)
    user = np.repeat(np.arange(len(seen), dtype=np.int32), seen.lengths)
    users_of = np.bincount(seen.items, minlength=n).astype(np.float32)
    fields: dict[str, Any] = {}
    if seen.time is not None and len(seen.items):
        fields |= _in_time(seen, n, s.steps)
    if seen.value is not None and np.isfinite(seen.value).any():
        fields |= _ratings(seen, n, s.prior)
    fields |= _columns(known.items, users_of, s.labels)
    fields |= _audience(known.users, user, seen.items, n, s)
    if vectors is None:
        vectors = np.zeros((n, 0), np.float32)
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return TrainFacts(
        users_of,
        int(np.count_nonzero(seen.lengths)),
        (vectors / np.maximum(length, 1e-12)).astype(np.float32),
        _neighbours(seen, user, n, s) if neighbours else {},
        **fields,
    )


def _neighbours(seen: Histories, user: Codes, n: int, s: FactSettings) -> dict[str, Neighbours]:
    from scipy import sparse

    if not n or not len(seen.items):
        return {}
    ones = np.ones(len(user), dtype=np.float32)
    matrix = sparse.csr_array((ones, seen.items, seen.start), shape=(len(seen), n))
    out = {"together": together(matrix, s.neighbours)}
    if n <= s.linear_items:
        out["linear"] = linear(matrix, s.neighbours)
    if seen.time is not None:
        out["near"] = near(user, seen.items, time=seen.time, n_items=n, kept=s.neighbours, span=s.span)
    return out


def _in_time(seen: Histories, n: int, steps: int) -> dict[str, Any]:
    """Returns counts before steps of time, first and median times."""
    assert seen.time is not None
    when = seen.time.astype(np.float64)
    edges = np.linspace(when.min(), when.max() + 1.0, steps + 1)
    step = np.clip(np.searchsorted(edges, when, side="right") - 1, 0, steps - 1)
    table = np.bincount(step * n + seen.items, minlength=steps * n).reshape(steps, n)
    counts = np.concatenate([np.zeros((1, n)), np.cumsum(table, axis=0)]).astype(np.float32)
    order = np.lexsort((when, seen.items))
    item = seen.items[order]
    start = np.searchsorted(item, np.arange(n + 1))
    has = np.diff(start) > 0
    first, typical = np.full(n, np.nan), np.full(n, np.nan)
    first[has] = when[order][start[:-1][has]]
    typical[has] = when[order][((start[:-1] + start[1:] - 1) // 2)[has]]
    return {"counts": counts, "times": edges, "first": first, "typical": typical}


def _ratings(seen: Histories, n: int, prior: float) -> dict[str, Any]:
    """Returns the mean and deviation of each item's ratings, with `prior` ratings like those of all added."""
    assert seen.value is not None
    known = np.isfinite(seen.value)
    item, value = seen.items[known], seen.value[known].astype(np.float64)
    mean, variance = float(value.mean()), float(value.var())
    count = np.bincount(item, minlength=n)
    rating = (np.bincount(item, value, n) + prior * mean) / (count + prior)
    off = np.square(value - rating[item])
    spread = np.sqrt((np.bincount(item, off, n) + prior * variance) / (count + prior))
    return {
        "rating": rating.astype(np.float32),
        "spread": spread.astype(np.float32),
        "mean_rating": mean,
    }


def _columns(items: Entities, users_of: Floats, most: int) -> dict[str, Any]:
    """Returns what the items' table tells: labels by column, and numbers by column; texts are left out."""
    labels: dict[str, Floats] = {}
    numbers: dict[str, Floats] = {}
    for feature in features_of(items):
        if isinstance(feature, Text):
            continue
        name = feature.column
        incidence = _incidence(feature.fit(items), items, users_of, most)
        if incidence.shape[1] > 1:
            labels[name] = incidence
        column = items[name]
        if isinstance(column, np.ndarray) and column.dtype.kind in "iuf" and name not in items.labels:
            number = column.astype(np.float64)
            if "year" in name.lower():
                number[number <= 0] = np.nan
            fine = np.isfinite(number)
            if fine.any():
                scale = float(number[fine].std()) or 1.0
                numbers[name] = ((number - number[fine].mean()) / scale).astype(np.float32)
    total = max(float(users_of.sum()), 1.0)
    share = {name: (users_of @ x / total).astype(np.float32) for name, x in labels.items()}
    return {"labels": labels, "label_share": share, "numbers": numbers}


def _incidence(encoder: Encoder, items: Entities, users_of: Floats, most: int) -> Floats:
    """Returns what each item has of a column's values, [N, F]; rows sum to 1, or to 0 if nothing is known."""
    codes, weights = encode_with_unknown(encoder, items)
    codes = codes[:-1]  # the last row is that of an unknown item
    amount = np.broadcast_to(np.float32(1.0), codes.shape) if weights is None else weights[:-1]
    size = encoder.n_rows - 1
    at = np.repeat(np.arange(len(codes)), codes.shape[1])
    inside = codes.ravel() < size
    x = np.zeros((len(codes), size), dtype=np.float32)
    np.add.at(x, (at[inside], codes.ravel()[inside]), amount.ravel()[inside])
    if size > most:
        x = x[:, np.sort(np.argsort(-(users_of @ x), kind="stable")[:most])]
    return x


def _audience(users: Entities, user: Codes, item: Codes, n: int, s: FactSettings) -> dict[str, Any]:
    """Returns who has each item, by column of the users' table."""
    audience: dict[str, Floats] = {}
    group_of: dict[str, Codes] = {}
    of_item = np.bincount(item, minlength=n).astype(np.float64)
    known: list[Doubles] = []
    for feature in features_of(users):
        if isinstance(feature, Text) or not isinstance(users[feature.column], np.ndarray):
            continue
        encoder = feature.fit(users)
        group = encode_with_unknown(encoder, users).codes[:-1, 0]
        size = encoder.n_rows - 1
        if size < 2 or size > s.labels:
            continue
        table = np.zeros((size, n))
        fine = group[user] < size
        np.add.at(table, (group[user][fine], item[fine]), 1.0)
        if any(one.shape == table.shape and _same_groups(one, table) for one in known):
            continue  # the same groups under another name
        known.append(table)
        share = table.sum(axis=1, keepdims=True) / max(float(fine.sum()), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):  # a group that had nothing: 0 below
            lift = np.log((table + 2 * s.prior * share) / (of_item + 2 * s.prior)) - np.log(share)
        audience[feature.column] = np.nan_to_num(lift, nan=0.0, neginf=0.0, posinf=0.0).astype(np.float32)
        group_of[feature.column] = np.where(group < size, group, -1).astype(np.int32)
    return {"audience": audience, "group_of": group_of}


def _same_groups(a: Doubles, b: Doubles) -> bool:
    return math.isclose(float(np.square(a).sum()), float(np.square(b).sum())) and bool(
        np.array_equal(a[np.lexsort(a.T[::-1])], b[np.lexsort(b.T[::-1])])
    )
