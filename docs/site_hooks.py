"""This module is what mkdocs calls while it builds the site: pages from the code, links to files outside."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

#: Files outside docs/ that are pages of the site, and where.
BROUGHT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}

#: Files that are copied as they are.
COPIED = {name: name for name in ("examples/widget.html", "examples/recomendacion_de_peliculas.ipynb")}

#: Where a link to what is no page leads instead.
INSTEAD = {"README.md": "index.md", "README.es.md": "index.md"}


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made from the code, and those that lie outside docs/."""
    sys.path[:0] = [str(ROOT)]  # mkdocs takes back what a hook adds while it is loaded
    from clients.generate import document
    from docs import reference
    from mkdocs.structure.files import File

    made = {
        "reference/cli.md": reference.cli(),
        "reference/routes.md": reference.routes(document()),
        "reference/settings.md": reference.settings(),
        "reference/api.md": reference.api(),
    }
    made |= {place: inward((ROOT / name).read_text(encoding="utf-8")) for name, place in BROUGHT.items()}
    made |= {place: (ROOT / name).read_text(encoding="utf-8") for name, place in COPIED.items()}
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Leads links out of docs/ to where the site has what they name."""
    up = "../" * page.file.src_uri.count("/")
    return outward(markdown, up)


def outward(markdown: str, up: str) -> str:
    """Returns a page of docs/ with links that stay in the site.

    >>> outward("[a](../README.md), [b](../../CONTRIBUTING.md#set-up), [c](x.md)", "")
    '[a](index.md), [b](contributing.md#set-up), [c](x.md)'
    """
    known: Mapping[str, str] = BROUGHT | COPIED | INSTEAD

    def led(found: re.Match[str]) -> str:
        place = known.get(found[1])
        return found[0] if place is None else f"]({up}{place}{found[2] or ''})"

    return re.sub(r"\]\((?:\.\./)+([\w./-]+?)(#[\w-]+)?\)", led, markdown)


def inward(markdown: str) -> str:
    """Returns a page from outside docs/ with links from within.

    >>> inward("[a](docs/x.md#y), [b](LICENSE)")
    '[a](x.md#y), b'
    """
    text = re.sub(r"\]\(docs/", "](", markdown)
    return re.sub(
        r"\[([^\]]*)\]\((?!https?:|#)([\w./-]+)\)",
        lambda m: m[0] if m[2].endswith((".md", ".svg", ".png")) else m[1],
        text,
    )
