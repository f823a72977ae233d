"""What is wrong with a plan is said before anything is read: the rule, what was received, the cure."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from butaca.cli.app import app
from butaca.data.dataset import Dataset
from butaca.errors import ButacaError
from butaca.referee import peers
from butaca.referee.field import FIELD, how_to_get, named
from butaca.referee.peers.named import LIBRARIES, PEERS, PeerFit
from butaca.referee.plan import PAGE, RefereePlan
from butaca.referee.protocols import ProtocolName, held_out
from butaca.referee.run import Assignment, outing
from tests.support.boards import checkerboard
from tests.support.contestants import ABSENT, POPULAR


@pytest.mark.parametrize(
    ("arguments", "rule", "cure"),
    [
        ({"protocols": ["daily"]}, "A protocol is one of random, user, last, temporal", "Correct the name"),
        ({"models": ["BERT"]}, "A model is one of popular, absent ALS", "Correct the name"),
        ({"models": ["Absent als"]}, "has its library installed", "pip install no_such_library"),
        ({"seeds": 0}, "seeds is at least 1", "Try"),
        ({"trials": 2.5}, "trials is a whole number", ""),
        ({"test_share": 1.0}, "test share lies between 0 and 1", "Try"),
        ({"source": ""}, "The referee judges on a table", "--data FILE"),
    ],
)
def test_a_wrong_plan_is_refused(arguments: dict[str, Any], rule: str, cure: str) -> None:
    with pytest.raises(ButacaError) as caught:
        RefereePlan(**{"source": "ml-100k", "contestants": (POPULAR, ABSENT), **arguments})
    assert rule in caught.value.rule
    assert cure in caught.value.cure
    assert caught.value.received


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    plan = RefereePlan("nowhere.csv", tmp_path)
    plan.check_places()
    (tmp_path / PAGE).touch()
    plan.check_places()
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ButacaError, match="new folder, or over what it wrote"):
        plan.check_places()
    with pytest.raises(ButacaError, match="out is a folder"):
        RefereePlan("nowhere.csv", tmp_path / "thesis.tex").check_places()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.csv", "--data", "b.csv"], "A source is told once"),
        ([], "The referee judges on a table"),
        (["ml-100k", "--protocol", "daily"], "A protocol is one of"),
        (["ml-100k", "--model", "BERT"], "A model is one of butaca, butaca quick, popularity"),
        (["--data", "nowhere.csv", "--out", "{}"], "nowhere.csv"),
    ],
)
def test_the_command_says_so_too(words: list[str], said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["referee", *(word.format(tmp_path / "out") for word in words)])
    assert isinstance(done.exception, ButacaError)
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_the_first_that_is_named_is_compared_with_and_names_are_read_in_any_case() -> None:
    plan = RefereePlan("x", models=["ease", "Popularity", "ease"])
    assert [one.name for one in plan.entering] == ["EASE", "popularity"]
    assert plan.not_there == {}
    assert plan.all_seeds == [42]
    assert RefereePlan("x", seeds=3).all_seeds == [42, 1, 2]


def test_everyone_who_is_there_enters_unasked() -> None:
    plan = RefereePlan("x", contestants=(POPULAR, ABSENT))
    assert plan.entering == [POPULAR]
    assert list(plan.not_there) == ["absent ALS"]


def test_every_baseline_of_the_panel_is_in_the_field() -> None:
    from butaca.baselines.panel import fit_panel

    panel = fit_panel(checkerboard(), "last")
    assert {*panel.scorers, *panel.left_out} == {one.name for one in FIELD if not one.library} - {
        "butaca",
        "butaca quick",
    }


def test_every_peer_has_its_function_and_a_way_to_get_it() -> None:
    assert len({one.name for one in FIELD}) == len(FIELD)
    folder = Path(peers.__file__).parent
    for peer in PEERS:
        assert isinstance(peer.fit, PeerFit)
        assert peer.library in LIBRARIES
        assert how_to_get(peer) == f"pip install {LIBRARIES[peer.library]}"
        tree = ast.parse((folder / f"{peer.fit.module}.py").read_text(encoding="utf-8"))
        assert peer.fit.function in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
        assert set(peer.space) <= set(peer.start)


@pytest.mark.parametrize("name", ["item-kNN", "iALS", "EASE", *(peer.name for peer in PEERS)])
def test_whoever_is_installed_learns_the_board(name: str) -> None:
    """Peers are in no requirements: their part runs where somebody installed them."""
    (contestant,) = named([name])
    if contestant.library and find_spec(contestant.library) is None:
        pytest.skip(f"{contestant.library} is not installed")
    data: Dataset = checkerboard(60, 24)
    protocols: tuple[ProtocolName, ...] = ("random", "user")
    for protocol in protocols:
        if not contestant.unfit_for(protocol, timed=True):
            held = held_out(data, protocol, share=0.2, seed=42)
            found = outing(Assignment(contestant, held, 42, 2))
            assert found.failure == ""
            assert found.evaluation is not None
            assert found.evaluation.metric("ndcg") > 0.55
            assert found.tried == 2
