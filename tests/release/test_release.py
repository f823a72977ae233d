"""What is published: the wheel and the sdist that are built here hold the tracked files and no other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from release.contents import NEEDED, ROOT, faults_of_sdist, faults_of_wheel, tracked

Built = tuple[Path, Path]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The wheel and the sdist, by hatchling alone."""
    place = tmp_path_factory.mktemp("dist")
    command = "from hatchling.build import build_sdist, build_wheel as w; import sys; w(sys.argv[1]); "
    command += "build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", command, str(place)], cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = place.glob("*.whl"), place.glob("*.tar.gz")
    return wheel, sdist


def test_the_tracked_files_ship_and_no_other(built: Built) -> None:
    wheel, sdist = built
    package = tracked()
    assert len(package) > 300
    assert package >= NEEDED
    assert faults_of_wheel(wheel, package) == []
    assert faults_of_sdist(sdist, package) == []


def test_what_should_not_ship_and_what_is_missing_is_found(built: Built, tmp_path: Path) -> None:
    wheel = tmp_path / built[0].name
    shutil.copy(built[0], wheel)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("butaca/events.db", b"")
    package = tracked() | {"butaca/serve/page/static/js/new.js", "butaca/notes.ipynb"}
    assert faults_of_wheel(wheel, package - {"butaca/py.typed"}) == [
        "butaca/py.typed is needed and not tracked",
        "butaca/events.db ships and should not",
        "butaca/py.typed ships and should not",
        "butaca/notes.ipynb does not ship and should",
        "butaca/serve/page/static/js/new.js does not ship and should",
        "butaca/notes.ipynb is of a kind that the package is not made of",
    ]


def test_a_tag_names_the_version(built: Built) -> None:
    def checked(tag: str) -> subprocess.CompletedProcess[str]:
        options = ["--dist", str(built[0].parent), "--contents-only", "--tag", tag]
        command = [sys.executable, "-m", "release", *options]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    version = built[0].name.split("-")[1]
    good, bad = checked(f"v{version}"), checked("v9.9.9")
    assert (good.returncode, bad.returncode) == (0, 1), good.stderr
    assert f"v{version}" in bad.stderr


def test_the_workflow_publishes_without_a_password_what_make_dist_checked() -> None:
    path = ROOT / ".github" / "workflows" / "release.yml"
    jobs: dict[str, Any] = import_module("yaml").safe_load(path.read_text(encoding="utf-8"))["jobs"]
    (command,) = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert command == 'make dist PYTHON=python TAG="$GITHUB_REF_NAME"'
    assert "permissions" not in jobs["build"], "what builds may not publish"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "build"
    assert not re.search(r"secrets\.|password", path.read_text(encoding="utf-8"))
