"""What is published: the wheel and the sdist that are built here hold the tracked files and no other."""

from __future__ import annotations

import doctest
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import hatch_build
import pytest
from clients.made import FOLDER
from clients.packed import SHIPS, faults
from release.contents import NEEDED, ROOT, faults_of_sdist, faults_of_wheel, tracked

Built = tuple[Path, Path]

#: Of a repository, as a workflow that builds is told it.
SERVER, NAME = "https://git.example", "ana/butaca"
ADDRESS = f"{SERVER}/{NAME}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The wheel and the sdist, by hatchling alone."""
    place = tmp_path_factory.mktemp("dist")
    code = "from hatchling.build import build_sdist, build_wheel as w; import sys; w(sys.argv[1]); "
    code += "build_sdist(sys.argv[1])"
    env = os.environ | {"GITHUB_SERVER_URL": SERVER, "GITHUB_REPOSITORY": NAME}
    command = [sys.executable, "-c", code, str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=env)
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


def test_the_page_on_pypi_links_to_the_repository_at_the_tag(built: Built) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        page = archive.read(name).decode()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    version = built[0].name.split("-")[1]
    places = [m[3] for m in hatch_build.BESIDE.finditer(readme)]
    assert len(places) > 20
    for place in places:
        assert (ROOT / place.partition("#")[0]).exists(), place
        kind = "raw" if place.endswith(".png") else "blob"
        assert f"]({ADDRESS}/{kind}/v{version}/{place})" in page
    assert not hatch_build.BESIDE.search(page)
    assert not hatch_build.BESIDE.search(hatch_build.long_description(readme, address="", version=version))


def test_the_examples_of_the_long_description_hold() -> None:
    found = doctest.testmod(hatch_build)
    assert (found.failed, found.attempted) == (0, 3)


def test_the_client_that_npm_would_pack_is_the_one_that_is_kept() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    command = [sys.executable, "-m", "clients.packed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_npm_should_not_pack_is_found() -> None:
    files = [{"path": path} for path in (*sorted(SHIPS - {"LICENSE"}), "lib/made-of.txt")]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert faults({"files": files, "version": "9.9.9"}, tag="v9.9.9") == [
        "lib/made-of.txt ships and should not",
        "LICENSE does not ship and should",
        f"The client's version is butaca's, {version}. Received: 9.9.9.",
        f"The tag is that of the version: v{version}. Received: v9.9.9.",
    ]
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
