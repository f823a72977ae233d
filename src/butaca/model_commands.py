"""`butaca inspect` and `butaca add-items`: what a model folder holds, and new items in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from butaca.errors import SettingError
from butaca.recommend.bundle import check_free, load_bundle, read_manifest, version_of
from butaca.screen import plain

out = Console()

Model = Annotated[
    Path, typer.Argument(help="A model folder, as `butaca fit --out` wrote it.", metavar="MODEL")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands to butaca's."""
    app.command()(inspect)
    app.command("add-items")(add_items)


def inspect(model: Model, as_json: AsJson = False) -> None:
    """Show what a model folder holds, after every file was checked against its checksum."""
    manifest = read_manifest(model)
    recommender = load_bundle(model)  # verifies every file
    facts = folder_facts(manifest, recommender)
    if as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if name != "files":
            table.add_row(name, plain(shown(value)))
    for entry in facts["files"]:
        table.add_row(
            "file", f"{entry['name']}  {entry['bytes']:,} bytes  sha256 {entry['sha256'][:16]}  whole"
        )
    out.print(table)


def folder_facts(manifest: dict[str, Any], recommender: Any) -> dict[str, Any]:
    """What there is to say of a model folder, as JSON values."""
    about = manifest["about"]
    items, users = recommender.items, recommender.users
    verdict = about.get("metrics", {}).get("verdict", {})
    return {
        "version": version_of(manifest),
        "written by": f"butaca {manifest['butaca']}",
        "recipe": about.get("recipe"),
        "softmax": about.get("softmax"),
        "data": about.get("data", {}),
        "split": about.get("split", {}),
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
        },
        "reads histories": recommender.query_tower is not None,
        "reads user features": list(recommender.user_features),
        "takes new items by": []
        if recommender.cold is None
        else [repr(e.feature) for e in recommender.cold.encoders],
        "added items": about.get("added", []),
        "verdict": verdict.get("sentence") if isinstance(verdict, dict) else None,
        "versions": about.get("versions", {}),
        "files": list(manifest["files"].values()),
    }


def shown(value: Any) -> str:
    """A fact for reading."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {shown(v)}" for k, v in value.items() if v not in (None, [], {})) or "none"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)


def add_items(
    model: Model,
    source: Annotated[
        str, typer.Argument(help="A table with one row per new item, as for fit --items.", metavar="ITEMS")
    ],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the new model; else it replaces MODEL.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let items that nobody has had yet into a model, by what is known of them. Nothing is trained."""
    from dataclasses import replace

    from butaca.data.tables import read_entities
    from butaca.recommend.additions import with_items

    if out_folder is not None:
        check_free(out_folder)
    recommender = load_bundle(model)
    table = read_entities(source, "item", recommender.items.key, recommender.items.ids.is_text)
    if not len(table):
        raise SettingError("A table of new items has at least one row", f"{source}, which has none")
    longer, became = with_items(recommender, table)
    folder = out_folder or model
    if became.new or out_folder is not None:
        added = [*recommender.about.get("added", []), {"source": Path(source).name, "items": len(became.new)}]
        replace(longer, about={**recommender.about, "added": added}).save(folder)
    if as_json:
        facts = {
            "new": became.new,
            "known": became.known,
            "missing": became.missing,
            "ignored": became.ignored,
        }
        sys.stdout.write(json.dumps({k: list(v) for k, v in facts.items()}, ensure_ascii=False) + "\n")
        return
    out.print(
        f"{len(became.new):,} new items, {len(longer.items):,} in all, in [bold]{plain(str(folder))}[/]."
    )
    for label, names in (
        ("Known already, and left as they are", became.known),
        ("Not in the table, and taken as unknown: columns", became.missing),
        ("Not known to the model, and passed over: columns", became.ignored),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            out.print(f"{label}: {plain(', '.join(map(str, names[:5])))}{more}.", highlight=False)
