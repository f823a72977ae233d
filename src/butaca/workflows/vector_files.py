"""This module reads vectors that another system trained: .npz, Parquet, or a folder of `butaca export`.

.npz      user_vectors [U, d], item_vectors [N, d], and if there are any item_bias [N]; user_ids, item_ids
          there or in a file of their own (.npz or .json)
.parquet  side ("user" or "item"), id, vector, and if there are any bias
folder    queries.parquet (user_id, vector) and items.parquet (item_id, vector)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from butaca.data.vocabulary import as_values
from butaca.errors import TableError
from butaca.types import Floats, Values

#: Names of the arrays in a file, ours first; others are what implicit and LightFM call theirs.
NAMES: Mapping[str, tuple[str, ...]] = {
    "user_vectors": ("user_vectors", "user_factors", "user_embeddings", "users"),
    "item_vectors": ("item_vectors", "item_factors", "item_embeddings", "items"),
    "item_bias": ("item_bias", "item_biases"),
    "user_ids": ("user_ids",),
    "item_ids": ("item_ids",),
}

AS_PARQUET = "A Parquet file of vectors has the columns side (user or item), id and vector"


@dataclass(frozen=True, eq=False)
class ForeignVectors:
    """A ForeignVectors holds vectors of another system, and whose they are.

    Attributes:
        user_ids, user_vectors: [U], float32 [U, d].
        item_ids, item_vectors: [N], float32 [N, d].
        item_bias: a term of each item alone [N], or None.
    """

    user_ids: Values
    user_vectors: Floats
    item_ids: Values
    item_vectors: Floats
    item_bias: Floats | None = None

    def check(self, source: str) -> ForeignVectors:
        """Returns the same, checked: shapes that fit together, numbers, and one vector for an id.

        Raises:
            TableError: it breaks a rule; says which.
        """
        for side, ids, vectors in (
            ("user", self.user_ids, self.user_vectors),
            ("item", self.item_ids, self.item_vectors),
        ):
            if vectors.ndim != 2 or not vectors.size:
                raise TableError(
                    "Vectors are a table of numbers, a row each",
                    f"{side} vectors of shape {list(vectors.shape)} in {source}",
                    "Save them as [number, dimensions]",
                )
            if len(ids) != len(vectors):
                more = len(vectors) - len(ids) == 1
                raise TableError(
                    "Every vector has an id, in the same order",
                    f"{len(vectors):,} {side} vectors and {len(ids):,} ids in {source}",
                    "Keras's first row is that of an unknown id: leave it out, weights[1:]"
                    if more
                    else "Save the ids that the rows stand for",
                )
            if len(set(ids.tolist())) != len(ids):
                raise TableError(
                    "An id has one vector", f"{side} ids in {source} that come twice", "Leave the others out"
                )
            if not np.isfinite(vectors).all():
                raise TableError(
                    "Vectors are numbers",
                    f"nan or infinity among the {side} vectors of {source}",
                    "Train again",
                )
        if self.user_vectors.shape[1] != self.item_vectors.shape[1]:
            raise TableError(
                "Users and items have vectors of the same length",
                f"{self.user_vectors.shape[1]} and {self.item_vectors.shape[1]} in {source}",
                "Save what is multiplied in a score",
            )
        bias = self.item_bias
        if bias is not None and (bias.shape != (len(self.item_ids),) or not np.isfinite(bias).all()):
            raise TableError(
                "An item's own term is one number for each item",
                f"terms of shape {list(bias.shape)} for {len(self.item_ids):,} items in {source}",
                "Save them as [number]",
            )
        return self

    def unit(self) -> ForeignVectors:
        """Returns the same vectors at length 1, whose inner product is the cosine."""

        def scaled(x: Floats) -> Floats:
            return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)

        return replace(
            self,
            user_vectors=scaled(self.user_vectors),
            item_vectors=scaled(self.item_vectors),
            item_bias=None,
        )


def read_vectors(source: Path, ids: Path | None = None) -> ForeignVectors:
    """Reads vectors, and the ids that are theirs.

    Args:
        source: a file or a folder.
        ids: a file of user_ids and item_ids (.npz or .json), where an .npz has none.

    Raises:
        TableError: it can't be read, or breaks a rule.
    """
    try:
        if source.is_dir():
            found = _of_folder(source)
        elif source.suffix == ".parquet":
            found = _of_parquet(source)
        else:
            found = _of_arrays(_arrays(source) | ({} if ids is None else _arrays(ids)), source)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(
            "Vectors are read from an .npz, a .parquet or a folder of `butaca export`",
            f"{source}: {str(error).partition(chr(10))[0]}",
            "Save them by numpy.savez(file, user_vectors=..., item_vectors=..., user_ids=..., item_ids=...)",
        ) from error
    return found.check(str(source))


def _arrays(path: Path) -> dict[str, Any]:
    """Returns a file's arrays under our names."""
    if path.suffix == ".json":
        held: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    else:
        with np.load(path, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
    found = {}
    for ours, theirs in NAMES.items():
        for name in theirs:
            if name in held and ours not in found:
                found[ours] = held[name]
    return found


def _of_arrays(arrays: Mapping[str, Any], source: Path) -> ForeignVectors:
    lacking = [name for name in NAMES if name != "item_bias" and name not in arrays]
    if lacking:
        raise TableError(
            "An .npz of vectors names them, and whose they are",
            f"{source} without {', '.join(lacking)}",
            "Save ids as text or numbers beside them, or name their file (--ids)",
        )
    bias = arrays.get("item_bias")
    return ForeignVectors(
        as_values(arrays["user_ids"]),
        np.asarray(arrays["user_vectors"], np.float32),
        as_values(arrays["item_ids"]),
        np.asarray(arrays["item_vectors"], np.float32),
        None if bias is None else np.asarray(bias, np.float32).reshape(-1),
    )


def _of_folder(folder: Path) -> ForeignVectors:
    users = _columns(folder / "queries.parquet", "user_id, vector")
    items = _columns(folder / "items.parquet", "item_id, vector")
    return ForeignVectors(
        as_values(users["user_id"]),
        _stacked(users["vector"], folder),
        as_values(items["item_id"]),
        _stacked(items["vector"], folder),
    )


def _of_parquet(path: Path) -> ForeignVectors:
    found = _columns(path, "*")
    if not {"side", "id", "vector"} <= set(found):
        raise TableError(AS_PARQUET, f"{', '.join(found)} in {path}", "Correct the names")
    side = np.asarray(found["side"].astype(str))
    user, item = side == "user", side == "item"
    if not (user.any() and item.any() and (user | item).all()):
        raise TableError(
            AS_PARQUET, f"sides {', '.join(sorted(set(side.tolist())))} in {path}", "Correct them"
        )
    return ForeignVectors(
        as_values(found["id"][user]),
        _stacked(found["vector"][user], path),
        as_values(found["id"][item]),
        _stacked(found["vector"][item], path),
        np.asarray(found["bias"][item], np.float32) if "bias" in found else None,
    )


def _columns(path: Path, names: str) -> dict[str, Values]:
    """Returns columns of a Parquet file."""
    from butaca.data.formats.opened import plain_errors, quoted, session

    if not path.is_file():
        raise TableError("Vectors are in a file that is there", f"{path}, which is not", "Correct the path")
    with session() as con, plain_errors(str(path)):
        found = con.execute(f"SELECT {names} FROM read_parquet({quoted(str(path))})").fetchnumpy()  # noqa: S608
    return {name: np.asarray(column) for name, column in found.items()}


def _stacked(vectors: Values, path: Path) -> Floats:
    """Returns a column of lists as an array [n, d]."""
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1:
        raise TableError(
            "All vectors have one length",
            f"lengths {', '.join(map(str, sorted(lengths)))} in {path}",
            "Correct them",
        )
    return np.stack([np.asarray(vector, np.float32) for vector in vectors])
