"""What a model tells of its second stage, wherever it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from butaca.rank.ranker import Ranker

#: Settings that are told.
SETTINGS = ("target", "folds", "candidates")


def second_about(ranker: Ranker) -> dict[str, Any]:
    """Figures of its training, and what it learned from what, as JSON values."""
    told = {name: getattr(ranker.settings, name) for name in SETTINGS}
    return dict(ranker.about) | told | {"features": len(ranker.names)}


def kept_about(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a ranker in a folder that is not loaded.

    Args:
        kept: JSON values that `Ranker.as_parts` gave.
    """
    told = {name: kept["settings"][name] for name in SETTINGS}
    return dict(kept["about"]) | told | {"features": len(kept["gains"])}
