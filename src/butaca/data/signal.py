"""This module says what of a table counts as what: which rows are positives, how much, and which say no.

A row counts an amount of its kind: 1, or what the weight column says. Of a pair of user and item that comes
more than once, the rows are put together as `Signal.repeats` says; the latest row that is no return decides
whether the pair is a positive or a negative. An amount below 0 is a return: a pair of which no more was had
than was given back is neither. How much an amount is worth beside 1 is the curve c:

    linear  c(n) = n         log  c(n) = n up to 1, 1 + (ln n) / 4 beyond     one  c(n) = 1
    sqrt    c(n) = sqrt(n)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from butaca.checks import finite_number, shown
from butaca.errors import SettingError

Repeats: TypeAlias = Literal["last", "sum", "mean", "count", "allow"]
Curve: TypeAlias = Literal["log", "sqrt", "linear", "one"]
NEGATIVE: Literal["negative"] = "negative"

#: Of the curve "log": the best of 1/4 and 1 on validation slices (docs/decisions/023-signal.md).
SLOPE = 0.25

#: The largest weight of a kind.
FINITE = 1e30

Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Signal:
    """A Signal says what counts as what; the default says that every row is a positive, each worth the same.

    Attributes:
        positive_from: rows with at least this value are positives, the others negatives.
        weight_column: amounts, such as plays or a quantity: how much a row counts; below 0 it is a return.
        event_column: kinds of event, such as "view" and "purchase".
        events: what each kind counts, a weight above 0 or "negative"; rows of other kinds are left out.
        repeats: of a pair that comes more than once: the "last" row counts; the "sum" of the amounts of each
            kind; the "mean" over the rows; the "count" of the rows of each kind; or all stay, "allow", as
            where people buy again: each time counts, and lists keep what was had. None: the sum where there
            are weights or kinds, else the last.
        curve: what an amount is worth, in parts of 1; None: "log", or where a fit chooses another that
            validation finds better (`choose/curves.py`).
    """

    positive_from: float | None = None
    _: KW_ONLY
    weight_column: str | None = None
    event_column: str | None = None
    events: Mapping[str, float | Literal["negative"]] = field(default_factory=dict)
    repeats: Repeats | None = None
    curve: Curve | None = None

    def __post_init__(self) -> None:
        """Checks what is said, each thing alone and beside the others."""
        if self.positive_from is not None:
            object.__setattr__(self, "positive_from", finite_number("positive_from", self.positive_from))
        for name in ("weight_column", "event_column"):
            column = getattr(self, name)
            if column is not None and not (isinstance(column, str) and column):
                raise SettingError(f"{name} names a column", shown(column), "Pass its name, or leave it out")
        for name, of in (("repeats", Repeats), ("curve", Curve)):
            if getattr(self, name) is not None and getattr(self, name) not in get_args(of):
                raise SettingError(
                    f"{name} is one of " + ", ".join(get_args(of)), shown(getattr(self, name)), "Correct it"
                )
        object.__setattr__(self, "events", MappingProxyType(_checked(self.events)))
        if self.event_column is not None and not self.events:
            raise SettingError(
                "Kinds of event count with weights of their own",
                f"event_column={self.event_column!r} without events",
                'Say what each counts: events={"view": 0.3, "dislike": "negative"} (--event view=0.3 '
                "--event dislike=negative)",
            )
        if self.events and self.positive_from is not None:
            raise SettingError(
                "What is a positive is told by values or by kinds of event",
                f"positive_from={self.positive_from:g} and events",
                "Leave one of them out",
            )

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields for a copy or another process, as what can be sent there."""
        return self.__dict__ | {"events": dict(self.events)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes fields back, and keeps them from being changed as a new one does."""
        self.__dict__.update(state)
        self.__post_init__()

    def __hash__(self) -> int:
        """Returns the same number for equal ones."""
        return hash(repr(sorted(self.as_json().items())))

    @property
    def says(self) -> bool:
        """Returns whether anything is said: if not, tables are read as if there were no Signal."""
        return self != PLAIN

    @property
    def says_no(self) -> bool:
        """Returns whether some rows may be negatives."""
        return self.positive_from is not None or NEGATIVE in self.events.values()

    @property
    def again(self) -> bool:
        """Returns whether what someone has had may be what they have next."""
        return self.repeats == "allow"

    @property
    def together(self) -> Repeats:
        """Returns how the rows of a pair are put together."""
        if self.repeats is not None:
            return self.repeats
        return "sum" if self.events or self.weight_column is not None else "last"

    def worth(self, amount: Doubles) -> Doubles:
        """Returns what amounts above 0 are worth.

        >>> Signal().worth(np.array([0.3, 1.0, np.e]))
        array([0.3 , 1.  , 1.25])
        """
        if self.curve == "linear":
            return amount
        if self.curve == "one":
            return np.ones_like(amount)
        if self.curve == "sqrt":
            return np.sqrt(amount)
        return np.where(amount <= 1, amount, 1 + SLOPE * np.log(np.maximum(amount, 1)))

    @property
    def leaves_curve(self) -> bool:
        """Returns whether there are amounts of one kind of which nobody said what they are worth."""
        return self.weight_column is not None and not (self.curve or self.events or self.together == "mean")

    def amounts(self, weight: Doubles) -> Doubles:
        """Returns the amounts that are worth these weights, where the curve tells them.

        >>> signal = Signal(weight_column="plays")
        >>> signal.amounts(signal.worth(np.array([0.3, 1.0, 20.0]))).round(6)
        array([ 0.3,  1. , 20. ])
        """
        if self.curve in {None, "log"}:
            return np.where(weight <= 1, weight, np.exp((np.maximum(weight, 1) - 1) / SLOPE))
        return np.square(weight) if self.curve == "sqrt" else weight

    @property
    def weights(self) -> Doubles:
        """Returns what each kind counts, in the order of `events`, nan for a negative; 1 without kinds."""
        said = [np.nan if w == NEGATIVE else float(w) for w in self.events.values()]
        return np.array(said or [1.0], dtype=np.float64)

    def as_json(self) -> dict[str, Any]:
        """Returns what is said as JSON values, by field; what is not said is left out."""
        said = self.__dict__ | {"events": dict(self.events) or None}
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Signal:
        """Returns the Signal that `as_json` gave the values of."""
        return cls(**dict(said))


def _checked(events: Any) -> dict[str, float | Literal["negative"]]:
    """Returns what kinds of event count, checked: at least one is a positive."""
    if not isinstance(events, Mapping) or not all(isinstance(kind, str) for kind in events):
        raise SettingError("Events are what each kind counts, by name", shown(events), 'Pass {"view": 0.3}')
    out: dict[str, float | Literal["negative"]] = {}
    for kind, weight in events.items():
        if weight == NEGATIVE:
            out[kind] = NEGATIVE
            continue
        number = finite_number(f"The weight of {kind!r}", weight)
        if not 0 < np.float32(min(number, FINITE)) < np.inf or number > FINITE:  # weights are float32
            raise SettingError(
                f'An event counts a weight above 0 and up to {FINITE:.0e}, or "negative"',
                f"{kind}={shown(weight)}",
                f"Leave {kind!r} out if it counts nothing, or say {kind}=negative",
            )
        out[kind] = number
    if out and all(weight == NEGATIVE for weight in out.values()):
        raise SettingError(
            "At least one kind of event is a positive", ", ".join(out), "Say what it counts, such as view=0.3"
        )
    return out


def events_of(said: Sequence[str]) -> dict[str, float | Literal["negative"]]:
    """Returns what kinds of event count, of words such as "view=0.3" and "dislike=negative".

    >>> events_of(["view=0.3", "dislike=negative"])
    {'view': 0.3, 'dislike': 'negative'}
    """
    out: dict[str, float | Literal["negative"]] = {}
    for one in said:
        kind, equals, weight = one.rpartition("=")
        try:
            out[kind.strip()] = NEGATIVE if weight.strip() == NEGATIVE else float(weight)
        except ValueError:
            equals = ""
        if not equals or not kind.strip():
            raise SettingError(
                "A kind of event counts a weight, or is negative",
                f"--event {one}",
                "Write it as view=0.3 or dislike=negative",
            )
    return out


#: Every row is a positive, each worth the same.
PLAIN = Signal()
