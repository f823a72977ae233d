"""A plan made in Python does what the command does, and is checked when it is made."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.data.dataset import Dataset
from butaca.errors import ButacaError, SettingError
from butaca.recommend.folder.bundle import read_manifest
from butaca.recommend.recommender import Recommender
from butaca.serve.settings import ServeSettings
from butaca.workflows.about import describe, split_record
from butaca.workflows.add_items_plan import AddItemsPlan, carry_out_add_items
from butaca.workflows.carrying import Watching, carry_out_fit, carry_out_tune
from butaca.workflows.evaluate_plan import EvaluatePlan, carry_out_evaluate
from butaca.workflows.inspecting import inspect_model
from butaca.workflows.judging import judge_saved
from butaca.workflows.loading import Columns, Split
from butaca.workflows.plans import Cluster, FitPlan, Keeping, TunePlan
from butaca.workflows.recipe_choice import RecipeChoice
from butaca.workflows.serve_plan import ServePlan


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


def test_a_search_and_a_test_of_ones_own_say_what_reading_found(tmp_path, monkeypatch):
    """Times in the year 2112 are told by whoever reads them."""
    pytest.importorskip("optuna")
    lines = [f"u{n % 20},i{n % 31},{4_500_000_000 + n}" for n in range(400)]
    (tmp_path / "t.csv").write_text("\n".join(["user,item,timestamp", *lines]) + "\n")
    told: list[str] = []
    monkeypatch.setattr("butaca.tune.tune", _stop)
    with pytest.raises(KeyError, match="no further"):
        carry_out_tune(
            TunePlan(str(tmp_path / "t.csv"), tmp_path / "s.json"), watching=lambda d: told.extend(d.notes)
        )
    assert any("in the future, the first in line 2" in note for note in told)
    monkeypatch.setattr("butaca.workflows.carrying.fit", _stop)
    seen: list[Dataset] = []
    plan = FitPlan(str(tmp_path / "t.csv"), tmp_path / "m", test=str(tmp_path / "t.csv"))
    with pytest.raises(KeyError, match="no further"):
        carry_out_fit(plan, Watching(data=seen.append))
    odd = [note for note in seen[0].notes if "in the future" in note]
    assert [note.partition(":")[0] for note in odd] == ["time", "test"]


def _stop(*_: object, **__: object) -> None:
    raise KeyError("no further")


def test_columns_are_those_of_the_plan(rows, tmp_path):
    with pytest.raises(ButacaError, match="who"):
        carry_out_fit(FitPlan(str(rows), tmp_path / "m", columns=Columns(user="who")))


@pytest.mark.parametrize(
    ("settings", "beyond"),
    [
        ({}, ""),
        ({"uds": "s"}, ""),
        ({"host": "::1"}, ""),
        ({"host": "0.0.0.0"}, "--host 0.0.0.0"),
        ({"trusted_proxies": ("10.0.0.0/8",)}, "--trusted-proxy"),
        ({"host_names": ("films.example",)}, "--host-name"),
        ({"root_path": "/films"}, "--root-path"),
    ],
)
def test_a_service_that_others_reach_needs_keys(settings, beyond):
    plan = ServePlan({"m": Path("model")}, ServeSettings(**settings))
    assert plan.beyond == beyond
    plan.check_keys(True, "events.db")
    if beyond:
        with pytest.raises(SettingError, match="needs API keys") as error:
            plan.check_keys(False, "events.db")
        assert beyond in error.value.received
    else:
        plan.check_keys(False, "events.db")
    with pytest.raises(FrozenInstanceError):
        plan.version = "x"  # type: ignore[misc]


def test_a_plan_of_a_service_says_no_password():
    settings = ServeSettings(events="postgresql://me:hunter2@host/films", host="0.0.0.0")
    with pytest.raises(SettingError) as error:
        ServePlan({"m": Path("model")}, settings).check_keys(False, "postgresql://me:***@host/films")
    assert "hunter2" not in str(error.value)


def parts_of(rows: Path, folder: Path) -> tuple[Path, Path]:
    """Writes two thirds of the table, and every third line."""
    head, *lines = rows.read_text().splitlines(keepends=True)
    third = [line for n, line in enumerate(lines) if n % 3 == 0]
    for name, some in (("a.csv", [line for line in lines if line not in third]), ("b.csv", third)):
        (folder / name).write_text(head + "".join(some))
    return folder / "a.csv", folder / "b.csv"


def test_several_files_are_one_table(rows, tmp_path):
    one, other = parts_of(rows, tmp_path)
    run = CliRunner().invoke(
        app, ["fit", str(one), str(other), "--epochs", "1", "--out", str(tmp_path / "m"), "--split", "none"]
    )
    assert run.exit_code == 0, run.output
    paths = (str(one), str(other))
    fitted = carry_out_fit(FitPlan(paths, tmp_path / "n", split="none", recipe=RecipeChoice(epochs=1)))
    assert len(fitted.train) == 600
    assert read_manifest(tmp_path / "m")["files"] == read_manifest(tmp_path / "n")["files"]  # to the bit


def test_a_split_at_a_moment(rows, tmp_path):
    plan = FitPlan(str(rows), tmp_path / "m", split_at="1970-01-01T00:10:00Z", recipe=RecipeChoice(epochs=1))
    fitted = carry_out_fit(plan)
    lines = [line.split(",") for line in rows.read_text().splitlines()[1:]]
    assert len(fitted.train) == sum(int(line[3]) < 600 for line in lines)
    assert fitted.judged is not None
    assert split_record(read_manifest(tmp_path / "m")["about"])["split"] == "temporal"
    history = fitted.recipe.model.history
    assert history is not None
    assert history.order == "timescales"  # as with --split temporal
    assert fitted.recipe.model.prior == "recent"
    with pytest.raises(ButacaError, match=r"'soon'.*--split-at"):
        FitPlan(str(rows), split_at="soon")
    with pytest.raises(SettingError, match="told in one way"):
        FitPlan(str(rows), split_at="2011-10-01", test="t.csv")


def test_a_table_of_ones_own_judges(rows, tmp_path):
    train, test = parts_of(rows, tmp_path)
    with test.open("a") as file:
        file.write("nobody,i1,3,7\n")
    told: list[str] = []
    plan = FitPlan(str(train), tmp_path / "m", test=str(test), recipe=RecipeChoice(epochs=1))
    fitted = carry_out_fit(plan, Watching(data=lambda data: told.extend(data.notes)))
    assert len(fitted.train) == 400
    assert fitted.judged is not None
    assert split_record(read_manifest(tmp_path / "m")["about"])["split"] == "given"
    assert any(note.startswith("test: left out:") and "of users" in note for note in told)


def test_what_counts_as_what_is_the_same_everywhere(tmp_path):
    """fit, evaluate and Python: ratings of 3 and more, and only these, make the model."""
    likes, folder, rows = tmp_path / "likes.csv", tmp_path / "a", tmp_path / "rows.csv"
    header = "user_id,item_id,rating,timestamp"
    lines = [
        f"u{u},i{i},{1 + (u + 2 * i) % 5},{i + 20 * u}" for u in range(20) for i in range(20) if (u * i) % 3
    ]
    rows.write_text("\n".join([header, *lines]) + "\n")
    likes.write_text("\n".join([header, *(line for line in lines if int(line.split(",")[2]) >= 3)]) + "\n")
    command = ["fit", str(rows), "--out", str(folder), "--epochs", "1", "--positive-from", "3"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert "pairs below 3, kept aside: never recommended" in run.output
    alone = carry_out_fit(FitPlan(str(likes), tmp_path / "b", recipe=RecipeChoice(epochs=1)))
    model = Recommender.load(folder)
    np.testing.assert_array_equal(model.item_vectors, alone.recommender.item_vectors)
    np.testing.assert_array_equal(model.user_vectors, alone.recommender.user_vectors)
    assert model.about["signal"] == {"positive_from": 3.0}
    run = CliRunner().invoke(app, ["evaluate", str(folder), "--test", str(rows), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.output.splitlines()[-1])["test_pairs"] == len(likes.read_text().splitlines()) - 1


def test_what_people_buy_again_is_trained_saved_and_served(tmp_path):
    """Each of 30 people buys one thing again and again, others once: it is what comes next."""
    lines = [
        f"u{u},i{u % 10 if day % 2 else (3 * u + day) % 20},{day}" for u in range(30) for day in range(30)
    ]
    table = tmp_path / "log.csv"
    table.write_text("user_id,item_id,timestamp\n" + "\n".join(lines) + "\n")
    command = ["fit", str(table), "--out", str(tmp_path / "m"), "--epochs", "2", "--time-format", "s"]
    once = CliRunner().invoke(app, command)
    assert "--repeats allow" in " ".join(once.output.split())
    assert "Both ways: of" in once.output
    assert "What people had before allowed: " in once.output
    kept = Recommender.load(tmp_path / "m").about["metrics"]["both_ways"]
    assert {"the model", "popularity"} <= set(kept["seen allowed"]["rows"])
    again = CliRunner().invoke(app, [*command, "--repeats", "allow"])
    assert again.exit_code == 0, again.output
    assert "popularity, seen kept" in again.output
    model = Recommender.load(tmp_path / "m")
    assert model.again
    assert "i3" in {item.id for item in model.recommend("u3", k=5).items}
    assert judge_saved(model).again


def test_an_evaluation_and_new_items_are_plans_too(rows, tmp_path):
    """Python judges, lets items in and inspects as the commands do."""
    folder = tmp_path / "model"
    items = tmp_path / "items.csv"
    items.write_text("item_id,colour\n" + "".join(f"i{i},{'red' if i % 3 else 'blue'}\n" for i in range(40)))
    carry_out_fit(
        FitPlan(str(rows), folder, columns=Columns(items=str(items)), recipe=RecipeChoice(epochs=1))
    )
    shown = CliRunner().invoke(app, ["evaluate", str(folder), "--json", "-k", "3"])
    assert shown.exit_code == 0, shown.output
    found = carry_out_evaluate(EvaluatePlan(folder, k=[3]))
    assert json.loads(shown.output) == json.loads(json.dumps(found.judged.as_json((3,))))
    test = tmp_path / "test.csv"
    test.write_text("person,thing\nu1,i2\nu2,i3\nu99,i1\n")
    told: list[Dataset] = []
    columns = Columns("person", "thing")
    given = carry_out_evaluate(EvaluatePlan(folder, str(test), columns=columns), data=told.append)
    assert [len(data) for data in told] == [2]
    assert given.judged.n_test == 2
    more = tmp_path / "more.csv"
    more.write_text("item_id,colour\ni90,red\n")
    longer, became = carry_out_add_items(AddItemsPlan(folder, str(more), tmp_path / "longer"))
    assert became.new == ("i90",)
    assert inspect_model(tmp_path / "longer")["items"]["count"] == len(longer.items) == 41
    assert inspect_model(folder)["items"]["count"] == 40


def test_a_wrong_plan_of_an_evaluation_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SettingError, match="columns and no table"):
        EvaluatePlan(tmp_path, columns=Columns(user="person"))
    with pytest.raises(SettingError, match="k=0"):
        EvaluatePlan(tmp_path, k=[0])
    with pytest.raises(SettingError, match="one place at least"):
        EvaluatePlan(tmp_path, k=[])
    with pytest.raises(FrozenInstanceError):
        EvaluatePlan(tmp_path).test = "x"  # type: ignore[misc]
