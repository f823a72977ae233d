"""What a reader must know of a model: its settings, and how it was trained and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from butaca.evaluate.judged import nullable

if TYPE_CHECKING:
    from butaca.recipes import Recipe

#: What each softmax trains against.
SOFTMAX = {
    "full": "Trained against the whole catalogue (full softmax).",
    "sampled": "Trained against a sample of the catalogue with logQ correction (sampled softmax).",
    "in_batch": "Trained against the other items of each batch (in-batch softmax).",
}


def describe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON values."""
    model = recipe.model
    return {
        "query": [repr(f) for f in model.query],
        "candidate": [repr(f) for f in model.candidate],
        "dim": model.dim,
        "hidden": list(model.hidden),
        "softmax": model.softmax,
        "mask": model.mask,
        "logq": model.logq,
        "l2": model.l2,
        "unit": model.unit,
        "temperature": model.temperature,
        "prior": model.prior,
        "prior_power": model.prior_power,
        "prior_half_life": model.prior_half_life,
        "start": model.start,
        # A span of whole histories is infinite, which JSON lacks: null.
        "spectral": None
        if model.spectral is None
        else {name: nullable(value) for name, value in asdict(model.spectral).items()},
        "trusted_from": model.trusted_from,
        "trust_power": model.trust_power,
        "cold_features": [repr(f) for f in model.cold_features],
        "shuffle": model.shuffle,
        "seed": model.seed,
        "optimizer": recipe.optimizer,
        "learning_rate": recipe.learning_rate,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
    }


def protocol(about: Mapping[str, Any]) -> list[str]:
    """What a reader must know of how a model was trained and judged, a line each."""
    of_split, softmax = about.get("split", {}), str(about.get("softmax", ""))
    notes = [SOFTMAX[softmax]] if softmax in SOFTMAX else []
    if "judged_users" in of_split:
        notes.append(
            f"Judged on {of_split['judged_users']:,} users drawn from the {of_split['test_users']:,} with "
            "held-out interactions, each against the whole catalogue."
        )
    if "given" not in of_split:
        return notes
    return [
        *notes,
        "Judged on people that training never saw: of each one's interactions "
        f"{of_split['given']:.0%} are given as history, from which every scorer answers, "
        "and the rest are to be found.",
    ]
