"""This module makes the section on the second stage: its ceiling, its gains and for whom, what moves it."""

from __future__ import annotations

from html import escape

from butaca.evaluate.verdict import MEASURES, Comparison
from butaca.report import charts
from butaca.report.pieces import figure, folded, hole, key, section, table
from butaca.report.second_charts import calibration, reach
from butaca.report.second_facts import OF_SLICES, Part, Ranking, Second, nan_if_none
from butaca.report.words import Words

#: Features that are drawn; the table has all.
TOP = 12


def second_section(second: Second, words: Words) -> str:
    """Returns the whole section on the second stage."""
    said = [words("second text"), words("second above")]
    if second.left_out:
        said[1] = words("second gone")
    shown = ""
    if second.ranking is None:
        shown += hole(words("second none"))
    else:
        shown += _warning(second, second.ranking, words)
        shown += f'<div class="panels">{_reach(second, second.ranking, words)}'
        shown += f"{_gains(second.ranking, words)}</div>"
        shown += _parts(second.ranking, words)
    shown += _inside(second, words)
    return section("second", words("second"), said=said, shown=shown)


def _warning(second: Second, ranking: Ranking, words: Words) -> str:
    """Returns the warning that ranking hurts, with what is lost, or ""."""
    if not ranking.hurts:
        return ""
    measures = [c for _, c in _measures(ranking, words) if c is not ranking.liked]
    lost = [_lost_row(c, words) for c in measures if c.word == "loses" and c.k is not None and c.k <= 20]
    damage = words("hurts text", lost="; ".join(lost)) if lost else ""
    cure = words("hurts gone" if second.left_out else "hurts cure")
    text = escape(" ".join([damage, cure]).strip()).replace("--rank", '<code class="whole">--rank</code>')
    return f'<div class="mind" role="alert"><h3>{words.html("hurts")}</h3><p>{text}</p></div>'


def _lost_row(c: Comparison, words: Words) -> str:
    ends = {"difference": c.difference, "low": c.low, "high": c.high}
    return words("lost row", name=_named(c, words), **{k: words.signed(v, 4) for k, v in ends.items()})


def _reach(second: Second, ranking: Ranking, words: Words) -> str:
    """Draws what share of the test pairs stands in the first 10, 100, 300."""
    at = {c.k: c for c in ranking.gains if c.metric == "top_k_accuracy" and c.k is not None}
    rows: list[tuple[str, float, float | None, float | None]] = [
        (words("in the first", k=str(k)), c.theirs, c.ours, ranking.best.get(k))
        for k, c in sorted(at.items())
    ]
    last = max(ranking.ceiling, default=0)
    if last and last not in at:
        rows.append((words("among candidates", k=str(last)), ranking.ceiling[last], None, None))
    kinds = [("lists", words("both stages")), ("train", words("first stage"))]
    kinds += [("theirs", words("best order"))] if ranking.best else []
    note = (
        words(
            "ceiling note" if ranking.best else "ceiling plain",
            missed=words.percent(1 - ranking.ceiling[last], 1),
        )
        if last
        else ""
    )
    soft = f'<span class="soft">{words.html("of test pairs")}</span>'
    drawn = key(kinds) + reach(rows, words) + (f'<p class="under">{escape(note)}</p>' if note else "")
    return figure(words.html("ceiling") + soft, drawn)


def _gains(ranking: Ranking, words: Words) -> str:
    rows = _measures(ranking, words)
    drawn = charts.forest(words("gains"), rows, words=words, row_key="gain row", places=4)
    notes = [words("liked note")] if ranking.liked is not None else []
    if ranking.graded is not None:
        notes.append(words("graded note", worth=words.figure(ranking.worth, 1)))
    if ranking.target:
        notes.append(words(f"target {ranking.target}"))
    if notes:
        drawn += f'<p class="under">{escape(" ".join(notes))}</p>'
    return figure(words.html("gains") + f'<span class="soft">{words.html("interval")}</span>', drawn)


def _measures(ranking: Ranking, words: Words) -> list[tuple[str, Comparison]]:
    """Returns gains by name: the graded NDCG below the plain one, pairs that were liked last."""
    rows = []
    for c in ranking.gains:
        rows.append((c.label, c))
        if c.metric == "ndcg" and ranking.graded is not None:
            rows.append((_named(ranking.graded, words), ranking.graded))
    if ranking.graded is not None and not any(c is ranking.graded for _, c in rows):
        rows.append((_named(ranking.graded, words), ranking.graded))
    if ranking.liked is not None:
        rows.append((words("liked", label=ranking.liked.label), ranking.liked))
    return rows


def _named(c: Comparison, words: Words) -> str:
    return words("graded") if c.metric == "graded_ndcg" else c.label


def _parts(ranking: Ranking, words: Words) -> str:
    """Draws the gain by slice, and lists every figure in tables."""
    panels, label = "", OF_SLICES[2]
    for kind, heading in (("users", words("by users")), ("items", words("by items"))):
        rows = [p for p in ranking.parts if p.name.startswith(kind)]
        if not rows:
            continue
        soft = f'<span class="soft">{words.html("gain at", label=label)}</span>'
        if all(p.gain is not None for p in rows):
            drawn = charts.forest(
                words("gain at", label=label),
                [(_slice(p, words), p.gain) for p in rows if p.gain is not None],
                words=words,
                row_key="gain row",
                places=4,
            )
        else:
            names = (words("both stages"), words("first stage"))
            soft = f'<span class="soft">{escape(label)}</span>'
            drawn = key([("ours", names[0]), ("theirs", names[1])]) + charts.dumbbells(
                [(words.maybe(p.name), p.what, nan_if_none(p.both[label]), p.first[label]) for p in rows],
                names,
                words=words,
            )
        panels += figure(escape(heading) + soft, drawn)
    if not panels:
        return ""
    out = f'<div class="panels more">{panels}</div>'
    lost = [_slice(p, words) for p in ranking.parts if p.gain is not None and p.gain.word == "loses"]
    if lost:
        out += f'<p class="after">{words.html("slices hurt", names=words.listed(lost), label=label)}</p>'
    labels = [label for *_, label in MEASURES]
    whole = [
        [
            name,
            words.figure(c.theirs),
            words.figure(c.ours),
            words.signed(c.difference, 4),
            _ends(c, words),
        ]
        for name, c in _measures(ranking, words)
    ]
    head = [words("measure"), words("first stage"), words("both stages"), words("gain"), words("interval")]
    cells = [
        [
            _slice(p, words),
            words.count(p.pairs),
            *(f"{words.figure(p.first[m], 3)} → {words.figure(p.both[m], 3)}" for m in labels),
        ]
        for p in ranking.parts
    ]
    tables = table(head, whole, caption=words("gains"))
    tables += table([words("slice"), words("pairs"), *labels], cells, caption=words("first then both"))
    return out + folded(words("as table"), tables)


def _slice(part: Part, words: Words) -> str:
    return words.maybe(part.name) + (f" ({words.bounds(part.what)})" if part.what else "")


def _ends(c: Comparison, words: Words) -> str:
    return f"{words.signed(c.low, 4)} … {words.signed(c.high, 4)}"


def _inside(second: Second, words: Words) -> str:
    """Draws what moves the order, whether its scores mean something, and ratings."""
    left, right = "", ""
    important = [(name, value) for name, value in (second.importance or {}).items() if value > 0]
    if important:
        rows = [(feature(name, words), value, "theirs") for name, value in important[:TOP]]
        soft = f'<span class="soft">{words.html("importance of")}</span>'
        left = figure(words.html("importance") + soft, charts.bars(rows, "importance alt", words=words))
    if second.calibration:
        note = words(
            "calibration note",
            n=words.count(second.calibration[0][2]),
            low=words.percent(second.calibration[0][1], 1),
            high=words.percent(second.calibration[-1][1], 1),
        )
        drawn = calibration(second.calibration, words) + f'<p class="under">{escape(note)}</p>'
        right += figure(words.html("calibration"), drawn)
    if second.errors:
        bounds = second.rating_range
        soft = (
            words("rating range", low=_short(bounds[0], words), high=_short(bounds[1], words))
            if bounds
            else ""
        )
        pair = "".join(
            f"<div><dt>{name.upper()}</dt><dd>{words.figure(value, 3)}</dd></div>"
            for name, value in second.errors.items()
        )
        drawn = f'<dl class="figures pair">{pair}</dl><p class="under">{words.html("rating note")}</p>'
        right += figure(f'{words.html("rating")}<span class="soft">{escape(soft)}</span>', drawn)
    if not left and not right:
        return ""
    right = f'<div class="stack">{right}</div>' if right else ""
    out = f'<div class="panels more">{left}{right}</div>'
    tables = ""
    if important:
        cells = [[feature(name, words), name, words.percent(value, 1)] for name, value in important]
        tables += table(
            [words("feature"), words("column"), words("importance of")], cells, caption=words("importance")
        )
    if second.calibration:
        cells = [
            [str(i + 1), words.figure(score, 2), words.percent(share, 1), words.count(n)]
            for i, (score, share, n) in enumerate(second.calibration)
        ]
        head = [words("bin"), words("mean score"), words("share watched"), words("candidates")]
        tables += table(head, cells, caption=words("calibration"))
    return out + (folded(words("as table"), tables) if tables else "")


def _short(value: float, words: Words) -> str:
    return words.figure(value, 0 if float(value).is_integer() else 1)


# Names of features.


def feature(name: str, words: Words) -> str:
    """Returns a feature in words; the name itself where nobody wrote them.

    >>> feature("history", Words("en")), feature("movie_genres_had", Words("en")), feature("odd", Words("en"))
    ('length of the history', 'genres: how often the person has them', 'odd')
    """
    known = _written(f"feature {name}", words)
    if known is not None:
        return known
    start, _, rest = name.partition("_")
    if start in {"recent", "trend"}:
        try:
            return words(f"feature {start}", share=words.percent(float(rest)))
        except ValueError:
            return name
    if start in {"linear", "together", "near"} and rest in {"all", "liked", "late", "strongest"}:
        return words(f"feature of {rest}", model=words(f"feature {start}"))
    if start == "audience" and rest:
        return words("feature audience", column=_column(rest, words))
    for end in ("less_own", "had", "liked"):
        if name.endswith(f"_{end}"):
            return words(f"feature {end}", column=_column(name.removesuffix(f"_{end}"), words))
    return _column(name, words)


def _column(name: str, words: Words) -> str:
    bare = name.removeprefix("movie_").removeprefix("item_")
    return _written(f"column {name}", words) or _written(f"column {bare}", words) or name


def _written(key_: str, words: Words) -> str | None:
    said = words.maybe(key_)
    return None if said == key_ else said
