"""This module says which rooms src/butaca has, in which order, and what each imports from the others.

The tests hold the files to the order; rooms_picture.py draws what the imports give.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

SOURCE = Path(__file__).parents[1] / "src" / "butaca"

#: Every room and what it holds, from the top down: a file imports only from its own room and those above it.
ROOMS = {
    "types": "arrays with their shapes, the Scorer protocol",
    "errors": "rule, what was received, the cure",
    "checks": "what callers pass: of which kind it is",
    "extras": "which extra an optional library comes with",
    "cores": "how many cores there are",
    "files": "files replaced whole; locks",
    "data": "rows to codes: tables read, coded, split",
    "catalogue": "the items as people know them: titles, filters",
    "model": "codes to vectors: the towers, the one softmax",
    "index": "the k best of a catalogue, exact or approximate",
    "evaluate": "metrics, one protocol for all, the verdict",
    "baselines": "what a model must beat to be worth serving",
    "train": "the compiled step, the loop, checkpoints",
    "two_tower": "the estimator: fit, evaluate",
    "recipes": "complete settings by name: default, notebook",
    "choose": "what a table wants, chosen by validation",
    "tune": "settings of a recipe, searched",
    "rank": "the second stage, over what is retrieved",
    "recommend": "vectors to lists, reasons; the model folder",
    "export": "the vectors, for other systems",
    "events": "what people did and what they were shown; keys",
    "serve": "the service: API, page, metrics",
    "client": "a running service, asked from Python",
    "scale": "the same from the disk, and on a Ray cluster",
    "workflows": "what the commands do, for Python too",
    "report": "a model and its verdict as one HTML page",
    "referee": "protocols over models of any library, judged alike",
    "cli": "the command: it parses and prints",
}

#: The package's front door and `python -m butaca` name rooms, and are none.
DOORS = {"__init__", "__main__"}

Edge: TypeAlias = tuple[str, str]  # a room, and one above it that it imports from
Uses: TypeAlias = Mapping[str, set[str]]


def room_of(path: Path, source: Path = SOURCE) -> str:
    """Returns the room that a file lies in."""
    return path.relative_to(source).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[str]:
    """Returns the rooms of butaca that a file imports from, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{a.name}" for a in node.names if node.module == "butaca"]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found += [name.split(".")[1] for name in names if name.startswith("butaca.")]
    return found


def uses_of(source: Path = SOURCE) -> dict[str, set[str]]:
    """Returns the other rooms that each room imports from."""
    uses: dict[str, set[str]] = {}
    for path in sorted(source.rglob("*.py")):
        room = room_of(path, source)
        if room not in DOORS:
            uses.setdefault(room, set()).update(set(imports_of(path)) - {room})
    return uses


def needed(uses: Uses) -> list[Edge]:
    """Returns the edges that no longer way implies: the transitive reduction.

    >>> needed({"data": set(), "model": {"data"}, "train": {"model", "data"}})
    [('model', 'data'), ('train', 'model')]
    """

    def above(room: str) -> set[str]:
        return uses[room].union(*map(above, uses[room]))

    edges = []
    for room, others in uses.items():
        implied: set[str] = set().union(*map(above, others))
        edges += [(room, other) for other in sorted(others - implied)]
    return edges


def layers_of(uses: Uses) -> dict[str, int]:
    """Returns the layer of each room, 0 the highest: one below the lowest that it imports from.

    >>> layers_of({"data": set(), "model": {"data"}, "train": {"model", "data"}})
    {'data': 0, 'model': 1, 'train': 2}
    """

    def layer(room: str) -> int:
        return max((layer(other) + 1 for other in uses[room]), default=0)

    return {room: layer(room) for room in uses}
