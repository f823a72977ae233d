"""This program trains implicit's ALS on train.tsv and writes its vectors, in the peers' environment.

Knows nothing of butaca: it reads (user, title) pairs, and writes what implicit calls user_factors and
item_factors with their ids, as `butaca import-vectors` takes them. Settings are implicit's own.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-not-found]
from scipy.sparse import csr_matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.tsv")
    parser.add_argument("--vectors", type=Path, required=True, help="the .npz to write")
    args = parser.parse_args()
    lines = (args.data / "train.tsv").read_text(encoding="utf8").splitlines()
    users, items = (np.array(column) for column in zip(*(line.split("\t") for line in lines), strict=True))
    user_ids, user = np.unique(users, return_inverse=True)
    item_ids, item = np.unique(items, return_inverse=True)
    seen = csr_matrix((np.ones(len(user), np.float32), (user, item)))
    model = AlternatingLeastSquares(random_state=42, num_threads=1)
    model.fit(seen, show_progress=False)
    np.savez(
        args.vectors,
        user_factors=model.user_factors,
        item_factors=model.item_factors,
        user_ids=user_ids,
        item_ids=item_ids,
    )
    print(version("implicit"))


if __name__ == "__main__":
    main()
