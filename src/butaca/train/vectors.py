"""This module holds a trained model as numpy arrays, which answer for its users and any histories."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import jax
import numpy as np

from butaca.data.histories import Histories
from butaca.model.cold import ColdItems
from butaca.model.order.attention import Attention, Block
from butaca.model.order.tables import AttentionTable, TimescalesTable
from butaca.model.order.timescales import Timescales
from butaca.model.pairs import ItemPairs, PairTerms
from butaca.model.query import HistoryReader, HistoryWeights, QueryTower, RatingBins
from butaca.model.spectral import Spectrum, closed_form
from butaca.model.towers import unit
from butaca.train.blend import Blend
from butaca.train.layout import Features, Towers
from butaca.train.settings import TwoTowerSettings
from butaca.types import Codes, Floats

#: Users whose scores set the closed-form tower's scale.
SPREAD_USERS = 1000

#: A spread of scores up to which they tell nothing apart.
LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Vectors:
    """Holds a fitted model as numpy arrays, which answer.

    Attributes:
        tower: makes query vectors.
        users: those of the training users and of an unknown one, [U + 1, D].
        items: candidate vectors [N, D].
        bias: a term of each item alone [N], or None.
        cold: what gave the rows of items without training interactions, and gives those of further
            items; None if nothing did.
    """

    tower: QueryTower
    users: Floats
    items: Floats
    bias: Floats | None
    cold: ColdItems | None = None

    def scores(self, queries: Floats, terms: PairTerms | None) -> Floats:
        """Returns the scores of all items: queries [B, D], and what is added to single ones -> [B, N]."""
        out: Floats = queries @ self.items.T
        if self.bias is not None:
            out += self.bias
        if terms is not None:
            terms.add_to(out)
        return out


@dataclass(frozen=True, eq=False)
class HistoryScorer:
    """A HistoryScorer is a fitted TwoTower as a Scorer of given histories.

    Attributes:
        vectors: the model.
        seen: what users had, by the codes that `score` takes.
        known_as: the model's code of each, or that of the unknown user, [len(seen)].
    """

    vectors: Vectors
    seen: Histories
    known_as: Codes

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        return len(self.vectors.items)

    def score(self, users: Codes) -> Floats:
        """Scores the catalogue: user codes [B] -> [B, N]; a code outside the histories has no history."""
        unknown = len(self.vectors.users) - 1
        codes = np.append(self.known_as, unknown)
        known_as = codes[np.where((users < 0) | (users >= len(self.seen)), len(self.seen), users)]
        tower = self.vectors.tower
        return self.vectors.scores(*tower.with_terms(users, self.seen, known_as=known_as.astype(np.int32)))


@dataclass(frozen=True, eq=False)
class Products:
    """A Products scores by what hangs on a history alone, for the training users by code.

    Attributes:
        vectors: the model.
        seen: what the training users had.
    """

    vectors: Vectors
    seen: Histories

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        return len(self.vectors.items)

    def score(self, users: Codes) -> Floats:
        """Scores the catalogue: user codes [B] -> [B, N]."""
        last = len(self.vectors.users) - 1
        known = np.where((users < 0) | (users > last), last, users)
        alone = replace(self.vectors, bias=None)
        return alone.scores(alone.users[known], alone.tower.terms(users, self.seen))


def answering_vectors(
    settings: TwoTowerSettings,
    towers: Towers,
    *,
    features: Features,
    seen: Histories,
    n_items: int,
    bins: RatingBins | None = None,
    spectrum: Spectrum | None = None,
    counted: ItemPairs | None = None,
) -> Vectors:
    """Returns the towers as numpy arrays, the closed-form one beside them.

    Args:
        settings: of the model.
        towers: trained.
        features: as `cold_start.learned_features` gives them.
        seen: what the users have had.
        n_items: size of the catalogue.
        bins: of the rating, where histories weigh by it.
        spectrum: of the closed-form tower, where there is one.
        counted: pairs of items, where `settings.followers` or `settings.neighbours` asks for them.
    """
    embedded, candidates = _both_towers(settings.unit, towers, features)
    base = np.zeros((1, settings.dim), np.float32) if embedded is None else np.asarray(embedded)
    items = np.asarray(candidates)[:n_items]
    bias = None if towers.bias is None else np.asarray(towers.bias)[:n_items]
    history = _reader(towers, settings, n_items=n_items, bins=bins)
    layers = tuple((np.asarray(x.weight), np.asarray(x.bias)) for x in towers.query.layers)
    tower = QueryTower(base, history, layers, settings.unit, 1.0 / settings.temperature)
    everyone = np.arange(len(seen) + 1, dtype=np.int32)
    users = tower(everyone, seen)
    lengths = np.append(seen.lengths, 0)
    spectral, closed = settings.spectral, None
    if spectrum is not None and spectral is not None and spectral.dim and spectral.weight:
        closed = closed_form(spectrum, spectral)
    pairs, weight = _pairs(settings, spectrum, counted)
    if weight or closed is not None:
        sample = np.flatnonzero(seen.lengths)[:SPREAD_USERS].astype(np.int32)
        trained = users[sample] @ items.T
        of_trained = spread(trained if bias is None else trained + bias)
    if pairs is not None and weight:
        scale = weight * brought(pairs.scores(sample, seen), to=of_trained)
        if scale:
            tower = replace(tower, pairs=pairs, pairs_scale=scale)
    if closed is not None and spectral is not None:
        head, beside = closed
        alone = QueryTower(np.zeros((1, 0), np.float32), head=head)(everyone, seen)
        ratio = brought(alone[sample] @ beside.T, to=of_trained)
        tower = replace(tower, head=head, head_scale=spectral.weight * ratio)
        users = np.concatenate([users, alone * np.float32(tower.head_scale)], axis=1)
        items = np.concatenate([items, beside], axis=1)
    tower = replace(tower, trusted_from=settings.trusted_from, trust_power=settings.trust_power)
    return Vectors(tower, tower.trusted(users, lengths), items, bias)


def _pairs(
    settings: TwoTowerSettings, spectrum: Spectrum | None, counted: ItemPairs | None
) -> tuple[ItemPairs | None, float]:
    """Returns the pairs of items that count beside the vectors, and their weight, 0 where none do."""
    asked = settings.followers or settings.neighbours
    if asked is not None:
        return counted, asked.weight if counted is not None else 0.0
    if spectrum is None or spectrum.pairs is None or settings.spectral is None:
        return None, 0.0
    return spectrum.pairs, settings.spectral.pairs_weight


def blended(vectors: Vectors, blend: Blend, *, share: Floats | None) -> Vectors:
    """Returns the vectors as the blend weighs them, with each item's recent share [N] where it counts."""
    personal = np.float32(blend.personal)
    tower = replace(
        vectors.tower,
        scale=vectors.tower.scale * blend.personal,
        head_scale=vectors.tower.head_scale * blend.personal,
        pairs_scale=vectors.tower.pairs_scale * blend.personal,
    )
    bias = blend.of_items(vectors.bias, share)
    return replace(vectors, tower=tower, users=vectors.users * personal, bias=bias)


def _reader(
    towers: Towers, settings: TwoTowerSettings, *, n_items: int, bins: RatingBins | None
) -> HistoryReader | None:
    """Returns what reads histories in numpy, as training left it."""
    learned, declared = towers.query.history, settings.history
    if learned is None or declared is None:
        return None
    rows = learned.table
    if rows is None:  # the candidates' own
        rows = towers.candidate.tables[settings.candidate_id]
    table = np.asarray(rows)[:n_items]
    if isinstance(learned, TimescalesTable):
        of_places, of_age = (np.exp(np.asarray(x)) for x in learned.half_lives)
        return Timescales(table, of_places, of_age, np.asarray(learned.mix), declared.window)
    if isinstance(learned, AttentionTable):
        blocks = tuple(Block(*(np.asarray(x) for x in block)) for block in learned.blocks)
        return Attention(table, blocks, declared.window)
    return HistoryWeights(
        table,
        bins,
        None if learned.rating is None else np.asarray(learned.rating),
        0.0 if learned.recency is None else float(learned.recency),
    )


def spread(scores: Floats) -> float:
    """Returns the mean over users of the standard deviation of their scores [R, N]."""
    return float(scores.std(axis=1).mean()) if len(scores) else 0.0


def brought(scores: Floats, *, to: float) -> float:
    """Returns what scores are multiplied by to have this spread; 0 where those of each user are all alike.

    >>> [brought(np.array([scores], np.float32), to=3.0) for scores in ([0, 2, 0, 2], [0, 0, 0, 0])]
    [3.0, 0.0]
    """
    own = spread(scores)
    return to / own if own > LEAST else 0.0


@functools.partial(jax.jit, static_argnums=0)
def _both_towers(
    of_unit_length: bool, towers: Towers, features: Features
) -> tuple[jax.Array | None, jax.Array]:
    """Returns all users' summed embeddings [U + 1, d] (None without features) and candidate vectors."""
    candidates = towers.candidate(features.candidate)
    if of_unit_length:
        candidates = unit(candidates)
    return towers.query.embed(features.query) if features.query else None, candidates
