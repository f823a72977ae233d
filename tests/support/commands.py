"""The command as a person runs it, and code that is run alone: each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command

from tests.support.forks import run


def butaca(*arguments, cwd, ok=True, **env):
    done = run(*arguments, cwd=cwd, env=os.environ | {"COLUMNS": "100"} | env)
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def loaded_after(code: str) -> set[str]:
    """Returns the top-level modules that are loaded once a process of its own has run this."""
    script = f"{code}\nimport sys\nprint(' '.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def commands_of(app: Typer, *names: str) -> Mapping[str, Any]:
    """Returns the commands of an application by name, or those of a group in it, such as "data"."""
    found: Any = get_command(app)
    for name in names:
        found = found.commands[name]
    assert isinstance(found, TyperGroup)
    return found.commands
