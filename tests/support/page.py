"""This module reads the page as its tests do, asks page_checks.js, and answers in the service's place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

CHECKS = Path(__file__).with_name("page_checks.js").read_text("utf-8")
expect.set_options(timeout=10_000)  # of machines that do other things too


def rows(page: Page) -> Locator:
    """The recommended films, once the list has come to rest."""
    expect(page.locator("#list")).to_have_attribute("aria-busy", "false")
    return page.locator("#list > li")


def check(page: Page, name: str) -> Any:
    """Ask page_checks.js."""
    return page.evaluate(f"({CHECKS}).{name}()")


def answer_with(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None, times: int = 99
) -> Any:
    """A route's handler that answers so, the first few times."""
    left = [times]

    def handle(route: Route) -> None:
        if left[0] <= 0:
            route.continue_()
            return
        left[0] -= 1
        route.fulfill(
            status=status,
            headers={"content-type": "application/problem+json", **(headers or {})},
            body=json.dumps(body),
        )

    return handle
