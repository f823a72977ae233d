"""This module makes what PyPI shows of README.md: a page of PyPI has no files beside it to link to.

Links lead to the repository at the version's tag. Its address is `[project.urls] Repository` of
pyproject.toml, or that of the workflow which builds. Where neither names one, a link is its text, and a
picture is left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: A link or a picture to a file beside README.md, and not to an address or a place in the page.
BESIDE = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z][a-z0-9+.-]*:|#)([^)\s]+)\)")


def repository(project: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Returns the repository's address; empty where nothing names it.

    >>> repository({"urls": {"Repository": "https://example.org/butaca/"}}, {})
    'https://example.org/butaca'
    """
    told = project.get("urls", {}).get("Repository", "")
    server, name = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
    return (told or (f"{server}/{name}" if server and name else "")).rstrip("/")


def long_description(text: str, *, address: str, version: str) -> str:
    """Returns README.md's text with no link to a file beside it.

    >>> long_description("[how](docs/a.md#b) ![p](p.png)", address="https://example.org/b", version="1.0")
    '[how](https://example.org/b/blob/v1.0/docs/a.md#b) ![p](https://example.org/b/raw/v1.0/p.png)'
    >>> long_description("[how](docs/a.md) ![p](p.png)[x](#y)", address="", version="1.0")
    'how [x](#y)'
    """

    def led(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        if not address:
            return "" if picture else words
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/v{version}/{path})"

    return BESIDE.sub(led, text)


class LongDescription(MetadataHookInterface):
    """A LongDescription tells hatchling the readme, which pyproject.toml says is dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds the readme to the project's metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        address = repository(metadata, os.environ)
        text = long_description(text, address=address, version=metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
