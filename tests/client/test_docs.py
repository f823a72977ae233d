"""The blocks of docs/clients.md run, on a service of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.serving import listening, running_app

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"


def test_the_python_block_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    with running_app(tmp_path) as app, listening(app) as url:
        code = block.replace("http://127.0.0.1:8000", url).replace("Toy Story (1995)", "Film 0 (1950)")
        space: dict[str, object] = {}
        exec(compile(code, "docs/clients.md", "exec"), space)
    assert space["chosen"] in {f"i{n:02d}" for n in range(2, 16, 2)}


def test_the_names_of_the_methods_are_those_of_the_client() -> None:
    from butaca.client import Client

    text = PAGE.read_text(encoding="utf-8")
    (said,) = re.findall(r"one for each route: (.*?)\.", text, flags=re.S)
    methods = {name for name in vars(Client) if not name.startswith("_")} - {"close"}
    assert set(re.findall(r"`(\w+)`", said)) == methods
