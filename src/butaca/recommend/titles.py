"""Finding an item by what a person types: case, accents and a missing year are forgiven."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from butaca.errors import UnknownEntityError

_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")


def folded(text: str) -> str:
    """Lower case, without accents or repeated spaces.

    >>> folded("  Los  Olvidados: MÉXICO ")
    'los olvidados: mexico'
    """
    plain = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


def find_title(titles: Sequence[str], asked: str) -> int:
    """Position of the title that `asked` means.

    Tried in this order: exactly; with case, accents and spaces forgiven; without the year; with a
    leading article where MovieLens puts it last ("Usual Suspects, The").

    Raises:
        UnknownEntityError: none or several fit; names the closest ones.
    """
    if asked in titles:
        return list(titles).index(asked)
    keys = [folded(title) for title in titles]
    bare = [_YEAR.sub("", key) for key in keys]
    wanted = folded(asked)
    moved = re.sub(r"^(the|a|an|la|el|los|las|le|les|il) (.+?)(\s*\(\d{4}\))?$", r"\2, \1\3", wanted)
    for form in dict.fromkeys((wanted, moved)):
        for column in (keys, bare):
            found = [i for i, key in enumerate(column) if key == form]
            if len(found) == 1:
                return found[0]
            if found:
                years = ", ".join(repr(titles[i]) for i in found)
                raise UnknownEntityError(
                    "A title names one item", f"{asked!r}, which fits {years}", "Add the year"
                )
    inside = [titles[i] for i, key in enumerate(keys) if wanted and wanted in key][:5]
    near = inside or [titles[bare.index(m)] for m in get_close_matches(wanted, bare, n=3)]
    hint = "Did you mean " + " or ".join(map(repr, near)) if near else "Check the spelling"
    raise UnknownEntityError("A title is one that the model knows", repr(asked), hint)
