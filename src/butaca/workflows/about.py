"""This module says what a reader must know of a model: its settings, how it was trained and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from butaca.data.signal import Signal
from butaca.data.splits import COMES_NEXT
from butaca.evaluate.judged import nullable
from butaca.model.features import Feature

if TYPE_CHECKING:
    from butaca.recipes import Recipe

#: What each softmax trains against.
SOFTMAX = {
    "full": "Trained against the whole catalogue (full softmax).",
    "sampled": "Trained against a sample of the catalogue with logQ correction (sampled softmax).",
    "in_batch": "Trained against the other items of each batch (in-batch softmax).",
}


def describe(recipe: Recipe) -> dict[str, Any]:
    """Returns every setting of a recipe and of its model as JSON values, by the names of their fields.

    The model's settings and the recipe's stand side by side; "model" and "name", which would hold them again,
    are left out. An infinite number, which JSON lacks, is null.
    """
    of_recipe = {f.name: getattr(recipe, f.name) for f in fields(recipe) if f.name not in {"name", "model"}}
    of_model = {f.name: getattr(recipe.model, f.name) for f in fields(recipe.model)}
    return {name: _as_json(value) for name, value in {**of_model, **of_recipe}.items()}


def _as_json(value: Any) -> Any:
    """Returns a setting as a JSON value: a feature as its repr, a record as an object, a tuple as a list."""
    if isinstance(value, Feature):
        return repr(value)
    if isinstance(value, tuple):
        return [_as_json(one) for one in value]
    if is_dataclass(value):
        return {f.name: _as_json(getattr(value, f.name)) for f in fields(value)}
    return nullable(value) if isinstance(value, float) else value


def signal_of(about: Mapping[str, Any]) -> Signal:
    """Returns what counts as what in the data of a model.

    >>> signal_of({"signal": {"positive_from": 4.0}}).positive_from
    4.0
    """
    return Signal.of_json(about.get("signal", {}))


def split_record(about: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how the interactions of a model or of prepared data were split: "split", "test_share", "seed".

    Folders of earlier versions have "how" or "kind" for "split", and "test" for "test_share".

    >>> split_record({"split": {"how": "random", "test": 0.2, "seed": 42}})
    {'split': 'random', 'test_share': 0.2, 'seed': 42}
    """
    names = {"how": "split", "kind": "split", "test": "test_share"}
    return {names.get(name, name): value for name, value in about.get("split", {}).items()}


def held_out(record: Mapping[str, Any]) -> str | None:
    """Returns what a split holds out, in words; None for one that has none.

    >>> held_out({"split": "last"})
    'the last of each user is held out: what comes next'
    """
    share = record.get("test_share")
    of = "a share" if not isinstance(share, int | float) else f"{share:.0%}"
    return {
        "random": f"{of} of the interactions, drawn at random, are held out",
        "temporal": f"the last {of} of the interactions in time are held out: what comes next",
        "last": "the last of each user is held out: what comes next",
        "user": f"{of} of the users are held out",
        "none": "nothing is held out",
    }.get(str(record.get("split")))


def _tied(users: int) -> str:
    """Says how many users had equal times at the cut of a split that holds out each one's last."""
    who = {0: "No user", 1: "1 user"}.get(users, f"{users:,} users")
    tail = ", where a seeded draw says which is the last" if users else ""
    return f"{who} had equal times at the cut{tail}"


def chosen_sentences(about: Mapping[str, Any]) -> list[str]:
    """Says what validation chose for a model, a sentence each; nothing where it chose nothing.

    >>> chosen_sentences({"choice": {"sentence": "Chosen.", "curve": {"sentence": "An amount counts once."}}})
    ['Chosen.', 'An amount counts once.']
    """
    choice = about.get("choice", {})
    return [one["sentence"] for one in (choice, choice.get("curve"), choice.get("newcomers")) if one]


def protocol(about: Mapping[str, Any]) -> list[str]:
    """Says what a reader must know of how a model was trained and judged, a line each."""
    of_split, softmax = split_record(about), str(about.get("softmax", ""))
    notes = chosen_sentences(about)
    notes += [SOFTMAX[softmax]] if softmax in SOFTMAX else []
    if of_split.get("split") in COMES_NEXT:
        notes.append(f"{held_out(of_split)}.".replace("t", "T", 1))
    if of_split.get("timed"):
        notes.append(
            "Held out at random, so training saw what came after the test, as in most published figures: "
            "--split temporal tells what to expect in use."
        )
    if "tied_users" in of_split:
        notes.append(f"{_tied(of_split['tied_users'])}.")
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
