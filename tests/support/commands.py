"""The command as a person runs it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BUTACA = Path(sys.executable).with_name("butaca")


def butaca(*arguments, cwd, ok=True, **env):
    run = subprocess.run(
        [BUTACA, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "100"} | env,
        check=False,
    )
    assert (run.returncode == 0) is ok, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    return run
