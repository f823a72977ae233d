"""This module calls files by their names that are no tables butaca reads, with what to do about each."""

from __future__ import annotations

import bz2
import gzip
import re
import zipfile
import zlib
from pathlib import Path

from butaca.data.formats.above import lines_in
from butaca.errors import TableError

_UNPACK = "Unpack it{}, and pass the table in it"
_EXPORT = "Save it as .xlsx or CSV, and pass that"
_ARRAY = "Load it in Python, and pass what that gives to read_table"

#: What a file is by its first bytes: where they stand, they, its name, and what to do.
_MAGIC = (
    (0, b"7z\xbc\xaf\x27\x1c", "an archive of 7-Zip", _UNPACK.format(" (7z x)")),
    (0, b"Rar!\x1a\x07", "a RAR archive", _UNPACK.format(" (unrar x)")),
    (257, b"ustar", "a tar archive", _UNPACK.format(" (tar xf)")),
    (0, b"\x04\x22\x4d\x18", "packed by LZ4", _UNPACK.format(" (lz4 -d)")),
    (0, b"\x1f\x9d", "packed by compress", _UNPACK.format(" (uncompress)")),
    (0, b"\xff\x06\x00\x00sNaPpY", "packed by Snappy", _UNPACK.format("")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of before 2007 (.xls)", _EXPORT),
    (0, b"%PDF", "a PDF", "Export the table itself, as CSV or .xlsx"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _ARRAY),
    (0, b"\x93NUMPY", "an array as NumPy saves it", "Load it by numpy.load, and pass what that gives"),
    (0, b"ORC", "an ORC file", "Read it by pyarrow.orc, or export it as Parquet"),
    (0, b"Obj\x01", "an Avro file", "Export it as Parquet or CSV"),
    (0, b"$FL2", "a file of SPSS", "Read it by pandas.read_spss, and pass that"),
    (0, b"RDX", "data of R", "Write them by write.csv in R"),
    *((0, b"\x80" + bytes([n]), "a pickle of Python", _ARRAY) for n in (2, 3, 4, 5)),
)
#: What a text is by how it begins, and what to do.
_TEXTS = (
    (r"<(!doctype|html|\?xml|table|body|div)\b", "a page of the web or XML", "Download the table itself"),
    (r"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself: git lfs pull"),
    (
        r"%%matrixmarket",
        "a matrix as MatrixMarket writes it",
        "Read it by scipy.io.mmread, and pass what that returns",
    ),
    (r"(%[^\n]*\n\s*)*@relation\b", "a file of Weka (ARFF)", "Read it by scipy.io.arff, and pass the table"),
    (
        r"(--[^\n]*\n\s*|/\*.*?\*/;?\s*)*(create table|insert into|drop table|pragma |begin transaction)",
        "SQL, that makes a table",
        "Run it in a database such as SQLite, and pass that",
    ),
    (
        r"\S+( \d+:[\d.]+)+\s*\n\S+( \d+:[\d.]+)+\s",
        "a matrix as libsvm writes it",
        "Read it by sklearn.datasets.load_svmlight_file, and pass the matrix",
    ),
    (r"\{\\rtf", "a text of a word processor", "Save the table as CSV"),
)
#: Members by which a zip is an office document, and their kinds.
_OFFICE = {
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "content.xml": "an OpenDocument file (.ods)",
    "Index/Document.iwa": "a sheet of Numbers",
    "word/document.xml": "a Word document",
}


def refuse_other_kind(path: Path, *, label: str) -> None:
    """Raises where a file, or what it is packed around, plainly is of a kind that is not read.

    Args:
        path: the file.
        label: what to call it.
    """
    heads = _heads(path)
    for at, magic, kind, cure in _MAGIC:
        for head in heads:
            is_text = magic.isalpha() and b"\0" not in head  # such as a column called ORCID
            if head[at:].startswith(magic) and not is_text:
                raise _other(label, kind, cure)


def refuse_no_table(text: str, *, label: str) -> None:
    """Raises where a text file plainly is something else than cells between marks.

    Args:
        text: its beginning.
        label: what to call it.
    """
    head = text[:2000].lstrip()
    for begin, kind, cure in _TEXTS:
        if re.match(begin, head, re.IGNORECASE):
            raise TableError("A text table holds rows of cells", f"{label}, which is {kind}", cure)
    for line in lines_in(head)[:2]:
        if re.fullmatch(r"[+|]?[\s:=-]*(--|==)[\s:+=|-]*", line) and len(re.findall("-+|=+", line)) > 1:
            kind = "Markdown writes it" if "|" in line else "a database's client prints it"
            raise TableError(
                "A text table holds rows of cells",
                f"{label}, which is a table as {kind}",
                "Save it as CSV, without the lines of dashes (psql --csv, mysql --batch, sqlcmd -W -s,)",
            )


def refuse_office(archive: zipfile.ZipFile, *, label: str) -> None:
    """Raises where a zip is a document of an office program, or arrays of NumPy."""
    names = archive.namelist()
    for member, kind in _OFFICE.items():
        if member in names:
            raise _other(label, kind, _EXPORT)
    if names and all(name.endswith(".npy") for name in names):
        raise _other(label, "arrays as NumPy saves them", "Load them by numpy.load or scipy.sparse.load_npz")


def _other(label: str, kind: str, cure: str) -> TableError:
    return TableError("A table is of a kind that butaca reads (docs/tables.md)", f"{label}, {kind}", cure)


def _heads(path: Path) -> list[bytes]:
    """Returns the first bytes of a file, and of what gzip or bzip2 packed in it."""
    with path.open("rb") as raw:
        heads = [raw.read(512)]
    try:
        if heads[0].startswith(b"\x1f\x8b"):
            with gzip.open(path, "rb") as unzipped:
                heads.append(unzipped.read(512))
        elif heads[0].startswith(b"BZh"):
            with bz2.open(path, "rb") as unpacked:
                heads.append(unpacked.read(512))
    except (OSError, EOFError, zlib.error):  # the reader says what is wrong with it
        pass
    return heads
