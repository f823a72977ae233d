"""Takes the pictures of the page: `python docs/page_pictures.py URL` beside a running `butaca serve`.

Needs chromium on PATH and the dev extra. Writes docs/page.png, docs/page-map.png and docs/page-phone.png.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
FILMS = "/?film=Fargo+%281996%29&film=Toy+Story+%281995%29&film=Aladdin+%281992%29&less=Top+Gun+%281986%29"

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.5}
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


def main(url: str) -> None:
    """Take them."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
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
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
