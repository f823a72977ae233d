"""This module holds the service from the command line: `butaca serve`, `butaca keys`, `butaca events`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from butaca.cli import options
from butaca.errors import SettingError
from butaca.extras import needed
from butaca.index.kinds import IndexKind

if TYPE_CHECKING:  # a database
    from butaca.events.keys import Key
    from butaca.events.store import EventStore
    from butaca.workflows.serving import ServiceOpened

out = Console()

events_app = typer.Typer(no_args_is_help=True, help="The event store: backup, restore.")
keys_app = typer.Typer(no_args_is_help=True, help="API keys: add, list, revoke.")


def register(app: typer.Typer) -> None:
    """Add the commands to butaca's."""
    app.command()(serve)
    app.add_typer(keys_app, name="keys")
    app.add_typer(events_app, name="events")


def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Model folders, as MODEL or NAME=MODEL; the first is the default.", metavar="MODEL..."
        ),
    ],
    version: Annotated[
        str | None, typer.Option(help="The version that answers, as `GET /v1/models` lists it.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine it needs keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    uds: Annotated[
        str | None, typer.Option(help="A UNIX socket to listen on, instead of host and port.")
    ] = None,
    root_path: Annotated[
        str | None, typer.Option(help="The prefix of its addresses behind a proxy: /films.")
    ] = None,
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
    max_connections: Annotated[
        int, typer.Option(min=1, help="Connections that may be open at once.")
    ] = 1_000,
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
    keep_lists: Annotated[
        str, typer.Option(help="How long logged lists are kept: 30d, 12h; 0 for ever.")
    ] = "30d",
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
    from butaca.serve.settings import ServeSettings
    from butaca.workflows.serve_plan import ServePlan
    from butaca.workflows.serving import carry_out_serve

    with needed("butaca serve"):
        from butaca.events.split import parse_split
        from butaca.serve.registry import named_folders

    settings = ServeSettings(
        host=host,
        port=port,
        uds=uds,
        root_path=(root_path or "").rstrip("/") or None,
        events=events,
        split={} if split is None else parse_split(split),
        host_names=tuple(host_name or ()),
        cors_origins=tuple(cors_origin or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        max_body=max_body,
        max_in_flight=max_in_flight,
        max_connections=max_connections,
        rate=rate,
        burst=burst,
        timeout=timeout,
        staleness=staleness,
        cached_users=cached_users,
        log_lists=log_lists,
        keep_lists=keep_lists,
        log_queue=log_queue,
        access_log=access_log,
        index=index,
        noun=noun,
        picture_hosts=tuple(picture_host or ()),
    )
    carry_out_serve(ServePlan(named_folders(models), settings, version=version), _tell)


def _tell(opened: ServiceOpened) -> None:
    for name, (version, items) in opened.models.items():
        out.print(f"{name}: version {version}, {items}", highlight=False, markup=False)
    if opened.keys:
        out.print("Requests need an API key.", highlight=False)
    asks = "" if opened.keys else "; no key is needed"
    out.print(f"Open [bold]{escape(opened.url)}[/] (Ctrl+C stops it){asks}", highlight=False)
    out.file.flush()


def _store(events: str, *, make: bool) -> EventStore:
    """Opens the event store that holds the keys; one that is not there is made only where one is added to."""
    with needed("butaca keys"):
        from butaca.events.address import address
        from butaca.events.store import EventStore

    at = address(events)
    if at.sqlite:
        path = Path(str(at.url.database))
        if not path.parent.is_dir():
            raise SettingError("The folder of --events exists", events, "Create it first")
        if not make and not path.is_file():
            raise SettingError(
                "Keys are in a store that is there",
                f"{path}, which is not",
                "Name the service's with --events, or go to its folder",
            )
    with needed("butaca keys"):
        return EventStore.open(events)


@keys_app.command()
def add(
    name: Annotated[str, typer.Argument(help="What you call the client that has it.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin; repeat for several. read if not given.")
    ] = None,
    events: options.Events = "events.db",
    expires: Annotated[
        str | None, typer.Option(help="After how long it ends: 90d, 12h. Never if not given.")
    ] = None,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    from butaca.events.durations import seconds_of

    ends = None if expires is None else seconds_of(expires, "--expires")
    with _store(events, make=True) as store:
        key = store.keys.create(name, scope or ["read"], expires=ends)
    typer.echo(key)
    Console(stderr=True).print(
        "Keep it: it can't be shown again. A service that needs keys knows it within seconds; one that was "
        "started without any stays open until it is started again.",
    )


@keys_app.command("list")
def list_keys(events: options.Events = "events.db") -> None:
    """List the keys, without their secrets."""
    with _store(events, make=False) as store:
        keys = store.keys.list()
    table = Table()
    for column in ("id", "name", "scopes", "state"):
        table.add_column(column, overflow="fold")
    for key in keys:
        table.add_row(key.id, Text(as_it_is(key.name)), ", ".join(key.scopes), _state(key))
    out.print(table)


def as_it_is(name: str) -> str:
    r"""Returns a name with what a terminal would act on written out.

    >>> as_it_is("[/b] café"), as_it_is("a\x1b[31mred")
    ('[/b] café', 'a\\x1b[31mred')
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def _state(key: Key) -> str:
    if key.revoked is not None:
        return "revoked"
    if key.expires is None:
        return "in use"
    day = datetime.fromtimestamp(key.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"in use until {day}" if key.valid(time.time()) else f"expired {day}"


@keys_app.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(help="The key's id, as `butaca keys list` shows it.", metavar="ID")
    ],
    events: options.Events = "events.db",
) -> None:
    """End a key; a running service refuses it within seconds."""
    with _store(events, make=False) as store:
        key = store.keys.revoke(key_id)
    out.print(f"Revoked {key.id}.", highlight=False)


@events_app.command()
def backup(
    copy: Annotated[Path, typer.Argument(help="The file to write, which is not there yet.")],
    events: options.Events = "events.db",
) -> None:
    """Write a copy of the events, lists and keys, whole as of one moment, while a service runs."""
    with needed("butaca events"):
        from butaca.events.backup import backup as copied

    out.print(f"{copied(events, copy):,} events in {escape(str(copy))}", highlight=False)


@events_app.command()
def restore(
    copy: Annotated[Path, typer.Argument(help="A file that `butaca events backup` wrote.")],
    events: options.Events = "events.db",
) -> None:
    """Let a copy take the place of the events, lists and keys; the service is stopped meanwhile."""
    with needed("butaca events"):
        from butaca.events.backup import restore as put_back

    out.print(f"{put_back(copy, events):,} events in {escape(events)}", highlight=False)
