"""This benchmark trains by 1, 2 and 4 processes on Ray: seconds a step, and bytes that a process sends.

    python -m benchmarks.scale.ray_training PREPARED [PREPARED ...] [--steps 12] [--workers 1 2 4]

Each PREPARED is a folder of `butaca data prepare`. A process is an actor of a Ray that starts on this machine
(with a core of its own if there are so many). Steps are those of the default recipe; the first, which
compiles, is left out, and the median of the others is given; cpu_s is the first process's own CPU time, which
other programs on the machine change little. Bytes are what Linux counts on each process's
connections (`traffic.py`), Ray's own among them. The last line is JSON, a row per folder and number
of processes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.scale.traffic import bytes_sent
from butaca.data.dataset import Dataset
from butaca.recipes import DEFAULT
from butaca.scale.cluster import cluster
from butaca.scale.prepared import Prepared
from butaca.scale.ray_training import Patience, run
from butaca.scale.ray_worker import Job, Worker


class TimedWorker(Worker):
    """A TimedWorker takes `every_steps` steps, and writes what they took to the file `checkpoint`."""

    def _fit(self, train: Dataset, resume: bool) -> int:
        import jax

        from butaca.train.callbacks import Callback

        marks: list[tuple[float, float, int]] = []
        limit = self.job.every_steps

        class Enough(Exception):  # noqa: N818
            pass

        class StepClock(Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                jax.block_until_ready((vars(self.run)["towers"], logs))  # type: ignore[no-untyped-call]
                marks.append((time.perf_counter(), time.process_time(), bytes_sent()))
                if len(marks) > limit:
                    raise Enough

        with suppress(Enough):
            self.job.recipe.fit(train, [StepClock()])
        pairs = list(pairwise(marks))[1:]
        found = {
            "step_s": median(b[0] - a[0] for a, b in pairs),
            "cpu_s": median(b[1] - a[1] for a, b in pairs),
            "sent": median(b[2] - a[2] for a, b in pairs),
        }
        if jax.process_index() == 0:
            Path(self.job.checkpoint).write_text(json.dumps(found), encoding="utf-8")
        return 0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prepared", nargs="+")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, cluster(None, max(args.workers)):
        for name in args.prepared:
            prepared = Prepared.open(name)
            data = prepared.dataset()
            recipe = replace(DEFAULT.for_data(data), epochs=1000, held_out=0)
            for workers in args.workers:
                out = Path(folder) / f"{workers}.json"
                job = Job(
                    str(prepared.folder.resolve()), prepared.digest, recipe, str(out), args.steps, workers
                )
                run(job, Patience(attempts=1), progress=lambda _: None, worker=TimedWorker)
                row = {"data": prepared.folder.name, "interactions": len(data), "users": len(data.users)}
                row |= {"items": len(data.items), "workers": workers, "dim": recipe.model.dim}
                rows.append(row | json.loads(out.read_text(encoding="utf-8")))
                print(rows[-1], flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
