"""This module lists who enters: butaca as fit gives it, the quick one, the panel's baselines, and peers."""

from __future__ import annotations

from collections.abc import Sequence

from butaca.errors import SettingError
from butaca.referee.baselines import BASELINES
from butaca.referee.contestants import Contestant
from butaca.referee.own import OwnModel
from butaca.referee.peers.named import LIBRARIES, PEERS

#: Everyone, in the order of tables; the first is whom others are compared with.
FIELD: Sequence[Contestant] = (
    OwnModel("butaca", "normal"),
    OwnModel("butaca quick", "quick"),
    *BASELINES,
    *PEERS,
)


def named(names: Sequence[str], field: Sequence[Contestant] = FIELD) -> list[Contestant]:
    """Returns contestants by their names, in the order that is asked for.

    Raises:
        SettingError: nobody has such a name.
    """
    known = {contestant.name.lower(): contestant for contestant in field}
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        raise SettingError(
            "A model is one of " + ", ".join(contestant.name for contestant in field),
            ", ".join(map(repr, unknown)),
            "Correct the name (models=, on the command line: --model)",
        )
    return [known[name.lower()] for name in names]


def how_to_get(contestant: Contestant) -> str:
    """Says how a contestant's library is had."""
    return f"pip install {LIBRARIES.get(contestant.library, contestant.library)}"
