"""This module grows a real data set to any size by a randomised Kronecker product (Belletti et al. 2019).

*Scalable Realistic Recommendation Datasets through Fractal Expansions* (arXiv:1901.08910), the way MLPerf
made its 1.2 billion interactions from MovieLens 20M. Each user becomes `users` of them and each item
`items`; an interaction becomes a block of users x items cells, of which a few hold an interaction. A
Kronecker product multiplies marginals and singular values, so both keep the shape they had.

Here the block is not one pattern, which would be plain copies, but a chance for every cell:

    P[k, m, r, c]  ~  exp(1.5 <taste[k, r], kind[m, c]>)    rows and columns scaled to their own sums

where user cluster k's copy r and item cluster m's copy c have vectors of 8 numbers. Copies of one user
therefore choose differently, copies of different users choose alike if their tastes do, and there is
something to learn beyond which films the original had. Rows sum to nearly the same, columns too
(log-normal, by .2 and .3), so the curves of history length and popularity stay close to the original's,
stretched.

Values are the original's. A copy of a user lives the original's timeline moved by up to 30 days, within the
span of the whole data: its sessions stay, its order too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.folders import GROWN, writing
from butaca.data.formats.opened import quoted, session
from butaca.data.fractal_tables import write_entities
from butaca.errors import SettingError
from butaca.types import Bools, Codes, Floats, Ints, Times

CLUSTERS, DIM, STRENGTH = 8, 8, 1.5
SPREAD_USERS, SPREAD_ITEMS = 0.2, 0.3  # of the logarithm of a copy's share
LARGEST_CHANCE = 0.95
MOVED = 30 * 86_400  # seconds that a copy's timeline is moved by at most
APART = 60  # seconds between copies of one interaction, at most
LENGTH = 1.5625  # MovieLens 100K x 160 x 32 has 25 million interactions
PART_ROWS = 2_000_000  # expected in a file
GROUP_ROWS = 122_880  # in a row group
CELLS = 1 << 22  # drawn at a time

RowProgress: TypeAlias = Callable[[int, int], None]  # interactions written, interactions expected


@dataclass(frozen=True)
class Growth:
    """Says how to grow.

    Attributes:
        users: copies of each user.
        items: copies of each item.
        length: a grown user's history against the original's; the grown data have about
            users x length times as many interactions.
        seed: of every draw. Same data, settings and seed: same files, byte for byte.
    """

    users: int
    items: int
    length: float = LENGTH
    seed: int = 42

    def __post_init__(self) -> None:
        for name, n in (("users", self.users), ("items", self.items)):
            if n < 1:
                raise SettingError(
                    f"Growing copies each of the {name} at least once",
                    f"{name}={n}",
                    f"Pass Growth({name}=2) or more (on the command line: --{name})",
                )
        if self.seed < 0:
            raise SettingError("A seed is a whole number from 0", str(self.seed), "Pass another")
        if not 0 < self.length <= self.items * 0.5:
            raise SettingError(
                "A length is above 0 and at most half of the copies of an item: a block can't hold more",
                f"length={self.length} with items={self.items}",
                "Pass a smaller length, or more items (on the command line: --length, --item-copies)",
            )


@dataclass(frozen=True)
class Grown:
    """Holds what was written: counts, and the files' folder."""

    folder: Path
    users: int
    items: int
    interactions: int


@dataclass(frozen=True)
class _Source:
    """Holds the interactions sorted by user, then time; `room` is the time until the user's next, [n]."""

    user: Codes
    item: Codes
    value: Floats | None
    time: Times | None
    room: Times | None
    start: Ints  # [users + 1]

    @classmethod
    def of(cls, data: Dataset) -> _Source:
        time = np.zeros(len(data), dtype=np.int64) if data.timestamp is None else np.floor(data.timestamp)
        time = time.astype(np.int64)  # grown data are of whole seconds
        order = np.lexsort((data.item, time, data.user))
        user = data.user[order]
        start = np.searchsorted(user, np.arange(len(data.users) + 1)).astype(np.int64)
        room = None
        if data.timestamp is not None:
            room = np.zeros(len(data), dtype=np.int64)
            same = user[1:] == user[:-1]
            room[:-1][same] = np.diff(time[order])[same]
        return cls(
            user,
            data.item[order],
            None if data.value is None else data.value[order],
            None if data.timestamp is None else time[order],
            room,
            start,
        )


@dataclass(frozen=True)
class _Patterns:
    """Holds the clusters of users and items, and chance [K, M, users, items] of a cell of their block."""

    user_cluster: Ints
    item_cluster: Ints
    chance: Floats


def grow(
    data: Dataset, out: str | PathLike[str], *, growth: Growth, progress: RowProgress | None = None
) -> Grown:
    """Writes the grown data: interactions/part-00000.parquet and on, users.parquet, items.parquet.

    Ids are whole numbers from 1, called as in the original; the tables of users and items hold what was
    known of the original, whose id stands in "source_" + key, and titles are told apart by "#2", "#3".
    A file holds some of the users, its rows in the order of time, as a log does.

    Args:
        data: what grows.
        out: a new folder, or one of grown data.
        growth: the settings.
        progress: called with what is written so far and what is expected.

    Raises:
        TableError: the folder holds something else.
    """
    source, patterns = _Source.of(data), _patterns(len(data.users), len(data.items), growth)
    expected = round(len(data) * growth.users * growth.length)
    written = 0
    with writing(Path(out), GROWN) as draft, session() as con:
        con.execute("SET threads = 1")  # the order of row groups
        con.execute("SET memory_limit = '512MB'")
        (draft.path / "interactions").mkdir()
        for number, part in enumerate(_parts(source, growth)):
            columns = _part(source, patterns, growth, part, data)
            n = len(columns[data.users.key])
            if not n:
                continue
            con.register("part", columns)
            path = draft.path / "interactions" / f"part-{number:05d}.parquet"
            con.execute(
                f"COPY (FROM part) TO {quoted(str(path))} (FORMAT parquet, ROW_GROUP_SIZE {GROUP_ROWS})"
            )
            con.unregister("part")
            written += n
            if progress is not None:
                progress(written, expected)
        write_entities(con, data.users, times=growth.users, path=draft.path / "users.parquet", table="users")
        write_entities(con, data.items, times=growth.items, path=draft.path / "items.parquet", table="items")
        users, items = len(data.users) * growth.users, len(data.items) * growth.items
        draft.facts.update(
            source=data.name,
            source_interactions=len(data),
            settings={
                "users": growth.users,
                "items": growth.items,
                "length": growth.length,
                "seed": growth.seed,
            },
            users=users,
            items=items,
            interactions=written,
        )
    return Grown(Path(out), users, items, written)


def _patterns(n_users: int, n_items: int, growth: Growth) -> _Patterns:
    rng = np.random.default_rng([growth.seed, 0])
    user_cluster = rng.integers(0, CLUSTERS, n_users)
    item_cluster = rng.integers(0, CLUSTERS, n_items)
    taste = rng.standard_normal((CLUSTERS, growth.users, DIM))
    kind = rng.standard_normal((CLUSTERS, growth.items, DIM))
    rows = np.exp(SPREAD_USERS * rng.standard_normal((CLUSTERS, growth.users)))
    columns = np.exp(SPREAD_ITEMS * rng.standard_normal((CLUSTERS, growth.items)))
    density = growth.length / growth.items
    rows *= density / rows.mean(axis=1, keepdims=True)  # what a row's chances average
    columns *= density / columns.mean(axis=1, keepdims=True)
    chance = np.exp(STRENGTH / np.sqrt(DIM) * np.einsum("krd,mcd->kmrc", taste, kind))
    for _ in range(40):  # Sinkhorn and Knopp: alternate until both marginals fit
        chance *= rows[:, None, :, None] / chance.mean(axis=3, keepdims=True)
        chance *= columns[None, :, None, :] / chance.mean(axis=2, keepdims=True)
        np.minimum(chance, LARGEST_CHANCE, out=chance)
    # Rounded, so that the last bit of another machine's exp changes no draw.
    return _Patterns(user_cluster, item_cluster, chance.round(6).astype(np.float32))


@dataclass(frozen=True)
class _Unit:
    """Holds copy `row` of the users with interactions `first` to `last`; `block` numbers such a range."""

    row: int
    block: int
    first: int
    last: int


def _parts(source: _Source, growth: Growth) -> Iterator[list[_Unit]]:
    """Gathers units to about PART_ROWS interactions each. A user's copy is never cut."""
    n, most = len(source.user), max(int(PART_ROWS / growth.length), 1)
    cuts = [0]
    while cuts[-1] < n:
        end = int(source.start[np.searchsorted(source.start, cuts[-1] + most, side="right") - 1])
        if end <= cuts[-1]:  # a user with more than that
            end = int(source.start[np.searchsorted(source.start, cuts[-1], side="right")])
        cuts.append(end)
    blocks = list(pairwise(cuts))
    together = max(int(most / n), 1) if len(blocks) == 1 else 1
    for block, (first, last) in enumerate(blocks):
        for row in range(0, growth.users, together):
            rows = range(row, min(row + together, growth.users))
            yield [_Unit(r, block, first, last) for r in rows]


def _part(
    source: _Source, patterns: _Patterns, growth: Growth, part: list[_Unit], data: Dataset
) -> dict[str, Codes | Floats | Times]:
    """Returns the columns of a file."""
    pairs, rows, copies, moments = [], [], [], []
    for unit in part:
        rng = np.random.default_rng([growth.seed, 1, unit.row, unit.block])
        pair, copy = _cells(source, patterns, growth, unit, rng)
        pairs.append(pair)
        copies.append(copy)
        rows.append(np.full(len(pair), unit.row, dtype=np.int64))
        if source.time is not None:
            moments.append(_moments(source, unit, pair, rng))
    pair, row, copy = np.concatenate(pairs), np.concatenate(rows), np.concatenate(copies)
    user = source.user[pair].astype(np.int64) * growth.users + row + 1
    item = source.item[pair].astype(np.int64) * growth.items + copy + 1
    time = np.concatenate(moments) if moments else None
    order = np.lexsort((item, user)) if time is None else np.lexsort((item, user, time))
    columns: dict[str, Codes | Floats | Times] = {data.users.key: user[order], data.items.key: item[order]}
    if source.value is not None:
        columns[data.value_name] = source.value[pair[order]]
    if time is not None:
        columns[data.time_name] = time[order]
    return columns


def _cells(
    source: _Source, patterns: _Patterns, growth: Growth, unit: _Unit, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draws which cells of the unit hold an interaction: source rows [n], copies of their items [n]."""
    step = max(CELLS // growth.items, 1)
    pairs, copies = [], []
    for first in range(unit.first, unit.last, step):
        here = slice(first, min(first + step, unit.last))
        chance = patterns.chance[
            patterns.user_cluster[source.user[here]], patterns.item_cluster[source.item[here]], unit.row
        ]
        holds: Bools = rng.random(chance.shape, dtype=np.float32) < chance
        pair, copy = np.nonzero(holds)
        pairs.append(pair + first)
        copies.append(copy)
    return np.concatenate(pairs), np.concatenate(copies)


def _moments(source: _Source, unit: _Unit, pair: Ints, rng: np.random.Generator) -> Times:
    """Moves the original's times with the rest of their user's, and each a little later."""
    assert source.time is not None
    assert source.room is not None
    users = np.arange(source.user[unit.first], source.user[unit.last - 1] + 1)
    starts, ends = source.start[users], source.start[users + 1]
    empty = starts == ends
    begin = source.time[np.where(empty, 0, starts)]
    end = source.time[np.where(empty, 0, ends - 1)]
    earlier = np.minimum(begin - source.time.min(), MOVED)
    later = np.minimum(source.time.max() - end, MOVED)
    moved = rng.integers(-earlier, later + 1)[source.user[pair] - users[0]]
    little = rng.random(len(pair)) * np.minimum(source.room[pair], APART)
    moments: Times = source.time[pair] + moved + little.astype(np.int64)
    return moments
