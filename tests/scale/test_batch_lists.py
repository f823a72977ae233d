"""butaca batch: every user's list, once, the same as `recommend`, the same bytes whoever writes it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from butaca.baselines.item_knn import ItemKNN
from butaca.cli.app import app
from butaca.data.negatives import Negatives
from butaca.errors import BundleError, ClusterError, SettingError, TableError
from butaca.rank.fit import fit_ranker
from butaca.rank.settings import RankSettings
from butaca.recommend.recommender import Recommender
from butaca.scale.batch import ListSettings, write_lists
from butaca.scale.pool import Here, local_runner
from tests.support.boards import checkerboard
from tests.support.lists import contents, made, rows_of


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return made(checkerboard(50, 16), n_unknown=3).save(tmp_path_factory.mktemp("m") / "model")


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_lists_are_those_of_recommend(model, tmp_path, exclude_seen):
    write_lists(model, tmp_path / "l", settings=ListSettings(5, exclude_seen, part=13), runner=Here())
    assert len(contents(tmp_path / "l")) == 4 + 1  # 13 + 13 + 13 + 11 users, and the manifest
    found, recommender = rows_of(tmp_path / "l"), Recommender.load(model)
    assert list(found) == recommender.users.ids.values.tolist()
    sources = set()
    for user, listed in found.items():
        answer = recommender.recommend(user, 5, exclude_seen=exclude_seen)
        sources.add(answer.source)
        assert [item for item, _ in listed] == [item.id for item in answer.items]
        assert [score for _, score in listed] == pytest.approx(
            [i.score for i in answer.items], rel=1e-5, abs=1e-6
        )
    assert sources == {"user", "popularity"}


def test_a_user_known_by_features_alone_gets_what_these_say(tmp_path):
    recommender = made(checkerboard(20, 16), n_unknown=2, user_features=("parity",))
    write_lists(recommender.save(tmp_path / "m"), tmp_path / "l", settings=ListSettings(3))
    answer = recommender.recommend("u19", 3)
    assert answer.source == "features"
    assert [item for item, _ in rows_of(tmp_path / "l")["u19"]] == [item.id for item in answer.items]


def test_k_beyond_what_is_left_gives_what_is_left(model, tmp_path):
    """Of 16 items a user of the checkerboard has had 7: its parity's 8 but one."""
    done = write_lists(model, tmp_path / "l", settings=ListSettings(100))
    lengths = {user: len(listed) for user, listed in rows_of(tmp_path / "l").items()}
    assert lengths == {f"u{u:02d}": 9 if u < 47 else 16 for u in range(50)}
    assert (done["n_rows"], done["n_users"]) == (47 * 9 + 3 * 16, 50)


def test_two_stages_as_recommend_unless_the_first_is_asked_for(tmp_path):
    data = checkerboard(40, 20)
    n = np.arange(len(data))
    data = replace(data, value=(n * 7 % 5 + 1).astype(np.float32), timestamp=n * 3600)
    settings = RankSettings(rounds=8, least=5, n_folds=3, held_out=0.3, candidates=10)
    ranker = fit_ranker(
        data, lambda train: ItemKNN().fit(train), first=ItemKNN().fit(data), settings=settings
    )
    recommender = made(data, ranker=ranker)
    folder = recommender.save(tmp_path / "m")
    assert write_lists(folder, tmp_path / "two", settings=ListSettings(6, part=16))["stages"] == 2
    assert write_lists(folder, tmp_path / "one", settings=ListSettings(6, rank=False))["stages"] == 1
    two, one = rows_of(tmp_path / "two"), rows_of(tmp_path / "one")
    assert two != one
    for user in recommender.users.ids.values.tolist():
        answer = recommender.recommend(user, 6)
        assert two[user] == [(item.id, pytest.approx(item.score, rel=1e-6)) for item in answer.items]
        assert [i for i, _ in one[user]] == [i.id for i in recommender.recommend(user, 6, rank=False).items]
    people = [*recommender.users.ids.values.tolist()[:12], "nobody"]
    for user, many in zip(people, recommender.recommend_many(people, 6), strict=True):
        assert many.items == recommender.recommend(user, 6).items  # as `butaca recommend --user` asks


def test_same_bytes_whoever_writes(model, tmp_path):
    asked = ListSettings(7, part=11)
    steps = []
    write_lists(
        model, tmp_path / "here", settings=asked, runner=Here(), progress=lambda *step: steps.append(step)
    )
    assert steps == [("lists", n, 5) for n in range(1, 6)]
    with local_runner(2) as pool:
        write_lists(model, tmp_path / "pool", settings=asked, runner=pool)
    assert contents(tmp_path / "here") == contents(tmp_path / "pool")


class Twice(Here):
    """Every task is run, and run again as if its first worker had died before it could tell."""

    def map(self, function, tasks):
        for task in tasks:
            function(task)
            yield function(task)


def test_a_task_that_runs_again_changes_nothing(model, tmp_path):
    write_lists(model, tmp_path / "once", settings=ListSettings(4, part=20), runner=Here())
    write_lists(model, tmp_path / "twice", settings=ListSettings(4, part=20), runner=Twice())
    assert contents(tmp_path / "once") == contents(tmp_path / "twice")


def test_a_lost_task_is_no_list(model, tmp_path):
    class Forgetful(Here):
        def map(self, function, tasks):
            results = [function(task) for task in tasks]
            return iter([*results[:-1], replace(results[-1], users=0)])

    with pytest.raises(ClusterError, match=r"Every user has a list\. Received: 40 of 50"):
        write_lists(model, tmp_path / "l", settings=ListSettings(4, part=20), runner=Forgetful())
    assert not (tmp_path / "l").exists()


def test_a_model_that_changes_meanwhile_is_refused(tmp_path):
    folder = made(checkerboard(20, 16)).save(tmp_path / "m")

    class Meddling(Here):
        def map(self, function, tasks):
            made(checkerboard(20, 18)).save(folder)
            return (function(replace(task, version="0" * 12)) for task in tasks)

    with pytest.raises(BundleError, match="A model stays the same"):
        write_lists(folder, tmp_path / "l", runner=Meddling())
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_what_is_refused(model, tmp_path, monkeypatch):
    wrongs: list[dict[str, Any]] = [{"k": 0}, {"part": 0}]
    for wrong in wrongs:
        with pytest.raises(SettingError, match="at least one"):
            ListSettings(**wrong)
    with pytest.raises(TableError, match="holds something else"):
        write_lists(model, model)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        write_lists(tmp_path / "nowhere", tmp_path / "l")
    run = CliRunner()
    asked = ["batch", str(model), "--out", str(tmp_path / "l")]
    done = run.invoke(app, [*asked, "--address", "127.0.0.1:6379"])
    assert isinstance(done.exception, SettingError)
    assert "Add --engine ray" in str(done.exception)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    done = run.invoke(app, [*asked, "--engine", "ray"])
    assert isinstance(done.exception, SettingError)
    assert "pip install 'butaca[ray]'" in str(done.exception)


def test_the_command_needs_no_jax(model, tmp_path):
    code = (
        "import sys; sys.modules['jax'] = sys.modules['ray'] = None; from butaca.cli.app import main; main()"
    )
    command = ["batch", str(model), "--out", str(tmp_path / "l"), "-k", "3", "--workers", "1"]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert "150 rows for 50 users" in done.stdout
    assert len(rows_of(tmp_path / "l")) == 50


def test_who_only_said_no_has_a_list_without_it(tmp_path):
    """u00 had nothing and refused what most people had; u01 had nothing and refused nothing."""
    board = checkerboard()
    kept = board.take(np.flatnonzero(board.user > 1))
    popular = int(np.bincount(kept.item).argmax())
    no = Negatives(np.zeros(1, np.int32), np.full(1, popular, np.int32))
    folder = made(replace(kept, negatives=no)).save(tmp_path / "m")
    write_lists(folder, tmp_path / "l", settings=ListSettings(16), runner=Here())
    items = {user: {item for item, _ in row} for user, row in rows_of(tmp_path / "l").items()}
    assert items["u01"] - items["u00"] == {f"i{popular:02d}"}
