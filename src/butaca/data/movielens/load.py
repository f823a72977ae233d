"""This module reads MovieLens in all its layouts, with the names and codes of TensorFlow Datasets.

A layout is known by the files that are there, not by the size that was asked for:

    100K           u.data, u.item, u.user; or the recbole wheel's ml-100k.inter, .item, .user
    1M             ratings.dat, movies.dat, users.dat
    10M            ratings.dat, movies.dat
    20M and later  ratings.csv, movies.csv
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from types import MappingProxyType

import numpy as np

from butaca.data.bags import Bags, Column
from butaca.data.dataset import Dataset, Entities
from butaca.data.movielens import sources
from butaca.data.movielens.codes import (
    AGES,
    FLAGS,
    GENRE_CODES,
    GENRES,
    OCCUPATION_CODES,
    OCCUPATIONS,
    OCCUPATIONS_1M,
)
from butaca.data.movielens.copies import Copy
from butaca.data.movielens.rows import LARGEST_ID, WHOLE, Table, line_of, read_ratings, rows
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError, SourceError
from butaca.types import Codes, Ints, Values

# "(1995)", "(1995-1998)" or "(1995-)"; the last in a title, which may go on with "(V)".
YEAR = re.compile(r"\((\d{4})(?:\s?[-\u2013]\s?(?:\d{4})?)?\s*\)")


@dataclass(frozen=True)
class ArchiveLayout:
    """An ArchiveLayout names the files of one kind of archive; `users` may be absent."""

    ratings: Table
    movies: Table
    users: Table | None = None


_RATING = ("user_id", "item_id", "rating", "timestamp")
_WHEEL_RATING = ("user_id:token", "item_id:token", "rating:float", "timestamp:float")
_WHEEL_MOVIE = ("item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq")
_WHEEL_USER = ("user_id:token", "age:token", "gender:token", "occupation:token", "zip_code:token")
_MOVIE_100K = ("movieId", "title", "release date", "video release date", "IMDb URL", *FLAGS)
_MOVIE = ("movieId", "title", "genres")
LAYOUTS = (
    ArchiveLayout(
        Table("u.data", "\t", _RATING),
        Table("u.item", "|", _MOVIE_100K),
        Table("u.user", "|", ("user_id", "age", "gender", "occupation", "zip_code")),
    ),
    ArchiveLayout(
        Table("ml-100k.inter", "\t", _WHEEL_RATING, True),
        Table("ml-100k.item", "\t", _WHEEL_MOVIE, True),
        Table("ml-100k.user", "\t", _WHEEL_USER, True),
    ),
    ArchiveLayout(
        Table("ratings.dat", "::", _RATING),
        Table("movies.dat", "::", _MOVIE),
        Table("users.dat", "::", ("user_id", "gender", "age", "occupation", "zip_code")),
    ),
    ArchiveLayout(
        Table("ratings.csv", ",", ("userId", "movieId", "rating", "timestamp"), True),
        Table("movies.csv", ",", _MOVIE, True),
    ),
)


def load_movielens(
    size: str = "100k",
    *,
    source: str | PathLike[str] | None = None,
    cache: str | PathLike[str] | None = None,
    progress: bool | None = None,
) -> Dataset:
    """Returns a MovieLens set, from this machine or fetched; every film and user of it, rated or not.

    Items are keyed by "movie_id" (text), with "movie_title", "movie_genres" (codes of `GENRES`) and
    "movie_year" (0 where the title has none). Users are keyed by "user_id" (text); 100K and 1M know their
    age bracket, gender (True: male), occupation and zip code, 100K their age as well. Ratings are
    "user_rating", times "timestamp", in the order of the file.

    Args:
        size: "100k", "1m", "10m", "20m", "25m", "32m" or "latest-small".
        source: a folder or .zip of your own to read instead, whatever its size; BUTACA_MOVIELENS, a
            variable of the environment, names a place to look first.
        cache: where fetched files are kept (default: BUTACA_CACHE, else ~/.cache/butaca).
        progress: whether to say on stderr how fetching goes (default: if it is a terminal).

    Raises:
        SettingError: another size.
        SourceError: the set is not here and can't be fetched.
        TableError: a row that breaks the rules of its file.
    """
    key = size.lower().removeprefix("ml-")
    if key not in sources.ARCHIVES:
        raise SettingError(
            f"A MovieLens set is one of {', '.join(sources.ARCHIVES)}", repr(size), "Name one of them"
        )
    copy = sources.find(key, source, cache=cache, progress=progress)
    name = key.upper() if key[0].isdigit() else key
    return read_copy(copy, f"MovieLens {name}" if source is None else f"MovieLens in {copy.path.name}")


def read_copy(copy: Copy, name: str) -> Dataset:
    """Returns the Dataset of the files of one set."""
    layout = next((layout for layout in LAYOUTS if layout.ratings.name in copy), None)
    if layout is None:
        raise SourceError(
            f"A copy of MovieLens has one of {', '.join(sources.RATINGS)}", str(copy.path), "Correct the path"
        )
    numbers, items = _items(copy, layout.movies)
    ratings = read_ratings(copy, layout.ratings)
    item = _encode(ratings.item, numbers, copy, layout.ratings, layout.movies, 1)
    if layout.users is None or (layout.users.name == "users.dat" and layout.users.name not in copy):
        users, user = _users_met(ratings.user)  # 10M and later say nothing of them
    else:
        numbers, users = _users(copy, layout.users)
        user = _encode(ratings.user, numbers, copy, layout.ratings, layout.users, 0)
    return Dataset(
        users=users,
        items=items,
        user=user,
        item=item,
        value=ratings.value,
        timestamp=ratings.time,
        value_name="user_rating",
        time_name="timestamp",
        name=name,
        notes=(f"from {copy.origin}",),
    )


def _items(copy: Copy, table: Table) -> tuple[Ints, Entities]:
    """Returns the films, and their ids as numbers in the order of the codes."""
    numbers: dict[int, int] = {}
    titles, genres = [], []
    for line, row in rows(copy, table):
        cells = list(row.values())
        _add(numbers, copy, table, line, table.columns[0], cells[0])
        title, column = cells[1].strip(), table.columns[1]
        if not title:
            raise table.fault(copy, line, column=column, found="an empty cell", rule="Every film has a title")
        if table.columns == _WHEEL_MOVIE:
            title = _whole_title(title, cells[2].strip())
        titles.append(title)
        genres.append(list(_genres(copy, table, line, row)))
    ordered, ids, order = _in_code_order(list(numbers))
    years = [int((YEAR.findall(title) or [0])[-1]) for title in titles]
    columns: dict[str, Column] = {
        "movie_title": _text(titles)[order],
        "movie_genres": Bags.of(genres, np.int64).take(order),
        "movie_year": np.array(years, dtype=np.int64)[order],
    }
    return ordered, Entities("movie_id", ids, MappingProxyType(columns), {"movie_genres": GENRES})


def _whole_title(title: str, year: str) -> str:
    """Returns a title as u.item has it; the wheel keeps what its last brackets hold ("1995", "V") apart."""
    if title == year == "unkonwn":
        return "unknown"
    return f"{title} ({year})" if year else title


def _genres(copy: Copy, table: Table, line: int, row: dict[str, str]) -> Iterator[int]:
    if table.columns == _MOVIE_100K:
        for name in FLAGS:
            if row[name] not in {"0", "1"}:
                raise table.fault(
                    copy, line, column=name, found=repr(row[name]), rule="A genre's column holds 0 or 1"
                )
            if row[name] == "1":
                yield GENRE_CODES[name]
        return
    column = table.columns[-1]
    for name in row[column].strip().split("|" if column == "genres" else None):
        if name not in GENRE_CODES:
            rule = f"A genre is one of {', '.join(GENRES)}"
            raise table.fault(copy, line, column=column, found=repr(name), rule=rule)
        yield GENRE_CODES[name]


def _users(copy: Copy, table: Table) -> tuple[Ints, Entities]:
    """Returns the users, and their ids as numbers in the order of the codes."""
    numbers: dict[int, int] = {}
    ages, males, occupations, zips = [], [], [], []
    for line, row in rows(copy, table):
        cell = {column.partition(":")[0]: (column, text.strip()) for column, text in row.items()}
        _add(numbers, copy, table, line, *cell["user_id"])
        ages.append(_number(copy, table, line, *cell["age"], 150))
        column, gender = cell["gender"]
        if gender not in {"F", "M"}:
            raise table.fault(copy, line, column=column, found=repr(gender), rule="A gender is F or M")
        males.append(gender == "M")
        column, occupation = cell["occupation"]
        if table.name == "users.dat":
            code = _number(copy, table, line, column, occupation, len(OCCUPATIONS_1M) - 1)
            occupation = OCCUPATIONS_1M[code]
        if occupation not in OCCUPATION_CODES:
            rule = "An occupation is one of the list that comes with the archive"
            raise table.fault(copy, line, column=column, found=repr(occupation), rule=rule)
        occupations.append(occupation)
        zips.append(cell["zip_code"][1])
    ordered, ids, order = _in_code_order(list(numbers))
    brackets = [AGES[max(bisect.bisect_right(AGES, age) - 1, 0)] for age in ages]
    labels = [OCCUPATION_CODES[name] for name in occupations]
    columns: dict[str, Column] = {"bucketized_user_age": np.array(brackets, dtype=np.float32)[order]}
    if table.name != "users.dat":  # 1M gives brackets only
        columns["raw_user_age"] = np.array(ages, dtype=np.float32)[order]
    columns |= {
        "user_gender": np.array(males, dtype=np.bool_)[order],
        "user_occupation_label": np.array(labels, dtype=np.int64)[order],
        "user_occupation_text": _text(occupations)[order],
        "user_zip_code": _text(zips)[order],
    }
    named = {"user_occupation_label": OCCUPATIONS}
    return ordered, Entities("user_id", ids, MappingProxyType(columns), named)


def _users_met(met: Codes) -> tuple[Entities, Codes]:
    """Returns users of whom only the ratings tell, and their codes."""
    present = np.zeros(int(met.max()) + 1, dtype=np.bool_)
    present[met] = True
    numbers, ids, _ = _in_code_order(np.flatnonzero(present).tolist())
    codes = np.zeros(len(present), dtype=np.int32)
    codes[numbers] = np.arange(len(numbers), dtype=np.int32)
    return Entities("user_id", ids), codes[met]


def _add(numbers: dict[int, int], copy: Copy, table: Table, line: int, column: str, cell: str) -> None:
    """Adds an id to those of the lines before, each with its line."""
    number = _number(copy, table, line, column, cell, LARGEST_ID)
    if number in numbers:
        rule = f"An id is on one line of {table.name}"
        raise table.fault(
            copy, line, column=column, found=f"{number}, as in line {numbers[number]},", rule=rule
        )
    numbers[number] = line


def _number(copy: Copy, table: Table, line: int, column: str, cell: str, largest: int) -> int:
    if not WHOLE.fullmatch(cell) or int(cell) > largest:
        raise table.fault(
            copy, line, column=column, found=repr(cell), rule=f"Here is a whole number from 0 to {largest:,}"
        )
    return int(cell)


def _in_code_order(numbers: Sequence[int]) -> tuple[Ints, Vocabulary, Ints]:
    """Returns numbers sorted as text, the vocabulary of these texts, and the row of each code."""
    texts = [str(number) for number in numbers]
    order = np.array(sorted(range(len(texts)), key=texts.__getitem__), dtype=np.int64)
    return np.array(numbers, dtype=np.int64)[order], Vocabulary(_text(texts)[order]), order


def _text(values: Sequence[str]) -> Values:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _encode(met: Codes, numbers: Ints, copy: Copy, ratings: Table, listed: Table, column: int) -> Codes:
    """Turns numbers in the ratings [n] into codes; `numbers` are those that are listed, in code order."""
    codes = np.full(max(int(met.max()), int(numbers.max(initial=0))) + 1, -1, dtype=np.int32)
    codes[numbers] = np.arange(len(numbers), dtype=np.int32)
    out: Codes = codes[met]
    if out.min() < 0:
        row = int(np.argmax(out < 0))
        rule = f"Each id in {ratings.name} is listed in {listed.name}"
        line, name = line_of(copy, ratings, row=row), ratings.columns[column]
        raise ratings.fault(copy, line, column=name, found=f"{met[row]}, which is not,", rule=rule)
    return out
