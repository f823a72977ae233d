"""This module holds the models that answer: loaded and verified before the swap, which is one assignment.

Each name stands for one folder. Another version in that folder (fitted again, or with items added) is
found when the list of models is asked for, and loaded when it is activated. The version that it replaces
stays in memory, so that a swap can be taken back though its folder is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from butaca.errors import BundleError, SettingError, UnknownEntityError
from butaca.events.split import arm_of
from butaca.index.kinds import IndexKind
from butaca.recommend.folder.bundle import read_manifest, version_of
from butaca.recommend.recommender import Recommender
from butaca.serve.serving import Loaded, Serving
from butaca.serve.telemetry import log
from butaca.serve.version_facts import entry, on_disk, second_stage_in_memory
from butaca.serve.versions import KeptVersions

#: Earlier versions whose files are kept at a start, so that they can be activated.
SPARE = 2


class Registry:
    """A Registry holds the folders that were given, and what is loaded of them.

    Args:
        folders: by name, in order; the first answers those that name no model.
        split: share of the users of each name; empty for none.
        index: of every model, see `Recommender`.
        version: to answer, of one of the folders, instead of the one that was chosen or lies there.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        split: Mapping[str, float] | None = None,
        *,
        index: IndexKind = "exact",
        version: str | None = None,
    ) -> None:
        if not folders:
            raise SettingError(
                "A service has a model",
                "none",
                'Give it a folder: butaca serve model/, or Registry({"name": folder})',
            )
        self.folders, self.index = dict(folders), index
        self.split = dict(split or {})
        self._check_split(set(self.folders))
        self._lock = threading.Lock()  # of activations: one at a time
        self._kept = {name: KeptVersions(folder) for name, folder in folders.items()}
        pinned = self._pinned(version)
        loaded = {name: self._start(name, version if name == pinned else None) for name in folders}
        self.serving = Serving(self._first(pinned), MappingProxyType(loaded))

    def _pinned(self, version: str | None) -> str | None:
        """Returns the name of the model that has a version, which is asked for; None where none is.

        Raises:
            UnknownEntityError: none has it.
        """
        if version is None:
            return None
        for name, kept in self._kept.items():
            if kept.find(version) is not None:
                return name
        there = [
            *(v for kept in self._kept.values() for v in kept.kept()),
            *map(_version_or_none, self.folders.values()),
        ]
        raise UnknownEntityError(
            "A version that is asked for lies in a model's folder, or was kept when it answered",
            repr(version),
            f"There are {', '.join(sorted({v for v in there if v})) or 'none'}",
        )

    def _start(self, name: str, pinned: str | None) -> Loaded:
        """Loads what answers at the start: the version asked for, else the one chosen, else the folder's."""
        kept, folder = self._kept[name], self.folders[name]
        chosen = kept.chosen()
        wanted = pinned or (None if chosen is None else chosen[0])
        found = None if wanted is None else kept.find(wanted)
        if wanted is not None and found is None:
            log.warning(
                "the version that was chosen is gone; the folder's answers", model=name, version=wanted
            )
        model = _load(name, found or folder, self.index)
        if found in {None, folder}:
            kept.keep(model.version)
        with suppress(OSError):  # another process may prune too
            kept.prune({model.version, wanted or model.version}, spare=SPARE)
        return model

    def _first(self, pinned: str | None) -> str:
        """Returns the name that answers those who name none: without a split, the last one activated."""
        names = list(self.folders)
        if self.split:
            return names[0]
        if pinned is not None:
            return pinned
        since = {name: (kept.chosen() or ("", 0.0))[1] for name, kept in self._kept.items()}
        return max(names, key=lambda name: (since[name], -names.index(name)))

    @classmethod
    def of(cls, models: Mapping[str, Recommender], split: Mapping[str, float] | None = None) -> Registry:
        """Makes a registry of recommenders in memory, for tests and benchmarks; they have no folders."""
        self = cls.__new__(cls)
        self.folders, self.split, self._lock = {}, dict(split or {}), threading.Lock()
        self._kept = {}
        self._check_split(set(models))
        loaded = {name: Loaded(name, f"memory-{name}", rec) for name, rec in models.items()}
        self.serving = Serving(next(iter(loaded)), MappingProxyType(loaded))
        return self

    def _check_split(self, names: set[str]) -> None:
        if self.split and set(self.split) - names:
            raise SettingError(
                "A split names models that are served",
                ", ".join(sorted(set(self.split) - names)),
                "Name the models as the split does: butaca serve champion=model-a challenger=model-b, or the "
                "keys of Registry(folders)",
            )

    def close(self) -> None:
        """Ends what works behind the models."""
        for model in (*self.serving.active.values(), *self.serving.earlier.values()):
            model.showcase.close()

    def arm_of(self, user: str) -> str:
        """Returns the name that answers a user: the same one each time."""
        return arm_of(user, self.split)

    def versions(self) -> list[dict[str, Any]]:
        """Returns every version that is loaded or can be: on disk, serving, or replaced."""
        serving = self.serving
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for model in (*serving.active.values(), *serving.earlier.values()):
            active = serving.active[model.name] is model
            found[model.name, model.version] = entry(
                model.name,
                model.version,
                about=model.recommender.about,
                second_stage=second_stage_in_memory(model.recommender),
                active=active and model.name in (self.split or {serving.first}),
                loaded_at=model.loaded_at,
            )
        for name, folder in self.folders.items():
            try:
                manifest = read_manifest(folder)
            except BundleError as error:
                found[name, ""] = entry(name, "", about={}, second_stage=None) | {"damaged": str(error)}
                continue
            version = version_of(manifest)
            if (name, version) not in found:
                found[name, version] = on_disk(name, version, manifest=manifest)
        for name, kept in self._kept.items():
            for version, folder in kept.kept().items():
                if (name, version) not in found:
                    with suppress(BundleError):
                        found[name, version] = on_disk(name, version, manifest=read_manifest(folder))
        return list(found.values())

    def activate(self, version: str) -> Loaded:
        """Lets a version answer from now on; requests in work keep the one they started with.

        It becomes the version of its name, and, where there is no split, the one that answers those that
        name no model. Nothing changes unless it loads whole.

        Raises:
            UnknownEntityError: it is neither in memory nor in a folder.
            BundleError: its folder is damaged.
        """
        with self._lock:
            serving, chosen = self.serving, None
            for model in (*serving.active.values(), *serving.earlier.values()):
                if model.version == version:
                    chosen = model
                    break
            if chosen is None:
                chosen = self._load(version)
            active, earlier = dict(serving.active), dict(serving.earlier)
            replaced = active[chosen.name]
            if replaced is not chosen:
                forgotten = earlier.get(chosen.name)
                if forgotten is not None and forgotten is not chosen:
                    forgotten.showcase.close()
                active[chosen.name], earlier[chosen.name] = chosen, replaced
            first = serving.first if self.split else chosen.name
            self.serving = Serving(first, MappingProxyType(active), MappingProxyType(earlier))
            self._remember(chosen, answers=not self.split)
            return chosen

    def _remember(self, chosen: Loaded, *, answers: bool) -> None:
        """Has the choice survive a restart, and deletes the files of versions that nobody can go back to."""
        kept = self._kept.get(chosen.name)
        if kept is None:
            return
        there = kept.find(chosen.version)
        safe = there == kept.root / chosen.version or (there is not None and kept.keep(chosen.version))
        if not (kept.choose(chosen.version, answers=answers) and safe):
            log.warning("the choice does not survive a restart", model=chosen.name, version=chosen.version)
        last = self.serving.earlier.get(chosen.name)
        kept.prune({chosen.version, *(() if last is None else (last.version,))})

    def _load(self, version: str) -> Loaded:
        damaged: BundleError | None = None
        seen = []
        for name, folder in self.folders.items():
            try:
                found = version_in(folder)
                if found == version:
                    model = _load(name, folder, self.index)
                    if model.version == version:  # else it was replaced meanwhile
                        return model
                seen.append(found)
            except BundleError as error:
                damaged = error
            kept = self._kept[name].root / version
            if kept.is_dir():
                return _load(name, kept, self.index)
        if damaged is not None:
            raise damaged
        raise UnknownEntityError(
            "A version is one that GET /v1/models lists",
            repr(version),
            f"There are {', '.join(seen) or 'none'}",
        )


def _load(name: str, folder: Path, index: IndexKind) -> Loaded:
    recommender = Recommender.load(folder, index)
    loaded = Loaded(name, recommender.version, recommender, folder)
    loaded.showcase.warm()
    return loaded


def version_in(folder: Path) -> str:
    """Returns the version of the model in a folder now.

    Raises:
        BundleError: no whole manifest is there.
    """
    return version_of(read_manifest(folder))


def named_folders(models: Sequence[str]) -> dict[str, Path]:
    """Returns the folders of `name=folder` or `folder`, by name.

    >>> named_folders(["champion=models/a", "models/b/"])
    {'champion': PosixPath('models/a'), 'b': PosixPath('models/b')}

    Raises:
        SettingError: two have the same name, or a name is not a word.
    """
    found: dict[str, Path] = {}
    for text in models:
        name, equals, folder = text.partition("=")
        path = Path(folder) if equals and "/" not in name else Path(text)
        name = name if equals and "/" not in name else path.resolve().name
        name = "".join(c if c.isalnum() or c in "_.:-" else "-" for c in name)[:64]
        if not name or name in found:
            raise SettingError(
                "Every model has a name of its own",
                f"{text!r}, whose name is {'taken' if name else 'empty'}",
                "Write name=folder for each",
            )
        found[name] = path
    return found


def _version_or_none(folder: Path) -> str | None:
    try:
        return version_in(folder)
    except BundleError:
        return None
