"""This module says what every index answers, exact or approximate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from butaca.checks import shown, whole_number
from butaca.errors import SettingError
from butaca.model.pairs import PairTerms
from butaca.types import Bools, Codes, Floats, Ints


@dataclass(frozen=True)
class TopK:
    """Holds the best items of each query, best first.

    Attributes:
        items: int32 [B, k]; -1 where fewer than k items are left.
        scores: float32 [B, k]; -inf there.
        approximate: whether an item that belongs in a list may be missing. The scores are those of the items.
    """

    items: Codes
    scores: Floats
    approximate: bool = False


@runtime_checkable
class Index(Protocol):
    """Finds top-k by score = query . vector + bias + terms; what is left out is so before the top is taken.

    k come back if k exist. Equal scores are ordered by item code.
    """

    @property
    def approximate(self) -> bool:
        """Says whether lists may miss an item; the list's own `TopK.approximate` says whether it may."""
        ...

    @property
    def vectors(self) -> Floats:
        """Returns the vectors of the items, float32 [N, d]."""
        ...

    def __len__(self) -> int: ...

    def scores(self, queries: Floats, terms: PairTerms | None = None) -> Floats:
        """Returns the exact scores of all items, [B, d] and what is added to single ones -> [B, N]."""
        ...

    def top_k(
        self,
        queries: Floats,
        k: int,
        *,
        exclude: Sequence[Codes | Ints] | None = None,
        allowed: Bools | None = None,
        terms: PairTerms | None = None,
    ) -> TopK:
        """Returns the k best items of each query.

        Args:
            queries: float32 [B, d].
            k: at least 1; more than N gives N.
            exclude: for each query the item codes to leave out.
            allowed: items that may come back for any query, [N]; None: all.
            terms: what is added to single scores, or None.

        Raises:
            SettingError: k below 1, or as many exclusions as queries are not given.
        """
        ...


def check(queries: Floats, k: int, *, exclude: Sequence[Codes | Ints] | None) -> None:
    """Refuses what no index can answer.

    Raises:
        SettingError: k below 1, or as many exclusions as queries are not given.
    """
    whole_number("k", k)
    if getattr(queries, "ndim", 0) != 2:
        raise SettingError("Queries are an array [B, d]", shown(queries), "Pass one row per query")
    if exclude is not None and len(exclude) != len(queries):
        raise SettingError(
            "Exclusions are given for every query",
            f"{len(exclude)} for {len(queries)} queries",
            "Pass one array per query, empty where nothing is excluded",
        )
