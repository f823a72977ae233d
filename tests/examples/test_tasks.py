"""The notebooks by task: kept as their texts say and as they ran, and run again by `make docs-test`."""

from __future__ import annotations

import re
import resource
from pathlib import Path
from typing import Any

import nbformat
import pytest
from examples.tasks.notebooks import Language, notebook_of, path_of
from examples.tasks.texts import TASKS, Said, Task

from tests.support.notebooks import TOLERATED, run

LANGUAGES: tuple[Language, ...] = ("en", "es")
EACH = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.names[0])


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def printed(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.get("outputs", []))


@EACH
def test_both_languages_are_what_the_text_says(task: Task) -> None:
    for language in LANGUAGES:
        kept = read(path_of(task, language))
        nbformat.validate(kept)
        said = notebook_of(task, language)
        assert [(c.id, c.cell_type, c.source) for c in kept.cells] == [
            (c.id, c.cell_type, c.source) for c in said.cells
        ], "run: python -m examples.tasks.notebooks"
        assert kept.metadata == said.metadata


@EACH
def test_they_were_run_and_say_the_same(task: Task) -> None:
    english, spanish = (
        [cell for cell in read(path_of(task, language)).cells if cell.cell_type == "code"]
        for language in LANGUAGES
    )
    assert [cell.execution_count for cell in english] == list(range(1, len(english) + 1))
    assert [cell.outputs for cell in english] == [cell.outputs for cell in spanish]
    for cell in english:
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id
            assert not re.search(r"(^|[\s'\"(=])(/\w|~/)|Warning", output.get("text", ""), re.M), cell.id


def test_every_paragraph_is_in_two_languages() -> None:
    for task in TASKS:
        for cell in (task.title, *task.cells):
            if isinstance(cell, Said):
                assert cell.en
                assert cell.es
                assert cell.en != cell.es


class TestKernel:
    pytestmark = TOLERATED

    def test_a_table_is_read_where_the_notebook_has_no_widgets(self, tmp_path: Path) -> None:
        """DuckDB refuses to set its progress bar there."""
        (tmp_path / "ratings.csv").write_text("user_id,item_id\n1,a\n2,b\n")
        code = "import butaca\nprint(len(butaca.read_table('ratings.csv')))"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        run(notebook, tmp_path)
        assert printed(notebook.cells[0]) == "2\n"

    @pytest.mark.guides
    @EACH
    def test_it_runs_in_under_a_minute(self, task: Task, tmp_path: Path) -> None:
        """Of the processor, so that nothing else that runs here counts."""
        notebook = notebook_of(task, "en")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(notebook, tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert 0 < after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60
