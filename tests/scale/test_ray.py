"""A real Ray cluster of three raylets on loopback: the same bytes as one process, whoever is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

# Read when Ray is imported: else it takes 127.0.0.1 for the machine's own address.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import pytest
import ray
from ray.cluster_utils import Cluster
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.errors import ClusterError, SettingError, TableError
from butaca.scale import cluster as joining
from butaca.scale import ray_runner as running
from butaca.scale.batch import ListSettings, lists, write_lists
from butaca.scale.cluster import cluster
from butaca.scale.pool import Here
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.ray_runner import RayRunner
from tests.support.boards import checkerboard
from tests.support.lists import contents, made, rows_of
from tests.support.prepared import contents as all_contents
from tests.support.prepared import csv

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers don't have the tests

NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}
WAITS = 60.0  # seconds, at most


@pytest.fixture(scope="module")
def raylets():
    """Three raylets of one core each, which this process has joined."""
    soon = {"health_check_period_ms": 1000, "health_check_failure_threshold": 3}  # else 15 s to miss a raylet
    head = {**NODE, "include_dashboard": False, "_system_config": soon}
    three = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            three.add_node(wait=False, **NODE)
        three.wait_for_nodes(WAITS)
        with cluster(three.address) as joined:
            assert joined.workers == 3
            yield three
    finally:
        three.shutdown()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return made(checkerboard(60, 16), n_unknown=3).save(tmp_path_factory.mktemp("m") / "model")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three files, in which u0 has a film twice."""
    folder = tmp_path_factory.mktemp("source") / "in"
    folder.mkdir()
    for n in range(3):
        lines = [
            f"u{u},i{i},{1 + (u + i) % 5},{100 * u + i}" for u in range(n, 60, 3) for i in range(u % 7 + 2)
        ]
        csv(folder / f"{n}.csv", *lines, f"u0,i0,5,{n}")
    return folder


@pytest.fixture(scope="module")
def prepared(source, tmp_path_factory):
    """As one process prepares."""
    out = tmp_path_factory.mktemp("prepared") / "p"
    prepare(source, out, settings=ASKED, runner=Here())
    return all_contents(out)


ASKED = Preparing(split="temporal", partitions=4)


HALVES = {  # what is there when some of a task's work is
    "read": "read/*/rows/p=*/*",
    "sort": "sorted/{:05d}-*/item.npy",
    "lists": "{:05d}-*/*",
}


class Killing:
    """A function of which two tasks lose their worker once: SIGKILL, sent by the worker to itself.

    One midway, where some of what it writes is there and some is not; one with its work done and only the
    answer missing. Files say that it happened.
    """

    def __init__(self, function, folder):
        self.function, self.folder = function, folder
        self.__name__ = self.__qualname__ = function.__name__

    def __call__(self, task):
        if self.__name__ in HALVES and self.first("midway"):
            sys.setprofile(lambda frame, event, of: self.half(task) if event == "c_return" else None)
            self.function(task)
            raise AssertionError("it was not killed")
        if self.first("over"):
            self.function(task)
            os.kill(os.getpid(), signal.SIGKILL)
        return self.function(task)

    def first(self, when):
        try:
            os.close(os.open(self.folder / f"{self.__name__} {when}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def half(self, task):
        if list(task.work.glob(HALVES[self.__name__].format(task.number))):
            os.kill(os.getpid(), signal.SIGKILL)


class Deadly(RayRunner):
    """Ray's tasks, two of each stage that writes killed, and one that counts."""

    def __init__(self, folder):
        super().__init__(3)
        folder.mkdir()
        self.folder = folder

    def map(self, function, tasks):
        if function.__name__ in ("moments", "sha256"):  # these only read
            return super().map(function, tasks)
        killing = Killing(function, self.folder)

        def run(task):
            return killing(task)

        return super().map(run, tasks)


def test_it_is_three_machines_on_loopback(raylets):
    nodes = [node for node in ray.nodes() if node["Alive"]]
    assert len(nodes) == 3
    assert {node["NodeManagerAddress"] for node in nodes} == {"127.0.0.1"}


def test_preparing_gives_the_bytes_of_one_process(raylets, source, prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(source.parent)  # the raylets were started elsewhere
    asked = ["--split", "temporal", "--partitions", "4", "--engine", "ray", "--workers", "2"]
    done = CliRunner().invoke(
        app,
        ["data", "prepare", source.name, "--out", str(tmp_path / "p"), *asked, "--address", raylets.address],
    )
    assert done.exit_code == 0, done.output
    assert all_contents(tmp_path / "p") == prepared


def test_preparing_with_workers_killed_in_each_stage(raylets, source, prepared, tmp_path):
    prepare(source, tmp_path / "p", settings=ASKED, runner=Deadly(tmp_path / "killed"))
    assert all_contents(tmp_path / "p") == prepared
    stages = {"read", "sort", "count", "place"}
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {
        *(f"{stage} over" for stage in stages),
        "read midway",
        "sort midway",
    }


def test_lists_with_workers_killed(raylets, model, tmp_path):
    asked = ListSettings(6, part=9)
    write_lists(model, tmp_path / "here", settings=asked, runner=Here())
    write_lists(model, tmp_path / "ray", settings=asked, runner=Deadly(tmp_path / "killed"))
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {"lists midway", "lists over"}
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
    assert list(rows_of(tmp_path / "ray")) == [f"u{u:02d}" for u in range(60)]


def test_the_command_writes_lists_on_ray(raylets, model, tmp_path):
    done = CliRunner().invoke(
        app, ["batch", str(model), "--out", str(tmp_path / "l"), "-k", "3", "--engine", "ray"]
    )
    assert done.exit_code == 0, done.output
    assert "180 rows for 60 users" in done.output
    assert len(rows_of(tmp_path / "l")) == 60


def test_the_first_error_is_raised_as_it_was(raylets, tmp_path):
    path = csv(tmp_path / "t.csv", "u1,i1,5,1", "u1,i2,five,1", "u2,i2,5,1")
    with pytest.raises(TableError, match="'five' in column 'rating', line 3"):
        prepare(path, tmp_path / "p", settings=ASKED, runner=RayRunner(3))
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_a_task_whose_worker_always_dies_is_an_error(raylets, monkeypatch):
    monkeypatch.setattr(running, "RETRIES", 1)

    def dies(task):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ClusterError, match="one that failed 2 times"):
        list(RayRunner(3).map(dies, [1]))


def sleeps(task):
    time.sleep(task)


def test_a_cluster_without_a_core_is_an_error_in_time(raylets, monkeypatch):
    monkeypatch.setattr(running, "LOOKS_EVERY", 0.1)
    monkeypatch.setattr(running, "cores_of_cluster", lambda: 0)
    began = time.monotonic()
    with pytest.raises(ClusterError, match="Tasks run on the cores"):
        list(RayRunner(3, patience=0.3).map(sleeps, [4]))
    assert time.monotonic() - began < 10


def test_no_more_tasks_at_a_time_than_workers(raylets, tmp_path):
    def alone(task):
        mark = tmp_path / "busy"
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))  # fails while another has it
        time.sleep(0.02)
        mark.unlink()
        return task

    assert list(RayRunner(1).map(alone, range(8))) == list(range(8))


def test_a_raylet_that_is_lost_in_mid_work(raylets, model, tmp_path):
    """The last of the cluster's tests: afterwards it has two."""
    lost = max(raylets.worker_nodes, key=lambda node: node.raylet_socket_name)
    (its,) = (n["NodeID"] for n in ray.nodes() if n["RayletSocketName"] == lost.raylet_socket_name)
    asked, places = ListSettings(6, part=9), tmp_path / "places"
    places.mkdir()
    write_lists(model, tmp_path / "here", settings=asked, runner=Here())

    def waiting(task):
        """Says where it runs, and waits for the loss; on the raylet that is lost, for its own end."""
        here = ray.get_runtime_context().get_node_id()
        (places / f"{here}-{task.number}").touch()
        until = time.monotonic() + WAITS
        while (here == its or not (places / "go").exists()) and time.monotonic() < until:
            time.sleep(0.02)
        return lists(task)

    class Waiting(RayRunner):
        def map(self, function, tasks):
            return super().map(waiting, tasks)

    def lose():
        until = time.monotonic() + WAITS
        while not list(places.glob(f"{its}-*")) and time.monotonic() < until:
            time.sleep(0.02)
        raylets.remove_node(lost, allow_graceful=False)
        (places / "go").touch()

    losing = threading.Thread(target=lose)
    losing.start()
    write_lists(model, tmp_path / "ray", settings=asked, runner=Waiting(3))
    losing.join(WAITS)
    died = {path.name.split("-")[1] for path in places.glob(f"{its}-*")}
    again = [path.name.split("-")[1] for path in places.iterdir() if "-" in path.name]
    assert died
    assert all(again.count(number) > 1 for number in died)
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
    assert list(rows_of(tmp_path / "ray")) == [f"u{u:02d}" for u in range(60)]
    until = time.monotonic() + WAITS  # the cluster notices a little later
    while sum(node["Alive"] for node in ray.nodes()) > 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert sum(node["Alive"] for node in ray.nodes()) == 2


def test_another_cluster_while_this_one_is_joined_is_refused(raylets):
    with pytest.raises(ClusterError, match="one cluster at a time"), cluster("127.0.0.1:1"):
        pass


def test_without_an_address_it_starts_on_loopback_and_ends():
    """In a process of its own, which nothing told how."""
    code = (
        "from butaca.scale.prepare_settings import bytes_of\n"
        "from butaca.scale.ray_runner import ray_runner\n"
        "with ray_runner(None, 1) as runner:\n"
        "    import ray\n"
        "    (node,) = ray.nodes()\n"
        "    print(node['NodeManagerAddress'], runner.workers, *runner.map(bytes_of, ['3GB', '1GB']))\n"
        "assert not ray.is_initialized()\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, timeout=WAITS, check=True
    )
    assert done.stdout.split() == ["127.0.0.1", "1", "3000000000", "1000000000"]


def test_an_address_where_nobody_answers(model, tmp_path):
    """In a process of its own, which has joined nothing."""
    butaca = str(Path(sys.executable).with_name("butaca"))
    began = time.monotonic()
    done = subprocess.run(
        [
            butaca,
            "batch",
            str(model),
            "--out",
            str(tmp_path / "l"),
            "--engine",
            "ray",
            "--address",
            "127.0.0.1:1",
        ],
        capture_output=True,
        text=True,
        timeout=WAITS,
    )
    assert done.returncode == 1
    assert "A Ray cluster answers at its address" in done.stderr.replace("\n", " ")
    assert time.monotonic() - began < 20


def test_an_address_where_something_else_answers(monkeypatch):
    monkeypatch.setattr(joining, "JOINS_WITHIN", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ClusterError, match="no answer of Ray's within 2 seconds"):
            joining._probe(address)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("wrong", ["6379", "ray://127.0.0.1:10001", "127.0.0.1:", "127.0.0.1:99999", ":1"])
def test_wrong_addresses(wrong):
    with pytest.raises(SettingError, match="HOST:PORT"):
        joining._probe(wrong)


def test_wrong_workers():
    with pytest.raises(SettingError, match="--workers"), cluster(None, -1):
        pass
