"""Every block of the guides runs, in the order of its page: `make docs-test`."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.boards import checkerboard, left_out
from tests.support.browser import serving
from tests.support.forks import run

pytestmark = pytest.mark.guides

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))


def rows_of(folder: Path) -> None:
    """What the guides find: ratings.csv, movies.csv, new-movies.csv, later.csv, vectors.npz, events.db."""
    board = checkerboard(40, 30)
    titles = ["Toy Story (1995)", *(f"Film {i} ({1980 + i})" for i in range(1, 30))]
    pairs = zip(board.user.tolist(), board.item.tolist(), strict=True)
    rows = [
        f'{u + 10},"{titles[i]}",{1 + (u + i) % 5},{1_700_000_000 + n * 3600}'
        for n, (u, i) in enumerate(pairs)
    ]
    (folder / "ratings.csv").write_text("\n".join(["user_id,movie_title,rating,timestamp", *rows]) + "\n")
    rows = [f'{u + 10},"{titles[left_out(u, 30)]}"' for u in range(40)]
    (folder / "later.csv").write_text("\n".join(["user_id,movie_title", *rows]) + "\n")
    kinds = ["even", "odd"]
    films = [f'"{title}",{kinds[i % 2]}|film,{1980 + i}' for i, title in enumerate(titles)]
    (folder / "movies.csv").write_text("\n".join(["movie_title,genres,year", *films]) + "\n")
    (folder / "new-movies.csv").write_text('movie_title,genres,year\n"Film 99 (2024)",even|film,2024\n')
    rng = np.random.default_rng(0)
    np.savez(
        folder / "vectors.npz",
        user_vectors=rng.normal(0, 1, (40, 8)).astype(np.float32),
        item_vectors=rng.normal(0, 1, (30, 8)).astype(np.float32),
        user_ids=np.array([str(u + 10) for u in range(40)]),
        item_ids=np.array(titles),
    )


def stored_events(folder: Path) -> None:
    """An event store with something in it, as a service leaves it."""
    from butaca.events.records import Event
    from butaca.events.store import EventStore

    with EventStore.open(str(folder / "events.db")) as store:
        store.add([Event("e1", "11", "Toy Story (1995)", time=1_800_000_000)])


@contextlib.contextmanager
def asked(code: str, folder: Path) -> Iterator[str]:
    """The code, with a service at its address where it names one."""
    if "http://127.0.0.1:8000" not in code:
        yield code
        return
    with serving(folder / "model") as service:
        yield code.replace("http://127.0.0.1:8000", service.url)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_every_block_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows_of(tmp_path)
    if "--from-events" in path.read_text(encoding="utf-8"):
        stored_events(tmp_path)
    for language, block in re.findall(r"```(\w+)\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.S):
        if language == "python":
            with asked(block, tmp_path) as code:
                space: dict[str, Any] = {}
                exec(compile(code, path.name, "exec"), space)
        elif language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                assert words[0] == "butaca", "what can't be run here is a block of text"
                done = run(*words[1:], cwd=tmp_path)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        else:
            assert language == "text"


def test_there_is_something_to_run() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in GUIDES)
    assert text.count("```sh\n") >= 10
    assert text.count("```python\n") >= 6
