"""Writes events as fast as it can and says what was acknowledged; made to be killed.

Reads lines "ADDRESS NAME" from standard input and forks a writer for each, so that a test that kills
many writers waits for the imports once. Prints "pid N" for each, and the writer "ack BATCH" for every
batch after `add` returned. A batch is named NAME-THREAD-NUMBER-SIZE, its events BATCH-0 to BATCH-(SIZE-1).
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time

from butaca.errors import StoreError
from butaca.events.records import Event
from butaca.events.store import EventStore

THREADS = 3


def events(batch: str) -> list[Event]:
    return [
        Event(f"{batch}-{n}", f"user of {batch}", f"film {n}", time=n)
        for n in range(int(batch.split("-")[3]))
    ]


def write(store: EventStore, name: str, thread: int) -> None:
    sizes, number = random.Random(f"{name} {thread}"), 0
    while True:
        batch = f"{name}-{thread}-{number}-{sizes.randint(1, 40)}"
        while True:
            try:
                store.add(events(batch))
                break
            except StoreError:  # the database is down: the same again, until it is there
                time.sleep(0.01)
        os.write(1, f"ack {batch}\n".encode())  # one write, so that no kill cuts a line short
        number += 1


def main() -> None:
    for line in sys.stdin:
        address, name = line.split()
        pid = os.fork()
        if not pid:
            store = EventStore.open(address)
            for thread in range(THREADS - 1):
                threading.Thread(target=write, args=(store, name, thread), daemon=True).start()
            write(store, name, THREADS - 1)
        os.write(1, f"pid {pid}\n".encode())


if __name__ == "__main__":
    main()
