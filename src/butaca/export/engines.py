"""This module fills engines that search vectors, FAISS and Qdrant: each by inner product, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from butaca.export.vectors import ExportedVectors
from butaca.extras import needed

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

#: What the items are called in an engine.
COLLECTION = "butaca_items"

#: Points sent at once.
BATCH = 1_000


def write_faiss(vectors: ExportedVectors, folder: Path) -> None:
    """Writes index.faiss, an IndexFlatIP whose ids are the rows of items.parquet."""
    with needed("An export to FAISS"):
        import faiss

    index = faiss.IndexFlatIP(vectors.dimensions)
    index.add(vectors.items)
    faiss.write_index(index, str(folder / "index.faiss"))


def write_qdrant(vectors: ExportedVectors, folder: Path) -> None:
    """Writes qdrant/, a collection that `QdrantClient(path=...)` opens."""
    with needed("An export to Qdrant"):
        from qdrant_client import QdrantClient

    client = QdrantClient(path=str(folder / "qdrant"))
    try:
        fill_qdrant(vectors, client)
    finally:
        client.close()
    (folder / "qdrant" / ".lock").unlink(missing_ok=True)


def send_qdrant(vectors: ExportedVectors, address: str) -> None:
    """Replaces the collection of a Qdrant server."""
    with needed("An export to Qdrant"):
        from qdrant_client import QdrantClient

    client = QdrantClient(url=address)
    try:
        fill_qdrant(vectors, client)
    finally:
        client.close()


def fill_qdrant(vectors: ExportedVectors, client: QdrantClient) -> None:
    """Makes the collection anew: a point's id is its row, its payload the item's id and title."""
    from qdrant_client.models import Distance, VectorParams

    if client.collection_exists(COLLECTION):
        client.delete_collection(COLLECTION)
    client.create_collection(
        COLLECTION, vectors_config=VectorParams(size=vectors.dimensions, distance=Distance.DOT)
    )
    for points in _batches(vectors):
        client.upsert(COLLECTION, points=points, wait=True)


def _batches(vectors: ExportedVectors) -> Iterator[list[Any]]:
    """Yields the points, some at a time."""
    from qdrant_client.models import PointStruct

    ids = vectors.item_ids.tolist()
    for at in range(0, len(ids), BATCH):
        yield [
            PointStruct(
                id=row,
                vector=vectors.items[row].tolist(),
                payload={"item_id": ids[row], "title": vectors.titles[row]},
            )
            for row in range(at, min(at + BATCH, len(ids)))
        ]
