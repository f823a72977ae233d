"""A choice reads the training side alone, is settled by counts, and gives what it judged."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from butaca import Recommender
from butaca.choose import counted
from butaca.choose.choice import choose
from butaca.choose.chosen import Chosen
from butaca.choose.closed_forms import AXES, KEPT, STARTS, n_tried, search
from butaca.choose.mixture import Mixture, PairKind, Scores, best_mixture
from butaca.choose.portfolio import BAGS, ORDERS, drawn, members
from butaca.choose.search import Search
from butaca.choose.slices import ValidationSlice
from butaca.cli.app import app
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.model import ridge
from butaca.model.neighbours import NeighbourSettings
from butaca.model.query import QueryTower
from butaca.model.spectral import closed_form, decompose
from butaca.recipes import DEFAULT
from butaca.recipes.size import PLACES_TIMES_DIM
from butaca.serve.version_facts import entry, model_info
from butaca.workflows.carrying import Watching, carry_out_fit
from butaca.workflows.choosing import Choosing, chosen_for
from butaca.workflows.plans import FitPlan
from butaca.workflows.recipe_choice import RecipeChoice
from tests.support.boards import checkerboard
from tests.support.narrow import some

#: The recipe that learns in few steps.
SHORT = replace(DEFAULT, steps=8)


@pytest.fixture(scope="module")
def wide_board() -> Dataset:
    return checkerboard(60, 24)


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def choice(wide_board: Dataset, told: list[str]) -> Chosen:
    return choose(SHORT, wide_board, advance=lambda: told.append("on"))


def test_it_halves_the_field_and_tells_each_step(choice: Chosen, wide_board: Dataset, told: list[str]):
    of = Search()
    assert of.rungs(wide_board) == [(0.25, 4), (0.5, 2), (1.0, 1)]
    assert len(told) == of.steps(wide_board) == 4 + 2 + 1 + n_tried("ridge", True)
    assert [t.name for t in choice.tried[:4]] == [m.name for m in BAGS]
    assert [t.epochs for t in choice.tried[:7]] == [2, 2, 2, 2, 4, 4, 8]
    first = sorted(choice.tried[:4], key=lambda t: -t.value)
    assert {t.name for t in choice.tried[4:6]} == {t.name for t in first[:2]}
    # a quarter of all four, two of which are twice as wide; a quarter of two; and half of one
    assert of.fits(wide_board) == pytest.approx(0.25 * 6 + 0.25 * 4 + 0.5 * 2)


def test_who_reads_an_order_begins_anew_and_one_of_four_goes_on(wide_board: Dataset):
    of = Search("last")
    assert of.rungs(wide_board) == [(0.25, 4), (1.0, 1)]
    # a quarter of all four, one of them twice as wide; then at most that one, whole
    assert of.fits(wide_board) == pytest.approx(0.25 * 5 + 1.0 * 2)


def test_what_it_gives_is_as_good_as_it_said(choice: Chosen, wide_board: Dataset):
    part = ValidationSlice.of(wide_board, "random")
    again = choice.recipe.model
    assert again.trusted_from == choice.tried[-1].mixture.trusted_from
    model, _ = choice.recipe.fit(part.train)
    # on the same side it is the same towers; the closed form's scale is that of other users
    assert part.value(model) == pytest.approx(choice.value, rel=0.05)
    assert choice.value >= max(choice.closed.value * 0.9, 0.5)


def test_the_same_data_choose_the_same(choice: Chosen, wide_board: Dataset):
    assert choose(SHORT, wide_board) == choice


def test_nothing_of_the_test_side_is_read(choice: Chosen, wide_board: Dataset):
    """Users and items that only the test side has leave every figure as it was."""
    part = ValidationSlice.of(wide_board, "random")
    pairs = {(int(u), int(i)) for u, i in zip(part.train.user, part.train.item, strict=True)}
    held = {(int(u), int(i)) for u, i in zip(part.validation.user, part.validation.item, strict=True)}
    assert not pairs & held
    assert len(pairs) + len(held) == len(wide_board)


def test_it_is_told_and_kept(choice: Chosen):
    assert choice.name in choice.sentence
    kept = choice.as_json()
    assert json.loads(json.dumps(kept)) == kept
    assert len(kept["tried"]) == len(choice.tried)


def test_a_field_follows_the_split_and_what_was_asked():
    assert members("random", timed=True) is BAGS
    assert members("last", timed=True) is ORDERS
    assert members("last", timed=False) is BAGS
    assert members("last", timed=True, order="none") is BAGS
    assert {m.order for m in members("random", timed=True, order="attention")} == {"attention"}


def test_further_trials_are_drawn_by_the_seed():
    field = drawn(BAGS, 9, seed=1)
    assert list(field[:4]) == list(BAGS)
    assert len(field) == 9
    assert field == drawn(BAGS, 9, seed=1) != drawn(BAGS, 9, seed=2)
    assert all(0.08 <= m.temperature <= 0.45 for m in field[4:])
    assert drawn(BAGS, 2, seed=1) == list(BAGS)


@pytest.mark.parametrize("form", ["ridge", "filter"])
def test_a_closed_form_is_no_worse_than_where_it_began(form, wide_board: Dataset):
    part = ValidationSlice.of(wide_board, "random")
    found, scores = search(part, form)
    alone = part.value(part.rows(scores.tower))
    assert alone <= found.value if form == "ridge" else alone == found.value  # pairs count where they help
    assert found.settings.pairs == (KEPT if form == "ridge" else 0)
    assert found.tried == n_tried(form, True)
    moved = {name for name, _ in AXES[form]} | {"history_power", "candidate_power", "pairs"}
    assert all(getattr(found.settings, n) == v for n, v in vars(STARTS[form]).items() if n not in moved)


def test_a_mixture_by_hand(wide_board: Dataset):
    scores = Scores(
        np.array([[1.0, 0.0]], np.float32),
        np.array([[0.0, 2.0]], np.float32),
        np.array([0.5, 0.0], np.float32),
        np.array([4.0], np.float32),
        trust_power=0.5,
    )
    mixed = scores.mixed(Mixture(weight=0.5, trusted_from=16, personal=2.0))
    # trust (4 / 16) ** .5 = .5 times 2 leaves the parts as they are
    np.testing.assert_allclose(mixed, [[1.5, 1.0]])
    paired = replace(scores, pairs={PairKind(): np.array([[0.0, 4.0]], np.float32)})
    np.testing.assert_allclose(paired.mixed(Mixture(weight=0.5, pairs=0.25)), [[1.5, 2.0]])
    np.testing.assert_allclose(paired.mixed(Mixture(weight=0.5)), [[1.5, 1.0]])
    part = ValidationSlice.of(wide_board, "random")
    noise = np.random.default_rng(0).normal(size=(len(part.users), 24)).astype(np.float32)
    right = np.array([[float(u % 2 == i % 2) for i in range(24)] for u in part.users], np.float32)
    lengths, none = part.lengths.astype(np.float32), np.zeros(24, np.float32)
    best, value = best_mixture(part, Scores(noise, right * 2, none, lengths, trust_power=0.75))
    assert best.weight >= 2.5
    assert value > 0.3


def test_few_or_many_interactions_choose_nothing(board: Dataset, monkeypatch: pytest.MonkeyPatch):
    few = board.take(np.arange(50))
    assert chosen_for(DEFAULT, few, split="random", choosing=Choosing("quick")) == (None, [])
    nothing, said = chosen_for(DEFAULT, few, split="random", choosing=Choosing("normal"))
    assert nothing is None
    assert "50 interactions are too few" in said[0]
    monkeypatch.setattr("butaca.workflows.choosing.MOST", 10)
    monkeypatch.setattr("butaca.workflows.choosing.FEWEST", 1)
    assert "too many" in chosen_for(DEFAULT, few, split="random", choosing=Choosing("normal"))[1][0]


def test_a_tower_trains_on_to_the_bits_of_one_fit(board: Dataset):
    recipe = replace(SHORT.for_data(board), epochs=6)
    whole, _ = recipe.fit(board)
    parts, _ = replace(recipe, epochs=2).fit(board)
    parts.train_on(6)
    assert np.array_equal(whole.user_vectors, parts.user_vectors)
    assert np.array_equal(whole.item_vectors, parts.item_vectors)


def test_the_command_says_what_it_will_do_and_what_it_chose(wide_board: Dataset, tmp_path: Path):
    users, items = wide_board.users.ids.decode(wide_board.user), wide_board.items.ids.decode(wide_board.item)
    rows = [f"{user},{item}" for user, item in zip(users, items, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(["user_id,item_id", *rows]) + "\n")
    plan = FitPlan(str(tmp_path / "rows.csv"), tmp_path / "m", split="none")
    heard: list[str] = []

    class Watch:
        def begin(self, text: str, total: int) -> None:
            heard.append(text)

        def advance(self) -> None:
            heard.append("on")

        def end(self) -> None:
            heard.append("end")

    fitted = carry_out_fit(plan, Watching(choice=Watch()))
    choice = some(fitted.choice)
    assert "4 configurations" in heard[0]
    assert "times the training of one" in heard[0]
    assert heard[-1] == "end"
    assert choice.sentence in fitted.notes
    run = CliRunner().invoke(app, ["inspect", str(tmp_path / "m")])
    assert choice.name in run.output
    about = Recommender.load(tmp_path / "m").about
    assert about["choice"]["name"] == choice.name
    loaded = entry("m", "v", about=dict(about), second_stage=None)
    told = {"name": choice.name, "value": choice.value, "closed_form": choice.closed.value}
    assert model_info(loaded)["chosen"] == told
    assert about["model"]["temperature"] == choice.recipe.model.temperature


@pytest.mark.parametrize("settled", [RecipeChoice(epochs=1), RecipeChoice("notebook"), RecipeChoice(dim=4)])
def test_what_is_settled_is_not_searched(settled: RecipeChoice):
    assert FitPlan("r.csv", recipe=settled).choosing(None).effort == "quick"
    assert FitPlan("r.csv").choosing(None).effort == "normal"
    with pytest.raises(SettingError, match="or they are given"):
        FitPlan("r.csv", recipe=settled, effort="normal")
    with pytest.raises(SettingError, match="at least one trial"):
        FitPlan("r.csv", effort="thorough", trials=0)
    with pytest.raises(SettingError, match="quick, normal or thorough"):
        FitPlan("r.csv", effort="fast")  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["random", "last"])
@pytest.mark.parametrize("order", [None, "timescales", "none"])
def test_an_order_that_is_asked_for_is_searched_within(split, order, board: Dataset):
    """What is fitted where nothing is chosen reads the order of the split, or the one that was asked for."""
    plan = FitPlan("r.csv", split=split, recipe=RecipeChoice(order=order))
    choosing = plan.choosing(None)
    base = some(choosing.base)
    assert base.model.order is None
    assert base.model.spectral is not None
    field = Search(split, choosing.order).field(board)
    wanted = {
        (None, "random"): {None},
        (None, "last"): {"timescales", None},
        ("timescales", "random"): {"timescales"},
        ("timescales", "last"): {"timescales"},
    }
    assert {m.order for m in field} == wanted.get((order, split), {None})
    left = plan.recipe.recipe(split=split)
    few = board.take(np.arange(50))
    assert chosen_for(left, few, split=split, choosing=choosing)[0] is None
    by_split = "timescales" if split == "last" else None
    assert left.model.order == (by_split if order is None else None if order == "none" else order)


@pytest.mark.parametrize("order", ["timescales", "attention"])
def test_a_wider_tower_in_order_keeps_its_steps_small(order, wide_board: Dataset):
    """A step's places times their dimensions stay what machine code takes, however wide a member is."""
    for member in drawn(members("last", timed=True, order=order), 8, seed=3):
        made = member.recipe(DEFAULT, wide_board, future=True, closed=STARTS["ridge"])
        assert made.batch_size * made.model.dim <= PLACES_TIMES_DIM


def test_a_search_shares_an_inverse_and_finds_what_a_fit_will(wide_board: Dataset):
    part = ValidationSlice.of(wide_board, "random")
    found, scores = search(part, "ridge")
    train = part.train
    spectrum = decompose(
        train.user, train.item, time=train.timestamp, n_items=24, dim=0, settings=found.settings
    )
    table, candidates = closed_form(spectrum, found.settings)
    alone = QueryTower(np.zeros((1, 0), np.float32), head=table)(part.users, part.seen) @ candidates.T
    np.testing.assert_array_equal(alone, scores.tower)
    added = some(spectrum.pairs).scores(part.users, part.seen)
    np.testing.assert_array_equal(added, some(scores.pairs))


def twins(n: int, *, n_users: int) -> Dataset:
    """Returns users who each had both of three of n pairs of items, 2 i and 2 i + 1."""
    rng = np.random.default_rng(4)
    pairs = np.array([rng.choice(n, 3, replace=False) for _ in range(n_users)])
    item = np.concatenate([2 * pairs, 2 * pairs + 1], axis=1).ravel().astype(np.int32)
    users = Entities("user_id", Vocabulary(np.arange(n_users)))
    items = Entities("item_id", Vocabulary(np.arange(2 * n)))
    return Dataset(users, items, np.repeat(np.arange(n_users, dtype=np.int32), 6), item)


def test_pairs_are_chosen_where_items_go_two_by_two():
    """Each item has a twin that its users have too, and nothing else tells items apart.

    Four hundred pairs of twins are as many dimensions: what a few leave out, single pairs say.
    """
    data = twins(400, n_users=2000)
    chosen = choose(replace(DEFAULT, steps=8), data, search=Search(only=BAGS[:1]))
    assert chosen.tried[-1].mixture.pairs > 0
    assert "strongest pairs of each item" in chosen.sentence
    spectral = some(chosen.recipe.model.spectral)
    assert (spectral.pairs, spectral.pairs_weight) == (KEPT, chosen.tried[-1].mixture.pairs)
    model, _ = chosen.recipe.fit(data)
    tower = model.query_tower
    own = some(tower.pairs)
    spoken_for = [own.item[own.start[i] : own.start[i + 1]] for i in range(800)]
    weights = [own.weight[own.start[i] : own.start[i + 1]] for i in range(800)]
    best = [int(t[w.argmax()]) if len(t) else -1 for t, w in zip(spoken_for, weights, strict=True)]
    assert np.mean([b == i ^ 1 for i, b in enumerate(best)]) > 0.95


def test_neighbours_are_chosen_where_the_closed_form_sees_a_part_of_the_catalogue(monkeypatch):
    """Six hundred pairs of twins are more than its dimensions, or the items that it is over, can say."""
    monkeypatch.setattr(ridge, "RIDGE_ITEMS", 100)
    monkeypatch.setattr(counted, "RIDGE_ITEMS", 100)
    monkeypatch.setattr(ridge, "OUTSIDE_PAIRS", 0)
    data = twins(600, n_users=2400)
    chosen = choose(replace(DEFAULT, steps=8), data, search=Search(only=BAGS[:1]))
    mixture = chosen.tried[-1].mixture
    assert (mixture.pairs > 0, mixture.pairs_of, mixture.half_life) == (True, "neighbours", 0.0)
    assert "what its nearest neighbours say of each item" in chosen.sentence
    model = chosen.recipe.model
    assert model.neighbours == NeighbourSettings(weight=mixture.pairs)
    assert some(model.spectral).pairs == 0
    fitted, _ = chosen.recipe.fit(data)
    own = some(fitted.query_tower.pairs)
    spoken_for = [own.item[own.start[i] : own.start[i + 1]] for i in range(1200)]
    assert np.mean([i ^ 1 in of_one for i, of_one in enumerate(spoken_for)]) > 0.95


def test_what_followed_is_chosen_where_items_come_one_after_another():
    """After an item comes the one that follows it in a ring: who had what with what is not enough."""
    rng = np.random.default_rng(5)
    ring, firsts = rng.permutation(300), np.array([rng.choice(300, 3, replace=False) for _ in range(800)])
    item = np.stack([ring[firsts], ring[(firsts + 1) % 300]], axis=2).ravel().astype(np.int32)
    user, time = np.repeat(np.arange(800, dtype=np.int32), 6), np.tile(np.arange(6) * 3600, 800)
    users = Entities("user_id", Vocabulary(np.arange(800)))
    items = Entities("item_id", Vocabulary(np.arange(300)))
    data = Dataset(users, items, user, item, timestamp=time)
    chosen = choose(replace(DEFAULT, steps=8), data, search=Search(split="last", only=BAGS[:1]))
    mixture = chosen.tried[-1].mixture
    assert mixture.pairs > 0
    assert (mixture.pairs_of, mixture.half_life) == ("followers", 1.0)
    assert "what followed upon what" in chosen.sentence
    assert json.loads(json.dumps(chosen.as_json()))["tried"][-1]["half_life"] == 1.0
    wanted = some(chosen.recipe.model.followers)
    assert (wanted.weight, wanted.half_life) == (mixture.pairs, 1.0)
    assert some(chosen.recipe.model.spectral).pairs == 0
    model, _ = chosen.recipe.fit(data)
    own = some(model.query_tower.pairs)
    spans = list(itertools.pairwise(own.start.tolist()))
    best = np.array([int(own.item[a:b][own.weight[a:b].argmax()]) for a, b in spans])
    assert np.mean(best[ring] == np.roll(ring, -1)) > 0.95


def test_more_users_judge_where_each_has_one_pair_to_find():
    board = checkerboard(4_500, 26)
    board = replace(board, timestamp=np.arange(len(board)))
    last, some = (ValidationSlice.of(board, split) for split in ("last", "random"))
    assert len(last.users) == len(last.validation) == 4_000
    assert len(some.users) == 1_000 < len(some.validation)
