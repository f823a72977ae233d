"""This module runs the pure functions of a partition: in this process, a pool of processes, or on Ray."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

from butaca.errors import SettingError, TableError

T = TypeVar("T")
R = TypeVar("R")
StageProgress: TypeAlias = Callable[[str, int, int], None]  # stage, tasks done, tasks in all


class Runner(Protocol):
    """A Runner applies a function of a module to tasks that can be pickled.

    Attributes:
        workers: how many tasks run at the same time.
        one_machine: whether one task may use the cores of others that are not there.
    """

    workers: int
    one_machine: bool

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        """Returns the results in the order of the tasks; the first error is raised."""
        ...


class Here:
    """Runs one task after the other, in this process."""

    workers = 1
    one_machine = True

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        """Returns the results in the order of the tasks."""
        return map(function, tasks)


class Pool:
    """Runs tasks in processes of this machine."""

    one_machine = True

    def __init__(self, executor: ProcessPoolExecutor, workers: int) -> None:
        self._executor, self.workers = executor, workers

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        """Returns the results in the order of the tasks."""
        try:
            yield from self._executor.map(function, tasks)
        except BrokenProcessPool as error:
            raise TableError(
                "Every worker finishes its part",
                "one that the system ended, most likely for want of memory",
                "Lower memory, which asks for smaller parts, or workers "
                "(on the command line: --memory, --workers)",
            ) from error


@contextmanager
def local_runner(workers: int) -> Iterator[Runner]:
    """Yields this process for one worker, else a pool that ends with the block."""
    if workers < 1:
        raise SettingError(
            "Work has at least one worker",
            f"workers={workers}",
            "Pass 1 or more (on the command line: --workers)",
        )
    if workers == 1:
        yield Here()
        return
    executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield Pool(executor, workers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def counted(results: Iterator[T], stage: str, *, total: int, progress: StageProgress | None) -> Iterator[T]:
    """Yields results as they come, and tells of each.

    Args:
        results: of a stage's tasks.
        stage: its name.
        total: tasks in all.
        progress: is told, if given.
    """
    tell = None if progress is None else partial(progress, stage)
    for done, result in enumerate(results, 1):
        if tell is not None:
            tell(done, total)
        yield result
