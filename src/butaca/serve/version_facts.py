"""This module says what the API tells of a version of a model, loaded or on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from butaca.recommend.recommender import Recommender


def on_disk(name: str, version: str, *, manifest: dict[str, Any]) -> dict[str, Any]:
    """Returns what is said of a version that lies in a folder."""
    return entry(name, version, about=manifest["about"], second_stage=_second_stageon_disk(manifest))


def entry(
    name: str,
    version: str,
    *,
    about: Mapping[str, Any],
    second_stage: dict[str, Any] | None,
    active: bool = False,
    loaded_at: float | None = None,
) -> dict[str, Any]:
    """Returns what `Registry.versions` says of a version, which is loaded if it has a time of that."""
    loaded = loaded_at is not None
    return {"name": name, "version": version, "active": active, "loaded": loaded, "loaded_at": loaded_at} | {
        "about": about,
        "second_stage": second_stage,
    }


def second_stage_in_memory(recommender: Recommender) -> dict[str, Any] | None:
    """Returns what is told of the second stage of a model that is loaded, or None."""
    if recommender.ranker is None:
        return None
    from butaca.rank.about import second_about

    return second_about(recommender.ranker)


def _second_stageon_disk(manifest: dict[str, Any]) -> dict[str, Any] | None:
    if manifest.get("ranker") is None:
        return None
    from butaca.rank.about import kept_about

    return kept_about(manifest["ranker"])


def model_info(version: dict[str, Any]) -> dict[str, Any]:
    """Returns what the API says of one of `Registry.versions`, without the bulk of its configuration."""
    about = version["about"]
    metrics = about.get("metrics") or {}
    return {
        **{key: version[key] for key in ("name", "version", "active", "loaded", "loaded_at")},
        "recipe": about.get("recipe"),
        "verdict": (metrics.get("verdict") or {}).get("sentence"),
        "metrics": metrics,
        "data": about.get("data") or {},
        **{key: about.get(key) for key in ("split", "softmax", "versions")},
        "chosen": _chosen_info(about.get("choice")),
        "settings": about.get("model") or about.get("settings"),
        "second_stage": _second_stage_info(version["second_stage"], metrics),
        "damaged": version.get("damaged"),
    }


def _chosen_info(choice: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns what validation chose, without all that was tried; None where nothing was chosen."""
    return choice and {name: choice[name] for name in ("name", "value", "closed_form")}


def _second_stage_info(about: dict[str, Any] | None, metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Returns what orders the candidates and whether it was judged; None without a second stage."""
    if about is None:
        return None
    names = ("target", "rounds", "candidates", "features", "examples", "people")
    return {name: about.get(name) for name in names} | {"judged": metrics.get("ranking") is not None}
