"""This module draws the map of the catalogue and the cards of neighbours, as HTML."""

from __future__ import annotations

from html import escape

import numpy as np

from butaca.report.facts import Facts, Map
from butaca.report.words import Words

WIDE, HIGH, EDGE = 760, 600, 26

#: Titles written beside their dots, and how many of them on a phone.
LABELS, PHONE_LABELS = 22, 7

#: Width of a letter of a label, and height of its line.
LETTER, LINE = 5.9, 13.0


def catalogue_map(facts: Facts, words: Words) -> str:
    """Draws dots with titles, a legend that filters and a search field; page.js makes them answer."""
    drawn = facts.map
    if drawn is None:
        return f'<p class="hole">{words.html("map none")}</p>'
    x, y, r = _places(drawn, facts)
    dots = []
    for i, code in enumerate(drawn.items.tolist()):
        near = ",".join(str(int(n)) for n in drawn.near[i])
        count = words("map count", n=words.count(int(facts.recommender.popularity[code])))
        about = " · ".join([*_kind(facts, code), count])
        tip = " ".join(facts.titles[code].split()) + "\n" + about
        dots.append(
            f'<circle cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="{r[i]:.1f}" class="g{_colour(facts, code)}" '
            f'data-n="{near}"><title>{escape(tip)}</title></circle>'
        )
    example = facts.titles[int(drawn.items[0])]
    return (
        f'<div class="map-tools">{_legend(facts, drawn, words)}'
        f'<label class="search"><span>{words.html("map search")}</span>'
        f'<input type="search" id="map-search" autocomplete="off" spellcheck="false" '
        f'placeholder="{words.html("map search hint", title=example)}"></label></div>'
        f'<div class="map-box" id="map-box" data-found="{words.html("map found", n="%")}" '
        f'data-nearest="{words.html("map nearest")}">'
        f'<svg class="map" viewBox="0 0 {WIDE} {HIGH}" tabindex="0" role="application" '
        f'aria-describedby="map-live" '
        f'aria-label="{words.html("map alt", drawn=words.count(len(drawn.items)))}">'
        f'<g class="links"></g><g class="dots">{"".join(dots)}</g>'
        f'<g class="names desk" aria-hidden="true">{_names(facts, drawn, x, y, r, LABELS, 1.0)}</g>'
        f'<g class="names phone" aria-hidden="true">{_names(facts, drawn, x, y, r, PHONE_LABELS, 2.0)}</g>'
        "</svg>"
        f'<div class="tip" hidden></div></div>'
        f'<p class="live" id="map-live" aria-live="polite">{words.html("map hint")}</p>'
    )


def cards(facts: Facts, words: Words) -> str:
    """Returns cards of known items as HTML, each with the items nearest to it."""
    if not facts.cards:
        return f'<p class="hole">{words.html("neighbours none")}</p>'
    out = []
    for code, near in facts.cards:
        rows = "".join(
            f"<li><span>{escape(facts.titles[n])}</span><b>{escape(words.figure(c, 2))}</b></li>"
            for n, c in near
        )
        kind = "".join(f"<p>{escape(k)}</p>" for k in _kind(facts, code))
        out.append(
            f'<article class="card g{_colour(facts, code)}"><h3>{escape(facts.titles[code])}</h3>'
            f"{kind}<ol>{rows}</ol></article>"
        )
    return f'<div class="cards">{"".join(out)}</div>'


def _places(drawn: Map, facts: Facts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = EDGE + drawn.xy[:, 0] * (WIDE - 2 * EDGE)
    y = HIGH - EDGE - drawn.xy[:, 1] * (HIGH - 2 * EDGE)
    popularity = facts.recommender.popularity[drawn.items].astype(np.float64)
    smallest = 2.0 if len(drawn.items) > 400 else 4.0
    r = smallest + 6.5 * np.sqrt(popularity / max(popularity.max(), 1.0))
    return x, y, r


def _kind(facts: Facts, code: int) -> list[str]:
    """Returns the item's genres as one phrase, if it has any."""
    own = facts.genres.words[code] if facts.genres is not None else []
    return [", ".join(own)] if own else []


def _colour(facts: Facts, code: int) -> str:
    """Returns the number of a colour in page.css; "x" is the grey of what has none."""
    if facts.genres is None:
        return "n"
    main = int(facts.genres.main[code])
    return str(main) if main < len(facts.genres.names) else "x"


def _legend(facts: Facts, drawn: Map, words: Words) -> str:
    if facts.genres is None:
        return ""
    counts = np.bincount(facts.genres.main[drawn.items], minlength=len(facts.genres.names) + 1)
    names = [*facts.genres.names, words("other")]
    chips = []
    for place, (name, n) in enumerate(zip(names, counts.tolist(), strict=True)):
        kind = str(place) if place < len(facts.genres.names) else "x"
        if n:
            chips.append(
                f'<button type="button" class="chip g{kind}" data-g="g{kind}" aria-pressed="false">'
                f"<i></i>{escape(name)}<b>{escape(words.count(n))}</b></button>"
            )
    return f'<div class="legend" role="group" aria-label="{words.html("map filter")}">{"".join(chips)}</div>'


def _names(
    facts: Facts, drawn: Map, x: np.ndarray, y: np.ndarray, r: np.ndarray, most: int, scale: float
) -> str:
    """Returns titles of the most popular items, where they hide neither each other nor the edge."""
    taken: list[tuple[float, float, float, float]] = []
    out: list[str] = []
    for i, code in enumerate(drawn.items[:150].tolist()):
        title = facts.titles[code]
        title = title if len(title) <= 36 else title[:34].rstrip() + "…"
        wide, gap = len(title) * LETTER * scale, r[i] * scale + 4
        right = x[i] + gap + wide < WIDE - 4
        left = x[i] + gap if right else x[i] - gap - wide
        box = (left - 6, y[i] - LINE * scale, left + wide + 6, y[i] + LINE * scale)
        apart = all(box[2] < t[0] or t[2] < box[0] or box[3] < t[1] or t[3] < box[1] for t in taken)
        if left < 4 or not apart:
            continue
        taken.append(box)
        at = x[i] + gap if right else x[i] - gap
        anchor = "" if right else ' text-anchor="end"'
        out.append(f'<text x="{at:.1f}" y="{y[i] + 4 * scale:.1f}"{anchor}>{escape(title)}</text>')
        if len(out) == most:
            break
    return "".join(out)
