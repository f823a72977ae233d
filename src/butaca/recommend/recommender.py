"""A Recommender retrieves, filters, orders, explains and falls back, from vectors alone."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from butaca.catalogue.filters import Where
from butaca.catalogue.items import Catalogue
from butaca.checks import several, shown, user_codes, whole_number
from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.index.exact import ExactIndex
from butaca.index.interface import Index, TopK
from butaca.index.kinds import IndexKind, index_of
from butaca.model.pairs import PairTerms
from butaca.model.query import unit
from butaca.recommend.answers import Reason, Recommendation
from butaca.recommend.fitted import FittedTowers, parts_of
from butaca.recommend.folder.bundle import damaged, load_bundle, save_bundle
from butaca.recommend.ladder import Query, rung, shares_in
from butaca.recommend.listing import listing
from butaca.recommend.parts import ModelParts
from butaca.recommend.person import Given, Person, person_of
from butaca.recommend.reasons import Shares, largest
from butaca.recommend.reorder import check, fresh, reordered
from butaca.recommend.similar import most_similar
from butaca.types import Codes, Floats, Scorer

#: Users scored at once.
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Recommender(ModelParts):
    """A Recommender answers from a model's parts: exact lists from user and item vectors.

    Attributes:
        index: "exact", or "approximate" for catalogues of about a million items and more (extra `ann`);
            it is built anew with the object, and no part of the folder.
        catalogue: the items by what a person calls them, and by the conditions that they meet.

    The other attributes are those of `ModelParts`.
    """

    index: IndexKind = "exact"

    def __post_init__(self) -> None:
        derived = {
            "catalogue": Catalogue(self.items, self.popularity),
            "_index": index_of(self.index, self.item_vectors, bias=self.item_bias),
            "_popular": ExactIndex(self.popularity[:, None]),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        """Returns the parts, for a copy or another process; what is made of them is made anew there."""
        return {part.name: getattr(self, part.name) for part in fields(self) if part.init}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes parts back, and makes what answers."""
        self.__dict__.update(state)
        self.__post_init__()

    catalogue: Catalogue = field(init=False, repr=False)
    _index: Index = field(init=False, repr=False)
    _popular: ExactIndex = field(init=False, repr=False)

    @classmethod
    def build(
        cls,
        model: FittedTowers,
        train: Dataset,
        *,
        test: Dataset | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Self:
        """Makes a Recommender of a fitted model and the interactions that count as seen.

        A tower that reads histories answers from these, also where it was trained on fewer.
        """
        return cls.of(parts_of(model, train, test=test, about=about))

    @classmethod
    def of(cls, parts: ModelParts, index: IndexKind = "exact") -> Self:
        """Wraps the parts of a model, such as a folder holds, so that they answer."""
        return cls(**{part.name: getattr(parts, part.name) for part in fields(ModelParts)}, index=index)

    # A Scorer, so that a saved model is judged like any other.

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.items)

    def score(self, users: Codes) -> Floats:
        """Scores the catalogue for user codes [B] -> [B, N]."""
        users = user_codes(users)
        return self._index.scores(self._vectors(users), self._terms(users))

    def _vectors(self, users: Codes) -> Floats:
        """Returns the vectors of users by code; of a code outside of the known users the unknown user's."""
        known = (users >= 0) & (users < len(self.users))
        return self.user_vectors[np.where(known, users, len(self.users))]

    def _terms(self, users: Codes) -> PairTerms | None:
        """Returns what pairs of items add to the scores of users by code, or None."""
        return None if self.query_tower is None else self.query_tower.terms(users, self.seen)

    # Lists.

    def leaves_seen(self, asked: bool | None) -> bool:
        """Returns whether lists leave out what was had: as asked, or if that is open as the data have it."""
        return not self.again if asked is None else asked

    def recommend(
        self,
        user: Any = None,
        k: int = 10,
        *,
        history: Sequence[Any] | None = None,
        later: Sequence[Given] = (),
        less: Sequence[Any] = (),
        exclude: Sequence[Any] = (),
        allow: Sequence[Any] | None = None,
        where: Where | None = None,
        exclude_seen: bool | None = None,
        explain: bool = False,
        variety: float = 0.0,
        freshness: float = 0.0,
        skip_unknown: bool = False,
        rank: bool = True,
    ) -> Recommendation:
        """Returns the k best items for one person, at once, without training.

        The ladder: the history that is given, beside what the model has of the user; the stored history of
        a known user; what else is known of the user; what is popular. The answer's `source` names the rung.

        Args:
            user: raw id; None, or one that the model does not know, is a new person.
            k: how many; k come back if k are left by the conditions.
            history: ids or titles of items that the person has had (spelled as in `find_item`), or
                (item, value) or (item, value, time) with a rating and a time in seconds.
            later: what the user has had since training, as stored by the caller; it counts as the
                stored history does.
            less: items to move away from; they count against, and do not come back themselves.
            exclude: items to leave out; what is not in the catalogue is passed over.
            allow: if given, only these may come back.
            where: conditions on the items' columns, see catalogue/filters.py.
            exclude_seen: leave out what the person had, by training or as given; None: unless people of these
                data have things again (`again`).
            explain: name the items of the history with the largest shares in each score.
            variety: 0 to 1, how much likeness to items above counts against an item.
            freshness: 0 to 10, how much newness counts, in spreads of the person's scores.
            rank: let the second stage order the list, where the model has one. With `freshness` it does not.
            skip_unknown: pass over what is unknown of `history` and `less`, and say so, instead of refusing.

        Raises:
            UnknownEntityError: an item of the history is not known.
            SettingError: a history for a model that reads none; a condition that can't be read.
        """
        if isinstance(user, list | tuple | set | dict | np.ndarray):
            raise SettingError(
                "recommend answers one person", shown(user), "Pass one id, or all of them to recommend_many"
            )
        if not (isinstance(variety, float) and isinstance(freshness, float)) or variety or freshness:
            check(variety, freshness)
        history, less = several("history", history), several("less", less)
        person, given, unknown = self._person(user, history, later, less=less, skip_unknown=skip_unknown)
        left_out = [self.catalogue.matches(exclude)]
        if self.leaves_seen(exclude_seen):
            left_out += [person.own, person.given]
        left_out.append(person.less)
        if self.seen.negatives is not None:  # whatever of theirs is shown, what they said no to is not
            left_out.append(self.seen.negatives[person.code])
        allowed = self.catalogue.allowed(where, allow)
        source, query = rung(self, person, given=bool(given))
        excluded = np.concatenate(left_out)
        titles = tuple(self.catalogue.titles[i] for i in given)
        if self.ranker is not None and rank and not freshness:
            from butaca.recommend.ranking import placed, ranked

            of_towers = Query(self.user_vectors[-1:]) if query is None else query
            n = max(k, self.ranker.settings.candidates)
            found = self._index.top_k(
                of_towers.vector, n, exclude=[excluded], allowed=allowed, terms=of_towers.terms
            )
            items = ranked(
                self.ranker,
                found,
                k=k,
                person=person,
                seen=self.seen,
                catalogue=self.catalogue,
                vectors=self._units if variety else None,
                variety=variety,
                reasons_of=functools.partial(self._reasons, person) if explain else None,
            )
            if query is None and items:  # without ranking popularity answers
                codes = np.array([self.items.ids.code(item.id) for item in items], dtype=np.int32)
                items = placed(items, codes, popularity=self.popularity, excluded=excluded, allowed=allowed)
            return Recommendation(user, items, source, titles, unknown, found.approximate)
        if query is None:
            top = self._popular.top_k(np.ones((1, 1), np.float32), k, exclude=[excluded], allowed=allowed)
            return listing(
                user, top, catalogue=self.catalogue, source=source, stage="popularity", unknown=unknown
            )
        if variety or freshness:
            top = reordered(
                self._index.scores(query.vector, query.terms)[0],
                k,
                excluded=excluded,
                allowed=allowed,
                new=self._fresh if freshness else None,
                freshness=freshness,
                vectors=self._units if variety else None,
                variety=variety,
            )
        else:
            top = self._index.top_k(query.vector, k, exclude=[excluded], allowed=allowed, terms=query.terms)
        reasons = self._reasons(person, top.items[0]) if explain else None
        return listing(
            user,
            top,
            catalogue=self.catalogue,
            source=source,
            stage="retrieval",
            reasons=reasons,
            history=titles,
            unknown=unknown,
        )

    def two_stage(self) -> Scorer:
        """Returns both stages as a Scorer; this model itself where it has no second one."""
        if self.ranker is None:
            return self
        from butaca.rank.two_stage import TwoStage

        return TwoStage(self, self.ranker, self.seen)

    def explain(
        self, items: Sequence[Any], user: Any = None, *, history: Sequence[Any] | None = None
    ) -> Shares | None:
        """Returns the part of everything that the person has had in the scores of these items.

        Returns:
            The exact shares of the whole history, the stored and the given. Where the model is no sum over
            it, as with attention or hidden layers, the effects of its latest items, and `kind` says so. None
            where it reads no history.
        """
        person, _, _ = self._person(user, history)
        codes = np.array([self.find_item(item) for item in several("items", items)], dtype=np.int64)
        return shares_in(self, person, codes=codes)

    def _person(
        self,
        user: Any,
        history: Sequence[Any] | None = None,
        later: Sequence[Given] = (),
        *,
        less: Sequence[Any] = (),
        skip_unknown: bool = False,
    ) -> tuple[Person, list[int], tuple[str, ...]]:
        """Returns the person, the codes of `history` in its order, and what of it is not known."""
        known = self.catalogue.known
        return person_of(
            self.seen,
            self.users.ids.unknown if user is None else self.users.ids.code(user),
            find=known if skip_unknown else self.find_item,
            known=known,
            history=history,
            later=later,
            less=less,
        )

    def _reasons(self, person: Person, items: Codes) -> list[tuple[Reason, ...]] | None:
        """Returns for each item the largest positive parts."""
        return largest(shares_in(self, person, codes=items[items >= 0].astype(np.int64)), self.catalogue)

    def top_k(self, users: Codes, k: int = 10, *, exclude_seen: bool | None = None) -> TopK:
        """Returns the best items of users by code, as arrays [B, k]; the quickest way to many lists.

        A code outside of the known users is the unknown user, as in `score`.
        """
        users = user_codes(users)
        exclude = None
        if self.leaves_seen(exclude_seen):
            exclude = [self.seen.left_out(int(c)) for c in users]
        elif self.seen.negatives is not None:
            exclude = [self.seen.negatives[int(c)] for c in users]
        return self._index.top_k(self._vectors(users), k, exclude=exclude, terms=self._terms(users))

    def recommend_many(
        self, users: Sequence[Any], k: int = 10, *, exclude_seen: bool | None = None
    ) -> Iterator[Recommendation]:
        """Yields the lists of `recommend` for any number of users, in order, in blocks that bound memory."""
        users = several("users", users)
        if self.ranker is not None:  # it orders one person's candidates at a time
            for user in users:
                yield self.recommend(user, k, exclude_seen=exclude_seen)
            return
        for at in range(0, len(users), BLOCK):
            block = list(users[at : at + BLOCK])
            codes = self.users.ids.encode(block)
            known = np.flatnonzero([len(self.seen[int(c)]) > 0 for c in codes])
            top = self.top_k(codes[known], k, exclude_seen=exclude_seen)
            row_of = {int(i): row for row, i in enumerate(known)}
            for i, user in enumerate(block):
                if i in row_of:
                    yield listing(
                        user, top, catalogue=self.catalogue, row=row_of[i], source="user", stage="retrieval"
                    )
                else:
                    yield self.recommend(user, k, exclude_seen=exclude_seen)

    def similar(self, item: str, k: int = 10, *, where: Where | None = None) -> Recommendation:
        """Returns the items whose vectors point most nearly the same way, the item itself left out.

        The score is the cosine times a trust in the other item by how many had it (`trust_of`).

        Args:
            item: its title or id; case, accents and a missing year are forgiven.
            k: how many.
            where: conditions on the items' columns, see catalogue/filters.py.
        """
        k = whole_number("k", k)
        code = self.find_item(item)
        allowed = None if where is None else self.catalogue.filters.mask(where)
        top = most_similar(self._units, code, popularity=self.popularity, k=k, allowed=allowed)
        return listing(
            self.catalogue.titles[code], top, catalogue=self.catalogue, source="similar", stage="similar"
        )

    def find_item(self, asked: Any) -> int:
        """Returns the code of the item with this id, or with this title in a person's spelling.

        Raises:
            UnknownEntityError: none or several fit.
        """
        return self.catalogue.find(asked)

    @functools.cached_property
    def _units(self) -> Floats:
        """Returns the item vectors at length 1."""
        return unit(self.item_vectors)

    @functools.cached_property
    def _fresh(self) -> Floats:
        return fresh(self.catalogue.filters)

    def save(self, folder: str | Path) -> Path:
        """Writes the model folder; see butaca.recommend.folder.bundle."""
        return save_bundle(self, _folder(folder))

    @classmethod
    def load(cls, folder: str | Path, index: IndexKind = "exact") -> Self:
        """Reads a model folder; see butaca.recommend.folder.bundle."""
        path = _folder(folder)
        parts = load_bundle(path)
        try:
            return cls.of(parts, index)
        except SettingError:  # an index whose extra is not installed
            raise
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise damaged(path, f"its parts do not fit together ({error})") from error


def _folder(given: Any) -> Path:
    """Returns the path of a model folder that was given."""
    if not isinstance(given, str | Path):
        raise SettingError("A model folder is named by its path", shown(given), "Pass a str or a Path")
    return Path(given)
