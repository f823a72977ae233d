"""This module knows the words in which tables say yes and no, and of which kind an event is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from butaca.data.columns.names import plain, words

#: Columns that often tell whether an interaction says yes or no, or of which kind it is.
LABELS = words(
    "label labels clicked click target event events eventtype eventname action actiontype behavior behaviour"
) | words(
    "behaviortype interactiontype feedback liked islike isliked isclick purchased converted response "
    "etiqueta evento accion clic comprado megusta"
)
#: Words that make a label of a name that holds one, beside others; and those that make it something else.
_OF_LABELS = words(
    "clicked liked disliked bought purchased converted vote votes voted thumb thumbs reaction reactions "
    "feedback opinion sentiment label event action behavior behaviour voto votos reaccion compro"
)
_OF_OTHERS = words("id ids time date at ts timestamp count counts number total n num key day hour fecha hora")

#: Words for true and for false without accents, of several tongues and of their spreadsheets.
_TRUE = (
    "true yes y t si oui vrai ja wahr sim verdadeiro verdadero vero да sant waar tak evet ναι "
    "نعم 是 はい 예 네"
)
_FALSE = (
    "false no n f non faux nein falsch nao falso нет nej falskt nee onwaar nie hayir hayır οχι "
    "لا 否 いいえ 아니오"
)
TRUE, FALSE = _TRUE.split(), _FALSE.split()

#: Words that say no.
NO = words(
    f"{_FALSE} negative neg dislike disliked dislikes unlike down downvote thumbsdown thumbdown bad hate "
    "hated skip skipped remove removed return returned refund report hide hidden unfollow nogusta nomegusta "
    "falso malo devuelto devolucion unfavorite removefromcart notinterested 👎 -"
)
_SMALL = words(
    "pv view views viewed pageview detail detailview click clicks clicked open opened visit visited "
    "impression impressions browse see seen show shown play played playing stream listen listened watch "
    "watched search vista vistas ver visto visita clic abrir reproduccion 点击 浏览"
)
_MIDDLE = words(
    "cart addtocart addcart basket fav favorite favourite favorites favor collect bookmark wish wishlist "
    "addtowishlist save saved share shared comment follow followed add added like carrito cesta favorito "
    "guardar compartir anadir 收藏 加购"
)
_LARGE = words(
    "buy bought purchase purchased order ordered transaction checkout sale sold conversion converted pay "
    "paid compra compro comprado comprar pedido venta 购买"
)
_LIKES = words(
    "like liked likes up upvote thumbsup thumbup love loved positive megusta meencanta gusta favorite 👍 ❤ +"
)
_YES = words(_TRUE)
#: Of the words that say no, those that say so whatever their column is called.
_PLAINLY_NO = words(
    "dislike disliked dislikes unlike down downvote thumbsdown thumbdown nogusta nomegusta skip skipped "
    "removefromcart unfavorite notinterested refund 👎 -"
)
_PLAIN = _SMALL | _MIDDLE | _LARGE | _LIKES | _PLAINLY_NO

#: What an event counts beside a purchase, for a line to begin with.
SMALL, MIDDLE = "0.3", "0.6"


def folded(word: str) -> str:
    """Returns a word without case and accents; of signs alone, these.

    >>> folded("Me gusta"), folded("👍")
    ('megusta', '👍')
    """
    return plain(word) or word.strip().replace("\ufe0f", "")


def is_label(name: str) -> bool:
    """Returns whether a column's name says that it tells yes from no, or the kind of event.

    >>> [is_label(n) for n in ("event", "Has Bought?", "userVote", "event_id", "votes_count", "colour")]
    [True, True, True, False, False, False]
    """
    if plain(name) in LABELS:
        return True
    parts = {plain(p) for p in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+", name)}
    return bool(parts & _OF_LABELS) and not parts & _OF_OTHERS


def are_reactions(found: Sequence[str]) -> bool:
    """Returns whether the words of a column plainly say yes and no, or kinds of event, whatever its name is.

    >>> are_reactions(["pv", "buy", "cart"]), are_reactions(["up", "down"]), are_reactions(["red", "blue"])
    (True, True, False)
    """
    known = [word for word in found if folded(word) in _PLAIN]
    return len(known) > 1 and 2 * len(known) >= len(found)


def are_other_words(found: Sequence[str]) -> bool:
    """Returns whether words of a column are no numbers, nor true and false, one of which may be misspelt.

    >>> [are_other_words(w) for w in (["good", "bad"], ["yes", "no", "perhaps"], ["5", "-"])]
    [True, False, False]
    """
    said = {folded(word) for word in found}
    if said & (_YES | words(_FALSE) - words("f")) or any(map(str.isdigit, "".join(found))):
        return False
    return all(any(map(str.isalpha, word)) for word in found)


def are_votes(found: Sequence[str]) -> bool:
    """Returns whether numbers are -1 and 1, with or without 0.

    >>> are_votes(["1", "-1.0", "0"]), are_votes(["1", "0"]), are_votes(["-1", "1", "2"])
    (True, False, False)
    """
    try:
        numbers = {float(cell) for cell in found}
    except ValueError:
        return False
    return {-1.0, 1.0} <= numbers <= {-1.0, 0.0, 1.0}


def says_no(word: str) -> bool:
    """Returns whether a word says no."""
    return folded(word) in NO


def weights_for(found: Sequence[str]) -> dict[str, str]:
    """Returns what words of events may count, those that say no last; without those that are unknown.

    >>> weights_for(["pv", "hover", "buy", "cart", "dislike"])
    {'pv': '0.3', 'buy': '1', 'cart': '0.6', 'dislike': 'negative'}
    >>> weights_for(["false", "true"]), weights_for(["a", "b"])
    ({'true': '1', 'false': 'negative'}, {'a': '0.3', 'b': '1'})
    """
    has_large = any(folded(word) in _LARGE for word in found)
    out = {}
    for word in found:
        plainly = folded(word)
        if plainly in NO:
            out[word] = "negative"
        elif plainly in _LARGE:
            out[word] = "1"
        elif plainly in _SMALL:
            out[word] = SMALL
        elif plainly in _MIDDLE and has_large:
            out[word] = MIDDLE
        elif plainly in _MIDDLE | _LIKES | _YES:
            out[word] = "1"
    no = {word: weight for word, weight in out.items() if weight == "negative"}
    yes = {word: weight for word, weight in out.items() if word not in no}
    if not yes:
        yes = {word: "1" for word in found if word not in no}
        yes = dict(list(yes.items())[:1])
    out = yes | no
    if len(out) < 2:  # none is known: the line shows how it is said
        return dict(zip(found, (SMALL, "1"), strict=False))
    return out
