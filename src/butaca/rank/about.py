"""This module makes what a model says of its second stage, wherever it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from butaca.rank.ranker import Ranker

#: Settings that are named.
SETTINGS = ("target", "folds", "candidates")


def second_about(ranker: Ranker) -> dict[str, Any]:
    """Returns the figures of a ranker's training, and what it learned from what, as JSON values."""
    chosen = {name: getattr(ranker.settings, name) for name in SETTINGS}
    return dict(ranker.about) | chosen | {"features": len(ranker.names)}


def kept_about(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `second_about` does, of a ranker in a folder that is not loaded.

    Args:
        kept: JSON values that `Ranker.as_parts` gave.
    """
    chosen = {name: kept["settings"][name] for name in SETTINGS}
    return dict(kept["about"]) | chosen | {"features": len(kept["gains"])}
