"""This module holds docstrings to a first sentence with a subject and a verb, which can be read alone.

The rule knows words by their ends alone, so it asks for a few forms. A function is its own subject: "Returns
the code of each item." A command of the terminal says what to do: "Train on a table." A module begins with
"This module" (a package with "This room"), a class with its name, as in "A Verdict says", or a verb.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import butaca

ROOT = Path(butaca.__file__).parent

#: What commands of the terminal say to do.
COMMANDS = {"Add", "Compare", "Do", "End", "Grow", "Let", "List", "Load", "Make", "Rank", "Read", "Search"}
COMMANDS |= {"Serve", "Show", "Train", "Write"}
#: Words that end like a verb and are none.
NO_VERBS = {"This", "Its", "As", "Always", "Plus", "Less", "Perhaps", "Whereas"}
#: Verbs that "of ..." or "that ..." may follow, which otherwise follow a noun.
VERBS = {"Checks", "Compares", "Draws", "Finds", "Fits", "Gives", "Holds", "Makes", "Reads", "Returns"}
VERBS |= {"Says", "Takes", "Warns", "Writes", "Yields"}
#: What comes after a noun in the plural rather than after a verb: "Codes of ...", "Arrays that ...".
AFTER_NOUNS = {"of", "that", "as", "and", "or", "which", "who", "whose", "are"}


def is_verb(word: str) -> bool:
    """Returns whether a word could be a verb of the third person."""
    return word == "are" or (
        len(word) > 1 and word.endswith("s") and not word.endswith(("ss", "us")) and word not in NO_VERBS
    )


def begins_with_verb(sentence: str) -> bool:
    """Returns whether a sentence begins with a verb, with something after it."""
    first, second = sentence.split()[:2]
    first = first.strip(",;")
    return first in VERBS or (is_verb(first) and second not in AFTER_NOUNS)


def names_its_subject(words: list[str], name: str) -> bool:
    """Returns whether a sentence begins with a class, such as "A Verdict", and has a verb soon after."""
    words = words[1:] if words[0] in {"A", "An"} else words
    return words[0] == name and any(is_verb(word) for word in words[1:7])


def reads_alone(kind: str, name: str, text: str) -> bool:
    """Returns whether a docstring's first sentence has a subject and a verb, for what it describes.

    Args:
        kind: "module", "class", "function" or "command".
        name: what it is called.
        text: the docstring.
    """
    sentence = " ".join(text.split("\n\n")[0].split())
    words = [word.strip(",;:.()`") for word in sentence.split()]
    if not sentence[:1].isupper() or len(words) < 2:
        return False
    if kind == "module":
        if words[0] == "This":
            return any(is_verb(word) for word in words[1:3])
        return words[0] in {"A", "An"} and words[1][0].isupper() and names_its_subject(words, words[1])
    if kind == "class":
        return begins_with_verb(sentence) or names_its_subject(words, name)
    return begins_with_verb(sentence) or (kind == "command" and words[0] in COMMANDS)


def described(text: str, commands: bool) -> Iterator[tuple[str, str, str]]:
    """Yields kind, name and docstring of all that a source describes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node)
            if found is None:
                continue
            if isinstance(node, ast.Module):
                yield "module", "", found
            elif isinstance(node, ast.ClassDef):
                yield "class", node.name, found
            else:
                yield "command" if commands else "function", node.name, found


def unclear(path: Path) -> list[str]:
    """Returns the docstrings of a file that can't be read alone, with what they describe."""
    in_terminal = path.relative_to(ROOT).parts[0] == "cli"
    return [
        f"{path.relative_to(ROOT)} {name}: {text.splitlines()[0]}"
        for kind, name, text in described(path.read_text(encoding="utf-8"), in_terminal)
        if not reads_alone(kind, name, text)
    ]


def test_docstrings_read_alone():
    files = sorted(ROOT.rglob("*.py"))
    assert len(files) > 150
    assert [line for path in files for line in unclear(path)] == []


@pytest.mark.parametrize("text", ["All of it.", "Gone.", "Of one device.", "The same, read.", "it is so."])
@pytest.mark.parametrize("kind", ["module", "class", "function", "command"])
def test_fragments_are_refused(kind, text):
    assert not reads_alone(kind, "Lamp", text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("function", "Returns the code of each item [N]."),
        ("function", "Writes rows, or nothing."),
        ("command", "Train on a table of who had what."),
        ("class", "A Lamp says what shines."),
        ("class", "Holds what shines."),
        ("class", "Lamps are what shines."),
        ("module", "This module reads lamps."),
        ("module", "This room is the second stage."),
        ("module", "This is what a migration calls."),
        ("function", "Counts one list."),
        ("function", "Says, where asked, what shines."),
        ("module", "A Lamp shines on candidates."),
    ],
)
def test_sentences_are_taken(kind, text):
    assert reads_alone(kind, "Lamps" if text.startswith("Lamps") else "Lamp", text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("function", "Codes of raw values."),
        ("function", "Arrays that DuckDB understands."),
        ("function", "This process's own."),
        ("function", "Train on a table of who had what."),
        ("function", "returns the code of each item."),
        ("class", "Popularity from counts that a folder kept."),
        ("class", "A Lantern says what shines."),
        ("class", "The outcome of `fit`."),
        ("module", "What the commands print: tables of results."),
        ("module", "A batch of persons and their candidates as flat rows."),
        ("module", "This module of lamps."),
    ],
)
def test_other_fragments_are_refused(kind, text):
    assert not reads_alone(kind, "Lamp", text)
