"""The notebooks in examples/: the Spanish one runs, the English one is the same, both have clean outputs.

`python -m tests.examples.test_notebooks` runs both and writes their outputs in place.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from tests.support.notebooks import TOLERATED, run

EXAMPLES = Path(__file__).parents[2] / "examples"
SPANISH = EXAMPLES / "recomendacion_de_peliculas.ipynb"
ENGLISH = EXAMPLES / "movie_recommendation.ipynb"
BOTH = pytest.mark.parametrize("path", [SPANISH, ENGLISH], ids=["spanish", "english"])

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

# What the test reads from a notebook after its last cell.
FIGURES = """
import json
print(json.dumps({
    "python": __import__("sys").executable,
    "metrics": metrics,
    "record": {n: v.tolist() if hasattr(v, "tolist") else v for n, v in ml.record(row).items()},
    "titles": titles.values[:10].tolist(),
    "curves": [[result.top_k(n) for n in depths] for result in evaluations.values()],
    "lists": [len(answer.items) for answer in answers.values()],
}))
"""


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def tidy(notebook: Any) -> None:
    """Only what belongs in the repository: outputs, and the metadata above."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {}


def without_words(source: str) -> str:
    """Code as its syntax tree with every text blank: comments, layout and language are gone."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def texts(cell: Any) -> list[str]:
    """Every text of a cell's outputs; pictures left out."""
    found = []
    for output in cell.get("outputs", []):
        found += [output["text"]] if "text" in output else []
        found += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return found


class TestPair:
    def test_the_same_cells_in_the_same_order(self) -> None:
        spanish, english = read(SPANISH).cells, read(ENGLISH).cells
        assert [(c.id, c.cell_type) for c in spanish] == [(c.id, c.cell_type) for c in english]

    def test_the_same_code_but_for_words(self) -> None:
        for spanish, english in zip(read(SPANISH).cells, read(ENGLISH).cells, strict=True):
            if spanish.cell_type == "code":
                assert without_words(spanish.source) == without_words(english.source), spanish.id

    def test_the_same_figures(self) -> None:
        for spanish, english in zip(read(SPANISH).cells, read(ENGLISH).cells, strict=True):
            figures = [re.findall(r"\d+[.,]\d+", " ".join(texts(cell))) for cell in (spanish, english)]
            assert figures[0] == figures[1], spanish.id

    def test_each_links_to_the_other(self) -> None:
        assert f"({ENGLISH.name})" in read(SPANISH).cells[0].source
        assert f"({SPANISH.name})" in read(ENGLISH).cells[0].source


@BOTH
class TestCommitted:
    def test_is_a_valid_small_notebook_with_nothing_else(self, path: Path) -> None:
        notebook = read(path)
        nbformat.validate(notebook)
        assert path.stat().st_size < 300_000
        assert notebook.metadata == METADATA
        assert all(cell.metadata == {} for cell in notebook.cells)

    def test_was_run_once_from_top_to_bottom(self, path: Path) -> None:
        code = [cell for cell in read(path).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))

    def test_outputs_hold_no_paths_warnings_or_control_codes(self, path: Path) -> None:
        for cell in read(path).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error", cell.id
                assert output.get("name") != "stderr", cell.id
            for text in texts(cell):
                assert not re.search(r"(^|[\s'\"(=])(/\w|~/|\w:[\\/])|file://", text, re.M), (cell.id, text)
                assert "Warning" not in text, cell.id
                assert not re.search(r"[\x00-\x08\x0b-\x1f]", text), cell.id

    def test_has_tables_and_one_picture(self, path: Path) -> None:
        kinds = [k for c in read(path).cells for o in c.get("outputs", []) for k in o.get("data", {})]
        assert kinds.count("image/png") == 1
        assert kinds.count("text/html") >= 4


class TestRun:
    pytestmark = TOLERATED

    @pytest.mark.guides
    def test_runs_and_reproduces_the_original(self, tmp_path: Path) -> None:
        """The Spanish one; the English one is the same code with the same figures (TestPair)."""
        notebook = read(SPANISH)
        last = nbformat.v4.new_code_cell(FIGURES)
        notebook.cells.append(last)
        run(notebook, tmp_path)
        figures = json.loads(last.outputs[0]["text"])

        assert figures["python"] == sys.executable
        metrics = figures["metrics"]
        assert 0.170 < metrics["factorized_top_k/top_100_categorical_accuracy"] < 0.200
        assert metrics["loss"] == pytest.approx(29_576, rel=0.01)
        assert figures["record"].items() >= CELL_75.items()
        assert figures["titles"] == CELL_79
        default, popularity, original = map(np.array, figures["curves"])
        assert np.all(default > popularity)  # what the text above the plot says
        assert np.all(popularity > original)
        assert figures["lists"] == [3, 3, 3]


CELL_75 = {
    "bucketized_user_age": 45.0,
    "movie_genres": [7],
    "movie_id": "357",
    "movie_title": "One Flew Over the Cuckoo's Nest (1975)",
    "raw_user_age": 46.0,
    "timestamp": 879024327,
    "user_gender": True,
    "user_id": "138",
    "user_occupation_label": 4,
    "user_occupation_text": "doctor",
    "user_rating": 4.0,
    "user_zip_code": "53211",
}

CELL_79 = [
    "'Til There Was You (1997)",
    "1-900 (1994)",
    "101 Dalmatians (1996)",
    "12 Angry Men (1957)",
    "187 (1997)",
    "2 Days in the Valley (1996)",
    "20,000 Leagues Under the Sea (1954)",
    "2001: A Space Odyssey (1968)",
    "3 Ninjas: High Noon At Mega Mountain (1998)",
    "39 Steps, The (1935)",
]


def main() -> None:
    """Run both notebooks and write their outputs in place."""
    from tempfile import TemporaryDirectory

    for path in (SPANISH, ENGLISH):
        notebook = read(path)
        with TemporaryDirectory() as folder:
            run(notebook, Path(folder))
        tidy(notebook)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
