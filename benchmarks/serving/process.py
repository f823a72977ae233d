"""This program runs the service as `butaca serve` does, with keys: CORE MODEL EVENTS [stub]."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from butaca.events.store import EventStore
from butaca.recommend.answers import Recommendation
from butaca.serve.app import create_app
from butaca.serve.registry import Registry
from butaca.serve.schemas import RecommendRequest
from butaca.serve.server import bind, run
from butaca.serve.serving import Loaded
from butaca.serve.settings import ServeSettings


def main(core: str, folder: str, *, events: str, stub: str = "") -> None:
    """Serves until ended, on one core."""
    os.sched_setaffinity(0, {int(core)})
    registry = Registry({"model": Path(folder)})
    settings = ServeSettings(port=0, events=events, rate=0.0)
    fixed = registry.serving.default.recommender.recommend(k=10)

    def same(_: Loaded, __: RecommendRequest) -> Recommendation:
        return fixed

    store = EventStore.open(events, settings.timeout)
    listening = bind("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    run(
        create_app(registry, store, settings=settings, stub=same if stub else None, keys=True),
        settings,
        listening=listening,
    )


if __name__ == "__main__":
    core, folder, events, *stub = sys.argv[1:]
    main(core, folder, events=events, stub="".join(stub))
