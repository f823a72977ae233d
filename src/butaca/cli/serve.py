"""This module holds the service from the command line: `butaca serve` and `butaca keys`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from butaca.cli import options
from butaca.errors import SettingError
from butaca.extras import needed
from butaca.index.kinds import IndexKind

if TYPE_CHECKING:  # a database
    from butaca.events.store import EventStore

out = Console()

keys_app = typer.Typer(no_args_is_help=True, help="API keys: add, list, revoke.")


def register(app: typer.Typer) -> None:
    """Add the commands to butaca's."""
    app.command()(serve)
    app.add_typer(keys_app, name="keys")


def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Model folders, as MODEL or NAME=MODEL; the first is the default.", metavar="MODEL..."
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine it needs keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    events: options.Events = "events.db",
    split: Annotated[
        str | None,
        typer.Option(help="Shares of the users: champion=0.9,challenger=0.1.", metavar="NAME=SHARE,..."),
    ] = None,
    host_name: Annotated[
        list[str] | None,
        typer.Option(help="A further name that the Host header may hold; repeat for several."),
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="An origin whose pages may call the API; repeat for several.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="A reverse proxy whose X-Forwarded-For is believed.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0, help="Requests a second for each client; 0: no limit. With keys 1,000 if not given."
        ),
    ] = None,
    burst: Annotated[
        int, typer.Option(min=1, help="Requests that may come at once before --rate holds.")
    ] = 200,
    max_in_flight: Annotated[int, typer.Option(min=1, help="Requests in work; more are answered 503.")] = 128,
    max_body: Annotated[int, typer.Option(min=1024, help="Bytes of a body.")] = 256 * 1024,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one request.")] = 10.0,
    staleness: Annotated[
        float, typer.Option(min=0, help="Seconds until what other processes write is noticed.")
    ] = 2.0,
    cached_users: Annotated[
        int, typer.Option(min=1, help="People whose events stay in memory, ten each on average.")
    ] = 50_000,
    log_lists: Annotated[
        bool,
        typer.Option("--log-lists/--no-log-lists", help="Log what was shown, for the online comparison."),
    ] = True,
    log_queue: Annotated[int, typer.Option(min=1, help="Lists that may wait to be logged.")] = 10_000,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log every request.")] = False,
    index: Annotated[
        IndexKind,
        typer.Option(help="approximate: quicker from about a million items on (extra ann)."),
    ] = "exact",
    noun: options.Noun = None,
    picture_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A host that the page may load the items' pictures from; repeat. None: no pictures."
        ),
    ] = None,
) -> None:
    """Serve models: the HTTP API, the page, metrics."""
    with needed("butaca serve"):
        from butaca.events.split import parse_split
        from butaca.serve.app import create_app
        from butaca.serve.registry import Registry, named_folders
        from butaca.serve.server import bind, run, url_of
        from butaca.serve.settings import ServeSettings

    settings = ServeSettings(
        host=host,
        port=port,
        events=events,
        split={} if split is None else parse_split(split),
        host_names=tuple(host_name or ()),
        cors_origins=tuple(cors_origin or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        max_body=max_body,
        max_in_flight=max_in_flight,
        rate=rate,
        burst=burst,
        timeout=timeout,
        staleness=staleness,
        cached_users=cached_users,
        log_lists=log_lists,
        log_queue=log_queue,
        access_log=access_log,
        index=index,
        noun=noun,
        picture_hosts=tuple(picture_host or ()),
    )
    registry = Registry(named_folders(models), settings.split, index=settings.index)
    store = _opened(events, "butaca serve")
    try:
        has_keys = any(key.revoked is None for key in store.keys.list())
        if not has_keys and not (settings.is_local and not settings.trusted_proxies):
            beyond = "--trusted-proxy" if settings.is_local else f"--host {host}"
            raise SettingError(
                "Beyond this machine, or behind a proxy, the service needs API keys",
                f"{beyond} and no keys in {store.name}",
                f"Make one with `butaca keys add NAME --scope read --events {events}`, or leave it out",
            )
        listening = bind(host, port)
    except BaseException:
        store.close()
        raise
    for model in registry.serving.active.values():
        items = model.showcase.noun.count(len(model.recommender.items))
        out.print(f"{model.name}: version {model.version}, {items}", highlight=False)
    if has_keys:
        out.print("Requests need an API key.", highlight=False)
    out.print(f"Open [bold]{url_of(listening)}[/] (Ctrl+C stops it)", highlight=False)
    out.file.flush()
    run(create_app(registry, store, settings=settings, keys=has_keys), settings, listening=listening)


def _opened(events: str, command: str) -> EventStore:
    """Opens the event store at an address."""
    with needed(command):
        from butaca.events.store import EventStore

        return EventStore.open(events)


def _store(events: str) -> EventStore:
    """Opens the event store that holds the keys."""
    if "://" not in events and not Path(events).parent.is_dir():
        raise SettingError("The folder of --events exists", events, "Create it first")
    return _opened(events, "butaca keys")


@keys_app.command()
def add(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin; repeat for several. read if not given.")
    ] = None,
    events: options.Events = "events.db",
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    with _store(events) as store:
        key = store.keys.create(name, scope or ["read"])
    typer.echo(key)
    Console(stderr=True).print("Keep it: it can't be shown again. A running service knows it within seconds.")


@keys_app.command("list")
def list_keys(events: options.Events = "events.db") -> None:
    """List the keys, without their secrets."""
    with _store(events) as store:
        keys = store.keys.list()
    table = Table()
    for column in ("id", "name", "scopes", "state"):
        table.add_column(column, overflow="fold")
    for key in keys:
        table.add_row(key.id, key.name, ", ".join(key.scopes), "revoked" if key.revoked else "in use")
    out.print(table)


@keys_app.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(help="The key's id, as `butaca keys list` shows it.", metavar="ID")
    ],
    events: options.Events = "events.db",
) -> None:
    """End a key; a running service refuses it within seconds."""
    with _store(events) as store:
        key = store.keys.revoke(key_id)
    out.print(f"Revoked {key.id}.", highlight=False)
