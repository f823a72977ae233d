"""This module writes the best items of every user to Parquet: a task is a range of user codes.

    <out>/part-00000.parquet    user_id, rank (from 1), item_id, score; by user code, then rank
    <out>/manifest.json         k, the model's version, counts, names of the ids, checksums

Lists are those of `Recommender.recommend`: what a user had is left out, the model's second stage orders where
it has one, and users without a history get what the ladder gives them. Numpy alone computes, no JAX. A task
depends on the model's folder and its range alone, and ranges do not depend on the workers, so that the
files are the same whoever runs the tasks.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from butaca.cores import cores
from butaca.data.folders import read_manifest, writing
from butaca.data.formats.opened import quoted, session
from butaca.errors import BundleError, ClusterError, SettingError
from butaca.files import move_file
from butaca.recommend.folder.bundle import read_manifest as read_model
from butaca.recommend.folder.bundle import version_of
from butaca.recommend.recommender import BLOCK, Recommender
from butaca.scale.pool import Runner, StageProgress, local_runner
from butaca.scale.reading import own_folder
from butaca.types import Codes, Values

KIND, FORMAT = "lists", 1
Rows: TypeAlias = tuple[Values, Values, Values, Values]  # user codes, ranks, item codes, scores, [rows] each


@dataclass(frozen=True)
class ListSettings:
    """Holds what to list.

    Attributes:
        k: items for each user.
        exclude_seen: leave out what the user had in training; None: unless people have things again.
        rank: let the second stage order the lists, where the model has one.
        part: users of a file.
    """

    k: int = 100
    exclude_seen: bool | None = None
    rank: bool = True
    part: int = 4096

    def __post_init__(self) -> None:
        if self.k < 1 or self.part < 1:
            raise SettingError(
                "Lists hold at least one item, files one user",
                f"k={self.k}, part={self.part}",
                "Correct them",
            )


@dataclass(frozen=True)
class ListTask:
    """A ListTask is a range of user codes, first to last (exclusive).

    Attributes:
        number: of the part.
        model: the folder.
        version: of the model that the job began with.
        first, last: the range.
        settings: what to list.
        work: where to write.
    """

    number: int
    model: Path
    version: str
    first: int
    last: int
    settings: ListSettings
    work: Path


@dataclass(frozen=True)
class Listed:
    """Says where an attempt wrote a range's file, how many users it has, and how many rows."""

    path: Path
    users: int
    rows: int


def write_lists(
    model: str | PathLike[str],
    out: str | PathLike[str],
    *,
    settings: ListSettings | None = None,
    runner: Runner | None = None,
    progress: StageProgress | None = None,
) -> dict[str, Any]:
    """Writes the lists of every user that a model knows.

    Args:
        model: its folder.
        out: a new folder, or one of lists; it is there whole or not at all.
        settings: what to list.
        runner: runs the tasks; processes of this machine, one a core, if not given.
        progress: called after each task.

    Returns:
        The manifest.

    Raises:
        BundleError: no model, or one that changes while the job runs.
        TableError: an `out` that holds something else.
    """
    settings, folder = settings or ListSettings(), Path(os.path.abspath(model))
    version = version_of(read_model(folder))
    recommender = _recommender(str(folder), version)
    n_users = len(recommender.users)
    with writing(Path(out), KIND) as draft:
        work = draft.path / "work"
        work.mkdir()
        starts = range(0, n_users, settings.part)
        tasks = [
            ListTask(n, folder, version, first, min(first + settings.part, n_users), settings, work)
            for n, first in enumerate(starts)
        ]
        if runner is None:
            with local_runner(min(cores(), len(tasks))) as local:
                rows = _run(local, tasks, draft.path, progress)
        else:
            rows = _run(runner, tasks, draft.path, progress)
        shutil.rmtree(work)
        draft.facts.update(
            format=FORMAT,
            k=settings.k,
            seen="left out" if recommender.leaves_seen(settings.exclude_seen) else "kept",
            stages=2 if recommender.ranker is not None and settings.rank else 1,
            model=version,
            names={"user_id": recommender.users.key, "item_id": recommender.items.key},
            n_users=n_users,
            n_rows=rows,
        )
    return read_manifest(Path(out), KIND, made_by="write_lists, or `butaca batch MODEL --out FOLDER`")


def _run(runner: Runner, tasks: list[ListTask], out: Path, progress: StageProgress | None) -> int:
    """Puts every task's file in its place; returns the rows. Each user's list is in one file, once."""
    rows = users = 0
    for task, one in zip(tasks, runner.map(lists, tasks), strict=True):
        move_file(one.path, out / f"part-{task.number:05d}.parquet")
        rows, users = rows + one.rows, users + one.users
        if progress is not None:
            progress("lists", task.number + 1, len(tasks))
    if users != tasks[-1].last:
        raise ClusterError("Every user has a list", f"{users:,} of {tasks[-1].last:,}", "Run again")
    return rows


def lists(task: ListTask) -> Listed:
    """Writes the lists of a range, to a file that no other attempt writes."""
    recommender = _recommender(str(task.model), task.version)
    users = np.arange(task.first, task.last, dtype=np.int32)
    two_stages = recommender.ranker is not None and task.settings.rank
    user, rank, item, score = (_one_by_one if two_stages else _at_once)(recommender, users, task.settings)
    path = own_folder(task.work, f"{task.number:05d}-") / "lists.parquet"
    columns: dict[str, Values] = {
        "user_id": recommender.users.ids.values[user],
        "rank": rank.astype(np.int32),
        "item_id": recommender.items.ids.values[item],
        "score": score.astype(np.float32),
    }
    with session() as con:
        con.execute("SET threads = 1")  # the order of rows
        con.register("lists", columns)
        con.execute(f"COPY (FROM lists) TO {quoted(str(path))} (FORMAT parquet)")
    return Listed(path, len(users), len(user))


def _at_once(recommender: Recommender, users: Codes, settings: ListSettings) -> Rows:
    """Returns the first stage's lists of user codes [B]."""
    known = np.array([len(recommender.seen[int(u)]) > 0 for u in users], dtype=bool)
    known |= bool(recommender.user_features)  # else popularity answers
    parts: list[tuple[Values, ...]] = []
    of_known = users[known]
    for at in range(0, len(of_known), BLOCK):
        block = of_known[at : at + BLOCK]
        top = recommender.top_k(block, settings.k, exclude_seen=settings.exclude_seen)
        row, column = np.nonzero(top.items >= 0)
        parts.append((block[row], column, top.items[row, column], top.scores[row, column]))
    if not known.all():
        popular = recommender.recommend(None, settings.k).items
        codes = recommender.items.ids.encode([item.id for item in popular])
        scores = np.array([item.score for item in popular], dtype=np.float32)
        refused = np.zeros(len(users), dtype=bool)  # who only said no has a list of their own
        if recommender.seen.negatives is not None:
            refused = ~known & (recommender.seen.negatives.lengths[users] > 0)
        if refused.any():
            own = _one_by_one(recommender, users[refused], settings)
            parts.append((own[0], own[1] - 1, own[2], own[3]))
        n, rest = len(codes), users[~known & ~refused]
        ranks = np.arange(n)
        parts.append((rest.repeat(n), *(np.tile(x, len(rest)) for x in (ranks, codes, scores))))
    user, rank, item, score = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(user, kind="stable")
    return user[order], rank[order] + 1, item[order], score[order]


def _one_by_one(recommender: Recommender, users: Codes, settings: ListSettings) -> Rows:
    """Returns both stages' lists of codes [B]; a tree does not forgive the last bit of a batch's products."""
    of = recommender.users.ids.values[users].tolist()
    answers = [recommender.recommend(u, settings.k, exclude_seen=settings.exclude_seen).items for u in of]
    lengths = [len(answer) for answer in answers]
    return (
        users.repeat(lengths),
        np.concatenate([np.arange(1, n + 1) for n in lengths]),
        recommender.items.ids.encode([item.id for answer in answers for item in answer]),
        np.array([item.score for answer in answers for item in answer], dtype=np.float32),
    )


@lru_cache(maxsize=1)
def _recommender(folder: str, version: str) -> Recommender:
    """Returns a model, read once by each process.

    Raises:
        BundleError: it is not the version that the job began with.
    """
    recommender = Recommender.load(folder)
    if recommender.version != version:
        raise BundleError(
            "A model stays the same while its lists are written",
            f"{folder} of version {recommender.version}, not {version}",
            "Run again",
        )
    return recommender
