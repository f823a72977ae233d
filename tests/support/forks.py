"""This module starts the command, and code, each in a process of its own that has imported what it needs.

A command takes a second to import what it needs, and a fit three. `fork_server.py` has imported it once, and
a fork of it takes none. What depends on how Python starts is for a process that is started anew: what is
imported, settings that are read meanwhile (JAX_*), and the order of sets, which is the same in all forks.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.support.fork_server import HEADER, NUMBER

BUTACA = Path(sys.executable).with_name("butaca")
ROOT = Path(__file__).parents[2]

#: What libraries read as they are imported, and what only looks so: Ray sets it in the process of its driver.
READ_AT_IMPORT, READ_LATER = ("JAX_", "OPENBLAS_", "OMP_", "PYTHON"), {"PYTHONBREAKPOINT"}


class Server:
    """A process that has imported what the others need; it ends with this one, however that ends."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.environment = _read_at_import(os.environ)
        code = f"from tests.support.fork_server import main\nmain({theirs.fileno()})"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def fork(self, order: dict[str, Any], files: Sequence[int]) -> tuple[int, int]:
        """Returns the number of a new process, and a file that says its status once it has ended."""
        told, tell = os.pipe()
        text = json.dumps(order).encode()
        socket.send_fds(self.socket, [HEADER.pack(len(text))], [*files, tell])
        self.socket.sendall(text)
        os.close(tell)
        return NUMBER.unpack(os.read(told, NUMBER.size))[0], told

    def close(self) -> None:
        self.socket.close()
        self.process.wait(20)


def _read_at_import(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(READ_AT_IMPORT) and k not in READ_LATER}


@functools.cache
def server() -> Server:
    """Returns the server of this process, started when it is first needed."""
    started = Server()
    atexit.register(started.close)
    return started


class Fork:
    """A process, with what the tests use of `subprocess.Popen`."""

    def __init__(self, pid: int, told: int, stdout: IO[str] | None) -> None:
        self.pid, self.stdout, self._told = pid, stdout, told
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a fork", timeout or 0)
            status = os.read(self._told, NUMBER.size)
            os.close(self._told)
            self.returncode = os.waitstatus_to_exitcode(NUMBER.unpack(status)[0])
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process = Fork | subprocess.Popen[str]


def start(
    *arguments: object,
    code: str | None = None,
    cwd: object = None,
    env: Mapping[str, str] | None = None,
    stdout: int = subprocess.DEVNULL,
    stderr: int | None = None,
) -> Process:
    """Starts `butaca` with arguments, or code as `python -c` does, and returns the process.

    Args:
        arguments: what follows the name of the command, or the code.
        code: what is run instead of the command.
        cwd: the folder in which it runs, this process's unless named.
        env: its whole environment, this process's unless named.
        stdout: a file's number, DEVNULL, or PIPE for `process.stdout`.
        stderr: a file's number, DEVNULL, or STDOUT; this process's unless named.
    """
    environment = dict(os.environ if env is None else env)
    words = list(map(str, arguments))
    if sys.platform != "linux" or _read_at_import(environment) != server().environment:
        command = [str(BUTACA)] if code is None else [sys.executable, "-c", code]
        return subprocess.Popen(
            command + words,
            cwd=None if cwd is None else str(cwd),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
    order = {
        "command": [str(BUTACA) if code is None else "-c", *words],
        "code": code,
        "folder": str(cwd or os.getcwd()),
        "environment": environment,
    }
    with contextlib.ExitStack() as opened:
        nothing = os.open(os.devnull, os.O_RDWR)
        opened.callback(os.close, nothing)
        read = None
        if stdout == subprocess.PIPE:
            end, stdout = os.pipe()
            opened.callback(os.close, stdout)
            read = os.fdopen(end, encoding="utf-8")
        out = nothing if stdout == subprocess.DEVNULL else stdout
        err = {None: 2, subprocess.DEVNULL: nothing, subprocess.STDOUT: out}.get(stderr, stderr)
        return Fork(*server().fork(order, [nothing, out, err or 2]), read)


def run(
    *arguments: object,
    code: str | None = None,
    cwd: object = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `butaca`, or code, to its end, and returns what it said."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
    ):
        process = start(*arguments, code=code, cwd=cwd, env=env, stdout=out.fileno(), stderr=err.fileno())
        status = process.wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["butaca", *map(str, arguments)], status, out.read(), err.read())
