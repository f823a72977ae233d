"""What items are called: as their owner says, as the columns say, else items; in both languages."""

from __future__ import annotations

import pytest

from butaca.catalogue.nouns import KNOWN, noun, noun_of
from butaca.catalogue.plurals import plural
from butaca.data.dataset import Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.report.english import ENGLISH
from butaca.report.spanish import SPANISH
from butaca.report.words import Words


def items(key, *columns):
    return Entities(key, Vocabulary.of(["a"]), {name: Vocabulary.of(["x"]).values for name in columns})


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        (("movie_title",), "film"),
        (("movieId", "title"), "film"),
        (("item_id", "movie_genres"), "film"),
        (("StockCode", "Description"), "product"),
        (("product_id",), "product"),
        (("ISBN", "Book-Title"), "book"),
        (("book_id",), "book"),
        (("track_id",), "track"),
        (("artistID",), "artist"),
        (("recipe_id",), "recipe"),
        (("venue_id",), "place"),
        (("canción",), "song"),
        (("livre_id",), "book"),
        (("Buchnummer",), "book"),
        (("Artikelnummer",), "article"),
        (("article_id",), "article"),
        (("artículo",), "article"),
        (("app_id",), "app"),
        (("appid",), "app"),
        (("id_produit",), "product"),
        (("idProdotto",), "product"),
        (("codigo_producto",), "product"),
        (("Spiel-Nr",), "game"),
        (("wine_id",), "wine"),
        (("job_id",), "job"),
        (("apparel_id",), "item"),
        (("approved",), "item"),
        (("item_id", "title", "price"), "item"),
        (("id", "bookkeeping"), "item"),
        (("gameplay",), "item"),
    ],
)
def test_columns_tell_it(columns, key):
    assert noun_of(items(*columns)).key == key


def test_movielens_is_of_films_whatever_its_columns():
    assert noun_of(items("item_id"), {"data": {"name": "ml-100k"}}).key == "film"


def test_what_the_owner_says_goes_before():
    assert noun_of(items("movie_title"), {"noun": "book"}).en.many == "books"


@pytest.mark.parametrize(
    ("text", "english", "spanish", "feminine"),
    [
        ("book", "books", "libros", False),
        ("Libro", "books", "libros", False),
        ("libro:libros", "books", "libros", False),
        ("película", "films", "películas", True),
        ("pelicula", "films", "películas", True),
        ("artículo:artículos", "articles", "artículos", False),
        ("receta", "recipes", "recetas", True),
        ("lamp", "lamps", "lamps", False),
        ("lámpara", "lámparas", "lámparas", True),
        ("opción", "opciones", "opciones", True),
        ("la canción", "songs", "canciones", True),
        ("el libro", "books", "libros", False),
        ("The box", "boxes", "boxes", False),
        ("a person", "people", "personas", True),
        ("la lámpara:las lámparas", "lámparas", "lámparas", True),
        ("el agua", "aguas", "aguas", False),
        ("una sprocket", "sprockets", "sprockets", True),
        ("cama", "camas", "camas", True),
        ("copa", "copas", "copas", True),
        ("mapa", "mapas", "mapas", False),
        ("avión", "aviones", "aviones", False),
        ("flor", "flores", "flores", True),
        ("reloj", "relojes", "relojes", False),
        ("juego de mesa", "juegos de mesa", "juegos de mesa", False),
        ("cactus:cacti", "cacti", "cacti", False),
        ("board game", "board games", "board games", False),
    ],
)
def test_a_noun_has_both_languages(text, english, spanish, feminine):
    found = noun(text)
    assert (found.en.many, found.es.many, found.es.other) == (english, spanish, feminine)


@pytest.mark.parametrize("text", ["", " ", ":", "a:", ":b", "a:b:c", "x" * 41, "<b>", "a|b", "{items}", '"'])
def test_what_is_no_noun_is_refused(text):
    with pytest.raises(SettingError, match="artículo:artículos"):
        noun(text)


def test_plurals():
    words = {"person": "people", "salesperson": "salespeople", "Child": "Children", "human": "humans"}
    words |= {"woman": "women", "city": "cities", "fish": "fish", "series": "series", "shelf": "shelves"}
    words |= {"knife": "knives", "wolf": "wolves", "belief": "beliefs", "roof": "roofs", "photo": "photos"}
    words |= {"tomato": "tomatoes", "bus": "buses", "quiz": "quizzes", "dish": "dishes", "watch": "watches"}
    words |= {"ciudad": "ciudades", "pantalón": "pantalones", "autobús": "autobuses", "árbol": "árboles"}
    words |= {"sofá": "sofás", "rubí": "rubíes", "café": "cafés", "imagen": "imágenes", "cómic": "cómics"}
    words |= {"bottle of wine": "bottles of wine", "regalo para niños": "regalos para niños"}
    words |= {"story": "stories", "box": "boxes", "day": "days", "lápiz": "lápices", "canción": "canciones"}
    assert {word: plural(word) for word in words} == words


def test_a_sound_takes_an():
    assert [noun(word).en.other for word in ("hour", "unicorn", "umbrella", "euro", "uniform")] == [
        *(True, False, True, False, False),
    ]


def test_a_vowel_takes_an():
    assert [noun(word).en.other for word in ("item", "album", "film", "oven")] == [True, True, False, True]


@pytest.mark.parametrize("key", KNOWN)
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_report_speaks_of_every_noun(key, language):
    words = Words(language, noun(KNOWN[key][0]))
    form = getattr(noun(KNOWN[key][0]), language)
    said = words("sizes", interactions="1", users="2", items="3")
    assert said.endswith(f"3 {form.many}")
    for name in ENGLISH:
        text = words.raw(name)
        assert "<" not in text.replace("<b>", "")
        assert "|" not in text


def test_the_reports_sentences_agree_in_spanish():
    assert Words("es", noun("film"))("map count", n="3") == "3 interacciones"
    assert "Las películas más populares" in Words("es", noun("film")).raw("neighbours text plain")
    assert "Los libros más populares" in Words("es", noun("book")).raw("neighbours text plain")
    assert "a book" in Words("en", noun("book")).raw("beyond help").replace("an book", "WRONG")
    assert set(ENGLISH) == set(SPANISH)
