"""This module makes what Python holds a table: DataFrames, Arrow, arrays, sparse matrices, mappings."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from butaca.errors import TableError
from butaca.types import Values

#: What is one cell, or has no order.
_NO_COLUMNS = (str, bytes, Mapping, Set)
POSITIONS = ("user_id", "item_id", "value", "timestamp")


def as_registered(source: Any, *, wide: bool) -> tuple[Any, list[str]]:
    """Returns what DuckDB can register, and the names of its columns.

    | the object | is |
    |---|---|
    | a pandas, polars (lazy too) or pyarrow table, or whatever gives an Arrow stream | itself |
    | a mapping of names to columns, a structured array | its columns |
    | an array of two to four columns | user, item, value, time |
    | a sparse matrix | a row for each value that it stores: user, item, value by number |
    | with wide, an array of users x items | a row for each cell that is neither 0 nor nan |

    Raises:
        TableError: it is none of them, or its columns can't be told apart.
    """
    if hasattr(source, "collect_schema") and hasattr(source, "collect"):  # polars' LazyFrame
        source = source.collect()
    if hasattr(source, "tocoo"):
        coo = source.tocoo()
        cells = (coo.row, coo.col, coo.data)
        source = {name: np.asarray(part) for name, part in zip(POSITIONS[:3], cells, strict=True)}
    if type(source).__module__.startswith("pandas"):
        source = _with_index(source)
    if isinstance(source, np.ndarray):
        source = _of_array(source, wide)
    if isinstance(source, Mapping):
        source = _arrays(source)
        return source, list(source)
    names = _names(source)
    if names is None:
        raise TableError(
            "A table is a path, a pandas, polars or pyarrow table, a sparse matrix, an array, or a mapping "
            "of name to array",
            f"a {type(source).__name__}",
            "Pass one of those",
        )
    return source, names


def _with_index(frame: Any) -> Any:
    """Returns a table of pandas whose index, where it has names that no column has, is columns too."""
    named = [name for name in getattr(getattr(frame, "index", None), "names", ()) if name is not None]
    if not named or not hasattr(frame, "columns") or set(named) & set(frame.columns):
        return frame
    return frame.reset_index(level=named)


def _names(source: Any) -> list[str] | None:
    """Returns the names of a table's columns, as pyarrow, pandas and polars say them; None: it is none."""
    for attribute in ("column_names", "columns"):
        found = getattr(source, attribute, None)
        if found is not None and not callable(found):
            return [
                str(getattr(n, "name", None) or n) if attribute == "column_names" else str(n) for n in found
            ]
    schema = getattr(source, "schema", None)
    names = getattr(schema, "names", None)
    if names is None and hasattr(source, "__arrow_c_stream__"):
        return []  # DuckDB says them
    return None if names is None or callable(names) else [str(n) for n in names]


def _of_array(array: Values, wide: bool) -> dict[str, Values]:
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim == 2 and wide:
        filled = (array != 0) & ~np.isnan(array) if array.dtype.kind == "f" else array != 0
        user, item = np.nonzero(filled)
        return {"user_id": user, "item_id": item, "value": array[user, item]}
    if array.ndim == 2 and 2 <= array.shape[1] <= 4:
        columns = {name: array[:, i] for i, name in zip(range(array.shape[1]), POSITIONS, strict=False)}
        return {n: _whole(c) if n != "value" else c for n, c in columns.items()}
    raise TableError(
        "An array is a row for each interaction with two to four columns: user, item, value, time",
        f"an array of the shape {array.shape}",
        "Pass wide=True if it is users x items, or a mapping of names to columns",
    )


def _whole(column: Values) -> Values:
    """Returns a column as whole numbers where all of it are: an array has one type for all its columns."""
    is_whole = column.dtype.kind == "f" and bool(np.isfinite(column).all()) and bool((column % 1 == 0).all())
    return column.astype(np.int64) if is_whole else column


def _arrays(source: Mapping[Any, Any]) -> dict[str, Values]:
    """Returns arrays that DuckDB understands: flat, of the same length, text as objects."""
    out: dict[str, Values] = {}
    for name, raw in source.items():
        if isinstance(raw, np.ndarray) or hasattr(raw, "__array__"):
            array = np.ma.asarray(raw) if np.ma.isMaskedArray(raw) else np.asarray(raw)
        else:
            if isinstance(raw, _NO_COLUMNS) or not hasattr(raw, "__len__"):
                raise TableError(
                    "A column of a mapping is a list or an array, with a cell for each row",
                    f"{name!r} with {'' if isinstance(raw, str) else f'a {type(raw).__name__}, '}{raw!r:.60}",
                    "Pass a list; of a mapping of pairs to values, lists of users, of items and of values",
                )
            array = np.empty(len(raw), dtype=object)
            for i, value in enumerate(raw):  # one by one: lists of equal length stay cells
                array[i] = value
        if array.ndim != 1:
            raise TableError(
                "Every column of a table is flat",
                f"{name!r} with {array.ndim} dimensions",
                "Pass one column each",
            )
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8")
        if array.dtype.kind == "U":
            array = array.astype(object)
        if array.dtype.kind == "M":
            array = array if array.dtype == "datetime64[ns]" else array.astype("datetime64[us]")
        out[str(name)] = array
    lengths = {name: len(array) for name, array in out.items()}
    if len(set(lengths.values())) > 1:
        raise TableError(
            "Every column of a table has the same length",
            ", ".join(f"{name!r} with {n} rows" for name, n in lengths.items()),
            "Pass columns of the same rows",
        )
    return out
