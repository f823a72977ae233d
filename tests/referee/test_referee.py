"""A referee's run from end to end: what it writes, models that fail or are ended, who is not there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from butaca.cli.app import app
from butaca.data.dataset import Dataset
from butaca.data.formats.written import Reading
from butaca.data.histories import Histories
from butaca.data.signal import Signal
from butaca.data.splits import random_split
from butaca.errors import SplitError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import compare
from butaca.referee.again import line_of
from butaca.referee.carrying import carry_out_referee
from butaca.referee.found import RefereeFound
from butaca.referee.own import OwnModel
from butaca.referee.plan import JSON, PAGE, PICTURE, RefereePlan
from butaca.referee.protocols import PROTOCOLS, ProtocolName, held_out
from butaca.referee.run import Assignment, outing, runnable
from butaca.workflows.carrying import carry_out_fit
from butaca.workflows.loading import Columns, load
from butaca.workflows.plans import FitPlan
from tests.support.boards import checkerboard
from tests.support.commands import commands_of
from tests.support.contestants import ABSENT, CHAIN, FAILING, KILLED, PARITY, POPULAR, Parity
from tests.support.narrow import some


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes the checkerboard of 60 by 24 as a table without times."""
    path = tmp_path_factory.mktemp("referee") / "board.csv"
    board = checkerboard(60, 24)
    rows = [f"u{u:02d},i{i:02d}" for u, i in zip(board.user, board.item, strict=True)]
    path.write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def told() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def out(table: Path) -> Path:
    return table.parent / "out"


@pytest.fixture(scope="module")
def found(table: Path, out: Path, told: list[tuple[str, int, int]]) -> RefereeFound:
    plan = RefereePlan(
        str(table),
        out,
        protocols=["random"],
        trials=2,
        contestants=(POPULAR, PARITY, FAILING, KILLED, CHAIN, ABSENT),
    )
    return carry_out_referee(plan, watch=lambda *args: told.append(args))


@pytest.fixture(scope="module")
def written(found: RefereeFound, out: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((out / JSON).read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def page(found: RefereeFound, out: Path) -> str:
    return (out / PAGE).read_text(encoding="utf-8")


def test_every_row_is_what_the_evaluation_gives(written: dict[str, Any], table: Path) -> None:
    rows = {row["model"]: row for row in written["protocols"]["random"]["rows"]}
    assert list(rows) == ["popular", "parity", "failing", "killed"]
    train, test = random_split(load(str(table)), 0.2, seed=42)
    seen = Histories.of(train)
    popular, parity = (
        evaluate_scorer(s, test, seen=seen) for s in (POPULAR.fit(train, {}, seed=0), Parity(train, 1.0))
    )
    for name, evaluation in (("popular", popular), ("parity", parity)):
        for label, metric, k in (("top-10", "top_k_accuracy", 10), ("NDCG@20", "ndcg", 20)):
            assert rows[name]["means"][label] == pytest.approx(evaluation.metric(metric, k), abs=1e-5)
    difference = rows["parity"]["differences"]["NDCG@10"]
    same = compare(parity, popular, metric="ndcg", k=10)
    assert difference["from"] == "popular"
    assert difference["word"] == same.word == "beats"
    assert [difference[end] for end in ("value", "low", "high")] == pytest.approx(
        [same.difference, same.low, same.high], abs=1e-6
    )
    assert rows["popular"]["differences"] == {}
    assert written["protocols"]["random"]["test_pairs"] == [len(test)]
    assert written["protocols"]["random"]["test_users"] == [len(np.unique(test.user))]


def test_settings_are_chosen_by_validation_with_the_trials_of_all(written: dict[str, Any]) -> None:
    rows = {row["model"]: row for row in written["protocols"]["random"]["rows"]}
    assert rows["parity"]["settings"] == {"42": {"good": 1.0}}
    assert (rows["parity"]["tried"], rows["popular"]["tried"]) == (2, 0)
    assert rows["parity"]["memory_mib"] > 10
    assert rows["parity"]["fit_s"] >= 0


def test_a_model_that_fails_is_a_row_that_says_so(
    written: dict[str, Any], page: str, found: RefereeFound
) -> None:
    rows = {row["model"]: row for row in written["protocols"]["random"]["rows"]}
    assert rows["failing"]["failure"] == "RuntimeError: out of luck with seed 42"
    assert "its process ended before it was done" in rows["killed"]["failure"]
    assert set(found.failures) == {"random, failing", "random, killed"}
    assert "**failing failed.** RuntimeError: out of luck with seed 42" in page
    assert re.search(r"^\| failing \| failed \|", page, flags=re.M)


def test_a_fit_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    """The run is killed as nothing can be told before: its fit is not left behind."""
    code = (
        "from butaca.referee.protocols import held_out\n"
        "from butaca.referee.run import Assignment, apart\n"
        "from tests.support.boards import checkerboard\n"
        "from tests.support.contestants import SLEEPING\n"
        "if __name__ == '__main__':\n"
        "    apart(Assignment(SLEEPING, held_out(checkerboard(), 'random', share=0.2, seed=42), 42, 1))\n"
    )
    (tmp_path / "run.py").write_text(code)
    note = tmp_path / "pid"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    env = os.environ | {"SLEEPER": str(note), "PYTHONPATH": paths}
    run = subprocess.Popen([sys.executable, str(tmp_path / "run.py")], env=env, stderr=subprocess.DEVNULL)
    until(lambda: note.exists() and note.read_text().isdigit())
    run.kill()
    run.wait()
    until(lambda: not alive(int(note.read_text())))


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Says whether a process runs: neither gone nor waiting for whoever takes note of its end."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # macOS has no /proc
        return not Path("/proc").is_dir()


def test_who_is_not_there_is_named_with_how_to_get_it(written: dict[str, Any], page: str) -> None:
    assert written["not_installed"] == {
        "absent ALS": "no_such_library is not installed: pip install no_such_library"
    }
    assert "- absent ALS: no_such_library is not installed: pip install no_such_library" in page
    assert set(written["protocols"]["random"]["left_out"]) == {"chain"}
    assert "Left out: chain (it is asked what comes next" in page


def test_it_says_where_it_ran_and_draws_what_it_found(
    written: dict[str, Any], page: str, out: Path, told: list[tuple[str, int, int]]
) -> None:
    assert {"butaca", "numpy"} <= set(written["versions"])
    assert written["machine"]["cores"] >= 1
    assert written["machine"]["cpu"] in page
    drawing = ET.parse(out / PICTURE).getroot()
    words = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"random", "parity"} <= set(words)
    assert "popular" not in words, "the first is not compared with itself"
    assert f"({PICTURE})" in page
    assert [done for _, done, _ in told] == [0, 1, 2, 3, 4]
    assert {total for *_, total in told} == {4}


def test_a_line_runs_a_row_again(written: dict[str, Any], page: str, table: Path) -> None:
    rows = {row["model"]: row["again"] for row in written["protocols"]["random"]["rows"]}
    assert rows["parity"] in page
    words = shlex.split(rows["parity"])
    command = commands_of(app)["referee"]
    asked = command.make_context("referee", words[2:]).params
    assert asked["source"] == [str(table)]
    assert (asked["protocol"], asked["model"]) == (["random"], ["popular", "parity"])
    assert (asked["seeds"], asked["trials"]) == (1, 2)


def test_what_was_said_of_the_table_is_said_again() -> None:
    columns = Columns(
        "who",
        "what",
        "stars",
        "when",
        "films.csv",
        "people.csv",
        reading=Reading(
            sep="tab", query="select 1", wide=True, time_format="s", drop_nulls=True, encoding="cp1252"
        ),
        least=(2, 3),
        signal=Signal(
            event_column="kind", events={"view": 0.5, "no": "negative"}, repeats="sum", curve="log"
        ),
    )
    plan = RefereePlan("a b.csv", columns=columns, test_share=0.3)
    words = shlex.split(line_of(plan, protocol="user", models=["EASE"]))
    asked = commands_of(app)["referee"].make_context("referee", words[2:]).params
    usual = commands_of(app)["referee"].make_context("referee", ["a b.csv"]).params
    assert {name for name, value in asked.items() if value == usual[name]} == {
        *("source", "data", "positive_from", "weight_column"),
        *("seeds", "trials"),
    }
    assert asked["event"] == ["view=0.5", "no=negative"]
    assert (asked["min_user"], asked["min_item"], asked["test_share"]) == (2, 3, 0.3)


@pytest.mark.parametrize("protocol", ["random", "user"])
def test_butaca_enters_as_fit_gives_it(protocol: ProtocolName, table: Path, tmp_path: Path) -> None:
    held = held_out(load(str(table)), protocol, share=0.2, seed=42)
    given = outing(Assignment(OwnModel("quick", "quick"), held, 42, 1))
    fitted = carry_out_fit(FitPlan(str(table), tmp_path / "model", split=protocol, effort="quick"))
    assert given.failure == ""
    assert given.evaluation is not None
    assert fitted.judged is not None
    assert given.evaluation.ranks.tolist() == fitted.judged.served.ranks.tolist()
    assert given.settings["dim"] == fitted.recipe.model.dim


def test_protocols_that_ask_what_comes_next_need_times(table: Path) -> None:
    data = load(str(table))
    kept, left_out = runnable(RefereePlan(str(table)), data)
    assert kept == ["random", "user"]
    assert left_out == dict.fromkeys(["last", "temporal"], "the interactions have no times")
    with pytest.raises(SplitError, match="has no time column"):
        runnable(RefereePlan(str(table), protocols=["random", "last"]), data)


def test_each_protocol_holds_out_what_it_asks(board: Dataset) -> None:
    sides = {p: held_out(board, p, share=0.25, seed=1) for p in PROTOCOLS}
    tests = {p: some(held.test) for p, held in sides.items()}
    assert not np.intersect1d(sides["user"].train.user, tests["user"].user).size
    assert np.unique(some(sides["user"].given).user).tolist() == np.unique(tests["user"].user).tolist()
    assert len(tests["last"]) == len(board.users)
    assert some(sides["temporal"].train.timestamp).max() < some(tests["temporal"].timestamp).min()
    assert len(tests["random"]) == round(0.25 * len(board))
