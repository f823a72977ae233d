"""This module holds the package to calls that can be read: beyond two, arguments are given by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

import butaca

ROOT = Path(butaca.__file__).parent
MOST = 2

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

#: Why some functions take more than two arguments by position, and which: module.name or module.Class.name.
ALLOWED: dict[str, set[str]] = {
    "A derivative of its own: JAX passes its arguments by position.": {
        "model.rows.add_rows",
        "model.tiles.tiled_softmax",
    },
    "A protocol of other libraries calls it by position.": {
        "serve.guard.Guard.__call__",
    },
    "A status, a kind, then what every error says: rule, received, cure.": {
        "serve.http.problems.Problem.__init__",
    },
    "Operands of an instruction or a compiled function, in the order of the machine's.": {
        "model.native.emit.Emitter.fma",
        "model.native.emit.declared",
        "model.native.handler.build",
        "model.native.kernels.NativeKernels.add_rows",
        "model.native.kernels.NativeKernels.grads",
        "model.native.kernels.NativeKernels.sums",
        "model.native.kernels.compiled",
        "model.native.passes.grads_part",
        "model.native.passes.start",
        "model.native.passes.sums_part",
        "model.native.rows.rows_part",
    },
    "Options of a command: typer passes them by name.": {
        "cli.data.batch",
        "cli.data.grow",
        "cli.data.prepare",
        "cli.fit.fit",
        "cli.judge.evaluate",
        "cli.judge.report",
        "cli.judge.tune",
        "cli.model.add_items",
        "cli.model.recommend",
        "cli.model.similar",
        "cli.referee.referee",
        "cli.serve.add",
        "cli.serve.serve",
        "cli.vectors.export",
        "cli.vectors.import_vectors",
    },
    "Rule, received and cure: every error has the three, in this order.": {
        "errors.ButacaError.__init__",
    },
    "Operands of a drawing or of arithmetic, in their usual order; a problem is written like an error.": {
        "model.rows.add_rows",
        "model.tiles.tiled_softmax",
        "report.drawing.line",
        "report.drawing.text",
        "report.drawing.tick",
        "serve.http.problems.Problem.__init__",
    },
}


def public_functions(text: str) -> Iterator[tuple[str, ast.ClassDef | None, Function]]:
    """Yields each public function and method of a source: its name, its class and itself.

    Functions inside functions are nobody else's. `__init__` and `__call__` are public where the class is.
    """
    for node in ast.parse(text).body:
        inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for one in inside:
            if not isinstance(one, Function):
                continue
            if one.name.startswith("_") and one.name not in {"__init__", "__call__"}:
                continue
            of = node if isinstance(node, ast.ClassDef) else None
            yield (f"{of.name}." if of else "") + one.name, of, one


def by_position(function: Function, of: ast.ClassDef | None) -> int:
    """Returns how many arguments a function takes by position, but for self or cls."""
    marks = {mark.id for mark in function.decorator_list if isinstance(mark, ast.Name)}
    own = 1 if of is not None and "staticmethod" not in marks else 0
    return len(function.args.posonlyargs) + len(function.args.args) - own


def too_many(text: str) -> list[str]:
    """Returns the public functions of a source that take more by position than is read at the call."""
    return [name for name, of, function in public_functions(text) if by_position(function, of) > MOST]


def open_estimators(text: str) -> list[str]:
    """Returns the methods of a source's estimators that take arguments of any name."""
    found = list(public_functions(text))
    estimators = {of.name for _, of, function in found if of is not None and function.name == "fit"}
    return [name for name, of, function in found if of and of.name in estimators and function.args.kwarg]


def found_in_package(check: Callable[[str], list[str]]) -> set[str]:
    """Returns what a check finds in each file of the package, by module and name."""
    return {
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')}.{name}"
        for path in ROOT.rglob("*.py")
        for name in check(path.read_text(encoding="utf-8"))
    }


def test_arguments_beyond_two_are_given_by_name():
    allowed = set().union(*ALLOWED.values())
    found = found_in_package(too_many)
    assert sorted(found - allowed) == []
    assert sorted(allowed - found) == [], "these need no exception any more"


def test_estimators_take_no_arguments_of_any_name():
    assert found_in_package(open_estimators) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(a, b, c): ...", ["f"]),
        ("def f(a, b, *, c): ...", []),
        ("def f(a, b, *more): ...", []),
        ("def f(a, /, b, c): ...", ["f"]),
        ("def _f(a, b, c): ...", []),
        ("def f(a):\n    def g(a, b, c): ...", []),
        ("async def f(a, b, c): ...", ["f"]),
        ("class A:\n    def f(self, a, b, c): ...", ["A.f"]),
        ("class A:\n    def f(self, a, b): ...", []),
        ("class A:\n    @classmethod\n    def f(cls, a, b): ...", []),
        ("class A:\n    @staticmethod\n    def f(a, b, c): ...", ["A.f"]),
        ("class A:\n    def __init__(self, a, b, c): ...", ["A.__init__"]),
        ("class A:\n    def __exit__(self, a, b, c): ...", []),
        ("class _A:\n    def f(self, a, b, c): ...", []),
        ("@dataclass\nclass A:\n    a: int\n    b: int\n    c: int", []),
    ],
)
def test_what_is_found(text, found):
    assert too_many(text) == found


def test_an_open_estimator_is_found():
    text = "class A:\n    def __init__(self, **more): ...\n    def {}(self, data): ..."
    assert open_estimators(text.format("fit")) == ["A.__init__"]
    assert open_estimators(text.format("load")) == []
