"""This module guesses the plural of a noun, in English and in Spanish, and its gender and article."""

from __future__ import annotations

import re
import unicodedata

#: Plurals that no rule gives.
_ODD = {
    "person": "people",
    "child": "children",
    "man": "men",
    "woman": "women",
    "mouse": "mice",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "ox": "oxen",
    "die": "dice",
    "quiz": "quizzes",
    "bus": "buses",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "hero": "heroes",
    "mango": "mangoes",
    "echo": "echoes",
    "medium": "media",
    "criterion": "criteria",
    "phenomenon": "phenomena",
    "analysis": "analyses",
    "reloj": "relojes",
    "flor": "flores",
    "papel": "papeles",
    "color": "colores",
    "pan": "panes",
    "árbol": "árboles",
    "móvil": "móviles",
    "collar": "collares",
    "mujer": "mujeres",
    "tren": "trenes",
    "lugar": "lugares",
    "hogar": "hogares",
    "taller": "talleres",
    "alquiler": "alquileres",
    "mes": "meses",
    "red": "redes",
    "pared": "paredes",
    "piel": "pieles",
    "imagen": "imágenes",
    "examen": "exámenes",
    "joven": "jóvenes",
    "origen": "orígenes",
    "carácter": "caracteres",
    "bar": "bares",
    "rol": "roles",
    "cartel": "carteles",
    "pastel": "pasteles",
    "mantel": "manteles",
    "cristal": "cristales",
    "gas": "gases",
    "rey": "reyes",
    "ley": "leyes",
    "buey": "bueyes",
    "país": "países",
    "sofá": "sofás",
    "cómic": "cómics",
    "ordenador": "ordenadores",
    "televisor": "televisores",
    "tambor": "tambores",
    "sabor": "sabores",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words whose plural is the word.
_SAME = _words(
    "sheep fish deer moose aircraft spacecraft series species offspring software hardware "
    "furniture equipment jewellery jewelry clothing footwear news anime manga pódcast crisis "
    "tesis dosis paraguas sacacorchos abrelatas cumpleaños lunes martes miércoles jueves "
    "viernes"
)
#: Of words in -f and -fe, those in whose plural a v stands.
_VES = re.compile(r"(shel|kni|wi|li|lea|loa|hal|wol|thie|cal|sel|el|scar|whar)fe?$")

#: In Spanish, words in -a that are masculine, and others that are feminine.
_MASCULINE = _words(
    "problema tema programa sistema poema idioma clima drama diploma dilema esquema aroma "
    "crucigrama panorama telegrama diagrama teorema lema emblema enigma fantasma síntoma "
    "prisma pijama puma mapa día sofá tranvía cometa planeta poeta karma pez ajedrez juez "
    "avión camión gorrión guion guión aluvión bastión escorpión sampa gorila koala panda yoga "
    "pentagrama holograma anagrama monograma"
)
_FEMININE = _words(
    "mano foto moto radio flor luz cruz voz paz nuez raíz llave nube noche leche sal miel "
    "clase serie especie red pared piel imagen mujer carne torre calle fuente nave web app "
    "tarde suerte mente gente base frase fase sangre crisis tesis dosis tribu suite postal "
    "catedral cárcel señal col labor coliflor sartén hélice cumbre legumbre costumbre lumbre "
    "superficie planicie actriz cicatriz matriz nariz lombriz sor"
)
_ARTICLES = {
    **dict.fromkeys(("la", "una", "las", "unas"), True),
    **dict.fromkeys(("el", "un", "los", "unos"), False),
    **dict.fromkeys(("the", "a", "an"), None),
}
#: Words after which a noun is said more closely: the one before them takes the plural.
_CLOSER = re.compile(r" (de|del|para|con|sin|en|of|for|with|without|in|à|au|en|a) ")


def without_article(text: str) -> tuple[str, bool | None]:
    """Returns a noun without its article, and whether that is feminine; None where it does not say.

    >>> without_article("la canción"), without_article("The box"), without_article("lamp")
    (('canción', True), ('box', None), ('lamp', None))
    """
    first, blank, rest = text.partition(" ")
    if blank and first.casefold() in _ARTICLES:
        return rest, _ARTICLES[first.casefold()]
    return text, None


def plural(word: str) -> str:
    """Returns the plural that a word seems to have; of several words, that of the one that is the thing.

    >>> [plural(word) for word in ("lamp", "box", "story", "toy", "person", "knife", "sheep")]
    ['lamps', 'boxes', 'stories', 'toys', 'people', 'knives', 'sheep']
    >>> [plural(word) for word in ("canción", "luz", "ciudad", "autobús", "juego de mesa", "board game")]
    ['canciones', 'luces', 'ciudades', 'autobuses', 'juegos de mesa', 'board games']
    """
    closer = _CLOSER.search(word)
    if closer is not None:
        return plural(word[: closer.start()]) + word[closer.start() :]
    before, blank, last = word.rpartition(" ")
    return before + blank + _one_word(last)


def _one_word(word: str) -> str:
    lower = word.casefold()
    if lower in _SAME:
        return word
    odd = _ODD.get(lower) or next(
        (
            many
            for one, many in _ODD.items()
            if one in {"man", "woman", "person", "child"} and _ends(lower, one)
        ),
        None,
    )
    if odd is not None:
        kept = len(lower) - len(next(o for o, many in _ODD.items() if many == odd))
        odd = word[:kept] + odd
        return odd[:1].upper() + odd[1:] if word[:1].isupper() else odd
    if re.search(r"[áéíóú][nls]$", lower) and re.search(r"[áéíóú][ns]$", lower):  # canción, autobús
        return word[:-2] + _bare(word[-2]) + word[-1] + "es"
    if re.search(r"[^aeiou]í$|ú$", lower):  # rubí, bambú
        return word + "es"
    if re.search(r"[áéíóúñ].*[lrndj]$|(dad|tad|tud)$", lower):  # árbol, ciudad
        return word + "es"
    if lower.endswith("z") and not lower.endswith("zz"):
        return word[:-1] + "ces"
    if re.search(r"[^aeiou]y$", lower):
        return word[:-1] + "ies"
    if _VES.fullmatch(lower) or lower.endswith(("shelf", "knife", "wife")):
        return re.sub(r"fe?$", "ves", word)
    return word + ("es" if re.search(r"(s|x|ch|sh)$", lower) else "s")


def _ends(word: str, one: str) -> bool:
    """Returns whether a compound ends in a word: salesman, grandchild; not human, German."""
    return word.endswith(one) and word not in {"human", "german", "roman", "shaman", "talisman", "caiman"}


def _bare(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0]


def is_feminine(word: str) -> bool:
    """Returns whether a word seems to be feminine in Spanish, of several words the first.

    >>> [is_feminine(w) for w in ("lámpara", "cama", "mapa", "opción", "avión", "flor", "ciudad", "libro")]
    [True, True, False, True, False, True, True, False]
    """
    first = word.casefold().split(" ")[0]
    if first in _MASCULINE or first in _FEMININE:
        return first in _FEMININE
    return bool(re.search(r"(a|[cstxg]i[óo]n|ión|dad|tad|tud|umbre|ez|eza|triz|itis)$", first))


def takes_an(word: str) -> bool:
    """Returns whether a word takes "an" in English.

    >>> [takes_an(w) for w in ("oven", "hour", "unicorn", "umbrella", "e-bike", "one-piece", "lamp")]
    [True, True, False, True, True, False, False]
    """
    lower = word.casefold()
    if re.match(r"(hour|heir|honest|honou?r)", lower):
        return True
    if re.match(r"(uni([^nm]|$)|us[aeu]|eu|one\b|once\b|ut[ei]n|uku|u\b)", lower):
        return False
    return lower[:1] in "aeiou" and bool(lower)
