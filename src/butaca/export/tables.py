"""This module writes vectors as Parquet, which every export has: items, queries, and what was had."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from butaca.data.formats.opened import quoted, session
from butaca.export.vectors import ExportedVectors
from butaca.types import Floats, Values


def write_tables(vectors: ExportedVectors, folder: Path) -> None:
    """Writes items.parquet, queries.parquet and seen.parquet, and pairs.parquet if any; rows count from 0."""
    n_items, n_users = len(vectors.item_ids), len(vectors.user_ids)
    of_items: dict[str, Values] = {
        "row": np.arange(n_items, dtype=np.int64),
        "item_id": vectors.item_ids,
        "title": np.array(vectors.titles, dtype=object),
        "popularity": vectors.popularity,
    }
    _write(folder / "items.parquet", of_items, vectors.items)
    of_users: dict[str, Values] = {"row": np.arange(n_users, dtype=np.int64), "user_id": vectors.user_ids}
    _write(folder / "queries.parquet", of_users, vectors.queries)
    seen: dict[str, Values] = {
        "user_row": vectors.seen_user.astype(np.int64),
        "item_row": vectors.seen_item.astype(np.int64),
        "user_id": vectors.user_ids[vectors.seen_user],
        "item_id": vectors.item_ids[vectors.seen_item],
    }
    if vectors.seen_value is not None:
        seen["value"] = vectors.seen_value
    if vectors.seen_time is not None:
        seen["time"] = vectors.seen_time
    if vectors.seen_heard is not None:
        seen["heard"] = vectors.seen_heard
    _write(folder / "seen.parquet", seen)
    if vectors.pairs is not None:
        had = np.repeat(np.arange(n_items, dtype=np.int64), np.diff(vectors.pairs.start))
        of_pairs: dict[str, Values] = {
            "had_row": had,
            "item_row": vectors.pairs.item.astype(np.int64),
            "had_id": vectors.item_ids[had],
            "item_id": vectors.item_ids[vectors.pairs.item],
            "weight": vectors.pairs.weight,
        }
        _write(folder / "pairs.parquet", of_pairs)


def _write(path: Path, columns: dict[str, Values], vectors: Floats | None = None) -> None:
    """Writes columns to a file, and vectors [n, D] as a column of lists beside them."""
    named, more = ", ".join(columns), ""
    parts: dict[str, Values] = dict(columns)
    if vectors is not None:
        of_dimensions = {f"d{i}": np.ascontiguousarray(vectors[:, i]) for i in range(vectors.shape[1])}
        parts |= of_dimensions
        more = f", [{', '.join(of_dimensions)}]::FLOAT[] AS vector"
    with session() as con:
        con.execute("SET threads = 1")  # the order of rows
        con.register("made", parts)
        con.execute(f"COPY (SELECT {named}{more} FROM made) TO {quoted(str(path))} (FORMAT parquet)")  # noqa: S608 - names of ours
