"""This module holds the tests to what they share being in tests/support: no test module is imported."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def imported_of(text: str, stems: Collection[str]) -> list[str]:
    """Returns what a source imports, anywhere in it, out of modules that have one of these names."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if not set(stems).isdisjoint(name.split("."))]


def importing(root: Path) -> dict[str, list[str]]:
    """Returns what each file under a folder imports of its test modules, where it does."""
    stems = {path.stem for path in root.rglob("test_*.py")}
    found = {
        path.relative_to(root).as_posix(): imported_of(path.read_text(encoding="utf-8"), stems)
        for path in sorted(root.rglob("*.py"))
    }
    return {name: modules for name, modules in found.items() if modules}


def test_no_test_module_is_imported():
    assert len(list(TESTS.rglob("test_*.py"))) > 60
    assert importing(TESTS) == {}


@pytest.mark.parametrize(
    "line",
    [
        "from tests.attic.test_lamp import light",
        "from tests.attic import test_lamp",
        "from .test_lamp import light",
        "from . import test_lamp",
        "import tests.attic.test_lamp",
        "def test_a():\n    from tests.attic.test_lamp import light",
    ],
)
def test_one_that_is_imported_is_found(tmp_path, line):
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic" / "test_lamp.py").write_text("from butaca.data.splits import test_share\n")
    (tmp_path / "attic" / "test_door.py").write_text("from tests.support.boards import checkerboard\n")
    assert importing(tmp_path) == {}
    (tmp_path / "attic" / "test_door.py").write_text(line)
    assert list(importing(tmp_path)) == ["attic/test_door.py"]
