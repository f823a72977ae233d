"""This module holds the kinds of value that cross rooms: array aliases and the Scorer protocol.

Shapes are written at line ends and in docstrings: [B, d] is B rows of d columns. U users, N items,
B a batch of users, P test pairs, d the dimension of the vectors.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.int32]  # contiguous codes of users or items
Floats: TypeAlias = NDArray[np.float32]  # vectors, scores, weights
Times: TypeAlias = NDArray[Any]  # seconds since 1970-01-01 UTC: int64, or float64 where there are fractions
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]  # ranks, rows, offsets
AnyArray: TypeAlias = Any  # numpy on the host, JAX inside the compiled step
Values: TypeAlias = NDArray[Any]  # raw values of a column, any dtype


@runtime_checkable
class Scorer(Protocol):
    """A Scorer scores every item for a user: a tower model, a baseline, a ranker.

    Every member passes the same contract suite (tests/scorers/test_scorer_contract.py).
    """

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue that `score` covers, in code order."""
        ...

    def score(self, users: Codes) -> Floats:
        """Returns the scores of the whole catalogue: user codes [B] -> [B, N], higher is better.

        A code outside the known users is an unknown user and gets the scorer's answer for one.
        The same users get the same scores whatever else is in the batch, to float tolerance.
        """
        ...
