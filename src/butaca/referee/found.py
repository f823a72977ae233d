"""This module holds all that a run found: what the page and the JSON are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from butaca.referee.standing import Standing


@dataclass(frozen=True)
class Bout:
    """A Bout is what was found on one protocol.

    Attributes:
        question: what it asks.
        pairs, users: of the test side, a number for each seed.
        rows: the models that entered, the first one's first.
        left_out: models that can't answer what is asked, and why.
        again: by model, the line that runs its row again.
    """

    question: str
    pairs: Sequence[int]
    users: Sequence[int]
    rows: Sequence[Standing]
    left_out: Mapping[str, str]
    again: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Returns the protocol as JSON values."""
        return {
            "question": self.question,
            "test_pairs": list(self.pairs),
            "test_users": list(self.users),
            "rows": [row.as_json() | {"again": self.again[row.name]} for row in self.rows],
            "left_out": dict(self.left_out),
        }


@dataclass(frozen=True)
class RefereeFound:
    """A RefereeFound holds all that a run found.

    Attributes:
        data: name, fingerprint and sizes of the data.
        seeds, trials: of every model.
        bouts: by protocol.
        protocols_left_out: those that the data don't allow, and why.
        not_there: models whose library is missing, and how it is had.
        machine, versions: where it ran, and on what.
    """

    data: Mapping[str, Any]
    seeds: Sequence[int]
    trials: int
    bouts: Mapping[str, Bout]
    protocols_left_out: Mapping[str, str]
    not_there: Mapping[str, str]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def failures(self) -> dict[str, str]:
        """Returns why rows failed, by protocol and model."""
        return {
            f"{protocol}, {row.name}": row.failure
            for protocol, bout in self.bouts.items()
            for row in bout.rows
            if row.failure
        }

    def as_json(self) -> dict[str, Any]:
        """Returns everything as JSON values."""
        return {
            "referee": 1,
            "data": dict(self.data),
            "seeds": list(self.seeds),
            "trials": self.trials,
            "rules": "the whole catalogue ranked, equal scores against the model, what users had "
            + ("kept" if self.data["again"] else "left out"),
            "protocols": {name: bout.as_json() for name, bout in self.bouts.items()},
            "protocols_left_out": dict(self.protocols_left_out),
            "not_installed": dict(self.not_there),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
        }
