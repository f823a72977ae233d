"""What an amount is worth is chosen where nobody says it, and kept as if it had been said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from butaca import read_table
from butaca.choose.curves import CURVES, choose_curve, is_open, weighed
from butaca.choose.slices import ValidationSlice
from butaca.data.dataset import Dataset
from butaca.data.signal import Signal
from butaca.recipes import DEFAULT
from butaca.workflows.choosing import Choosing
from butaca.workflows.fitting import fit
from butaca.workflows.loading import Columns
from butaca.workflows.plans import FitPlan
from tests.support.narrow import some

PLAYS = Signal(weight_column="plays")


def rows(*, told: bool) -> dict[str, list[object]]:
    """Returns plays of listeners: 8 songs of their kind, 25 of all; the amounts tell which, or nothing."""
    rng = np.random.default_rng(1)
    out: dict[str, list[object]] = {"user": [], "song": [], "plays": []}
    for user in range(160):
        own = rng.choice(20, 8, replace=False) + 20 * (user % 4)
        others = rng.choice(np.setdiff1d(np.arange(80), own), 25, replace=False)
        for song in [*own.tolist(), *others.tolist()]:
            liked = song in own if told else rng.random() < 0.5
            out["user"].append(f"u{user}")
            out["song"].append(f"s{song:02d}")
            out["plays"].append(int(rng.integers(30, 60)) if liked else 1)
    return out


def songs(signal: Signal, *, told: bool = True) -> Dataset:
    return read_table(rows(told=told), signal=signal, duplicates="last")


@pytest.mark.parametrize("curve", ["sqrt", "linear", "one"])
def test_weights_of_one_curve_become_those_of_another(curve):
    by_log = songs(PLAYS)
    again = weighed(by_log, curve, signal=PLAYS)
    expected = songs(replace(PLAYS, curve=curve))
    if expected.weight is None:
        assert again.weight is None
    else:
        np.testing.assert_allclose(some(again.weight), expected.weight, rtol=1e-4)


def test_only_where_amounts_of_one_kind_are_left_open():
    data = songs(PLAYS)
    assert is_open(data, PLAYS)
    assert not is_open(data, None)
    assert not is_open(replace(data, weight=None), PLAYS)
    for said in (
        Signal(),
        Signal(weight_column="plays", curve="log"),
        Signal(weight_column="plays", repeats="mean"),
        Signal(weight_column="plays", event_column="kind", events={"view": 0.3}),
    ):
        assert not is_open(data, said)


def test_the_default_stays_unless_another_is_better_by_more_than_noise():
    """Where one play is by chance and forty are not, a steeper curve hears less of chance."""
    steps: list[str] = []
    part = ValidationSlice.of(songs(PLAYS), "random")
    found = choose_curve(part, PLAYS, form="ridge", advance=lambda: steps.append("on"))
    assert found.curve in {"sqrt", "linear"}
    assert found.values[found.curve] > found.values["log"] > found.values["one"]
    assert len(steps) == len(CURVES)
    assert f"--weight-curve {found.curve}, better by more than noise" in found.sentence
    silent = ValidationSlice.of(songs(PLAYS, told=False), "random")
    kept = choose_curve(silent, PLAYS, form="ridge")
    assert kept.curve == "log"
    assert "(--weight-curve log)" in kept.sentence


def test_a_fit_is_that_of_the_curve_it_chose():
    base = replace(DEFAULT, steps=4)
    choosing = Choosing("normal", base=base, signal=PLAYS)
    fitted = fit(songs(PLAYS), base, split="none", signal=PLAYS, choosing=choosing)
    about = fitted.recommender.about
    curve = about["choice"]["curve"]["curve"]
    assert curve in {"sqrt", "linear"}
    assert about["signal"] == {"weight_column": "plays", "curve": curve}
    assert [n for n in fitted.notes if "--weight-curve" in n] == [about["choice"]["curve"]["sentence"]]
    expected = songs(replace(PLAYS, curve=curve))
    np.testing.assert_allclose(some(fitted.train.weight), some(expected.weight), rtol=1e-4)


def test_a_plan_leaves_the_curve_to_validation_but_for_events():
    columns = Columns(signal=PLAYS)
    assert FitPlan("plays.csv", columns=columns).choosing(None).signal == PLAYS
    assert FitPlan("plays.csv", columns=columns, from_events="e.db").choosing(None).signal is None


def test_what_was_said_is_kept():
    data = songs(replace(PLAYS, curve="log"))
    base = replace(DEFAULT, steps=4)
    signal = replace(PLAYS, curve="log")
    fitted = fit(
        data, base, split="none", signal=signal, choosing=Choosing("normal", base=base, signal=signal)
    )
    assert "curve" not in fitted.recommender.about["choice"]
    np.testing.assert_array_equal(some(fitted.train.weight), some(data.weight))
