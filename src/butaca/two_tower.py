"""TwoTower, the estimator: stores its settings, and reads as a Keras user expects.

Construct stores, fit learns, refit forgets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.errors import FeatureError, NotFittedError, SettingError
from butaca.evaluate.protocol import NOTEBOOK_K, evaluate_scorer
from butaca.model.features import Encoded, Encoder, Feature, Id, encode_with_unknown, pad_rows
from butaca.model.losses import Mask
from butaca.model.towers import as_tower, init_tower
from butaca.train.batches import Batches, BatchPlan, Candidates, Shuffle
from butaca.train.callbacks import Callback, History
from butaca.train.loop import TrainingRun
from butaca.train.step import (
    Features,
    LossSettings,
    Towers,
    feature_specs,
    item_mesh,
    place,
    tower_specs,
)
from butaca.types import Codes, Floats

#: Up to this many items the softmax runs over the whole catalogue unless asked otherwise.
FULL_SOFTMAX_ITEMS = 100_000

SoftmaxChoice: TypeAlias = Literal["auto", "in_batch", "full", "sampled"]
MaskChoice: TypeAlias = Literal["auto", "none", "accidental", "known"]


@dataclass(frozen=True)
class TwoTowerSettings:
    """What a TwoTower is; each field is documented here and nowhere else.

    Attributes:
        query: features of the query tower, columns of the users' table.
        candidate: features of the candidate tower, columns of the items' table. The first Id says
            what a candidate is: items that share its value are one.
        dim: columns of the embeddings and of both towers' vectors.
        hidden: widths of hidden layers after the sum of embeddings; () is the plain sum.
        softmax: what a positive competes with. "in_batch": the other items of its batch, the
            notebook's loss; "full": the catalogue; "sampled": draws with logQ correction; "auto":
            full up to 100,000 items, else sampled.
        mask: what leaves the denominator. "none"; "accidental": further copies of the positive's own
            item; "known": all items its user is known to have had; "auto": known for in-batch and
            sampled, none for full.
        samples: draws per step of the sampled softmax.
        sampling_power: draws follow (times an item occurs) ** power; 0 is uniform.
        l2: weight of the squared length of every positive's two vectors.
        shuffle: "epoch" draws new batches each epoch; "once" keeps the first, as the notebook's
            cache does, which also builds them only once.
        seed: of initial parameters, order and draws; the same seed gives the same bits.
        devices: JAX devices that the catalogue is split over; None takes all.
    """

    query: tuple[Feature, ...] = (Id("user_id"),)
    candidate: tuple[Feature, ...] = (Id("movie_title"),)
    dim: int = 32
    hidden: tuple[int, ...] = ()
    softmax: SoftmaxChoice = "auto"
    mask: MaskChoice = "auto"
    samples: int = 8192
    sampling_power: float = 0.5
    l2: float = 0.0
    shuffle: Shuffle = "epoch"
    seed: int = 42
    devices: int | None = None

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise SettingError("Vectors have at least one dimension", f"dim={self.dim}", "Try dim=32")
        if any(h < 1 for h in self.hidden):
            raise SettingError("Hidden layers have at least one unit", f"hidden={self.hidden}")
        if self.l2 < 0:
            raise SettingError("l2 is 0 or more", f"l2={self.l2}")
        for name, features in (("query", self.query), ("candidate", self.candidate)):
            columns = [f.column for f in features]
            if not features or len(set(columns)) != len(columns):
                raise SettingError(
                    f"The {name} tower reads at least one feature, each column once",
                    f"columns {columns}",
                    'Declare for example [Id("user_id"), Category("user_occupation_text")]',
                )

    def softmax_for(self, n_items: int) -> Candidates:
        """The softmax that "auto" means for a catalogue of this size."""
        if self.softmax != "auto":
            return self.softmax
        return "full" if n_items <= FULL_SOFTMAX_ITEMS else "sampled"

    def mask_for(self, softmax: Candidates) -> Mask:
        """The mask that "auto" means for a softmax."""
        if self.mask != "auto":
            return self.mask
        return "none" if softmax == "full" else "known"


@dataclass
class _Fitted:
    """What fit learned."""

    users: Entities
    items: Entities
    seen: Histories
    run: TrainingRun
    softmax: Candidates
    vectors: tuple[Floats, Floats] | None = None


class TwoTower:
    """A query tower and a candidate tower; the score of a pair is the product of their vectors.

    Args:
        query, candidate: features of each tower.
        dim: dimension of the vectors.
        settings: further fields of `TwoTowerSettings`.

    The notebook's model: `TwoTower([Id("user_id")], [Id("movie_title")], dim=32,
    softmax="in_batch", mask="none", shuffle="once")`.
    """

    def __init__(
        self,
        query: Sequence[Feature] = (Id("user_id"),),
        candidate: Sequence[Feature] = (Id("movie_title"),),
        dim: int = 32,
        **settings: Any,
    ) -> None:
        self.settings = TwoTowerSettings(tuple(query), tuple(candidate), dim, **settings)
        self._fitted: _Fitted | None = None

    @classmethod
    def of(cls, settings: TwoTowerSettings) -> TwoTower:
        """A model from settings."""
        model = cls()
        model.settings = settings
        return model

    def __repr__(self) -> str:
        s = self.settings
        return f"TwoTower(query={list(s.query)}, candidate={list(s.candidate)}, dim={s.dim})"

    def fit(
        self,
        train: Dataset,
        epochs: int = 10,
        batch_size: int = 8192,
        optimizer: optax.GradientTransformation | None = None,
        callbacks: Sequence[Callback] = (),
        validation_data: Dataset | None = None,
        validation_k: Sequence[int] = (10, 100),
        resume: str | Path | None = None,
    ) -> History:
        """Train from new parameters.

        Args:
            train: interactions; every one is a positive.
            epochs: passes over them, in all (also when resuming).
            batch_size: pairs per step; the last step of an epoch holds the rest.
            optimizer: any of optax; default Adagrad 0.5, the notebook's.
            callbacks: see butaca.train.callbacks.
            validation_data: pairs ranked after each epoch, training's items left out, logged as
                "val_factorized_top_k/top_10_categorical_accuracy".
            validation_k: the k of those.
            resume: folder of a Checkpoint to continue from.

        Returns:
            The history: losses are sums over the epoch's last batch, as in the notebook.
        """
        if epochs < 1:
            raise SettingError("Training takes at least one epoch", f"epochs={epochs}", "Try epochs=10")
        settings = self.settings
        train = train.keyed_by(self._candidate_key(train))
        users, items = train.users, train.items
        if not len(train):
            raise SettingError("Training needs interactions", "an empty data set", "Check the split")
        softmax = settings.softmax_for(len(items))
        loss = LossSettings(
            mask=settings.mask_for(softmax),
            add_positive=softmax == "sampled",
            l2=settings.l2,
            key=items.key if items.key in {f.column for f in settings.candidate} else None,
        )
        mesh = item_mesh(settings.devices)
        rows_per_shard = -(-(len(items) + 1) // mesh.size)
        towers, features = self._build(users, items, rows_per_shard * mesh.size)
        towers = place(towers, tower_specs(towers, loss.key), mesh)
        features = place(features, feature_specs(features), mesh)
        plan = BatchPlan(
            batch_size,
            softmax,
            loss.mask,
            settings.samples,
            settings.sampling_power,
            settings.shuffle,
            settings.seed,
        )
        batches = Batches(train.user, train.item, len(users), len(items), plan, mesh.size, rows_per_shard)
        run = TrainingRun(
            towers,
            features,
            batches,
            loss,
            mesh,
            optimizer or default_optimizer(),
            description={"settings": repr(settings), "batch_size": batch_size, "data": train.fingerprint()}
            if resume or any(hasattr(c, "folder") for c in callbacks)
            else None,
        )
        self._fitted = fitted = _Fitted(users, items, Histories.of(train), run, softmax)
        if validation_data is not None:
            run.validate = self._validation(fitted, validation_data, validation_k)
        history = run.fit(epochs, callbacks, resume)
        jax.block_until_ready(run.towers)  # type: ignore[no-untyped-call]
        return history

    def evaluate(
        self,
        test: Dataset,
        k: Sequence[int] = NOTEBOOK_K,
        batch_size: int = 4096,
        exclude_seen: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> dict[str, float]:
        """Exact top-k accuracy of every test pair among all items, under the notebook's names.

        Args:
            test: pairs to find.
            k: the k of top_k_categorical_accuracy.
            batch_size: for "loss", which is that of the last batch, as Keras prints it (cell 106).
            exclude_seen: leave out what each user had in training; the notebook does not.
            callbacks: told by `on_test_end`.
        """
        fitted = self._need()
        test = test.recoded(fitted.users, fitted.items)
        seen = fitted.seen if exclude_seen else None
        logs = evaluate_scorer(self, test, seen, loss_batch=batch_size).metrics(k)
        for callback in callbacks:
            callback.on_test_end(logs)
        return logs

    # A Scorer.

    @property
    def n_items(self) -> int:
        """Size N of the catalogue."""
        return len(self._need().items)

    def score(self, users: Codes) -> Floats:
        """User codes [B] -> scores [B, N]; an unknown code gets the tower's unknown user."""
        queries = self.user_vectors[np.where((users < 0) | (users > len(self.users)), len(self.users), users)]
        scores: Floats = queries @ self.item_vectors.T
        return scores

    # What fit learned.

    @property
    def users(self) -> Entities:
        """The users it was fitted on."""
        return self._need().users

    @property
    def items(self) -> Entities:
        """The candidates."""
        return self._need().items

    @property
    def seen(self) -> Histories:
        """What each user had in training."""
        return self._need().seen

    @property
    def softmax(self) -> Candidates:
        """The softmax that was used."""
        return self._need().softmax

    @property
    def user_vectors(self) -> Floats:
        """Query vectors, [U + 1, d]; the last is the unknown user's."""
        return self._vectors()[0]

    @property
    def item_vectors(self) -> Floats:
        """Candidate vectors, [N, d]."""
        return self._vectors()[1]

    def _vectors(self) -> tuple[Floats, Floats]:
        fitted = self._need()
        if fitted.vectors is None:
            fitted.vectors = tower_vectors(fitted.run.towers, fitted.run.features, len(fitted.items))
        return fitted.vectors

    def _need(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError("A TwoTower scores after fit", "a new model", "Call fit(train) first")
        return self._fitted

    def _candidate_key(self, train: Dataset) -> str:
        """The column that says what a candidate is."""
        for feature in self.settings.candidate:
            if isinstance(feature, Id) and feature.column in train.items:
                return feature.column
            if isinstance(feature, Id):
                raise FeatureError(
                    f"A feature names a column of the {train.items.key} table",
                    f"{feature!r}, while the table has {', '.join([train.items.key, *train.items.columns])}",
                    "Correct the name",
                )
        return train.items.key

    def _build(self, users: Entities, items: Entities, n_rows: int) -> tuple[Towers, Features]:
        """Towers and encoded features, item rows padded to n_rows (a multiple of the devices)."""
        rng = np.random.default_rng([self.settings.seed, 2])
        query, candidate = (
            fit_encoders(self.settings.query, users),
            fit_encoders(self.settings.candidate, items),
        )
        q = init_tower(query, self.settings.dim, self.settings.hidden, rng)
        c = init_tower(candidate, self.settings.dim, self.settings.hidden, rng)
        key = c["tables"].get(items.key)
        if key is not None:
            c["tables"][items.key] = np.pad(key, ((0, n_rows - len(key)), (0, 0)))
        towers = Towers(as_tower(q), as_tower(c))
        return towers, Features(
            {n: _arrays(encode_with_unknown(e, users)) for n, e in query.items()},
            {n: _arrays(pad_rows(encode_with_unknown(e, items), n_rows)) for n, e in candidate.items()},
        )

    def _validation(
        self, fitted: _Fitted, data: Dataset, k: Sequence[int]
    ) -> Callable[[Towers], Mapping[str, float]]:
        test = data.recoded(fitted.users, fitted.items)

        def validate(towers: Towers) -> Mapping[str, float]:
            fitted.vectors = tower_vectors(towers, fitted.run.features, len(fitted.items))
            try:
                return evaluate_scorer(self, test, fitted.seen).metrics(k)
            finally:
                fitted.vectors = None

        return validate


@functools.cache
def default_optimizer() -> optax.GradientTransformation:
    """Adagrad 0.5, the notebook's; one object, so that its compiled step is found again."""
    return optax.adagrad(0.5)


def fit_encoders(features: Sequence[Feature], entities: Entities) -> dict[str, Encoder]:
    """Column -> encoder, each fitted on the table."""
    return {feature.column: feature.fit(entities) for feature in features}


def tower_vectors(towers: Towers, features: Features, n_items: int) -> tuple[Floats, Floats]:
    """All query vectors [U + 1, d] and candidate vectors [N, d] as numpy arrays."""
    query, candidate = _both_towers(towers, features)
    return np.asarray(query), np.asarray(candidate)[:n_items]


@jax.jit
def _both_towers(towers: Towers, features: Features) -> tuple[jax.Array, jax.Array]:
    return towers.query(features.query), towers.candidate(features.candidate)


def _arrays(encoded: Encoded) -> tuple[jax.Array, jax.Array | None]:
    weights = None if encoded.weights is None else jnp.asarray(encoded.weights)
    return jnp.asarray(encoded.codes), weights
