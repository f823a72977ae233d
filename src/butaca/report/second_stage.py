"""The second stage: what retrieval allows, what ranking gains within it and for whom, and what moves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, cast

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.protocol import Evaluation
from butaca.evaluate.slices import by_slice
from butaca.evaluate.verdict import MEASURES, Comparison, compare_many
from butaca.rank.judge import RankVerdict
from butaca.recommend.recommender import Recommender
from butaca.report import charts
from butaca.report.charts import WIDTH
from butaca.report.pieces import figure, folded, hole, key, section, table
from butaca.report.words import Words
from butaca.types import Bools
from butaca.workflows import judge_stages

#: Features that are drawn; the table has all.
TOP = 12

#: The measure that tells slices, as everywhere on the page.
OF_SLICES = ("recall", 20, "Recall@20")


@dataclass(frozen=True)
class Part:
    """Both stages on some of the test pairs.

    Attributes:
        name, what: of the slice; what is "" where only the manifest tells.
        pairs: of it.
        first, both: figures by label.
        gain: at Recall@20 with its interval, or None where only the manifest tells.
    """

    name: str
    what: str
    pairs: int
    first: Mapping[str, float | None]
    both: Mapping[str, float | None]
    gain: Comparison | None


@dataclass(frozen=True)
class Ranking:
    """A verdict on the second stage, judged anew or read from the manifest.

    Attributes:
        ceiling: by k, the share of the test pairs among the first stage's best k.
        best: by k, the share that the best order of the candidates would put in the first k; {} unless
            judged anew.
        gains: by `MEASURES`.
        liked: over the pairs rated above the mean, or None.
        parts: by slice, those with pairs.
        hurts: whether a warning stands.
    """

    ceiling: Mapping[int, float]
    best: Mapping[int, float]
    gains: tuple[Comparison, ...]
    liked: Comparison | None
    parts: tuple[Part, ...]
    hurts: bool


@dataclass(frozen=True)
class Second:
    """What the page tells of a second stage.

    Attributes:
        left_out: whether it was trained, and the model goes without it.
        candidates: that it orders, or None where nobody knows.
        ranking: the verdict, or None without held-out pairs.
        importance: by feature, the largest first.
        calibration: rows of mean score, share watched, number.
        errors: "rmse" and "mae" of predicted ratings, or {}.
        rating_range: least and most, or None.
    """

    left_out: bool
    candidates: int | None = None
    ranking: Ranking | None = None
    importance: Mapping[str, float] | None = None
    calibration: tuple[tuple[float, float, int], ...] = ()
    errors: Mapping[str, float] | None = None
    rating_range: tuple[float, float] | None = None


def gather_second(recommender: Recommender) -> Second | None:
    """Of a model with a second stage, or one that was trained with it; None of any other, at no cost."""
    told = recommender.about.get("metrics", {}).get("ranking")
    ranker = recommender.ranker
    if ranker is None:
        return None if not told or not told.get("notice") else Second(True, ranking=of_manifest(told))
    ranking = of_manifest(told) if told else None
    if recommender.test is not None and len(recommender.test[0]):
        test = Dataset(recommender.users, recommender.items, *recommender.test)
        try:
            verdict = judge_stages(recommender, test)
        except SettingError:  # without LightGBM the manifest's figures stand
            verdict = None
        if verdict is not None:
            kept = None if ranking is None else ranking.liked  # the folder keeps no ratings of the test
            ranking = of_verdict(verdict, recommender.seen, ranker.settings.candidates)
            ranking = replace(ranking, liked=ranking.liked or kept)
    about = ranker.about
    bounds = about.get("rating_range")
    return Second(
        False,
        ranker.settings.candidates,
        ranking,
        ranker.importance(),
        tuple((float(score), float(share), int(n)) for score, share, n in ranker.calibration.tolist()),
        {name: float(about[name]) for name in ("rmse", "mae") if about.get(name) is not None},
        None if bounds is None else (float(bounds[0]), float(bounds[1])),
    )


def of_verdict(verdict: RankVerdict, seen: Histories, candidates: int) -> Ranking:
    """A verdict with gains by slice and what the best order would reach."""
    first, both = verdict.first, verdict.both
    parts = []
    for (a, b), pairs in zip(verdict.slices, _pairs_of_slices(first, seen), strict=True):
        if a.n_pairs:
            of = compare_many(both.only(pairs), {"": first.only(pairs)}, [OF_SLICES[:2]])[""][0]
            parts.append(Part(a.name, a.what, a.n_pairs, a.metrics, b.metrics, of))
    found = first.hits_per_user(min(candidates, first.n_items))[0]
    n = max(len(first.ranks), 1)
    return Ranking(
        verdict.ceiling,
        {k: float(np.minimum(found, k).sum()) / n for k in (10, 100)},
        verdict.gains,
        verdict.liked,
        tuple(parts),
        verdict.notice is not None,
    )


def of_manifest(told: Mapping[str, Any]) -> Ranking:
    """The verdict as `RankVerdict.as_json` kept it."""
    gains = told.get("gains", {})
    liked = told.get("liked")
    return Ranking(
        {int(name.split("@")[-1]): _real(value) for name, value in told.get("ceiling", {}).items()},
        {},
        tuple(_comparison(m, k, gains[label]) for m, k, label in MEASURES if label in gains),
        None if liked is None else _comparison("top_k_accuracy", 10, liked),
        tuple(
            Part(name, "", int(row["pairs"]), row["first"], row["both"], None)
            for name, row in told.get("slices", {}).items()
        ),
        told.get("notice") is not None,
    )


def _comparison(metric: str, k: int | None, row: Mapping[str, Any]) -> Comparison:
    both, first, gain, low, high = (_real(row[name]) for name in ("both", "first", "gain", "low", "high"))
    return Comparison(metric, k, both, first, gain, low, high, row["word"])


def _real(value: Any) -> float:
    return float("nan") if value is None else float(value)


class _Recorder:
    """An evaluation that remembers which pairs it was asked for."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self.asked: list[Bools] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._evaluation, name)

    def only(self, pairs: Bools) -> Evaluation:
        self.asked.append(pairs)
        return self._evaluation.only(pairs)


def _pairs_of_slices(evaluation: Evaluation, seen: Histories) -> list[Bools]:
    """Which pairs [P] each slice of `by_slice` holds, as it takes them."""
    recorder = _Recorder(evaluation)
    by_slice(cast(Evaluation, recorder), seen)
    return recorder.asked


# The section.


def second_section(second: Second, words: Words) -> str:
    """All of it."""
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
    return section("second", words("second"), said, shown)


def _warning(second: Second, ranking: Ranking, words: Words) -> str:
    if not ranking.hurts:
        return ""
    lost = [_told(c, words) for c in ranking.gains if c.word == "loses" and c.k is not None and c.k <= 20]
    told = words("hurts text", lost=words.listed(lost)) if lost else ""
    cure = words("hurts gone" if second.left_out else "hurts cure")
    return (
        f'<div class="mind" role="alert"><h3>{words.html("hurts")}</h3>'
        f"<p>{escape(' '.join([told, cure]).strip())}</p></div>"
    )


def _told(c: Comparison, words: Words) -> str:
    ends = {"difference": c.difference, "low": c.low, "high": c.high}
    return words(
        "gain row", name=c.label, word=words(c.word), **{k: words.signed(v, 4) for k, v in ends.items()}
    )


def _reach(second: Second, ranking: Ranking, words: Words) -> str:
    """What share of the test pairs stands in the first 10, 100, 300."""
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
    rows = [(c.label, c) for c in ranking.gains]
    if ranking.liked is not None:
        rows.append((words("liked", label=ranking.liked.label), ranking.liked))
    drawn = charts.forest(words("gains"), rows, words, "gain row", 4)
    if ranking.liked is not None:
        drawn += f'<p class="under">{words.html("liked note")}</p>'
    return figure(words.html("gains") + f'<span class="soft">{words.html("interval")}</span>', drawn)


def _parts(ranking: Ranking, words: Words) -> str:
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
                words,
                "gain row",
                4,
            )
        else:
            names = (words("both stages"), words("first stage"))
            soft = f'<span class="soft">{escape(label)}</span>'
            drawn = key([("ours", names[0]), ("theirs", names[1])]) + charts.dumbbells(
                [(words.maybe(p.name), p.what, _real(p.both[label]), p.first[label]) for p in rows],
                names,
                words,
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
            f"{c.label}",
            words.figure(c.theirs),
            words.figure(c.ours),
            words.signed(c.difference, 4),
            _ends(c, words),
        ]
        for c in ranking.gains
    ]
    if ranking.liked is not None:
        c = ranking.liked
        name = words("liked", label=c.label)
        whole.append(
            [
                name,
                words.figure(c.theirs),
                words.figure(c.ours),
                words.signed(c.difference, 4),
                _ends(c, words),
            ]
        )
    head = [words("measure"), words("first stage"), words("both stages"), words("gain"), words("interval")]
    cells = [
        [
            _slice(p, words),
            words.count(p.pairs),
            *(f"{words.figure(p.first[m], 3)} → {words.figure(p.both[m], 3)}" for m in labels),
        ]
        for p in ranking.parts
    ]
    tables = table(head, whole, words("gains"))
    tables += table([words("slice"), words("pairs"), *labels], cells, words("first then both"))
    return out + folded(words("as table"), tables)


def _slice(part: Part, words: Words) -> str:
    return words.maybe(part.name) + (f" ({words.bounds(part.what)})" if part.what else "")


def _ends(c: Comparison, words: Words) -> str:
    return f"{words.signed(c.low, 4)} … {words.signed(c.high, 4)}"


def _inside(second: Second, words: Words) -> str:
    """What moves the order, whether its scores mean something, and ratings."""
    left, right = "", ""
    important = [(name, value) for name, value in (second.importance or {}).items() if value > 0]
    if important:
        rows = [(feature(name, words), value, "theirs") for name, value in important[:TOP]]
        soft = f'<span class="soft">{words.html("importance of")}</span>'
        left = figure(words.html("importance") + soft, charts.bars(rows, "importance alt", words))
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
            [words("feature"), words("column"), words("importance of")], cells, words("importance")
        )
    if second.calibration:
        cells = [
            [str(i + 1), words.figure(score, 2), words.percent(share, 1), words.count(n)]
            for i, (score, share, n) in enumerate(second.calibration)
        ]
        head = [words("bin"), words("mean score"), words("share watched"), words("candidates")]
        tables += table(head, cells, words("calibration"))
    return out + (folded(words("as table"), tables) if tables else "")


def _short(value: float, words: Words) -> str:
    return words.figure(value, 0 if float(value).is_integer() else 1)


# Names of features.


def feature(name: str, words: Words) -> str:
    """A feature in words; the name itself where nobody wrote them.

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


# Charts.


def reach(rows: Sequence[tuple[str, float, float | None, float | None]], words: Words) -> str:
    """Shares of the test pairs: a bar for both stages, a mark for the first, a ring for the best order.

    Args:
        rows: name, the first stage's, both stages' (None: the ceiling itself), the best order's or None.
        words: of the page.
    """
    parts, told = [], []
    for place, (name, first, both, best) in enumerate(rows):
        y = charts.ROW * place + 16.0
        parts.append(charts.text(0, y, name, "label"))
        if both is None:
            said = f'<tspan class="theirs">{escape(words.percent(first, 1))}</tspan>'
        else:
            said = (
                f'<tspan class="theirs">{escape(words.percent(first, 1))} → </tspan>'
                f'<tspan class="ours">{escape(words.percent(both, 1))}</tspan>'
            )
        parts.append(f'<text x="{WIDTH}" y="{y:g}" class="value" text-anchor="end">{said}</text>')
        parts.append(f'<rect x="0" y="{y + 8:g}" width="{WIDTH}" height="7" class="track" rx="2"/>')
        shown = first if both is None else both
        if np.isfinite(shown):
            kind = "theirs" if both is None else "ours"
            wide = max(shown * WIDTH, 1.5)
            parts.append(f'<rect x="0" y="{y + 8:g}" width="{wide:.1f}" height="7" class="{kind}" rx="2"/>')
        if both is not None and np.isfinite(first):
            parts.append(charts.line(first * WIDTH, y + 4.5, first * WIDTH, y + 18.5, "mark"))
        if best is not None:
            parts.append(charts.dot(min(best * WIDTH, WIDTH - 5), y + 11.5, "dot hollow", 4.5))
        values = [f"{words('first stage')} {words.percent(first, 1)}"]
        values += [f"{words('both stages')} {words.percent(both, 1)}"] if both is not None else []
        values += [f"{words('best order')} {words.percent(best, 1)}"] if best is not None else []
        told.append(f"{name}: {', '.join(values)}")
    return charts.svg(charts.ROW * len(rows), words("reach alt", rows="; ".join(told)), parts)


def calibration(rows: Sequence[tuple[float, float, int]], words: Words) -> str:
    """The share watched by bin of the score, and the mean of all as a line."""
    score = [row[0] for row in rows]
    share = [row[1] for row in rows]
    total = sum(row[2] for row in rows)
    mean = sum(s * n for _, s, n in rows) / max(total, 1)
    low, high = min(score), max(score)
    most = max([*share, 1e-6]) * 1.1
    top, bottom, left, right = 10.0, 170.0, 40.0, WIDTH - 8.0

    def x(value: float) -> float:
        return left + (value - low) / max(high - low, 1e-9) * (right - left)

    def y(value: float) -> float:
        return bottom - value / most * (bottom - top)

    parts = []
    for mark in charts.ticks(0, most):
        parts.append(charts.line(left - 6, y(mark), right + 8, y(mark), "grid" if mark else "axis"))
        parts.append(
            charts.text(left - 10, y(mark) + 4, words.percent(mark, 0 if most > 0.04 else 1), "tick", "end")
        )
    digits = 0 if high - low > 4 else 1
    for mark in charts.ticks(low, high, 5):
        parts += [charts.text(x(mark), bottom + 18, words.figure(mark, digits), "tick", "middle")]
    parts.append(charts.line(left - 6, y(mean), right + 8, y(mean), "mean"))
    parts.append(
        charts.text(left - 2, y(mean) - 6, words("calibration mean", share=words.percent(mean, 1)), "tick")
    )
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(score, share, strict=True))
    parts.append(f'<polyline points="{path}" class="curve c0"/>')
    parts += [charts.dot(x(a), y(b), "dot c0", 3.8) for a, b in zip(score, share, strict=True)]
    parts.append(charts.text(right + 8, bottom + 36, words("score axis"), "tick", "end"))
    told = "; ".join(
        words("calibration row", score=words.figure(a, 2), share=words.percent(b, 1), n=words.count(n))
        for a, b, n in rows
    )
    return charts.svg(bottom + 42, words("calibration alt", rows=told), parts)
