"""This module says what the items are called: films, books, articles; in English and in Spanish.

A noun is what its owner says (`--noun book`, `--noun artículo:artículos`), else what the columns' names say
(`movie_id`, `isbn`), else "item". Of those in `KNOWN` both languages know the word; another is used in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from butaca.catalogue.plurals import is_feminine, plural, takes_an, without_article
from butaca.catalogue.titles import folded
from butaca.checks import shown
from butaca.data.dataset import Entities
from butaca.errors import SettingError

#: Letters of a noun at most.
LONGEST = 40


@dataclass(frozen=True)
class Form:
    """A Form is a noun in one language.

    Attributes:
        one, many: the word and its plural.
        other: whether it takes the second of two forms: "an" in English, the feminine in Spanish.
        seen: what was done with it, a participle ("seen", "visto").
        saw: the same in the past ("saw", "vio").
        i_saw: said by oneself ("saw", "vi").
    """

    one: str
    many: str
    other: bool
    seen: str
    saw: str
    i_saw: str


@dataclass(frozen=True)
class Noun:
    """A Noun is what items are called.

    Attributes:
        key: "film", "book", ..., which chooses headings; "" of a word that is not known here.
        en, es: its forms.
    """

    key: str
    en: Form
    es: Form

    def as_json(self) -> dict[str, Any]:
        """Returns both forms, as the page takes them."""
        return {"key": self.key, "en": asdict(self.en), "es": asdict(self.es)}

    def count(self, n: int) -> str:
        """Returns such as "1 film" or "1,664 films", in English.

        >>> noun("book").count(2000)
        '2,000 books'
        """
        return f"{n:,} {self.en.one if n == 1 else self.en.many}"


#: What is done: participle, past, past of oneself, in English and in Spanish.
VERBS: Mapping[str, tuple[tuple[str, str, str], tuple[str, str, str]]] = {
    "see": (("seen", "saw", "saw"), ("visto", "vio", "vi")),
    "read": (("read", "read", "read"), ("leído", "leyó", "leí")),
    "hear": (("heard", "heard", "heard"), ("escuchado", "escuchó", "escuché")),
    "play": (("played", "played", "played"), ("jugado", "jugó", "jugué")),
    "buy": (("bought", "bought", "bought"), ("comprado", "compró", "compré")),
    "visit": (("visited", "visited", "visited"), ("visitado", "visitó", "visité")),
    "have": (("had", "had", "had"), ("elegido", "eligió", "elegí")),
}

#: By key: English and Spanish, one and many; whether the Spanish is feminine; what is done with them; and the
#: names of columns that tell it.
KNOWN: Mapping[str, tuple[str, str, str, str, bool, str, str]] = {
    "film": ("film", "films", "película", "películas", True, "see", "movie|film|filme|pelicula|imdb|cinema"),
    "book": (
        "book",
        "books",
        "libro",
        "libros",
        False,
        "read",
        "book|isbn|libro|livre|livro|buch|boek|llibre",
    ),
    "song": (
        "song",
        "songs",
        "canción",
        "canciones",
        True,
        "hear",
        "song|cancion|chanson|lied|canzone|musica|cancao",
    ),
    "track": ("track", "tracks", "pista", "pistas", True, "hear", "track"),
    "album": ("album", "albums", "álbum", "álbumes", False, "hear", "album"),
    "artist": (
        "artist",
        "artists",
        "artista",
        "artistas",
        False,
        "hear",
        "artist|artista|artiste|kunstler|interpret",
    ),
    "podcast": ("podcast", "podcasts", "pódcast", "pódcast", False, "hear", "podcast"),
    "game": ("game", "games", "juego", "juegos", False, "play", "game|juego|jeu|spiel|gioco|jogo"),
    "product": (
        "product",
        "products",
        "producto",
        "productos",
        False,
        "buy",
        "product|producto|produit|produkt|prodotto|produto|sku|stockcode|asin|ean|gtin|upc",
    ),
    "recipe": (
        "recipe",
        "recipes",
        "receta",
        "recetas",
        True,
        "have",
        "recipe|receta|recette|rezept|ricetta|receita",
    ),
    "place": ("place", "places", "lugar", "lugares", False, "visit", "place|venue|poi|lugar|lieu|ort|luogo"),
    "restaurant": (
        "restaurant",
        "restaurants",
        "restaurante",
        "restaurantes",
        False,
        "visit",
        "restaurant|restaurante|ristorante",
    ),
    "hotel": ("hotel", "hotels", "hotel", "hoteles", False, "visit", "hotel"),
    "course": ("course", "courses", "curso", "cursos", False, "have", "course|curso|cours|kurs|corso"),
    "video": ("video", "videos", "vídeo", "vídeos", False, "see", "video"),
    "series": ("series", "series", "serie", "series", True, "see", "series|serie"),
    "anime": ("anime", "anime", "anime", "animes", False, "see", "anime"),
    "story": (
        "story",
        "stories",
        "noticia",
        "noticias",
        True,
        "read",
        "news|story|noticia|nachricht|notizia",
    ),
    "app": ("app", "apps", "aplicación", "aplicaciones", True, "have", "app|aplicacion"),
    "job": ("job", "jobs", "empleo", "empleos", False, "have", "job|empleo|vacancy|stelle"),
    "episode": ("episode", "episodes", "episodio", "episodios", False, "see", "episode|episodio"),
    "wine": ("wine", "wines", "vino", "vinos", False, "have", "wine|vino|vin|wein"),
    "beer": ("beer", "beers", "cerveza", "cervezas", True, "have", "beer|cerveza|biere|bier"),
    "manga": ("manga", "manga", "manga", "mangas", False, "read", "manga"),
    "event": ("event", "events", "evento", "eventos", False, "visit", ""),
    "person": ("person", "people", "persona", "personas", True, "have", ""),
    "article": (
        "article",
        "articles",
        "artículo",
        "artículos",
        False,
        "have",
        "article|artikel|articulo|articolo|artigo",
    ),
    "item": ("item", "items", "artículo", "artículos", False, "have", ""),
}


#: What is written before or after a noun where a column numbers things, in one word: "Artikelnummer".
_NUMBERED = re.compile(
    "^(id|codigo|cod)|(nummer|number|numero|num|nr|no|ids|id|code|key|cod|codigo|name|titel|title|titulo|titre)$"
)


def noun(text: str) -> Noun:
    """Returns the noun that a person gives: "book", or with its plural, "artículo:artículos".

    >>> noun("libro").en.many, noun("sprocket").es.many, noun("cómic:cómics").en.one
    ('books', 'sprockets', 'cómic')

    Raises:
        SettingError: it is empty, too long, or more than a word and its plural.
    """
    parts = [" ".join(part.split()) for part in str(text).split(":")]
    if not 1 <= len(parts) <= 2 or not all(parts) or any(len(part) > LONGEST for part in parts):
        raise SettingError(
            "A noun is a word, or a word and its plural with a colon between them",
            shown(text),
            "Try book, or artículo:artículos (on the command line: --noun book)",
        )
    if any(not re.fullmatch(r"[\w' .-]+", part) for part in parts):
        raise SettingError("A noun is made of letters", shown(text), "Try book, or artículo:artículos")
    one, feminine = without_article(parts[0])
    many = without_article(parts[-1])[0] if len(parts) == 2 else ""
    for key, row in KNOWN.items():
        if folded(one) in {folded(word) for word in row[:4]} and (
            not many or folded(many) in {folded(row[1]), folded(row[3])}
        ):
            return known(key)
    verbs = VERBS["have"]
    feminine = is_feminine(one) if feminine is None else feminine
    many = many or plural(one)
    return Noun(
        "",
        Form(one, many, takes_an(one), *verbs[0]),
        Form(one, many, feminine, *verbs[1]),
    )


def noun_of(items: Entities, about: Mapping[str, Any] | None = None) -> Noun:
    """Returns what the items of a model are called: as its owner said, as its columns say, or "item".

    Args:
        items: their table.
        about: of the model; its "noun" is what the owner said, its "data" has a name.
    """
    about = about or {}
    said = about.get("noun")
    if isinstance(said, str) and said:
        return noun(said)
    data = about.get("data", {})
    name = str(data.get("name", "")) if isinstance(data, Mapping) else ""
    if re.match(r"(?i)(ml-|movielens)", name):
        return known("film")
    return known(_told([items.key, *items.columns]))


def _told(columns: Iterable[str]) -> str:
    """Returns the key that the first telling name of a column gives: its first word, or "item"."""
    for column in columns:
        words = re.split(r"[\W_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", column))
        first = folded(words[0]) if words else ""
        whole = folded(column).replace(" ", "").replace("_", "")
        bare = _NUMBERED.sub("", whole)
        for key, row in KNOWN.items():
            if row[6] and any(re.fullmatch(f"({row[6]})s?", word) for word in (first, whole, bare)):
                return key
    return "item"


def known(key: str) -> Noun:
    """Returns one of the nouns that are `KNOWN`, by its key."""
    en_one, en_many, es_one, es_many, feminine, verb, _ = KNOWN[key]
    english, spanish = VERBS[verb]
    return Noun(
        key,
        Form(en_one, en_many, en_one[0] in "aeiou", *english),
        Form(es_one, es_many, feminine, *spanish),
    )
