"""This module runs the process: uvicorn on a socket of our own, so that a taken port is said in words."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from butaca.errors import SettingError
from butaca.serve.guard import Guard
from butaca.serve.logs import close_logs, configure_logs
from butaca.serve.settings import ServeSettings
from butaca.serve.wire import Bounds, Protocol

#: Seconds for requests in work when the service is stopped.
GRACE = 10
#: Files that are open beside connections: the store's, the libraries', the log.
OTHER_FILES = 200


def bind(host: str, port: int) -> socket.socket:
    """Returns a listening socket that nobody else has.

    Raises:
        SettingError: the port is taken, or the address is not this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # so, asyncio sets no delay
    except OSError as error:
        raise SettingError("An address can be listened on", f"{host}: {error}", "Check the host") from None
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingError(
                "A port is used by one program",
                f"{host}:{port}, which another one has",
                "Stop it, or choose another port (0 takes a free one)",
            ) from None
        raise SettingError(
            "An address can be listened on", f"{host}:{port}: {error}", "Check the host and the port"
        ) from None
    return listening


def bind_socket_file(path: Path) -> socket.socket:
    """Returns a listening UNIX socket, whose file the owner and the group may write to.

    Raises:
        SettingError: another service listens there, or the file can't be made.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            _remove_if_left(path)
        before = os.umask(0o117)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingError(
            "A UNIX socket has a file of its own", f"{path}: {error.strerror or error}", "Choose another path"
        ) from None
    return listening


def _remove_if_left(path: Path) -> None:
    """Removes the file of a socket where nobody listens any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, "another program listens there")


def url_of(listening: socket.socket) -> str:
    """Returns the address at which a browser finds a listening socket."""
    if listening.family == getattr(socket, "AF_UNIX", None):  # Windows has none
        return f"unix:{listening.getsockname()}"
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - only shown
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _stopped(*_: Any) -> None:
    raise SystemExit(0)


def _descriptors(connections: int) -> int:
    """Lets the process open as many files as the connections need, and returns how many may be open."""
    if sys.platform == "win32":
        return connections
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return connections if soft == unlimited else max(min(connections, soft - OTHER_FILES), 1)


def run(app: Guard, settings: ServeSettings, *, listening: socket.socket) -> None:
    """Serves until SIGINT or SIGTERM; then answers what is in work, and writes what waits."""
    configure_logs()
    sys.setswitchinterval(0.0005)  # the thread that logs lists holds up an answer no longer than this
    proxies: dict[str, Any] = {"proxy_headers": False}
    if settings.uds is not None and app.service.keys is not None:
        proxies = {"proxy_headers": True, "forwarded_allow_ips": "*"}  # who writes to the socket is the proxy
    elif settings.trusted_proxies:
        proxies = {"proxy_headers": True, "forwarded_allow_ips": list(settings.trusted_proxies)}
    most = _descriptors(settings.max_connections)
    bounds = Bounds(app.service.telemetry, max_connections=most)
    protocol: Any = functools.partial(Protocol, bounds=bounds)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        backlog=2048,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
        **proxies,
    )
    server = uvicorn.Server(config)
    gc.collect()
    gc.freeze()  # what is loaded stays: no collection need look at it again
    tasks = server.server_state.tasks
    app.in_flight = lambda: len(tasks) - 1  # those that wait for their turn included, the one that asks not
    app.leave = lambda: tasks.discard(asyncio.current_task())  # uvicorn would do so a turn later
    signal.signal(signal.SIGTERM, _stopped)  # uvicorn's own while it runs, and again ours when it is done
    try:
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            server.run(sockets=[listening])
    finally:
        if settings.uds is not None:
            Path(settings.uds).unlink(missing_ok=True)
        close_logs()
