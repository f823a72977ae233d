"""This module says which dates times span, and which are odd: before 1995, in the future, in two units."""

from __future__ import annotations

import time

import numpy as np

from butaca.data.formats.opened import Opened

YEAR_1995, YEAR_2100 = 788_918_400, 4_102_444_800  # the times that data on the web have
DAY = 86_400
NAMES = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}

#: How a note ends on times that are odd.
ODD_TIMES = "check its unit or format"


def range_of(first: int, last: int) -> str:
    """Says the dates that times span, in seconds since 1970 UTC.

    >>> range_of(0, 86_400)
    ', from 1970-01-01 to 1970-01-02'
    """
    return f", from {_day(first)} to {_day(last)}"


def odd_times(opened: Opened, seconds: str, *, span: tuple[int, int]) -> list[str]:
    """Says which of a table's times are odd, before 1995 or in the future.

    Args:
        opened: the loaded table.
        seconds: the SQL of its times, in whole seconds.
        span: the first and the last, in seconds.
    """
    tomorrow = int(time.time()) + DAY
    said = []
    for bad, words, is_odd in (
        (f"{seconds} < {YEAR_1995}", "before 1995", span[0] < YEAR_1995),
        (f"{seconds} > {tomorrow}", "in the future", span[1] > tomorrow),
    ):
        if is_odd:
            (n_all,) = opened.one(f"FROM {opened.table} SELECT count(*)")
            n, row = opened.one(f"FROM {opened.table} SELECT count(*), min(rowid) WHERE {bad}")
            said.append(odd(n, n_all, words=words, where=opened.where(row)))
    return said


def in_two_units(opened: Opened, cell: str) -> str:
    """Says whether all numbers of a column look like times since 1970, in two units; else says nothing."""
    ticks = f"TRY_CAST({cell} AS BIGINT)"
    units = {
        name: f"{ticks} BETWEEN {YEAR_1995 * scale} AND {YEAR_2100 * scale}" for scale, name in NAMES.items()
    }
    looked = ", ".join(f"count_if({like}), min(rowid) FILTER ({like})" for like in units.values())
    n, *found = opened.one(f"FROM {opened.table} SELECT count({ticks}), {looked}")
    there = [(k, row, name) for k, row, name in zip(found[::2], found[1::2], units, strict=True) if k]
    if len(there) < 2 or sum(k for k, _, _ in there) < n:
        return ""
    said = " and ".join(f"{k:,} like {name} (the first in {opened.where(row)})" for k, row, name in there)
    return f", which look like times since 1970 in two units: {said}"


def odd(n: int, n_all: int, *, words: str, where: str) -> str:
    """Says how many of all rows have odd times, in which words, and where the first is."""
    rows = "all rows" if n == n_all else f"{n:,} row{'s' if n > 1 else ''}"
    return f"{rows} {words}, the first in {where}: {ODD_TIMES}"


def _day(seconds: int) -> str:
    return str(np.datetime64(seconds, "s").astype("datetime64[D]"))
