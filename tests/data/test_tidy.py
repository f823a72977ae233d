"""This module tests dates as programs and people write them, beyond ISO and the usual orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from butaca.data.tables import read_table
from butaca.errors import TableError


def written(folder: Path, cells: Sequence[str]) -> Path:
    rows = [f"u{n % 3};i{n};{cell}" for n, cell in enumerate(cells)]
    (folder / "r.csv").write_text("user;item;timestamp\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder / "r.csv"


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


AFTERNOON, MORNING = at(2021, 3, 9, 13, 5, 7), at(2021, 10, 31, 1, 5, 7)


@pytest.mark.parametrize(
    ("cells", "expected", "said"),
    [
        (["09/03/2021 01:05:07 p. m.", "31/10/2021 01:05:07 a. m."], [AFTERNOON, MORNING], "day first"),
        (["9/3/2021 1:05:07 p.m.", "31/10/2021 1:05:07 a.m."], [AFTERNOON, MORNING], "day first"),
        (["3/9/2021, 1:05:07\u202fPM", "10/31/2021, 1:05:07\u202fAM"], [AFTERNOON, MORNING], "month first"),
        (["9.3.2021, 13:05:07", "31.10.2021, 01:05:07"], [AFTERNOON, MORNING], "day first"),
        (
            [
                "Tue Mar 09 2021 13:05:07 GMT+0000 (Coordinated Universal Time)",
                "Sun Oct 31 2021 03:05:07 GMT+0200 (Central European Summer Time)",
            ],
            [AFTERNOON, MORNING],
            "English",
        ),
        (["March 9th, 2021 13:05:07", "October 31st, 2021 01:05:07"], [AFTERNOON, MORNING], "English"),
        (["9th March 2021", "31st October 2021"], [at(2021, 3, 9), at(2021, 10, 31)], "English"),
        (["2021年3月9日 13:05:07", "2021年10月31日 01:05:07"], [AFTERNOON, MORNING], "year first"),
        (["2021년 3월 9일", "2021년 10월 31일"], [at(2021, 3, 9), at(2021, 10, 31)], "year first"),
        (
            ["2021-03-09 13:05:07,123", "2021-10-31 01:05:07,500"],
            [AFTERNOON + 0.123, MORNING + 0.5],
            "year first",
        ),
        (["'2021-03-09", "'2021-10-31"], [at(2021, 3, 9), at(2021, 10, 31)], "year first"),
        (["2021-03", "2021-10"], [at(2021, 3, 1), at(2021, 10, 1)], "as months"),
        (["03/2021", "10/2021"], [at(2021, 3, 1), at(2021, 10, 1)], "as months"),
        (["2021-Q1", "2021Q4"], [at(2021, 1, 1), at(2021, 10, 1)], "as quarters"),
        (["2021-W10-2", "2021-W43-7"], [at(2021, 3, 9), at(2021, 10, 31)], "as weeks"),
        (["2021-W10", "2020-W53"], [at(2021, 3, 8), at(2020, 12, 28)], "as weeks"),
        (["2021-068", "2021-304"], [at(2021, 3, 9), at(2021, 10, 31)], "as days of years"),
    ],
)
def test_dates_are_tidied(cells: list[str], expected: list[float], said: str, tmp_path: Path) -> None:
    data = read_table(written(tmp_path, cells))
    assert data.timestamp is not None
    np.testing.assert_allclose(data.timestamp, expected, atol=1e-5)
    assert any(f"dates written {said}" in note for note in data.notes)


@pytest.mark.parametrize(
    "cells",
    [
        ["2021-03", "2021-13"],
        ["2021-Q1", "2021-Q5"],
        ["2021-W10", "2021-W99"],
        ["2021-068", "2021-400"],
        ["2021-03-09 13:05:07,123", "2021-03-09 25:05:07,123"],
        ["March 9th, 2021", "March 32nd, 2021"],
    ],
)
def test_what_is_no_date_is_named(cells: list[str], tmp_path: Path) -> None:
    with pytest.raises(TableError, match=f"Received: {cells[1]!r} in column 'timestamp', line 3"):
        read_table(written(tmp_path, cells))


def test_two_orders_are_asked_about_and_one_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, ["09/03/2021 01:05:07 p. m.", "10/04/2021 01:05:07 a. m."])
    with pytest.raises(TableError, match="time_format='day-first' or 'month-first' ") as raised:
        read_table(path)
    assert "pattern" not in str(raised.value)  # none reads the cells as they are
    day, month = (read_table(path, time_format=order) for order in ("day-first", "month-first"))
    assert day.timestamp is not None
    assert month.timestamp is not None
    assert (day.timestamp[0], month.timestamp[0]) == (AFTERNOON, at(2021, 9, 3, 13, 5, 7))


def test_excels_days_are_told_and_read_where_it_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, ["44264.54521990741", "44500.04521990741"])
    assert any("unless they are Excel's days" in note for note in read_table(path).notes)
    data = read_table(path, time_format="excel")
    assert data.timestamp is not None
    assert data.timestamp.tolist() == [AFTERNOON, MORNING]
    assert not any("unless" in note for note in read_table(written(tmp_path, ["5", "9"])).notes)
