"""This module says of a value what a test knows of it and its type does not; it fails where that is wrong."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from butaca.data.bags import Bags

T = TypeVar("T")


def some(value: T | None) -> T:
    """Returns a value that is not None."""
    assert value is not None
    return value


def one_each(column: np.ndarray[Any, Any] | Bags) -> np.ndarray[Any, Any]:
    """Returns a column that holds one value in each row."""
    assert isinstance(column, np.ndarray)
    return column


def bags(column: np.ndarray[Any, Any] | Bags) -> Bags:
    """Returns a column that holds any number of values in each row."""
    assert isinstance(column, Bags)
    return column


def lists(column: np.ndarray[Any, Any] | Bags) -> list[list[Any]]:
    """Returns the values in each row of a column of bags."""
    held = bags(column)
    return [held[row].tolist() for row in range(len(held))]
