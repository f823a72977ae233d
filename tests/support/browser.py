"""A real browser on the real service: Debian's chromium, and `butaca serve` in a process of its own."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.forks import run, start

#: Names under which chromium is installed, the likeliest first; the last is where macOS has it.
CHROMIUM = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no other host has an address
]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 1,
}


def find_chromium() -> str:
    for name in CHROMIUM:
        found = shutil.which(name)
        if found:
            return found
    raise pytest.fail.Exception(
        "The page is tested in a real browser, and none was found: install Debian's chromium "
        f"(apt install chromium), or put one of {', '.join(CHROMIUM)} on PATH"
    )


@dataclass(frozen=True)
class Served:
    """A running service."""

    url: str
    log: Path


@contextlib.contextmanager
def serving(model: Path, *options: object) -> Iterator[Served]:
    """`butaca serve` with a saved model, on a free port; its events and its log lie beside the model."""
    log = model.parent / "log.txt"
    command = ["serve", model, "--port", 0, "--events", model.parent / "events.db", *options]
    with log.open("w") as out:
        process = start(*command, stdout=subprocess.PIPE, stderr=out.fileno())
    try:
        assert process.stdout is not None
        url = None
        for line in process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                url = found[0]
                break
        assert url is not None, log.read_text()
        yield Served(url, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service with a model of MovieLens 100K, of one stage."""
    model = tmp_path_factory.mktemp("served") / "model"
    done = run("fit", "ml-100k", "--out", model, "--epochs", 8)
    assert done.returncode == 0, done.stdout + done.stderr
    with serving(model) as service:
        yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: its event loop must not outlive it, or asyncio.run fails in the tests that follow."""
    path = find_chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@dataclass
class Watched:
    """A page whose every complaint is kept.

    Attributes:
        page: Playwright's.
        complaints: errors of scripts, of the console and of the content security policy.
        abroad: requests to other hosts.
        expected: patterns of complaints that the test provokes.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def check(self) -> None:
        left = [c for c in self.complaints if not any(re.search(e, c) for e in self.expected)]
        assert left == []
        assert self.abroad == []


Visit = Callable[..., Watched]


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visit]:
    """visit("/?film=...", locale="es-ES", **PHONE): a page in a new profile, which must not complain."""
    contexts: list[BrowserContext] = []
    pages: list[Watched] = []

    def open_page(path: str = "/", before: Callable[[Page], None] | None = None, **options: Any) -> Watched:
        settings = {"locale": "en-US", **DESKTOP, **options}
        context = browser.new_context(**settings)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        watched = Watched(page)
        pages.append(watched)
        page.on("console", lambda m: watched.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((served.url, "data:")) else watched.abroad.append(r.url),
        )
        if before is not None:
            before(page)
        page.goto(served.url + path)
        return watched

    yield open_page
    for watched in pages:
        watched.check()
    for context in contexts:
        context.close()
