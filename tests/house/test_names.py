"""One class name has one meaning: each is defined once in src and benchmarks."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def classes() -> dict[str, list[str]]:
    """Where each class is defined, those inside functions and classes too."""
    found = defaultdict(list)
    for folder in ("src", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_every_class_name_is_defined_once():
    assert {name: places for name, places in classes().items() if len(places) > 1} == {}
