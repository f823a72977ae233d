"""The container's files: nobody's rights, what is copied exists, and a service that the commands take."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any

import pytest
from docs import reference
from release.contents import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
OPTIONS = {
    " ".join(names[1:]): {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    for names, command in reference.commands()
}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.M))
    return [(line.split()[0], line.partition(" ")[2]) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = import_module("yaml").safe_load(text)["services"]
    return found


def test_what_is_copied_exists_and_goes_to_the_builder() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8")
    assert ignored == (ROOT / ".dockerignore").read_text(encoding="utf-8")
    sent = set(re.findall(r"^!(\S+)$", ignored, flags=re.M))
    copied = [
        words.split()[:-1] for name, words in instructions() if name == "COPY" and "--from" not in words
    ]
    for path in [path for paths in copied for path in paths]:
        assert (ROOT / path).exists(), path
        assert path.split("/")[0] in sent, path


def test_everything_that_is_installed_has_a_hash_and_nothing_runs_as_root() -> None:
    found = instructions()
    installs = re.findall(
        r"pip [^&]*?install[^&]*", " ".join(words for name, words in found if name == "RUN")
    )
    assert len(installs) == 3
    assert all("--require-hashes" in one or "--no-deps /wheels/" in one for one in installs)
    last = [name for name, _ in found[max(i for i, (name, _) in enumerate(found) if name == "FROM") :]]
    assert "RUN" not in last, "the image has what the first stage made, and nothing else"
    (user,) = [words for name, words in found if name == "USER"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    (check,) = [words for name, words in found if name == "HEALTHCHECK"]
    assert "/health/ready" in check


def test_the_commands_are_those_of_butaca(services: dict[str, Any]) -> None:
    (given,) = [json.loads(words) for name, words in instructions() if name == "CMD"]
    for words in (given, services["butaca"]["command"], services["keys"]["command"]):
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        command = "keys add" if words[0] == "keys" else words[0]
        assert options <= OPTIONS[command], words


def test_the_service_can_not_write_and_waits_for_its_database(services: dict[str, Any]) -> None:
    for name in ("butaca", "keys"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["depends_on"] == {"database": {"condition": "service_healthy"}}
    (check,) = [words for name, words in instructions() if name == "HEALTHCHECK"]
    assert services["butaca"]["healthcheck"]["test"][1:] == json.loads(check.partition("CMD ")[2])
    assert services["butaca"]["ports"] == ["127.0.0.1:8000:8000"]
    assert services["butaca"]["volumes"] == ["./model:/model:ro"]
