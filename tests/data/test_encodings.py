"""This module tests text that is not UTF-8, and files that are not what their names say."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.data.formats.written import Reading
from butaca.data.tables import read_entities, read_table
from butaca.errors import SettingError, TableError
from butaca.scale.pool import local_runner
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing

PEOPLE = {
    "cp1252": ("José", "Año"),
    "cp1251": ("Иван", "Книга"),
    "mac_roman": ("José", "Año"),
    "shift_jis": ("太郎", "映画"),
    "gbk": ("用户", "电影"),
}


def written(path: Path, encoding: str, *, packed: bool = False) -> Path:
    who, what = PEOPLE[encoding]
    text = f"user,item,rating\nana,p1,3\n{who},{what},4\nana,{what},5\n{who},p2,1\n"
    raw = text.encode(encoding)
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


@pytest.mark.parametrize("encoding", PEOPLE)
@pytest.mark.parametrize("packed", [False, True])
def test_an_encoding_that_is_said_is_read(encoding: str, packed: bool, tmp_path: Path) -> None:
    path = written(tmp_path / ("r.csv.gz" if packed else "r.csv"), encoding, packed=packed)
    data = read_table(path, encoding=encoding)
    who, what = PEOPLE[encoding]
    assert set(data.users.ids.values) == {"ana", who}
    assert set(data.items.ids.values) == {"p1", "p2", what}
    with local_runner(1) as runner:
        settings = Preparing(split="none", reading=Reading(encoding=encoding))
        prepared = prepare(path, tmp_path / "p", settings=settings, runner=runner)
    assert set(prepared.users.ids.values) == {"ana", who}


@pytest.mark.parametrize("encoding", PEOPLE)
def test_what_is_not_utf8_is_shown_as_others_read_it(encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", encoding)
    with pytest.raises(TableError, match=rf"line 3 of .*'{PEOPLE[encoding][0]}' in {encoding}.*--encoding"):
        read_table(path)


def test_what_is_utf8_is_read_as_that(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user,item\nJosé,7\nana,8\n", encoding="utf-8")
    data = read_table(path, encoding="cp1252")
    assert data.users.ids.values.tolist() == ["José", "ana"]
    assert f"{path}: all of it is UTF-8, and not read as cp1252" in data.notes


def test_tables_of_items_and_users_are_in_it_too(tmp_path: Path) -> None:
    path, items = written(tmp_path / "r.csv", "cp1252"), tmp_path / "items.csv"
    items.write_bytes("item,title\nAño,El año\np1,Uno\np2,Dos\n".encode("cp1252"))
    data = read_table(path, items=items, encoding="cp1252")
    assert "El año" in data.items.columns["title"].tolist()  # type: ignore[union-attr]
    with local_runner(1) as runner:
        settings = Preparing(split="none", reading=Reading(encoding="cp1252"), items=str(items))
        prepared = prepare(path, tmp_path / "p", settings=settings, runner=runner)
    assert "El año" in prepared.items.columns["title"].tolist()  # type: ignore[union-attr]
    assert len(read_entities(items, "item", key="item", is_text=True, encoding="cp1252")) == 3


def test_another_encoding_than_the_files(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes("user,item\nartículo,7\nana,8\n".encode("cp1252"))
    with pytest.raises(TableError, match=r"of which shift_jis does not read b'\\xedcul'"):
        read_table(path, encoding="shift_jis")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "", "rot13"])
def test_what_is_no_encoding(encoding: str) -> None:
    with pytest.raises(SettingError, match=f"of text. Received: {encoding!r}.*--encoding"):
        Reading(encoding=encoding)


@pytest.mark.parametrize("command", ["fit", "prepare"])
def test_the_option(command: str, tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", "cp1252")
    words = ["data", "prepare"] if command == "prepare" else ["fit", "--effort", "quick", "--epochs", "1"]
    words += [str(path), "--split", "none", "--out", str(tmp_path / "out")]
    bad = CliRunner().invoke(app, words)
    assert bad.exit_code
    assert not (tmp_path / "out").exists()
    good = CliRunner().invoke(app, [*words, "--encoding", "cp1252"])
    assert not good.exit_code, good.output
    assert (tmp_path / "out").exists()


def test_the_option_of_what_reads_beside_a_model(tmp_path: Path) -> None:
    rows = [f"u{n % 5};Año {n % 7};{n % 5}" for n in range(35)]
    (tmp_path / "r.csv").write_bytes(("user;item;rating\n" + "\n".join(rows) + "\n").encode("cp1252"))
    titles = [f"Año {n};Señal {n};{'drama' if n % 2 else 'comedia'}" for n in range(9)]
    for name, lines in (("i.csv", titles[:7]), ("new.csv", titles[7:])):
        text = "item;title;género\n" + "\n".join(lines) + "\n"
        (tmp_path / name).write_bytes(text.encode("cp1252"))
    model, table = str(tmp_path / "m"), str(tmp_path / "r.csv")
    said = ["--encoding", "cp1252"]
    fit = [
        "fit",
        table,
        "--items",
        str(tmp_path / "i.csv"),
        "--effort",
        "quick",
        "--epochs",
        "1",
        "--out",
        model,
    ]
    for words in (
        [*fit, "--split", "none"],
        ["evaluate", model, "--test", table],
        ["add-items", model, str(tmp_path / "new.csv"), "--out", str(tmp_path / "n")],
    ):
        bad = CliRunner().invoke(app, words)
        assert bad.exit_code
        good = CliRunner().invoke(app, [*words, *said])
        assert not good.exit_code, good.output
    assert (tmp_path / "n").exists()


RECORDS = [{"user": f"u{n % 3}", "item": f"i{n % 4}", "rating": n % 5} for n in range(12)]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)
ROWS = "user,item,rating\n" + "".join(f"u{n % 3},i{n % 4},{n % 5}\n" for n in range(12))


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("r.csv", LINES.encode()),
        ("r.txt", json.dumps(RECORDS).encode()),
        ("r.csv.gz", gzip.compress(LINES.encode())),
        ("r.json", ROWS.encode()),
        ("r.jsonl", ROWS.replace(",", "\t").encode()),
        ("r.json", LINES.encode("utf-8-sig")),
        ("r.json", json.dumps(RECORDS, indent=1).encode("utf-8-sig")),
        ("r.csv", ROWS.encode("utf-8-sig")),
        ("r.csv", gzip.compress(ROWS.encode())),
        ("r.csv.gz", gzip.compress(gzip.compress(ROWS.encode()))),
    ],
    ids=range(10),
)
def test_files_are_what_they_begin_as(name: str, raw: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(raw)
    data = read_table(tmp_path / name)
    assert (len(data), len(data.users), len(data.items)) == (12, 3, 4)


@pytest.mark.parametrize("text", ["5", '"x"', "null", "[]", "{}"])
def test_json_without_records_stays_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(TableError, match="which holds no records"):
        read_table(tmp_path / "r.json")


def test_empty_parts_are_passed_over_and_told(tmp_path: Path) -> None:
    for name, raw in (
        ("part-0.csv", ROWS.encode()),
        ("part-1.csv", b""),
        ("part-2.csv.gz", gzip.compress(b"")),
    ):
        (tmp_path / name).write_bytes(raw)
    data = read_table(tmp_path)
    assert len(data) == 12
    assert "2 empty files passed over" in data.notes
    assert len(read_table(tmp_path / "part-*")) == 12
    (tmp_path / "part-0.csv").write_bytes(b"")
    with pytest.raises(TableError, match="which is empty"):
        read_table(tmp_path)


def test_a_damaged_part_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "part-0.csv").write_text(ROWS)
    (tmp_path / "part-1.csv.gz").write_bytes(gzip.compress(ROWS.encode())[:12])
    with pytest.raises(TableError, match=r"part-1\.csv\.gz"):
        read_table(tmp_path)


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_path_is_not_the_current_folder(source: str) -> None:
    with pytest.raises(TableError, match="an empty path"):
        read_table(source)
