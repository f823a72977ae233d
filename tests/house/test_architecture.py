"""This module holds docs/architecture.md and its picture to the imports, and pages to the paths they name."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from docs.rooms import ROOMS, layers_of, needed, uses_of
from docs.rooms_picture import HIGH, PICTURE, WIDE, drawn

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_is_what_the_imports_give() -> None:
    assert PICTURE.read_text(encoding="utf-8") == drawn(uses_of()), "run: python -m docs.rooms_picture"


def test_every_line_goes_up_and_no_line_is_implied() -> None:
    uses = uses_of()
    layer, lines = layers_of(uses), needed(uses)
    assert all(layer[low] > layer[high] for low, high in lines)
    reached: dict[str, set[str]] = {}
    for room in sorted(uses, key=layer.__getitem__):
        direct = {high for low, high in lines if low == room}
        reached[room] = direct.union(*(reached[other] for other in direct))
        assert uses[room] <= reached[room], "a line is missing"
        assert not any(high in reached[other] for high in direct for other in direct), "a line is implied"


def test_boxes_lie_apart_and_no_line_is_drawn_over_one() -> None:
    picture = ET.parse(PICTURE).getroot()
    boxes = [
        (float(box.get("x", "")), float(box.get("y", "")))
        for box in picture.iter(f"{SVG}rect")
        if box.get("class") == "box"
    ]
    assert len(boxes) == len(ROOMS)
    for i, (x, y) in enumerate(boxes):
        assert not any(abs(x - other) < WIDE and abs(y - top) < HIGH for other, top in boxes[:i])
    for line in picture.iter(f"{SVG}path"):
        for part in re.findall(r"L([\d.]+) ([\d.]+)C", line.get("d", "")):  # where it passes a row
            at = float(part[0])
            for x, y in boxes:
                assert not (y < float(part[1]) <= y + HIGH and x < at < x + WIDE), line.find(f"{SVG}title")


def test_the_page_has_every_room_in_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert "(rooms.svg)" in text
    assert re.findall(r"^\| `([a-z_]+?)(?:/|\.py)` \|", text, flags=re.M) == list(ROOMS)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_paths_that_a_page_names_exist(page: str) -> None:
    """A path of the repository, or one within src/butaca; `path:name` is a name that stands in that file."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|js|toml))(?::([\w.]+))?`", text)
    assert len(found) > 10
    for name, within in found:
        path = next((base / name for base in (ROOT, ROOT / "src/butaca") if (base / name).exists()), None)
        assert path is not None, name
        if within:
            assert re.search(rf"\b{re.escape(within)}\b", path.read_text(encoding="utf-8")), (
                f"{name}:{within}"
            )
