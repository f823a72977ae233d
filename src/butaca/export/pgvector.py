"""This module fills PostgreSQL with the extension pgvector: two tables of vectors, one of what was had.

    SELECT i.item_id, i.title, -(i.vector <#> q.vector) AS score
    FROM butaca_items i, butaca_queries q
    WHERE q.user_id = '21' AND NOT EXISTS (
        SELECT FROM butaca_seen s WHERE s.user_id = q.user_id AND s.item_id = i.item_id)
    ORDER BY i.vector <#> q.vector LIMIT 10;

`<#>` is the negative inner product.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from butaca.errors import StoreError
from butaca.export.vectors import ExportedVectors
from butaca.extras import needed
from butaca.types import Floats

#: Columns of the tables that are filled, in the order of `_rows`.
TABLES = {
    "butaca_items": "item_id, title, popularity, vector",
    "butaca_queries": "user_id, vector",
    "butaca_seen": "user_id, item_id",
}


def definitions(vectors: ExportedVectors) -> str:
    """Returns the statements that make the tables anew."""
    d = vectors.dimensions
    return f"""CREATE EXTENSION IF NOT EXISTS vector;
DROP TABLE IF EXISTS butaca_seen, butaca_queries, butaca_items;
CREATE TABLE butaca_items (
    item_id text PRIMARY KEY, title text NOT NULL, popularity real NOT NULL, vector vector({d}) NOT NULL
);
CREATE TABLE butaca_queries (user_id text PRIMARY KEY, vector vector({d}) NOT NULL);
CREATE TABLE butaca_seen (user_id text NOT NULL, item_id text NOT NULL, PRIMARY KEY (user_id, item_id));
"""


def write_pgvector(vectors: ExportedVectors, folder: Path) -> None:
    """Writes pgvector.sql, which `psql --single-transaction --file` fills a database with."""
    with (folder / "pgvector.sql").open("w", encoding="utf-8", newline="\n") as file:
        file.write(definitions(vectors))
        for table, columns in TABLES.items():
            file.write(f"COPY {table} ({columns}) FROM stdin;\n")
            _write_rows(file, table, vectors)
            file.write("\\.\n")
        file.write(
            "-- From about a hundred thousand items on, approximately and sooner:\n"
            "-- CREATE INDEX ON butaca_items USING hnsw (vector vector_ip_ops);\n"
        )


def send_pgvector(vectors: ExportedVectors, address: str) -> None:
    """Replaces the tables of a database, in one transaction.

    Raises:
        StoreError: it can't be reached, has no such extension, or refuses.
    """
    with needed("An export to pgvector"):
        import psycopg

    try:
        with psycopg.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(definitions(vectors).encode())
            for table, columns in TABLES.items():
                with cursor.copy(f"COPY {table} ({columns}) FROM stdin".encode()) as copy:
                    for row in _rows(table, vectors):
                        copy.write(_line(row))
    except psycopg.Error as error:
        raise StoreError(
            "A database takes vectors where it has the extension pgvector, and lets tables be made",
            str(error).partition("\n")[0],
            "Install pgvector in it, or check the address and the rights",
        ) from error


def _write_rows(file: TextIO, table: str, vectors: ExportedVectors) -> None:
    for row in _rows(table, vectors):
        file.write(_line(row))


def _rows(table: str, vectors: ExportedVectors) -> Iterator[Sequence[Any]]:
    """Yields the rows of a table as texts."""
    if table == "butaca_items":
        counts = [f"{n:g}" for n in vectors.popularity.tolist()]
        yield from zip(
            vectors.item_ids.tolist(), vectors.titles, counts, _written(vectors.items), strict=True
        )
    elif table == "butaca_queries":
        yield from zip(vectors.user_ids.tolist(), _written(vectors.queries), strict=True)
    else:
        pairs = zip(vectors.seen_user.tolist(), vectors.seen_item.tolist(), strict=True)
        users, items = vectors.user_ids.tolist(), vectors.item_ids.tolist()
        yield from ((users[u], items[i]) for u, i in dict.fromkeys(pairs))


def _written(vectors: Floats) -> Iterator[str]:
    """Yields each vector as pgvector reads it, with every digit that it has."""
    for row in vectors:
        yield f"[{','.join(row.astype(str))}]"


def _line(row: Sequence[Any]) -> str:
    r"""Returns a row as COPY reads it.

    >>> _line(["a\tb", 7])
    'a\\tb\t7\n'
    """
    escapes = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
    return "\t".join(str(cell).translate(escapes) for cell in row) + "\n"
