"""This module exports a model: a folder that is there whole or not at all, and a server's tables if asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from butaca.data.folders import check_free, writing
from butaca.errors import SettingError
from butaca.export.engines import send_qdrant, write_faiss, write_qdrant
from butaca.export.pgvector import send_pgvector, write_pgvector
from butaca.export.tables import write_tables
from butaca.export.tower import write_onnx
from butaca.export.vectors import ExportedVectors, vectors_of
from butaca.recommend.parts import ModelParts

#: What a folder of an export says that it holds.
KIND = "exported"

Target: TypeAlias = Literal["parquet", "faiss", "qdrant", "pgvector", "onnx"]

Writer: TypeAlias = Callable[[ExportedVectors, Path], None]

#: What is written beside the tables, by target.
WRITERS: Mapping[str, Writer] = {"faiss": write_faiss, "qdrant": write_qdrant, "pgvector": write_pgvector}

#: Schemes of the addresses that a target's server has.
SCHEMES = {"qdrant": ("http", "https"), "pgvector": ("postgresql", "postgres")}


def export(
    parts: ModelParts, folder: Path, *, to: Target = "parquet", address: str | None = None
) -> ExportedVectors:
    """Writes a model's vectors for another system.

    Args:
        parts: the model, such as a Recommender.
        folder: a new one, or one of an earlier export, which is replaced.
        to: which system. Every export has items.parquet, queries.parquet and seen.parquet,
            and pairs.parquet of a model with pairs of items.
        address: of a Qdrant or PostgreSQL server that is filled too.

    Raises:
        SettingError: no such target, an address for one that has none, or a library that is not there.
        TableError: the folder holds something else.
    """
    if to not in get_args(Target):
        raise SettingError("A target is one of " + ", ".join(get_args(Target)), repr(to), "Correct it")
    if address is not None and urlsplit(address).scheme not in SCHEMES.get(to, ()):
        raise SettingError(
            "An address is that of a Qdrant server (http) or of PostgreSQL (postgresql), for its target",
            f"an address that begins with {urlsplit(address).scheme!r} for {to}",
            "Write http://127.0.0.1:6333 or postgresql://me@127.0.0.1/films, or leave it out",
        )
    check_free(folder, KIND)
    vectors = vectors_of(parts)
    with writing(folder, KIND) as draft:
        write_tables(vectors, draft.path)
        if to == "onnx":
            write_onnx(parts, draft.path)
        elif to in WRITERS:
            WRITERS[to](vectors, draft.path)
        draft.facts.update(facts_of(vectors, to))
    if address is not None:
        (send_qdrant if to == "qdrant" else send_pgvector)(vectors, address)
    return vectors


def facts_of(vectors: ExportedVectors, to: Target) -> dict[str, object]:
    """Returns what a folder says of itself: all that a reader needs to score as the model does."""
    return {
        "to": to,
        "butaca": installed("butaca"),
        "model_version": vectors.version,
        "metric": "inner product",
        "dimensions": vectors.dimensions,
        "last_dimension": "the item's own term; 1 in queries" if vectors.bias else None,
        "items": len(vectors.item_ids),
        "queries": len(vectors.user_ids),
        "users_without_query": vectors.left_out,
        "pairs": None
        if vectors.pairs is None
        else {
            "file": "pairs.parquet",
            "meaning": "a score adds the weights of what was had for the candidate"
            + ("" if vectors.seen_heard is None else ", each times its column heard in seen.parquet")
            + ", times min(1, n / trusted_from) ** trust_power of n items had",
            "half_life": None if vectors.seen_heard is None else vectors.pairs.half_life,
            "trusted_from": vectors.trusted_from,
            "trust_power": vectors.trust_power,
        },
        "second_stage": "not exported" if vectors.second_stage else None,
    }
