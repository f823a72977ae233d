"""This script checks what npm would publish: `python -m clients.packed --tag v0.1.0`; `make clients` runs it.

It needs npm, and neither packs nor sends anything.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from typing import Any

from clients.made import FOLDER, NOTE, digest

#: What ships: the compiled modules, their types, and what npm adds by itself.
SHIPS = {
    "LICENSE",
    "README.md",
    "lib/client.d.ts",
    "lib/client.js",
    "lib/types.d.ts",
    "lib/types.js",
    "package.json",
}


def main() -> int:
    """Checks version, compiled files and contents; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="a tag that must name the version, such as v0.1.0")
    asked = parser.parse_args()
    command = ["npm", "pack", "--dry-run", "--json", "--ignore-scripts"]
    said = subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True).stdout
    (packed,) = json.loads(said)
    wrong = faults(packed, tag=asked.tag)
    if digest() not in NOTE.read_text(encoding="utf-8"):
        wrong.append("lib/ was compiled from other sources. Run: make clients")
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    print(f"{packed['filename']}: {packed['size'] / 1e3:.1f} kB, {', '.join(sorted(SHIPS))}")
    return 0


def faults(packed: Mapping[str, Any], *, tag: str | None = None) -> list[str]:
    """Returns what is wrong with what npm would pack, a line each; nothing where it is as it should be.

    Args:
        packed: as `npm pack --json` says it.
        tag: a tag that must name the version; None is any.
    """
    files = {file["path"] for file in packed["files"]}
    out = [f"{name} ships and should not" for name in sorted(files - SHIPS)]
    out += [f"{name} does not ship and should" for name in sorted(SHIPS - files)]
    text = (FOLDER.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    version = tomllib.loads(text)["project"]["version"]
    if packed["version"] != version:
        out.append(f"The client's version is butaca's, {version}. Received: {packed['version']}.")
    if tag and tag != f"v{version}":
        out.append(f"The tag is that of the version: v{version}. Received: {tag}.")
    return out


if __name__ == "__main__":
    sys.exit(main())
