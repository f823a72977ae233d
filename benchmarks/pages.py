"""This module writes what a benchmark found: tables in Markdown, sections of a page, a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from butaca.referee.tables import markdown

__all__ = ["finish", "markdown", "settled", "write", "write_section"]


def write(path: Path | None, text: str) -> None:
    """Writes a page, and makes its folder."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")


def settled(text: str) -> str:
    """Returns paragraphs with single blank lines between and one newline at the end."""
    return "\n\n".join(part.strip("\n") for part in text.split("\n\n") if part.strip()) + "\n"


def write_section(path: Path | None, name: str, *, text: str) -> None:
    """Puts text between a page's marks for a section, and leaves the rest as it is."""
    if path is None:
        return
    first, last = f"<!-- {name}: written by the command -->\n", f"<!-- end of {name} -->\n"
    page = path.read_text(encoding="utf8") if path.exists() else ""
    if first not in page:
        page += f"\n{first}{last}"
    before, rest = page.split(first, 1)
    _, after = rest.split(last, 1)
    write(path, f"{before}{first}\n{settled(text)}\n{last}{after}")


def finish(found: Mapping[str, Any], out: Path | None) -> None:
    """Prints the line of JSON that a benchmark ends with, and writes it to `out` if asked."""
    line = json.dumps(found)
    write(out, line + "\n")
    print(line)
