"""This module imports what butaca needs, once, and forks a process for whoever asks; `forks.py` asks.

An order is JSON behind its length, with four files: the process's standard input, output and errors, and
one to which its number is written, and once it has ended, its status.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from types import ModuleType
from typing import Any, NoReturn

#: Not the commands themselves: their consoles take the width of the window as they are imported.
PRELOADED = (
    "butaca.choose.choice",
    "butaca.data.tables",
    "butaca.recipes",
    "butaca.report.page",
    "butaca.serve.app",
    "butaca.serve.server",
    "butaca.train.callbacks",
    "butaca.two_tower",
    "butaca.scale.reading",
    "butaca.workflows.fitting",
    "butaca.workflows.inspecting",
    "butaca.workflows.judging",
    "butaca.workflows.recipe_choice",
    "butaca.workflows.serving",
    "rich.markdown",
    "rich.progress",
    "rich.table",
    "scipy.sparse",
    "scipy.special",
    "typer.rich_utils",
    "uvicorn",
)

HEADER, NUMBER = struct.Struct("!I"), struct.Struct("!i")


def serve(orders: socket.socket) -> dict[str, Any] | None:
    """Returns the order in the fork that is to carry it out, and None here once nobody asks any more."""
    running: dict[int, int] = {}
    ended, end = os.pipe()
    os.set_blocking(ended, False)
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([orders.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            while running:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                told = running.pop(pid)
                with contextlib.suppress(BrokenPipeError):  # whoever asked has gone
                    os.write(told, NUMBER.pack(status))
                os.close(told)
        if orders.fileno() not in ready:
            continue
        head, files, _, _ = socket.recv_fds(orders, HEADER.size, 4)
        if not head:
            return None
        length = HEADER.unpack(head)[0]
        text = b""
        while len(text) < length:
            text += orders.recv(length - len(text))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            for n, file in enumerate(files[:3]):
                os.dup2(file, n)
            for file in (ended, end, *files, *running.values()):
                os.close(file)
            order: dict[str, Any] = json.loads(text)
            return order
        running[pid] = files[3]
        os.write(files[3], NUMBER.pack(pid))
        for file in files[:3]:
            os.close(file)


def carry_out(order: dict[str, Any]) -> None:
    """Runs a program as Python would that had been started for it."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = order["command"]
    code = order["code"]
    if code is None:
        sys.path[0] = os.path.dirname(sys.argv[0])
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(code, "<string>", "exec"), main.__dict__)


def end(status: int) -> NoReturn:
    """Ends a fork as Python ends, but for taking all apart that was imported: half a second."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            status = status or 120
    os._exit(status)


def status_of(order: dict[str, Any]) -> int:
    """Carries an order out, and returns the status with which Python would end."""
    try:
        carry_out(order)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return left.code or 0
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main(number: int) -> None:
    """Imports, serves the socket of this number, and carries out what a fork is for."""
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    order = serve(socket.socket(fileno=number))
    if order is not None:
        end(status_of(order))
