# ruff: noqa: F811  (fixtures)
"""The page of a shop, in a real browser: it speaks of what is sold, and its filters fit the columns."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from butaca import Recommender
from tests.support.browser import DESKTOP, PHONE, Served, browser, serving  # noqa: F401
from tests.support.forks import run
from tests.support.page import check, rows

SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
N = 150
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def goods() -> list[dict[str, Any]]:
    """A shop's articles: prices far apart, days, a flag, more brands than can be shown, pictures, pages."""
    prices = [0.001, *np.round(np.geomspace(0.19, 649.5, N - 1), 2).tolist()]
    return [
        {
            "product_id": f"P{n:03d}",
            "title": "" if n == 7 else f"LAMP OF SORT {n}",
            "price": f"{prices[n]:.3f}" if n == 0 else f"{prices[n]:.2f}",
            "first_sold": f"2011-{1 + n % 12:02d}-{1 + n % 28:02d}",
            "gift": "yes" if n % 3 else "no",
            "brand": f"Brand {chr(65 + n % 26)}{chr(97 + n // 26 % 2)}",
            "image_url": f"https://pictures.example.com/{n}.png",
            "url": f"https://shop.example.com/p/{n}" if n != 8 else "javascript:alert(1)",
        }
        for n in range(N)
    ]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(goods()[0]))
        writer.writeheader()
        writer.writerows(goods())
    lines = {(u, int(i)) for u in range(80) for i in N * rng.beta(1, 2, 12)}
    (folder / "lines.csv").write_text(
        "customer_id,product_id\n" + "".join(f"c{u},P{i:03d}\n" for u, i in sorted(lines))
    )
    asked = ["--items", folder / "items.csv", "--user-column", "customer_id", "--epochs", 3]
    done = run("fit", folder / "lines.csv", *asked, "--out", folder / "model")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "products" in done.stdout
    return folder / "model"


@pytest.fixture(scope="module")
def shop(model: Path) -> Iterator[Served]:
    with serving(model) as service:
        yield service


@pytest.fixture(scope="module")
def again(model: Path) -> Iterator[Served]:
    """The shop's model as one that was fitted with --repeats allow is saved: lists keep what people had."""
    kept = replace(Recommender.load(model), again=True).save(model.parent / "again")
    with serving(kept) as service:
        yield service


@pytest.fixture(scope="module")
def pictured(model: Path) -> Iterator[Served]:
    with serving(model, "--picture-host", "pictures.example.com", "--noun", "gift:gifts") as service:
        yield service


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    """opened(service, "/", **PHONE): a page that must not complain."""
    contexts, complaints = [], []

    def open_page(service: Served, path: str = "/", locale: str = "en-US", **size: Any) -> Page:
        context = browser.new_context(locale=locale, **(size or DESKTOP))
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.route(
            "https://pictures.example.com/**",
            lambda route: route.fulfill(status=200, content_type="image/png", body=PNG),
        )
        page.goto(service.url + path)
        return page

    yield open_page
    assert complaints == []
    for context in contexts:
        context.close()


def filters(page: Page) -> None:
    """Opens the filters where they are folded."""
    if page.locator("#filters").get_attribute("open") is None:
        page.locator("#filters summary").click()


def asked_by(page: Page, act: Any) -> Any:
    """Returns what the page asks for a list when something is done."""
    with page.expect_request("**/v1/recommend") as request:
        act()
    rows(page)
    return request.value.post_data_json


@pytest.mark.parametrize("kind", ["shop", "again"])
def test_lists_keep_what_was_had_as_the_model_was_judged(
    kind: str, shop: Served, again: Served, opened: Any
) -> None:
    """Nothing is said of it until somebody turns it; then the address says so, and clearing takes it back."""
    usual = kind == "again"
    page = opened(again if usual else shop, "/?item=P001&k=50")
    listed = rows(page)
    expect(listed.first).to_be_visible()
    names = page.locator("#list").inner_text()
    assert ("LAMP OF SORT 1\n" in names) is usual  # what the history holds
    filters(page)
    tick = page.locator("#again")
    assert tick.is_checked() is usual
    body = asked_by(page, tick.click)
    assert body["exclude_seen"] is usual
    assert f"again={int(not usual)}" in page.url
    assert ("LAMP OF SORT 1\n" in page.locator("#list").inner_text()) is not usual
    body = asked_by(page, page.locator("#clear-filters").click)
    assert "exclude_seen" not in body
    assert "again" not in page.url
    assert tick.is_checked() is usual
    page.reload()
    rows(page)
    filters(page)
    assert page.locator("#again").is_checked() is usual


def test_what_is_wanted_less_leaves_the_list_of_a_model_that_keeps_what_was_had(
    again: Served, opened: Any
) -> None:
    page = opened(again, "/?item=P001&less=P002&k=50")
    rows(page)
    names = page.locator("#list").inner_text()
    assert "LAMP OF SORT 1\n" in names
    assert "LAMP OF SORT 2\n" not in names


@SIZES
@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
def test_nothing_on_the_page_speaks_of_films(
    shop: Served, opened: Any, size: dict[str, Any], locale: str
) -> None:
    page = opened(shop, "/?item=P001&near=P002&user=c3", locale=locale, **size)
    rows(page)
    expect(page.locator("#similar")).to_be_visible()
    attributes = "['aria-label', 'placeholder', 'title', 'alt'].map((a) => n.getAttribute(a))"
    heard = page.locator("body *").evaluate_all(f"all => all.flatMap((n) => {attributes}).filter(Boolean)")
    text = " ".join([page.title(), page.locator("body").inner_text(), *heard])
    for word in (
        "film",
        "movie",
        "película",
        "pelicula",
        "Tonight",
        "Esta noche",
        "watched",
        "genre",
        "género",
    ):
        assert word not in text, word
    asks = {"en-US": "Which products did you like?", "es-ES": "¿Qué productos le gustaron?"}
    expect(page.locator("h1")).to_have_text(asks[locale])
    expect(page.locator("#programme")).to_have_text({"en-US": "For you", "es-ES": "Para usted"}[locale])
    assert check(page, "nameless") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
def test_the_state_page_speaks_of_products(shop: Served, opened: Any, locale: str) -> None:
    page = opened(shop, "/state", locale=locale)
    expect(page.locator("#facts")).to_contain_text("products" if locale == "en-US" else "productos")
    assert not re.search(r"films?\b|película", page.inner_text("body"))


@SIZES
def test_a_price_has_its_own_digits_and_a_log_slider(shop: Served, opened: Any, size: dict[str, Any]) -> None:
    page = opened(shop, **size)
    rows(page)
    filters(page)
    price = page.locator('fieldset.range[data-column="price"]')
    expect(price.locator("legend")).to_contain_text("Price")
    expect(price.locator("output")).to_have_text("0.00 to 649.50")
    low = price.locator("input.low")
    middle = int(some(low.get_attribute("max"))) // 2
    low.evaluate(f"(n) => {{ n.value = {middle}; n.dispatchEvent(new Event('input')); }}")
    expect(price.locator("output")).not_to_have_text("0.00 to 649.50")
    value = float(some(low.get_attribute("aria-valuetext")))
    assert 5 < value < 30  # about the root of both ends, not their mean
    page.wait_for_timeout(100)
    rows(page)
    prices = {row["product_id"]: float(row["price"]) for row in goods()}
    asked = {"k": 50, "where": {"price": {"min": value}}}
    answer = page.request.post(f"{shop.url}/v1/recommend", data=asked).json()
    ids = [item["id"] for item in answer["items"]]
    assert ids
    assert all(prices[i] >= value for i in ids)
    assert f"in.price={value:g}" in page.url


def some(value: str | None) -> str:
    assert value is not None
    return value


def test_dates_are_days_in_the_readers_language(shop: Served, opened: Any) -> None:
    for locale, text in (("en-US", "Jan 1, 2011 to Dec 28, 2011"), ("es-ES", "1 ene 2011 a 28 dic 2011")):
        page = opened(shop, locale=locale)
        rows(page)
        box = page.locator('fieldset.range[data-column="first_sold"]')
        expect(box.locator("legend")).to_contain_text("First sold")
        expect(box.locator("output")).to_have_text(text)
    page = opened(shop, "/?in.first_sold=2011-06-01..2011-06-30")
    expect(page.locator("#filters-told")).to_have_text("Jun 1, 2011 to Jun 30, 2011")
    first = {row["product_id"]: row["first_sold"] for row in goods()}
    titles = {row["title"] or row["product_id"]: row["product_id"] for row in goods()}
    rows(page)
    shown = page.locator("#list h3").all_inner_texts()
    assert shown
    assert all(first[titles[title]].startswith("2011-06") for title in shown)


@SIZES
def test_a_flag_is_yes_or_no(shop: Served, opened: Any, size: dict[str, Any]) -> None:
    page = opened(shop, **size)
    rows(page)
    filters(page)
    box = page.locator('fieldset[data-labels="gift"]')
    expect(box.locator("button")).to_have_text(["Yes", "No"])
    box.get_by_role("button", name="No").click()
    expect(page.locator("#filters-told")).to_have_text("Gift: No")
    rows(page)
    titles = {row["title"] or row["product_id"]: row["gift"] for row in goods()}
    page.wait_for_timeout(200)
    assert {titles[title] for title in page.locator("#list h3").all_inner_texts()} == {"no"}


@SIZES
def test_many_labels_are_searched(shop: Served, opened: Any, size: dict[str, Any]) -> None:
    page = opened(shop, **size)
    rows(page)
    filters(page)
    box = page.locator('fieldset[data-labels="brand"]')
    expect(box.locator("button")).to_have_count(10)
    field = box.get_by_role("searchbox", name="Search in Brand")
    field.press_sequentially("zb")
    expect(box.locator("button")).to_have_count(1)
    box.get_by_role("button", name="Brand Zb").click()
    field.fill("nothing like it")
    expect(box.locator(".small")).to_contain_text("Nothing begins with")
    expect(box.get_by_role("button", name="Brand Zb")).to_have_attribute("aria-pressed", "true")
    field.fill("")
    expect(box.locator("button")).to_have_count(11)  # what is pressed stays
    expect(page.locator("#filters-told")).to_have_text("Brand Zb")
    assert check(page, "nameless") == []


def test_pictures_are_off_and_links_are_on(shop: Served, opened: Any) -> None:
    page = opened(shop)
    rows(page)
    assert page.locator("#list img").count() == 0
    link = page.locator("#list h3 a").first
    assert re.fullmatch(r"https://shop\.example\.com/p/\d+", some(link.get_attribute("href")))
    assert "noreferrer" in some(link.get_attribute("rel"))
    assert "pictures" not in page.request.get(shop.url).headers["content-security-policy"]
    expect(page.locator("#colophon")).to_contain_text("loads nothing from other hosts")


@SIZES
def test_pictures_come_from_the_hosts_that_are_named(
    pictured: Served, opened: Any, size: dict[str, Any]
) -> None:
    page = opened(pictured, **size)
    rows(page)
    image = page.locator("#list img").first
    expect(image).to_be_visible()
    assert some(image.get_attribute("src")).startswith("https://pictures.example.com/")
    policy = page.request.get(pictured.url).headers["content-security-policy"]
    assert "img-src 'self' data: https://pictures.example.com;" in policy
    expect(page.locator("#colophon")).to_contain_text("Pictures come from pictures.example.com")
    expect(page.locator("h1")).to_have_text("Which gifts did you like?")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_address_that_is_none_is_no_link(shop: Served, opened: Any) -> None:
    page = opened(shop, "/?near=P008")
    expect(page.locator("#similar-title")).to_contain_text("LAMP OF SORT 8")
    assert page.locator("#similar-title a").count() == 0


def test_a_blank_title_is_the_id_and_one_who_has_had_everything_gets_a_sentence(
    shop: Served, opened: Any
) -> None:
    page = opened(shop, "/?near=P007")
    expect(page.locator("#similar-title")).to_have_text("P007")
    everything = "&".join(f"item=P{n:03d}" for n in range(N))
    page = opened(shop, f"/?{everything}")
    expect(page.locator("#list .none")).to_contain_text(
        "Nothing is left: every product of the catalogue is bought"
    )


def test_the_examples_of_the_api_are_the_shops(shop: Served, opened: Any) -> None:
    document = json.loads(opened(shop).request.get(f"{shop.url}/openapi.json").text())
    body = document["paths"]["/v1/recommend"]["post"]["requestBody"]["content"]["application/json"]
    told = json.dumps(body["examples"])
    assert "LAMP OF SORT" in told
    assert "Toy Story" not in json.dumps(document)
    filtered = body["examples"]["filtered"]["value"]
    assert set(filtered["where"]) == {"brand", "price"}
    page = opened(shop)
    for example in body["examples"].values():
        answer = page.request.post(f"{shop.url}/v1/recommend", data=example["value"])
        assert answer.status == 200, answer.text()
