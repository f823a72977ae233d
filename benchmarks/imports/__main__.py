"""This benchmark takes vectors of TFRS's own notebook, and of implicit: `python -m benchmarks.imports`.

Each peer trains in its own environment on the notebook's split of MovieLens 100K and writes an .npz; `butaca
import-vectors` reads it, judges it beside the baselines and the default recipe on the held-out ratings, and
writes a model. What TFRS evaluates of itself is held to what comes out here of its vectors.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.environment import HERE, PEERS, TFRS
from benchmarks.notebook.__main__ import SEED, hand_over
from benchmarks.pages import markdown, write_section
from butaca import load_movielens
from butaca.evaluate.judged import COLUMNS, figures
from butaca.workflows.importing import Imported, ImportPlan, carry_out_import
from butaca.workflows.loading import Columns


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--markdown", type=Path, help="a page whose table is written")
    args = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="butaca-imports-") as name:
        folder = Path(name)
        hand_over(load_movielens("100k"), folder)
        for side in ("train", "test"):
            as_csv(folder / f"{side}.tsv", folder / f"{side}.csv", head=["user_id", "movie_title"])
        as_csv(folder / "movies.txt", folder / "movies.csv", head=["movie_title"])
        console.print("TFRS trains the notebook ...")
        script = [str(HERE / "peers" / "tfrs_notebook.py"), "--data", name, "--metrics", "off"]
        more = ["--evaluations", "0", "--queries", "0", "--seed", str(SEED), "--vectors", f"{name}/tfrs.npz"]
        own = json.loads(output([str(TFRS.python(console)), "-I", *script, *more]).splitlines()[-1])
        console.print("implicit trains ALS ...")
        script = [str(HERE / "peers" / "implicit_vectors.py"), "--data", name]
        version = output([str(PEERS.python(console)), "-I", *script, "--vectors", f"{name}/implicit.npz"])
        tfrs, als = (imported(folder, peer) for peer in ("tfrs", "implicit"))
        low, high = as_tfrs_counts(tfrs, folder)
    assert tfrs.judged is not None
    theirs = own["metrics"]["factorized_top_k/top_100_categorical_accuracy"]
    kept = tfrs.judged.rows["seen kept"].top_k(100)
    console.print(
        f"top-100, seen kept: TFRS says {theirs:.4f} of itself; its vectors give {low:.4f} to {high:.4f} "
        f"counted so, {kept:.4f} among distinct titles, a pair once"
    )
    if not low <= theirs <= high:
        raise SystemExit("The vectors do not score as the model that they come from.")
    names = {
        f"TFRS {own['versions']['tensorflow-recommenders'].removeprefix('v')}, the notebook": tfrs,
        f"implicit {version.strip()}, ALS as it comes": als,
    }
    text = table(names)
    print(text)
    write_section(args.markdown, "imported vectors", text=text)
    return 0


def as_csv(tsv: Path, path: Path, *, head: list[str]) -> None:
    """Writes rows as a table that the command reads, each once."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        lines = dict.fromkeys(tsv.read_text(encoding="utf-8").splitlines())
        writer.writerows(line.split("\t") for line in lines)


def output(command: list[str]) -> str:
    """Returns what a peer's program prints; ends with what it says where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return done.stdout


def imported(folder: Path, peer: str) -> Imported:
    """Imports a peer's vectors, and judges them."""
    plan = ImportPlan(
        folder / f"{peer}.npz",
        folder / peer,
        train=str(folder / "train.csv"),
        test=str(folder / "test.csv"),
        columns=Columns(items=str(folder / "movies.csv")),
    )
    return carry_out_import(plan)


def as_tfrs_counts(found: Imported, folder: Path) -> tuple[float, float]:
    """Returns between which figures top-100 accuracy lies as FactorizedTopK counts it.

    It ranks among all movies, a repeated title twice. A pair's own title is among them too, with a score
    that rounding makes a little more or less than the pair's: so the hundredth place counts or does not.
    """
    model = found.recommender
    movies = (folder / "movies.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in (folder / "test.tsv").read_text(encoding="utf-8").splitlines()]
    users = model.users.ids.encode([user for user, _ in pairs])
    own = model.item_vectors[model.items.ids.encode([title for _, title in pairs])]
    candidates = model.item_vectors[model.items.ids.encode(movies)]
    hits = np.zeros(2)
    for at in range(0, len(pairs), 1_000):
        queries = model.user_vectors[users[at : at + 1_000]]
        positive = (queries * own[at : at + 1_000]).sum(axis=1)[:, None]
        above = (queries @ candidates.T > positive + 1e-6 * np.abs(positive)).sum(axis=1)
        hits += [(above < 99).sum(), (above < 100).sum()]
    low, high = hits / len(pairs)
    return float(low), float(high)


def table(found: dict[str, Imported]) -> str:
    """Returns the figures as a table of Markdown: the imported vectors, then what they stand beside."""
    rows = {}
    for name, one in found.items():
        assert one.judged is not None
        rows[name] = one.judged.rows["seen left out"]
    last = list(found.values())[-1].judged
    assert last is not None
    rows |= last.baselines
    cells = [[name, *(f"{value:.4f}" for value in figures(row).values())] for name, row in rows.items()]
    return markdown(["seen left out", *(label for *_, label in COLUMNS)], cells)


if __name__ == "__main__":
    sys.exit(main())
