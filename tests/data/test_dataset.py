"""Bags, entities and interactions: lookups, other keys, other codes, fingerprints."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.data.bags import Bags, Column, take_column
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import FeatureError, TableError
from tests.support.narrow import bags, lists, one_each


def text(*values: str) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def films() -> Entities:
    """Four films; two of them, codes 0 and 2, have the same title."""
    return Entities(
        "movie_id",
        Vocabulary.of(["1", "2", "3", "4"]),
        MappingProxyType(
            {
                "title": text("Heat", "Alien", "Heat", "Zodiac"),
                "genres": Bags.of([[0], [1, 2], [2], []]),
                "year": np.array([1995, 1979, 1986, 2007]),
            }
        ),
        MappingProxyType({"genres": ("Crime", "Horror", "Drama")}),
    )


def data() -> Dataset:
    """ana: films 1, 3; eva: films 3, 2, 1."""
    return Dataset(
        users=Entities("user_id", Vocabulary.of(["ana", "eva"])),
        items=films(),
        user=np.array([0, 1, 1, 0, 1], dtype=np.int32),
        item=np.array([0, 2, 1, 2, 0], dtype=np.int32),
        value=np.array([5, 4, 3, 2, 1], dtype=np.float32),
        timestamp=np.array([10, 20, 30, 40, 50]),
        value_name="rating",
        name="films",
    )


class TestBags:
    @given(st.lists(st.lists(st.integers(-5, 5), max_size=4), max_size=6), st.data())
    def test_rows_come_back_and_take_takes_them(self, rows: list[list[int]], draw: st.DataObject) -> None:
        made = Bags.of(rows)
        assert lists(made) == rows
        assert len(made) == len(rows)
        wanted = draw.draw(st.lists(st.sampled_from(range(len(rows))), max_size=5)) if rows else []
        taken = made.take(np.array(wanted, dtype=np.int64))
        assert lists(taken) == [rows[i] for i in wanted]

    def test_text(self) -> None:
        made = Bags.of([["a", "b"], []])
        assert made.values.dtype == object
        assert made[0].tolist() == ["a", "b"]
        assert made.offsets.tolist() == [0, 2, 2]

    def test_rows_out_of_range(self) -> None:
        made = Bags.of([[1], [2, 3]])
        assert made[-1].tolist() == [2, 3]
        with pytest.raises(IndexError):
            made[2]


class TestEntities:
    def test_columns_and_key_by_name(self) -> None:
        items = films()
        assert one_each(items["movie_id"]).tolist() == ["1", "2", "3", "4"]
        assert one_each(items["year"]).tolist() == [1995, 1979, 1986, 2007]
        assert "title" in items
        assert "movie_id" in items
        assert "rating" not in items
        assert len(items) == 4

    def test_a_record(self) -> None:
        record = films().record(1)
        assert record.pop("genres").tolist() == [1, 2]
        assert record == {"movie_id": "2", "title": "Alien", "year": 1979}
        assert [r["title"] for r in films().records()] == ["Heat", "Alien", "Heat", "Zodiac"]

    def test_names_say_coded_values_in_words(self) -> None:
        assert films().names("genres", 1) == ["Horror", "Drama"]
        assert films().names("genres", 3) == []
        assert films().names("title", 3) == ["Zodiac"]
        assert films().names("year", 0) == ["1995"]

    def test_an_unknown_column(self) -> None:
        with pytest.raises(FeatureError, match=r"'director', while .* movie_id, title, genres, year"):
            films()["director"]

    @pytest.mark.parametrize("column", [np.zeros(3), Bags.of([[1], [2], [3]])])
    def test_a_column_of_another_length(self, column: Column) -> None:
        with pytest.raises(TableError, match=r"one row per movie_id.*'year' with 3 rows for 4 ids"):
            Entities("movie_id", films().ids, {"year": column})

    def test_columns_cannot_be_changed(self) -> None:
        items = films()
        with pytest.raises(ValueError, match="read-only"):
            one_each(items["year"])[0] = 1
        with pytest.raises(ValueError, match="read-only"):
            bags(items["genres"]).values[0] = 1
        with pytest.raises(TypeError):
            items.columns["year"] = np.zeros(4)  # type: ignore[index]


class TestDataset:
    def test_shown_in_brief(self) -> None:
        assert repr(data()) == "Dataset('films': 5 interactions, 2 users by user_id, 4 items by movie_id)"
        assert len(data()) == 5

    def test_a_record_joins_interaction_item_and_user(self) -> None:
        record = data().record(2)
        assert record.pop("genres").tolist() == [1, 2]
        assert record == {
            "movie_id": "2", "title": "Alien", "year": 1979, "user_id": "eva", "rating": 3.0, "timestamp": 30
        }  # fmt: skip
        assert [r["user_id"] for r in data().records()] == ["ana", "eva", "eva", "ana", "eva"]

    def test_a_record_without_value_and_time(self) -> None:
        bare = replace(data(), value=None, timestamp=None)
        assert {"rating", "timestamp"}.isdisjoint(bare.record(0))

    def test_take(self) -> None:
        taken = data().take(np.array([4, 0]))
        assert taken.user.tolist() == [1, 0]
        assert taken.item.tolist() == [0, 0]
        assert taken.value is not None
        assert taken.value.tolist() == [1, 5]
        assert taken.timestamp is not None
        assert taken.timestamp.tolist() == [50, 10]
        assert len(taken.items) == 4

    def test_find(self) -> None:
        assert data().find("eva", "3").tolist() == [1]
        assert data().find("ana", "2").tolist() == []
        assert data().find("nobody", "3").tolist() == []

    def test_nothing_can_be_changed(self) -> None:
        d = data()
        for array in (d.user, d.item, d.value, d.timestamp):
            assert array is not None
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        with pytest.raises(FrozenInstanceError):
            d.name = "other"  # type: ignore[misc]
        with pytest.raises(ValueError, match="read-only"):
            d.take(np.array([0])).user[0] = 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"item": np.array([0], dtype=np.int32)}, r"5 users and 1 rows of 'item'"),
            ({"value": np.zeros(4, dtype=np.float32)}, r"5 users and 4 rows of 'rating'"),
            ({"timestamp": np.zeros(6, dtype=np.int64)}, r"5 users and 6 rows of 'timestamp'"),
            ({"user": np.array([0, 1, 2, 0, 0], dtype=np.int32)}, r"user_id code.*codes 0 to 2 for 2 values"),
            (
                {"item": np.array([0, 1, -1, 0, 0], dtype=np.int32)},
                r"movie_id code.*codes -1 to 1 for 4 values",
            ),
        ],
    )
    def test_columns_that_do_not_fit(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(TableError, match=message):
            replace(data(), **change)


class TestKeyedBy:
    def test_items_of_one_title_become_one(self) -> None:
        by_title = data().keyed_by("title")
        # sorted titles: Alien 0, Heat 1, Zodiac 2; films 1 and 3 are both Heat
        assert by_title.items.key == "title"
        assert by_title.items.ids.values.tolist() == ["Alien", "Heat", "Zodiac"]
        assert by_title.item.tolist() == [1, 1, 0, 1, 1]
        assert by_title.user.tolist() == data().user.tolist()

    def test_a_merged_row_keeps_the_features_of_the_first(self) -> None:
        items = data().keyed_by("title").items
        assert one_each(items["year"]).tolist() == [1979, 1995, 2007]
        assert one_each(items["movie_id"]).tolist() == ["2", "1", "4"]
        assert lists(items["genres"]) == [[1, 2], [0], []]
        assert items.names("genres", 1) == ["Crime"]
        assert "title" not in items.columns

    def test_by_whole_numbers(self) -> None:
        by_year = data().keyed_by("year")
        assert by_year.items.ids.values.tolist() == [1979, 1986, 1995, 2007]
        assert by_year.item.tolist() == [2, 1, 0, 1, 2]

    def test_by_the_same_key(self) -> None:
        d = data()
        assert d.keyed_by("movie_id") is d

    @pytest.mark.parametrize(("column", "held"), [("genres", "bags"), ("score", "real numbers")])
    def test_by_a_column_that_is_no_id(self, column: str, held: str) -> None:
        items = films()
        columns = {**items.columns, "score": np.ones(4, dtype=np.float32)}
        with pytest.raises(FeatureError, match=rf"{column}.*holds {held}.*'movie_id'"):
            replace(data(), items=replace(items, columns=columns)).keyed_by(column)

    def test_by_a_column_that_some_items_lack(self) -> None:
        columns = {"title": text("Heat", "", "Ran", "")}
        items = Entities("movie_id", films().ids, columns)
        with pytest.raises(FeatureError, match=r"'title'.*2 items without, such as movie_id '2'.*Fill it in"):
            replace(data(), items=items).keyed_by("title")


class TestRecoded:
    def test_raw_ids_stay_the_same(self) -> None:
        users = Entities("user_id", Vocabulary.of(["abe", "ana", "eva"]))
        items = Entities("movie_id", Vocabulary.of(["0", "1", "2", "3"]))
        recoded = data().recoded(users, items)
        assert recoded.user.tolist() == [1, 2, 2, 1, 2]
        assert recoded.item.tolist() == [1, 3, 2, 3, 1]
        assert recoded.users is users
        assert recoded.items is items
        assert users.ids.decode(recoded.user).tolist() == ["ana", "eva", "eva", "ana", "eva"]

    def test_into_items_of_another_key(self) -> None:
        titles = Entities("title", Vocabulary.of(["Alien", "Brazil", "Heat"]))
        assert data().recoded(data().users, titles).item.tolist() == [2, 2, 0, 2, 2]

    def test_into_its_own_entities(self) -> None:
        d = data()
        assert d.recoded(d.users, d.items) is d

    def test_unknown_ids(self) -> None:
        d = data()
        with pytest.raises(TableError, match=r"user_id.*'eva' in row 1 and 2 more rows.*fit again"):
            d.recoded(Entities("user_id", Vocabulary.of(["ana"])), d.items)
        with pytest.raises(TableError, match=r"movie_id.*'2' in row 2 and 0 more rows"):
            d.recoded(d.users, Entities("movie_id", Vocabulary.of(["1", "3"])))


class TestFingerprint:
    def test_equal_data_have_equal_fingerprints(self) -> None:
        assert data().fingerprint() == data().fingerprint()
        assert len(data().fingerprint()) == 64

    def test_it_does_not_change_from_version_to_version(self) -> None:
        bare = Dataset(
            users=Entities("user_id", Vocabulary.of(["ana", "eva"])),
            items=Entities("item_id", Vocabulary.of([7, 9])),
            user=np.array([0, 1], dtype=np.int32),
            item=np.array([1, 0], dtype=np.int32),
        )
        # written down once; a change here makes every saved checkpoint and bundle look like other data
        assert bare.fingerprint() == "540e6f05583f1ed254cfa00cc93a64e8f3e590f4ec3d1f2ce0fabf51cd6770ba"

    def test_names_and_notes_are_no_part_of_it(self) -> None:
        assert replace(data(), name="x", notes=("y",)).fingerprint() == data().fingerprint()

    @pytest.mark.parametrize(
        "change",
        [
            {"user": np.array([0, 1, 1, 0, 0], dtype=np.int32)},
            {"item": np.array([0, 2, 1, 2, 3], dtype=np.int32)},
            {"value": np.array([5, 4, 3, 2, 2], dtype=np.float32)},
            {"value": None},
            {"timestamp": np.array([10, 20, 30, 40, 51])},
            {"timestamp": None},
            {"users": Entities("user_id", Vocabulary.of(["ana", "eve"]))},
            {"users": Entities("user", Vocabulary.of(["ana", "eva"]))},
            {"items": Entities("movie_id", films().ids)},
            {
                "items": replace(
                    films(), columns={**films().columns, "year": np.array([1995, 1979, 1986, 2008])}
                )
            },
            {
                "items": replace(
                    films(), columns={**films().columns, "genres": Bags.of([[0], [1], [2, 2], []])}
                )
            },
            {"items": replace(films(), labels={"genres": ("Crime", "Horror", "Comedy")})},
        ],
    )
    def test_every_change_changes_it(self, change: dict[str, Any]) -> None:
        assert replace(data(), **change).fingerprint() != data().fingerprint()

    def test_the_order_of_rows_changes_it(self) -> None:
        assert data().take(np.arange(5)[::-1]).fingerprint() != data().fingerprint()

    def test_text_and_number_ids_differ(self) -> None:
        ids = [Entities("user_id", Vocabulary.of(v)) for v in (["1", "2"], [1, 2])]
        first, second = (replace(data(), users=u) for u in ids)
        assert first.fingerprint() != second.fingerprint()


def test_take_column_takes_rows_of_both_kinds() -> None:
    rows = np.array([2, 0])
    assert one_each(take_column(np.array([5, 6, 7]), rows)).tolist() == [7, 5]
    assert lists(take_column(Bags.of([[1], [2, 3], []]), rows)) == [[], [1]]
