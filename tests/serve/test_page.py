# ruff: noqa: F811  (fixtures)
"""The page, in a real browser on the real service: at a desk, on a phone, by keyboard, in two languages."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from playwright.sync_api import Locator, Page, Route, expect

import butaca.serve
from butaca.serve.http.problems import Problem
from tests.support.browser import DESKTOP, PHONE, Served, Visit, browser, served, visit  # noqa: F401
from tests.support.narrow import some
from tests.support.page import answer_with, check, rows

FOLDER = Path(butaca.serve.__file__).parent / "page"
STATIC = FOLDER / "static"
TOY_STORY = "/?film=Toy+Story+%281995%29"

WATCHED = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


def titles(page: Page) -> list[str]:
    rows(page)
    return [re.sub(r"\s+\d{4}$", "", text) for text in page.locator("#list h3").all_inner_texts()]


def until(holds: Callable[[], bool]) -> None:
    """Wait for it (the page's policy forbids Playwright's own wait, which evaluates a string)."""
    end = time.monotonic() + 8
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def pick(page: Page, typed: str) -> None:
    """Type, and take the first film of the list."""
    field = page.get_by_role("combobox")
    field.click()
    field.press_sequentially(typed)
    expect(page.get_by_role("option").first).to_be_visible()
    field.press("Enter")


# Files.


#: Files of sentences: those of both pages, and those that come with the second stage.
WORDS = ("{}.js", "compare-{}.js")


def sentences(language: str) -> str:
    return "\n".join((STATIC / "js" / name.format(language)).read_text("utf-8") for name in WORDS)


def keys(language: str) -> list[str]:
    return re.findall(r'^  "([^"]+)": ', sentences(language), flags=re.M)


def test_both_languages_have_the_same_words_and_every_word_is_used() -> None:
    english, spanish = keys("en"), keys("es")
    assert english == spanish
    assert len(set(english)) == len(english)
    own = {name.format(language) for name in WORDS for language in ("en", "es")}
    sources = [p for p in STATIC.glob("js/*.js") if p.name not in own]
    used = "\n".join(p.read_text("utf-8") for p in [*sources, *FOLDER.glob("*.html")])
    built = (
        "genre.",
        "stage.",
        "key.",
        "beats",
        "ties",
        "loses",
        "open",
        "flag.",
        "baseline.",
        "softmax.",
        "split.",
        "error.",
        "source.",
        "sentence.",
        "stages.",
    )
    for key in english:
        bare = key.removesuffix("@film")  # a sentence of films alone, beside that of all other goods
        assert bare in english
        stem = bare.removesuffix(".one").removesuffix(".other")
        assert bare.startswith(built) or any(f'"{k}"' in used for k in (bare, stem)), key


#: Holes that the noun fills, of which each language needs its own.
OF_THE_NOUN = {
    f"{{{name}}}"
    for name in "item items Item Items seen Seen seena seens saw isaw".split()  # noqa: SIM905
}


def test_sentences_of_both_languages_have_the_same_holes() -> None:
    def holes(language: str) -> dict[str, list[str]]:
        return {
            k: sorted(set(re.findall(r"\{\w+\}", v)) - OF_THE_NOUN)
            for k, v in re.findall(r'^  "([^"]+)": "(.*)",$', sentences(language), flags=re.M)
        }

    assert holes("en") == holes("es")


def test_fonts_are_those_of_their_packages_and_bring_their_licences() -> None:
    said = dict(
        re.findall(
            r"^\| (\S+\.woff2) \|.*\| ([0-9a-f]{64}) \|$",
            (STATIC / "fonts/SOURCES.md").read_text(),
            flags=re.M,
        )
    )
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in STATIC.glob("fonts/*.woff2")}
    assert said == found
    for licence in ("OFL-Alegreya.txt", "OFL-AlegreyaSans.txt"):
        assert "SIL Open Font License, Version 1.1" in (STATIC / "fonts" / licence).read_text("utf-8")


def test_the_page_is_light_and_names_no_other_host() -> None:
    own = [p for p in FOLDER.rglob("*") if p.suffix in {".html", ".css", ".js", ".svg"}]
    # The map comes when it is near, what shows the second stage where a model has one.
    first = [p for p in own if not p.name.startswith(("state", "plot", "map", "compare", "why"))]
    assert sum(p.stat().st_size for p in first) < 114_000
    assert sum(p.stat().st_size for p in own) < 175_000
    for path in own:
        text = path.read_text("utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://", text), path.name
        if path.suffix == ".html":
            assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", text), path.name


# Films.


@WATCHED
def test_films_named_change_the_list_and_each_film_says_why(visit: Visit, size: dict[str, Any]) -> None:
    page = visit("/", **size).page
    expect(page.locator("#source")).to_have_text("What most people chose, until you name a film.")
    popular = titles(page)
    assert len(popular) == 10
    pick(page, "toy sto")
    expect(page.locator("#source")).to_have_text("From the films you named.")
    expect(page.locator("#list > li .because").first).to_contain_text("Because you liked Toy Story")
    first = titles(page)
    assert first != popular
    assert "Toy Story" not in first
    pick(page, "aladdin")
    expect(page.locator(".mine.films li")).to_have_count(2)
    expect(page.locator("#list .because", has_text="Aladdin").first).to_be_visible()
    expect(page.locator("#said")).to_have_text(re.compile(r"^Aladdin added\. 10 films, first: .+\.$"))
    assert titles(page) != first
    for share in page.locator("#list .shares i").all()[:6]:
        assert share.evaluate("(n) => n.getBoundingClientRect().width") > 0


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_rows_glide_to_their_places_and_stand_still_for_those_who_ask(visit: Visit, motion: str) -> None:
    count = """window.glides = 0; const animate = Element.prototype.animate;
    Element.prototype.animate = function (...all) { window.glides++; return animate.apply(this, all); };"""
    page = visit("/", before=lambda page: page.add_init_script(count), reduced_motion=motion).page
    rows(page)
    page.evaluate("window.glides = 0")
    pick(page, "fargo")
    expect(page.locator("#source")).to_have_text("From the films you named.")
    assert (page.evaluate("window.glides") > 0) == (motion == "no-preference")


def test_a_model_of_one_stage_has_no_switch_and_fetches_nothing_of_it(visit: Visit) -> None:
    asked: list[str] = []
    page = visit(TOY_STORY, before=lambda page: page.on("request", lambda r: asked.append(r.url))).page
    rows(page)
    page.wait_for_load_state("networkidle")
    expect(page.locator("#stages, #compare")).to_have_count(0)
    scripts = {url.rpartition("/")[2] for url in asked if url.endswith(".js")}
    assert "programme.js" in scripts
    assert not {name for name in scripts if name.startswith(("compare", "why"))}


def test_shares_are_the_parts_of_the_score(visit: Visit) -> None:
    page = visit("/").page
    rows(page)
    with page.expect_response("**/v1/recommend") as answered:
        pick(page, "toy sto")
    item = answered.value.json()["items"][0]
    part = round(100 * item["because"][0]["share"] / item["score"])
    assert 0 < part <= 100
    expect(page.locator("#list > li b").first).to_have_text(f"{part}%")


@pytest.mark.parametrize(
    ("locale", "said", "one"),
    [
        (
            "en-US",
            "Because you liked Toy Story +1.25 and Aladdin +0.50 (effects on the score)",
            "Because you liked Toy Story +0.0625 (effect on the score)",
        ),
        (
            "es-ES",
            "Porque le gustó Toy Story +1,25 y Aladdin +0,50 (efectos en la puntuación)",
            "Porque le gustó Toy Story +0,0625 (efecto en la puntuación)",
        ),
    ],
)
def test_effects_are_called_so_and_make_no_bar(visit: Visit, locale: str, said: str, one: str) -> None:
    """A score that is no sum has no shares: what it had without an item is said in points."""
    effect = lambda title, points: {"id": title, "title": title, "share": points, "kind": "effect"}  # noqa: E731

    def handle(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["items"][0] |= {
            "score": -2.0,
            "because": [effect("Toy Story (1995)", 1.25), effect("Aladdin (1992)", 0.5)],
        }
        told["items"][1] |= {"score": 0.5, "because": [effect("Toy Story (1995)", 0.0625)]}
        route.fulfill(response=answer, json=told)

    page = visit("/", locale=locale, before=lambda page: page.route("**/v1/recommend", handle)).page
    rows(page)
    expect(page.locator("#list .because p").nth(0)).to_have_text(said)
    expect(page.locator("#list .because p").nth(1)).to_have_text(one)
    expect(page.locator("#list .because").nth(0).locator(".shares")).to_have_count(0)
    what = page.locator("#list .because small").first
    expect(what).to_have_attribute(
        "title", re.compile(r"sin esa película\." if locale == "es-ES" else r"without that one film\.")
    )


def test_case_and_accents_are_forgiven_and_titles_read_as_people_write_them(visit: Visit) -> None:
    page = visit("/").page
    field = page.get_by_role("combobox")
    field.click()
    field.press_sequentially("SHÁWSHANK")
    expect(page.get_by_role("option").first).to_contain_text("The Shawshank Redemption 1994")
    field.fill("")
    field.press_sequentially("zzzz")
    expect(page.locator("#no-title")).to_have_text("No film of the catalogue has “zzzz” in its title.")


def test_a_whole_visit_by_keyboard(visit: Visit) -> None:
    page = visit("/").page
    rows(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the films")).to_be_focused()
    field = page.get_by_role("combobox")
    for _ in range(8):
        page.keyboard.press("Tab")
        if field.evaluate("(n) => n === document.activeElement"):
            break
    expect(field).to_be_focused()
    page.keyboard.insert_text("star tr")  # at once: one list
    expect(field).to_have_attribute("aria-expanded", "true")
    second = page.get_by_role("option").nth(1)
    name = second.locator(".name").inner_text()
    page.keyboard.press("ArrowDown")
    expect(second).to_have_attribute("aria-selected", "true")
    assert field.get_attribute("aria-activedescendant") == second.get_attribute("id")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # round to the last
    expect(page.get_by_role("option").last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".mine.films li")).to_have_count(1)
    expect(page.locator(".mine.films li > span")).to_have_text(name)
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    page.keyboard.type("fargo")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    page.keyboard.press("Backspace")
    expect(page.locator(".mine.films li")).to_have_count(0)
    expect(page.locator("#source")).to_have_text("What most people chose, until you name a film.")


def test_a_list_that_comes_late_keeps_what_the_arrows_chose(visit: Visit) -> None:
    page = visit("/").page
    rows(page)
    field, held = page.get_by_role("combobox"), list[Route]()
    page.route(re.compile(r"query=star\+trek&"), lambda route: held.append(route))
    field.press_sequentially("star tre")
    second = page.get_by_role("option").nth(1)
    name = second.locator(".name").inner_text()
    field.press("k")
    while not held:
        page.wait_for_timeout(20)
    field.press("ArrowDown")
    expect(second).to_have_attribute("aria-selected", "true")
    with page.expect_response(re.compile(r"query=star\+trek&")):
        some(held[0]).continue_()
    page.wait_for_timeout(100)
    chosen = page.locator("[role=option][aria-selected=true]")
    expect(chosen.locator(".name")).to_have_text(name)
    expect(field).to_have_attribute("aria-activedescendant", some(chosen.get_attribute("id")))


def test_titles_are_found_beside_more_films_than_one_answer_holds(visit: Visit, served: Served) -> None:
    with urlopen(f"{served.url}/v1/items?query=s&limit=100") as answer:
        ids = [item["id"] for item in json.load(answer)["items"]]
    assert len(ids) == 100
    page = visit(f"/?{urlencode([('film', name) for name in ids])}").page
    expect(page.locator(".mine.films li")).to_have_count(100)
    page.get_by_role("combobox").fill("fargo")
    expect(page.get_by_role("option").first).to_contain_text("Fargo")


def test_the_focus_is_never_lost(visit: Visit) -> None:
    page = visit(TOY_STORY).page
    rows(page)
    button = page.locator("#list > li").nth(2).get_by_role("button", name="Add")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".mine.films li")).to_have_count(2)
    rows(page)
    until(lambda: bool(page.evaluate("!!document.activeElement.closest('#list > li')")))
    page.locator(".mine.films button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".mine.films button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox")).to_be_focused()


@WATCHED
def test_filters_hold_and_may_be_taken_away(visit: Visit, size: dict[str, Any]) -> None:
    page = visit(TOY_STORY, **size).page
    rows(page)
    if size is PHONE:
        page.get_by_text("Narrow it down").click()
    page.get_by_role("button", name="Comedy", exact=True).first.click()
    expect(page.locator("#filters-told")).to_have_text("Comedy")
    low = page.get_by_role("slider", name="Years, from")
    low.fill("1990")
    high = page.get_by_role("slider", name="Years, to")
    high.fill("1995")
    expect(page.locator("#filters-told")).to_have_text("Comedy; 1990 to 1995")
    until(lambda: all(1990 <= int(y) <= 1995 for y in page.locator("#list h3 small").all_inner_texts()))
    assert rows(page).count() == 10
    page.get_by_role("button", name="No filters").click()
    expect(page.locator("#filters-told")).to_have_text("everything")


def test_filters_that_nothing_fits_say_so(visit: Visit) -> None:
    page = visit("/?in.genres=Western&in.year=1922..1923").page
    expect(page.locator("#list")).to_contain_text("No film of the catalogue fits these filters.")


def test_less_like_this_and_already_seen_move_the_list(visit: Visit) -> None:
    page = visit(TOY_STORY).page
    before = titles(page)
    rows(page).nth(0).get_by_role("button", name=re.compile("^Less like")).click()
    expect(page.locator(".mine.less li")).to_have_count(1)
    expect(page.locator("#list h3", has_text=before[0])).to_have_count(0)
    after = titles(page)
    rows(page).nth(0).get_by_role("button", name=re.compile("^Already seen")).click()
    expect(page.locator(".mine.seen li")).to_have_count(1)
    expect(page.locator("#list h3", has_text=after[0])).to_have_count(0)
    page.locator(".mine.less button").first.click()
    expect(page.locator(".mine.less")).to_have_count(0)
    page.get_by_role("button", name="Ten more").click()
    expect(page.locator("#list > li")).to_have_count(20)


@WATCHED
def test_similar_films_open_beside_and_the_back_button_closes_them(
    visit: Visit, size: dict[str, Any]
) -> None:
    page = visit(TOY_STORY, **size).page
    opener = rows(page).nth(0).get_by_role("button", name=re.compile("^Films similar to"))
    opener.click()
    panel = page.get_by_role("dialog")
    expect(panel).to_be_visible()
    expect(panel.locator("ol li")).to_have_count(12)
    panel.get_by_role("button", name=re.compile("^Films similar to")).nth(1).click()
    expect(panel.locator("ol li")).to_have_count(12)
    page.go_back()
    page.go_back()
    expect(panel).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    panel.get_by_role("button", name=re.compile("^Add .* to the films you liked$")).first.click()
    expect(page.locator(".mine.films li")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page).not_to_have_url(re.compile("near="))


def test_what_is_chosen_lives_in_the_address(visit: Visit) -> None:
    page = visit("/").page
    rows(page)
    pick(page, "toy sto")
    pick(page, "fargo")
    expect(page.locator(".mine.films li")).to_have_count(2)
    before = titles(page)
    page.get_by_role("button", name="Drama", exact=True).first.click()
    expect(page.locator("#filters-told")).to_have_text("Drama")
    until(lambda: titles(page) != before)
    chosen, address = titles(page), page.url
    page.reload()
    expect(page.locator(".mine.films li")).to_have_count(2)
    expect(page.locator(".mine.films li > span").first).to_have_text("Toy Story 1995")
    expect(page.locator("#filters-told")).to_have_text("Drama")
    assert titles(page) == chosen
    page.go_back()
    expect(page.locator("#filters-told")).to_have_text("everything")
    page.go_back()
    expect(page.locator(".mine.films li")).to_have_count(1)
    page.go_forward()
    page.go_forward()
    expect(page.locator(".mine.films li")).to_have_count(2)
    assert page.url == address


def test_a_film_that_the_catalogue_does_not_have_is_left_out(visit: Visit) -> None:
    watched = visit(TOY_STORY + "&film=Nothing+of+the+kind")
    watched.expected.append("404")
    expect(watched.page.locator(".mine.films li")).to_have_count(1)
    expect(watched.page.locator("#list .because").first).to_contain_text("Toy Story")


def test_seen_as_a_known_user_and_what_is_chosen_is_stored(visit: Visit, served: Served) -> None:
    page = visit("/").page
    rows(page)
    page.get_by_text("See as someone else").click()
    page.get_by_label("User id").fill("21")
    page.get_by_role("button", name="See", exact=True).click()
    expect(page.locator("#source")).to_have_text("From what user 21 has seen.")
    expect(page.locator("#person-shown")).to_contain_text("films in their history")
    expect(page.locator("#list .because").first).to_contain_text("Because they saw")
    first = titles(page)[0]
    with page.expect_request("**/v1/events") as sent:
        rows(page).nth(0).get_by_role("button", name=re.compile("^Add")).click()
    (event,) = some(sent.value.post_data_json)["events"]
    assert event["user"] == "21"
    assert event["request_id"]
    expect(page.locator("#stored")).to_have_text(f"Stored: user 21 watched {first}.")
    answer = page.request.get(f"{served.url}/v1/users/21/history").json()
    assert event["item"] in [item["id"] for item in answer["items"] if item["from"] == "events"]
    page.get_by_role("button", name="Be yourself again").click()
    expect(page.locator("#source")).to_have_text("From the films you named.")


# The map.


def ink(page: Page) -> int:
    """Pixels of the map that are drawn."""
    return int(check(page, "ink"))


def show_map(page: Page) -> Locator:
    page.locator("#map").scroll_into_view_if_needed()
    expect(page.locator("#legend button").first).to_be_visible()
    canvas = page.locator("#canvas")
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(250)
    return canvas


@WATCHED
def test_the_map_draws_and_marks_what_is_chosen(visit: Visit, size: dict[str, Any]) -> None:
    page = visit(TOY_STORY, **size).page
    rows(page)
    show_map(page)
    drawn = ink(page)
    assert drawn > 4000
    expect(page.locator("#canvas")).to_have_attribute("data-mine", "1")
    page.locator("#legend button").first.click()
    page.wait_for_timeout(250)
    assert ink(page) < drawn


def test_the_map_answers_a_pointer(visit: Visit) -> None:
    page = visit("/").page
    rows(page)
    canvas = show_map(page)
    box = canvas.bounding_box()
    assert box is not None
    found = False
    for step in range(40):  # across the middle, until a film is under the pointer
        page.mouse.move(box["x"] + box["width"] * (0.1 + step * 0.02), box["y"] + box["height"] * 0.5)
        if page.locator("#tip").is_visible():
            found = True
            break
    assert found
    title = page.locator("#tip").inner_text()
    page.mouse.down()
    page.mouse.up()
    ticket = page.locator("#ticket")
    expect(ticket.locator("h3")).to_have_text(title)
    ticket.get_by_role("button", name="Add to the films you liked").click()
    expect(page.locator(".mine.films li > span")).to_have_text(title)
    before = page.locator("#canvas").get_attribute("class")
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("#canvas.deep")).to_have_count(1)
    assert before != "deep"


def test_the_map_answers_the_keyboard(visit: Visit) -> None:
    page = visit(TOY_STORY, reduced_motion="reduce").page
    rows(page)
    canvas = show_map(page)
    canvas.focus()
    page.keyboard.press("ArrowRight")
    first = canvas.get_attribute("data-at")
    assert first
    expect(page.locator("#tip")).to_be_visible()
    seen = {first}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        seen.add(some(canvas.get_attribute("data-at")))
    assert len(seen) >= 3
    expect(page.locator("#said")).not_to_be_empty()
    page.keyboard.press("Enter")
    expect(page.locator("#ticket h3")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('#ticket') !== null")
    page.keyboard.press("Escape")
    expect(page.locator("#ticket")).to_be_hidden()
    expect(canvas).to_be_focused()
    page.keyboard.press("+")
    expect(page.locator("#canvas.deep")).to_have_count(1)
    page.keyboard.press("0")
    expect(page.locator("#canvas.deep")).to_have_count(0)


def test_two_fingers_zoom_the_map_and_one_still_scrolls_the_page(visit: Visit) -> None:
    page = visit("/", **PHONE).page
    rows(page)
    canvas = show_map(page)
    devtools = page.context.new_cdp_session(page)

    def middle() -> tuple[float, float]:
        """A place on the canvas that the window shows, once scrolling has come to rest."""
        page.wait_for_function(
            "() => { const was = window.lastY; window.lastY = scrollY; return was === scrollY; }", polling=200
        )
        box = canvas.bounding_box()
        assert box is not None
        return box["x"] + 190, (max(box["y"], 0) + min(box["y"] + box["height"], 700)) / 2

    def touch(*paths: tuple[float, float, float, float]) -> None:
        """Fingers that move from a place to another."""
        for step in range(11):
            points = [
                {"x": a + (c - a) * step / 10, "y": b + (d - b) * step / 10, "id": n}
                for n, (a, b, c, d) in enumerate(paths)
            ]
            kind = "touchMove" if step else "touchStart"
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(500)

    x, y = middle()
    before = page.evaluate("scrollY")
    touch((x, y, x, y + 140))
    x, y = middle()
    scrolled = page.evaluate("scrollY")
    assert before - scrolled > 50  # at the whole catalogue, one finger scrolls on
    touch((x - 50, y, x - 140, y), (x + 50, y, x + 140, y))
    expect(page.locator("#canvas.deep")).to_have_count(1)
    touch((x, y, x, y + 100))
    assert page.evaluate("scrollY") == scrolled  # close up, it moves the map
    assert page.evaluate("visualViewport.scale") == 1


def test_the_map_is_sketched_at_once_and_glides_to_its_drawing(visit: Visit) -> None:
    asked: list[str] = []

    def handle(route: Route) -> None:
        answer = route.fetch()
        places = answer.json()
        sketch = not asked
        for item in places["items"]:
            item["x"] = 1 - item["x"] if sketch else item["x"]
        places["method"] = "PCA" if sketch else "t-SNE"
        asked.append(places["method"])
        route.fulfill(response=answer, json=places)

    page = visit("/", before=lambda page: page.route("**/v1/map", handle)).page
    rows(page)
    show_map(page)
    assert check(page, "ink") > 4000
    expect(page.locator("#canvas")).to_have_attribute("data-method", "t-SNE")
    page.wait_for_timeout(1200)
    assert check(page, "ink") > 4000
    assert asked == ["PCA", "t-SNE"]


def test_titles_on_the_map_never_overlap(visit: Visit) -> None:
    page = visit("/").page
    rows(page)
    worst = check(page, "overlaps")
    assert worst["overlaps"] == 0
    assert worst["count"] > 60
    assert worst["ms"] < 1000


# Languages.


def test_spanish_by_the_browsers_language_and_switched_for_good(visit: Visit) -> None:
    page = visit(TOY_STORY, locale="es-MX").page
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_role("heading", level=1)).to_have_text("¿Qué películas le gustaron?")
    expect(page.locator("#list .because").first).to_contain_text("Porque le gustó Toy Story")
    expect(page).to_have_title("butaca: películas que ver")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Which films did you like?")
    expect(page.locator("#list .because").first).to_contain_text("Because you liked Toy Story")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    rows(page)


def test_other_languages_get_english(visit: Visit) -> None:
    page = visit("/", locale="de-DE").page
    expect(page.locator("html")).to_have_attribute("lang", "en")
    rows(page)


# For everyone.


@WATCHED
@pytest.mark.parametrize(
    "path", [TOY_STORY + "&near=Fargo+%281996%29", TOY_STORY + "&less=Babe+%281995%29", "/state"]
)
def test_every_control_has_a_name_and_nothing_scrolls_aside(
    visit: Visit, path: str, size: dict[str, Any]
) -> None:
    page = visit(path, locale="es-ES" if size is PHONE else "en-US", **size).page
    if path == "/state":
        expect(page.locator("#plots figure")).to_have_count(4)
    else:
        rows(page)
        show_map(page)
    assert check(page, "nameless") == []
    assert check(page, "repeated") == []
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= size["viewport"]["width"], wide


@pytest.mark.parametrize("path", [TOY_STORY, "/state"])
def test_what_is_pressed_on_a_phone_is_large_enough(visit: Visit, path: str) -> None:
    page = visit(path, **PHONE).page
    if path == "/state":
        expect(page.locator("#plots figure")).to_have_count(4)
    else:
        rows(page)
        show_map(page)
    assert check(page, "small") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [TOY_STORY + "&less=Babe+%281995%29&user=21", "/state"])
def test_text_stands_out_from_the_paper(visit: Visit, path: str, scheme: str) -> None:
    page = visit(path, color_scheme=scheme).page
    if path == "/state":
        expect(page.locator("#plots figure")).to_have_count(4)
    else:
        rows(page)
    page.wait_for_timeout(500)
    assert check(page, "faint") == []


# What may go wrong.


#: Refusals of the service, and how a Spanish page begins to tell them.
REFUSALS = {
    (404, "unknown-entity"): "El servicio no conoce lo que se le pidió.",
    (413, "too-large"): "Es demasiado de una vez para el servicio.",
    (422, "invalid"): "El servicio no puede responder a esto.",
    (409, "damaged-model"): "El servicio lo rechazó.",
    (500, "internal"): "El servicio falló (500).",
    (401, "key"): "El servicio pide una clave",
    (403, "scope"): "El servicio pide una clave",
}


def test_refusals_are_told_in_the_readers_language_over_the_services_own_words(visit: Visit) -> None:
    left = list(REFUSALS)

    def handle(route: Route) -> None:
        if left:
            status, kind = left[0]
            body = Problem(status, kind, f"{kind} is ruled", "5000", "Ask for fewer").body()
            route.fulfill(status=status, content_type="application/problem+json", body=body)
        else:
            route.continue_()

    watched = visit("/", locale="es-ES", before=lambda page: page.route("**/v1/recommend", handle))
    watched.expected.append("status of [45]")
    page = watched.page
    notice = page.get_by_role("alert")
    for (status, kind), said in REFUSALS.items():
        if status in {401, 403}:
            expect(page.get_by_role("dialog")).to_contain_text("Una clave, por favor")
            page.keyboard.press("Escape")
        own = f"{kind} is ruled. Received: 5000. Ask for fewer."
        expect(notice.locator("[lang=en]")).to_have_text(own)
        expect(notice).to_contain_text(said)
        expect(notice).to_contain_text(f"El servicio dice, en inglés: {own}")
        left.pop(0)
        if left:
            notice.get_by_role("button", name="Reintentar").click()
    page.get_by_role("button", name="English", exact=True).click()
    expect(notice).to_contain_text("The service asks for a key with the right scope.")
    expect(notice).to_contain_text("The service says: scope is ruled.")
    notice.get_by_role("button", name="Try again").click()
    expect(notice).to_be_hidden()
    assert rows(page).count() == 10


def test_a_service_that_waits_and_one_that_is_gone_are_told_in_spanish(visit: Visit) -> None:
    busy = {"detail": "At most 64 requests wait. Received: one more. Try again in a second."}
    handler = answer_with(503, busy, {"Retry-After": "2"}, times=1)
    watched = visit("/", locale="es-ES", before=lambda page: page.route("**/v1/recommend", handler))
    watched.expected += ["503", "ERR_"]
    notice = watched.page.get_by_role("alert")
    expect(notice).to_contain_text("El servicio está ocupado. Nuevo intento en 2 s.")
    expect(notice.locator("[lang=en]")).to_have_text(busy["detail"])
    expect(notice).to_be_hidden()
    watched.page.route("**/v1/recommend", lambda route: route.abort("connectionrefused"))
    watched.page.get_by_role("button", name="Drama", exact=True).first.click()
    expect(notice).to_contain_text("El servicio no responde.")
    expect(notice.locator("[lang=en]")).to_have_count(0)


def test_a_busy_service_is_asked_again_by_itself(visit: Visit) -> None:
    handler = answer_with(503, {"rule": "busy"}, {"Retry-After": "1"}, times=1)
    watched = visit("/", before=lambda page: page.route("**/v1/recommend", handler))
    watched.expected.append("503")
    expect(watched.page.get_by_role("alert")).to_contain_text("The service is busy. Trying again in 1 s.")
    expect(watched.page.get_by_role("alert")).to_be_hidden()
    assert rows(watched.page).count() == 10


def test_a_service_that_is_gone_leaves_the_list_as_it_was(visit: Visit) -> None:
    watched = visit(TOY_STORY)
    watched.expected.append("ERR_")
    page = watched.page
    before = titles(page)
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("You are offline.")
    assert titles(page) == before
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_key_is_asked_for_once_and_kept_in_the_tab(visit: Visit) -> None:
    keys_sent: list[str | None] = []

    def guard(route: Route) -> None:
        key = route.request.headers.get("authorization")
        keys_sent.append(key)
        if key == "Bearer good":
            route.continue_()
        else:
            route.fulfill(
                status=401, headers={"content-type": "application/problem+json"}, body='{"rule": "key"}'
            )

    watched = visit("/", before=lambda page: page.route("**/v1/**", guard))
    watched.expected.append("401")
    page = watched.page
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("A key, please")
    dialog.get_by_label("Key").fill("bad")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("That key was not accepted.")
    dialog.get_by_label("Key").fill("good")
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog).to_be_hidden()
    assert rows(page).count() == 10
    expect(page.locator("#starters button")).to_have_count(5)
    page.reload()
    assert rows(page).count() == 10
    assert keys_sent[-1] == "Bearer good"


def test_nothing_of_the_service_is_read_as_html(visit: Visit) -> None:
    evil = "<img src=x onerror=alert(1)> & <b>bold</b> (1999)"
    item = {
        "id": evil,
        "title": evil,
        "score": 1,
        "genres": [],
        "stage": "retrieval",
        "because": [{"id": evil, "title": evil, "share": 0.5}],
    }
    body = json.dumps({"request_id": "r", "source": evil, "model": evil, "took_ms": 1, "items": [item]})
    handle = lambda route: route.fulfill(status=200, content_type="application/json", body=body)  # noqa: E731
    page = visit("/", before=lambda page: page.route("**/v1/recommend", handle)).page
    assert rows(page).count() == 1
    expect(page.locator("#list h3")).to_contain_text("<img src=x onerror=alert(1)> & <b>bold</b>")
    expect(page.locator("#list img")).to_have_count(0)


# The state of the service.


def test_the_state_page_says_what_validation_chose(visit: Visit) -> None:
    def handle(route: Route) -> None:
        state = route.fetch().json()
        state["model"]["chosen"] = {"name": "even, wide", "value": 0.28694, "closed_form": 0.28631}
        route.fulfill(json=state)

    page = visit("/state", locale="es-ES", before=lambda page: page.route("**/v1/state", handle)).page
    facts = page.locator("#facts")
    expect(facts).to_contain_text("Elegido por validación")
    expect(facts).to_contain_text("even, wide: 0,2869; la forma cerrada sola 0,2863")


@WATCHED
def test_the_state_page_shows_the_verdict_and_keeps_itself_fresh(visit: Visit, size: dict[str, Any]) -> None:
    page = visit("/state", **size).page
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^The model .*popularity.*\.$"))
    expect(page.locator("#plots figure")).to_have_count(4)
    expect(page.locator("#plots figure").first).to_contain_text(re.compile("beats|ties|loses"))
    expect(page.locator("#plots svg").first).to_have_attribute(
        "aria-label", re.compile(r"^top-10: .*EASE by [+−]0\.\d+")
    )
    page.get_by_text("Figures of every recommender").click()
    expect(page.locator("#figures tbody tr")).to_have_count(6)
    expect(page.locator("#now dt")).to_have_count(4)
    expect(page.locator("#experiment")).to_contain_text("No experiment runs")
    expect(page.locator("#facts")).to_contain_text("MovieLens 100K")
    expect(page.locator("#facts")).to_contain_text("at random, 20% held out, seed 42")
    if size is PHONE:
        return
    plot = page.locator("#plots svg").first.element_handle()
    before = page.locator("#fresh").inner_text()
    expect(page.locator("#fresh")).not_to_have_text(before, timeout=8000)
    assert plot is not None
    assert plot.evaluate("(node) => node.isConnected")  # what did not change was not drawn again
    expect(page.locator("#figures details")).to_have_attribute("open", "")


def test_the_state_page_says_what_comes_next(visit: Visit) -> None:
    def handle(route: Route) -> None:
        answer = route.fetch()
        state = answer.json()
        state["model"]["split"] = {"split": "last", "test_share": 0.2, "seed": 42, "tied_users": 3}
        verdict = state["model"]["metrics"]["verdict"]
        verdict["comes_next"] = True
        verdict["against"] = {"Markov chain": verdict["against"]["EASE"], **verdict["against"]}
        route.fulfill(response=answer, json=state)

    page = visit("/state", locale="es-ES", before=lambda page: page.route("**/v1/state", handle)).page
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"^Para lo que viene después, el modelo .*la cadena de Markov"))
    expect(page.locator("#facts")).to_contain_text("apartado lo último de cada usuario: lo que viene después")
    expect(page.locator("#plots svg").first).to_have_attribute(
        "aria-label", re.compile("la cadena de Markov por")
    )


def test_the_state_page_shows_an_experiment(visit: Visit) -> None:
    def arm(name: str, share: float, shown: int, hits: int, low: float, high: float) -> dict[str, Any]:
        counts = {"recommendations": shown, "with_event": hits, "events": hits, "users": 9}
        return {
            "name": name,
            "model": name[:4],
            "share": share,
            **counts,
            "rate": hits / shown,
            "low": low,
            "high": high,
        }

    arms = [arm("champion", 0.9, 5021, 611, 0.113, 0.131), arm("challenger", 0.1, 540, 75, 0.112, 0.17)]
    difference = {"arm": "challenger", "base": "champion", "difference": 0.017, "low": -0.013, "high": 0.047}

    def handle(route: Route) -> None:
        answer = route.fetch()
        state = answer.json() | {"experiment": {"arms": arms, "differences": [difference]}}
        route.fulfill(response=answer, json=state)

    page = visit("/state", locale="es-ES", before=lambda page: page.route("**/v1/state", handle)).page
    shown = page.locator("#experiment")
    expect(shown.locator("tbody tr")).to_have_count(2)
    expect(shown.locator("tbody tr").first).to_contain_text("12,2")
    expect(shown).to_contain_text(
        "challenger frente a champion: +1,7 puntos (−1,3 a +4,7). Aún puede ser azar."
    )
    expect(shown.locator("svg")).to_have_attribute("aria-label", re.compile("champion: 12,2"))
