"""This module keeps docs from drifting: README blocks run, settings are documented, links and paths lead."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from butaca.model.features import History
from butaca.model.followers import FollowerSettings
from butaca.model.spectral_settings import SpectralSettings
from butaca.recipes import Recipe
from butaca.train.batch import BatchPlan
from butaca.train.settings import TwoTowerSettings
from tests.support.boards import checkerboard
from tests.support.commands import commands_of
from tests.support.forks import run

ROOT = Path(__file__).parents[2]

#: The pages of the project, and none that a tool left in a folder of its own (.venv, .pytest_cache).
PAGES = sorted(
    path
    for path in (p.relative_to(ROOT) for p in ROOT.glob("**/*.md"))
    if (not path.parts[0].startswith(".") or path.parts[0] == ".github") and "node_modules" not in path.parts
)


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.S)


def lines_of(name: str, language: str) -> list[str]:
    """Returns the lines of a page's blocks, without remarks."""
    lines = [line.split("#")[0].strip() for block in blocks(name, language) for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize(
    ("page", "spanish"), [("README.md", "README.es.md"), ("docs/notebook.md", "docs/cuaderno.md")]
)
def test_python_blocks_run(page, spanish, ml, tmp_path, monkeypatch):
    """Those of the page; the Spanish one has none but lines of them."""
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    found = blocks(page, "python")
    assert found
    for block in found:
        exec(compile(block, page, "exec"), space)
    assert space["recommender"].recommend("21", k=3).items
    lines = lines_of(spanish, "python")
    assert lines
    assert set(lines) <= set(lines_of(page, "python"))


def test_shell_blocks_run(tmp_path):
    """Every `butaca` line, in order, beside a ratings.csv; `make` lines name targets that exist.

    Then what the Spanish page has and the English one has not.
    """
    board = checkerboard()
    titles = ["Toy Story (1995)", *(f"Film {i} (1990)" for i in range(1, 16))]
    rows = [f'{u},"{titles[i]}",4' for u, i in zip(board.user + 10, board.item, strict=True)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,movie,rating", *rows]) + "\n")
    (tmp_path / "users.txt").write_text("10\n11\n")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    ran = 0
    english = lines_of("README.md", "sh")
    for line in [*english, *(line for line in lines_of("README.es.md", "sh") if line not in english)]:
        words = shlex.split(line)
        if words[0] == "make":
            assert words[1] in targets
            continue
        assert words[0] == "butaca"
        run(*words[1:], cwd=tmp_path).check_returncode()
        ran += 1
    assert ran >= 6


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_lead_somewhere(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not re.findall(r"@[A-Z_]+@", text), "an unfilled figure"
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not link.startswith("http"):
            assert (ROOT / path).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_files_and_commands_that_pages_name_exist(path):
    """Files of Python by their path in the repository or in src/butaca, and what `python -m` is given."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:[\w-]+/)+[\w-]+\.py\b", text):
        assert (ROOT / name).exists() or (ROOT / "src" / "butaca" / name).exists(), name
    for module in re.findall(r"(?:python -m |`)((?:benchmarks|docs)(?:\.[a-z_]+)+)", text):
        place = ROOT.joinpath(*module.split("."))
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


@pytest.mark.parametrize(
    "record", [TwoTowerSettings, BatchPlan, Recipe, SpectralSettings, FollowerSettings, History]
)
def test_every_setting_is_documented(record):
    for field in dataclasses.fields(record):
        assert re.search(rf"^\s+[\w, ]*\b{field.name}\b[\w, ]*: ", record.__doc__, flags=re.M), field.name


def test_every_option_has_help():
    from butaca.cli.app import app

    for name, command in commands_of(app).items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_environment_variables_are_documented():
    used = set()
    for path in (ROOT / "src").rglob("*.py"):
        used |= set(re.findall(r"\bBUTACA_[A-Z_]+", path.read_text(encoding="utf-8")))
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert used
    assert used <= set(re.findall(r"\bBUTACA_[A-Z_]+", text))


def test_nothing_names_a_package_index_or_an_address_in_the_locks():
    for path in (*(ROOT / "requirements").glob("*"), *(ROOT / "benchmarks").glob("requirements*")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert "index-url" not in text
        if path.suffix == ".txt":
            assert text.count("--hash=sha256:") >= len(re.findall(r"^[\w.-]+==", text, flags=re.M)) > 5
