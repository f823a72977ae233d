"""This module turns raw values into contiguous codes and back, with one code for everything unknown.

The notebook's cells 79 to 81: `np.unique` of the raw values, `StringLookup(mask_token=None)`, and an
embedding with one row more than the vocabulary. Here the unknown code is the last, n, so that known
codes index a catalogue directly.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from butaca.checks import array_of, several, shown
from butaca.errors import FeatureError, SettingError
from butaca.types import Codes, Values

WHOLE = re.compile(r"\s*([+-]?[0-9]+)(?:\.0+)?\s*")


def as_values(raw: Iterable[Any]) -> Values:
    """Returns raw values as a comparable 1-D array: text as `str` objects, whole numbers as int64.

    >>> as_values([b"21", "7"])
    array(['21', '7'], dtype=object)
    """
    if not isinstance(raw, Iterable):
        raise FeatureError("A vocabulary is made from a flat list of values", shown(raw), "Pass one column")
    array = raw if isinstance(raw, np.ndarray) else np.array(list(raw), dtype=object)
    if array.ndim != 1:
        raise FeatureError(
            "A vocabulary is made from a flat list of values",
            f"an array of {array.ndim} dimensions",
            "Pass one column",
        )
    kinds = {type(v) for v in array} if array.dtype == object else set()
    if array.dtype.kind in "iub" or (kinds and all(issubclass(k, int | np.integer) for k in kinds)):
        limits = np.iinfo(np.int64)
        if len(array) and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
            raise FeatureError(
                "Whole numbers fit in 64 bits",
                f"values from {array.min()} to {array.max()}",
                "Pass them as text",
            )
        return array.astype(np.int64)
    texts = [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in array.tolist()]
    out = np.empty(len(texts), dtype=object)
    out[:] = texts
    return out


def one_id(value: Any) -> SettingError:
    """Returns the error of what should be an id and is a list, a mapping or an array."""
    cure = "Pass one of its ids; for a list each of several users there is recommend_many"
    return SettingError("An id is one text or number", shown(value), cure)


class Vocabulary:
    """Holds the sorted distinct values of a column; code = position, `unknown` = len.

    >>> v = Vocabulary.of(["b", "a", "b"])
    >>> v.encode(["a", "b", "zzz"]).tolist(), v.unknown, v.decode([1]).tolist()
    ([0, 1, 2], 2, ['b'])
    """

    __slots__ = ("_index", "values")

    def __init__(self, values: Values) -> None:
        """Takes values already distinct, in code order ([n], text or int64)."""
        self.values = values
        self.values.flags.writeable = False
        self._index: dict[Any, int] = {v: i for i, v in enumerate(values.tolist())}
        if len(self._index) != len(values):
            raise FeatureError(
                "The values of a vocabulary are distinct",
                f"{len(values)} values of which {len(self._index)} are distinct",
                "Use Vocabulary.of, which removes repeats",
            )

    @classmethod
    def of(cls, raw: Iterable[Any]) -> Vocabulary:
        """Returns the sorted distinct values of `raw` (as `np.unique` in the notebook's cell 79)."""
        values = as_values(raw)
        if values.dtype == object:
            distinct = np.array(sorted(set(values.tolist())) or [], dtype=object)
            return cls(distinct)
        return cls(np.unique(values))

    def __reduce__(self) -> tuple[type[Vocabulary], tuple[Values]]:
        return type(self), (self.values,)

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, value: object) -> bool:
        return self.code(value) != self.unknown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.values.tolist() == other.values.tolist()

    def __hash__(self) -> int:
        return hash((len(self), self.values[0] if len(self) else None))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.values[:3].tolist()))
        return f"Vocabulary({len(self)} values: {shown}{', ...' if len(self) > 3 else ''})"

    @property
    def unknown(self) -> int:
        """Returns the code of every value that is not in the vocabulary."""
        return len(self.values)

    @property
    def is_text(self) -> bool:
        """Returns whether the raw values are text; else they are whole numbers."""
        return self.values.dtype.kind not in "iu"

    def code(self, value: Any) -> int:
        """Returns the code of one raw value; text and numbers are converted to the vocabulary's kind."""
        try:
            found = self._index.get(value)
        except TypeError:  # a list or the like has no hash
            raise one_id(value) from None
        if found is None:
            found = self._index.get(self._convert(value))
        return self.unknown if found is None else found

    def encode(self, raw: Sequence[Any] | Values) -> Codes:
        """Returns codes of raw values: [n] -> int32 [n]; what is not known gets `unknown`."""
        items = raw.tolist() if isinstance(raw, np.ndarray) and raw.ndim else several("ids", raw)
        get, unknown = self._index.get, self.unknown
        try:
            codes = np.fromiter((get(v, -1) for v in items), dtype=np.int32, count=len(items))
        except TypeError:
            raise one_id(next(v for v in items if not isinstance(v, Hashable))) from None
        for i in np.flatnonzero(codes < 0):
            codes[i] = get(self._convert(items[i]), unknown)
        return codes

    def decode(self, codes: Sequence[int] | Codes) -> Values:
        """Returns the raw values of known codes: [n] -> [n]."""
        at = array_of(codes)
        if at.dtype.kind not in "iu" and at.size:
            raise SettingError("Codes are whole numbers", shown(codes), "Pass codes, as encode gives them")
        decoded: Values = self.values[at.astype(np.int64)]
        return decoded

    def _convert(self, value: Any) -> Any:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if self.is_text:
            whole = isinstance(value, float | np.floating) and float(value).is_integer()
            text = str(int(value) if whole else value)
            if text in self._index:
                return text
            whole_text = WHOLE.fullmatch(text)
            return whole_text[1] if whole_text else text  # 14.0 and "14.0" are the id "14"
        if isinstance(value, str):
            whole_text = WHOLE.fullmatch(value)
            return int(whole_text[1]) if whole_text else None
        if isinstance(value, float | np.floating):
            return int(value) if float(value).is_integer() else None
        return value if isinstance(value, int | np.integer) else None
