"""This module is one process of a training mesh: an actor that joins the others and trains as `Recipe.fit`.

Ray's own JAX trainer lets workers on CPUs train apart without a word. Here each process calls
`jax.distributed.initialize`, and refuses to train unless JAX then counts as many processes as were asked for.
This module loads JAX only inside a worker.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from butaca.errors import ClusterError

if TYPE_CHECKING:
    from butaca.data.dataset import Dataset
    from butaca.recipes import Recipe

#: Seconds in which every process must have joined, and after which a silent one counts as lost.
JOIN_WITHIN, SILENT_FOR = 120, 20


@dataclass(frozen=True)
class Job:
    """Holds what every worker is told.

    Attributes:
        folder: prepared data, under this path on every machine.
        digest: of their manifest; a machine that has others is refused.
        recipe: what to train, adapted to the data already.
        checkpoint: folder that every machine sees.
        every_steps: batches between checkpoints; 0: after each epoch.
        workers: processes of the mesh.
    """

    folder: str
    digest: str
    recipe: Recipe
    checkpoint: str
    every_steps: int
    workers: int


class WorkerPlace(NamedTuple):
    """Says where a worker runs: its machine's address, a free port there, its process, Ray's node id."""

    host: str
    port: int
    pid: int
    node: str


class PeerLostError(RuntimeError):
    """A PeerLostError says that a collective operation failed: another worker is gone."""


class Worker:
    """A Worker is an actor; each method is called once, in this order."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def place(self) -> WorkerPlace:
        """Returns where the worker runs."""
        import ray

        host = str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
        with closing(socket.socket()) as free:
            free.bind((host, 0))
            port = int(free.getsockname()[1])
        return WorkerPlace(host, port, os.getpid(), ray.get_runtime_context().get_node_id())

    def join(self, rank: int, coordinator: str) -> None:
        """Becomes process `rank` of the mesh; `coordinator` is HOST:PORT of process 0."""
        import jax

        jax.config.update("jax_cpu_collectives_implementation", "gloo")  # type: ignore[no-untyped-call]
        jax.distributed.initialize(
            coordinator,
            self.job.workers,
            rank,
            initialization_timeout=JOIN_WITHIN,
            heartbeat_timeout_seconds=SILENT_FOR,
            coordinator_bind_address=coordinator,
        )

    def train(self, rank: int, coordinator: str, *, resume: bool) -> int:
        """Trains to the end, or from the checkpoint on; returns the number of epochs in the history.

        Raises:
            ClusterError: the mesh is not the one that was asked for.
            PeerLostError: another worker is gone.
        """
        import jax
        from jax.errors import JaxRuntimeError

        try:
            self.join(rank, coordinator)
            self._check(jax.process_count(), jax.device_count())
            return self._fit(self._data(), resume)
        except (JaxRuntimeError, ValueError) as error:
            if isinstance(error, JaxRuntimeError) or "Gloo" in str(error):
                raise PeerLostError(str(error).splitlines()[0]) from error
            raise

    def _check(self, processes: int, devices: int) -> None:
        if processes != self.job.workers or devices != self.job.workers:
            raise ClusterError(
                "Training starts when JAX counts as many processes as workers were asked for, a device each",
                f"{processes} processes and {devices} devices for {self.job.workers} workers",
                "Let nothing in the workers' environment start JAX before they have joined each other",
            )

    def _data(self) -> Dataset:
        from butaca.scale.prepared import Prepared

        prepared = Prepared.open(self.job.folder)
        if prepared.digest != self.job.digest:
            raise ClusterError(
                "Every machine of a training job has the same prepared data",
                f"others in {self.job.folder} on {socket.gethostname()}",
                "Prepare them once, and copy the folder or share it",
            )
        return prepared.dataset()

    def _fit(self, train: Dataset, resume: bool) -> int:
        from butaca.train.callbacks import Checkpoint

        folder = Path(self.job.checkpoint)
        saving = [Checkpoint(folder, self.job.every_steps)]
        _, history = self.job.recipe.fit(train, saving, resume=folder if resume else None)
        return len(history.epoch)
