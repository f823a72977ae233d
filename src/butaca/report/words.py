"""This module writes words and figures in the reader's language."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Literal, TypeAlias

from butaca.catalogue.nouns import Noun, known
from butaca.evaluate.verdict import FEWEST_HITS, Verdict
from butaca.report.english import ENGLISH
from butaca.report.spanish import SPANISH

Language: TypeAlias = Literal["en", "es"]

LANGUAGES: dict[str, dict[str, str]] = {"en": ENGLISH, "es": SPANISH}

MINUS = "\N{MINUS SIGN}"

#: What bounds a slice (evaluate/slices.py), in Spanish.
BOUNDS_ES = (
    (r"^none in training$", "ninguna en el entrenamiento"),
    (r"^nobody in training$", "nadie en el entrenamiento"),
    (r"^more than (\d+)$", r"más de \1"),
    (r"^(\d+) users or more$", r"\1 usuarios o más"),
    (r"^(\d+) to (\d+) users$", r"de \1 a \2 usuarios"),
    (r"^(\d+) to (\d+)$", r"de \1 a \2"),
)


def spoken(noun: Noun, language: Language) -> Callable[[str], str]:
    """Returns what puts a noun into sentences: <items>, <seen>, and of [a|an] what goes with it.

    >>> spoken(known("film"), "es")("[Los|Las] <items> ya <seen>")
    'Las películas ya visto'
    """
    form = noun.en if language == "en" else noun.es
    holes = {"item": form.one, "items": form.many, "seen": form.seen}
    holes |= {name.capitalize(): word[:1].upper() + word[1:] for name, word in holes.items()}

    def named(text: str) -> str:
        """Returns a sentence with the noun in its places."""
        text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", r"\2" if form.other else r"\1", text)
        return re.sub(r"<(\w+)>", lambda hole: holes[hole[1]].replace("{", "").replace("}", ""), text)

    return named


class Words:
    """A Words holds sentences by key, and writes figures as its language does; what comes back is plain text.

    >>> Words("en")("map count", n=Words("en").count(1234))
    '1,234 interactions'
    >>> Words("es").figure(0.5, 2), Words("es").signed(-0.0312)
    ('0,50', '−0,031')
    """

    def __init__(self, language: Language, noun: Noun | None = None) -> None:
        named = spoken(noun or known("item"), language)
        self._strings = {key: named(text) for key, text in LANGUAGES[language].items()}
        self.language = language

    def __call__(self, key: str, **values: str) -> str:
        """Returns the sentence under a key, with its values in place."""
        return self._strings[key].format(**values)

    def raw(self, key: str) -> str:
        """Returns the sentence under a key with its holes open, the noun in its places."""
        return self._strings[key]

    def maybe(self, key: str) -> str:
        """Returns the word under a key, or the key where nobody wrote one, such as a new baseline's name."""
        return self._strings.get(key, key)

    def html(self, key: str, **values: str) -> str:
        """Returns the sentence under a key, with its values in place, escaped for HTML."""
        return escape(self(key, **values))

    def figure(self, value: float | None, digits: int = 4) -> str:
        """Returns a real number as text; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return "–"
        text = f"{value:,.{digits}f}".replace("-", MINUS)
        swap = {",": self._strings["thousands"], ".": self._strings["decimal"]}
        return "".join(swap.get(c, c) for c in text)

    def count(self, value: int) -> str:
        """Returns a whole number as text, its thousands apart."""
        return self.figure(float(value), 0)

    def signed(self, value: float, digits: int = 3) -> str:
        """Returns a difference as text, with its sign; 0 has none."""
        text = self.figure(value, digits)
        return text if value <= 0 or not math.isfinite(value) else f"+{text}"

    def percent(self, value: float, digits: int = 0) -> str:
        """Returns a share as text, in hundredths."""
        return self.figure(value * 100, digits) + " %" if math.isfinite(value) else "–"

    def listed(self, names: Sequence[str]) -> str:
        """Joins names in a row, "a, b and c"."""
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {self('and')} {names[-1]}"

    def verdict(self, verdict: Verdict) -> str:
        """Returns the sentence of a verdict, as `Verdict.sentence`, in this language."""
        parts = []
        for word in ("beats", "ties", "loses"):
            names = [self._remarked(verdict, name) for name in verdict.against if verdict.word(name) == word]
            if names:
                parts.append(self(f"sentence {word}", names=self.listed(names)))
        for name in verdict.against:
            if verdict.word(name) == "mixed":
                won, lost = (self.listed(verdict.at(name, word)) for word in ("beats", "loses"))
                parts.append(self("sentence mixed", name=self._remarked(verdict, name), won=won, lost=lost))
        if verdict.against and not parts:  # every word is open
            return self("sentence open", n=self.count(FEWEST_HITS))
        if not parts:
            return self("sentence nothing")
        undecided = [self._named(name) for name in verdict.against if verdict.word(name) == "open"]
        if undecided:
            parts.append(self("sentence undecided", names=self.listed(undecided)))
        model = self("sentence two stages" if verdict.stages == 2 else "sentence one stage")
        said = self(
            "sentence next" if verdict.comes_next else "sentence", model=model, parts=", ".join(parts)
        )
        if verdict.left_out:
            missing = self("sentence left out", names=self.listed([*map(self._named, verdict.left_out)]))
            said = f"{said} {missing}"
        return said

    def _remarked(self, verdict: Verdict, name: str) -> str:
        """Returns a baseline with what it was limited to and what it ties at."""
        remarks, tied = [], verdict.tied(name)
        if name in verdict.limited:
            limit = verdict.limited[name]
            what = self(f"sentence limit {limit.what}")
            remarks.append(self("sentence limit", n=self.count(limit.n), of=self.count(limit.of), what=what))
        if tied:
            remarks.append(self("sentence tied", tied=self.listed(tied)))
        return f"{self._named(name)} ({'; '.join(remarks)})" if remarks else self._named(name)

    def _named(self, baseline: str) -> str:
        """Returns a baseline within a sentence, with its article where the language has one."""
        return self._strings.get(f"sentence {baseline}", self.maybe(baseline))

    def bounds(self, what: str) -> str:
        """Returns where a slice ends, "1 to 31", in this language."""
        if self.language == "es":
            for pattern, spanish in BOUNDS_ES:
                if re.match(pattern, what):
                    return re.sub(pattern, spanish, what)
        return what
