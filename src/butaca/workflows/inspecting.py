"""This module says what a model folder holds: `butaca inspect`, and the same in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from butaca.recommend.folder.bundle import read_manifest, version_of
from butaca.recommend.parts import ModelParts
from butaca.recommend.recommender import Recommender
from butaca.workflows.about import chosen_sentences, held_out, split_record


def inspect_model(folder: Path) -> dict[str, Any]:
    """Returns what a model folder holds, after every file was checked against its checksum.

    Raises:
        BundleError: it is no model folder, or it is not whole.
    """
    manifest = read_manifest(folder)
    return folder_facts(manifest, Recommender.load(folder))


def folder_facts(manifest: dict[str, Any], recommender: ModelParts) -> dict[str, Any]:
    """Returns what there is to say of a model folder, as JSON values."""
    about = manifest["about"]
    items, users, pairs = recommender.items, recommender.users, recommender.pairs
    metrics = about.get("metrics", {})
    verdict = metrics.get("verdict", {})
    return {
        "version": version_of(manifest),
        "written by": f"butaca {manifest['butaca']}",
        "recipe": about.get("recipe"),
        "chosen": " ".join(chosen_sentences(about)) or None,
        "softmax": about.get("softmax"),
        "data": about.get("data", {}),
        "split": split_record(about),
        "held out": held_out(split_record(about)),
        "users": {
            "key": users.key,
            "count": len(users),
            "columns": list(users.columns),
            "with a history": int((recommender.seen.lengths > 0).sum()),
        },
        "items": {
            "key": items.key,
            "count": len(items),
            "columns": list(items.columns),
            "with interactions": int((recommender.popularity > 0).sum()),
        },
        "vectors": {
            "dimensions": int(recommender.item_vectors.shape[1]),
            "item term": recommender.item_bias is not None,
            "pairs of items": 0 if pairs is None else len(pairs.item),
            "half-life of pairs": None if pairs is None or not pairs.reads_order else pairs.half_life,
        },
        "reads histories": recommender.query_tower is not None,
        "reads user features": list(recommender.user_features),
        "takes new items by": []
        if recommender.cold is None
        else [repr(e.feature) for e in recommender.cold.encoders],
        "added items": about.get("added", []),
        "verdict": verdict.get("sentence") if isinstance(verdict, dict) else None,
        "not compared with": metrics.get("baselines_left_out", {}),
        "compared in part with": {
            name: f"from {limit['n']:,} of {limit['of']:,} {limit['what']}"
            for name, limit in metrics.get("baselines_limited", {}).items()
        },
        "versions": about.get("versions", {}),
        "files": list(manifest["files"].values()),
    }
