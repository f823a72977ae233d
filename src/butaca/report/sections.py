"""This module makes the sections of the page, each from the facts to HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from butaca.evaluate.collapse import LEAST_USERS
from butaca.evaluate.judged import COLUMNS, Judged, figures
from butaca.evaluate.slices import Slice
from butaca.evaluate.verdict import MEASURES
from butaca.report import charts
from butaca.report.catalogue import cards, catalogue_map
from butaca.report.facts import MEASURE, Facts
from butaca.report.pieces import figure, folded, hole, key, section, table
from butaca.report.second_stage import second_section
from butaca.report.words import Words


def sections(facts: Facts, words: Words) -> str:
    """Returns all sections, in order."""
    makers: tuple[Callable[[Facts, Words], str], ...] = (
        verdict_section,
        learning_section,
        slices_section,
        ranked_section,
        popular_section,
        map_section,
        neighbours_section,
    )
    return "".join(make(facts, words) for make in makers)


def verdict_section(facts: Facts, words: Words) -> str:
    """Shows the difference to every baseline with its interval, and all figures."""
    judged = facts.judged
    if judged is None:
        return section("verdict", words("verdict"), said=[], shown=hole(words("verdict none")))
    against = judged.verdict.against
    panels = []
    for place, (_, _, label) in enumerate(MEASURES):
        rows = [(words.maybe(name), row[place]) for name, row in against.items()]
        ours = (
            f'<span class="soft">{words.html("the model")} {words.figure(rows[0][1].ours)}</span>'
            if rows
            else ""
        )
        if rows:
            panels.append(figure(escape(label) + ours, charts.forest(label, rows, words=words)))
    shown = f'<div class="panels">{"".join(panels)}</div>' + _figures_table(judged, words)
    cells = [
        [words.maybe(name), *(_difference(words, c.difference, c.low, c.high, c.word) for c in row)]
        for name, row in against.items()
    ]
    shown += folded(
        words("all differences"),
        table([words("against"), *(label for *_, label in MEASURES)], cells, caption=words("interval")),
    )
    for name, reason in judged.left_out.items():
        shown += f'<p class="after">{words.html("left out", name=words.maybe(name), reason=reason)}</p>'
    return section("verdict", words("verdict"), said=[words("verdict text")], shown=shown)


def learning_section(facts: Facts, words: Words) -> str:
    """Shows loss and validation by epoch."""
    history = {
        name: row
        for name, row in facts.about.get("history", {}).items()
        if any(v is not None and math.isfinite(v) for v in row)
    }
    if history.get("total_loss") == history.get("loss"):
        history.pop("total_loss", None)
    if not any(history.get("regularization_loss", [])):
        history.pop("regularization_loss", None)
    if not history:
        return section("learning", words("learning"), said=[], shown=hole(words("learning none")))
    panels: list[tuple[str, list[str]]] = []
    for name in history:
        family = _family(name)
        kept = next((names for known, names in panels if known == family), None)
        if kept is None:
            panels.append((family, [name]))
        else:
            kept.append(name)
    shown = ""
    for family, names in panels:
        series = [
            (_short(name) if len(names) > 1 else _curve(family, words), history[name]) for name in names
        ]
        shown += figure(escape(_curve(family, words)), charts.curves(series, words))
    longest = max(len(row) for row in history.values())
    cells = [
        [
            str(e + 1),
            *(words.figure(row[e] if e < len(row) else None, _places(row)) for row in history.values()),
        ]
        for e in range(longest)
    ]
    values = table([words("epoch"), *history], cells, caption=words("learning"))
    shown = f'<div class="panels">{shown}</div>' + folded(words("as table"), values)
    return section("learning", words("learning"), said=[words("learning text")], shown=shown)


def slices_section(facts: Facts, words: Words) -> str:
    """Shows the model beside the best baseline, by users and by items."""
    if not facts.slices:
        return section("slices", words("slices"), said=[], shown=hole(words("slices none")))
    best = words.maybe(facts.best) if facts.best is not None else "–"
    marks = key([("ours", words("the model")), ("theirs", best)])
    panels = ""
    for kind, heading in (("users", words("by users")), ("items", words("by items"))):
        rows = [(s, t) for s, t in facts.slices if s.name.startswith(kind) and s.n_pairs]
        drawn = [
            (words.maybe(s.name), words.bounds(s.what), s.metrics[MEASURE[2]], _metric(t, MEASURE[2]))
            for s, t in rows
        ]
        if drawn:
            panels += figure(
                escape(heading), marks + charts.dumbbells(drawn, (words("the model"), best), words=words)
            )
    labels = [label for *_, label in MEASURES]
    cells = [
        [
            f"{words.maybe(s.name)} ({words.bounds(s.what)})",
            words.count(s.n_users),
            words.count(s.n_pairs),
            *(
                words.figure(s.metrics[m]) + (f" / {words.figure(t.metrics[m])}" if t is not None else "")
                for m in labels
            ),
        ]
        for s, t in facts.slices
        if s.n_pairs
    ]
    head = [words("slice"), words("users"), words("pairs"), *labels]
    shown = f'<div class="panels">{panels}</div>'
    shown += folded(words("as table"), table(head, cells, caption=f"{words('the model')} / {best}"))
    empty = [words.maybe(s.name) for s, _ in facts.slices if not s.n_pairs]
    if empty:
        shown += f'<p class="after">{words.html("slices empty", names=words.listed(empty))}</p>'
    return section("slices", words("slices"), said=[words("slices text", name=best)], shown=shown)


def ranked_section(facts: Facts, words: Words) -> str:
    """Shows the second stage; returns nothing for a model that has none and never had."""
    return "" if facts.second is None else second_section(facts.second, words)


def popular_section(facts: Facts, words: Words) -> str:
    """Shows what is recommended beside what is watched, and the collapse alarm."""
    parts, alike = facts.parts, facts.alike
    kinds = [("lists", words("list places")), ("train", words("training share"))]
    kinds += [("theirs", words("test share"))] if parts.test is not None else []
    test = None if parts.test is None else parts.test.tolist()
    drawn = charts.columns(parts.lists.tolist(), parts.train.tolist(), test=test, words=words)
    heading = words("deciles")
    soft = "" if len(parts.lists) == 10 else words("deciles short", n=str(len(parts.lists)))
    shown = figure(f'{escape(heading)}<span class="soft">{escape(soft)}</span>', key(kinds) + drawn)
    rows = [
        (_row_name(name, words), row.overlap, "ours" if name == "seen left out" else "theirs")
        for name, row in facts.beyond.items()
    ]
    rows.append((words("alike histories"), alike.history_overlap, "theirs"))
    shown += figure(escape(words("alike")), charts.bars(rows, "alike alt", words=words))
    shown = f'<div class="panels">{shown}</div>'
    values = {
        "overlap": words.percent(alike.overlap),
        "history": words.percent(alike.history_overlap),
        "popular": words.percent(alike.popular),
        "k": str(alike.k),
        "distinct": words.count(alike.distinct),
        "items": words.count(alike.n_items),
        "users": words.count(alike.n_users),
    }
    if facts.alarm:
        alarm = f"<h3>{words.html('collapse')}</h3><p>{words.html('collapse text', **values)}</p>"
        shown = f'<div class="mind" role="alert">{alarm}</div>{shown}'
    elif alike.n_users >= LEAST_USERS:
        shown += f'<p class="after">{words.html("no collapse", **values)}</p>'
    else:
        shown += f'<p class="after">{words.html("few users", **values)}</p>'
    shown += _beyond_table(facts, words)
    deciles = zip(parts.lists, parts.train, test or [None] * len(parts.lists), strict=True)
    cells = [
        [str(i + 1), *(words.percent(v, 1) for v in row if v is not None)] for i, row in enumerate(deciles)
    ]
    head = [words("part"), *(label for _, label in kinds)]
    shown += folded(words("as table"), table(head, cells, caption=heading))
    k = str(next(iter(facts.beyond.values())).k)
    said = [words("popular text"), words("popular of all", k=k, users=words.count(facts.n_users))]
    return section("popular", words("popular"), said=said, shown=shown)


def map_section(facts: Facts, words: Words) -> str:
    """Shows the catalogue in two dimensions."""
    drawn = facts.map
    said = []
    if drawn is not None:
        said.append(words("map text tsne" if drawn.how == "t-SNE" else "map text pca"))
        said.append(words("map genres" if facts.genres is not None else "map no genres"))
        if not facts.has_titles:
            said.append(words("map no titles"))
        n = facts.recommender.n_items
        if len(drawn.items) < n:
            cap = "map cap" if drawn.left_out else "map unwatched"
            said.append(words(cap, drawn=words.count(len(drawn.items)), items=words.count(n)))
    return section("map", words("map"), said=said, shown=catalogue_map(facts, words))


def neighbours_section(facts: Facts, words: Words) -> str:
    """Shows cards of known items."""
    said = words("neighbours text" if facts.genres is not None else "neighbours text plain")
    return section(
        "neighbours", words("neighbours"), said=[said] if facts.cards else [], shown=cards(facts, words)
    )


def _figures_table(judged: Judged, words: Words) -> str:
    rows = {"seen left out": judged.ours, **judged.baselines}
    values = [list(figures(row).values())[: len(COLUMNS)] for row in rows.values()]
    top = [max(range(len(values)), key=lambda r: values[r][c]) for c in range(len(COLUMNS))]
    cells = [
        [_row_name(name, words), *map(words.figure, row)] for name, row in zip(rows, values, strict=True)
    ]
    return table(["", *(label for *_, label in COLUMNS)], cells, caption=words("all figures"), own=0, top=top)


def _beyond_table(facts: Facts, words: Words) -> str:
    first = next(iter(facts.beyond.values()))
    head = ["coverage", "gini", "novelty", "popularity share", "overlap", "similarity"]
    cells = [
        [
            _row_name(name, words),
            words.percent(row.coverage, 1),
            words.figure(row.gini, 3),
            words.figure(row.novelty, 2),
            words.percent(row.popularity_share, 1),
            words.percent(row.overlap, 1),
            words.figure(row.intra_list_similarity, 3),
        ]
        for name, row in facts.beyond.items()
    ]
    own = words.percent(first.history_popularity_share, 1)
    shown = table(["", *map(words, head)], cells, caption=words("beyond", k=str(first.k)), own=0)
    return shown + f'<p class="after">{words.html("beyond help", own=own)}</p>'


def _row_name(name: str, words: Words) -> str:
    return words("the model") if name == "seen left out" else words.maybe(name)


def _difference(words: Words, difference: float, low: float, high: float, word: str) -> str:
    ends = {"difference": difference, "low": low, "high": high}
    return words("difference cell", word=words(word), **{k: words.signed(v) for k, v in ends.items()})


def _metric(part: Slice | None, label: str) -> float | None:
    return None if part is None else part.metrics[label]


def _family(name: str) -> str:
    """Returns the panel of a curve: a loss alone, validation metrics of one name and several k together."""
    return name.split("/")[0] if "/" in name else name


def _short(name: str) -> str:
    """Shortens a metric's name, such as "val_factorized_top_k/top_10_categorical_accuracy" to "top-10"."""
    last = name.rsplit("/", 1)[-1].removesuffix("_categorical_accuracy")
    return last.replace("_", "-") if last.startswith("top_") else last


def _curve(family: str, words: Words) -> str:
    """Returns what a panel is called."""
    bare = family.removeprefix("val_")
    name = {"loss": words("loss curve"), "factorized_top_k": "top-k"}.get(bare, bare.replace("_", " "))
    return f"{words('validation')}: {name}" if bare != family else name


def _places(row: Sequence[float | None]) -> int:
    """Returns the decimals of a column: four for shares, one for losses in the thousands."""
    return 4 if max((abs(v) for v in row if v is not None), default=0) < 100 else 1
