"""This room holds the `butaca` command: what it parses and prints."""

import os
import signal


def _end(*_: object) -> None:
    os._exit(128 + signal.SIGTERM)


if os.getpid() == 1:  # a container's first process: the system ignores SIGTERM until somebody takes it
    signal.signal(signal.SIGTERM, _end)
