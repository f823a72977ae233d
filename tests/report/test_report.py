"""The report page: whole, alone, escaped, the same twice, and its figures those of the evaluation."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from butaca.catalogue.genres import find_genres
from butaca.data.bags import Bags
from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import BundleError, SettingError
from butaca.evaluate.verdict import MEASURES, Comparison, Verdict
from butaca.recommend.projection import neighbours, principal, project, tsne
from butaca.report import facts as facts_room
from butaca.report.charts import curves, dumbbells, forest
from butaca.report.drawing import ticks
from butaca.report.facts import gather
from butaca.report.page import page, write_report
from butaca.report.words import LANGUAGES, Words
from butaca.workflows import fitting, judging
from tests.support.boards import checkerboard
from tests.support.forks import run
from tests.support.narrow import some
from tests.support.reports import Page, made

SECTIONS = ["verdict", "learning", "slices", "popular", "map", "neighbours"]


def saved(recommender, folder):
    recommender.save(folder)
    return folder


def written(folder, out, **options):
    return write_report(folder, out, **options).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def board_model():
    from butaca.recipes import recipe

    chosen = recipe("notebook")
    chosen = replace(chosen, epochs=6, model=replace(chosen.model, dim=4))
    return fitting.fit(checkerboard(), chosen, split="random").recommender


@pytest.fixture(scope="module")
def ml_model(ml):
    from butaca.recipes import recipe

    return fitting.fit(ml.keyed_by("movie_title"), recipe("notebook"), split="random").recommender


@pytest.fixture(scope="module")
def ml_facts(ml_model):
    return gather(ml_model, "0.1.0")


@pytest.fixture(scope="module")
def ml_page(ml_facts):
    return page(ml_facts)


def with_titles(recommender, titles):
    columns = dict(recommender.items.columns) | {"title": np.array(titles, dtype=object)}
    items = Entities(
        recommender.items.key, recommender.items.ids, MappingProxyType(columns), recommender.items.labels
    )
    return replace(recommender, items=items)


# The page as a whole.


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_section_is_there_and_every_tag_is_closed(ml_facts, language):
    found = Page(page(ml_facts, language))
    assert [i for i in found.ids if i in SECTIONS] == SECTIONS
    assert len(found.ids) == len(set(found.ids))
    assert found.tags.count("h1") == 1
    assert ("html", "lang", language) in found.attributes


def test_nothing_is_loaded(ml_page):
    found = Page(ml_page)
    assert not {"link", "img", "iframe", "object", "embed"} & set(found.tags)
    assert not [a for a in found.attributes if a[1] in {"src", "href", "srcset", "action", "data"}]
    own = "".join(found.scripts)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|import\(|WebSocket", own)
    assert "http" not in ml_page


def test_charts_have_text_alternatives_and_figures_stand_in_tables(ml_page):
    found = Page(ml_page)
    labels = [value for tag, name, value in found.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == found.tags.count("svg") - 1  # all but the mark in the head, which is hidden
    assert all(len(label) > 20 for label in labels)
    assert found.tags.count("caption") == found.tags.count("table") >= 6


def test_the_same_folder_gives_the_same_bytes(board_model, tmp_path):
    folder = saved(board_model, tmp_path / "m")
    assert written(folder, tmp_path / "a.html") == written(folder, tmp_path / "b.html")


def test_it_is_written_in_one_move(board_model, tmp_path, monkeypatch):
    folder, out = saved(board_model, tmp_path / "m"), tmp_path / "report.html"
    out.write_text("the old page")

    def killed(*_):
        assert out.read_text() == "the old page"
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("butaca.files.os.replace", killed)
        with pytest.raises(SettingError, match="no space left"):
            write_report(folder, out)
    assert out.read_text() == "the old page"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "report.html"]
    assert written(folder, out).startswith("<!doctype html>")


def test_where_it_can_not_be_written_it_says_so(board_model, tmp_path):
    folder = saved(board_model, tmp_path / "m")
    with pytest.raises(SettingError, match="which is a folder"):
        write_report(folder, tmp_path)
    with pytest.raises(SettingError, match="does not exist"):
        write_report(folder, tmp_path / "no" / "report.html")
    with pytest.raises(BundleError):
        write_report(tmp_path / "nothing", tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_command_needs_no_jax(board_model, tmp_path):
    folder = saved(board_model, tmp_path / "m")
    script = (
        "import sys; from butaca.report.page import write_report; "
        f"write_report({str(folder)!r}, {str(tmp_path / 'r.html')!r}); "
        "print([m for m in ('jax', 'optax', 'matplotlib', 'duckdb') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_command(board_model, tmp_path):
    saved(board_model, tmp_path / "m")
    done = run("report", "m", "--out", "r.html", "--language", "es", cwd=tmp_path)
    assert "r.html" in done.stdout
    assert "El modelo" in Page((tmp_path / "r.html").read_text(encoding="utf-8")).words


# Figures.


def test_the_headline_is_the_verdict(ml_facts, ml_page):
    assert ml_facts.judged.verdict.sentence in re.sub(r"<[^>]+>", "", ml_page)


def test_the_figures_are_those_of_the_evaluation(ml_model, ml_page):
    judged = judging.judge_saved(ml_model)
    found, words = Page(ml_page), Words("en")
    for name, row in judged.verdict.against.items():
        for c in row:
            cell = f"{words.signed(c.difference)} ({words.signed(c.low)} to {words.signed(c.high)}), {c.word}"
            assert cell in found.text
            assert f"{words.signed(c.difference)} {c.word}" in found.text
            assert words.figure(c.theirs) in found.text, name
            assert words.figure(c.ours) in found.text
    ours = judged.beyond["seen left out"]
    for text in (words.percent(ours.coverage, 1), words.percent(ours.overlap, 1), f"{ours.gini:.3f}"):
        assert text in found.text
    for part in judged.slices:
        if part.n_pairs:
            assert f"{part.metrics['Recall@20']:.3f}" in found.text


def test_slices_stand_beside_the_best_baseline(ml_facts):
    scores = {n: row.metric("recall", 20) for n, row in ml_facts.judged.baselines.items()}
    assert ml_facts.best == max(scores, key=scores.__getitem__)
    for ours, theirs in ml_facts.slices:
        assert (ours.name, ours.what, ours.n_pairs) == (theirs.name, theirs.what, theirs.n_pairs)


def test_parts_of_the_catalogue_add_up(ml_facts, ml_model):
    parts = ml_facts.parts
    for share in (parts.lists, parts.train, parts.test):
        assert len(share) == 10
        assert share.sum() == pytest.approx(1)
    top = np.sort(ml_model.popularity)[::-1][:167]  # 1,664 items: four parts of 167, six of 166
    assert parts.train[0] == pytest.approx(top.sum() / ml_model.popularity.sum())
    assert list(parts.train) == sorted(parts.train, reverse=True)


def test_neighbours_are_those_of_similar(ml_facts, ml_model):
    assert len(ml_facts.cards) == 8
    assert len({int(ml_facts.genres.main[code]) for code, _ in ml_facts.cards}) == 8
    for code, near in ml_facts.cards:
        answer = ml_model.similar(ml_facts.titles[code], len(near))
        assert [ml_facts.titles[n] for n, _ in near] == [i.title for i in answer.items]
        assert [c for _, c in near] == pytest.approx([i.score for i in answer.items], abs=1e-5)


def test_a_collapsed_model_rings_the_alarm(ml_model, ml_page, monkeypatch):
    monkeypatch.setattr(facts_room, "DRAWN", 50)
    alike = replace(
        ml_model,
        user_vectors=np.ones((len(ml_model.users) + 1, 1), dtype=np.float32),
        item_vectors=ml_model.popularity[:, None],
    )
    assert "the lists have collapsed" in Page(page(gather(alike))).words
    assert "the lists have collapsed" not in Page(ml_page).words


# Data that lack something.


def test_titles_are_text_and_never_run(board_model, tmp_path):
    titles = ['<script>alert("x")</script>', "</title></svg><img src=x onerror=alert(1)>", "\"& '<b>"]
    titles += ["Ñandú · 7\nsamurái", "", "\N{PILE OF POO}" * 60]
    odd = with_titles(board_model, titles + [f"Film {i}" for i in range(10)])
    text = written(saved(odd, tmp_path / "m"), tmp_path / "r.html")
    found = Page(text)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert "alert" not in "".join(found.scripts)
    assert titles[0] in found.words
    assert not [a for a in found.attributes if a[1].startswith("on")]


def test_a_name_of_the_data_is_text_too(board_model):
    about = dict(board_model.about) | {"data": {"name": "<script>x</script>"}, "recipe": "<b>"}
    found = Page(page(gather(replace(board_model, about=about))))
    assert found.tags.count("script") == 1
    assert "<script>x</script>" in found.words


def test_without_held_out_pairs_it_says_so(board_model):
    found = Page(page(gather(replace(board_model, test=None))))
    assert [i for i in found.ids if i in SECTIONS] == SECTIONS
    assert "nothing was held out" in found.words
    assert "There is no verdict" in found.words
    assert "needs held-out interactions" in found.words
    assert "NaN" not in found.words
    assert "nan" not in re.findall(r"\w+", found.words)


def test_without_history_times_titles_and_genres_it_says_so():
    found = Page(page(gather(made(40, 60))))
    for said in ("no history of its training", "tells no genres", "tells no titles", "nothing was held out"):
        assert said in found.words
    assert "chip" not in [value for _, name, value in found.attributes if name == "class"]


def test_without_times_there_is_no_recent_popularity(board_model):
    seen = board_model.seen
    timeless = replace(board_model, seen=Histories(seen.items, seen.start))
    found = Page(page(gather(timeless)))
    assert "Not compared with recent popularity" in found.words


def test_a_large_catalogue_is_capped_and_says_so(monkeypatch):
    monkeypatch.setattr("butaca.recommend.projection.EARLY", 3)
    monkeypatch.setattr("butaca.recommend.projection.LATE", 3)
    recommender = made(3000, 20_000, popular=1.05)
    monkeypatch.setattr(facts_room, "DRAWN", 500)
    text = page(gather(recommender))
    found = Page(text)
    assert "Drawn are the 500 most popular of 20,000 items" in found.words
    assert len(re.findall(r"<circle[^>]*data-n=", text)) == 500
    assert len(text) < 400_000


@pytest.mark.parametrize("n_items", [1, 2, 3, 9])
def test_the_smallest_catalogues(n_items):
    found = Page(page(gather(made(5, n_items))))
    assert [i for i in found.ids if i in SECTIONS] == SECTIONS


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "even, wide: 0.2869 (mean of the measures), the closed form alone 0.2863"),
        ("es", "even, wide: 0,2869 (media de las medidas), la forma cerrada sola 0,2863"),
    ],
)
def test_what_validation_chose_is_said(board_model, language, words):
    choice = {"name": "even, wide", "value": 0.28694, "closed_form": 0.28631}
    chosen = replace(board_model, about=dict(board_model.about) | {"choice": choice})
    assert words in Page(page(gather(chosen), language=language)).words
    assert "closed form alone" not in Page(page(gather(board_model))).words


@pytest.mark.parametrize(
    ("language", "used", "words"),
    [
        ("en", True, "lists by age, city: NDCG@10 0.4181, without them 0.4055"),
        ("en", False, "age, city not used: NDCG@10 0.4181, without them 0.4055"),
        ("es", True, "listas según age, city: NDCG@10 0,4181, sin ellas 0,4055"),
        ("es", False, "sin usar age, city: NDCG@10 0,4181, sin ellas 0,4055"),
    ],
)
def test_what_it_chose_for_newcomers_and_amounts_is_said_too(board_model, language, used, words):
    choice = {
        "name": "even",
        "value": 0.3,
        "closed_form": 0.2,
        "newcomers": {
            "columns": ["age", "city"],
            "used": used,
            "measure": "NDCG@10",
            "with": 0.4181,
            "without": 0.4055,
        },
        "curve": {"curve": "sqrt", "values": {"log": 0.25, "sqrt": 0.2512}},
    }
    chosen = replace(board_model, about=dict(board_model.about) | {"choice": choice})
    said = Page(page(gather(chosen), language=language)).words
    assert words in said
    curve = {
        "en": "the curve sqrt, with the closed form alone 0.2512",
        "es": "la curva sqrt, con la forma cerrada sola 0,2512",
    }
    assert curve[language] in said


def test_a_history_with_validation_is_drawn_with_its_gaps(board_model):
    history = {
        "loss": [3.0, 2.0, 1.5],
        "total_loss": [3.0, 2.0, 1.5],
        "val_loss": [None, 2.5, 2.4],
        "val_factorized_top_k/top_10_categorical_accuracy": [0.1, None, 0.2],
        "val_factorized_top_k/top_100_categorical_accuracy": [0.3, 0.4, 0.5],
    }
    about = dict(board_model.about) | {"history": history}
    found = Page(page(gather(replace(board_model, about=about))))
    assert "validation: loss" in found.text
    assert "top-10" in found.text
    assert "top-100" in found.text
    labels = [v for tag, name, v in found.attributes if tag == "svg" and name == "aria-label"]
    assert any("from 0.10 to 0.20" in label or "from 0.100 to 0.200" in label for label in labels)


# Its parts.


def test_genres_by_the_rarest_of_an_items():
    words = [["Drama", "War"], ["Drama"], ["Comedy", "Drama"], ["Comedy"], [], ["Drama", "Comedy", "War"]]
    items = Entities("item", Vocabulary.of([f"i{i}" for i in range(6)]), {"genres": Bags.of(words)})
    found = some(find_genres(items, np.ones(6, dtype=np.float32)))
    assert found.names == ("Drama", "Comedy", "War")
    names = [*found.names, "other"]
    assert [names[m] for m in found.main] == ["War", "Drama", "Comedy", "Comedy", "other", "War"]
    assert find_genres(Entities("item", items.ids), np.ones(6, dtype=np.float32)) is None


def clusters(n=40, k=3, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.eye(k, 10) * 5
    return (np.repeat(centres, n, axis=0) + rng.normal(scale=0.4, size=(n * k, 10))).astype(np.float32)


def test_the_map_keeps_clusters_together():
    """Of three clusters of 40, a point's nearest on the map is of its own."""
    xy, how = project(clusters())
    assert how == "t-SNE"
    distance = ((xy[:, None] - xy) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    label = np.repeat(np.arange(3), 40)
    assert np.mean(label[distance.argmin(axis=1)] == label) > 0.99
    np.testing.assert_array_equal(xy, project(clusters())[0])


def test_the_gradient_of_the_map_is_that_of_the_divergence():
    """Repulsion by blocks against the plain double sum."""
    from butaca.recommend.projection import repulsion

    y = np.random.default_rng(1).normal(size=(300, 2))
    apart = y[:, None] - y
    w = 1 / (1 + (apart**2).sum(axis=2))
    np.fill_diagonal(w, 0)
    expected = (w[:, :, None] ** 2 * apart).sum(axis=1) / w.sum()
    np.testing.assert_allclose(repulsion(y), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("vectors", [np.zeros((30, 4)), np.ones((30, 4)), np.eye(30)])
def test_degenerate_vectors_have_a_map(vectors):
    xy, _ = project(vectors.astype(np.float32))
    assert xy.shape == (30, 2)
    assert np.isfinite(xy).all()
    assert np.isfinite(tsne(principal(vectors.astype(np.float32), 3))).all()


def test_neighbours_leave_the_item_itself_out():
    near, cosine = neighbours(np.array([[1, 0], [2, 0], [0, 1]], dtype=np.float32), np.array([0, 2]), k=5)
    assert near.tolist() == [[1, 2], [0, 1]]
    assert cosine.tolist() == [[1, 0], [0, 0]]


def test_intervals_stand_where_the_axis_says():
    """Zero, low and high lie on one scale: (0 - low) / (high - low) of the way along the interval."""
    row = Comparison("ndcg", 10, 0.4, 0.3, 0.1, -0.1, 0.3, "ties")
    drawn = forest("NDCG@10", [("EASE", row)], words=Words("en"))
    low, high = map(float, some(re.search(r'x1="([\d.]+)" y1="34" x2="([\d.]+)"', drawn)).groups())
    zero = float(some(re.search(r'x1="([\d.]+)"[^>]*class="zero"', drawn)).group(1))
    dot = float(some(re.search(r'<circle cx="([\d.]+)"', drawn)).group(1))
    assert (zero - low) / (high - low) == pytest.approx(0.25, abs=0.002)
    assert (dot - low) / (high - low) == pytest.approx(0.5, abs=0.002)


def test_figures_that_are_missing_are_dashes():
    words = Words("en")
    nan = float("nan")
    assert words.figure(nan) == words.figure(None) == words.percent(nan) == "–"
    Page(forest("x", [("EASE", Comparison("ndcg", 10, nan, nan, 0.0, nan, nan, "ties"))], words=words))
    drawn = dumbbells(
        [("few", "1 to 2", 0.0, None), ("cold", "none", nan, nan)], ("the model", None), words=words
    )
    assert "nan" not in drawn
    Page(curves([("loss", [1.0])], words))
    assert "nan" not in forest(
        "x", [("E", Comparison("ndcg", 10, nan, nan, nan, nan, nan, "ties"))], words=words
    )


@pytest.mark.parametrize(("low", "high"), [(0, 1e-9), (-5, 5), (49_000, 54_000), (0.1, 0.1), (-1e-4, 3)])
def test_ticks_are_few_and_inside(low, high):
    found = ticks(low, high)
    assert len(found) <= 6
    assert all(low - 1e-12 <= t <= high + 1e-12 for t in found)


# Words.


def test_both_languages_say_the_same_things():
    fields = [
        {k: sorted(f for _, f, _, _ in string.Formatter().parse(v) if f) for k, v in words.items()}
        for words in LANGUAGES.values()
    ]
    assert fields[0] == fields[1]


def test_every_key_that_is_asked_for_is_there():
    source = "".join(p.read_text(encoding="utf-8") for p in Path(facts_room.__file__).parent.glob("*.py"))
    asked = set(re.findall(r"words(?:\.html)?\(\s*[\"']([a-z0-9 @-]+)[\"']", source))
    assert len(asked) > 50
    assert asked <= set(LANGUAGES["en"])


def test_the_english_verdict_is_the_evaluations_own():
    def row(word):
        return tuple(Comparison(m, k, 0, 0, 0, 0, 0, word) for m, k, _ in MEASURES)

    mixed = (*row("beats")[:2], *row("loses")[2:])
    for against in (
        {"popularity": row("beats"), "recent popularity": row("beats"), "EASE": row("ties")},
        {"Markov chain": row("beats"), "popularity": mixed},
        {"popularity": row("loses"), "EASE": mixed, "item-kNN": (*row("ties")[:3], *row("beats")[3:])},
        {},
    ):
        for found in (Verdict(against), Verdict(against, comes_next=True)):
            assert Words("en").verdict(found) == found.sentence
    said = Words("es").verdict(Verdict({"popularity": row("beats"), "EASE": mixed}))
    assert (
        said
        == "El modelo gana a la popularidad, gana a EASE en top-10 y top-100 y pierde en NDCG@10 y Recall@20."
    )


def test_a_split_of_what_comes_next_is_said_in_both_languages():
    board = checkerboard()
    tied = replace(board, timestamp=np.arange(len(board)) // 2)
    facts = gather(last_of(tied), "0.1.0")
    english, spanish = (unescape(page(facts, language)) for language in ("en", "es"))
    assert "the last of each user is held out: what comes next; " in english
    assert "users had equal times at the cut, where a seeded draw says which is the last" in english
    assert "apartado lo último de cada usuario: lo que viene después; " in spanish
    assert "usuarios tenían tiempos iguales en el corte, donde un sorteo con semilla dice" in spanish
    assert "<h1>For what comes next, the model " in english
    assert "<h1>Para lo que viene después, el modelo " in spanish
    assert "the Markov chain" in english
    assert "la cadena de Markov" in spanish
    english = unescape(page(gather(last_of(board), "0.1.0")))
    assert "no user had equal times at the cut" in english


def last_of(data):
    from butaca.recipes import recipe

    chosen = recipe("notebook")
    chosen = replace(chosen, epochs=2, model=replace(chosen.model, dim=4))
    return fitting.fit(data, chosen, split="last").recommender


def test_spanish_bounds_of_slices(ml_facts):
    words = Words("es")
    for part, _ in ml_facts.slices:
        assert not re.search(r"\b(users|more|training|to)\b", words.bounds(part.what)), part.what


def test_unescaped_titles_survive(ml_facts, ml_page):
    title = "'Til There Was You (1997)"
    assert title in ml_facts.titles
    assert title in unescape(ml_page)
