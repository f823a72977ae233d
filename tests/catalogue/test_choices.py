"""Filters fit what the columns hold: numbers by their own precision, dates, yes or no, many labels."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from butaca.catalogue.choices import STOPS, days_of, digits_of, number_choice
from butaca.catalogue.filters import Filters
from butaca.catalogue.items import Catalogue
from butaca.catalogue.links import address, address_columns
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError

N = 200


def table(**columns):
    ids = Vocabulary.of([f"i{n:03d}" for n in range(N)])
    rows = {
        k: np.array(v, dtype=object) if isinstance(v[0], str) else np.asarray(v) for k, v in columns.items()
    }
    return Entities("item_id", ids, rows)


def choices(**columns):
    return {choice.name: choice for choice in Filters(table(**columns), apart=("title",)).choices()}


PRICES = np.array([0.001, *np.round(np.geomspace(0.19, 649.5, N - 1), 2)], dtype=np.float32)


def test_prices_have_a_log_slider_and_their_own_digits():
    price = choices(price=PRICES)["price"]
    assert (price.kind, price.digits, price.low, price.high) == ("number", 2, 0.0, 649.5)
    stops = np.array(price.stops)
    assert (np.diff(stops) > 0).all()
    assert (stops[0], stops[-1]) == (0.0, 649.5)
    assert len(stops) <= STOPS + 2
    ratio = stops[20:-1] / stops[19:-2]
    assert ratio.max() < 1.2  # even in ratio, not in steps
    assert max(len(str(stop).partition(".")[2]) for stop in price.stops) <= 2


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_no_number_is_told_with_digits_that_nobody_wrote(kind):
    found = Catalogue(
        table(price=PRICES.astype(kind), weight=np.linspace(0.1, 0.7, N).round(1).astype(kind)),
        np.ones(N, np.float32),
    )
    told = json.dumps([choice.as_json() for choice in found.filters.choices()])
    told += json.dumps([found.record(code) for code in range(N)])
    assert (
        not re.search(r"\d\.\d{7,}", told.replace("0.0010000000474974513", "0.00100000004"))
        or kind is np.float64
    )
    assert found.record(0)["price"] == pytest.approx(0.001)
    if kind is np.float32:
        assert found.record(0)["price"] == 0.001


@pytest.mark.parametrize(
    ("values", "digits", "even"),
    [
        (np.arange(1900, 1900 + N), 0, True),
        (np.linspace(0, 1, N).round(1), 1, True),
        (np.linspace(0, 5, N).round(2).astype(np.float32), 2, True),
        (np.arange(N) * 1000, 0, True),
        (np.geomspace(1, 1e6, N).round(), 0, False),
        (np.linspace(-50, 50, N).round(1), 1, True),
    ],
)
def test_a_scale_is_sensible(values, digits, even):
    choice = number_choice("x", values)
    assert choice.digits == digits
    assert (choice.stops == ()) is even
    assert choice.low <= values.min() <= values.max() <= choice.high


def test_ends_hold_every_value_whatever_the_digits():
    rng = np.random.default_rng(3)
    for _ in range(50):
        values = rng.lognormal(2, 2, 100).astype(np.float32)
        choice = number_choice("x", values)
        assert choice.low <= values.min()
        assert choice.high >= values.max()
    assert digits_of(rng.normal(size=50)) == 6


def test_dates_are_dates_and_take_limits_as_dates():
    days = [f"2011-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in range(N)]
    moments = ["" if n % 7 == 0 else f"{day} 08:26:00" for n, day in enumerate(days)]
    filters = Filters(table(first_sold=days, seen_at=moments))
    found = {choice.name: choice for choice in filters.choices()}
    assert found["first_sold"].as_json() == {
        "name": "first_sold",
        "kind": "date",
        "min": min(days),
        "max": max(days),
    }
    mask = filters.mask({"first_sold": {"min": "2011-06-01", "max": "2011-06-30"}})
    assert mask.tolist() == [day.startswith("2011-06") for day in days]
    late = filters.mask({"seen_at": {"min": "2011-12-01"}})
    assert late.tolist() == [text >= "2011-12-01" for text in moments]
    assert filters.mask({"first_sold": "2011-03-03"}).tolist() == [day == "2011-03-03" for day in days]
    with pytest.raises(SettingError, match="is a date"):
        filters.mask({"first_sold": {"min": 3}})


@pytest.mark.parametrize("text", ["2011-13-01", "2011-02-30", "01/02/2011", "2011", "soon"])
def test_what_only_looks_like_a_date_is_text(text):
    assert days_of([text, "2011-01-01"]) is None


@pytest.mark.parametrize(
    ("values", "yes", "no"),
    [
        (["yes", "no"], "yes", "no"),
        (["No", "Sí"], "Sí", "No"),
        (["TRUE", "FALSE"], "TRUE", "FALSE"),
        ([True, False], "True", "False"),
        ([0, 1], 1, 0),
        ([1.0, 0.0], 1, 0),
    ],
)
def test_yes_or_no(values, yes, no):
    column = [values[n % 3 % 2] for n in range(N)]
    filters = Filters(table(gift=column))
    (choice,) = filters.choices()
    assert choice.kind == "flag"
    assert [value for value, _ in choice.values] == [yes, no]
    for value, count in choice.values:
        assert filters.mask({"gift": [value]}).sum() == count


def test_many_labels_are_searched_by_how_a_word_begins():
    brands = [f"{('Le Creuset', 'Lékué', 'Ikea', 'Blue le')[n % 4]} {n // 5}" for n in range(N)]
    brands = [brand if n % 5 else "Común" for n, brand in enumerate(brands)]
    filters = Filters(table(brand=brands))
    assert filters.values("brand", "", k=3)[0] == ("Común", 40)
    found = [value for value, _ in filters.values("brand", "le", k=500)]
    assert found
    assert all(re.search(r"(?i)\bl[eé]", value) for value in found)
    assert [v for v, _ in filters.values("brand", "comu")] == ["Común"]
    assert filters.values("brand", "nothing of it") == ()
    with pytest.raises(SettingError, match="columns are"):
        filters.values("colour", "")
    with pytest.raises(SettingError, match="labels"):
        Filters(table(price=PRICES)).values("price", "")


def test_titles_and_ids_are_no_filters():
    found = choices(title=["Lamp", "Chair"] * 100, item_code=np.arange(N), stock=np.arange(N) % 9)
    assert set(found) == {"stock"}


# Pictures and links.


@pytest.mark.parametrize(
    ("name", "cell", "kind"),
    [
        ("image_url", "https://x.example.com/1", "picture"),
        ("Image-URL-S", "http://x.example.com/1.jpg", "picture"),
        ("poster", "https://x.example.com/p.webp?w=3", "picture"),
        ("a", "https://x.example.com/p.png", "picture"),
        ("url", "https://shop.example.com/p/1", "link"),
        ("website", "http://shop.example.com", "link"),
        ("image", "1.jpg", None),
        ("url", "javascript:alert(1)", None),
        ("url", "ftp://x.example.com/1", None),
        ("title", "see https://x.example.com", None),
    ],
)
def test_addresses_are_found_by_what_they_are(name, cell, kind):
    items = table(**{name: [cell] * N, "other": ["x"] * N})
    picture, link = address_columns(items)
    assert {"picture": picture, "link": link} == {
        "picture": name if kind == "picture" else None,
        "link": name if kind == "link" else None,
    }


@pytest.mark.parametrize(
    "cell", ["javascript:alert(1)", 'https://x.example.com/"onload=', "", "data:text/html,x"]
)
def test_a_cell_that_is_no_address_is_none(cell):
    items = table(url=["https://shop.example.com/1"] * (N - 1) + [cell])
    assert address_columns(items)[1] == "url"
    assert address(items, "url", code=0) == "https://shop.example.com/1"
    assert address(items, "url", code=N - 1) is None
