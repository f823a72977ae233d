"""The exception tree. Every message says the rule, what was received and the cure.

Catch `ButacaError` to catch everything butaca raises on purpose. Each kind is also the built-in
exception that a caller would expect (a `TableError` is a `ValueError`, a `NotFittedError` an
`AttributeError`, as in scikit-learn).
"""

from __future__ import annotations


class ButacaError(Exception):
    """Something the caller can mend.

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
    """Training ended with (nearly) the same list for everyone."""


class SourceError(ButacaError, OSError):
    """A data set could not be fetched, verified or stored."""


class TableError(ButacaError, ValueError):
    """A table of interactions or features breaks a rule; names row and column where it can."""


class SplitError(ButacaError, ValueError):
    """A split that would be empty, leak, or needs a column that is not there."""


class SettingError(ButacaError, ValueError):
    """A setting outside its range, or two that exclude each other."""


class FeatureError(ButacaError, ValueError):
    """A declared feature does not fit the data it was given."""


class NotFittedError(ButacaError, AttributeError):
    """The estimator was asked before it learned."""


class UnknownEntityError(ButacaError, LookupError):
    """A user or item that the model has never seen."""


class CheckpointError(ButacaError, ValueError):
    """A training checkpoint that is damaged or belongs to another run."""


class BundleError(ButacaError, ValueError):
    """A model folder that is missing, damaged, truncated or newer than this version reads."""


class ClusterError(ButacaError, RuntimeError):
    """A Ray cluster that can't be reached, or whose workers don't finish."""


class StoreError(ButacaError, OSError):
    """The event store can't be opened, read or written; what was not acknowledged was not stored."""
