"""This module counts the cores that there are to work with."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Held while BLAS is kept to one thread: one such piece of work after another.
_LIMITED = threading.RLock()


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keeps BLAS to one thread, for many small products: with all cores each would wait for their threads.

    The limit is the process's: two threads that overlapped would each put back what the other had set, so the
    second waits for the first.
    """
    from threadpoolctl import threadpool_limits

    with _LIMITED, threadpool_limits(1, user_api="blas"):
        yield
