"""This module holds features as codes and weights, padded to rectangles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from butaca.types import Codes, Floats, Ints


class Encoded(NamedTuple):
    """Holds a feature of n rows, as codes into its embedding table and weights.

    codes int32 [n, w]; weights float32 [n, w], or None when w = 1 and every weight is 1.
    """

    codes: Codes
    weights: Floats | None


def pad_bags(codes: Codes, offsets: Ints, *, width: int, fill: int) -> Encoded:
    """Makes ragged codes a rectangle: codes [n, width], weights 1/(values kept) and 0 where padded.

    >>> pad_bags(np.array([7, 1, 4], np.int32), np.array([0, 1, 1, 3]), width=2, fill=9).weights.tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.5, 0.5]]
    """
    lengths = np.minimum(np.diff(offsets), width)
    column = np.arange(width)
    inside = column < lengths[:, None]
    padded = np.full(inside.shape, fill, dtype=np.int32)
    padded[inside] = codes[(offsets[:-1, None] + column)[inside]]
    weights = inside / np.maximum(lengths, 1)[:, None]
    return Encoded(padded, weights.astype(np.float32))


def pad_rows(encoded: Encoded, n: int) -> Encoded:
    """Pads a feature to n rows: further rows repeat code 0 at weight 0 (None stays None: code 0)."""
    extra = n - len(encoded.codes)
    if extra == 0:
        return encoded
    codes = np.pad(encoded.codes, ((0, extra), (0, 0)))
    weights = None if encoded.weights is None else np.pad(encoded.weights, ((0, extra), (0, 0)))
    return Encoded(codes, weights)
