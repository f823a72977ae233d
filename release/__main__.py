"""This script checks what lies in dist/: `python -m release [--tag v0.1.0]`; `make dist` runs it."""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

from release.contents import ROOT, faults_of_sdist, faults_of_wheel, tracked
from release.installed import try_wheel


def main() -> int:
    """Checks names, contents and a fresh installation; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where sdist and wheel lie")
    parser.add_argument("--tag", help="a tag that must name the version, such as v0.1.0")
    parser.add_argument("--contents-only", action="store_true", help="install nothing")
    asked = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if asked.tag and asked.tag != f"v{version}":
        print(f"The tag is that of the version: v{version}. Received: {asked.tag}.", file=sys.stderr)
        return 1
    wheel = asked.dist / f"butaca-{version}-py3-none-any.whl"
    sdist = asked.dist / f"butaca-{version}.tar.gz"
    package = tracked()
    wrong = [f"{wheel.name}: {fault}" for fault in faults_of_wheel(wheel, package)]
    wrong += [f"{sdist.name}: {fault}" for fault in faults_of_sdist(sdist, package)]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    for path in (wheel, sdist):
        print(
            f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, the {len(package)} tracked files and no other"
        )
    if not asked.contents_only:
        try_wheel(wheel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
