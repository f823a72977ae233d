"""This module knows the names that users, items, values and times go by, in many tongues."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "whole", "real", "bool", "time", "list", "other"]

Role: TypeAlias = Literal["user", "item", "value", "time"]
#: What cells may say that their column is: a role, or kinds of event.
Held: TypeAlias = Role | Literal["kind"]
ROLES: tuple[Role, ...] = ("user", "item", "value", "time")
REQUIRED: tuple[Role, ...] = ("user", "item")
POSITIONS = ("user_id", "item_id", "value", "timestamp")  # what columns found by position are called


def plain(name: str) -> str:
    """Returns a name without case, accents, blanks and punctuation.

    >>> plain("User_ID"), plain("Título")
    ('userid', 'titulo')
    """
    letters = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[\W_]", "", "".join(c for c in letters if not unicodedata.combining(c)))


def words(text: str) -> frozenset[str]:
    """Returns the words of a text, as `plain` has them; signs as they are.

    >>> sorted(words("ítem 👍"))
    ['item', '👍']
    """
    return frozenset(plain(word) or word for word in text.split())


def _ids(nouns: str) -> frozenset[str]:
    """Returns each noun as an id: "user" -> userid, iduser, useruuid and so on."""
    marks = ("id", "uuid", "guid", "hash", "identifier", "identifiant", "identificador", "identificativo")
    return frozenset(form for noun in words(nouns) for m in marks for form in (f"{noun}{m}", f"{m}{noun}"))


def _codes(nouns: str) -> frozenset[str]:
    """Returns each noun as a shop numbers it: "stock" -> stockcode, codestock, stockno and so on."""
    marks = words(
        "code no nr nummer number key num cod codigo codice kod numero reference ref referencia 编号 "
        "名 名称 番号"
    )
    return frozenset(form for noun in words(nouns) for m in marks for form in (f"{noun}{m}", f"{m}{noun}"))


_USERS = (
    "user customer visitor member client reviewer account buyer person viewer subscriber profile reader "
    "listener usuario cliente visitante persona"
)
_ITEMS = (
    "item movie film product track song artist album book article content video show series game business "
    "pelicula articulo producto cancion artista libro video serie juego obra"
)
# What fewer tables are about, and other tongues: looked for where nothing above is there.
_MORE_USERS = (
    "utilisateur utente usager nutzer benutzer kunde acheteur gebruiker klant socio miembro lector jugador "
    "alumno student player patient learner employee household guest borrower kunden usuari comprador "
    "visiteur klient użytkownik användare kund kullanıcı müşteri uživatel zákazník felhasználó bruker "
    "bruger käyttäjä utilizator χρήστης пользователь покупатель клиент المستخدم العميل 用户 会员 顾客 客户 "
    "ユーザー 顧客 会員 사용자 고객 회원 steam fullvisitor"
)
_MORE_ITEMS = (
    "recipe venue stock place poi restaurant post podcast episode course job ad anime manga beer wine hotel "
    "listing question exercise joke merchant program app paper offer article produit livre artikel produkt "
    "buch prodotto articolo libro filme livro produto receta lugar oferta curso noticia llibre pel·lícula "
    "produktu towar książka kniha vara vare ürün termék tuote produs προϊόν товар продукт фильм книга المنتج "
    "الفيلم الكتاب 商品 产品 物品 电影 图书 作品 アイテム 映画 本 상품 제품 영화 도서"
)
NAMES: Mapping[Role, tuple[frozenset[str], ...]] = {
    "user": (
        _ids(_USERS) | {"uid"},
        words(_USERS) | {"users"},
        _ids(_MORE_USERS) | _codes(f"{_USERS} {_MORE_USERS}"),
        words(_MORE_USERS),
        words("username nombreusuario email useremail emailaddress correo correoelectronico login nickname")
        | words("customeremail clientemail buyeremail billingemail contactemail"),
    ),
    "item": (
        _ids(_ITEMS) | {"iid", "asin", "sku", "isbn"},
        words(_ITEMS) | {"items", "parentasin"},
        _ids(_MORE_ITEMS)
        | _codes(f"{_ITEMS} {_MORE_ITEMS}")
        | words("ean upc gtin isbn13 barcode")
        | words("productsku itemsku variantsku lineitemsku lineitemname articlesku"),
        words(_MORE_ITEMS),
        words("title titulo movietitle filmtitle booktitle itemtitle itemname productname producttitle")
        | words("artname artistname trackname songname nombreproducto nomproduit produktname nomeprodotto"),
    ),
    "value": (
        words("rating ratings userrating score stars overall")
        | words("valoracion puntuacion calificacion nota estrellas"),
        words("value weight count plays playcount quantity preference valor peso cantidad"),
        words("bookrating movierating itemrating reviewrating ratingvalue ratingscore bewertung voto")
        | words("beoordeling valutazione avaliacao puntuacio ocena betyg puan arvosana hodnocení értékelés")
        | words(
            "βαθμολογία оценка рейтинг التقييم 评分 得分 評価 평점 별점 lineitemquantity anzahl menge "
            "quantité quantità"
        )
        | words(
            "quantidade quantitat ilość antal adet määrä количество الكمية 数量 수량 listens listencount "
            "listeningcount"
        ),
    ),
    "time": (
        words("timestamp timestamps ts unixtime unixreviewtime datetime eventtime createdat ratedat")
        | words("watchedat fechahora marcadetiempo"),
        words("time date reviewtime reviewdate eventdate hora fecha tiempo"),
        words(
            "invoicedate orderdate purchasedate orderedat purchasedat playedat clickedat viewedat listenedat"
        )
        | words("checkintime utctime timeutc datetimeutc eventtimestamp reviewtimestamp submitted datum zeit")
        | words(
            "dateadded visitstarttime zeitstempel horodatage dataora datahora dateachat datacompra kaufdatum"
        )
        | words(
            "bestelldatum fechacompra fechapedido datazakupu dato tarih zaman dátum päivämäärä ημερομηνία "
            "дата время"
        )
        | words("التاريخ الوقت 时间 日期 评论时间 购买时间 下单时间 日時 日付 時間 시간 날짜 일시"),
    ),
}


#: Names of values where a column of them holds numbers; else they are as likely remarks.
IF_NUMBERS = words("note hits")
_LINKS = words("de del des do da du di d l la le el der the of al")


@lru_cache(maxsize=1 << 14)
def forms(name: str) -> frozenset[str]:
    """Returns what a name is compared by: as `plain` has it, and likewise without the words that link others.

    >>> sorted(forms("ID do Produto")), sorted(forms("Date d'achat"))
    (['iddoproduto', 'idproduto'], ['dateachat', 'datedachat'])
    """
    bare = "".join(word for part in re.split(r"[\W_]+", name) if (word := plain(part)) not in _LINKS)
    return frozenset({plain(name), bare or plain(name)})


def goes_by(name: str, tier: frozenset[str]) -> bool:
    """Returns whether a name is one of those of a tier."""
    return not forms(name).isdisjoint(tier)


def is_known(name: str) -> bool:
    """Returns whether a name is one that some role goes by: a line that holds one is a header."""
    return any(goes_by(name, tier) for tiers in NAMES.values() for tier in tiers)


def held_by(cells: Sequence[str]) -> Role | None:
    """Returns what the cells of a column without a name say that they are, by the word they begin with.

    >>> held_by(["item20", "item3"]), held_by(["user_7", "user_8"]), held_by(["12", "7"])
    ('item', 'user', None)
    """
    words = {re.sub(r"[\W\d_]+.*", "", c) for c in cells if c}
    word = plain(words.pop()) if len(words) == 1 else ""
    for role in REQUIRED:
        if word and any(word in tier for tier in NAMES[role][:4]):
            return role
    if cells and all(re.fullmatch(r"A[0-9A-Z]{11,}", c) for c in cells):
        return "user"  # as Amazon numbers reviewers, and below items
    books = [c for c in cells if c.startswith(("B0", "0")) or c.endswith("X")]
    if books and all(re.fullmatch(r"B0[0-9A-Z]{8}|\d{9}[\dX]", c) for c in cells):
        return "item"
    return None
