"""This script writes the types of both clients from the OpenAPI document: `python -m clients.generate`.

They are src/butaca/client/types.py and clients/typescript/src/types.ts; a test holds both to the document.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any, ClassVar, Protocol

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / "src" / "butaca" / "client" / "types.py"
TYPESCRIPT = ROOT / "clients" / "typescript" / "src" / "types.ts"

SAID = "the service's OpenAPI document, by `python -m clients.generate`"

PYTHON_HEAD = f'''"""This module holds what the service takes and gives, as JSON.

It is made of {SAID}. What is not required may be
left out of a request, or of an answer of another version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict
'''

TYPESCRIPT_HEAD = f"// What the service takes and gives, as JSON. It is made of\n// {SAID}.\n"

Schema = Mapping[str, Any]


def document() -> dict[str, Any]:
    """Returns the OpenAPI document of this butaca, of a service with one small model."""
    import asyncio

    import httpx
    import numpy as np

    from butaca.data.dataset import Entities
    from butaca.data.histories import Histories
    from butaca.data.vocabulary import Vocabulary
    from butaca.events.store import EventStore
    from butaca.recommend.parts import ModelParts
    from butaca.recommend.recommender import Recommender
    from butaca.serve.app import create_app
    from butaca.serve.registry import Registry

    vectors = np.eye(3, dtype=np.float32)
    ids = Vocabulary.of(["a", "b"])
    parts = ModelParts(
        users=Entities("user_id", ids, {}),
        items=Entities("item_id", ids, {}),
        user_vectors=vectors,
        item_vectors=vectors[:2],
        seen=Histories.from_pairs(np.zeros(1, np.int32), np.zeros(1, np.int32), n_users=2),
        popularity=np.ones(2, np.float32),
    )
    with tempfile.TemporaryDirectory() as folder, EventStore.open(f"{folder}/events.db") as store:
        app = create_app(Registry.of({"model": Recommender.of(parts)}, None), store)

        async def ask() -> dict[str, Any]:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                answer: dict[str, Any] = (await http.get("/openapi.json")).json()
                return answer

        return asyncio.run(ask())


def references(schema: Any) -> Iterator[str]:
    """Yields the names of the schemas that one names, in their order."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"]).rpartition("/")[2]
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def in_order(schemas: Mapping[str, Schema]) -> list[str]:
    """Returns the names of schemas, each after those that it names.

    >>> in_order({"a": {"$ref": "#/b"}, "b": {}})
    ['b', 'a']
    """
    done: list[str] = []

    def visit(name: str) -> None:
        if name not in done:
            for other in references(schemas[name]):
                visit(other)
            done.append(name)

    for name in sorted(schemas):
        visit(name)
    return done


def taken(document: Mapping[str, Any]) -> set[str]:
    """Returns the names of what goes in: the bodies, and what these name."""
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    left = [
        name
        for methods in document["paths"].values()
        for operation in methods.values()
        for name in references(operation.get("requestBody", {}))
    ]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += references(schemas[name])
    return found


class Words(Protocol):
    """A Words says how a language writes types."""

    simple: ClassVar[Mapping[str, str]]

    def many(self, of: str, *, goes_in: bool) -> str:
        """Writes a list."""
        ...

    def table(self, of: str, *, goes_in: bool) -> str:
        """Writes an object with any keys."""
        ...

    def literal(self, values: list[str]) -> str:
        """Writes one of some texts."""
        ...


class PythonWords:
    """A PythonWords writes Python's types."""

    simple: ClassVar[Mapping[str, str]] = {
        "string": "str",
        "integer": "int",
        "number": "float",
        "boolean": "bool",
        "null": "None",
        "": "Any",
    }

    def many(self, of: str, *, goes_in: bool) -> str:
        """Writes a list; where it goes in, any sequence will do."""
        return f"Sequence[{of}]" if goes_in else f"list[{of}]"

    def table(self, of: str, *, goes_in: bool) -> str:
        """Writes an object with any keys."""
        return f"Mapping[str, {of}]" if goes_in else f"dict[str, {of}]"

    def literal(self, values: list[str]) -> str:
        """Writes one of some texts."""
        return f"Literal[{', '.join(json.dumps(v) for v in values)}]"


class TypeScriptWords:
    """A TypeScriptWords writes TypeScript's types."""

    simple: ClassVar[Mapping[str, str]] = {
        "string": "string",
        "integer": "number",
        "number": "number",
        "boolean": "boolean",
        "null": "null",
        "": "unknown",
    }

    def many(self, of: str, *, goes_in: bool) -> str:
        """Writes a list; what goes in is not changed."""
        kind = f"({of})" if " | " in of else of
        return f"readonly {kind}[]" if goes_in else f"{kind}[]"

    def table(self, of: str, *, goes_in: bool) -> str:
        """Writes an object with any keys."""
        return f"Readonly<Record<string, {of}>>" if goes_in else f"Record<string, {of}>"

    def literal(self, values: list[str]) -> str:
        """Writes one of some texts."""
        return " | ".join(json.dumps(v) for v in values)


def type_of(schema: Schema, words: Words, *, goes_in: bool) -> str:
    """Returns a schema as a type.

    >>> type_of({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, PythonWords(),
    ...         goes_in=False)
    'list[str | None]'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        options = [type_of(one, words, goes_in=goes_in) for one in schema["anyOf"]]
        return " | ".join(dict.fromkeys(options))
    if "enum" in schema:
        return words.literal(schema["enum"])
    kind = schema.get("type", "")
    if kind == "array":
        return words.many(type_of(schema.get("items", {}), words, goes_in=goes_in), goes_in=goes_in)
    if kind == "object":
        more = schema.get("additionalProperties")
        of = type_of(more if isinstance(more, Mapping) else {}, words, goes_in=goes_in)
        return words.table(of, goes_in=goes_in)
    return words.simple[kind]


def parts(document: Mapping[str, Any]) -> Iterator[tuple[str, Schema, bool]]:
    """Yields each schema of an object with fields: its name, itself, and whether it goes in."""
    schemas = document["components"]["schemas"]
    goes_in = taken(document)
    for name in in_order(schemas):
        if schemas[name].get("properties"):
            yield name, schemas[name], name in goes_in


def as_python(document: Mapping[str, Any]) -> str:
    """Returns the types as Python: a TypedDict each, by call, since keys such as "not" are no names."""
    lines = [PYTHON_HEAD]
    for name, schema, goes_in in parts(document):
        required = set(schema.get("required", ()))
        lines += ["", f"#: {first_line(schema)}", f"{name} = TypedDict(", f'    "{name}",', "    {"]
        for field, of in schema["properties"].items():
            kind = type_of(of, PythonWords(), goes_in=goes_in)
            kind = kind if field in required else f"NotRequired[{kind}]"
            text = of.get("description", "")
            lines += [f"        # {line}" for line in wrap(text, 98)]
            lines.append(f'        "{field}": {kind},')
        lines += ["    },", ")"]
    return formatted("\n".join(lines) + "\n")


def as_typescript(document: Mapping[str, Any]) -> str:
    """Returns the types as TypeScript: an interface each."""
    lines = [TYPESCRIPT_HEAD]
    for name, schema, goes_in in parts(document):
        required = set(schema.get("required", ()))
        lines += [f"/** {first_line(schema)} */", f"export interface {name} {{"]
        for field, of in schema["properties"].items():
            text = wrap(of.get("description", ""), 104)
            if len(text) == 1:
                lines.append(f"  /** {text[0]} */")
            elif text:
                lines += ["  /**", *(f"   * {line}" for line in text), "   */"]
            mark = "" if field in required else "?"
            lines.append(f"  {field}{mark}: {type_of(of, TypeScriptWords(), goes_in=goes_in)};")
        lines += ["}", ""]
    return "\n".join(lines)


def first_line(schema: Schema) -> str:
    """Returns the first line of what a schema says of itself."""
    return str(schema.get("description", "")).partition("\n")[0]


def formatted(text: str) -> str:
    """Returns Python as ruff writes it."""
    import subprocess
    import sys

    for how in (["check", "--quiet", "--fix", "--exit-zero"], ["format"]):
        command = [sys.executable, "-m", "ruff", *how, "--stdin-filename", str(PYTHON), "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT)
        text = done.stdout
    return text


def main() -> None:
    """Writes both files."""
    made = document()
    PYTHON.write_text(as_python(made), encoding="utf-8")
    TYPESCRIPT.parent.mkdir(parents=True, exist_ok=True)
    TYPESCRIPT.write_text(as_typescript(made), encoding="utf-8")


if __name__ == "__main__":
    main()
