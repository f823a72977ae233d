"""This module says which indexes there are, by name."""

from __future__ import annotations

from typing import Literal, TypeAlias

from butaca.errors import SettingError
from butaca.index.exact import ExactIndex
from butaca.index.interface import Index
from butaca.types import Floats

IndexKind: TypeAlias = Literal["exact", "approximate"]


def index_of(kind: IndexKind, vectors: Floats, *, bias: Floats | None) -> Index:
    """Returns the index of that name over these vectors [N, d] and their bias [N].

    Raises:
        SettingError: there is none, or faiss is not installed.
    """
    if not isinstance(kind, str):
        raise SettingError("An index is exact or approximate", repr(kind)[:80], "Leave it out for exact")
    if kind == "exact":
        return ExactIndex(vectors, bias)
    if kind != "approximate":
        raise SettingError("An index is exact or approximate", repr(kind), "Leave it out for exact")
    from butaca.index.approximate import ApproximateIndex

    return ApproximateIndex(vectors, bias)
