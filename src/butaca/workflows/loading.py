"""This module loads data and splits them: sets by name, tables, the service's events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from butaca.catalogue.items import Catalogue
from butaca.data.core import cored
from butaca.data.dataset import Dataset, Entities
from butaca.data.folders import GROWN, kind_of
from butaca.data.formats.written import AS_IT_IS, Reading
from butaca.data.signal import PLAIN, Signal
from butaca.data.splits import leave_last_out, random_split, temporal_split, user_split
from butaca.errors import SplitError, StoreError, TableError
from butaca.workflows.about import split_record
from butaca.workflows.counted_events import and_negatives, as_table, counted_events, joined_with, kinds_for

if TYPE_CHECKING:  # a database
    from butaca.events.interactions import Interactions

Split: TypeAlias = Literal["random", "temporal", "last", "user", "none"]

#: How sides were told apart: by a split, or by a table of test interactions.
ToldBy: TypeAlias = Split | Literal["given"]

#: Names that `fit` takes for MovieLens.
MOVIELENS = ("ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m", "ml-latest-small")


@dataclass(frozen=True, eq=False)
class Sides:
    """A Sides holds data that come split.

    Attributes:
        train, test: the sides; test is None where nothing is held out.
        split, test_share, seed: how they were split.
        signal: what counts as what in them.
    """

    train: Dataset
    test: Dataset | None
    split: ToldBy
    test_share: float
    seed: int
    signal: Signal = PLAIN


@dataclass(frozen=True)
class Columns:
    """A Columns says what the caller said of a table; None is found by name, by type and by the cells.

    Attributes:
        user, item, value, time: names of columns.
        items, users: tables of features.
        title: the items' column of titles.
        reading: how the table is written.
        least: interactions that a user and an item have at least (`data/core.py`).
        signal: what counts as what.
    """

    user: str | None = None
    item: str | None = None
    value: str | None = None
    time: str | None = None
    items: str | None = None
    users: str | None = None
    _: KW_ONLY
    title: str | None = None
    reading: Reading = AS_IT_IS
    least: tuple[int, int] = (0, 0)
    signal: Signal = PLAIN


def load(source: str | Sequence[str], columns: Columns | None = None) -> Dataset:
    """Loads a MovieLens set by name (items are titles, as in the notebook), a table, or grown data."""
    columns = columns or Columns()
    if isinstance(source, str) and kind_of(Path(source).expanduser()) == GROWN:
        source, columns = _grown(Path(source).expanduser(), columns)
    min_user, min_item = columns.least
    if isinstance(source, str) and source in MOVIELENS:
        from butaca.data.movielens.load import load_movielens
        from butaca.data.settled import signalled

        data = signalled(load_movielens(source.removeprefix("ml-")), columns.signal)
        data = data.keyed_by(columns.item or "movie_title")
        return cored(data, min_user=min_user, min_item=min_item)
    from butaca.data.tables import read_table

    if isinstance(source, str) and not Path(source).exists() and source.startswith("ml-"):
        raise TableError("A MovieLens set is one of " + ", ".join(MOVIELENS), source, "Correct the name")
    return read_table(
        source,
        items=columns.items,
        users=columns.users,
        user_column=columns.user,
        item_column=columns.item,
        value_column=columns.value,
        time_column=columns.time,
        title_column=columns.title,
        min_user=min_user,
        min_item=min_item,
        time_format=columns.reading.time_format,
        sep=columns.reading.sep,
        encoding=columns.reading.encoding,
        query=columns.reading.query,
        wide=columns.reading.wide,
        drop_nulls=columns.reading.drop_nulls,
        signal=columns.signal,
    )


def _grown(folder: Path, columns: Columns) -> tuple[str, Columns]:
    """Returns the interactions of a folder that `butaca data grow` wrote, and its tables of features."""
    items, users = str(folder / "items.parquet"), str(folder / "users.parquet")
    tables = replace(columns, items=columns.items or items, users=columns.users or users)
    return str(folder / "interactions"), tables


def load_test(
    source: str,
    *,
    users: Entities,
    items: Entities,
    columns: Columns,
    query: str | None = None,
    as_fitted: bool = False,
) -> Dataset:
    """Loads test interactions of one's own in the codes of a model or of training data, as `read_test`.

    Args:
        source: the table.
        users: of the model, or of the training data.
        items: likewise.
        columns: what was said of the table; its query is that of the training table, and not read.
        query: of this table, if it is a database.
        as_fitted: whether the signal is that of the training data.

    Raises:
        TableError: it can't be read, or none of its pairs is known.
    """
    from butaca.data.tables import read_test

    reading = columns.reading
    return read_test(
        source,
        users=users,
        items=items,
        user_column=columns.user,
        item_column=columns.item,
        value_column=columns.value,
        time_column=columns.time,
        time_format=reading.time_format,
        sep=reading.sep,
        encoding=reading.encoding,
        query=query,
        wide=reading.wide,
        drop_nulls=reading.drop_nulls,
        signal=columns.signal,
        as_fitted=as_fitted,
    )


def prepared(source: str | Sequence[str]) -> Sides | None:
    """Opens the sides of a folder that `butaca data prepare` wrote, on the disk; None for anything else."""
    if not isinstance(source, str):
        return None
    from butaca.scale.prepared import KIND, Prepared

    folder = Path(source).expanduser()
    if kind_of(folder) != KIND:
        return None
    found = Prepared.open(folder)
    test = found.dataset("test") if len(found.test) else None
    record = split_record(found.manifest)
    asked = (record["split"], record["test_share"], record["seed"])
    return Sides(found.dataset("train"), test, *asked, found.signal)


def with_events(data: Dataset | None, address: str, *, columns: Columns) -> Dataset:
    """Adds the service's events to the data, without the people who were erased; None: the events alone.

    Args:
        data: to begin with.
        address: of the event store.
        columns: of which the tables of items and users are read where there is no data; its signal says
            what events count: by default those that say yes do, each the same.
    """
    from butaca.data.merge import without_users
    from butaca.events.records import POSITIVE_KINDS
    from butaca.events.store import EventStore, events_table

    path = address.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).is_file():
        raise StoreError(
            "Events are read from a store that is there",
            path,
            "Check its address (FitPlan.from_events; on the command line: --from-events)",
        )
    store = EventStore.open(address)
    signal = columns.signal
    kinds = kinds_for(signal) or POSITIVE_KINDS
    try:
        before = store.erased_among(_people(data, events_table(store, kinds)))
        events = events_table(store, kinds)
        erased = store.erased_among(_people(data, events))
        meanwhile = [user in erased - before for user in events.user.tolist()]  # who comes back is new
        events = events.take(np.flatnonzero(~np.array(meanwhile, dtype=bool)))
    finally:
        store.close()
    if data is not None:
        gone = np.array([str(user) in erased for user in data.users.ids.values.tolist()], dtype=bool)
        left = without_users(data, gone) if gone.any() else data
        if gone.any():
            left = replace(left, notes=(*left.notes, f"{int(gone.sum()):,} erased users left out"))
        known = Catalogue(left.items, np.bincount(left.item, minlength=len(left.items)).astype(np.float32))
        means = {item: known.known(item) for item in dict.fromkeys(events.item.tolist())}
        ids = {item: item if code is None else known.ids[code] for item, code in means.items()}
        counted = counted_events(events, signal)
        item, no_item = (  # a title stands for its item
            [ids[item] for item in part.item.tolist()] for part in (counted.positives, counted.negatives)
        )
        return joined_with(left, counted, item=item, no_item=no_item)
    counted = counted_events(events, signal)
    if not len(counted.positives):
        raise TableError("A model learns from events that are there", f"{store.name}, which has none", "Wait")
    from butaca.data.tables import read_table

    table, told = as_table(counted)
    told = replace(told, repeats="allow") if signal.again else told
    if counted.weight is None and not signal.again:
        told = PLAIN
    alone = read_table(table, items=columns.items, users=columns.users, name="events", signal=told)
    alone = replace(alone, notes=(*alone.notes, *counted.notes))
    return and_negatives(alone, counted.negatives, item=counted.negatives.item.tolist())


def _people(data: Dataset | None, events: Interactions) -> list[str]:
    """Lists everyone in the data or the events, as text."""
    known = [] if data is None else list(map(str, data.users.ids.values.tolist()))
    return [*known, *dict.fromkeys(events.user.tolist())]


def split_by(data: Dataset, split: Split, *, test_share: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """Splits into train and test by the name of the split; "none" trains on everything."""
    if split == "none":
        return data, None
    if split == "random":
        return random_split(data, test_share, seed=seed)
    if split == "temporal":
        return temporal_split(data, test_share)
    if split == "user":
        return user_split(data, test_share, seed=seed)
    if split == "last":
        return leave_last_out(data, seed=seed)
    raise no_split(split)


def no_split(name: str) -> SplitError:
    """Returns the error of a name that no split has."""
    return SplitError("A split is one of " + ", ".join(get_args(Split)), repr(name), "Correct the name")
