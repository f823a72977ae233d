"""A fork of a process that has imported butaca is as one that Python started: what tests take it for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.forks import Fork, run, start
from tests.support.narrow import some


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("pass", 0, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no more')", 1, "no more\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os._exit(5)", 5, ""),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_python_does(code, status, said):
    done = run(code=code)
    assert done.returncode == status
    assert done.stderr.endswith(said)
    assert done.stdout == ""


def test_what_runs_as_it_ends_has_run():
    code = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'at exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
        "print('main')"
    )
    assert run(code=code).stdout.split("\n") == ["main", "thread", "at exit", ""]


def test_it_has_its_own_words_folder_and_environment(tmp_path):
    code = "import os, sys; print(sys.argv, os.getcwd(), os.environ.get('HERE'), __name__)"
    done = run("a", 1, code=code, cwd=tmp_path, env=os.environ | {"HERE": "yes"})
    assert done.stdout == f"['-c', 'a', '1'] {tmp_path} yes __main__\n"


def test_it_is_waited_for_and_killed(monkeypatch):
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")  # as Ray does: nothing reads it at import
    process = start(code="import time; print('up', flush=True); time.sleep(60)", stdout=subprocess.PIPE)
    assert isinstance(process, Fork) is (sys.platform == "linux")
    with some(process.stdout) as out:
        assert out.readline() == "up\n"
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait(10) == process.poll() == -signal.SIGKILL
    process.terminate()  # nobody is there any more


def test_settings_that_are_read_at_import_start_python_anew():
    env = os.environ | {"JAX_ENABLE_X64": "1"}
    process = start(code="import jax; raise SystemExit(2 + jax.config.jax_enable_x64)", env=env)
    assert isinstance(process, subprocess.Popen)
    assert process.wait(60) == 3
