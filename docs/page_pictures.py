"""Takes the pictures of the page: `python docs/page_pictures.py URL` beside a running `butaca serve`.

Needs chromium on PATH and the dev extra. Writes docs/page.png, docs/page-map.png and docs/page-phone.png;
with `--ranked`, beside a model of two stages (`butaca fit ml-100k --rank --effort quick`),
docs/page-ranked.png instead.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent
FILMS = "/?film=Fargo+%281996%29&film=Toy+Story+%281995%29&film=Aladdin+%281992%29&less=Top+Gun+%281986%29"
RANKED = "/?film=Alien+%281979%29&film=Psycho+%281960%29&film=Shining%2C+The+%281980%29&view=both"

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.5}
TALL = {"width": 1280, "height": 940}  # ten rows and the line below them
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
}


def keep(page: Page, name: str) -> None:
    """In few colours: a page of type has no more, and the file is a third of the size."""
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(FOLDER / name, optimize=True)


def one_stage(browser: Browser, url: str) -> None:
    """The list, the map, and the list on a phone."""
    page = browser.new_context(locale="en-US", **DESKTOP).new_page()
    page.goto(url + FILMS)
    page.wait_for_timeout(1500)
    keep(page, "page.png")
    page.locator("#map").evaluate("(node) => scrollTo({ top: node.offsetTop, behavior: 'instant' })")
    page.wait_for_timeout(2500)
    keep(page, "page-map.png")
    page = browser.new_context(locale="es-ES", **PHONE).new_page()
    page.goto(url + FILMS.partition("&less")[0])
    page.wait_for_timeout(1500)
    top = "(node) => scrollTo({ top: node.offsetTop + 8, behavior: 'instant' })"
    page.locator(".programme").evaluate(top)
    page.wait_for_timeout(500)
    keep(page, "page-phone.png")


def two_stages(browser: Browser, url: str) -> None:
    """The list before and after ranking."""
    page = browser.new_context(locale="en-US", **DESKTOP | {"viewport": TALL}).new_page()
    page.goto(url + RANKED)
    page.locator("#compare .after li").first.wait_for()
    page.wait_for_timeout(1000)
    keep(page, "page-ranked.png")


def main(url: str, take: Callable[[Browser, str], None]) -> None:
    """Take them."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take(browser, url)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="of the running service, such as http://127.0.0.1:8000")
    parser.add_argument("--ranked", action="store_true", help="page-ranked.png, of a model of two stages")
    asked = parser.parse_args()
    main(asked.url.rstrip("/"), two_stages if asked.ranked else one_stage)
