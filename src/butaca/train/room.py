"""This module says how much room batches of users take, so that few shapes are compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from butaca.types import Ints


class Room(NamedTuple):
    """Holds the rows that batches of users take: one size for nearly all, so that few shapes are compiled.

    Where histories differ much in length, the longest that could meet in one batch take several times what
    a batch drawn at random does: room for that each time would be padding that every step computes.
    """

    usual: int
    most: int
    grain: int

    @classmethod
    def of(cls, lengths: Ints, n_queries: int, *, multiple: int = 1) -> Room:
        """Returns the room for any n_queries users of these lengths.

        Args:
            lengths: rows of each user.
            n_queries: users of a batch.
            multiple: that sizes are rounded up to.
        """
        most = int(np.sort(lengths)[::-1][:n_queries].sum())
        mean = n_queries * float(lengths.mean()) if len(lengths) else 0.0
        grain = max(int(mean / 8), 1024)
        most = -(-most // multiple) * multiple
        return cls(min(most, -(-int(1.06 * mean) // grain) * grain), most, grain)

    def for_(self, rows: int) -> int:
        """Returns the size for so many rows.

        >>> room = Room(usual=2048, most=6000, grain=1024)
        >>> room.for_(100), room.for_(2049), room.for_(6000)
        (2048, 3072, 6000)
        """
        return max(self.usual, min(-(-rows // self.grain) * self.grain, self.most))
