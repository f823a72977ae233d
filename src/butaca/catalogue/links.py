"""This module finds which columns of the items hold pictures and links, and reads their addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from butaca.data.bags import Bags
from butaca.data.dataset import Entities

#: An address that a browser may follow: of the web, with a host, without spaces or quotes.
ADDRESS = re.compile(r"https?://[^\s/\"'<>\\]+(/[^\s\"'<>\\]*)?", re.I)

#: What a picture's address ends with, or its column is called.
PICTURE = re.compile(r"\.(jpe?g|png|webp|gif|avif|svg)(\?|#|$)", re.I)
PICTURE_NAME = re.compile(r"image|img|picture|photo|poster|cover|thumb|imagen|foto|portada|caratula", re.I)

#: Filled cells that are looked at, and the share of them that must be addresses.
LOOKED_AT, MOSTLY = 200, 0.9


def address_columns(items: Entities) -> tuple[str | None, str | None]:
    """Returns the first column of pictures and the first of links, None where there is none."""
    picture = link = None
    for name, column in items.columns.items():
        if isinstance(column, Bags) or column.dtype.kind != "O" or name in items.labels:
            continue
        filled = _filled(column.tolist())
        addresses = [text for text in filled if ADDRESS.fullmatch(text)]
        if not filled or len(addresses) < MOSTLY * len(filled):
            continue
        pictures = sum(bool(PICTURE.search(text)) for text in addresses)
        if PICTURE_NAME.search(name) or pictures > len(addresses) / 2:
            picture = picture or name
        else:
            link = link or name
    return picture, link


def address(items: Entities, column: str | None, *, code: int) -> str | None:
    """Returns the address in a cell, or None: what is no address of the web is never one.

    Args:
        items: their table.
        column: of addresses; None has none.
        code: of the item.
    """
    if column is None:
        return None
    text = str(items.columns[column][code]).strip()
    return text if ADDRESS.fullmatch(text) else None


def _filled(cells: Sequence[object]) -> list[str]:
    found = []
    for cell in cells:
        text = str(cell).strip()
        if text:
            found.append(text)
            if len(found) == LOOKED_AT:
                break
    return found
