"""This module keeps the files of versions that answer, and which one was chosen, beside a model's folder.

`butaca fit` replaces the folder of a model. What was loaded of it before is kept in `.NAME.versions/VERSION`,
as further names of the same files, which takes no room while the folder still has them. So a version that
was activated can be loaded after a restart, though another one lies in the folder since.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from butaca.errors import BundleError
from butaca.files import move_folder, replace_file
from butaca.recommend.folder.bundle import read_manifest, version_of


class KeptVersions:
    """A KeptVersions holds the versions of one model's folder that answer or did lately.

    Args:
        folder: of the model.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        absolute = folder.absolute()
        self.root = absolute.parent / f".{absolute.name}.versions"

    def keep(self, version: str) -> bool:
        """Keeps the files of the version that is in the folder now; says whether they are kept."""
        kept = self.root / version
        if kept.is_dir():
            return True
        made = self.root / f".{version}.{os.getpid()}"
        try:
            made.mkdir(parents=True)
            for file in self.folder.iterdir():
                if file.is_file():
                    _link(file, made / file.name)
            if version_of(read_manifest(made)) == version:
                move_folder(made, kept)
        except (OSError, BundleError):  # nothing may be written here: it answers until the process ends
            pass
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return kept.is_dir()

    def find(self, version: str) -> Path | None:
        """Returns the folder that holds a version, the model's own or a kept one; None without."""
        for folder in (self.folder, self.root / version):
            with suppress(BundleError):
                if version_of(read_manifest(folder)) == version:
                    return folder
        return None

    def kept(self) -> dict[str, Path]:
        """Returns the folders that are kept, by version."""
        if not self.root.is_dir():
            return {}
        return {f.name: f for f in sorted(self.root.iterdir()) if f.is_dir() and not f.name.startswith(".")}

    def chosen(self) -> tuple[str, float] | None:
        """Returns the version that was chosen, and since when it answers those that name none (0: not)."""
        try:
            told: Any = json.loads((self.root / "chosen.json").read_bytes())
            return str(told["version"]), float(told["answers_since"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def choose(self, version: str, *, answers: bool) -> bool:
        """Writes down which version answers after a restart; returns whether it could."""
        told = {"version": version, "answers_since": time.time() if answers else 0.0}
        try:
            self.root.mkdir(exist_ok=True)
            replace_file(self.root / "chosen.json", json.dumps(told).encode())
        except OSError:
            return False
        return True

    def prune(self, wanted: Collection[str], *, spare: int = 0) -> None:
        """Deletes the kept files of all but these versions, and but the latest few of the others."""
        others = [folder for version, folder in self.kept().items() if version not in wanted]
        others.sort(key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
        for folder in others[spare:]:
            shutil.rmtree(folder, ignore_errors=True)


def _link(file: Path, place: Path) -> None:
    """Makes another name of a file, or a copy where names can't be shared."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)
