"""This module loads LightGBM when first used, with threads that sleep while they wait."""

from __future__ import annotations

import os
import re
from typing import Any

from butaca.cores import cores
from butaca.extras import needed

#: Turns that a waiting thread of GNU's OpenMP spins before it sleeps. Its own default spins for milliseconds:
#: beside other work two threads then take five times as long as one.
SPINS = "1000"


def lightgbm() -> Any:
    """Returns the LightGBM library.

    Raises:
        SettingError: it is not installed.
    """
    before = os.environ.get("GOMP_SPINCOUNT")
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read once, when the library is loaded
    try:
        with needed("The second stage"):
            import lightgbm as library
    finally:
        if before is None:
            os.environ.pop("GOMP_SPINCOUNT", None)
    return library


def booster(text: str) -> Any:
    """Returns the trees from LightGBM's text model."""
    return lightgbm().Booster(model_str=text)


def text_of(trees: Any, rounds: int | None = None) -> str:
    """Returns LightGBM's text model of the first so many trees; None: of all.

    It does not name the threads that trained: the trees are the same with any number, so their text is too.
    """
    text: str = trees.model_to_string(num_iteration=rounds)
    return re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 0]", text)


def threads(wanted: int) -> int:
    """Returns the threads to train with: those asked for, or the processor's cores for 0."""
    return wanted or cores()
