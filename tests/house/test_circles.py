"""This module holds the house to imports that never come back to where they began.

Every import counts: at the top of a file, inside a function, and for type checkers alone. Only the package's
front door is left out, which names every public thing for type checkers and loads none.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import butaca

ROOT = Path(butaca.__file__).parent


def module_of(path: Path, root: Path) -> str:
    """Returns the dotted name of a file under a package's folder."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported(text: str, modules: Collection[str]) -> set[str]:
    """Returns which of some modules a source imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(modules)


def graph_of(root: Path) -> dict[str, set[str]]:
    """Returns what each module of a package imports of the same package."""
    files = {module_of(path, root): path for path in root.rglob("*.py")}
    files.pop(root.name, None)
    return {name: imported(path.read_text(encoding="utf-8"), files) for name, path in files.items()}


def circle_in(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Returns the modules of a circle, the first one twice; [] where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_comes_back():
    graph = graph_of(ROOT)
    assert len(graph) > 100
    assert sum(map(len, graph.values())) > 300
    assert circle_in(graph) == []


@pytest.mark.parametrize(
    "back",
    [
        "from house.attic import lamp",
        "import house.attic",
        "from house import attic",
        "def f():\n    from house.attic import lamp",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.attic import lamp",
    ],
)
def test_a_circle_is_found(tmp_path, back):
    house = tmp_path / "house"
    (house / "hall").mkdir(parents=True)
    files = {"__init__": "", "attic": "from house.hall.door import bell", "hall/__init__": ""}
    for name, text in files.items():
        (house / f"{name}.py").write_text(text, encoding="utf-8")
    (house / "hall" / "door.py").write_text("import os", encoding="utf-8")
    assert circle_in(graph_of(house)) == []
    (house / "hall" / "door.py").write_text(back, encoding="utf-8")
    assert set(circle_in(graph_of(house))) == {"house.attic", "house.hall.door"}


def test_a_module_that_imports_itself_is_a_circle():
    assert circle_in({"a": {"a"}}) == ["a", "a"]
