"""This module chooses a configuration by successive halving (Jamieson and Talwalkar 2016), on a slice.

First the closed forms, which take no training. Then the portfolio's towers train for a quarter of their
epochs; the better half goes on to one half, and the best of those to the end. A tower is judged with the
closed form beside it at its best weight, as it would answer. What is done is settled by counts, never by the
clock: the same seed chooses the same on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from butaca.choose.chosen import Chosen, Tried
from butaca.choose.closed_forms import FormScores, FoundForm, best_closed, forms
from butaca.choose.counted import counted_scores
from butaca.choose.curves import choose_curve, is_open, weighed_slice
from butaca.choose.mixture import Mixture, PairKind, Scores, best_mixture
from butaca.choose.newcomers import ForNewcomers, for_newcomers
from butaca.choose.portfolio import Member
from butaca.choose.search import Search
from butaca.choose.slices import ValidationSlice
from butaca.data.dataset import Dataset
from butaca.data.splits import COMES_NEXT
from butaca.errors import DivergenceError
from butaca.model.followers import FollowerSettings
from butaca.model.neighbours import NeighbourSettings
from butaca.model.spectral_settings import SpectralSettings
from butaca.recipes import Recipe
from butaca.recipes.size import sampling
from butaca.train.blend import Blend, best_blend
from butaca.two_tower import TwoTower
from butaca.types import Floats

#: Scores of users by items in all epochs, some 16 s in 64 dimensions, above which towers race on a sample.
RACE_SCORES = 4e9


@dataclass
class _Runner:
    """A _Runner is a member in the race, and its model as far as it is trained."""

    member: Member
    recipe: Recipe
    model: TwoTower | None = None
    tried: Tried | None = None
    scores: Scores | None = None


def choose(
    base: Recipe,
    train: Dataset,
    *,
    search: Search | None = None,
    advance: Callable[[], None] | None = None,
    closed: tuple[FoundForm, FormScores] | None = None,
) -> Chosen:
    """Chooses what suits the data, on a slice held out as the test side was.

    Args:
        base: the recipe whose settings hold but for those that are chosen.
        train: the training side.
        search: how; the portfolio for a random split if None.
        advance: called `search.steps` times.
        closed: what `best_closed` found on the same slice, where that was done before.

    Raises:
        SplitError: the data are too few to hold anything out.
        DivergenceError: every configuration diverges.
    """
    search = search or Search()
    part = ValidationSlice.of(train, search.split, seed=search.seed)
    future = search.split in COMES_NEXT
    curve = None
    if search.signal is not None and is_open(train, search.signal):
        curve = choose_curve(part, search.signal, form=forms(len(train.items))[0], advance=advance)
        part = weighed_slice(part, curve.curve, signal=search.signal)
    form, scores_of_closed = best_closed(part, advance) if closed is None else closed
    counted = counted_scores(part, future=future)
    field = [
        _Runner(
            member, _bare(member.recipe(base, part.train, future=future, closed=form.settings), part.train)
        )
        for member in search.field(train)
    ]
    told: list[Tried] = []
    for share, entering in search.rungs(train):
        for runner in field[:entering]:
            tried = _train_on(
                runner, part, scores_of_closed, counted=counted, share=share, split=search.split
            )
            if tried is not None:
                told.append(tried)
            if advance:
                advance()
        alive = [runner for runner in field[:entering] if runner.tried is not None]
        if not alive:
            raise DivergenceError(
                "A configuration is chosen among those that train",
                "every one diverged",
                "Look at the data: values beyond all measure, or next to nothing to learn from",
            )
        alive.sort(key=lambda r: -r.tried.value if r.tried else 0.0)
        field = alive
    best = field[0]
    assert best.tried is not None
    assert best.scores is not None
    mixture, value = best_mixture(part, best.scores)
    blend, value = _blended(best.scores, part, mixture, split=search.split, value=value)
    told.append(replace(best.tried, value=value, mixture=mixture))
    personal, term = _as_weighed(best.scores, part, mixture, blend)
    newcomers = for_newcomers(part, personal, term=term, future=future)
    chosen = best.member.recipe(base, train, future=future, closed=form.settings)
    share = best.tried.epochs / best.recipe.epochs
    chosen = replace(chosen, epochs=max(math.ceil(chosen.epochs * share), 1))
    return Chosen(
        _final(chosen, form.settings, mixture, blend=blend, newcomers=newcomers),
        best.member.name,
        value,
        form,
        told,
        len(part.users),
        len(part.validation),
        newcomers,
        curve,
    )


def _bare(recipe: Recipe, train: Dataset) -> Recipe:
    """Returns the recipe as it races: without what nothing on a slice asks for, items that nobody had.

    Where the full softmax would take long, its positives compete with a sample, in all towers alike.
    """
    model = replace(recipe.model, cold_features=())
    if float(recipe.epochs) * len(train.users) * len(train.items) > RACE_SCORES:
        model = sampling(model, len(train.items))
    return replace(recipe, model=model)


def _train_on(
    runner: _Runner,
    part: ValidationSlice,
    closed: FormScores,
    *,
    counted: Mapping[PairKind, Floats],
    share: float,
    split: str,
) -> Tried | None:
    """Trains a runner up to a share of its epochs, and judges it; None where it diverges.

    It stands with the epochs that were best, but for one whose learning rate falls over all of them, which
    trains anew. One that diverges later stands with what it had before.
    """
    epochs = max(math.ceil(runner.recipe.epochs * share), 1)
    try:
        if runner.model is None or runner.recipe.decay:
            model, _ = replace(runner.recipe, epochs=epochs).fit(part.train)
        else:
            model = runner.model
            model.train_on(epochs)
    except DivergenceError:
        return None
    scores = Scores.of(part, model, closed=closed, counted=counted)
    mixture, value = best_mixture(part, scores, only_weight=True)
    _, value = _blended(scores, part, mixture, split=split, value=value)
    runner.model = model
    tried = Tried(runner.member.name, epochs, value, mixture)
    if runner.tried is None or value > runner.tried.value or runner.recipe.decay:
        runner.tried, runner.scores = tried, scores
    return tried


def _blended(
    scores: Scores, part: ValidationSlice, mixture: Mixture, *, split: str, value: float
) -> tuple[Blend | None, float]:
    """Returns what else weighs a score, recent popularity where a later time is asked for, and the value."""
    if split == "temporal" and part.train.timestamp is not None:
        products = replace(scores, term=scores.term * 0.0).mixed(replace(mixture, personal=1.0))
        return best_blend(part.rows(products), scores.term, train=part.train, validation=part.validation)
    return (None if mixture.personal == 1.0 else Blend(personal=mixture.personal)), value


def _as_weighed(
    scores: Scores, part: ValidationSlice, mixture: Mixture, blend: Blend | None
) -> tuple[Floats, Floats]:
    """Returns the scores of the slice's users without the items' term [R, N], and that [N], as blended."""
    blend = blend or Blend()
    personal = replace(scores, term=scores.term * 0.0).mixed(replace(mixture, personal=blend.personal))
    term = blend.of_items(scores.term, blend.share_in(part.train))
    return personal, scores.term if term is None else term


def _final(
    recipe: Recipe,
    closed: SpectralSettings,
    mixture: Mixture,
    *,
    blend: Blend | None,
    newcomers: ForNewcomers | None,
) -> Recipe:
    """Returns the recipe of a member with the closed form beside it, as the mixture weighs them."""
    of_form = mixture.pairs if mixture.pairs_of == "closed form" else 0.0
    spectral = replace(
        closed,
        weight=mixture.weight,
        dim=closed.dim if mixture.weight or of_form else 0,
        pairs=closed.pairs if of_form else 0,
        pairs_weight=of_form,
    )
    followers, neighbours = None, None
    if mixture.pairs and mixture.pairs_of == "followers":
        followers = FollowerSettings(weight=mixture.pairs, half_life=mixture.half_life)
    if mixture.pairs and mixture.pairs_of == "neighbours":
        neighbours = NeighbourSettings(weight=mixture.pairs)
    known_by = newcomers.features if newcomers is not None and newcomers.used else ()
    model = replace(
        recipe.model,
        spectral=spectral,
        trusted_from=mixture.trusted_from,
        followers=followers,
        neighbours=neighbours,
        blend=blend,
        newcomer_features=known_by,
    )
    return replace(recipe, model=model)
