"""This module gives a Ray cluster to work on: a running one, or one of this machine for the work only."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from butaca.cores import cores
from butaca.errors import ClusterError, SettingError
from butaca.extras import require

ANSWERS_WITHIN, JOINS_WITHIN = 5, 30  # seconds: a connection to the head; a driver that has joined
STORE = 256 << 20  # bytes of shared memory for results, on a cluster of our own

_JOIN = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR'); ray.shutdown()"


@dataclass(frozen=True)
class Joined:
    """A Joined is a cluster that this process drives.

    Attributes:
        address: of its head, as given; None for one of this machine.
        workers: tasks or actors of one core to run at the same time.
    """

    address: str | None
    workers: int


@contextmanager
def cluster(address: str | None = None, workers: int = 0) -> Iterator[Joined]:
    """Joins a cluster as its driver, or starts one that listens on 127.0.0.1 only; leaves or ends it after.

    A process that has joined a cluster already keeps it, and stays in it afterwards. Nothing is sent to
    anyone: usage statistics are off in what is started here.

    Args:
        address: HOST:PORT of the head, on one of whose machines this process runs; None: start one here.
        workers: how many; 0: as many as the cluster, or this machine, has cores.

    Raises:
        SettingError: Ray is not installed, or what is given is no address.
        ClusterError: nobody answers there, or Ray refuses.
    """
    if workers < 0:
        raise SettingError(
            "Workers are at least 1, or 0 for all cores",
            f"workers={workers}",
            "Pass 0 or more (on the command line: --workers)",
        )
    require("ray", "Work on a cluster")
    if address is None:
        # Read by Ray when it is imported and by what it starts: without them it listens on every address.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as later versions do; else it warns
    import ray

    if ray.is_initialized():
        joined = ray.get_runtime_context().gcs_address
        if address not in (None, joined):
            raise ClusterError(
                "A process drives one cluster at a time", f"{address} beside {joined}", "Leave that one first"
            )
        yield Joined(address, workers or max(cores_of_cluster(), 1))
        return
    try:
        if address is None:
            ray.init(
                "local",
                num_cpus=workers or cores(),
                object_store_memory=STORE,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
            )
        else:
            _probe(address)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, ClusterError | SettingError):
            raise
        raise _refused(address, str(error)) from error
    try:
        yield Joined(address, workers or max(cores_of_cluster(), 1))
    finally:
        ray.shutdown()


def cores_of_cluster() -> int:
    """Returns the cores of the machines that are in the cluster now."""
    import ray

    resources: Any = ray.cluster_resources  # untyped
    return int(resources().get("CPU", 0))


def _probe(address: str) -> None:
    """Joins in a process of its own, which can be ended: Ray itself tries for many minutes.

    Raises:
        SettingError: no address.
        ClusterError: nobody answers, or not as Ray does.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise SettingError(
            "An address is HOST:PORT of the head of a Ray cluster",
            repr(address),
            "Pass the address that `ray start --head` printed, on a machine of the cluster",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN).close()
    except OSError as error:
        raise _refused(address, str(error)) from error
    try:
        command = [sys.executable, "-c", _JOIN, address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=JOINS_WITHIN)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise _refused(address, f"no answer of Ray's within {JOINS_WITHIN} seconds") from error
    if done.returncode:
        raise _refused(address, (done.stderr.strip().splitlines() or ["no reason given"])[-1])


def _refused(address: str | None, reason: str) -> ClusterError:
    if address is None:
        return ClusterError(
            "Ray starts on this machine",
            reason,
            "Free memory and disk, or work without a cluster (local_runner, or --engine local)",
        )
    return ClusterError(
        "A Ray cluster answers at its address, and this machine is part of it",
        f"{address}: {reason}",
        "Start one with `ray start --head` and join with `ray start --address`, or leave address "
        "(--address) out to use the cores of this machine",
    )
