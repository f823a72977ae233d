"""This module trains on a Ray cluster: a process a worker, one mesh, the step of a single machine.

The catalogue is split over the processes, and what they send each other per step is as large as a batch
(train/step.py). A worker or a machine that is lost ends the attempt: what is left of it is killed, and all
begin anew from the last checkpoint, on whatever machines the cluster still has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from butaca.errors import ButacaError, ClusterError, SettingError
from butaca.scale.cluster import cluster
from butaca.scale.prepared import Prepared
from butaca.scale.ray_worker import Job, PeerLostError, Worker, WorkerPlace

if TYPE_CHECKING:
    from butaca.recipes import Recipe
    from butaca.train.callbacks import FitHistory
    from butaca.two_tower import TwoTower

#: What a worker's process is started with: one device each, and as many threads as it has cores.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
    "NPROC": "1",
}

LOOKS_EVERY = 0.5  # seconds
REASONS_WITHIN = 3.0  # seconds for the others to fail too, once one has


@dataclass(frozen=True)
class JobEvent:
    """A JobEvent says what happens to a job, as it happens.

    Attributes:
        kind: "started", with the workers' places; "saved", a checkpoint; "lost", a worker; "trained".
        position: epoch and step of the next batch by the last checkpoint; None without one.
        places: of the workers.
        reason: why a worker counts as lost.
    """

    kind: str
    position: tuple[int, int] | None = None
    places: tuple[WorkerPlace, ...] = ()
    reason: str = ""


JobProgress = Callable[[JobEvent], None]


@dataclass(frozen=True)
class Patience:
    """Says how long a job waits, and how often it begins anew.

    Attributes:
        start_within: seconds in which all workers must have started, at first and after one was lost.
        attempts: in a row that may be lost without a new checkpoint in between.
        pause: seconds before the third of them, doubled for each further one. Ray needs 15 to see that a
            machine is gone, and tries it until then.
    """

    start_within: float = 120.0
    attempts: int = 4
    pause: float = 5.0


class _LostError(Exception):
    """A _LostError says that this attempt is over; another may succeed."""


def fit_on_ray(
    folder: str | PathLike[str],
    recipe: Recipe,
    *,
    workers: int,
    checkpoint: str | PathLike[str],
    address: str | None = None,
    every_steps: int = 0,
    resume: bool = False,
    patience: Patience | None = None,
    progress: JobProgress | None = None,
    worker: type[Worker] = Worker,
) -> tuple[TwoTower, FitHistory]:
    """Trains a recipe on the training side of prepared data by several processes.

    Args:
        folder: that `butaca data prepare` wrote, under the same path on every machine.
        recipe: as `Recipe.for_data` gives it for these data.
        workers: processes, a core each; 0: as many as the cluster has cores.
        checkpoint: folder that every machine sees. An earlier checkpoint in it is continued, or replaced.
        address: HOST:PORT of the cluster's head; None: this machine.
        every_steps: batches between checkpoints; 0: after each epoch.
        resume: continue from `checkpoint`.
        patience: with workers that do not start, or are lost.
        progress: is called with what happens.
        worker: the actor.

    Returns:
        The model, in this process and on one device, and its history.

    Raises:
        ClusterError: not all workers start, or too many are lost one after another.
    """
    from butaca.train.callbacks import Checkpoint
    from butaca.train.checkpoints import FILE

    prepared, at = Prepared.open(folder), Path(checkpoint).expanduser().resolve()
    if recipe.model.devices is not None:
        raise SettingError(
            "On a cluster the catalogue is split over all workers",
            f"devices={recipe.model.devices}",
            "Leave devices out, and name workers= (on the command line: --workers)",
        )
    with cluster(address, workers) as joined:
        job = Job(
            str(prepared.folder.resolve()), prepared.digest, recipe, str(at), every_steps, joined.workers
        )
        if not resume:
            (at / FILE).unlink(missing_ok=True)
        run(job, patience or Patience(), progress=progress or (lambda _: None), worker=worker)
    # Trained to the end, the checkpoint has nothing left to do: the model is read from it, by the same code.
    return recipe.fit(prepared.dataset(), [Checkpoint(at, every_steps)], resume=at)


def run(job: Job, patience: Patience, *, progress: JobProgress, worker: type[Worker] = Worker) -> None:
    """Makes attempts until one comes to the end, on the cluster that this process has joined.

    Raises:
        ClusterError: see `fit_on_ray`.
    """
    from butaca.train.checkpoints import position

    folder, lost = Path(job.checkpoint), 0
    while True:
        before = position(folder)
        try:
            _attempt(job, before is not None, patience, progress, worker)
        except _LostError as error:
            now = position(folder)
            lost = lost + 1 if now == before else 0
            progress(JobEvent("lost", now, reason=str(error)))
            if lost >= patience.attempts:
                raise ClusterError(
                    "A job that loses a worker goes on from its last checkpoint",
                    f"{lost} attempts in a row that ended without a new one, the last with: {error}",
                    "See the workers' logs on their machines; if memory ran out, ask for more workers "
                    "(on the command line: --workers)",
                ) from error
            time.sleep(patience.pause * 2 ** (lost - 2) if lost > 1 else 0.0)
        else:
            progress(JobEvent("trained", position(folder)))
            return


def _attempt(job: Job, resume: bool, patience: Patience, progress: JobProgress, worker: type[Worker]) -> None:
    """Starts all workers, lets them train, and ends them, whatever happens."""
    import ray

    from butaca.train.checkpoints import position

    actor: Any = ray.remote(worker).options(
        num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD", runtime_env={"env_vars": ENVIRONMENT}
    )
    actors = [actor.remote(job) for _ in range(job.workers)]
    try:
        places = _started(actors, patience.start_within)
        progress(JobEvent("started", position(Path(job.checkpoint)), tuple(places)))
        coordinator = f"{places[0].host}:{places[0].port}"
        running = [a.train.remote(rank, coordinator, resume=resume) for rank, a in enumerate(actors)]
        last = position(Path(job.checkpoint))
        while running:
            done, running = ray.wait(running, timeout=LOOKS_EVERY)
            if (now := position(Path(job.checkpoint))) != last:
                last = now
                progress(JobEvent("saved", now))
            _raise_for(done, running)
    finally:
        for each in reversed(actors):  # the first keeps the others' list of members
            ray.kill(each)


def _started(actors: Sequence[Any], within: float) -> list[WorkerPlace]:
    """Returns where all actors run, once they do."""
    import ray

    refs = [a.place.remote() for a in actors]
    left, until = list(refs), time.monotonic() + within
    while left and time.monotonic() < until:
        done, left = ray.wait(left, timeout=LOOKS_EVERY)
        _raise_for(done, [])
    if left:
        machines = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        cores = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        raise ClusterError(
            "Every worker of a training job runs at the same time, on a core of its own",
            f"{len(refs) - len(left)} of {len(refs)} that started within {within:.0f} seconds, "
            f"on a cluster of {cores} cores on {len(machines)} machines",
            "Add machines with `ray start --address` or lower workers, and go on with resume=True "
            "(on the command line: --workers, --resume)",
        )
    places: list[WorkerPlace] = ray.get(refs)
    return places


def _raise_for(done: list[Any], others: list[Any]) -> None:
    """Looks at ended tasks: an error of ours is raised as it is, a lost worker as _LostError."""
    import ray

    failed = [error for ref in done if (error := _error(ref)) is not None]
    if not failed:
        return
    if others and not any(isinstance(error, ButacaError) for error in failed):
        more, _ = ray.wait(others, num_returns=len(others), timeout=REASONS_WITHIN)
        failed += [error for ref in more if (error := _error(ref)) is not None]
    for error in failed:
        if not isinstance(error, _LostError | PeerLostError):
            raise error
    # The worker that is gone says more than those that miss it.
    first = next((error for error in failed if isinstance(error, _LostError)), failed[0])
    raise _LostError(str(first)) from first


def _error(ref: Any) -> Exception | None:
    """Returns what went wrong in a task that has ended, None if nothing did."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        ray.get(ref)
    except RayTaskError as error:
        return error.cause if isinstance(error.cause, Exception) else error
    except RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        ends = " ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))  # what died, and why
        return _LostError(ends.partition(" Some common causes")[0] or type(error).__name__)
    return None
