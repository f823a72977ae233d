"""This module holds what a referee's run decides before anything is read: a RefereePlan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from butaca.checks import path_of, shown, whole_number
from butaca.data.splits import check_share
from butaca.errors import SettingError
from butaca.referee.contestants import Contestant, is_there
from butaca.referee.field import FIELD, how_to_get, named
from butaca.referee.protocols import PROTOCOLS, ProtocolName
from butaca.workflows.loading import Columns, prepared

#: What a run writes in its folder.
JSON, PAGE, PICTURE = "referee.json", "referee.md", "referee.svg"


@dataclass(frozen=True)
class RefereePlan:
    """A RefereePlan holds every decision of a run: `butaca referee` makes one of its options.

    Attributes:
        source: a MovieLens set by name, a table, or several files of one, as for `fit`.
        out: folder for the page, its picture and the JSON.
        columns: of the source.
        protocols: those to run; empty: all that the data allow.
        models: those to run, the first of which the others are compared with; empty: all that are installed.
        seeds: splits and fits of each: 42, 1, 2, ...
        trials: configurations that validation judges of each model that has something to choose.
        test_share: what a split holds out.
        contestants: who may enter.

    Raises:
        SettingError: a name is nobody's, a library is missing, or a number is out of range.
    """

    source: str | Sequence[str]
    out: Path = Path("referee")
    _: KW_ONLY
    columns: Columns = field(default_factory=Columns)
    protocols: Sequence[str] = ()
    models: Sequence[str] = ()
    seeds: int = 1
    trials: int = 16
    test_share: float = 0.2
    contestants: Sequence[Contestant] = field(default_factory=lambda: FIELD)

    def __post_init__(self) -> None:
        """Checks what can be known before the data are read."""
        object.__setattr__(self, "out", path_of("out", self.out))
        for name in ("protocols", "models"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        whole_number("seeds", self.seeds)
        whole_number("trials", self.trials)
        check_share(self.test_share)
        if not self.source:
            raise SettingError(
                "The referee judges on a table", "none", "Name one: SOURCE or --data FILE, such as ml-100k"
            )
        unknown = [name for name in self.protocols if name not in PROTOCOLS]
        if unknown:
            raise SettingError(
                "A protocol is one of " + ", ".join(PROTOCOLS),
                ", ".join(map(shown, unknown)),
                "Correct the name (protocols=, on the command line: --protocol)",
            )
        missing = [one for one in named(self.models, self.contestants) if not is_there(one)]
        if missing:
            raise SettingError(
                "A model that is asked for has its library installed",
                f"a Python without {', '.join(dict.fromkeys(one.library for one in missing))} for "
                f"{', '.join(one.name for one in missing)}",
                f"Install it: {'; '.join(dict.fromkeys(map(how_to_get, missing)))}",
            )

    def check_places(self) -> None:
        """Checks the folder that is written to, and that the source did not come split.

        Raises:
            SettingError: the folder is a file, or holds something else.
        """
        ours = {JSON, PAGE, PICTURE}
        if self.out.exists() and not self.out.is_dir():
            raise SettingError("out is a folder", f"{self.out}, which is a file", "Name another place")
        if self.out.is_dir() and any(path.name not in ours for path in self.out.iterdir()):
            raise SettingError(
                "The referee writes to a new folder, or over what it wrote earlier",
                f"{self.out}, which holds something else",
                "Choose another folder (out=, on the command line: --out)",
            )
        if prepared(self.source) is not None:
            raise SettingError(
                "The referee splits the data itself, in several ways",
                "a folder of prepared data, which come split",
                "Pass the table itself",
            )

    @property
    def asked(self) -> tuple[ProtocolName, ...]:
        """Returns the protocols to run, if the data allow them."""
        return tuple(p for name in self.protocols for p in PROTOCOLS if p == name) or PROTOCOLS

    @property
    def entering(self) -> list[Contestant]:
        """Returns those that enter, the first of which the others are compared with."""
        if self.models:
            return named(self.models, self.contestants)
        return [one for one in self.contestants if is_there(one)]

    @property
    def not_there(self) -> dict[str, str]:
        """Returns those that were not asked for by name and whose library is missing, and how it is had."""
        if self.models:
            return {}
        return {
            one.name: f"{one.library} is not installed: {how_to_get(one)}"
            for one in self.contestants
            if not is_there(one)
        }

    @property
    def all_seeds(self) -> list[int]:
        """Returns the seeds: 42, as everywhere, then 1, 2, ..."""
        return [42, *range(1, self.seeds)]
