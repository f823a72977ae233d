# ruff: noqa: F811  (fixtures)
"""The page's list before and after ranking, side by side, in a real browser on a small ranked model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.browser import DESKTOP, PHONE, Served, Visit, browser, serving, visit  # noqa: F401
from tests.support.narrow import some
from tests.support.page import answer_with, check, rows
from tests.support.two_stages import two_stages

FILMS = "/?film=i00&film=i03"
BOTH = FILMS + "&view=both"
#: What the page asks for in FILMS, but for the reasons.
QUESTION = {"history": ["i00", "i03"], "k": 10, "exclude_seen": True}

WATCHED = pytest.mark.parametrize(
    ("size", "locale"), [(DESKTOP, "en-US"), (PHONE, "es-ES")], ids=["desktop", "phone"]
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """In place of browser.py's: the same service with two stages."""
    model = tmp_path_factory.mktemp("ranked") / "model"
    two_stages().save(model)
    with serving(model, "--noun", "film") as service:
        yield service


def lists(page: Page) -> tuple[Locator, Locator]:
    """The films before and after, once both are there."""
    expect(page.locator("#compare")).to_have_attribute("aria-busy", "false")
    return page.locator("#compare .before li"), page.locator("#compare .after li")


def films(half: Locator) -> list[str]:
    return list(half.evaluate_all("(all) => all.map((film) => film.dataset.film)"))


def box(part: Locator) -> list[float]:
    """Left, top, width, height."""
    found = part.bounding_box()
    assert found is not None
    return [found["x"], found["y"], found["width"], found["height"]]


def asked(page: Page, served: Served, **more: Any) -> list[dict[str, Any]]:
    """What the service itself answers."""
    answer = page.request.post(f"{served.url}/v1/recommend", data=QUESTION | {"explain": True} | more)
    return list(answer.json()["items"])


SAID = {
    "en-US": ("Before and after", "{} up", "{} down", "new, from {}", "new", "out"),
    "es-ES": ("Antes y después", "sube {}", "baja {}", "entra, desde el {}", "entra", "sale"),
}


@pytest.mark.parametrize(
    ("history", "size", "locale"),
    [(["i00", "i03"], DESKTOP, "en-US"), ([], PHONE, "es-ES")],
    ids=["named, desktop", "nobody known, phone"],
)
def test_both_lists_are_the_services_and_lines_and_words_agree_with_the_places(
    visit: Visit, served: Served, history: list[str], size: dict[str, Any], locale: str
) -> None:
    page = visit(FILMS if history else "/", locale=locale, **size).page
    rows(page)
    switch, up, down, below, new, out = SAID[locale]
    page.get_by_role("button", name=switch).click()
    before, after = lists(page)
    expect(page.locator("#list")).to_be_hidden()
    then, now = [asked(page, served, history=history, rank=rank) for rank in (False, True)]
    assert films(before) == [item["id"] for item in then]
    assert films(after) == [item["id"] for item in now]

    was = {item["id"]: place for place, item in enumerate(then, 1)}
    moves, ends = [], {film: [place, 11] for film, place in was.items()}
    for at, item in enumerate(now, 1):
        start = was.get(item["id"])
        ends[item["id"]] = [start or 11, at]
        if start is None:
            moves.append(below.format(item["place"]) if item["place"] > 10 else new)
        else:
            assert start == item["place"] or not history  # of nobody known, the list before is the popular
            moves.append(
                up.format(start - at) if start > at else down.format(at - start) if start < at else ""
            )
    assert after.locator(".moved b").all_inner_texts() == [move for move in moves if move]
    gone = [out for item in then if item["id"] not in {i["id"] for i in now}]
    assert before.locator(".moved").all_inner_texts() == gone
    for kind in (up, down, below):
        stem = kind.replace("{}", "").strip()
        assert any(stem in move for move in moves), "the model shows every kind of move"
    assert gone

    # Rows are ten high: a line leaves the middle of one and arrives at the middle of another.
    paths = page.locator("#compare > svg path")
    drawn = dict(paths.evaluate_all("(all) => all.map((p) => [p.dataset.film, p.getAttribute('d')])"))
    middles = {film: [float(n) for n in re.findall(r"[\d.]+", line)] for film, line in drawn.items()}
    assert {film: [(n[1] + 5) / 10, (n[-1] + 5) / 10] for film, n in middles.items()} == ends
    svg, left, right = (
        box(page.locator(f"#compare {part}")) for part in ("> svg", ".before ol", ".after ol")
    )
    assert svg[1::2] == pytest.approx(left[1::2], abs=1)  # the lines' place and height are those of the rows
    assert right[1::2] == left[1::2]
    assert left[0] + left[2] <= right[0], "side by side"


def test_the_address_carries_the_switch_and_the_back_button_undoes_it(visit: Visit) -> None:
    page = visit(FILMS).page
    rows(page)
    one, both = (page.get_by_role("button", name=name) for name in ("One list", "Before and after"))
    expect(one).to_have_attribute("aria-pressed", "true")
    both.click()
    lists(page)
    expect(page).to_have_url(re.compile(r"&view=both$"))
    expect(both).to_have_attribute("aria-pressed", "true")
    page.reload()
    _, after = lists(page)
    expect(after).to_have_count(10)
    expect(page.locator("#list")).to_be_hidden()
    page.go_back()
    expect(page.locator("#compare")).to_be_hidden()
    expect(page.locator("#list > li").first).to_be_visible()
    page.go_forward()
    expect(page.locator("#compare")).to_be_visible()
    one.click()
    expect(page).not_to_have_url(re.compile("view="))
    expect(page.locator("#list > li").first).to_be_visible()


def test_the_lists_follow_what_is_chosen_and_the_focus_is_never_lost(visit: Visit) -> None:
    page = visit(BOTH).page
    _, after = lists(page)
    first = films(after)
    page.locator("#compare .after li").nth(2).get_by_role("button", name=re.compile("^Add")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".mine.films li")).to_have_count(3)
    expect(page.locator(f'#compare [data-film="{first[2]}"]')).to_have_count(0)
    lists(page)
    assert page.evaluate("document.activeElement.closest('#compare .after li') !== null")
    page.get_by_role("button", name="Ten more").focus()
    page.keyboard.press("Enter")
    expect(after).to_have_count(20)
    lists(page)
    expect(after.nth(10).locator(".name")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(after.nth(10).locator(".name")).to_be_focused()


def test_a_screen_reader_hears_where_each_film_was(visit: Visit, served: Served) -> None:
    page = visit(BOTH).page
    _, after = lists(page)
    for at, item in enumerate(asked(page, served)[:3], 1):
        title = item["title"].removesuffix(f" ({item['year']})")
        name = after.nth(at - 1).get_by_role("button", name=f"Films similar to {title}", exact=True)
        told = "as before" if item["place"] == at else f"was {item['place']}"
        expect(name).to_have_accessible_description(re.compile(rf"^{title}, place {at}, {told}"))
    lost = page.locator("#compare .before li.out").first
    expect(lost.get_by_role("button")).to_have_accessible_description(re.compile("no longer in the list$"))
    expect(page.get_by_role("group", name="Stages of the list").get_by_role("button")).to_have_count(2)
    for half in ("Before ranking", "After ranking"):
        expect(page.get_by_role("region", name=half).get_by_role("listitem")).to_have_count(10)
    expect(page.locator("#said")).to_have_text(
        re.compile(r"A second stage reorders what the model finds: .*new\.$")
    )
    film = films(after)[1]
    after.nth(1).locator(".name").focus()
    expect(page.locator("#compare .on")).to_have_count(page.locator(f'#compare [data-film="{film}"]').count())


def test_what_moved_a_film_is_named_but_not_what_both_lists_have(visit: Visit) -> None:
    points = {
        "retrieval_score": 2.0,
        "history": 1.0,
        "movie_genres_had": 0.5,
        "trend_0.04": -0.5,
        "<b>": -0.2,
    }
    moved = [{"feature": name, "value": p, "points": p} for name, p in points.items()]

    def tell(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        route.fulfill(response=answer, json=body | {"items": [i | {"moved": moved} for i in body["items"]]})

    page = visit(FILMS, before=lambda page: page.route("**/v1/recommend", tell)).page
    rows(page)
    page.unroute("**/v1/recommend")  # the list before has no such thing
    page.get_by_role("button", name="Before and after").click()
    lists(page)
    up, down = page.locator("#compare .after li.up").first, page.locator("#compare .after li.down").first
    expect(up.locator("i")).to_have_text(": its genres")
    expect(down.locator("i")).to_have_text(": seen less lately")
    expect(down.locator(".name")).to_have_accessible_description(re.compile(": seen less lately, <b>$"))


@WATCHED
def test_every_control_has_a_name_a_size_and_contrast(
    visit: Visit, size: dict[str, Any], locale: str
) -> None:
    page = visit(BOTH, locale=locale, color_scheme="dark" if size is PHONE else "light", **size).page
    lists(page)
    page.wait_for_timeout(400)  # the fading in
    assert check(page, "nameless") == []
    assert check(page, "repeated") == []
    assert check(page, "faint") == []
    if size is PHONE:
        assert check(page, "small") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"]
    other = {"en-US": "Español", "es-ES": "English"}[locale]
    page.get_by_role("button", name=other).click()
    heading = {"Español": "Después de ordenar", "English": "After ranking"}[other]
    expect(page.locator("#compare .after h3")).to_have_text(heading)


def test_a_list_without_a_second_stage_has_no_switch(visit: Visit, served: Served) -> None:
    """As where an experiment gives this person a model of one stage."""

    def towers_alone(route: Route) -> None:
        route.continue_(post_data=some(route.request.post_data_json) | {"rank": False})

    watched = visit(BOTH, before=lambda page: page.route("**/v1/recommend", towers_alone))
    assert rows(watched.page).count() == 10
    expect(watched.page.locator("#list")).to_be_visible()
    expect(watched.page.locator("#stages")).to_be_hidden()
    expect(watched.page.locator("#compare")).to_be_hidden()


def test_a_list_before_that_is_refused_is_told_and_asked_again(visit: Visit) -> None:
    problem = {"type": "urn:butaca:problem:rate", "detail": "A client sends at most 5 requests a second."}
    watched = visit(FILMS, locale="es-ES")
    watched.expected.append("429")
    page = watched.page
    rows(page)
    page.route("**/v1/recommend", answer_with(429, problem, {"Retry-After": "1"}, times=1))
    page.get_by_role("button", name="Antes y después").click()
    expect(page.get_by_role("alert")).to_contain_text("Demasiadas peticiones a la vez.")
    expect(page.locator("#list > li").first).to_be_visible()
    page.get_by_role("button", name="Reintentar").click()
    before, _ = lists(page)
    expect(before).to_have_count(10)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_state_page_tells_what_the_second_stage_gained(visit: Visit) -> None:
    page = visit("/state", locale="es-ES").page
    told = "Segunda etapa\nordena lo que recuperan las torres; top-10 +0,013 (−0,001 a +0,026)"
    expect(page.locator("#facts")).to_contain_text(told.replace("\n", ""))
    expect(page.locator("#facts")).not_to_contain_text("top-100")


def test_the_state_page_tells_of_a_second_stage_that_was_not_judged(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("unjudged") / "model"
    replace(two_stages(), about={"recipe": "small"}).save(folder)
    with serving(folder) as other:
        page = browser.new_page(locale="en-US")
        page.goto(f"{other.url}/state")
        facts = page.locator("#facts")
        expect(facts).to_contain_text("orders what the towers retrieve; 30 candidates; ")
        expect(facts).to_contain_text("learned what is watched; not judged: nothing was held out")
        second = page.request.get(f"{other.url}/v1/models").json()["models"][0]["second_stage"]
        page.close()
    assert (second["candidates"], second["target"], second["judged"]) == (30, "watched", False)
    ranker = two_stages().ranker
    assert ranker is not None
    assert second["features"] == len(ranker.names)
