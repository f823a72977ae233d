"""Raw values to codes and back, and what happens to values of another kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from butaca.data.vocabulary import WHOLE, Vocabulary, as_values
from butaca.errors import FeatureError

TEXTS = st.lists(st.text(max_size=6), min_size=1, max_size=30)
INTS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30)


@given(TEXTS | INTS)
def test_decode_undoes_encode(raw: list[Any]) -> None:
    v = Vocabulary.of(raw)
    codes = v.encode(raw)
    assert codes.dtype == np.int32
    assert v.decode(codes).tolist() == raw


@given(TEXTS | INTS)
def test_codes_are_positions_in_the_sorted_distinct_values(raw: list[Any]) -> None:
    v = Vocabulary.of(raw)
    assert v.values.tolist() == sorted(set(raw))
    assert v.encode(v.values).tolist() == list(range(len(v)))
    assert [v.code(value) for value in v.values.tolist()] == list(range(len(v)))


@given(TEXTS | INTS)
def test_row_order_and_repeats_change_nothing(raw: list[Any]) -> None:
    assert Vocabulary.of(raw) == Vocabulary.of(raw[::-1] + raw)
    assert hash(Vocabulary.of(raw)) == hash(Vocabulary.of(raw[::-1]))


@given(INTS)
def test_whole_numbers_are_found_when_given_as_text_and_the_reverse(raw: list[int]) -> None:
    numbers, texts = Vocabulary.of(raw), Vocabulary.of([str(n) for n in raw])
    assert numbers.encode([str(n) for n in raw]).tolist() == numbers.encode(raw).tolist()
    assert texts.encode(raw).tolist() == texts.encode([str(n) for n in raw]).tolist()


@given(TEXTS)
def test_bytes_are_the_text_they_spell(raw: list[str]) -> None:
    as_bytes = [t.encode() for t in raw]
    v = Vocabulary.of(as_bytes)
    assert v == Vocabulary.of(raw)
    assert v.encode(as_bytes).tolist() == v.encode(raw).tolist()


@given(TEXTS, st.text(max_size=6))
def test_unknown_text_gets_the_code_after_the_last(raw: list[str], other: str) -> None:
    assume(other in raw or not WHOLE.fullmatch(other))
    v = Vocabulary.of(raw)
    expected = sorted(set(raw)).index(other) if other in raw else len(set(raw))
    assert v.code(other) == v.encode([other]).tolist()[0] == expected
    assert v.unknown == len(v) == len(set(raw))
    assert (other in v) == (other in raw)


def test_the_notebooks_ids() -> None:
    # sorted as text: "10" < "2"; code = position
    v = Vocabulary.of(np.array(["2", "10", "2"]))
    assert v.values.tolist() == ["10", "2"]
    assert v.is_text
    assert v.encode(["2", b"10", 2, "02"]).tolist() == [1, 0, 1, 2]
    # whole floats, as numbers and as text, are the whole numbers that they say
    assert v.encode(["2.0", 10.0, " 10.00 ", "2.5", "x"]).tolist() == [1, 0, 0, 2, 2]
    assert v.code("2.0") == 1


def test_numbers_sort_as_numbers() -> None:
    v = Vocabulary.of(np.array([10, 2, 2], dtype=np.int16))
    assert v.values.tolist() == [2, 10]
    assert v.values.dtype == np.int64
    assert not v.is_text


@pytest.mark.parametrize(
    ("value", "code"),
    [("2", 0), ("007", 1), (" 7 ", 1), (7.0, 1), (np.float32(2), 0), (np.int8(7), 1), (b"7", 1), ("+2", 0)],
)
def test_a_number_vocabulary_takes_what_means_one_of_its_numbers(value: object, code: int) -> None:
    assert Vocabulary.of([2, 7]).code(value) == code


@pytest.mark.parametrize("value", ["7.5", "seven", "", None, 7.5, float("nan"), float("inf"), "0_7", "٧"])
def test_a_number_vocabulary_does_not_know_the_rest(value: object) -> None:
    assert Vocabulary.of([2, 7]).code(value) == 2


def test_an_array_of_numpy_strings_is_text_too() -> None:
    v = Vocabulary(np.array(["7", "8"]))
    assert v.is_text
    assert v.code(8) == 1


def test_values_must_be_distinct() -> None:
    with pytest.raises(FeatureError, match=r"3 values of which 2 are distinct.*Vocabulary\.of"):
        Vocabulary(np.array([1, 2, 1]))


def test_values_cannot_be_changed() -> None:
    v = Vocabulary.of(["a", "b"])
    with pytest.raises(ValueError, match="read-only"):
        v.values[0] = "z"


def test_a_table_is_no_vocabulary() -> None:
    with pytest.raises(FeatureError, match="2 dimensions"):
        as_values(np.zeros((2, 2)))


@pytest.mark.parametrize("raw", [np.array([1, 2**63], dtype=np.uint64), [1, -(2**63) - 1]])
def test_numbers_beyond_64_bits_are_refused(raw: Iterable[int]) -> None:
    with pytest.raises(FeatureError, match=r"64 bits.*Pass them as text"):
        as_values(raw)


def test_an_empty_vocabulary_knows_nothing() -> None:
    v = Vocabulary.of([])
    assert len(v) == v.unknown == v.code("a") == 0
    assert v.encode([]).tolist() == []


def test_shown_in_brief() -> None:
    assert repr(Vocabulary.of("abcd")) == "Vocabulary(4 values: 'a', 'b', 'c', ...)"
    assert repr(Vocabulary.of("ab")) == "Vocabulary(2 values: 'a', 'b')"
