"""This module runs functions of a partition on Ray; a task whose worker dies runs again elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from butaca.errors import ClusterError
from butaca.scale.cluster import cluster, cores_of_cluster

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 4  # times that a task runs again after its worker or machine died
LOOKS_EVERY = 5.0  # seconds
LEAVES_WITHIN = 10.0  # seconds that running tasks get to end after an error; then leaving Ray ends them
PATIENCE = 60.0  # seconds for a cluster without any core to get one


class RayRunner:
    """Runs tasks on the cluster that this process has joined.

    All its machines see the files that tasks read and write under the same paths, and have the same butaca.

    Args:
        workers: tasks at the same time, a core each.
        patience: seconds that tasks wait while the cluster has no core at all.
    """

    one_machine = False

    def __init__(self, workers: int, patience: float = PATIENCE) -> None:
        self.workers, self.patience = workers, patience

    def map(self, function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        """Returns the results in the order of the tasks; after the first error, which is raised, none begins.

        Raises:
            ClusterError: a task whose worker died each time, or a cluster without workers.
        """
        import ray

        remote = ray.remote(function).options(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")
        running: dict[Any, int] = {}
        done: dict[int, R] = {}
        started = given = 0
        try:
            while given < len(tasks):
                while started < len(tasks) and len(running) < self.workers:
                    running[remote.remote(tasks[started])] = started
                    started += 1
                for ref in self._finished(list(running)):
                    done[running.pop(ref)] = _result(ref)
                while given in done:
                    yield done.pop(given)
                    given += 1
        finally:
            # Not ray.cancel: where a task ends in the same moment, it aborts the whole process (2.60).
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=min(LEAVES_WITHIN, self.patience))

    def _finished(self, refs: list[Any]) -> list[Any]:
        """Returns the tasks that have ended, at least one."""
        import ray

        seen = time.monotonic()
        while True:
            ready, _ = ray.wait(refs, timeout=LOOKS_EVERY)
            if ready:
                return list(ready)
            if cores_of_cluster():
                seen = time.monotonic()
            elif time.monotonic() - seen > self.patience:
                raise ClusterError(
                    "Tasks run on the cores of the cluster",
                    f"a cluster that has had none for {self.patience:.0f} seconds",
                    "Add machines with `ray start --address`, and run again",
                )


def _result(ref: Any) -> Any:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(ref)
    except RayTaskError as error:
        raise error.cause from error
    except RayError as error:
        raise ClusterError(
            "Every task finishes, if need be on another worker",
            f"one that failed {RETRIES + 1} times: {str(error).strip().splitlines()[0]}",
            "If workers run out of memory, lower memory or workers (--memory, --workers); "
            "see the logs that Ray keeps",
        ) from error


@contextmanager
def ray_runner(address: str | None, workers: int) -> Iterator[RayRunner]:
    """Gives a runner of tasks on a cluster, see `cluster`."""
    with cluster(address, workers) as joined:
        yield RayRunner(joined.workers)
