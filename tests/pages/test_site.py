"""The site: every page has its place, the reference has all of the code, and guides say the same twice."""

from __future__ import annotations

import dataclasses
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from clients.generate import document
from docs import reference
from docs.site_hooks import BROUGHT, COPIED, inward, outward

import butaca
from butaca.serve.settings import ServeSettings
from butaca.train.settings import TwoTowerSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: The guides in English and in Spanish.
PAIRS = {
    "start": "empezar",
    "your-table": "su-tabla",
    "judging": "juzgar",
    "serving": "servir",
    "fresh": "al-dia",
    "scale": "escala",
    "from-tfrs": "desde-tfrs",
    "elsewhere": "otros-sistemas",
    "compare": "comparar",
}


def settings() -> Any:
    """mkdocs.yml, of which no line is Python's alone."""
    return import_module("yaml").safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def places(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [place for part in parts for place in places(part)]


def test_every_page_has_its_place_once() -> None:
    named = places(settings()["nav"])
    assert len(named) == len(set(named))
    written = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    made = {f"reference/{name}.md" for name in ("api", "cli", "routes", "settings")} | set(BROUGHT.values())
    assert set(named) == written | made


def test_it_asks_nobody() -> None:
    theme = settings()["theme"]
    assert theme["font"] is False  # else the fonts are another host's
    assert settings()["plugins"][0] == {"search": {"lang": ["en", "es"]}}


def test_every_command_and_option_is_in_the_reference() -> None:
    text = reference.cli()
    found = list(reference.commands())
    assert {"butaca fit", "butaca data grow", "butaca keys add"} <= {" ".join(names) for names, _ in found}
    for names, command in found:
        (part,) = re.findall(rf"^## {' '.join(names)}\n(.*?)(?=^## |\Z)", text, flags=re.M | re.S)
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert f"`{parameter.opts[0]}`" in part, (names, parameter.name)
                assert reference.cell(parameter.help) in part


def test_every_route_and_schema_is_in_the_reference() -> None:
    made = document()
    text = reference.routes(made)
    for path, methods in made["paths"].items():
        for method in methods:
            assert f"\n## {method.upper()} {path}\n" in text
    links = set(re.findall(r"\(#(\w+)\)", text))
    headings = {name.lower() for name in re.findall(r"^## (\w+)$", text, flags=re.M)}
    assert links <= headings
    assert {name.lower() for name in made["components"]["schemas"]} <= headings


@pytest.mark.parametrize("record", [ServeSettings, TwoTowerSettings])
def test_every_setting_is_in_the_reference_with_its_meaning(record: Any) -> None:
    (part,) = re.findall(rf"^## {record.__name__}\n(.*?)(?=^## |\Z)", reference.settings(), flags=re.M | re.S)
    for field in dataclasses.fields(record):
        (row,) = re.findall(rf"^\| `{field.name}` \|.*$", part, flags=re.M)
        assert len(row.split(" | ")[-1]) > 5, field.name


def test_every_public_name_is_in_the_reference() -> None:
    text = reference.api()
    for name in butaca.__all__:
        if name != "__version__":
            assert re.search(rf"^::: butaca\.[\w.]+\.{name}$", text, flags=re.M), name


def test_links_out_of_the_folder_stay_in_the_site() -> None:
    for path in DOCS.rglob("*.md"):
        up = "../" * (len(path.relative_to(DOCS).parts) - 1)
        for link in re.findall(r"\]\(((?:\.\./)[^)#]+)", outward(path.read_text(encoding="utf-8"), up)):
            target = (path.parent / link).resolve()
            inside = target.is_relative_to(DOCS)
            assert inside, f"{path}: {link}"
    for name in BROUGHT:
        text = inward((ROOT / name).read_text(encoding="utf-8"))
        for link in re.findall(r"\]\((?!https?:|#)([\w./-]+)", text):
            assert (DOCS / link).exists(), f"{name}: {link}"
    assert all((ROOT / name).is_file() for name in COPIED)


def blocks(path: Path) -> list[str]:
    return re.findall(r"```\w+\n.*?```", path.read_text(encoding="utf-8"), flags=re.S)


def test_guides_have_the_same_blocks_in_both_languages() -> None:
    assert {path.stem for path in (DOCS / "guides").glob("*.md")} == set(PAIRS)
    assert {path.stem for path in (DOCS / "guias").glob("*.md")} == set(PAIRS.values())
    for english, spanish in PAIRS.items():
        mine, theirs = blocks(DOCS / f"guides/{english}.md"), blocks(DOCS / f"guias/{spanish}.md")
        assert mine == theirs, english


def test_a_guide_names_targets_and_options_that_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    known = {
        option
        for _, command in reference.commands()
        for p in command.params
        for option in (*p.opts, *p.secondary_opts)
    }
    known |= {"--detach", "--rm"}  # of docker
    for path in [*DOCS.glob("guides/*.md"), *DOCS.glob("guias/*.md")]:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"`make ([\w-]+)`", text)) <= targets
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) <= known, path.name


def test_the_workflow_builds_strictly_and_runs_the_guides() -> None:
    path = ROOT / ".github" / "workflows" / "pages.yml"
    jobs = import_module("yaml").safe_load(path.read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"].split()[1] for step in jobs["build"]["steps"] if "run" in step]
    assert commands == ["docs", "docs-test"]
    assert "mkdocs build --strict" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert jobs["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
