"""The commands as a person runs them, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from butaca.cli.model import conditions
from tests.support.boards import checkerboard, left_out
from tests.support.commands import butaca
from tests.support.forks import BUTACA


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The checkerboard as a CSV with ids that a number would spoil, features beside it."""
    folder = tmp_path_factory.mktemp("table")
    board = checkerboard()
    rows = [
        f"00{u},{i:03d},{1 + (u + i) % 5},{1_600_000_000 + n}"
        for n, (u, i) in enumerate(zip(board.user, board.item, strict=True))
    ]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n")
    films = [f'{i:03d},"Film, {i} ({1950 + i})",{"even" if i % 2 == 0 else "odd"}|film' for i in range(16)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *films]) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(table):
    run = butaca(
        "fit",
        "ratings.csv",
        "--items",
        "movies.csv",
        "--split",
        "none",
        "--epochs",
        80,
        "--out",
        "m",
        cwd=table,
    )
    return run, table / "m"


def test_help_teaches(tmp_path):
    text = butaca("--help", cwd=tmp_path).stdout
    for line in ("butaca demo", "butaca fit ratings.csv", "butaca recommend model/ --user 21 -k 3"):
        assert line in text
    assert "--user-column" in butaca("fit", "--help", cwd=tmp_path).stdout


def test_fit_says_what_it_chose(trained):
    text = " ".join(trained[0].stdout.split())
    assert "user: column 'userId'" in text
    assert "item: column 'movieId'" in text
    assert "time: column 'timestamp'" in text
    assert "nothing was held out" in text


def test_one_json_line_per_user_best_first_with_the_tables_own_ids(trained, table):
    (table / "users.txt").write_text("\n".join(f"00{u}" for u in range(20)) + "\n\nnobody\n")
    run = butaca("recommend", "m", "--users", "users.txt", "-k", 100, "--json", cwd=table)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["user"] for line in lines] == [f"00{u}" for u in range(20)] + ["nobody"]
    board = checkerboard()
    for u, line in enumerate(lines[:20]):
        had = {f"{i:03d}" for i in board.item[board.user == u].tolist()}
        ids = [item["id"] for item in line["items"]]
        assert ids[0] == f"{left_out(u):03d}"
        assert len(ids) == 16 - len(had)
        assert not set(ids) & had
        scores = [item["score"] for item in line["items"]]
        assert scores == sorted(scores, reverse=True)
    assert lines[20]["source"] == "popularity"
    kept = butaca("recommend", "m", "--user", "003", "-k", 100, "--json", "--include-seen", cwd=table)
    assert len(json.loads(kept.stdout)["items"]) == 16


def test_a_list_for_a_person(trained, table):
    text = butaca("recommend", "m", "--user", "002", "-k", 1, cwd=table).stdout
    assert f"Film, {left_out(2)} (19{50 + left_out(2)})" in text


def test_a_history_is_answered_without_a_user(trained, table):
    run = butaca("recommend", "m", "--history", "film, 3", "--history", "005", "-k", 3, "--json", cwd=table)
    line = json.loads(run.stdout)
    assert (line["user"], line["source"]) == (None, "history")
    assert line["history"] == ["Film, 3 (1953)", "Film, 5 (1955)"]
    assert {int(item["id"]) % 2 for item in line["items"]} == {1}
    assert not {"003", "005"} & {item["id"] for item in line["items"]}
    text = butaca("recommend", "m", "--history", "film, 3", "-k", 3, cwd=table).stdout
    assert "For someone who had Film, 3 (1953)" in " ".join(text.split())
    users = ["--user", "003", "--user", "nobody"]
    run = butaca("recommend", "m", *users, "--history", "Film, 3", "-k", 3, "--json", cwd=table)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(line["user"], line["source"]) for line in lines] == [("003", "history"), ("nobody", "history")]
    assert all("003" not in {item["id"] for item in line["items"]} for line in lines)
    wrong = butaca("recommend", "m", "--history", "Flim 3", cwd=table, ok=False)
    assert "Did you mean" in " ".join(wrong.stderr.split())


def test_similar_forgives_case_and_year(trained, table):
    text = butaca("similar", "m", "film, 3", "-k", 3, cwd=table).stdout
    assert "Like Film, 3 (1953)" in text
    found = json.loads(butaca("similar", "m", "FILM, 3 (1953)", "-k", 3, "--json", cwd=table).stdout)
    assert found["item"] == "Film, 3 (1953)"
    assert {int(item["id"]) % 2 for item in found["items"]} == {1}


def test_evaluate_on_a_table_of_ones_own(trained, table):
    rows = [f"00{u},{left_out(u):03d}" for u in range(20)]
    (table / "test.csv").write_text("\n".join(["userId,movieId", *rows, "nobody,001"]) + "\n")
    run = butaca("evaluate", "m", "--test", "test.csv", "--json", "-k", 1, cwd=table)
    metrics = json.loads(run.stdout)
    assert metrics["seen_left_out"]["factorized_top_k/top_1_categorical_accuracy"] == 1.0
    assert metrics["test_pairs"] == 20  # nobody is not known, and left out
    assert metrics["popularity"]["factorized_top_k/top_1_categorical_accuracy"] < 0.5
    none = butaca("evaluate", "m", cwd=table, ok=False)
    assert "--split none" in none.stderr
    assert "--test FILE" in none.stderr


@pytest.mark.parametrize("split", ["random", "temporal", "last"])
def test_splits_are_judged_beside_popularity_and_evaluate_repeats_it(table, split):
    out = butaca(
        "fit", "ratings.csv", "--split", split, "--epochs", 30, "--out", f"s-{split}", cwd=table
    ).stdout
    assert "popularity, seen left out" in out
    said = " ".join(out.split())
    assert ("held out: what comes next." in said) == (split != "random")
    assert ("No user had equal times at the cut." in said) == (split == "last")
    assert ("For what comes next, the model" in said) == (split == "last")
    assert ("Too few users to say" in said) == (split == "temporal")  # the latest fifth is of four people
    assert "held out" in butaca("inspect", f"s-{split}", cwd=table).stdout
    text = " ".join(butaca("evaluate", f"s-{split}", cwd=table).stdout.split())
    assert ("No user had equal times at the cut." in text) == (split == "last")
    again = json.loads(butaca("evaluate", f"s-{split}", "--json", cwd=table).stdout)
    manifest = json.loads((table / f"s-{split}" / "manifest.json").read_text())["manifest"]
    stored = manifest["about"]["metrics"]
    assert stored.keys() == again.keys()
    for name, value in stored.items():
        if isinstance(value, float):
            assert again[name] == pytest.approx(value, rel=1e-5), name
        else:
            assert again[name] == value
    assert manifest["about"]["split"]["split"] == split


def test_tensorboard_checkpoint_and_resume(table):
    shared = [
        "fit",
        "ratings.csv",
        "--effort",
        "quick",
        "--split",
        "none",
        "--out",
        "c",
        "--checkpoint",
        "ck",
    ]
    butaca(*shared, "--epochs", 2, "--tensorboard", "tb", cwd=table)
    assert list((table / "tb" / "train").iterdir())
    butaca(*shared, "--epochs", 4, "--tensorboard", "tb", "--resume", cwd=table)
    assert (
        len(json.loads((table / "c" / "manifest.json").read_text())["manifest"]["about"]["history"]["loss"])
        == 4
    )
    fresh = ["fit", "ratings.csv", "--split", "none", "--out", "d", "--epochs", 4]
    butaca(*fresh, cwd=table)
    one, two = (
        json.loads(butaca("recommend", m, "--user", "001", "--json", cwd=table).stdout) for m in ("c", "d")
    )
    assert one == two


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "nowhere.csv"], ["nowhere.csv"]),
        (["fit", "ml-101k"], ["ml-100k"]),
        (["fit", "ratings.csv", "--user-column", "who"], ["who", "userId"]),
        (["fit", "ratings.csv", "--test-share", "1.5"], ["test_share=1.5"]),
        (["fit", "ratings.csv", "--split", "user", "--recipe", "notebook"], ["never saw"]),
        (["fit", "ratings.csv", "--resume"], ["--checkpoint"]),
        (["recommend", "m"], ["--user", "--history"]),
        (["recommend", "ratings.csv", "--user", "1"], ["model folder"]),
        (["recommend", "m", "--users", "missing.txt"], ["missing.txt"]),
        (["similar", "m", "no such film"], ["no such film"]),
        (["evaluate", "m", "--test", "movies.csv"], ["user"]),
    ],
)
def test_wrong_input_is_one_message_and_nothing_half_written(trained, table, arguments, words):
    before = sorted(p.name for p in table.iterdir())
    run = butaca(*arguments, *(["--out", "half"] if arguments[0] == "fit" else []), cwd=table, ok=False)
    assert run.returncode in {1, 2}
    text = " ".join(run.stderr.split())
    for word in words:
        assert word in text
    assert sorted(p.name for p in table.iterdir()) == before


def test_an_out_folder_with_something_else_is_refused_before_training(table):
    (table / "precious").mkdir()
    (table / "precious" / "thesis.txt").write_text("keep")
    run = butaca("fit", "ratings.csv", "--out", "precious", cwd=table, ok=False)
    assert "something else" in run.stderr
    assert "epoch" not in run.stdout
    assert [p.name for p in (table / "precious").iterdir()] == ["thesis.txt"]


def test_a_reader_that_stops_early_is_no_error(trained, table):
    command = f"{BUTACA} recommend m --users users.txt --json | head -1"
    (table / "users.txt").write_text("001\n" * 3000)
    run = subprocess.run(["bash", "-c", command], cwd=table, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert np.isfinite(json.loads(run.stdout)["items"][0]["score"])


def test_conditions_reasons_and_less(trained, table):
    asked = ["--user", "003", "--where", "genres=odd", "--less", "Film, 1", "--explain", "--json"]
    run = butaca("recommend", "m", *asked, cwd=table)
    line = json.loads(run.stdout)
    assert line["items"]
    assert {int(item["id"]) % 2 for item in line["items"]} == {1}
    assert "001" not in {item["id"] for item in line["items"]}
    assert {int(reason["id"]) % 2 for reason in line["items"][0]["because"]} == {1}
    run = butaca(
        "recommend",
        "m",
        "--history",
        "005",
        "--where",
        "genres!=odd",
        "--exclude",
        "002",
        "--json",
        cwd=table,
    )
    ids = {item["id"] for item in json.loads(run.stdout)["items"]}
    assert {int(i) % 2 for i in ids} == {0}
    assert "002" not in ids
    text = butaca("recommend", "m", "--history", "005", "--explain", "-k", 1, cwd=table).stdout
    assert "because of" in text
    wrong = butaca("recommend", "m", "--user", "003", "--where", "genre=odd", cwd=table, ok=False)
    assert "genres" in wrong.stderr
    wrong = butaca("recommend", "m", "--user", "003", "--where", "genres", cwd=table, ok=False)
    assert "COLUMN=VALUE" in wrong.stderr


def test_conditions_as_written():
    assert conditions(["genres=Drama, War", "year=1990..1999", "genres!=Horror"]) == {
        "genres": {"any": ["Drama", "War"], "not": ["Horror"]},
        "year": {"min": "1990", "max": "1999"},
    }
    assert conditions(["year=..1999"]) == {"year": {"max": "1999"}}


def test_the_version_by_the_command_and_by_the_module(tmp_path):
    said = f"butaca {version('butaca')}\n"
    assert butaca("--version", cwd=tmp_path).stdout == said
    run = [sys.executable, "-m", "butaca", "--version"]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == said
