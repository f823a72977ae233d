"""This module tests ratings and amounts as people write them: parts, percents, stars, words, thousands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from butaca.data.dataset import Dataset
from butaca.data.signal import Signal
from butaca.data.tables import read_table
from butaca.errors import TableError
from butaca.scale.pool import local_runner
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing


def written(folder: Path, cells: Sequence[str], *, name: str = "rating") -> Path:
    path = folder / "r.csv"
    rows = [f"u{n % 3};i{n};{cell}" for n, cell in enumerate(cells)]
    path.write_text(f"user;item;{name}\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def values(data: Dataset) -> list[float]:
    assert data.value is not None
    return [round(float(v), 6) for v in data.value]


@pytest.mark.parametrize(
    ("cells", "expected", "said"),
    [
        (["4/5", "3/5", "1/5"], [4, 3, 1], "out of 5: '1/5' is 1"),
        (["4 / 10", "7.5/10", "10/10"], [4, 7.5, 10], "out of 10"),
        (["4,5/5", "3/5"], [4.5, 3], "out of 5"),
        (["4.0 out of 5 stars", "1.0 out of 5 stars"], [4, 1], "out of 5"),
        (["4 de 5", "2 de 5"], [4, 2], "out of 5"),
        (["4/5", "7/10"], [0.8, 0.7], "as shares of 1: '4/5' is 0.8"),
        (["80%", "95 %", "7.5%"], [80, 95, 7.5], "with '%'"),
        (["80,5 %", "95 %"], [80.5, 95], "with '%'"),
        (["★★★★☆", "★☆☆☆☆", "☆☆☆☆☆"], [4, 1, 0], "by their stars"),
        (["★★★★", "★½", "½"], [4, 1.5, 0.5], "by their stars"),
        (["⭐⭐⭐", "⭐️⭐️"], [3, 2], "by their stars"),
        (["***", "*"], [3, 1], "by their stars: '*' is 1"),
        (["4 stars", "1 star", "4.5 Stars"], [4, 1, 4.5], "before the words or stars"),
        (["4★", "3 ⭐"], [4, 3], "before the words or stars"),
        (["4 estrellas", "1 estrella"], [4, 1], "before the words or stars"),
        (["$1,250.50", "$3"], [1250.5, 3], "with '$'"),
        (["1.250,50 €", "3 €"], [1250.5, 3], "with '€'"),
        (["1 250", "12", "1 250 000"], [1250, 12, 1250000], "with thousands apart"),
        (["1'250", "12.5"], [1250, 12.5], "with thousands apart"),
        (["1\u202f250", "12"], [1250, 12], "with thousands apart"),
        (["1.250.000", "3.500"], [1250000, 3500], "with thousands apart"),
        (["٤", "٥"], [4, 5], "another script: '٤' is 4"),
        (["−1", "1"], [-1, 1], "another script"),
        (["oui", "non"], [1, 0], "words for true and false"),
        (["Ja", "Nein"], [1, 0], "words for true and false"),
        (["sim", "não"], [1, 0], "words for true and false"),
        (["да", "нет"], [1, 0], "words for true and false"),
        (["是", "否"], [1, 0], "words for true and false"),
        (["VERDADERO", "FALSO"], [1, 0], "words for true and false"),
    ],
)
def test_values_as_people_write_them(
    cells: list[str], expected: list[float], said: str, tmp_path: Path
) -> None:
    path = written(tmp_path, cells)
    data = read_table(path)
    assert values(data) == expected
    (note,) = [line for line in data.notes if line.startswith("the numbers of 'rating' are read ")]
    assert said in note
    with local_runner(1) as runner:
        prepared = prepare(path, tmp_path / "p", settings=Preparing(split="none"), runner=runner)
    assert note in prepared.manifest["notes"]
    found = prepared.train.value
    assert found is not None
    assert sorted(found.tolist()) == pytest.approx(sorted(expected))


@pytest.mark.parametrize(
    "cells",
    [
        ["4/5", "4/5/6"],
        ["4/5", "6/5"],
        ["4/0", "4/0"],
        ["★★", "bad ★"],
        ["☆☆", "☆"],
        ["80%", "$5"],
        ["4 stars", "4 cars"],
        ["4/5", "80%"],
        ["yes", "no", "perhaps"],
        ["0x4", "0x5"],
    ],
)
def test_cells_that_fit_no_one_way_are_refused(cells: list[str], tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"finite number.*line \d"):
        read_table(written(tmp_path, cells))


@pytest.mark.parametrize("cells", [["1,250", "2,500"], ["1.250 €", "3.500 €"], ["$1,250", "$12"]])
def test_a_mark_that_may_be_of_thousands_is_asked_about(cells: list[str], tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"in one way.*line 2 of .* 1250 with thousands apart and 1\.250"):
        read_table(written(tmp_path, cells))


@pytest.mark.parametrize(
    ("cells", "is_told"),
    [
        (["1.250", "3.500"], True),
        (["1.250", "12"], True),
        (["1.250", "3.5"], False),
        (["0.125", "0.250"], False),
        (["1250", "12"], False),
    ],
)
def test_numbers_that_may_have_thousands_apart_are_told(
    cells: list[str], is_told: bool, tmp_path: Path
) -> None:
    data = read_table(written(tmp_path, cells, name="plays"))
    assert any("'1.250' is read as 1.25; if it is 1250" in note for note in data.notes) == is_told


def test_values_written_in_words_that_say_no_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, ["yes", "no", "yes", "no"])
    assert "2 of 4 values of 'rating' are 0: if they say no, pass positive_from=1 (--positive-from 1)" in (
        read_table(path).notes
    )
    assert len(read_table(path, signal=Signal(positive_from=1))) == 2


def test_amounts_are_read_alike(tmp_path: Path) -> None:
    path = written(tmp_path, ["2 pts", "3 pts", "1 pt"], name="credit")
    data = read_table(path, signal=Signal(weight_column="credit", curve="linear"))
    assert data.weight is not None
    assert data.weight.tolist() == [2, 3, 1]


def test_few_words_are_kinds_whatever_they_are(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="--event-column rating --event good=1 --event bad=negative"):
        read_table(written(tmp_path, ["good", "bad", "great", "bad"]))


def test_yes_and_no_in_other_tongues_have_their_weights(tmp_path: Path) -> None:
    data = read_table(written(tmp_path, ["ja", "nein", "ja"], name="liked"))
    assert any("--event ja=1 --event nein=negative" in note for note in data.notes)


def test_a_quantity_below_zero_takes_something_back(tmp_path: Path) -> None:
    data = read_table(written(tmp_path, ["1", "-1", "1"], name="quantity"))
    assert any("takes something back, pass weight_column='quantity'" in note for note in data.notes)


@pytest.mark.parametrize("other", [["4/10", "8/10"], ["80%", "20%"], ["4", "2"], ["4/5", "7/10"]])
def test_files_of_other_scales_are_not_prepared_together(other: list[str], tmp_path: Path) -> None:
    paths = []
    for n, cells in enumerate((["4/5", "2/5"], other)):
        (tmp_path / str(n)).mkdir()
        paths.append(str(written(tmp_path / str(n), cells)))
    with local_runner(1) as runner, pytest.raises(TableError, match=r"written alike.*numbers.*out of 5"):
        prepare(paths, tmp_path / "p", settings=Preparing(split="none"), runner=runner)
    assert not (tmp_path / "p").exists()


def test_files_of_one_scale_are(tmp_path: Path) -> None:
    paths = []
    for n, cells in enumerate((["4/5", "2/5"], ["1/5", "3,5/5"])):
        (tmp_path / str(n)).mkdir()
        paths.append(str(written(tmp_path / str(n), cells)))
    with local_runner(1) as runner:
        prepared = prepare(paths, tmp_path / "p", settings=Preparing(split="none"), runner=runner)
    assert prepared.train.value is not None
    assert sorted(prepared.train.value.tolist()) == [1, 3.5]  # the same pairs: the last of each counts
