"""This module finds an item by what a person types, whatever the case, accents, articles or year."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np

from butaca.errors import UnknownEntityError
from butaca.types import Floats, Ints

_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")
_ARTICLE = r"the|a|an|la|el|los|las|le|les|il"
_LEADING = re.compile(rf"^({_ARTICLE}) (.+?)(\s*\(\d{{4}}\))?$")
_TRAILING = re.compile(rf", ({_ARTICLE})$")
_WORD = re.compile(r"\w+")

#: Titles that a person may have meant, named in an error.
NEAR = 5

#: Letters of a title that is not there which are compared with those that are.
LONGEST = 100


def folded(text: str) -> str:
    """Returns a text in lower case, without accents or repeated spaces.

    >>> folded("  Los  Olvidados: MÉXICO ")
    'los olvidados: mexico'
    """
    plain = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


class Titles:
    """A Titles finds the titles of a catalogue as people type them.

    Args:
        titles: of each item, in code order.
        popularity: of each item [N]; the more popular comes first among those that fit.
    """

    def __init__(self, titles: Sequence[str], popularity: Floats) -> None:
        self.titles = titles
        self._exact = {title: code for code, title in reversed(list(enumerate(titles)))}
        self._keys = [folded(title) for title in titles]
        self._bare = [_YEAR.sub("", key) for key in self._keys]
        self._forms: list[dict[str, list[int]]] = [{}, {}, {}]
        for code, (key, bare) in enumerate(zip(self._keys, self._bare, strict=True)):
            for form, text in zip(self._forms, (key, bare, _TRAILING.sub("", bare)), strict=True):
                form.setdefault(text, []).append(code)
        order = np.lexsort((np.arange(len(titles)), -popularity))
        self._rank = np.empty(len(titles), dtype=np.int64)
        self._rank[order] = np.arange(len(titles))
        pairs = sorted({(word, code) for code, key in enumerate(self._keys) for word in _WORD.findall(key)})
        self._words = [word for word, _ in pairs]
        self._codes = np.array([code for _, code in pairs], dtype=np.int64)

    def match(self, asked: str) -> list[int]:
        """Returns the codes of the titles that `asked` may mean; several differ in the year.

        Tried in this order: exactly; with case, accents and spaces forgiven; without the year; with a
        leading article where MovieLens puts it last ("Usual Suspects, The"); without that article.
        """
        if asked in self._exact:
            return [self._exact[asked]]
        wanted = folded(asked)
        moved = _LEADING.sub(r"\2, \1\3", wanted)
        forms = (form.get(text) for text in (wanted, moved) for form in self._forms)
        return next((found for found in forms if found), [])

    def find(self, asked: str) -> int:
        """Returns the code of the title that `asked` means, as `match` reads it.

        Raises:
            UnknownEntityError: none or several fit; names the closest ones.
        """
        found = self.match(asked)
        if len(found) == 1:
            return found[0]
        if found:
            years = ", ".join(repr(self.titles[i]) for i in found[:NEAR])
            raise UnknownEntityError(
                "A title names one item", f"{asked!r}, which fits {years}", "Add the year"
            )
        wanted = folded(asked[:LONGEST])
        inside = [i for i, key in enumerate(self._keys) if wanted and wanted in key][:NEAR]
        near = inside or [self._bare.index(m) for m in get_close_matches(wanted, self._bare, n=3)]
        named = " or ".join(repr(self.titles[i]) for i in near)
        hint = f"Did you mean {named}" if near else "Check the spelling"
        raise UnknownEntityError("A title is one that the model knows", repr(asked), hint)

    def search(self, typed: str, k: int) -> Ints:
        """Returns the codes of k titles with words that begin with each word typed, the likeliest first.

        Titles that begin with what was typed come before others, and the more popular before the less.
        Nothing typed gives the most popular; signs alone, such as "(" or an emoji, the titles that have them.
        """
        text = folded(typed)
        words = _WORD.findall(text)
        if not words:
            signs = text.split() or typed.split()
            has = np.array([all(sign in key for sign in signs) for key in self._keys], dtype=bool)
            codes = np.flatnonzero(has)
            return codes[np.argsort(self._rank[codes], kind="stable")][:k]
        found: Ints | None = None
        for word in words:
            a, b = bisect_left(self._words, word), bisect_left(self._words, word + "\U0010ffff")
            codes = np.unique(self._codes[a:b])
            found = codes if found is None else np.intersect1d(found, codes, assume_unique=True)
        assert found is not None
        begins = np.array([self._keys[int(c)].startswith(text) for c in found], dtype=bool)
        return found[np.lexsort((self._rank[found], ~begins))][:k]
