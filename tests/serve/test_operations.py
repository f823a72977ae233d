"""What who runs the service does: versions, sockets, proxies, units, signals, keys, copies."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from butaca.errors import SettingError, StoreError, UnknownEntityError
from butaca.events.store import EventStore
from butaca.serve.registry import Registry
from butaca.serve.server import bind_socket_file
from butaca.serve.settings import ServeSettings
from butaca.workflows.serve_plan import ServePlan
from butaca.workflows.serving import carry_out_serve
from tests.support.commands import butaca
from tests.support.forks import BUTACA, start
from tests.support.serving import serve, small

DOCS = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    small().save(tmp_path / "model")
    return tmp_path


# Versions


def answering(folder, **named):
    registry = Registry({"m": folder / "model"}, **named)
    try:
        return registry.serving.default.version
    finally:
        registry.close()


def fitted_again(folder, seed):
    small(seed).save(folder / "model")
    return json.loads((folder / "model" / "manifest.json").read_text())


def test_the_chosen_version_survives_a_restart_though_its_folder_was_overwritten(folder):
    registry = Registry({"m": folder / "model"})
    old = registry.serving.default.version
    fitted_again(folder, 1)
    new = next(v["version"] for v in registry.versions() if not v["loaded"])
    registry.activate(new)
    registry.activate(old)
    again = Registry({"m": folder / "model"})
    assert again.serving.default.version == old
    assert {v["version"] for v in again.versions()} == {old, new}
    again.activate(new)  # and back
    assert answering(folder) == new
    assert answering(folder, version=old) == old  # pinned
    assert answering(folder) == new
    with pytest.raises(UnknownEntityError, match=new):
        Registry({"m": folder / "model"}, version="0123456789ab")


def kept(folder):
    return {f.name for f in (folder / ".model.versions").iterdir() if f.is_dir()}


def test_without_a_choice_the_folder_answers_and_what_nobody_goes_back_to_is_deleted(folder):
    versions = [answering(folder)]
    for seed in (1, 2, 3):
        fitted_again(folder, seed)
        versions.append(answering(folder))
    assert len(set(versions)) == 4
    assert kept(folder) == set(versions[1:])  # a fit and a restart each day fill no disk
    registry = Registry({"m": folder / "model"})
    registry.activate(versions[1])
    assert kept(folder) == {versions[1], versions[3]}
    shutil.rmtree(folder / ".model.versions" / versions[1])
    assert answering(folder) == versions[3]  # what was chosen is gone: it says so in the log


def test_which_of_two_models_answers_survives_too(folder):
    small(1).save(folder / "other")
    folders = {"a": folder / "model", "b": folder / "other"}
    registry = Registry(folders)
    registry.activate(registry.serving.active["b"].version)
    assert Registry(folders).serving.default.name == "b"
    assert Registry(folders, {"a": 0.5, "b": 0.5}).serving.default.name == "a"


def test_a_folder_that_may_not_be_written_beside_is_served(folder, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
    registry = Registry({"m": folder / "model"})
    registry.activate(registry.serving.default.version)
    assert not (folder / ".model.versions").exists()


# Plans


def test_python_has_what_the_command_decides(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(SettingError, match=r"needs API keys.*--host 0\.0\.0\.0"):
        carry_out_serve(ServePlan({"m": Path("model")}, ServeSettings(host="0.0.0.0", port=0)))
    with pytest.raises(SettingError, match="has a model"):
        ServePlan({})
    plan = ServePlan({"m": Path("model")}, ServeSettings(uds="s"))
    assert plan.beyond == ""
    plan.check_keys(False, "events.db")


# Sockets, proxies, units


def over(path, method="GET", to="/health/live", **keywords):
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as http:
        return http.request(method, f"http://localhost{to}", **keywords)


@contextlib.contextmanager
def serving(folder, *arguments, path):
    """`butaca serve` on a UNIX socket."""
    process = start("serve", "model", "--uds", path, *arguments, cwd=folder)
    try:
        while not path.is_socket():
            assert process.poll() is None
            time.sleep(0.05)
        over(path)
        yield process
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_a_unix_socket(folder):
    path = folder / "s"
    with serving(folder, path=path):
        assert path.stat().st_mode & 0o777 == 0o660
        assert over(path, "POST", "/v1/recommend", json={"user": "u01"}).json()["source"] == "user"
        assert over(path, headers={"via": "1.1 proxy"}, to="/v1/map").status_code == 403
        with pytest.raises(SettingError, match="another program listens"):
            bind_socket_file(path)
    assert not path.exists()
    link = socket.socket(socket.AF_UNIX)
    link.bind(str(path))
    link.close()  # left by one that was killed
    bind_socket_file(path).close()
    (folder / "file").write_text("mine")
    with pytest.raises(SettingError):
        bind_socket_file(folder / "file")
    assert (folder / "file").read_text() == "mine"


def block(language, mark):
    """A block of docs/service.md that holds a mark."""
    return next(b for b in re.findall(rf"```{language}\n(.*?)```", DOCS, flags=re.S) if mark in b)


@contextlib.contextmanager
def nginx(folder, server):
    found = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(found).exists():
        pytest.skip("nginx is not installed")
    temporary = " ".join(
        f"{k}_temp_path {folder}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = f"daemon off; pid {folder}/pid; error_log {folder}/err; events {{}} user root;"
    text = text if os.geteuid() == 0 else text.replace(" user root;", "")
    (folder / "n.conf").write_text(f"{text} http {{ access_log off; {temporary}\n{server}\n}}")
    process = subprocess.Popen([found, "-c", str(folder / "n.conf")], stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def free():
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return link.getsockname()[1]


@pytest.mark.parametrize("prefix", ["", "/films"])
def test_the_documented_proxy(folder, prefix):
    """The block of the docs as it stands, but for its port, without TLS; and under a prefix."""
    with EventStore.open(str(folder / "events.db")) as store:
        headers = {"x-api-key": store.keys.create("all", ["admin"])}
    options = ["--host-name", "films.example", "--trusted-proxy", "127.0.0.1"]
    options += ["--root-path", prefix] if prefix else []
    with serve("model", *options, cwd=folder) as server:
        port, at = free(), server.url.removeprefix("http://")
        text = block("nginx", "proxy_pass").replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
        text = re.sub(r"\s*ssl_certificate.*;", "", text).replace("127.0.0.1:8000", at)
        if prefix:
            text = text.replace("location / {", f"location {prefix}/ {{")
        with nginx(folder, text):
            base = f"http://127.0.0.1:{port}{prefix}"
            host = {"host": "films.example"}
            page = httpx.get(f"{base}/", headers=host)
            assert page.status_code == 200
            style = re.findall(r'href="([^"]*base\.css)"', page.text)[0]
            assert httpx.get(f"{base}/{style}", headers=host).status_code == 200
            assert httpx.get(f"{base}/v1/map", headers=host).status_code == 401
            assert httpx.get(f"{base}/v1/map", headers=host | headers).status_code == 200
            other = headers | {"host": "evil.example"}
            assert httpx.get(f"{base}/v1/map", headers=other).status_code == 400
            odd = httpx.get(f"{base}/v1/users/AC%2FDC/history", headers=host | headers)
            assert odd.json()["user"] == "AC/DC"


def test_a_proxy_that_nobody_thought_of_opens_nothing(folder):
    """nginx as it is: it sends Host as this machine's, and no word of who asks."""
    with serve("model", cwd=folder) as server:
        port, at = free(), server.url.removeprefix("http://")
        with nginx(folder, f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{at}; }} }}"):
            for path in ("/v1/users/ana/history", "/v1/map", "/"):
                assert httpx.get(f"http://127.0.0.1:{port}{path}").status_code == 403
            assert httpx.delete(f"http://127.0.0.1:{port}/v1/users/ana").status_code == 403
        assert httpx.get(f"{server.url}/v1/map").status_code == 200


def test_the_documented_unit_is_one_that_systemd_takes(tmp_path):
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd is not installed")
    unit = block("ini", "[Service]")
    program = str(BUTACA)
    unit = re.sub(r"ExecStart=\S+", f"ExecStart={program}", unit)
    unit = re.sub(r"^(User|Group)=.*\n", "", unit, flags=re.M)
    (tmp_path / "butaca.service").write_text(unit)
    run = subprocess.run([found, "verify", tmp_path / "butaca.service"], capture_output=True, text=True)
    ours = [line for line in run.stderr.splitlines() if "butaca.service" in line]
    assert ours == [], run.stderr
    command = re.findall(r"^ExecStart=(.*)$", unit, flags=re.M)[0].split()
    assert command[1] == "serve"
    help_ = subprocess.run(
        [program, "serve", "--help"], capture_output=True, text=True, env=os.environ | {"COLUMNS": "300"}
    )
    for option in (word for word in command if word.startswith("--")):
        assert option in help_.stdout


# Signals


@pytest.mark.parametrize("delay", [0.05, 0.4, 0.8, 1.2, 2.0])
def test_sigterm_ends_it_at_any_moment_as_process_1_too(folder, delay):
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a process 1 of one's own needs root")
    command = [
        "unshare",
        "-p",
        "-f",
        "--mount-proc",
        "--kill-child",
        str(BUTACA),
        "serve",
        "model",
        "--port",
        "0",
    ]
    outer = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        inner = None
        while inner is None:
            told = children.read_text().split()
            inner = int(told[0]) if told else None
        while (
            b"serve" not in Path(f"/proc/{inner}/cmdline").read_bytes()
            or b"unshare" in Path(f"/proc/{inner}/cmdline").read_bytes()
        ):
            time.sleep(0.001)
        time.sleep(delay)
        sent = 0
        while outer.poll() is None and sent < 40:  # the first moments are Python's own
            with contextlib.suppress(ProcessLookupError):
                os.kill(inner, signal.SIGTERM)
            sent += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                outer.wait(0.2 if delay < 0.8 else 15)
        assert outer.poll() is not None
        assert sent == 1 or delay < 0.8  # Python itself takes half a second to start on a busy machine
    finally:
        outer.kill()
        outer.wait()


def test_a_service_whose_store_hangs_ends_when_told(folder):
    """Threads that wait for ever keep nothing from ending."""
    script = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from butaca.events.store import EventStore\n"
        "EventStore.log_recommendations = EventStore.history = lambda *_, **__: time.sleep(1000)\n"
        "from butaca.serve import server\n"
        "server.GRACE = 1\n"
        "from butaca.workflows.serve_plan import ServePlan\n"
        "from butaca.workflows.serving import carry_out_serve\n"
        "from butaca.serve.settings import ServeSettings\n"
        "plan = ServePlan({'m': Path('model')}, ServeSettings(port=0, events='e.db'))\n"
        "carry_out_serve(plan, lambda opened: print(opened.url, flush=True))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    for n in range(3):
        assert httpx.post(f"{url}/v1/recommend", json={"user": f"x{n}"}, timeout=10).json()["without_events"]
    started = time.monotonic()
    process.terminate()
    process.wait(40)
    assert time.monotonic() - started < 30
    process.stdout.close()


# Keys and copies, from the command line


def test_names_of_keys_are_shown_as_they_are(folder):
    names = ["[/b]", "[bold]x", "[red]ATTENTION[/red]", "x\ny", "\x1b[31mred", "naïve 🎬", "[eu] shop"]
    with EventStore.open(str(folder / "k.db")) as store:
        for name in names:
            store.keys.create(name)
    listed = butaca("keys", "list", "--events", "k.db", cwd=folder).stdout
    assert "\x1b" not in listed
    for said in ("[/b]", "[bold]x", "[red]ATTENTION[/red]", r"x\ny", r"\x1b[31mred", "naïve 🎬", "[eu] shop"):
        assert said in listed


def test_list_and_revoke_make_nothing(folder):
    before = sorted(folder.iterdir())
    for arguments in (["list"], ["revoke", "nope"], ["list", "--events", "x.db"]):
        run = butaca("keys", *arguments, cwd=folder, ok=False)
        assert "a store that is there" in " ".join(run.stderr.split())
    assert sorted(folder.iterdir()) == before


def test_keys_that_expire_and_a_first_key_of_an_open_service(folder):
    run = butaca("keys", "add", "guest", "--expires", "90d", "--events", "k.db", cwd=folder)
    assert "stays open until it is started again" in " ".join(run.stderr.split())
    assert "in use until 20" in butaca("keys", "list", "--events", "k.db", cwd=folder).stdout
    butaca("keys", "add", "guest", "--expires", "soon", "--events", "k.db", cwd=folder, ok=False)


def test_a_backup_of_a_running_service_and_its_restore(folder):
    with (
        serve("model", "--events", "events.db", cwd=folder) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        stop, done = threading.Event(), list[int]()

        def write():
            while not stop.is_set():
                n = len(done)
                answer = http.post(
                    "/v1/events", json={"events": [{"id": str(n), "user": "ana", "item": "i00"}]}
                )
                assert answer.status_code == 200
                done.append(n)

        writer = threading.Thread(target=write)
        writer.start()
        while len(done) < 20:
            time.sleep(0.01)
        before = len(done)
        run = butaca("events", "backup", "copy.db", cwd=folder)
        assert int(run.stdout.split()[0].replace(",", "")) >= before
        refused = butaca("events", "restore", "copy.db", cwd=folder, ok=False)
        assert "Stop the service" in refused.stderr
        stop.set()
        writer.join()
    restored = butaca("events", "restore", "copy.db", cwd=folder).stdout
    assert restored.split()[0] == run.stdout.split()[0]
    with EventStore.open(str(folder / "events.db")) as store:
        assert store.count() == int(restored.split()[0].replace(",", ""))
    with pytest.raises(StoreError):
        EventStore.open(f"sqlite:///{folder}")


def test_a_service_whose_keys_have_all_expired_does_not_open(folder):
    with EventStore.open(str(folder / "events.db")) as store:
        key = store.keys.create("guest", ["admin"], expires=0.5)
    time.sleep(1.6)
    with serve("model", cwd=folder) as server:
        assert any("Requests need an API key" in line for line in server.log)
        assert httpx.delete(f"{server.url}/v1/users/ana").status_code == 401
        assert httpx.get(f"{server.url}/v1/map", headers={"x-api-key": key}).status_code == 401
