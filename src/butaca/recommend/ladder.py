"""This module finds what a model makes of a person: a rung of the ladder, a query vector, shares."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.model.pairs import PairTerms
from butaca.model.query import QueryTower
from butaca.recommend.answers import Source
from butaca.recommend.parts import ModelParts
from butaca.recommend.person import Person, extended
from butaca.recommend.reasons import Candidates, Shares, effects_of, shares_of
from butaca.types import Codes, Floats, Ints

#: How much an item that a person wants less of counts against, beside the history's whole vector.
LESS = 0.5


class Query(NamedTuple):
    """A Query is what an index finds a person's items by.

    Attributes:
        vector: [1, D].
        terms: what pairs of items add to single scores, or None.
    """

    vector: Floats
    terms: PairTerms | None = None


def rung(parts: ModelParts, person: Person, *, given: bool) -> tuple[Source, Query | None]:
    """Returns the first rung of the ladder that holds, and the query; None: popularity.

    Raises:
        SettingError: there is a history, and the model reads none.
    """
    tower = parts.query_tower
    if person.histories is not None:
        if tower is None:
            raise SettingError(
                "A history is answered by a model whose query tower reads histories",
                f"a history of {len(person.given)} for a model that has vectors of its users only",
                'Fit recipe("default") (on the command line: --recipe default), or with History() among the '
                "features",
            )
        one = np.zeros(1, dtype=np.int32)
        code = np.array([person.code], dtype=np.int32)
        query, terms = tower.with_terms(one, person.histories, known_as=code)
        source: Source = "history" if given else "user"
    else:
        query = parts.user_vectors[person.code : person.code + 1]
        terms = None if tower is None else tower.terms(np.array([person.code], dtype=np.int32), parts.seen)
        if len(person.own):
            source = "user"
        elif parts.user_features and person.code < len(parts.users):
            source = "features"
        else:
            return "popularity", None
    if len(person.less) and tower is not None:
        weight = _weight_of_less(tower, person)
        vector, against = _away(tower, person.less)
        query = query - weight * vector
        terms = None if terms is None else terms.less(against, float(weight))
    return source, Query(query, terms)


def shares_in(parts: ModelParts, person: Person, *, codes: Ints) -> Shares | None:
    """Returns the parts of a person's history in the scores of items; None where the model reads none.

    What the person wants less of has parts too, which are taken off.
    """
    tower = parts.query_tower
    if tower is None:
        return None
    vectors = parts.item_vectors[codes]
    bias = None if parts.item_bias is None else parts.item_bias[codes]
    histories = person.histories
    if histories is None:
        histories = extended(parts.seen, person.code, added={})
    given = Candidates(codes, vectors, bias)
    shares = _parts(tower, histories, known_as=person.code, of=given)
    if not len(person.less):
        return shares
    row = _row_of(person.less)
    away = _parts(_of_history_alone(tower), row, known_as=-1, of=given._replace(bias=None))
    weight = _weight_of_less(tower, person)
    return Shares(
        np.concatenate([shares.items, away.items]),
        np.concatenate([shares.shares, -weight * away.shares]),
        shares.rest - weight * away.rest,
        shares.kind,
    )


def _parts(tower: QueryTower, histories: Histories, *, known_as: int, of: Candidates) -> Shares:
    """Returns the shares in the scores, or where the tower is no sum the effects on them."""
    exact = shares_of(tower, histories, known_as=known_as, of=of)
    return effects_of(tower, histories, known_as=known_as, of=of) if exact is None else exact


def _of_history_alone(tower: QueryTower) -> QueryTower:
    """Returns the query tower without what is known of users: what a history alone adds."""
    return replace(tower, base=np.zeros_like(tower.base[-1:]), trusted_from=0)


def _weight_of_less(tower: QueryTower, person: Person) -> np.float32:
    """Returns how much what someone wants less of counts: as their history is trusted."""
    n = len(person.own) if person.histories is None else len(person.histories.items)
    return np.float32(LESS * tower.trust(n))


def _away(tower: QueryTower, less: Codes) -> Query:
    """Returns the query of a history of what someone wants less of."""
    alone, one, row = _of_history_alone(tower), np.zeros(1, np.int32), _row_of(less)
    return Query(*alone.with_terms(one, row))


def _row_of(items: Codes) -> Histories:
    """Returns the one history of these items."""
    return Histories.from_pairs(np.zeros(len(items), np.int32), items, n_users=1)
