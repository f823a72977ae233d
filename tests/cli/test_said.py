"""What the commands say can be read: whole figures at any width, sentences where a table would be empty."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from butaca.cli import screen
from butaca.cli.figures import Figures, number
from butaca.recommend.answers import Recommendation
from tests.support.boards import checkerboard, left_out
from tests.support.commands import butaca


def drawn(table, width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("columns", [1, 4, 7, 12])
def test_every_figure_is_whole_at_every_width(width, columns):
    table = Figures("A title", [f"measure@{n}" for n in range(columns)])
    cells = {}
    for row in ("the model", "recent popularity", "users: few interactions (1 to 27)"):
        cells[row] = [f"+0.{n}12\n+0.{n}01 to +0.{n}99" for n in range(columns)]
        table.add_row(row, *cells[row])
    text = drawn(table, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for n in range(columns):
        assert text.count(f"+0.{n}01 to +0.{n}99") == 3
        assert text.count(f"measure@{n}") == sum(
            f"measure@{m}".startswith(f"measure@{n}") for m in range(columns)
        )


def test_what_is_no_number_is_a_dash():
    assert [number(v, ".1%") for v in (0.5, float("nan"), float("inf"))] == ["50.0%", "–", "–"]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("said")
    data = checkerboard()
    rows = [f"u{u},{i}" for u, i in zip(data.user, data.item, strict=True)]
    (folder / "train.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    (folder / "items.csv").write_text(
        "item,title,price\n" + "".join(f"{i},{'' if i % 4 else f'Lamp {i}'},{i}.5\n" for i in range(16))
    )
    (folder / "users.csv").write_text("user,city\n" + "".join(f"u{u},{'ab'[u % 2]}\n" for u in range(20)))
    tests = [f"u{u},{left_out(u)}" for u in range(20)]
    for n in (1, 9, 10, 20):
        (folder / f"test{n}.csv").write_text("\n".join(["user,item", *tests[:n]]) + "\n")
    command = [
        "fit",
        "train.csv",
        "--effort",
        "quick",
        "--items",
        "items.csv",
        "--users",
        "users.csv",
        "--split",
        "none",
    ]
    run = butaca(*command, "--epochs", 20, "--out", "m", cwd=folder)
    return folder, run


@pytest.mark.parametrize("columns", ["80", "60"])
def test_an_evaluation_is_whole_in_a_pipe(board, columns):
    text = butaca("evaluate", "m", "--test", "test20.csv", cwd=board[0], COLUMNS=columns).stdout
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= int(columns)
    for column in ("top-100", "Recall@20", "overlap", "similarity"):
        assert column in text
    assert re.search(r"[+-]\d\.\d{3} to [+-]\d\.\d{3}", text)


@pytest.mark.parametrize("n", [1, 9])
def test_too_few_users_get_no_verdict(board, n):
    run = butaca("evaluate", "m", "--test", f"test{n}.csv", cwd=board[0])
    text = " ".join(run.stdout.split())
    assert "Too few users to say which is better: a verdict takes 10 or more." in text
    assert "beats" not in text
    assert "nan" not in text
    assert "does not beat popularity" not in run.stderr


def test_ten_users_get_one(board):
    assert "The model beats" in butaca("evaluate", "m", "--test", "test10.csv", cwd=board[0]).stdout


def test_columns_of_users_that_nothing_reads_are_named(board):
    text = " ".join(board[1].stdout.split())
    assert "Not read by the recipe 'default': users' columns city." in text


def test_a_blank_title_is_the_id(board):
    line = butaca("recommend", "m", "--user", "nobody", "-k", 16, "--json", cwd=board[0]).stdout
    assert {item["title"] for item in json.loads(line)["items"]} == {
        f"Lamp {i}" if i % 4 == 0 else str(i) for i in range(16)
    }


def test_one_who_has_had_everything_gets_a_sentence(board):
    given = [part for i in range(16) for part in ("--history", i)]
    text = " ".join(butaca("recommend", "m", *given, cwd=board[0]).stdout.split())
    assert "Nothing is left to list" in text
    assert "score" not in text
    empty = Recommendation("x", (), "similar")
    console = Console(width=80, record=True, file=io.StringIO())
    screen.print_list(console, empty, heading="Like x")
    assert "Nothing else in the catalogue" in console.export_text()


def test_resuming_past_the_end_says_so(board):
    fit = ["fit", "train.csv", "--effort", "quick", "--split", "none", "--checkpoint", "ck"]
    butaca(*fit, "--epochs", 4, "--out", "a", cwd=board[0])
    run = butaca(*fit, "--epochs", 3, "--resume", "--out", "b", cwd=board[0], ok=False)
    assert "not past its end" in run.stderr
    assert not (board[0] / "b").exists()
    assert np.all([(board[0] / "a").exists()])


def test_a_noun_is_said_kept_and_written(board):
    fit = ["fit", "train.csv", "--items", "items.csv", "--split", "none", "--epochs", 3]
    run = butaca(*fit, "--noun", "artículo:artículos", "--out", "n", cwd=board[0])
    assert "with 16 articles" in " ".join(run.stdout.split())
    butaca("report", "n", "--language", "es", "--out", "r.html", cwd=board[0])
    page = (board[0] / "r.html").read_text()
    assert "con 16 artículos" in page
    assert "título" not in page
    butaca("report", "n", "--noun", "book", "--out", "b.html", cwd=board[0])
    page = (board[0] / "b.html").read_text()
    assert "with 16 books" in page
    assert not re.search(
        r"\bitems?\b (?!vectors|prior)", re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.S)
    )
    assert "16 items" in " ".join(board[1].stdout.split())
    wrong = butaca(*fit, "--noun", "a:b:c", "--out", "w", cwd=board[0], ok=False)
    assert "A noun is a word" in wrong.stderr
