"""This module tests the names that columns go by, in the tongues and tools that tables come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from butaca.data.columns.names import is_known
from butaca.data.tables import read_table
from butaca.errors import TableError

HEADERS = [
    ("Identifiant client", "Référence produit", "Note", "Date d'achat"),
    ("Kundennummer", "Artikelnummer", "Bewertung", "Datum"),
    ("ID do Usuário", "ID do Produto", "Avaliação", "Data da compra"),
    ("usuari", "llibre", "puntuació", "data i hora"),
    ("klantnummer", "productnummer", "beoordeling", "datum"),
    ("użytkownik", "książka", "ocena", "Data zakupu"),
    ("användare", "produkt", "betyg", "datum"),
    ("kullanıcı", "ürün", "puan", "tarih"),
    ("пользователь", "товар", "оценка", "дата"),
    ("用户", "商品", "评分", "时间"),
    ("ユーザー", "作品", "評価", "日時"),
    ("사용자", "상품", "평점", "시간"),
    ("المستخدم", "المنتج", "التقييم", "التاريخ"),
    ("fullVisitorId", "productSKU", "hits", "visitStartTime"),
    ("Customer Email", "Lineitem sku", "Lineitem quantity", "Created at"),
    ("steamid", "appid", "rating", "date_added"),
]


@pytest.mark.parametrize("names", HEADERS, ids=lambda names: names[0])
def test_columns_are_found_by_their_names(names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        ";".join(("x", *reversed(names)))
        + "\n"
        + "".join(f"9;{1_700_000_000 + n};{n % 5};i{n};u{n % 4}\n" for n in range(12)),
        encoding="utf-8",
    )
    data = read_table(tmp_path / "t.csv")
    time = data.time_name if data.timestamp is not None else None
    found = (data.users.key, data.items.key, data.value_name, time)
    assert found == (*names[:3], None if names[3] == "data i hora" else names[3])


@pytest.mark.parametrize("header", HEADERS, ids=lambda names: names[0])
def test_such_names_make_a_header(header: tuple[str, ...]) -> None:
    assert is_known(header[0])
    assert is_known(header[1])


def test_remarks_are_no_values(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("user,item,note\nana,7,fine\neva,8,late\n")
    assert read_table(tmp_path / "t.csv").value is None


@pytest.mark.parametrize(
    "dates",
    [("31/05/2014", "01/06/2014"), ("31.05.2014 18:30", "01.06.2014 9:05"), ("05/31/2014", "06/01/2014")],
)
def test_the_only_column_of_dates_is_the_time_whatever_its_name(
    dates: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(f"user,item,Data\nana,7,{dates[0]}\neva,8,{dates[1]}\n")
    data = read_table(tmp_path / "t.csv")
    assert data.timestamp is not None
    assert [t // 86_400 for t in data.timestamp.tolist()] == [16221, 16222]
    assert any("'Data' (by type" in note for note in data.notes)


def written(folder: Path, rows: list[str]) -> Path:
    (folder / "t.csv").write_text("\n".join(rows) + "\n")
    return folder / "t.csv"


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("moment", ["2014-04-07T10:51:09Z", "07/04/2014", "2014-04-07"])
def test_dates_are_the_time_wherever_they_stand_without_names(at: int, moment: str, tmp_path: Path) -> None:
    rows = [[str(n % 3 + 1), str(214_536_500 + n % 4), str(n % 5)] for n in range(12)]
    data = read_table(
        written(
            tmp_path,
            [
                ",".join([*row[:at], moment.replace("07/", f"{n % 9 + 13}/"), *row[at:]])
                for n, row in enumerate(rows)
            ],
        )
    )
    assert data.users.ids.values.tolist() == ["1", "2", "3"]
    assert data.items.ids.values.tolist() == [str(214_536_500 + n) for n in range(4)]
    assert data.value is not None
    assert data.value.tolist() == [n % 5 for n in range(12)]
    assert data.timestamp is not None
    assert 1970 + data.timestamp[0] // (365.25 * 86_400) == 2014


@pytest.mark.parametrize("row", ["7.82,99,-9.66", "1,4.5,3", "0.5,1.5"])
def test_a_matrix_without_names_is_no_table_of_interactions(row: str, tmp_path: Path) -> None:
    rows = [row.replace("9", str(n % 8 + 1)) for n in range(12)]
    with pytest.raises(TableError, match=r"holds numbers with fractions.*--wide"):
        read_table(written(tmp_path, rows))


def test_fractions_are_ids_where_they_are_named(tmp_path: Path) -> None:
    data = read_table(written(tmp_path, ["version,user,item", "1.5,u1,3.11", "1.5,u2,3.12", "2,u1,3.12"]))
    assert data.items.ids.values.tolist() == ["3.11", "3.12"]


@pytest.mark.parametrize(
    ("items", "is_told"),
    [
        (["p1;p2", "p2;p3", "p1;p3", "p1;p2;p3"], True),
        (["p1|p2", "p2|p3", "p1|p3", "p1|p2|p3"], True),
        (["Matrix, The", "Up", "Birds, The", "Godfather, The"], False),
        (["p1", "p2", "p1;p2", "p3", "p4"], False),
    ],
)
def test_ids_that_look_like_lists_are_told_of_wide(items: list[str], is_told: bool, tmp_path: Path) -> None:
    rows = [f'u{n % 3}\t"{items[n % len(items)]}"' for n in range(15)]
    data = read_table(written(tmp_path, ["user\titem", *rows]))
    assert any("look like lists of items: wide=True" in note for note in data.notes) == is_told
