"""Times: every resolution, unit and way of writing, and what is asked where the cells do not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import leave_last_out
from butaca.data.tables import read_table
from butaca.data.times.column import in_seconds
from butaca.errors import SettingError, TableError
from tests.support.narrow import some

DAY = 86_400
APRIL_3 = 1333411200  # 2012-04-03, a Tuesday, 00:00 UTC
ROWS = [("u", "m", 3, 0), ("u", "a", 3, 900), ("u", "z", 3, 100), ("v", "a", 3, 0), ("v", "z", 1, 900)]
ROWS.append(("v", "z", 5, 100))


def table(times: Any) -> dict[str, Any]:
    columns = dict(zip(("user", "item", "rating"), zip(*[r[:3] for r in ROWS], strict=True), strict=True))
    return {**columns, "time": times}


def dated(cells: list[Any], **options: Any) -> Dataset:
    return read_table({"user": [*range(len(cells))], "item": [*range(len(cells))], "time": cells}, **options)


TICKS = {"ms": 1, "us": 10**3, "ns": 10**6}
OFFSETS = [r[3] for r in ROWS]
FINER = {
    **{f"numbers, {u}": [(1_700_000_000_000 + o) * scale for o in OFFSETS] for u, scale in TICKS.items()},
    "seconds with fractions": [1_700_000_000 + o / 1000 for o in OFFSETS],
    "fractions as text": [f"1700000000.{o:03d}" for o in OFFSETS],
    "ns that float64 does not tell apart": [1_700_000_000_000_000_000 + o // 100 for o in OFFSETS],
    "the same as text": [str(1_700_000_000_000_000_000 + o // 100) for o in OFFSETS],
    "iso": [f"2023-11-14T22:13:20.{o:03d}Z" for o in OFFSETS],
    "iso, nanoseconds": [f"2023-11-14T22:13:20.000000{o:03d}Z" for o in OFFSETS],
    "digits": [f"20231114221320{o:03d}" for o in OFFSETS],
    "numpy": np.array([1_700_000_000_000_000_000 + o for o in OFFSETS], dtype="datetime64[ns]"),
    "pandas": pd.Series(np.array([1_700_000_000_000_000_000 + o for o in OFFSETS], dtype="datetime64[ns]")),
}


@pytest.mark.parametrize("how", FINER)
def test_order_within_a_second_is_that_of_the_source(how: str) -> None:
    data = read_table(table(FINER[how]))
    assert some(data.timestamp).dtype == np.float64
    _, test = leave_last_out(data)
    assert dict(zip(test.user.tolist(), test.items.ids.decode(test.item), strict=True))[0] == "a"
    of_v = data.find("v", "z")
    assert some(data.value)[of_v].tolist() == [1]  # the latest of the pair
    kept = Histories.of(data)
    assert some(kept.time).dtype == np.float64


def test_ticks_keep_their_order_where_float64_does_not_tell_them_apart() -> None:
    ticks = 1_700_000_000_000_000_000 + np.array([5, 1, 1, 3, 10**9])
    seconds = in_seconds(ticks, 10**9)
    assert np.array_equal(np.unique(seconds, return_inverse=True)[1], [2, 0, 0, 1, 3])
    assert np.abs(seconds - 1_700_000_000).max() <= 1


@pytest.mark.parametrize(
    ("cells", "days", "said"),
    [
        (["Tue Apr 03 18:00:09 +0000 2012", "Wed Apr 04 18:00:09 +0000 2012"], [0, 1], "written English"),
        (["Tue Apr 3 18:00:09 2012", "Wed Apr 4 18:00:09 2012"], [0, 1], "written English"),
        (["Tue, 03 Apr 2012 20:00:00 +0200", "Wed, 04 Apr 2012 20:00:00 +0200"], [0, 1], "written English"),
        (["Apr 3, 2012", "Apr 13, 2012"], [0, 10], "written English"),
        (["April 3, 2012", "May 3, 2012"], [0, 30], "written English"),
        (["3 April 2012", "13 April 2012"], [0, 10], "written English"),
        (["03-Apr-2012", "13-Apr-12"], None, ""),
        (["3-Apr-12", "13-Apr-12"], [0, 10], "written English"),
        (["04 3, 2012", "04 13, 2012"], [0, 10], "written month first"),
        (["04/03/2012", "04/13/2012"], [0, 10], "written month first"),
        (["3/4/2012", "13/4/2012"], [0, 10], "written day first"),
        (["3.4.2012", "13.4.2012"], [0, 10], "written day first"),
        (["03-04-2012", "13-04-2012"], [0, 10], "written day first"),
        (["3/4/12 10:30", "13/4/12 9:05"], [0, 10], "written day first"),
        (["4/3/2012 6:00:09 PM", "4/13/2012 6:00:09 PM"], [0, 10], "written month first"),
        (["2012.04.03", "2012.04.13"], [0, 10], "written year first"),
        (["2012/04/03", "2012/04/13"], [0, 10], "dates and times"),
        (["05/05/2012", "04/04/2012"], [32, 1], "taken as UTC"),  # one reading, whichever way
        (["20120403183000", "20120404183000"], [0, 1], "dates and times as yyyymmddhhmmss, taken as UTC"),
        ([20120403183000, 20120404183000], [0, 1], "dates and times as yyyymmddhhmmss, taken as UTC"),
        ([201204031830, 201204041830], [0, 1], "dates and times as yyyymmddhhmm, taken as UTC"),
    ],
)
def test_dates_as_people_write_them(cells: list[Any], days: list[int] | None, said: str) -> None:
    if days is None:  # two ways in one column
        with pytest.raises(TableError, match="has a time"):
            dated(cells)
        return
    data = dated(cells)
    assert ((some(data.timestamp) - APRIL_3) // DAY).tolist() == days
    assert said in data.notes[2]
    assert "from 2012-0" in data.notes[2]


@pytest.mark.parametrize(
    ("cells", "readings", "format_", "days"),
    [
        (["03/04/2012", "05/04/2012"], ("3 April 2012", "4 March 2012"), "%d/%m/%Y", [0, 2]),
        (["03/04/2012", "05/04/2012"], ("day first", "month first"), "day-first", [0, 2]),
        (["04-03-2012 10:00", "04-05-2012 10:00"], ("4 March 2012", "3 April 2012"), "month-first", [0, 2]),
        (["12-04-03", "12-04-05"], ("12 April 2003", "4 December 2003"), "year-first", [0, 2]),
    ],
)
def test_dates_that_can_be_read_in_two_ways_are_asked_about(
    cells: list[str], readings: tuple[str, str], format_: str, days: list[int]
) -> None:
    with pytest.raises(TableError) as caught:
        dated(cells)
    for part in (repr(cells[0]), *readings, "time_format=", "--time-format", "row 1"):
        assert part in str(caught.value)
    data = dated(cells, time_format=format_)
    assert ((some(data.timestamp) - APRIL_3) // DAY).tolist() == days


def test_a_cell_that_the_format_does_not_read_is_named() -> None:
    with pytest.raises(TableError, match=r"%d/%m/%Y.*'4/13/2012' in column 'time', row 2"):
        dated(["3/4/2012", "4/13/2012"], time_format="%d/%m/%Y")
    with pytest.raises(TableError, match=r"'31[.]4[.]2012' in column 'time', row 2"):
        dated(["13.4.2012", "31.4.2012", "12.5.2012"])


@pytest.mark.parametrize("wrong", ["%Q", "dd/mm/yyyy", "days"])
def test_a_format_that_is_none(wrong: str) -> None:
    with pytest.raises(SettingError, match="pattern of strptime"):
        dated(["3/4/2012"] * 2, time_format=wrong)


class TestUnits:
    @pytest.mark.parametrize("as_text", [False, True])
    @pytest.mark.parametrize(("coarse", "fine"), [(1, 10**3), (10**3, 10**6), (1, 10**6), (10**6, 10**9)])
    def test_two_in_one_column_are_refused(
        self, coarse: int, fine: int, as_text: bool, tmp_path: Path
    ) -> None:
        cells = [1_700_000_000 * coarse, 1_700_000_500 * fine, 1_700_001_000 * coarse, 1_700_002_000 * fine]
        if as_text:
            (tmp_path / "t.csv").write_text(
                "user,item,timestamp\n" + "".join(f"{i},{i},{c}\n" for i, c in enumerate(cells))
            )
            source: Any = tmp_path / "t.csv"
        else:
            source = {"user": [0, 1, 2, 3], "item": [0, 1, 2, 3], "timestamp": cells}
        where = "line 2" if as_text else "row 1"
        with pytest.raises(TableError, match=rf"in one unit.*'{cells[0]}'.*{where}.*1 more.*'{cells[1]}'"):
            read_table(source)

    def test_the_caller_may_say_which(self) -> None:
        data = dated([1_700_000_000, 1_700_000_000_500], time_format="ms")
        assert some(data.timestamp).tolist() == [1_700_000, 1_700_000_000.5]
        assert some(dated([1, 2], time_format="s").timestamp).tolist() == [1, 2]

    def test_odd_times_are_told_with_their_line(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text("user,item,time\n1,1,1700000000\n2,2,100\n3,3,4102444800\n")
        note = read_table(tmp_path / "t.csv").notes[2]
        assert "from 1970-01-01 to 2100-01-01" in note
        assert "1 row before 1995, the first in line 3" in note
        assert "1 row in the future, the first in line 4" in note
        fine = dated([1_700_000_000, 1_600_000_000]).notes[2]
        assert fine.endswith("seconds since 1970, from 2020-09-13 to 2023-11-14")
