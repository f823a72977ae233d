"""This module writes the log: JSON lines on standard error, behind, so that it can't stop or break anything.

A reader that hangs would hold up whoever writes to its pipe; one that is gone would make writing an error.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from typing import Any

import structlog

#: Lines that may wait, and seconds between two looks at them.
WAITING, PAUSE = 10_000, 0.05


class LogWriter:
    """A LogWriter takes lines and has a thread write them; what can't be written is dropped and counted.

    Args:
        descriptor: of the open file that they go to.

    Attributes:
        lost: lines dropped.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()
        self.lost = 0

    def write(self, text: str) -> int:
        """Takes a line, or a part of one; never waits, never raises."""
        if len(self._lines) >= WAITING:
            self.lost += 1
        else:
            self._lines.append(text)
            if self._thread is None or not self._thread.is_alive():
                self._start()
        return len(text)

    def flush(self) -> None:
        """Does nothing: the thread writes soon."""

    def close(self, seconds: float = 1.0) -> None:
        """Waits for what is left to be written, but not for long."""
        self._stop.set()
        until = time.monotonic() + seconds
        while self._lines and self._thread is not None and time.monotonic() < until:
            time.sleep(0.01)
        if self._thread is not None:
            self._thread.join(max(until - time.monotonic(), 0.0))

    def _start(self) -> None:
        with contextlib.suppress(RuntimeError):  # the process ends
            self._thread = threading.Thread(target=self._run, name="butaca-log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        while self._lines:
            part = [self._lines.popleft() for _ in range(min(len(self._lines), 200))]
            try:
                content = "".join(part).encode("utf-8", "backslashreplace")
                while content:
                    content = content[os.write(self._descriptor, content) :]
            except BlockingIOError:
                time.sleep(PAUSE)
                self.lost += len(part)
            except (OSError, ValueError):
                self.lost += len(part)


_writer: LogWriter | None = None


def lost_lines() -> int:
    """Returns how many lines of the log could not be written."""
    return 0 if _writer is None else _writer.lost


def close_logs(seconds: float = 1.0) -> None:
    """Waits for what is left of the log to be written."""
    if _writer is not None:
        _writer.close(seconds)


def configure_logs(level: int = logging.INFO) -> None:
    """Sends logs as JSON lines to standard error, butaca's and the libraries'."""
    global _writer
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # none, or not a file
        descriptor = -1
    _writer = writer = LogWriter(descriptor)
    atexit.register(writer.close)
    logging.raiseExceptions = False
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    out: Any = writer
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
