"""This module makes the pieces that every section is made of: HTML from text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def section(name: str, heading: str, *, said: Sequence[str], shown: str) -> str:
    """Returns a section: what to look for, beside what there is to see."""
    text = "".join(f"<p>{escape(line)}</p>" for line in said)
    return (
        f'<section id="{name}" aria-labelledby="{name}-h"><div class="say">'
        f'<h2 id="{name}-h">{escape(heading)}</h2>'
        f'{text}</div><div class="show">{shown}</div></section>'
    )


def hole(said: str) -> str:
    """Returns what stands where there is nothing to show."""
    return f'<p class="hole">{escape(said)}</p>'


def figure(caption: str, drawn: str) -> str:
    """Returns a chart under its heading; both are HTML."""
    return f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"


def folded(summary: str, content: str) -> str:
    """Returns content that opens on demand, and in print."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str,
    own: int = -1,
    top: Sequence[int] = (),
) -> str:
    """Returns a table of text; row `own` is the model's, and row `top[c]` is the best of column c."""
    cells = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = ""
    for r, row in enumerate(rows):
        values = "".join(
            f"<td{_kind('top', c < len(top) and top[c] == r)}>{escape(v)}</td>" for c, v in enumerate(row[1:])
        )
        body += f'<tr{_kind("own", r == own)}><th scope="row">{escape(row[0])}</th>{values}</tr>'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def key(kinds: Sequence[tuple[str, str]]) -> str:
    """Returns what the marks of a chart mean: class of a mark, and label."""
    marks = "".join(f'<span><i class="k-{kind}"></i>{escape(label)}</span>' for kind, label in kinds)
    return f'<div class="key" aria-hidden="true">{marks}</div>'


def _kind(name: str, holds: bool) -> str:
    return f' class="{name}"' if holds else ""
