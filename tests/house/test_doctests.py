"""This module runs every example in a docstring of the package, a test for each module that has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import butaca

ROOT = Path(butaca.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): text.count(
        ">>> "
    )
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in (text := path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.failed == 0
    assert found.attempted == MODULES[name], "an example that doctest does not see"


def test_examples_are_found():
    assert len(MODULES) > 40
