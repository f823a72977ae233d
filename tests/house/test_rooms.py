"""This module holds the order of the rooms (docs/architecture.md): imports come only from rooms above."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from docs.rooms import DOORS, ROOMS, imports_of, room_of

import butaca
from tests.support.commands import loaded_after

ROOT = Path(butaca.__file__).parent

ORDER = list(ROOMS)


def test_every_file_is_in_a_room():
    assert {room_of(path) for path in ROOT.rglob("*.py")} - DOORS == set(ROOMS)


def test_files_import_only_from_rooms_above():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        room = room_of(path)
        if room in DOORS:
            continue
        wrong += [
            f"{path.relative_to(ROOT)} imports from {other}"
            for other in imports_of(path)
            if ORDER.index(other) > ORDER.index(room)
        ]
    assert wrong == []


def test_the_check_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from butaca.cli.app import main\n", encoding="utf-8")
    assert imports_of(bad) == ["cli"]


def test_machine_code_has_one_door():
    native = ROOT / "model" / "native"
    inside = {ROOT / "model" / "kernels.py", *native.rglob("*.py")}
    found = [p for p in ROOT.rglob("*.py") if p not in inside and "model.native" in p.read_text("utf-8")]
    assert found == []


def test_the_disk_has_one_door():
    moves = re.compile(r"\bos\.(replace|rename|fsync)\(|\bfcntl\b")
    found = [p.name for p in ROOT.rglob("*.py") if moves.search(p.read_text(encoding="utf-8"))]
    assert found == ["files.py"]


def test_import_butaca_loads_nothing_heavy():
    assert not {"jax", "duckdb", "optax", "numpy"} & loaded_after("import butaca")


def test_cli_and_recommender_import_no_jax():
    assert not {"jax", "optax", "duckdb", "scipy"} & loaded_after(
        "import butaca.cli.app, butaca.recommend.folder.bundle"
    )


def test_every_public_name_resolves():
    for name in butaca.__all__:
        assert getattr(butaca, name) is not None


def test_public_names_are_no_rooms():
    """A name like a subpackage's would turn into the subpackage as soon as that is imported."""
    rooms = {path.name.removesuffix(".py") for path in ROOT.iterdir()}
    assert not rooms & set(butaca.__all__)


def test_a_server_needs_no_more_than_its_requirements():
    """What serving loads, from the command to the event store, loads where nothing else is installed."""
    text = (ROOT.parents[1] / "requirements" / "serve.txt").read_text(encoding="utf-8")
    listed = sorted(set(re.findall(r"^([a-z0-9._-]+)==", text, flags=re.M)))
    assert {"fastapi", "numpy", "sqlalchemy"} <= set(listed)
    code = (
        "import importlib.metadata as m, json, sys\n"
        f"listed = {listed!r}\n"
        "of = {k: {d.lower().replace('_', '-') for d in v} for k, v in m.packages_distributions().items()}\n"
        "class Only:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        have = of.get(name.partition('.')[0])\n"
        "        if have and not have & {*listed, 'butaca'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Only())\n"
        "import butaca.cli.app, butaca.serve.app, butaca.serve.server, butaca.events.store\n"
        "import butaca.recommend.map, butaca.recommend.projection, psycopg\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
