"""A plan made in Python does what the command does, and is checked when it is made."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.errors import ButacaError, SettingError
from butaca.recommend.folder.bundle import read_manifest
from butaca.workflows.about import describe, split_record
from butaca.workflows.carrying import Watching, carry_out_fit, carry_out_tune
from butaca.workflows.loading import Columns, Split
from butaca.workflows.plans import Cluster, FitPlan, Keeping, RecipeChoice, TunePlan


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes a table of 30 users who had items of one parity."""
    path = tmp_path_factory.mktemp("plans") / "rows.csv"
    lines = [f"u{u},i{i},{1 + (u * i) % 5},{i + 40 * u}" for u in range(30) for i in range(40) if (u + i) % 2]
    path.write_text("user_id,item_id,rating,timestamp\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        (["--seed", "7", "--epochs", "2"], {"seed": 7, "recipe": RecipeChoice(epochs=2)}),
        (
            ["--split", "temporal", "--test-share", "0.3", "--dim", "4", "--epochs", "1"],
            {"split": "temporal", "test_share": 0.3, "recipe": RecipeChoice(dim=4, epochs=1)},
        ),
    ],
)
def test_python_and_the_command_make_the_same_model(rows, tmp_path, options, plan):
    run = CliRunner().invoke(app, ["fit", str(rows), "--out", str(tmp_path / "a"), *options])
    assert run.exit_code == 0, run.output
    fitted = carry_out_fit(FitPlan(str(rows), tmp_path / "b", **plan))
    a, b = (read_manifest(tmp_path / name) for name in ("a", "b"))
    assert a["files"] == b["files"]  # every vector, to the bit
    assert split_record(a["about"])["split"] == plan.get("split", "random")
    assert a["about"]["model"]["seed"] == plan.get("seed", 42)
    assert describe(fitted.recipe) == b["about"]["model"]


@pytest.mark.parametrize("order", ["timescales", "attention"])
def test_a_history_is_read_in_the_order_asked_for(rows, tmp_path, order):
    fitted = carry_out_fit(
        FitPlan(str(rows), tmp_path / "m", recipe=RecipeChoice(order=order, epochs=1), split="none")
    )
    history = fitted.recipe.model.history
    assert history is not None
    assert history.order == order
    assert f"order='{order}'" in str(read_manifest(tmp_path / "m")["about"]["model"]["query"])


def test_an_order_is_the_splits_unless_it_is_named():
    """What comes next asks for an order; a random split, settings of a search and another recipe do not."""
    asked: tuple[tuple[Split, str | None], ...] = (
        ("last", "timescales"),
        ("temporal", "timescales"),
        ("random", None),
        ("user", None),
    )
    for split, order in asked:
        assert RecipeChoice().order_for(split) == order
        history = RecipeChoice().recipe(split=split).model.history
        assert history is not None
        assert history.order == order
        assert RecipeChoice(order="none").order_for(split) is None
        assert RecipeChoice(order="attention").order_for(split) == "attention"
    assert RecipeChoice("notebook").order_for("last") is None
    assert RecipeChoice(settings=Path("found.json")).order_for("last") is None


def test_what_is_told_is_told(rows, tmp_path):
    met = []
    carry_out_fit(
        FitPlan(str(rows), tmp_path / "m", split="none", recipe=RecipeChoice(epochs=1)),
        Watching(data=lambda data: met.append(len(data))),
    )
    assert met == [600]


def test_a_plan_is_frozen():
    with pytest.raises(FrozenInstanceError):
        FitPlan("rows.csv").seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: FitPlan(),
        lambda: FitPlan("r.csv", split="future"),  # type: ignore[arg-type]
        lambda: FitPlan("r.csv", test_share=2),
        lambda: FitPlan("r.csv", seed=-1),
        lambda: FitPlan("r.csv", ray=Cluster(), keeping=Keeping(tensorboard=Path("logs"))),
        lambda: RecipeChoice(epochs=0),
        lambda: RecipeChoice(batch_size=0),
        lambda: RecipeChoice(dim=-3),
        lambda: RecipeChoice(order="backwards"),  # type: ignore[arg-type]
        lambda: RecipeChoice(order="timescales", settings=Path("found.json")),
        lambda: RecipeChoice("notebook", order="timescales").recipe(),
        lambda: Keeping(Path("c"), every_steps=-1),
        lambda: Keeping(resume=True),
        lambda: Cluster(-1),
        lambda: TunePlan("r.csv", trials=0),
        lambda: TunePlan("r.csv", slices=0),
        lambda: TunePlan("r.csv", split="future"),  # type: ignore[arg-type]
    ],
)
def test_what_can_be_known_is_checked_at_once(wrong):
    with pytest.raises(ButacaError, match="Received"):
        wrong()


def test_a_share_that_nothing_is_held_out_by_is_not_read():
    assert FitPlan("r.csv", split="last", test_share=0).split == "last"
    assert FitPlan("r.csv", split="none", test_share=0).split == "none"


@pytest.mark.parametrize("name", ["checkpoint", "tensorboard"])
def test_a_file_where_a_folder_should_be(rows, tmp_path, name):
    plan = FitPlan(str(rows), str(tmp_path / "m"), keeping=Keeping(**{name: rows}))  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=f"{name} is a folder"):
        carry_out_fit(plan)
    assert not (tmp_path / "m").exists()


def test_a_search_names_a_place_for_its_settings_before_it_begins(rows, tmp_path):
    with pytest.raises(SettingError, match="written to a file"):
        carry_out_tune(TunePlan(str(rows), tmp_path / "nowhere" / "s.json"))


def test_columns_are_those_of_the_plan(rows, tmp_path):
    with pytest.raises(ButacaError, match="who"):
        carry_out_fit(FitPlan(str(rows), tmp_path / "m", columns=Columns(user="who")))
