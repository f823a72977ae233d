"""This module reads prepared data from the disk as they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from butaca.data.columns.names import Role
from butaca.data.dataset import Dataset, Entities
from butaca.data.folders import read_manifest, verify
from butaca.data.histories import Histories
from butaca.data.negatives import Negatives
from butaca.data.signal import Signal
from butaca.data.tables import read_entities
from butaca.errors import SettingError, TableError
from butaca.scale.partition import SIDES, load
from butaca.types import Codes, Floats, Ints, Times

KIND, FORMAT = "prepared", 1
BLOCK = 1 << 18  # interactions


@dataclass(frozen=True, eq=False)
class Side:
    """Holds the interactions that train, or that test, sorted by user and item: memory-mapped, read-only.

    Attributes:
        start: int64 [n_users + 1]; user u's rows are start[u] to start[u + 1].
        item: int32 [n], ascending within a user.
        value: float32 [n], or None.
        time: int64 [n], seconds since 1970 UTC, or None.
        weight: float32 [n], how much each counts, or None.
    """

    start: Ints
    item: Codes
    value: Floats | None
    time: Times | None
    weight: Floats | None = None

    def __len__(self) -> int:
        return len(self.item)

    def blocks(self, interactions: int = BLOCK, order: Ints | None = None) -> Iterator[tuple[int, Histories]]:
        """Yields users a block at a time: the first user's code and the block's histories, in memory.

        A block is as many whole users as have that many interactions, and at least one.

        Args:
            interactions: in a block, at most, where one user has no more.
            order: numbers of blocks, in the order to visit; by default as they come.
        """
        if interactions < 1:
            raise SettingError("A block holds at least one interaction", str(interactions), "Pass 1 or more")
        cuts = self.cuts(interactions)
        for number in range(len(cuts) - 1) if order is None else order.tolist():
            yield int(cuts[number]), self.users(int(cuts[number]), int(cuts[number + 1]))

    def cuts(self, interactions: int = BLOCK) -> Ints:
        """Returns where blocks begin and end, as user codes."""
        cuts, n_users = [0], len(self.start) - 1
        while cuts[-1] < n_users:
            most = self.start[cuts[-1]] + interactions
            cuts.append(max(int(np.searchsorted(self.start, most, side="right")) - 1, cuts[-1] + 1))
        return np.array(cuts, dtype=np.int64)

    def users(self, first: int, last: int) -> Histories:
        """Returns the histories of users first to last (exclusive), copied to memory."""
        here = slice(int(self.start[first]), int(self.start[last]))
        return Histories(
            np.array(self.item[here]),
            np.array(self.start[first : last + 1]) - self.start[first],
            None if self.value is None else np.array(self.value[here]),
            None if self.time is None else np.array(self.time[here]),
            None if self.weight is None else np.array(self.weight[here]),
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A Prepared is a folder that `butaca data prepare` wrote.

    Attributes:
        folder: where.
        manifest: what it says of itself: names of the columns, the split, counts, checksums.
        train, test: the two sides.
    """

    folder: Path
    manifest: dict[str, Any]
    train: Side
    test: Side

    @classmethod
    def open(cls, folder: str | PathLike[str], check: bool = False) -> Prepared:
        """Opens a folder; its columns are read when they are looked at.

        Args:
            folder: that `prepare` wrote.
            check: compare every file with its checksum, which reads all of it.

        Raises:
            TableError: it is no such folder, or it is damaged.
        """
        path = Path(folder)
        manifest = read_manifest(path, KIND, made_by=f"prepare, or `butaca data prepare SOURCE --out {path}`")
        if manifest["format"] > FORMAT:
            raise TableError(
                f"This version reads prepared data of format {FORMAT}",
                str(manifest["format"]),
                "Update butaca",
            )
        if check:
            verify(path, manifest)
        weight = ("weight",) if manifest.get("weighted") else ()
        sides = [
            Side(
                *(
                    load(path / side / f"{name}.npy") if f"{side}/{name}.npy" in manifest["files"] else None
                    for name in ("start", "item", "value", "time", *weight)
                )  # type: ignore[arg-type]
            )
            for side in SIDES
        ]
        return cls(path, manifest, *sides)

    def __repr__(self) -> str:
        return (
            f"Prepared({str(self.folder)!r}: {len(self.train):,} + {len(self.test):,} interactions, "
            f"{self.n_users:,} users, {self.n_items:,} items)"
        )

    @property
    def n_users(self) -> int:
        """Returns the number of users, with interactions or known from a table."""
        return int(self.manifest["n_users"])

    @property
    def n_items(self) -> int:
        """Returns the number of items, with interactions or known from a table."""
        return int(self.manifest["n_items"])

    @property
    def digest(self) -> str:
        """Returns the SHA-256 of the manifest, checksums of all files included: equal digest, equal data."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()

    @cached_property
    def users(self) -> Entities:
        """Returns the users: vocabulary and features, in memory."""
        return self._entities("user")

    @cached_property
    def items(self) -> Entities:
        """Returns the items: vocabulary and features, in memory."""
        return self._entities("item")

    def dataset(self, name: str = "train") -> Dataset:
        """Returns a side as a Dataset whose columns stay on the disk, but for the users' codes, 4 bytes each.

        What reads it a batch of users at a time, as training does, needs memory for a batch.
        """
        side = {"train": self.train, "test": self.test}[name]
        names = self.manifest["names"]
        return Dataset(
            users=self.users,
            items=self.items,
            user=np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(side.start)),
            item=side.item,
            value=side.value,
            timestamp=side.time,
            value_name=names.get("value", "value"),
            time_name=names.get("time", "timestamp"),
            name=self.folder.name,
            weight=side.weight,
            negatives=self.negatives,
            again=self.signal.again,
            notes=tuple(self.manifest.get("notes", ())),
        )

    @cached_property
    def negatives(self) -> Negatives | None:
        """Returns what users said no to, in memory; None where the data were prepared without such."""
        if not self.signal.says_no:
            return None
        start, item = (
            np.array(load(self.folder / "negatives" / f"{name}.npy")) for name in ("start", "item")
        )
        return Negatives(np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(start)), item)

    @property
    def signal(self) -> Signal:
        """Returns what counts as what in these data."""
        return Signal.of_json(self.manifest.get("signal", {}))

    def _entities(self, role: Role) -> Entities:
        path = self.folder / f"{role}s.parquet"
        return read_entities(
            path, role, key=self.manifest["names"][role], is_text=self.manifest["is_text"][role]
        )
