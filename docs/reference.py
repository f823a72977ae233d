"""This script's functions write the site's reference from the code: commands, routes, settings, public names.

docs/site_hooks.py puts what they return among the pages when the site is built; nothing of it is kept.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: What the code's own words would be read as.
_MARKS = str.maketrans({"|": "\\|", "<": "&lt;", "*": "\\*", "_": "\\_", "[": "\\["})


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def cell(text: object) -> str:
    """Returns text as a cell holds it: on one line, and read as it is."""
    return " ".join(str(text).split()).translate(_MARKS)


def commands(
    found: Any = None, names: tuple[str, ...] = ("butaca",)
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields every command with its whole name, those of groups too."""
    if found is None:
        from typer.main import get_command

        from butaca.cli.app import app

        found = get_command(app)
    for name, command in sorted(getattr(found, "commands", {}).items()):
        whole = (*names, name)
        if hasattr(command, "commands"):
            yield from commands(command, whole)
        else:
            yield whole, command


def cli() -> str:
    """Returns the page of every command, its arguments and its options."""
    lines = [
        "# Commands",
        "",
        "Written from the code; `butaca COMMAND --help` says the same. A command's exit code is 0, "
        "or 1 with a message (the rule, what was received, the cure), or 2 where an option can't be read.",
        "",
    ]
    for names, command in commands():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        usage = " ".join([*names, *map(_metavar, arguments)])
        lines += [
            f"## {' '.join(names)}",
            "",
            cell_text(command.help),
            "",
            "```text",
            f"{usage} [OPTIONS]",
            "```",
            "",
        ]
        rows = [[f"`{_metavar(p)}`", _default(p), cell(p.help)] for p in arguments]
        rows += [
            [", ".join(f"`{o}`" for o in (*p.opts, *p.secondary_opts)), _default(p), cell(p.help)]
            for p in options
        ]
        lines += [table(["", "if not given", ""], rows), ""]
    return "\n".join(lines)


def cell_text(text: str | None) -> str:
    """Returns a command's help as paragraphs."""
    return "\n\n".join(" ".join(part.split()).translate(_MARKS) for part in (text or "").split("\n\n"))


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _default(parameter: Any) -> str:
    """Returns what is taken where a parameter is not given."""
    if parameter.required:
        return "required"
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return cell(shown)
    value = parameter.default
    if value is None or value == () or value is False or callable(value):
        return "" if value is not False else "off"
    return "on" if value is True else f"`{value}`"


def routes(document: Mapping[str, Any]) -> str:
    """Returns the page of every route, from the OpenAPI document."""
    from butaca.serve.http.access import scope_of

    lines = [
        "# Routes",
        "",
        "Written from the OpenAPI document, which a service has at `/openapi.json`. With API keys in use a "
        "request carries one with the scope that is named. [What routes are for](../service.md), "
        "[clients](../clients.md).",
        "",
    ]
    schemas = document["components"]["schemas"]
    shown: list[str] = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scope = scope_of(method.upper(), path) or "open"
            lines += [f"## {method.upper()} {path}", "", f"{operation['summary']}. Scope: {scope}.", ""]
            lines += [cell_text(operation["description"]), ""]
            rows = [
                [f"`{p['name']}`", p["in"], _kind(p["schema"]), cell(p.get("description", ""))]
                for p in operation.get("parameters", ())
            ]
            if rows:
                lines += [table(["parameter", "in", "type", ""], rows), ""]
            for said, content in (
                ("Takes", operation.get("requestBody", {}).get("content", {})),
                ("Answers", operation["responses"]["200"].get("content", {})),
            ):
                for kind, of in content.items():
                    name = _kind(of["schema"])
                    lines += [f"{said} {name} (`{kind}`).", ""]
            errors = [status for status in operation["responses"] if status != "200"]
            if errors:
                lines += [f"Problems: {', '.join(errors)}.", ""]
    lines += ["# What they take and give", ""]
    for name in sorted(schemas):
        shown.append(name)
        lines += [f"## {name}", "", cell_text(schemas[name].get("description", "")), ""]
        required = schemas[name].get("required", ())
        rows = [
            [f"`{field}`", _kind(of), "yes" if field in required else "", cell(of.get("description", ""))]
            for field, of in schemas[name].get("properties", {}).items()
        ]
        if rows:
            lines += [table(["field", "type", "required", ""], rows), ""]
    return "\n".join(lines)


def _kind(schema: Mapping[str, Any]) -> str:
    """Returns a schema's type in words, with links to those that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def settings() -> str:
    """Returns the page of every setting, from the records that hold them."""
    from butaca.model.features import History
    from butaca.model.followers import FollowerSettings
    from butaca.model.spectral_settings import SpectralSettings
    from butaca.rank.settings import RankSettings
    from butaca.recipes import Recipe
    from butaca.referee.plan import RefereePlan
    from butaca.serve.settings import ServeSettings
    from butaca.train.settings import TwoTowerSettings
    from butaca.workflows.add_items_plan import AddItemsPlan
    from butaca.workflows.evaluate_plan import EvaluatePlan
    from butaca.workflows.plans import FitPlan, TunePlan
    from butaca.workflows.serve_plan import ServePlan

    lines = [
        "# Settings",
        "",
        "Written from the records that hold them; each is frozen, and checked when it is made.",
        "",
    ]
    for record in (
        FitPlan,
        TunePlan,
        EvaluatePlan,
        AddItemsPlan,
        ServePlan,
        RefereePlan,
        ServeSettings,
        Recipe,
        TwoTowerSettings,
        History,
        SpectralSettings,
        FollowerSettings,
        RankSettings,
    ):
        lines += [f"## {record.__name__}", "", cell_text(_summary(record)), "", f"`{record.__module__}`", ""]
        meanings = attributes_of(record)
        rows = [
            [f"`{field.name}`", cell(_type(field)), _value(field), cell(meanings.get(field.name, ""))]
            for field in dataclasses.fields(record)
        ]
        lines += [table(["setting", "type", "if not given", ""], rows), ""]
    return "\n".join(lines)


def attributes_of(record: type) -> dict[str, str]:
    """Returns what a record's docstring says of each of its attributes.

    >>> class Record:
    ...     '''A Record is one.
    ...
    ...     Attributes:
    ...         a, b: two
    ...             of them.
    ...     '''
    >>> attributes_of(Record)
    {'a': 'two of them.', 'b': 'two of them.'}
    """
    text = inspect.getdoc(record) or ""
    found = re.search(r"^Attributes:\n((?: {4}.*\n?|\n)+)", text, flags=re.M)
    out: dict[str, str] = {}
    for entry in re.findall(r"^ {4}(\w.*(?:\n {8}.*)*)", found[1] if found else "", flags=re.M):
        names, _, meaning = entry.partition(":")
        out |= {name.strip(): " ".join(meaning.split()) for name in names.split(",")}
    return out


def _summary(record: type) -> str:
    return (inspect.getdoc(record) or "").partition("\n\n")[0]


def _type(field: dataclasses.Field[Any]) -> str:
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))


def _value(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`".replace("|", "\\|")
    return "" if field.default_factory is not dataclasses.MISSING else "required"


def api() -> str:
    """Returns the page of every public name, which mkdocstrings fills."""
    import butaca

    lines = [
        "# Python",
        "",
        "All that `butaca.__all__` names, by the room it lives in. `import butaca` loads none of it.",
        "",
    ]
    for module, names in butaca._ROOMS.items():
        for name in names:
            lines += [f"::: {module}.{name}", ""]
    lines += ["## Clients", ""]
    for module, name in (
        ("one_by_one", "Client"),
        ("together", "AsyncClient"),
        ("answering", "ServiceError"),
        ("calls", "event"),
    ):
        lines += [f"::: butaca.client.{module}.{name}", ""]
    return "\n".join(lines)
