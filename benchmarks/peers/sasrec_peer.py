"""This program fits RecTools' SASRec in an environment of its own, and says what it found in a line of JSON.

Knows nothing of butaca: it reads pairs of codes with times from an .npz, fits, and writes the vectors of
users and items whose products are its scores. With pairs to find (`valid_user`, `valid_item`) it judges
itself after each epoch by NDCG@10 and keeps the best epoch's vectors; without, it fits so many epochs.

Seconds are the processor's, for training: reading the pairs and judging are left out. What has the same time
has no order, so a seeded draw says which comes first.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning  # type: ignore[import-not-found]
import torch  # type: ignore[import-not-found]
from rectools import Columns  # type: ignore[import-not-found]
from rectools.dataset import Dataset  # type: ignore[import-not-found]
from rectools.models import SASRecModel  # type: ignore[import-not-found]

K, PATIENCE, CHUNK = 10, 15, 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="JSON: arguments of SASRecModel")
    parser.add_argument("--out", type=Path, required=True, help="where the vectors go, .npz")
    parser.add_argument("--epochs", type=int, required=True, help="at most, where there are pairs to find")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no epoch after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(args.threads)
    pytorch_lightning.seed_everything(args.seed, verbose=False)
    data = dict(np.load(args.data))
    found = fit(data, json.loads(args.settings), args)
    names = ("rectools", "torch", "pytorch-lightning", "numpy")
    versions = {"python": platform.python_version(), **{name: version(name) for name in names}}
    print(json.dumps({**found, "versions": versions}))


def fit(data: dict[str, Any], settings: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Fits epoch after epoch, and writes the vectors of the best one, or of the last."""
    log = in_order(data, args.seed)
    begin = time.process_time()
    dataset = Dataset.construct(log)
    model = SASRecModel(**settings, epochs=1, verbose=0, recommend_torch_device="cpu")
    spent = time.process_time() - begin
    judged = "valid_user" in data
    curve: list[tuple[float, float]] = []
    epochs, best, since = 0, -1.0, 0
    while epochs < args.epochs:
        begin = time.process_time()
        model.fit_partial(dataset, min_epochs=1, max_epochs=1)
        spent += time.process_time() - begin
        epochs += 1
        if judged:
            made = vectors(model, data, log)
            value = ndcg(made, data)
            curve.append((spent, value))
            since = 0 if value > best else since + 1
            if since == 0:
                best = value
                np.savez(args.out, **made)
            if since >= PATIENCE or spent > args.seconds:
                break
    if not judged:
        np.savez(args.out, **vectors(model, data, log))
    return {"curve": curve, "epochs": epochs, "seconds": spent, "still_rising": judged and since < PATIENCE}


def in_order(data: dict[str, Any], seed: int) -> Any:
    """Returns the pairs as RecTools takes them, by user and time, equal times as drawn."""
    drawn = np.random.default_rng(seed).permutation(len(data["user"]))
    drawn = drawn[np.lexsort((data["time"][drawn], data["user"][drawn]))]
    # Times are read by RecTools for nothing but their order, which the rows have.
    return pd.DataFrame(
        {
            Columns.User: data["user"][drawn],
            Columns.Item: data["item"][drawn],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(np.arange(len(drawn)), unit="s"),
        }
    )


def vectors(model: Any, data: dict[str, Any], log: Any) -> dict[str, Any]:
    """Returns float32 vectors of all users and items, and which items the model knows.

    A user whose history it can't read has zeros.
    """
    n_users, n_items = (int(n) for n in data["shape"])
    inner = np.zeros(n_items, dtype=np.int64)  # 0 is the padding
    external = model.data_preparator.get_known_item_ids().astype(np.int64)
    inner[external] = model.data_preparator.get_known_items_sorted_internal_ids()
    known = np.zeros(n_items, dtype=bool)
    known[external] = True
    rows = log[known[log[Columns.Item].to_numpy()]]
    user, item = rows[Columns.User].to_numpy(), inner[rows[Columns.Item].to_numpy()]
    sessions = np.zeros((n_users, model.session_max_len), dtype=np.int64)
    place = np.searchsorted(user, user, side="right") - 1 - np.arange(len(user))  # 0 is the last
    kept = place < model.session_max_len
    sessions[user[kept], model.session_max_len - 1 - place[kept]] = item[kept]
    has = np.flatnonzero(sessions[:, -1])
    net = model.torch_model.eval()
    queries = np.zeros((n_users, model.n_factors), dtype=np.float32)
    with torch.no_grad():
        table = net.item_model.get_all_embeddings()
        for at in range(0, len(has), CHUNK):
            some = has[at : at + CHUNK]
            out = net.encode_sessions({"x": torch.from_numpy(sessions[some])}, table)[:, -1, :]
            queries[some] = net.similarity_module.session_tower_forward(out).numpy()
        items = net.similarity_module.item_tower_forward(table).numpy()[inner]
    net.train()
    return {"queries": queries, "items": items.astype(np.float32), "known": known}


def ndcg(made: dict[str, Any], data: dict[str, Any]) -> float:
    """Returns NDCG@10 of a pair to find for each user, training's items left out, ties against the model."""
    user, item = data["valid_user"], data["valid_item"]
    start = np.searchsorted(data["user"], np.arange(int(data["shape"][0]) + 1))
    gain = 0.0
    for at in range(0, len(user), CHUNK):
        users, wanted = user[at : at + CHUNK], item[at : at + CHUNK]
        scores = made["queries"][users] @ made["items"].T
        scores[:, ~made["known"]] = -np.inf
        for row, u in enumerate(users):
            scores[row, data["item"][start[u] : start[u + 1]]] = -np.inf
        own = scores[np.arange(len(users)), wanted]
        rank = (scores >= own[:, None]).sum(axis=1) - 1
        hit = (rank < K) & np.isfinite(own)
        gain += float(np.sum(np.where(hit, 1 / np.log2(rank + 2.0), 0.0)))
    return gain / len(user)


if __name__ == "__main__":
    main()
