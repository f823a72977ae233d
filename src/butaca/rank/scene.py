"""This module lays out persons and their candidates as flat rows, on which features are computed.

Row r is one candidate of one person. Everything that a feature reads of a person is computed once here,
and no row depends on who else is in the batch.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from butaca.rank.facts import Doubles, TrainFacts
from butaca.rank.people import People
from butaca.types import Bools, Codes, Floats, Ints

#: Positions from the latest over which an item of the history counts e times less as late.
LATE = 8.0

#: Ratings' worth of the mean of all that a person's mean begins with.
PRIOR = 3.0


@dataclass(frozen=True, eq=False)
class Scene:
    """A Scene holds the candidates of a batch of persons.

    Attributes:
        facts: of the catalogue.
        people: the persons [B].
        candidates: int32 [B, C]; -1 fills short lists.
        scores: the first stage's, float32 [B, C].
        asked: which places have a row, bool [B, C]; None: all that hold a candidate.
    """

    facts: TrainFacts
    people: People
    candidates: Codes
    scores: Floats
    asked: Bools | None = None

    @functools.cached_property
    def real(self) -> Bools:
        """Returns which places hold a candidate, bool [B, C]."""
        return self.candidates >= 0

    @functools.cached_property
    def row(self) -> Ints:
        """Returns the person of each row, [R]."""
        return np.repeat(np.arange(len(self.people)), self.rows.sum(axis=1))

    @functools.cached_property
    def rows(self) -> Bools:
        """Returns which places have a row, bool [B, C]."""
        return self.real if self.asked is None else self.real & self.asked

    @functools.cached_property
    def item(self) -> Codes:
        """Returns the candidate of each row, [R]."""
        item: Codes = self.candidates[self.rows]
        return item

    # Histories, flat: one entry for each item of each person.

    @functools.cached_property
    def entries(self) -> tuple[Ints, Ints]:
        """Returns the person and the place in the histories of each entry, [m] each."""
        return self.people.histories.rows(self.people.rows)

    @functools.cached_property
    def had(self) -> Codes:
        """Returns the item of each entry, [m]."""
        had: Codes = self.people.histories.items[self.entries[1]]
        return had

    @functools.cached_property
    def bounds(self) -> Ints:
        """Returns the bounds of entries: person b's are those from bounds[b] to bounds[b + 1], [B + 1]."""
        return np.searchsorted(self.entries[0], np.arange(len(self.people) + 1))

    @functools.cached_property
    def length(self) -> Doubles:
        """Returns the number of entries of each person, [B]."""
        return np.diff(self.bounds).astype(np.float64)

    @functools.cached_property
    def value(self) -> Doubles:
        """Returns the rating of each entry, [m]; nan without."""
        value = self.people.histories.value
        if value is None or self.facts.rating is None:
            return np.full(len(self.had), np.nan)
        return value[self.entries[1]].astype(np.float64)

    @functools.cached_property
    def generosity(self) -> Doubles:
        """Returns the mean of each one's ratings less those items' own means, drawn to 0, [B]."""
        if self.facts.rating is None:
            return np.zeros(len(self.people))
        off = self.value - self.facts.rating[self.had]
        fine = np.isfinite(off)
        row = self.entries[0][fine]
        n = len(self.people)
        return np.bincount(row, off[fine], n) / (np.bincount(row, minlength=n) + PRIOR)

    @functools.cached_property
    def liked(self) -> Doubles:
        """Returns each entry's rating less the item's mean and the person's generosity, [m]; 0 without."""
        if self.facts.rating is None:
            return np.zeros(len(self.had))
        off = self.value - self.facts.rating[self.had] - self.generosity[self.entries[0]]
        return np.nan_to_num(off)

    @functools.cached_property
    def place(self) -> Doubles:
        """Returns for each entry how many of the person's are later, [m]; by code where nothing tells."""
        time = self.people.histories.time
        row, at = self.entries
        when = np.zeros(len(at)) if time is None else time[at].astype(np.float64)
        order = np.lexsort((when, row))
        out = np.empty(len(at))
        out[order] = self.bounds[row + 1] - 1 - np.arange(len(at))
        return out

    @functools.cached_property
    def late(self) -> Doubles:
        """Returns how much each entry counts as late, [m]."""
        return np.exp(-self.place / LATE)

    @functools.cached_property
    def entry_of(self) -> Codes:
        """Returns the entry of each item in each one's history, int32 [B, N]; -1 for what was not had."""
        out = np.full((len(self.people), self.facts.n_items), -1, dtype=np.int32)
        out[self.entries[0], self.had] = np.arange(len(self.had), dtype=np.int32)
        return out

    def by_person(self, entries: Doubles) -> Doubles:
        """Returns the sums of a value of each entry, [m] -> [B]."""
        return np.asarray(np.bincount(self.entries[0], entries, len(self.people)), dtype=np.float64)

    def mean(self, entries: Doubles) -> Doubles:
        """Returns the means of a value of each entry, what is nan left out, [m] -> [B]; nan for none."""
        fine = np.isfinite(entries)
        count = self.by_person(fine.astype(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Doubles = self.by_person(np.where(fine, entries, 0.0)) / count
        return means
