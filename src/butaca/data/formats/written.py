"""This module says how the caller wants a table read, where its cells do not tell: a Reading."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from butaca.errors import SettingError


@dataclass(frozen=True)
class Reading:
    r"""A Reading is what the caller says of how a table is written; nothing said lets the table tell.

    Attributes:
        sep: what separates the cells of a text file: one character or "::", "\t" or "tab", "blank".
        query: SQL that gives the table, of a database.
        wide: users in rows and items in columns, or lists of items.
        time_format: how times are written (`data/times/column.py`).
        drop_nulls: leave out rows without a user or an item, instead of refusing them.
        encoding: of text that is not UTF-8, such as "cp1252".
    """

    _: KW_ONLY
    sep: str | None = None
    query: str | None = None
    wide: bool = False
    time_format: str | None = None
    drop_nulls: bool = False
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Checks the separator and the encoding."""
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise SettingError(
                "An encoding is one that Python knows, of text",
                repr(self.encoding),
                "Pass one such as cp1252, latin-1, cp1251, shift_jis or gbk (encoding=, on the command line: "
                "--encoding)",
            )
        if self.sep is not None and self.delimiter is None:
            raise SettingError(
                "A separator is one character, '::', 'tab' or 'blank'",
                repr(self.sep),
                "Pass such a one (sep=, on the command line: --sep)",
            )

    @property
    def delimiter(self) -> str | None:
        """Returns the separator as it stands in the file; " " for any run of blanks and tabs."""
        said = self.sep or ""
        word = said.strip().strip("<>'\"").strip("\\").lower() if len(said) > 1 else said
        found = _WORDS.get(word, said) if len(said) > 1 else said
        return found if found and (len(found) == 1 or found == "::") and found not in '"\r\n' else None


def _is_encoding(name: str) -> bool:
    """Returns whether an encoding is known, and makes text of bytes."""
    try:
        return isinstance(b"a".decode(name, "replace"), str)
    except (LookupError, ValueError):
        return False


_WORDS = {
    **dict.fromkeys(("tab", "t", "tabs", "tabulator", "tsv"), "\t"),
    **dict.fromkeys(("blank", "space", "blanks", "spaces", "s", "s+", "whitespace"), " "),
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "bar": "|",
    "colons": "::",
    "tilde": "~",
    "colon": ":",
}

AS_IT_IS = Reading()
