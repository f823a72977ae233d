"""The workflows: what they run exists, what builds may not publish, nothing is secret."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from release.contents import ROOT

FOLDER = ROOT / ".github" / "workflows"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = import_module("yaml").safe_load(path.read_text(encoding="utf-8"))
    return found


def commands(jobs: dict[str, Any]) -> list[str]:
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.stem)
def test_what_a_workflow_names_exists(path: Path) -> None:
    found = read(path)
    assert found["permissions"] == {"contents": "read"}
    assert not re.search(r"secrets\.|password", path.read_text(encoding="utf-8"))
    jobs = found["jobs"]
    for job in jobs.values():
        assert job["timeout-minutes"] <= 90
        assert {job["needs"]} <= set(jobs) if "needs" in job else True
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"[\w./-]+@(v\d+|release/v\d+)", step.get("uses", "a@v1"))
            assert (ROOT / step.get("working-directory", ".")).is_dir()
    for command in commands(jobs):
        words = command.split()
        if words[0] == "make":
            assert re.search(rf"^{re.escape(words[1])}:", MAKEFILE, flags=re.M), command
        for module in re.findall(r"python3? -m ([\w.]+)", command):
            assert import_module(module)


def test_every_python_that_butaca_is_for_is_tried() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    said = re.findall(r"Python :: (3\.\d+)", "\n".join(tomllib.loads(text)["project"]["classifiers"]))
    tried = read(FOLDER / "ci.yml")["jobs"]["check-and-test"]["strategy"]["matrix"]["python"]
    assert tried == said


def test_a_release_publishes_without_a_password_what_make_dist_checked() -> None:
    jobs = read(FOLDER / "release.yml")["jobs"]
    assert commands({"build": jobs["build"]}) == ['make dist PYTHON=python TAG="$GITHUB_REF_NAME"']
    assert "permissions" not in jobs["build"], "what builds may not publish"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish-client"]["permissions"] == {"contents": "read", "id-token": "write"}
    for name, place in (("publish", "pypi"), ("publish-client", "npm")):
        assert (jobs[name]["needs"], jobs[name]["environment"]) == ("build", place)
    said = commands({"client": jobs["publish-client"]})
    assert said[0] == 'python3 -m clients.packed --tag "$GITHUB_REF_NAME"'
    assert said[-1] == "npm publish --provenance"


def test_the_site_is_published_from_main_alone() -> None:
    job = read(FOLDER / "pages.yml")["jobs"]["publish"]
    assert job["if"] == "github.ref == 'refs/heads/main' && github.event_name == 'push'"
    assert job["permissions"] == {"pages": "write", "id-token": "write"}
