"""This program chooses the peers' settings on validation: `python -m benchmarks.quality.tune`.

Every peer gets the same number of trials (Optuna, TPE, one seed) on the same validation slices, four times a
random tenth of the training data of the seed-42 split, and the same measure: NDCG@20, seen titles left
out, mean over users, mean over slices. The test pairs are never read. About half an hour on one core; what
it finds goes to benchmarks/quality/settings.json, peer by peer.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.child import run_child
from benchmarks.environment import PEERS, BenchmarkError
from benchmarks.quality.data import MEASURE, SETTINGS, SLICES_ARE, slices
from benchmarks.quality.peers import PEERS_SCRIPT, hand_over
from butaca import ButacaError

#: Fastest first.
NAMES = (
    *("truncated SVD", "item-kNN", "user-kNN", "RP3beta", "EASE", "EDLAE"),
    *("iALS", "implicit ALS", "SLIM", "implicit BPR"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trials", type=int, default=60, help="of each peer (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampler and the models (default 0)")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="PEER", help="these, the others kept")
    parser.add_argument("--out", type=Path, default=SETTINGS, help="where the settings go")
    args = parser.parse_args()
    progress = Console(stderr=True, highlight=False)
    try:
        tune(args.only or NAMES, args.trials, seed=args.seed, out=args.out, progress=progress)
    except (BenchmarkError, ButacaError) as error:
        progress.print(f"The tuning stopped. {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        progress.print("Interrupted.", style="red")
        return 130
    return 0


def tune(names: Sequence[str], trials: int, *, seed: int, out: Path, progress: Console) -> None:
    """Tunes each peer and keeps what it found at once."""
    python = PEERS.python(progress)
    with tempfile.TemporaryDirectory(prefix="butaca-bench-") as folder:
        data = Path(folder) / "pairs.npz"
        hand_over(data, *slices())
        for name in names:
            command = [str(python), "-I", str(PEERS_SCRIPT), "tune", "--data", str(data), "--peer", name]
            with progress.status(f"{name}: {trials} trials ..."):
                found = run_child([*command, "--trials", str(trials), "--seed", str(seed)], name)
            seconds, best = found.pop("seconds"), found.pop("best_trial")
            versions = found.pop("versions")
            keep(out, name, found=found, versions=versions)
            progress.print(
                f"{name}: NDCG@20 {found['validation']:.4f} at trial {best} of {found['trials']} "
                f"({seconds:.0f} s): {json.dumps(found['settings'])}",
                markup=False,
            )


def keep(out: Path, name: str, *, found: dict[str, Any], versions: dict[str, str]) -> None:
    """Writes one peer's outcome beside the others'."""
    known = json.loads(out.read_text(encoding="utf8"))["peers"] if out.exists() else {}
    known[name] = found
    content = {
        "measure": MEASURE,
        "slices": SLICES_ARE,
        "versions": versions,
        "peers": {n: known[n] for n in NAMES if n in known},
    }
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf8")


if __name__ == "__main__":
    sys.exit(main())
