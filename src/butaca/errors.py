"""This module holds the exception tree. Every message says the rule, what was received and the cure.

Catch `ButacaError` to catch everything butaca raises on purpose. Each kind is also the built-in
exception that a caller would expect (a `TableError` is a `ValueError`, a `NotFittedError` an
`AttributeError`, as in scikit-learn).
"""

from __future__ import annotations


class ButacaError(Exception):
    """A ButacaError is something that the caller can mend.

    Args:
        rule: what must hold, one sentence.
        received: what was found instead.
        cure: what to do about it.
    """

    def __init__(self, rule: str, received: str = "", cure: str = "") -> None:
        self.rule, self.received, self.cure = rule, received, cure
        parts = [rule.rstrip(".") + "."]
        if received:
            parts.append(f"Received: {received.rstrip('.')}.")
        if cure:
            parts.append(cure.rstrip(".") + ".")
        super().__init__(" ".join(parts))

    def __reduce__(self) -> tuple[type[ButacaError], tuple[str, str, str]]:
        return type(self), (self.rule, self.received, self.cure)


class CollapseWarning(UserWarning):
    """A CollapseWarning says that training ended with (nearly) the same list for everyone."""


class SourceError(ButacaError, OSError):
    """A SourceError says that a data set could not be fetched, verified or stored."""


class TableError(ButacaError, ValueError):
    """A TableError says that a table breaks a rule; it names row and column where it can."""


class SplitError(ButacaError, ValueError):
    """A SplitError says that a split would be empty, leak, or need a column that is not there."""


class SettingError(ButacaError, ValueError):
    """A SettingError says that a setting is outside its range, or that two exclude each other."""


class FeatureError(ButacaError, ValueError):
    """A FeatureError says that a declared feature does not fit the data it was given."""


class NotFittedError(ButacaError, AttributeError):
    """A NotFittedError says that the estimator was asked before it learned."""


class UnknownEntityError(ButacaError, LookupError):
    """An UnknownEntityError names a user or item that the model has never seen."""


class CheckpointError(ButacaError, ValueError):
    """A CheckpointError says that a training checkpoint is damaged or belongs to another run."""


class BundleError(ButacaError, ValueError):
    """A BundleError says that a model folder is missing, damaged, truncated or of a newer version."""


class DivergenceError(ButacaError, FloatingPointError):
    """A DivergenceError says that training ended in numbers that are none, as steps too large do."""


class ClusterError(ButacaError, RuntimeError):
    """A ClusterError says that a Ray cluster can't be reached, or that its workers don't finish."""


class StoreError(ButacaError, OSError):
    """A StoreError says that the event store failed; what was not acknowledged was not stored.

    Attributes:
        reason: of the database, in a few words without names or addresses; empty where it is not known.
    """

    reason = ""


class ConflictError(ButacaError, ValueError):
    """A ConflictError says that an event's id is taken, by an event that is another one."""
