"""This module reads ratings and amounts, however a table writes them: "4", "4,5", "4/5", "80 %", "★★★★☆".

A column is read in one way, which all of its cells fit; what is no plain number is said in a note.
"""

from __future__ import annotations

import re

import numpy as np

from butaca.data.cells.converted import LARGEST, column, is_text_field, number, numeric, refuse, refuse_empty
from butaca.data.cells.written_cells import Written, marked_numbers
from butaca.data.columns.roles import Field
from butaca.data.formats.opened import Opened, quoted
from butaca.errors import TableError
from butaca.types import Floats

RULE = "Every interaction has a value, a finite number"
CURE = "Correct it, remove the row, or read the table without values: value_column='' or --value-column ''"
USUAL = (4, 5, 6, 7, 10, 20, 100)  # what ratings are out of
A_FEW = 100  # cells by which it is told whether a way is tried on all
FIRST = 2000  # cells by which it is told whether to look at all of a column

_N = "([0-9]+(?:[.,][0-9]+)?)"
_STARS = (
    "(?:stars?|estrellas?|estrelas?|[ée]toiles?|sterne?|stell[ae]|sterren|pts?[.]?|points?|puntos?|punkte?)"
)
_FULL = "★⭐🌟✭✮*"
_MARKS = f"[{_FULL}]"
_OUT_OF = f"{_N} ?(?:/|out of|of|de|sobre|von|sur|su|из) ?([0-9]+) ?(?:{_STARS}|{_MARKS})?"
_COUNTED = f"{_N} ?(?:{_STARS}|{_MARKS})"
_DRAWN = f"{_MARKS}*[½⯨⯪]?[☆✩✰]*"
PLAIN_WAYS = (_OUT_OF, _COUNTED, _DRAWN)
_BLANKS = "[+-]?([0-9]{1,3}( [0-9]{3})+|[0-9]+)([.,][0-9]{1,2})?"
_THREE = "[€$£¥₹]? ?[+-]?([0-9]{1,3}[.,][0-9]{3}|[0-9]+) ?(?:[€$£¥₹]|EUR|USD|GBP)?"
#: Digits of other scripts, the minus sign, blanks that break no line, apostrophes between thousands,
#: the Arabic decimal mark, and what makes an emoji of a sign; what they become, of which the last is nothing.
_ODD = "".join(chr(zero + n) for zero in (0x660, 0x6F0, 0x966, 0xFF10) for n in range(10))
_ODD += "\u2212\u00a0\u202f\u2009\u2019'\u066b\ufe0f"
_PLAIN = 4 * "0123456789" + "-     ."
#: Thousands apart by a point, which are as well numbers with three places: all cells have them, and no other.
_THREE_PLACES = "[+-]?[1-9][0-9]{0,2}[.][0-9]{3}"


def numbers(opened: Opened, field: Field, *, rule: str = RULE, cure: str = CURE) -> Floats:
    """Returns ratings or amounts, float32 [n]: any finite numbers; true and false are 1 and 0.

    Args:
        opened: the loaded table.
        field: the column.
        rule: what an error says must hold.
        cure: what it says to do.

    Raises:
        TableError: an empty cell, text that is not a number, or one that is not finite.
    """
    as_number = numbers_sql(opened, field, rule=rule, cure=cure)
    out: Floats = np.asarray(column(opened, as_number), dtype=np.float32)
    return out


def numbers_sql(opened: Opened, field: Field, *, rule: str = RULE, cure: str = CURE) -> str:
    """Returns the SQL of a column's cells as finite numbers; says how they are written where it is oddly.

    Args:
        opened: the loaded table.
        field: the column.
        rule: what an error says must hold.
        cure: what it says to do.

    Raises:
        TableError: a cell that is none.
    """
    cell, is_text = field.sql, is_text_field(opened, field)
    as_number = number(cell) if is_text else f"{cell}::DOUBLE"
    (bad,) = opened.one(f"FROM {opened.table} SELECT count_if({_not_finite(as_number)})")
    if not bad:
        if is_text and (said := _thousands(opened, field)):
            opened.notes.append(said)
        return as_number
    refuse_empty(opened, field, rule=rule, cure=cure)
    how = ""
    if is_text:
        as_number = numeric(opened, cell)
        how = (
            "with words for true and false as 1 and 0" if "THEN 1.0" in as_number else "with a decimal comma"
        )
        if as_number == number(cell) and (written := _in_one_way(opened, field)) is not None:
            as_number, how = written.sql, written.said
            opened.scales[field.name] = written.scale
    refuse(opened, field, bad=_not_finite(as_number), rule=rule, what="{value}", cure=cure)
    opened.notes.append(f"the numbers of {field.name!r} are read {how}")
    opened.read_as[cell] = as_number
    return as_number


def _not_finite(as_number: str) -> str:
    return f"(abs({as_number}) <= {LARGEST!r}) IS NOT TRUE"


def _thousands(opened: Opened, field: Field) -> str:
    """Returns a notice where all numbers with a point may have it between thousands; "" elsewhere."""
    cell = field.sql
    pointed, three = (
        f"count_if(contains({cell}, '.'))",
        f"count_if(regexp_full_match({cell}, '{_THREE_PLACES}'))",
    )
    for table in (f"(FROM {opened.table} SELECT {cell} LIMIT {FIRST})", opened.table):
        points, places, kinds = opened.one(f"FROM {table} SELECT {pointed}, {three}, count(DISTINCT {cell})")
        if not points or points > places or kinds < 2:
            return ""
    (one,) = opened.one(f"FROM {opened.table} SELECT min({cell}) WHERE contains({cell}, '.')")
    return (
        f"the numbers of {field.name!r} have three digits behind their points: {one!r} is read as "
        f"{float(one):g}; if it is {one.replace('.', '')}, write it without the point"
    )


def _bare(cell: str) -> str:
    """Returns the SQL of a cell with plain digits, signs and blanks."""
    return f"trim(regexp_replace(translate({cell}, {quoted(_ODD)}, '{_PLAIN}'), '[ ]+', ' ', 'g'))"


def _fitting(opened: Opened, cell: str, *patterns: str) -> str:
    """Returns the first of some patterns that all filled cells of a column are of; "" where there is none."""
    fits = [f"bool_and(regexp_full_match({_bare(cell)}, '{pattern}', 'i'))" for pattern in patterns]
    some = f"WHERE {cell} <> ''"
    first = f"(FROM {opened.table} SELECT {cell} {some} LIMIT {A_FEW})"
    for pattern, fit, is_likely in zip(
        patterns, fits, opened.one(f"FROM {first} SELECT {', '.join(fits)}"), strict=True
    ):
        if is_likely and opened.one(f"FROM {opened.table} SELECT {fit} {some}")[0]:
            return pattern
    return ""


def written_numbers(opened: Opened, field: Field, *, plainly: bool = False) -> Written | None:
    """Returns the way in which all filled cells of a column of text are numbers; None where there is none.

    Args:
        opened: the loaded table.
        field: the column.
        plainly: only as ratings are written, which are nothing else: no parts such as 16/9, no digits apart,
            as of telephones.
    """
    cell, bare = field.sql, _bare(field.sql)
    filled = f"WHERE {cell} <> ''"
    pattern = _fitting(opened, cell, *PLAIN_WAYS, *([] if plainly else [_BLANKS]))

    def said(how: str, sql: str, scale: str = "") -> Written:
        (one,) = opened.one(f"FROM {opened.table} SELECT min({cell}) {filled}")
        (value,) = opened.one(f"FROM {opened.table} SELECT {sql} WHERE {cell} = {quoted(one)} LIMIT 1")
        return Written(sql, f"{how}: {one!r} is {value:g}", scale)

    def part(pattern: str, at: int) -> str:
        return f"TRY_CAST(replace(regexp_extract({bare}, '{pattern}', {at}, 'i'), ',', '.') AS DOUBLE)"

    if pattern == _OUT_OF:
        n, of = part(_OUT_OF, 1), part(_OUT_OF, 2)
        least, most, more = opened.one(
            f"FROM {opened.table} SELECT min({of}), max({of}), count_if({n} > {of}) {filled}"
        )
        if not least or more or (plainly and not (least == most and most in USUAL)):
            return None
        if least == most:
            return said(f"out of {most:g}", n, f"out of {most:g}")
        return said("as shares of 1", f"({n} / {of})", "shares of 1")
    if pattern == _COUNTED:
        return said("by what stands before the words or stars", part(_COUNTED, 1))
    if pattern == _DRAWN:
        full = f"length(regexp_replace({bare}, '[^{_FULL}]', '', 'g'))"
        half = f"CASE WHEN regexp_matches({bare}, '[½⯨⯪]') THEN 0.5 ELSE 0.0 END"
        some = opened.one(f"FROM {opened.table} SELECT max({full})")[0]
        stars = f"CASE WHEN {cell} <> '' THEN ({full} + {half})::DOUBLE END"
        return said("by their stars", stars) if some else None
    if plainly:
        return None
    if pattern == _BLANKS:
        clean = f"replace(regexp_replace({bare}, '[ ]', '', 'g'), ',', '.')"
        (apart,) = opened.one(f"FROM {opened.table} SELECT bool_or(contains({bare}, ' '))")
        how = "with thousands apart" if apart else "in digits or signs of another script"
        return said(how, f"TRY_CAST({clean} AS DOUBLE)")
    return marked_numbers(opened, cell)


def _in_one_way(opened: Opened, field: Field) -> Written | None:
    """Returns the way in which all cells are numbers; None where there is none.

    Raises:
        TableError: a mark between digits may be of thousands or of decimals.
    """
    cell = field.sql
    found = written_numbers(opened, field)
    if found is None and _fitting(opened, cell, _THREE):
        marked = f"regexp_matches({cell}, '[.,]')"
        one, row, n = opened.one(
            f"FROM {opened.table} SELECT arg_min({cell}, rowid), min(rowid), count(*) WHERE {marked}"
        )
        digits = re.sub(r"[^0-9.,+-]", "", one)
        more = f", and {n - 1} more like it" if n > 1 else ""
        raise TableError(
            "A mark between digits is read in one way",
            f"{one!r} in column {field.name!r}, {opened.where(row)} of {opened.label}{more}, which is "
            f"{re.sub('[.,]', '', digits)} with thousands apart and {digits.replace(',', '.')} with decimals",
            "Write the numbers without a mark between thousands, and with a point before decimals",
        )
    return found
