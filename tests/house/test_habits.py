"""This module holds the papers of the house to each other: workflow, hooks, templates, citation, releases."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([\w-]+):", MAKEFILE, flags=re.M))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAPERS = [*sorted((ROOT / ".github").rglob("*.yml")), ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"]


def read(path: Path) -> Any:
    """Returns what a YAML file says; PyYAML is in requirements/dev.txt."""
    return import_module("yaml").safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    found: dict[str, Any] = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    return found


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_it_parses(path: Path) -> None:
    assert isinstance(read(path), dict)


def test_the_workflow_only_calls_make(jobs: dict[str, Any]) -> None:
    commands = [step["run"].split() for job in jobs.values() for step in job["steps"] if "run" in step]
    assert [words[:2] for words in commands] == [["make", "check"], ["make", "test"]]
    for words in commands:
        assert words[1] in TARGETS
        assert words[2:] == ["PYTHON=python"]
    assert "PYTHON ?=" in MAKEFILE, "PYTHON= is no longer what chooses the Python"


def test_the_workflow_runs_every_python_that_is_promised(jobs: dict[str, Any]) -> None:
    matrix = jobs["check-and-test"]["strategy"]["matrix"]
    promised = [
        name.rpartition(" ")[2]
        for name in PROJECT["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
    ]
    assert matrix["python"] == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"
    assert {more["os"] for more in matrix["include"]} == {"macos-latest"}
    assert {more["python"] for more in matrix["include"]} <= set(promised)


def test_classifiers_are_known_ones() -> None:
    assert set(PROJECT["classifiers"]) <= import_module("trove_classifiers").classifiers


def test_the_hooks_are_what_make_check_runs() -> None:
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {hook["entry"].removeprefix(".venv/bin/") for hook in local["hooks"]}
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.M)
    assert recipe is not None
    lines = recipe[1].replace("$(BIN)/", "").replace(" --check", "").replace(" .", "")
    assert hooks == {line.strip() for line in lines.splitlines()}


def test_templates_ask_for_something() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = read(path)
        if path.name != "config.yml":
            assert {"name", "description", "body"} <= set(form), path.name
            ids = [field["id"] for field in form["body"]]
            assert len(ids) == len(set(ids)) > 0


def test_one_version_and_one_date_everywhere() -> None:
    citation = read(ROOT / "CITATION.cff")
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", log, flags=re.M)
    assert released[0] == (citation["version"], citation["date-released"])
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["keywords"] == PROJECT["keywords"]


def test_continuous_integration_runs_both_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == "make -j3 check test"


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{n}.md" for n in ("index", "scale"))]
)
def test_targets_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^)(?:SMALL=1 )?make ([a-z][\w-]+)", text, flags=re.M)
    assert named
    assert set(named) <= TARGETS
