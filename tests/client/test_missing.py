"""Without httpx the client says which extra brings it, and the service starts as before."""

from __future__ import annotations

import subprocess
import sys

HIDING = "import sys; sys.modules['httpx'] = None\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDING + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_extra_is_named() -> None:
    done = run("import butaca.client")
    assert done.returncode == 1
    assert "butaca.client needs the extra client" in done.stderr
    assert "pip install 'butaca[client]'" in done.stderr


def test_nothing_else_needs_it() -> None:
    done = run("import butaca.cli.app, butaca.serve.app, butaca.serve.server, butaca.export.writing")
    assert done.returncode == 0, done.stderr
