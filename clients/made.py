"""This script notes what clients/typescript/lib was compiled from: `make clients` runs it after the compiler.

The compiled files are kept, so that a page can take them as they are; a test holds the note to the sources.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).with_name("typescript")
NOTE = FOLDER / "lib" / "made-of.txt"


def digest() -> str:
    """Returns the checksum of everything that decides what the compiler writes."""
    paths = [*sorted((FOLDER / "src").glob("*.ts")), FOLDER / "tsconfig.json"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


if __name__ == "__main__":
    NOTE.write_text(f"sha256 of src/*.ts and tsconfig.json: {digest()}\n", encoding="utf-8")
