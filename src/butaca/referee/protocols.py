"""This module names the protocols: what each holds out, and so what a model must find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from butaca.data.dataset import Dataset
from butaca.data.splits import COMES_NEXT
from butaca.workflows.fitting import HeldOut, hold_out, sides_of

ProtocolName: TypeAlias = Literal["random", "user", "last", "temporal"]

PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)

#: What each asks. What users had is left out of the lists, and equal scores count against the model, in all.
QUESTIONS: Mapping[ProtocolName, str] = {
    "random": "What else has this person had? A random {share} of the interactions is held out.",
    "user": "What have people had whom training never saw? A random {share} of the users is held out; "
    "of each, four fifths of the interactions are given as history.",
    "last": "What does each person have next? The last of each user is held out.",
    "temporal": "What do people have later? The last {share} of the interactions in time is held out.",
}


def needs_times(protocol: ProtocolName) -> bool:
    """Says whether a protocol asks what comes next, which data without times can't tell."""
    return protocol in COMES_NEXT


def held_out(data: Dataset, protocol: ProtocolName, *, share: float, seed: int) -> HeldOut:
    """Splits data as a protocol says, as `butaca fit --split` does.

    Raises:
        SplitError: the data don't allow it.
    """
    return hold_out(data, sides_of(data, protocol, test_share=share, seed=seed))


def question(protocol: ProtocolName, share: float) -> str:
    """Returns what a protocol asks, in words.

    >>> question("temporal", 0.2)
    'What do people have later? The last 20 % of the interactions in time is held out.'
    """
    return QUESTIONS[protocol].format(share=f"{100 * share:.3g} %")
