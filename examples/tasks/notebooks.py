"""This module makes notebooks of the texts: `python -m examples.tasks.notebooks` writes them, run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, TypeAlias

import nbformat
from examples.tasks.texts import TASKS, Said, Task

FOLDER = Path(__file__).parent

Language: TypeAlias = Literal["en", "es"]

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

#: What differs from run to run, and would change a notebook that says the same.
CHANGING = re.compile(r"epoch \d.*|\r.*")


def path_of(task: Task, language: Language) -> Path:
    """Returns where a task's notebook lies."""
    return FOLDER / f"{task.names[0 if language == 'en' else 1]}.ipynb"


def notebook_of(task: Task, language: Language) -> Any:
    """Returns a task's notebook in a language, not yet run."""
    other = path_of(task, "es" if language == "en" else "en").name
    lead = Said(f"*En español: [{other}]({other})*", f"*In English: [{other}]({other})*")
    title = Said(f"# {task.title.en}\n\n{lead.en}", f"# {task.title.es}\n\n{lead.es}")
    cells = []
    for number, cell in enumerate((title, *task.cells)):
        if isinstance(cell, Said):
            made = nbformat.v4.new_markdown_cell(getattr(cell, language))
        else:
            made = nbformat.v4.new_code_cell(cell)
        made.id = f"cell-{number}"
        cells.append(made)
    return nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(METADATA))


def with_outputs(notebook: Any, run: Any) -> Any:
    """Returns a notebook with what another of the same code has printed."""
    for mine, theirs in zip(notebook.cells, run.cells, strict=True):
        if mine.cell_type == "code":
            mine.execution_count, mine.outputs = theirs.execution_count, theirs.outputs
    return notebook


def main() -> None:
    """Runs each task once, and writes it in both languages."""
    from tempfile import TemporaryDirectory

    from tests.support.notebooks import run

    for task in TASKS:
        english = notebook_of(task, "en")
        with TemporaryDirectory() as folder:
            run(english, Path(folder))
        for cell in english.cells:
            cell.metadata = {}
        for language in ("en", "es"):
            made = with_outputs(notebook_of(task, language), english)
            nbformat.write(made, path_of(task, language))
        print(task.names[0])


if __name__ == "__main__":
    main()
