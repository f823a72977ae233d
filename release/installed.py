"""This module tries a wheel as a stranger would: a new environment, `butaca demo`, and a service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Seconds that installing, the demo and the service's start may take, each.
PATIENCE = 900


def try_wheel(wheel: Path) -> None:
    """Installs a wheel with the extra `serve` into an environment of its own, and uses it.

    Raises:
        RuntimeError: a step fails; says which, with its output.
    """
    with tempfile.TemporaryDirectory(prefix="butaca-dist-") as name:
        place = Path(name)
        programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        venv.create(place / "venv", with_pip=True)
        step([programs / "python", "-m", "pip", "install", "--quiet", f"{wheel.resolve()}[serve]"], place)
        where = step(
            [programs / "python", "-c", "import butaca, sys; print(butaca.__file__, *sys.path)"], place
        )
        if str(place) not in where.split()[0]:
            raise RuntimeError(f"butaca was imported from {where}, and not from the wheel")
        print(step([programs / "butaca", "--version"], place).strip())
        lines = step([programs / "butaca", "demo", "--out", "model"], place).splitlines()
        print("demo:", next(line for line in lines if line.startswith("The model ")))
        print("demo:", next(line for line in lines if line.startswith("Done in ")))
        with serving(programs / "butaca", place) as url:
            print(answers_of(url))


def step(command: list[Any], place: Path) -> str:
    """Runs a command in a folder, without the variables that would lead it to another butaca."""
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    done = subprocess.run(
        list(map(str, command)), cwd=place, env=clean, capture_output=True, text=True, timeout=PATIENCE
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def serving(butaca: Path, place: Path) -> Iterator[str]:
    """Starts the service on a free port of this machine, and ends it; gives its address."""
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.Popen(
        [str(butaca), "serve", "model", "--port", "0"],
        cwd=place,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                until = time.monotonic() + PATIENCE
                while not _lives(found[0]) and time.monotonic() < until:
                    time.sleep(0.1)
                yield found[0]
                return
        raise RuntimeError("the service ended before it said where it listens")
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def answers_of(url: str) -> str:
    """Asks for the page, its scripts, an event and a list; says what came back.

    Raises:
        RuntimeError: an answer is not what an installed service gives.
    """
    page = _get(f"{url}/").decode()
    scripts = sorted(set(re.findall(r"static/[\w./-]+\.(?:js|css)", page)))
    if not scripts:
        raise RuntimeError("the page names no scripts")
    for name in scripts:
        _get(f"{url}/{name}")
    event = {"events": [{"id": "1", "user": "new", "item": "Toy Story (1995)"}]}
    stored = json.loads(_get(f"{url}/v1/events", event))
    answer = json.loads(_get(f"{url}/v1/recommend", {"user": "new", "k": 3}))
    titles = [item["title"] for item in answer["items"]]
    if stored["accepted"] != 1 or answer["source"] != "user" or len(titles) != 3:
        raise RuntimeError(f"the service answered {stored} and {answer}")
    return f"served: {len(page):,} bytes of page, {len(scripts)} files; after Toy Story: {', '.join(titles)}"


def _lives(url: str) -> bool:
    try:
        _get(f"{url}/health/ready")
    except OSError:
        return False
    return True


def _get(url: str, body: Any = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content
