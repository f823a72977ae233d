"""This module holds what a model folder answers: `butaca recommend`, `similar`, `inspect`, `add-items`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from butaca.cli import options, screen
from butaca.cli.screen import plain
from butaca.errors import SettingError, TableError
from butaca.recommend.answers import Recommendation
from butaca.recommend.recommender import Recommender
from butaca.workflows.inspecting import inspect_model

out = Console()


def register(app: typer.Typer) -> None:
    """Add the commands to butaca's."""
    for command in (recommend, similar, inspect):
        app.command()(command)
    app.command("add-items")(add_items)


def recommend(
    model: options.Model,
    user: Annotated[list[str] | None, typer.Option("--user", help="A user; repeat for several.")] = None,
    users: Annotated[Path | None, typer.Option(help="A file of users, one a line.")] = None,
    history: Annotated[
        list[str] | None,
        typer.Option("--history", help="A title or id that the person has had; repeat for several."),
    ] = None,
    less: Annotated[
        list[str] | None, typer.Option(help="A title or id to move away from; repeat for several.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="A title or id to leave out; repeat.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="A condition on a column of the items, all of which hold: genres=Drama,War for any of "
            "these, genres!=Horror for none, year=1990..1999 for a range (1990.. and ..1999 too); repeat.",
            metavar="CONDITION",
        ),
    ] = None,
    k: options.ListLength = 10,
    include_seen: options.IncludeSeen = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which items of the history each one comes from.")
    ] = False,
    variety: Annotated[float, typer.Option(min=0, max=1, help="0 to 1: lists of items less alike.")] = 0.0,
    freshness: Annotated[float, typer.Option(min=0, max=10, help="0 to 10: newer items first.")] = 0.0,
    as_json: options.AsJson = False,
) -> None:
    """List the best items for users, or for whoever has had --history; what they had is left out.

    With both, the history is added to what the model knows of each user. Nothing is trained.
    """
    asked = list(user or []) + (read_lines(users) if users is not None else [])
    if not asked and not history:
        raise SettingError(
            "recommend answers for users or for a history",
            "neither",
            'Pass --user 21, --users FILE or --history "Toy Story"',
        )
    recommender = Recommender.load(model)
    options: dict[str, Any] = {
        "history": history,
        "less": less or (),
        "exclude": exclude or (),
        "where": conditions(where) if where else None,
        "explain": explain,
        "variety": variety,
        "freshness": freshness,
    }
    if any(options.values()):
        people: list[str | None] = [*asked] or [None]
        answers = (
            recommender.recommend(u, k, exclude_seen=False if include_seen else None, **options)
            for u in people
        )
    else:
        answers = (
            answer
            for answer in recommender.recommend_many(asked, k, exclude_seen=False if include_seen else None)
        )
    for answer in answers:
        if as_json:
            screen.print_json(screen.as_json(answer))
        else:
            screen.print_list(out, answer, heading=heading(answer))


def similar(
    model: options.Model,
    item: Annotated[str, typer.Argument(help="A title or id; case and a missing year are forgiven.")],
    k: options.ListLength = 10,
    as_json: options.AsJson = False,
) -> None:
    """List the items most like one."""
    answer = Recommender.load(model).similar(item, k)
    if as_json:
        line = screen.as_json(answer)
        line["item"] = line.pop("user")
        screen.print_json(line)
    else:
        screen.print_list(out, answer, heading=f"Like {answer.asked}")


def heading(answer: Recommendation) -> str:
    """Says whom a list is for, and where it comes from if that is not what they had."""
    had = ", ".join(answer.history)
    text = f"For someone who had {had}" if answer.asked is None else f"For user {answer.asked}"
    if had and answer.asked is not None:
        text += f", who also had {had}"
    if answer.source == "popularity":
        text += " (not seen in training: what most people chose)"
    if answer.source == "features":
        text += " (without a history: by what else is known)"
    return text


def conditions(given: list[str]) -> dict[str, Any]:
    """Reads conditions as written on the command line.

    >>> conditions(["genres=Drama,War", "year=1990..", "genres!=Horror"])
    {'genres': {'any': ['Drama', 'War'], 'not': ['Horror']}, 'year': {'min': '1990'}}
    """
    out: dict[str, dict[str, Any]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        refused = name.endswith("!")
        name = name.removesuffix("!").strip()
        if not equals or not name or not value.strip():
            raise SettingError(
                "A condition is COLUMN=VALUE,VALUE or COLUMN!=VALUE or COLUMN=MIN..MAX",
                repr(text),
                "Try --where genres=Drama --where year=1990..1999",
            )
        low, dots, high = value.partition("..")
        column = out.setdefault(name, {})
        if dots and not refused:
            column |= {key: v.strip() for key, v in (("min", low), ("max", high)) if v.strip()}
        else:
            kind = "not" if refused else "any"
            column[kind] = [*column.get(kind, []), *(v.strip() for v in value.split(","))]
    return out


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a file of users, blank ones left out.

    Raises:
        TableError: the file can't be read, or names nobody.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(
            "A file of users is UTF-8 text, one user a line", f"{path}: {error}", "Check --users"
        ) from error
    found = [line for line in lines if line]
    if not found:
        raise TableError("A file of users names at least one", f"{path}, which is empty", "Check --users")
    return found


def inspect(model: options.Model, as_json: options.AsJson = False) -> None:
    """Show what a model folder holds, after every file was checked against its checksum."""
    facts = inspect_model(model)
    if as_json:
        screen.print_json(facts)
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


def shown(value: Any) -> str:
    """Returns a fact as text for reading."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {shown(v)}" for k, v in value.items() if v not in (None, [], {})) or "none"
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else "none" if value is None else str(value)


def add_items(
    model: options.Model,
    source: Annotated[
        str, typer.Argument(help="A table with one row per new item, as for fit --items.", metavar="ITEMS")
    ],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the new model; else it replaces MODEL.")
    ] = None,
    encoding: options.Encoding = None,
    as_json: options.AsJson = False,
) -> None:
    """Let items that nobody has had yet into a model, by what is known of them. Nothing is trained."""
    from butaca.workflows.add_items_plan import AddItemsPlan, carry_out_add_items

    plan = AddItemsPlan(model, source, out_folder, encoding=encoding)
    longer, became = carry_out_add_items(plan)
    if as_json:
        facts = {
            "new": became.new,
            "known": became.known,
            "missing": became.missing,
            "ignored": became.ignored,
        }
        screen.print_json({name: list(ids) for name, ids in facts.items()})
        return
    out.print(
        f"{len(became.new):,} new items, {len(longer.items):,} in all, in [bold]{plain(str(plan.folder))}[/]."
    )
    for label, names in (
        ("Known already, and left as they are", became.known),
        ("Not in the table, and taken as unknown: columns", became.missing),
        ("Not known to the model, and passed over: columns", became.ignored),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            out.print(f"{label}: {plain(', '.join(map(str, names[:5])))}{more}.", highlight=False)
