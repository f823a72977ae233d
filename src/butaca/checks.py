"""This module checks what callers pass: the kinds of values, in words, before they fail deep inside."""

from __future__ import annotations

import functools
import math
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from butaca.errors import SettingError

T = TypeVar("T")

#: Letters of a value that an error repeats.
LONGEST = 80

#: The largest whole number that arrays hold.
MOST = 2**63 - 1


def whole_number(name: str, value: Any, *, least: int | None = 1) -> int:
    """Returns a whole number that was given, which is at least `least`.

    >>> whole_number("k", 3)
    3

    Args:
        name: what the caller calls it.
        value: as given.
        least: the lowest that is allowed; None allows any.

    Raises:
        SettingError: it is no whole number, or lower, or more than 64 bits hold.
    """
    given = "" if " " in name else f"{name}="  # "Each of k" is not what anybody writes
    if isinstance(value, bool) or not isinstance(value, Integral):
        whole = isinstance(value, float) and value.is_integer()
        raise SettingError(
            f"{name} is a whole number",
            f"{given}{shown(value)}",
            f"Write {given}{int(value)}" if whole else "",
        )
    if least is not None and value < least:
        raise SettingError(
            f"{name} is at least {least}", f"{given}{shown(value)}", f"Try {given}{max(least, 10)}"
        )
    if abs(int(value)) > MOST:
        raise SettingError(f"{name} has at most 64 bits", f"{given}{shown(value)}", "Pass another")
    return int(value)


def at_least(name: str, value: int | None, *, least: int) -> None:
    """Checks a whole number, or None.

    Raises:
        SettingError: it is below `least`.
    """
    if value is not None and whole_number(name, value, least=None) < least:
        raise SettingError(f"{name} is {least} or more", f"{name}={value}", "Correct it")


def real_number(name: str, value: Any) -> float:
    """Returns a number that was given.

    >>> real_number("l2", 1)
    1.0

    Raises:
        SettingError: it is none, or one of more digits than a float has room for.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise SettingError(f"{name} is a number", f"{name}={shown(value)}", "Write it without quotes")
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        raise SettingError(
            f"{name} is a finite number", f"{name}={shown(value)}", "Pass a smaller one"
        ) from None


def finite_number(name: str, value: Any) -> float:
    """Returns a number that was given, which is finite.

    Raises:
        SettingError: it is none, or not a number (nan), or without end.
    """
    number = real_number(name, value)
    if not math.isfinite(number):
        raise SettingError(
            f"{name} is a finite number", f"{name}={shown(value)}", "Pass one, or leave it out"
        )
    return number


def of_kind(name: str, value: Any, *, kind: type[T], cure: str = "") -> T:
    """Returns a value of a class that was given.

    >>> of_kind("data", "a.csv", kind=dict)
    Traceback (most recent call last):
        ...
    butaca.errors.SettingError: data is a dict. Received: str 'a.csv'.

    Raises:
        SettingError: it is something else.
    """
    if not isinstance(value, kind):
        received = "None" if value is None else f"{type(value).__name__} {shown(value)}"
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise SettingError(f"{name} is {article} {kind.__name__}", received, cure)
    return value


def several(name: str, value: Any) -> list[Any]:
    """Returns a list of what was given: of one text that text, of None nothing.

    >>> several("exclude", "Alien"), several("exclude", None), several("exclude", (1, 2))
    (['Alien'], [], [1, 2])

    Raises:
        SettingError: it is one thing, or a mapping.
    """
    if value is None:
        return []
    if isinstance(value, np.ndarray) and not value.ndim:
        value = value.item()
    if isinstance(value, str | bytes):
        return [value]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise SettingError(f"{name} is a list", f"{name}={shown(value)}", f"Write {name}=[...]")
    return list(value.tolist() if isinstance(value, np.ndarray) else value)


def path_of(name: str, value: Any) -> Path:
    """Returns a path that was given, as text or as one.

    >>> path_of("folder", "model").name
    'model'

    Raises:
        SettingError: it is something else.
    """
    if not isinstance(value, str | Path):
        raise SettingError(f"{name} is a path", f"{name}={shown(value)}", "Pass a str or a Path")
    return Path(value)


def array_of(value: Any) -> NDArray[Any]:
    """Returns what was given as an array; lists of several lengths as one object, which no check takes."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.array(None)


def user_codes(codes: Any) -> NDArray[Any]:
    """Returns codes of users as an array [B].

    >>> user_codes([3, 0]).tolist()
    [3, 0]

    Raises:
        SettingError: they are no list of whole numbers, as where raw ids were passed.
    """
    array = array_of(codes)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        raise SettingError(
            "Users are given by their codes here, a list of whole numbers",
            shown(codes),
            "Turn ids into codes with users.ids.encode(ids)",
        )
    return array if len(array) else array.astype(np.int32)


def shown(value: Any) -> str:
    """Returns a value as an error repeats it, not the whole of a long one."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # a whole number of more digits than Python writes
        text = f"{type(value).__name__} of {sys.get_int_max_str_digits():,} digits or more"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def check_fields(record: Any) -> None:
    """Checks that every field of a record of settings is of the type it is declared as.

    What is declared as something else than numbers, words, choices, paths and records is left alone.

    Raises:
        SettingError: names the first field that is not.
    """
    kind: Any = type(record)
    hints = _hints(kind)
    for field in fields(record):
        if field.init and field.name in hints:
            check_type(field.name, getattr(record, field.name), hint=hints[field.name])


def check_type(name: str, value: Any, *, hint: Any) -> None:
    """Checks a value against a type: `int`, `float | None`, `Literal["a"]`, `tuple[int, ...]`, a record.

    Raises:
        SettingError: it is of another one.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return
        kinds = [arg for arg in args if arg is not type(None)]
        if len(kinds) == 1:
            check_type(name, value, hint=kinds[0])
    elif origin is Literal:
        if not isinstance(value, str) or value not in args:
            raise SettingError(f"{name} is one of " + ", ".join(map(str, args)), shown(value), "Correct it")
    elif origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        if not isinstance(value, tuple):
            raise SettingError(f"{name} is a tuple", f"{name}={shown(value)}", f"Write {name}=(..., )")
        for one in value:
            check_type(f"Each of {name}", one, hint=args[0])
    elif hint is bool:
        if not isinstance(value, bool):
            raise SettingError(f"{name} is True or False", f"{name}={shown(value)}", "Correct it")
    elif hint is int:
        whole_number(name, value, least=None)
    elif hint is float:
        if math.isnan(real_number(name, value)):
            raise SettingError(f"{name} is a number", f"{name}=nan", "Pass one, or leave it out")
    elif hint is Path:
        path_of(name, value)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise SettingError(f"{name} is a mapping", f"{name}={shown(value)}", "Pass a dict")
    elif hint is str or (isinstance(hint, type) and is_dataclass(hint)):
        of_kind(name, value, kind=hint)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
