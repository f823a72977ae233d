"""Recommender: users in, lists out, from vectors alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from butaca.data.dataset import Bags, Dataset, Entities
from butaca.data.histories import Histories
from butaca.errors import SettingError, UnknownEntityError
from butaca.index.exact import ExactIndex, TopK, best
from butaca.model.query import QueryTower
from butaca.recommend.titles import find_title
from butaca.types import Codes, Floats, Values

#: Columns that hold what a person would call an item, in order of preference.
TITLE_COLUMNS = ("movie_title", "title", "name", "titulo", "título", "nombre")

#: Users scored at once.
BLOCK = 1024


@dataclass(frozen=True)
class Item:
    """One recommended item.

    Attributes:
        id: as the table gave it.
        title: what a person would call it; the id where the table has no title.
        score: higher is better; comparable within one list.
    """

    id: Any
    title: str
    score: float


@dataclass(frozen=True)
class Recommendation:
    """A list, best first.

    Attributes:
        asked: the user as given; for `similar`, the title that was found.
        items: at most k; fewer only if the catalogue, less what was left out, holds fewer.
        source: where the list comes from: "user" (the model learned from the user), "history" (it
            did not, and answers from what was given as history), "popularity" (there was none, and the
            list is what most people chose), or "similar".
        history: titles of what was given as history.
    """

    asked: Any
    items: tuple[Item, ...]
    source: str
    history: tuple[str, ...] = ()


class FittedTowers(Protocol):
    """What `Recommender.build` needs of a model.

    Where it also has `item_bias`, a `query_tower` that reads histories, and the histories that it
    has `seen`, they are carried too.
    """

    @property
    def users(self) -> Entities:
        """The users it knows."""
        ...

    @property
    def items(self) -> Entities:
        """The candidates."""
        ...

    @property
    def user_vectors(self) -> Floats:
        """[U + 1, d], the last for unknown users."""
        ...

    @property
    def item_vectors(self) -> Floats:
        """[N, d]."""
        ...


@dataclass(frozen=True, eq=False)
class Recommender:
    """Exact lists from user and item vectors.

    Attributes:
        users, items: the entities, in the order of the vectors.
        user_vectors: [U + 1, d], the last for unknown users; item_vectors: [N, d].
        item_bias: a term of each item alone [N], or None.
        seen: training histories.
        popularity: training interactions of each item, [N].
        about: configuration, metrics and data of the model, as the folder's manifest keeps them.
        test: held-out pairs of the split that the model was trained with, or None.
        query_tower: makes vectors of new histories, or None where the model reads none.
    """

    users: Entities
    items: Entities
    user_vectors: Floats
    item_vectors: Floats
    seen: Histories
    popularity: Floats
    item_bias: Floats | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    test: tuple[Codes, Codes] | None = None
    query_tower: QueryTower | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", ExactIndex(self.item_vectors, self.item_bias))
        object.__setattr__(self, "_titles", item_titles(self.items))
        object.__setattr__(self, "_popular", ExactIndex(self.popularity[:, None]))

    _index: ExactIndex = field(init=False, repr=False)
    _popular: ExactIndex = field(init=False, repr=False)
    _titles: list[str] = field(init=False, repr=False)

    @classmethod
    def build(
        cls,
        model: FittedTowers,
        train: Dataset,
        test: Dataset | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Recommender:
        """From a fitted model and the interactions that count as seen.

        A tower that reads histories answers from these, also where it was trained on fewer.
        """
        train = train.recoded(model.users, model.items)
        seen = Histories.of(train)
        vectors, bias = model.user_vectors, getattr(model, "item_bias", None)
        tower: QueryTower | None = getattr(model, "query_tower", None)
        if tower is not None and not tower.reads_history:
            tower = None
        if tower is not None and not _same(seen, getattr(model, "seen", None)):
            vectors = tower(np.arange(len(model.users) + 1, dtype=np.int32), seen)
        pairs = None
        if test is not None:
            test = test.recoded(model.users, model.items)
            pairs = (test.user, test.item)
        return cls(
            model.users,
            model.items,
            np.asarray(vectors, dtype=np.float32),
            np.asarray(model.item_vectors, dtype=np.float32),
            seen,
            np.bincount(train.item, minlength=len(model.items)).astype(np.float32),
            None if bias is None else np.asarray(bias, dtype=np.float32),
            about=dict(about or {}),
            test=pairs,
            query_tower=tower,
        )

    # A Scorer, so that a saved model is judged like any other.

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.items)

    def score(self, users: Codes) -> Floats:
        """User codes [B] -> scores [B, N]."""
        known = (users >= 0) & (users < len(self.users))
        return self._index.scores(self.user_vectors[np.where(known, users, len(self.users))])

    # Lists.

    def recommend(
        self,
        user: Any = None,
        k: int = 10,
        *,
        history: Sequence[Any] | None = None,
        exclude_seen: bool = True,
    ) -> Recommendation:
        """The k best items for one person, at once, without training.

        The ladder: what the model knows of the user, with the given history added; the given history
        alone; without either, what is popular. The answer's `source` names the rung.

        Args:
            user: raw id; None, or one that the model does not know, is a new person.
            k: how many.
            history: ids or titles of items that the person has had (spelled as in `find_item`).
            exclude_seen: leave out what the person had, by training or by `history`.

        Raises:
            UnknownEntityError: an item of the history is not known.
            SettingError: a history for a model that reads none.
        """
        code = self.users.ids.unknown if user is None else self.users.ids.code(user)
        own = self.seen[code]
        given = [self.find_item(item) for item in ([history] if isinstance(history, str) else history or ())]
        added = np.array(sorted(set(given)), dtype=np.int32)
        if len(added):
            query = self._query(code, added)
        elif len(own):
            query = self.user_vectors[code : code + 1]
        else:  # unknown, or known without an interaction to learn from
            top = self._popular.top_k(np.ones((1, 1), dtype=np.float32), k)
            return self._answer(user, top, 0, "popularity")
        exclude = [np.union1d(own, added)] if exclude_seen else None
        answer = self._answer(
            user, self._index.top_k(query, k, exclude), 0, "user" if len(own) else "history"
        )
        return replace(answer, history=tuple(self._titles[i] for i in given))

    def _query(self, user: int, added: Codes) -> Floats:
        """The vector of a user after further items, [1, d]; of a new person after these alone."""
        if self.query_tower is None:
            raise SettingError(
                "A history is answered by a model whose query tower reads histories",
                f"a history of {len(added)} for a model that has vectors of its training users only",
                "Fit with --recipe default, or with History() among the query's features",
            )
        _, at = self.seen.rows(np.array([user], dtype=np.int32))
        fresh = added[~np.isin(added, self.seen.items[at])]  # what is known of the others is kept
        value, time = self.seen.value, self.seen.time
        if value is not None:  # not rated
            value = np.concatenate([value[at], np.full(len(fresh), np.nan, np.float32)])
        if time is not None:  # now
            time = np.concatenate([time[at], np.full(len(fresh), time[at].max(initial=0))])
        items = np.concatenate([self.seen.items[at], fresh])
        histories = Histories.from_pairs(np.zeros(len(items), np.int32), items, 1, value, time)
        return self.query_tower(np.zeros(1, np.int32), histories, np.array([user], dtype=np.int32))

    def recommend_many(
        self, users: Sequence[Any], k: int = 10, exclude_seen: bool = True
    ) -> Iterator[Recommendation]:
        """Lists for any number of users, in their order, in blocks that bound memory."""
        for at in range(0, len(users), BLOCK):
            block = list(users[at : at + BLOCK])
            codes = self.users.ids.encode(block)
            known = np.flatnonzero([len(self.seen[int(c)]) > 0 for c in codes])
            exclude = [self.seen[int(c)] for c in codes[known]] if exclude_seen else None
            top = self._index.top_k(self.user_vectors[codes[known]], k, exclude)
            row_of = {int(i): row for row, i in enumerate(known)}
            for i, user in enumerate(block):
                if i in row_of:
                    yield self._answer(user, top, row_of[i], "user")
                else:
                    yield self.recommend(user, k, exclude_seen=exclude_seen)

    def similar(self, item: str, k: int = 10) -> Recommendation:
        """The items whose vectors point most nearly the same way (cosine), the item itself left out.

        Args:
            item: its title or id; case, accents and a missing year are forgiven.
            k: how many.
        """
        code = self.find_item(item)
        norms = np.linalg.norm(self.item_vectors, axis=1)
        cosine = (self.item_vectors @ self.item_vectors[code]) / np.maximum(norms * norms[code], 1e-12)
        cosine[code] = -np.inf
        items, scores = best(cosine.astype(np.float32), min(k, len(self.items)))
        keep = scores > -np.inf
        top = TopK(items[keep][None].astype(np.int32), scores[keep][None])
        return self._answer(self._titles[code], top, 0, "similar")

    def find_item(self, asked: Any) -> int:
        """Code of the item with this id, or with this title in a person's spelling.

        Raises:
            UnknownEntityError: none or several fit.
        """
        code = self.items.ids.code(asked)
        return code if code != self.items.ids.unknown else find_title(self._titles, str(asked))

    def find_user(self, asked: Any) -> int:
        """Code of a known user.

        Raises:
            UnknownEntityError: the model never saw that user.
        """
        code = self.users.ids.code(asked)
        if code == self.users.ids.unknown:
            raise UnknownEntityError(
                f"A {self.users.key} is one that the model was trained on",
                repr(asked),
                f"There are {len(self.users):,}, such as {self.users.ids.values[0]!r}",
            )
        return code

    def _answer(self, user: Any, top: TopK, row: int, source: str) -> Recommendation:
        ids, titles = self.items.ids.values, self._titles
        pairs = zip(top.items[row].tolist(), top.scores[row].tolist(), strict=True)
        return Recommendation(user, tuple(Item(ids[i], titles[i], s) for i, s in pairs if i >= 0), source)

    def save(self, folder: str | Path) -> Path:
        """Write the model folder; see butaca.recommend.bundle."""
        from butaca.recommend.bundle import save_bundle

        return save_bundle(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Recommender:
        """Read a model folder; see butaca.recommend.bundle."""
        from butaca.recommend.bundle import load_bundle

        return load_bundle(Path(folder))


def _same(a: Histories, b: Histories | None) -> bool:
    """Whether two histories hold the same."""
    columns = ("items", "start", "value", "time")
    return b is not None and all(_equal(getattr(a, c), getattr(b, c)) for c in columns)


def _equal(a: Values | None, b: Values | None) -> bool:
    if a is None or b is None:
        return a is b
    return a is b or np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def item_titles(items: Entities) -> list[str]:
    """What a person would call each item."""
    for name in (items.key, *TITLE_COLUMNS):
        if name in TITLE_COLUMNS and name in items:
            column = items[name]
            if not isinstance(column, Bags):
                return [str(t) for t in column.tolist()]
    return [str(v) for v in items.ids.values.tolist()]
