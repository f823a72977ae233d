"""This module writes and reads the model folder: files that are checked and never executed.

    manifest.json               what is here: version, checksums, configuration, metrics, data
    arrays-<digest>.safetensors vectors, query tower, seen items, popularity, held-out pairs
    entities-<digest>.json      vocabularies and the tables of users and items
    ranker-<digest>.safetensors the second stage's facts, where the model has one
    trees-, ratings-<digest>.txt its LightGBM models, as text

The manifest is written last and moved into place: until then the old model is whole, from then on
the new one is, whenever the writer is killed. The names of the other files hold their digest, so both
can stand side by side meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as to_bytes

from butaca.data.histories import Histories
from butaca.errors import BundleError
from butaca.files import replace_file
from butaca.recommend.folder.contents import (
    as_arrays,
    cold_as_json,
    cold_from,
    entities_as_json,
    entities_from,
    tower_from,
    tower_numbers,
)
from butaca.recommend.parts import ModelParts

if TYPE_CHECKING:
    from butaca.rank.ranker import Ranker

FORMAT = "butaca-model"

#: What this butaca reads, and writes where pairs of items read the order of a history; 2 where they do not,
#: which older ones would pass over; 1 without pairs.
VERSION = 3
MANIFEST = "manifest.json"

#: What a folder's other files hold; their names begin so.
ROLES = ("arrays", "entities", "ranker", "trees", "ratings")


def save_bundle(parts: ModelParts, folder: Path) -> Path:
    """Writes a model folder, replacing the one that is there in one move.

    Raises:
        BundleError: the folder holds something that is not a model, or can't be written.
        DivergenceError: the model's vectors are no numbers.
    """
    check_free(folder)
    parts.check_numbers()
    files: dict[str, tuple[str, bytes]] = {
        "arrays": ("safetensors", to_bytes(as_arrays(parts))),
        "entities": (
            "json",
            canonical({"users": entities_as_json(parts.users), "items": entities_as_json(parts.items)}),
        ),
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": 1 if parts.pairs is None else VERSION if parts.pairs.reads_order else 2,
        "butaca": installed("butaca"),
        "about": dict(parts.about),
        "query_tower": tower_numbers(parts.query_tower),
        "user_features": list(parts.user_features),
        "cold": cold_as_json(parts.cold),
        **({"again": True} if parts.again else {}),
        "files": {},
    }
    if parts.ranker is not None:
        arrays, numbers, texts = parts.ranker.as_parts()
        manifest["ranker"] = numbers
        files["ranker"] = ("safetensors", to_bytes(arrays))
        files |= {name: ("txt", text.encode()) for name, text in texts.items()}
    for role, (suffix, content) in files.items():
        digest = hashlib.sha256(content).hexdigest()
        name = f"{role}-{digest[:12]}.{suffix}"
        manifest["files"][role] = {"name": name, "sha256": digest, "bytes": len(content)}
    seal = hashlib.sha256(canonical(manifest)).hexdigest()
    # made before a file is written, since it may fail
    sealed = canonical({"manifest": manifest, "sha256": seal}, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for role, (_, content) in files.items():
            replace_file(folder / manifest["files"][role]["name"], content)
        replace_file(folder / MANIFEST, sealed)
        kept = {MANIFEST} | {entry["name"] for entry in manifest["files"].values()}
        for path in folder.iterdir():
            if path.name not in kept and path.name.startswith(
                (*(f"{r}-" for r in ROLES), f".{MANIFEST}", *(f".{r}-" for r in ROLES))
            ):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise BundleError(
            "A model folder can be written", f"{folder}: {error}", "Check its permissions and free space"
        ) from error
    return folder


def check_free(folder: Path) -> None:
    """Refuses a folder that a model may not be written to, before any work is done for it.

    Raises:
        BundleError: it holds something that is not a model.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _is_bundle(folder))):
        raise BundleError(
            "A model is written to a new folder, or over another model",
            f"{folder}, which holds something else",
            "Choose another folder",
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the verified manifest of a model folder.

    Raises:
        BundleError: no model is there, or its manifest is damaged or too new.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(
            "A model folder holds a manifest.json",
            f"{folder}, which {'has none' if folder.is_dir() else 'is not a folder'}",
            f"Make one with Recommender.save, or `butaca fit ... --out {folder}`",
        )
    try:
        sealed = json.loads(path.read_bytes())
        manifest: dict[str, Any] = sealed["manifest"]
        seal, found = sealed["sha256"], hashlib.sha256(canonical(manifest)).hexdigest()
        kind, number = manifest["format"], manifest["version"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise damaged(path, f"it can't be read ({error})") from error
    if kind != FORMAT:
        raise BundleError("A model folder is one that butaca wrote", f"{path} of format {kind!r}")
    if not isinstance(number, int) or number > VERSION:
        raise BundleError(
            f"This butaca reads model folders up to version {VERSION}",
            f"version {number} in {folder}, written by butaca {manifest.get('butaca')}",
            "Upgrade butaca, or fit again with this one",
        )
    if seal != found:
        raise damaged(path, "its contents do not match its checksum")
    lacking = _lacking(manifest)
    if lacking:
        raise BundleError(
            "A model folder's manifest says by whom it was written, of what, and in which files",
            f"{path} without {', '.join(lacking)}",
            "Fit again with this butaca",
        )
    return manifest


def _lacking(manifest: Mapping[str, Any]) -> list[str]:
    """Returns what every version of butaca writes into a manifest, and this one does not have."""
    kinds = {"butaca": str, "about": dict, "files": dict}
    lacking = [name for name, kind in kinds.items() if not isinstance(manifest.get(name), kind)]
    if "files" not in lacking:
        files = {"arrays": {}, "entities": {}} | manifest["files"]
        lacking += [
            f"{part} of {role}"
            for role, entry in files.items()
            for part in ("name", "sha256", "bytes")
            if part not in entry
        ]
    return lacking


def version_of(manifest: Mapping[str, Any]) -> str:
    """Returns what tells a model folder from others: 12 digits of the checksum of its manifest."""
    return hashlib.sha256(canonical(manifest)).hexdigest()[:12]


def load_bundle(folder: Path) -> ModelParts:
    """Reads and verifies a model folder, with numpy alone.

    Raises:
        BundleError: a file is missing, truncated, changed or too new; says which.
    """
    manifest = read_manifest(folder)
    content = {role: _verified(folder, entry) for role, entry in manifest["files"].items()}
    try:
        arrays = parse_tensors(content["arrays"])
        tables = json.loads(content["entities"])
        users, items = entities_from(tables["users"]), entities_from(tables["items"])
        test = None
        if "test_user" in arrays:
            test = (arrays["test_user"], arrays["test_item"])
        negatives = None
        if "negative_items" in arrays:
            negatives = Histories(arrays["negative_items"], arrays["negative_start"])
        return ModelParts(
            users=users,
            items=items,
            user_vectors=arrays["user_vectors"],
            item_vectors=arrays["item_vectors"],
            seen=Histories(
                arrays["seen_items"],
                arrays["seen_start"],
                arrays.get("seen_value"),
                arrays.get("seen_time"),
                arrays.get("seen_weight"),
                negatives,
            ),
            popularity=arrays["popularity"],
            item_bias=arrays.get("item_bias"),
            about=manifest["about"],
            test=test,
            test_weight=arrays.get("test_weight"),
            again=bool(manifest.get("again", False)),
            query_tower=tower_from(manifest.get("query_tower"), arrays),
            user_features=tuple(manifest.get("user_features", ())),
            cold=cold_from(manifest.get("cold"), arrays),
            ranker=_ranker_from(manifest.get("ranker"), content),
            version=version_of(manifest),
        )
    except (SafetensorError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise damaged(folder, f"its parts do not fit together ({error})") from error


def _ranker_from(numbers: Mapping[str, Any] | None, content: Mapping[str, bytes]) -> Ranker | None:
    """Returns the second stage, or None where the model has none."""
    if numbers is None:
        return None
    from butaca.rank.ranker import Ranker

    texts = {name: content[name].decode() for name in ("trees", "ratings") if name in content}
    return Ranker.from_parts(parse_tensors(content["ranker"]), numbers, texts=texts)


def canonical(value: Any, indent: int | None = None) -> bytes:
    """Returns a JSON value as the bytes that its checksum is of: keys sorted, UTF-8, no infinities."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def _verified(folder: Path, entry: Mapping[str, Any]) -> bytes:
    path = folder / str(entry["name"])
    if path.parent != folder or not path.is_file():
        raise damaged(path, "it is missing")
    content = path.read_bytes()
    if len(content) != entry["bytes"]:
        raise damaged(path, f"it holds {len(content):,} of {entry['bytes']:,} bytes")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise damaged(path, "its contents do not match its checksum")
    return content


def _is_bundle(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / MANIFEST).read_bytes())["manifest"]["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def damaged(path: Path, reason: str) -> BundleError:
    """Returns the error of a folder or file of it that can't be used, and why."""
    return BundleError(
        "A model folder is read only if every file is whole",
        f"{path}: {reason}",
        "Copy the folder again, or fit again",
    )
