"""A table to prepare, and what a prepared folder holds."""

from __future__ import annotations


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def csv(path, *lines):
    path.write_text("\n".join(["user,item,rating,timestamp", *lines]) + "\n")
    return path
