"""Without an extra, each command that needs one says which to install: one message, and no traceback."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from butaca.cli import demo
from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.extras import EXTRAS, needed
from butaca.workflows import fitting
from tests.support.forks import run

#: Forgets butaca and what is hidden, so that all of butaca is imported anew, and the hidden is not found.
HIDING = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] in ("butaca", *{hidden!r})]:
    del sys.modules[name]
sys.modules.update(dict.fromkeys({hidden!r}))
from butaca.cli.app import main
main()
"""
ROWS = "user_id,item_id\n" + "".join(f"u{u},i{i}\n" for u in range(8) for i in range(5) if (u + i) % 3)


@pytest.mark.parametrize(
    ("hidden", "arguments", "extra"),
    [
        (["fastapi", "starlette"], ["serve", "model"], "serve"),
        (["sqlalchemy"], ["serve", "model"], "serve"),
        (["uvicorn"], ["serve", "model"], "serve"),
        (["sqlalchemy"], ["keys", "list"], "serve"),
        (["alembic"], ["keys", "add", "me"], "serve"),
        (["sqlalchemy"], ["fit", "--from-events", "events.db"], "serve"),
        (["psycopg"], ["keys", "list", "--events", "postgresql://u@127.0.0.1/d"], "postgres"),
        (["lightgbm"], ["fit", "rows.csv", "--rank"], "rank"),
        (["optuna"], ["tune", "rows.csv", "--trials", "1"], "tune"),
        (["ray"], ["fit", "rows.csv", "--engine", "ray"], "ray"),
        (["ray"], ["data", "prepare", "rows.csv", "--out", "p", "--engine", "ray"], "ray"),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, hidden: list[str], arguments: list[str], extra: str
) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "events.db").touch()
    before = sorted(p.name for p in tmp_path.iterdir())
    done = run(*arguments, code=HIDING.format(hidden=hidden), cwd=tmp_path)
    text = " ".join(done.stderr.split())
    assert done.returncode == 1, text
    assert f"pip install 'butaca[{extra}]'" in text
    assert "Traceback" not in text
    assert "epoch" not in done.stdout  # said before anything is trained
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_an_approximate_index_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from butaca.recommend.recommender import Recommender
    from butaca.workflows.carrying import carry_out_fit
    from butaca.workflows.plans import FitPlan
    from butaca.workflows.recipe_choice import RecipeChoice

    (tmp_path / "rows.csv").write_text(ROWS)
    carry_out_fit(
        FitPlan(str(tmp_path / "rows.csv"), tmp_path / "m", split="none", recipe=RecipeChoice(epochs=1))
    )
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SettingError, match=r"needs the extra ann.*butaca\[ann\]"):
        Recommender.load(tmp_path / "m", "approximate")


def test_the_demo_needs_no_extra(board: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lightgbm it asks for no second stage; `make dist` runs it so, to its end."""
    asked = []
    monkeypatch.setattr(fitting, "fit", lambda *_, rank, **__: asked.append(rank))
    for there in (True, False):
        monkeypatch.setattr(demo, "installed", lambda module, there=there: there)
        demo.fit_default(board, Console(quiet=True))
    assert asked == [True, False]


def test_the_extras_are_those_of_pyproject() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    declared = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"all", "build", "dev"}


def test_what_is_missing_for_another_reason_stays_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needed("A command"):
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
    with pytest.raises(SettingError, match="A command needs the extra rank"), needed("A command"):
        raise ModuleNotFoundError("No module named 'lightgbm'", name="lightgbm")
