"""This module tells griffe, which reads docstrings for the site, that examples in them are code."""

from __future__ import annotations

from typing import Any

import griffe


class DoctestBlocks(griffe.Extension):
    """A DoctestBlocks puts the examples of docstrings into blocks of code."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Takes one class, function or module."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    r"""Returns a docstring with its examples in fences.

    >>> fenced("Adds.\n\n>>> 1 + 1\n2")
    'Adds.\n\n```pycon\n>>> 1 + 1\n2\n```'
    """
    parts = text.split("\n\n")
    return "\n\n".join(f"```pycon\n{p}\n```" if p.lstrip().startswith(">>> ") else p for p in parts)
