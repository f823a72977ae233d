"""This module carries out a ServePlan: it loads, opens, binds, checks, and serves until it is told to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from butaca.extras import needed
from butaca.workflows.serve_plan import ServePlan


@dataclass(frozen=True)
class ServiceOpened:
    """A ServiceOpened says what is about to be served.

    Attributes:
        url: where.
        models: version and number of items of each, the latter in words, by name.
        keys: whether requests need a key.
    """

    url: str
    models: Mapping[str, tuple[str, str]]
    keys: bool


def carry_out_serve(plan: ServePlan, told: Callable[[ServiceOpened], None] | None = None) -> None:
    """Serves what the plan says until SIGINT or SIGTERM.

    >>> carry_out_serve(ServePlan({"m": Path("nowhere")}))
    Traceback (most recent call last):
        ...
    butaca.errors.BundleError: ...

    Args:
        plan: what to do.
        told: called once, before the first request is answered.

    Raises:
        ButacaError: a model, a store or an address can't be used, or keys are needed and there are none.
    """
    with needed("butaca serve"):
        from butaca.events.store import EventStore
        from butaca.serve.app import create_app
        from butaca.serve.registry import Registry
        from butaca.serve.server import bind, bind_socket_file, run, url_of

    settings = plan.settings
    registry = Registry(plan.models, settings.split, index=settings.index, version=plan.version)
    with needed("butaca serve"):
        store = EventStore.open(settings.events, settings.timeout)
    try:
        keys = any(key.revoked is None for key in store.keys.list())  # expired ones open nothing
        plan.check_keys(keys, store.name)
        listening = (
            bind(settings.host, settings.port)
            if settings.uds is None
            else bind_socket_file(Path(settings.uds))
        )
    except BaseException:
        store.close()
        raise
    if told is not None:
        models = {
            m.name: (m.version, m.showcase.noun.count(len(m.recommender.items)))
            for m in registry.serving.active.values()
        }
        told(ServiceOpened(url_of(listening), models, keys))
    run(create_app(registry, store, settings=settings, keys=keys), settings, listening=listening)
