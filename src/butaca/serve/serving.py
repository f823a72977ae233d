"""This module says what answers at one moment: models that are loaded whole, by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from butaca.errors import UnknownEntityError
from butaca.recommend.recommender import Recommender
from butaca.serve.showcase import Showcase


@dataclass(frozen=True, eq=False)
class Loaded:
    """A Loaded is one version of a model, ready to answer.

    Attributes:
        name: what requests, splits and the page call it.
        version: the first twelve digits of its folder's seal.
        recommender: answers.
        folder: where it was read from.
        showcase: what can be told of its items without asking it anything.
        loaded_at: seconds since 1970.
    """

    name: str
    version: str
    recommender: Recommender
    folder: Path | None = None
    loaded_at: float = field(default_factory=time.time)
    showcase: Showcase = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "showcase", Showcase(self.recommender, self.folder))


@dataclass(frozen=True, eq=False)
class Serving:
    """A Serving says what answers at one moment; it is replaced as a whole.

    Attributes:
        first: answers those that name no model and fall in no split.
        active: by name.
        earlier: the versions that the active ones replaced, by name.
    """

    first: str
    active: Mapping[str, Loaded]
    earlier: Mapping[str, Loaded] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def default(self) -> Loaded:
        """Returns the model that answers when nothing else is said."""
        return self.active[self.first]

    def find(self, asked: str) -> Loaded:
        """Returns a model by name or by version.

        Raises:
            UnknownEntityError: none is called so.
        """
        if asked in self.active:
            return self.active[asked]
        for model in (*self.active.values(), *self.earlier.values()):
            if model.version == asked:
                return model
        names = ", ".join(f"{m.name} ({m.version})" for m in self.active.values())
        raise UnknownEntityError("A model is one that is served", repr(asked), f"There are {names}")
