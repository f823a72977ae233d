"""What a model tells of its second stage, wherever it is asked."""

from __future__ import annotations

from typing import Any

from butaca.rank.ranker import Ranker


def second_about(ranker: Ranker) -> dict[str, Any]:
    """Figures of its training, and what it learned from what, as JSON values."""
    s = ranker.settings
    told = {"target": s.target, "folds": s.folds, "candidates": s.candidates, "features": len(ranker.names)}
    return dict(ranker.about) | told
