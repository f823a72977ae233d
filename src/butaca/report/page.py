"""This module makes the page: one HTML file that holds its styles, script and charts, and loads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from butaca.catalogue.nouns import noun_of
from butaca.errors import SettingError
from butaca.evaluate.verdict import MEASURES
from butaca.files import replace_file
from butaca.recommend.folder.bundle import read_manifest
from butaca.recommend.recommender import Recommender
from butaca.report.facts import Facts, gather
from butaca.report.sections import sections
from butaca.report.words import Language, Words
from butaca.workflows.about import split_record

#: A seat.
MARK = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M7 3h10a3 3 0 0 1 3 3v4h-2a2 2 0 0 0-2 2v2H8v-2a2 2 0 0 0-2-2H4V6a3 3 0 0 1 3-3z"/>'
    '<path d="M2 12h4v4h12v-4h4v6a2 2 0 0 1-2 2v1.5h-2.5V20h-11v1.5H4V20a2 2 0 0 1-2-2z"/></svg>'
)


def write_report(
    folder: str | Path, out: str | Path, *, language: Language = "en", noun: str | None = None
) -> Path:
    """Writes the page of a model folder, in one move: a reader finds the old page or the new one.

    Args:
        folder: of the model.
        out: the file.
        language: "en" or "es".
        noun: what the items are called, such as "book"; None: what the model says.

    Raises:
        BundleError: the model folder is missing or damaged.
        SettingError: the page can't be written there.
    """
    folder, out = Path(folder), Path(out)
    if out.is_dir() or not out.parent.is_dir():
        received = f"{out}, which is a folder" if out.is_dir() else f"{out}, whose folder does not exist"
        raise SettingError("A report is written to a file", received, "Name a file, such as report.html")
    recommender = Recommender.load(folder)
    version = str(read_manifest(folder).get("butaca", ""))
    if noun is not None:
        recommender = replace(recommender, about={**recommender.about, "noun": noun})
    content = page(gather(recommender, version), language).encode("utf-8", "replace")
    try:
        replace_file(out, content)
    except OSError as error:
        raise SettingError(
            "A report is written to a file", f"{out}: {error}", "Check permissions and free space"
        ) from error
    return out


def page(facts: Facts, language: Language = "en") -> str:
    """Returns the page as text."""
    words = Words(language, noun_of(facts.recommender.items, facts.about))
    about = facts.about
    name = str(about.get("data", {}).get("name", words("a model")))
    recipe = str(about.get("recipe", words("unknown")))
    style, script = (files("butaca.report").joinpath(f).read_text("utf-8") for f in ("page.css", "page.js"))
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words.html('page title', name=name, recipe=recipe)}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n"
        f'<div class="sheet">\n{_head(facts, name, recipe, words)}\n'
        f"<main>\n{sections(facts, words)}\n</main>\n"
        f"<footer>{words.html('colophon')}</footer>\n</div>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _head(facts: Facts, name: str, recipe: str, words: Words) -> str:
    """Returns the head of the page: the verdict, the four measures and the particulars."""
    judged = facts.judged
    said = words("no test") if judged is None else words.verdict(judged.verdict)
    return (
        f'<header><div class="mast">{MARK}<span><b>{escape(name)}</b>'
        f"{', ' + escape(recipe) if 'recipe' in facts.about else ''} · {words.html('page')}</span></div>"
        f"<h1>{_unbroken(said)}</h1>{_figures(facts, words)}"
        f'<dl class="facts">{_particulars(facts, recipe, words)}</dl>{_mind(facts, words)}</header>'
    )


def _figures(facts: Facts, words: Words) -> str:
    """Returns the four measures, large, each with the best baseline's."""
    if facts.judged is None:
        return ""
    ours, others = facts.judged.served, facts.judged.baselines
    out = ""
    for metric, k, label in MEASURES:
        scores = {name: row.metric(metric, k) for name, row in others.items()}
        note = ""
        if scores:
            best = max(scores, key=lambda n: scores[n])
            said = words("best other", figure=words.figure(scores[best]), name=words.maybe(best))
            note = f"<dd>{escape(said)}</dd>"
        out += f"<div><dt>{escape(label)}</dt><dd>{words.figure(ours.metric(metric, k))}</dd>{note}</div>"
    return f'<dl class="figures">{out}</dl>'


def _particulars(facts: Facts, recipe: str, words: Words) -> str:
    """Returns what the model was made of and judged on, as a list of terms."""
    about = facts.about
    data, model = (about.get(key, {}) for key in ("data", "model"))
    split = split_record(about)
    rows: list[tuple[str, str]] = []
    recommender = facts.recommender
    sizes = {
        "interactions": int(data.get("interactions", recommender.popularity.sum())),
        "users": int(data.get("users", len(recommender.users))),
        "items": int(data.get("items", recommender.n_items)),
    }
    rows.append((words("source data"), words("sizes", **{k: words.count(v) for k, v in sizes.items()})))
    if facts.judged is not None:
        n_users = len(facts.judged.ours.users)
        value = words("pairs of users", pairs=words.count(facts.judged.n_test), users=words.count(n_users))
        rows.append((words("test pairs"), value))
    rows.append((words("split"), _split(split, words)))
    dim = [words("dimensions", dim=_value(model["dim"], words))] if "dim" in model else []
    rows.append((words("recipe"), ", ".join([recipe, *dim])))
    if choice := about.get("choice"):
        figures = {k: words.figure(choice[k]) for k in ("value", "closed_form")}
        rows.append((words("chosen"), words("chosen among", name=choice["name"], **figures)))
        rows += _further_choices(choice, words)
    if model:
        for side in ("query", "candidate"):
            value = ", ".join(_feature(str(f)) for f in model.get(side, [])) or "–"
            rows.append((words(f"{side} tower"), value))
        values = {"epochs": "epochs", "batch": "batch_size", "optimizer": "optimizer"}
        value = words("training of", **{k: _value(model.get(v), words) for k, v in values.items()})
        rows.append((words("training"), value))
    if "softmax" in about:
        rows.append((words("loss"), words.maybe(f"softmax {about['softmax']}")))
    versions = {"butaca": facts.version, **about.get("versions", {})}
    value = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    rows.append((words("versions"), value or words("unknown")))
    rows.append((words("fingerprint"), str(data.get("fingerprint", words("unknown")))[:16]))
    return "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in rows)


def _split(split: Mapping[str, Any], words: Words) -> str:
    name = str(split.get("split", "given"))
    if name not in {"random", "temporal", "last", "user", "none", "given"}:
        return name
    share = split.get("test_share")
    test = words.percent(float(share)) if isinstance(share, int | float) else words("unknown")
    said = words(name, test=test, seed=str(split.get("seed", "–")))
    tied = split.get("tied_users")
    if tied is None:
        return said
    key = {0: "tied none", 1: "tied one"}.get(tied, "tied many")
    return f"{said}; {words(key, users=words.count(tied))}"


def _value(value: Any, words: Words) -> str:
    return words.count(value) if isinstance(value, int) else "–" if value is None else str(value)


def _mind(facts: Facts, words: Words) -> str:
    """Returns the notices of what makes these figures lie, as the evaluation says it: in English."""
    notices = facts.judged.warnings if facts.judged is not None else ()
    if not notices:
        return ""
    rows = "".join(
        f'<li lang="en"><b>{escape(n.rule)}.</b> {escape(_capital(n.received))}. {escape(n.cure)}.</li>'
        for n in notices
    )
    return f'<aside class="mind"><h2>{words.html("mind")}</h2><ul>{rows}</ul></aside>'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unbroken(said: str) -> str:
    """Returns HTML in which no line ends at the hyphen of a name."""
    return re.sub(r"\w+-\w+", r'<span class="whole">\g<0></span>', escape(said))


def _further_choices(choice: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """Returns what else validation chose: what amounts are worth, what people without a history get."""
    rows = []
    if curve := choice.get("curve"):
        value = words.figure(curve["values"][curve["curve"]])
        rows.append((words("curve"), words("curve of", curve=curve["curve"], value=value)))
    new = choice.get("newcomers", {})
    if "measure" in new:
        figures = {name: words.figure(new[key]) for name, key in (("ours", "with"), ("theirs", "without"))}
        said = "newcomers by" if new["used"] else "newcomers not by"
        columns = ", ".join(new["columns"])
        rows.append((words("newcomers"), words(said, columns=columns, measure=new["measure"], **figures)))
    return rows


def _feature(said: str) -> str:
    """Shortens a feature's repr, such as "Id(column='user_id')" to Id(user_id)."""
    return re.sub(r"\bcolumn='([^']*)'", r"\1", said.replace("(column='', ", "("))
