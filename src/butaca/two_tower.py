"""TwoTower, the estimator: stores its settings, and reads as a Keras user expects.

Construct stores, fit learns, refit forgets.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.errors import FeatureError, NotFittedError, SettingError
from butaca.evaluate.protocol import NOTEBOOK_K, evaluate_scorer
from butaca.model.features import (
    Category,
    Encoded,
    Encoder,
    Feature,
    History,
    Id,
    encode_with_unknown,
    pad_rows,
)
from butaca.model.losses import Mask
from butaca.model.query import HistoryWeights, QueryTower, RatingBins, ages
from butaca.model.spectral import SpectralSettings, Spectrum, closed_form, decompose, start_vectors
from butaca.model.towers import HistoryTable, as_tower, init_tower, unit
from butaca.train.batches import Batches, BatchPlan, Candidates, Shuffle, UserRows
from butaca.train.callbacks import Callback, FitHistory
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

#: Users whose scores set the closed-form tower's scale.
SPREAD_USERS = 1000

SoftmaxChoice: TypeAlias = Literal["auto", "in_batch", "full", "sampled"]
MaskChoice: TypeAlias = Literal["auto", "none", "accidental", "known"]
Prior: TypeAlias = Literal["none", "popularity", "recent"]
Start: TypeAlias = Literal["uniform", "spectral"]


@dataclass(frozen=True)
class TwoTowerSettings:
    """What a TwoTower is; each field is documented here and nowhere else.

    Attributes:
        query: features of the query tower: columns of the users' table, and `History` for the items that
            a user has had. With it, batches hold whole users.
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
        unit: give both towers' vectors length 1, so that a score is a cosine over the temperature.
        temperature: scores are divided by it.
        prior: a learned term of each item alone, and where it starts: "popularity", the log of its
            interactions; "recent", of those weighted by recency (a half-life of a tenth of the data's
            time span); "none" leaves the term out.
        prior_power: the start is multiplied by it.
        start: of id and history tables: "spectral", the leading eigenvectors of which items occur
            together (model/spectral.py), the same on both sides; "uniform", noise.
        spectral: of that start, and of the closed-form tower that stands beside the trained one
            (its vectors are concatenated); None leaves the latter out.
        l2: weight of the squared length of every positive's two vectors; nothing for unit vectors.
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
    unit: bool = False
    temperature: float = 1.0
    prior: Prior = "none"
    prior_power: float = 1.0
    start: Start = "uniform"
    spectral: SpectralSettings | None = None
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
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise SettingError(
                "A temperature is above 0 and finite", f"temperature={self.temperature}", "Try 0.25"
            )
        for name in ("l2", "prior_power", "sampling_power"):
            if not math.isfinite(getattr(self, name)):
                raise SettingError(f"{name} is finite", f"{name}={getattr(self, name)}")
        if self.seed < 0:
            raise SettingError("A seed is 0 or more", f"seed={self.seed}")
        choices = (("softmax", SoftmaxChoice), ("mask", MaskChoice), ("prior", Prior), ("start", Start))
        for name, of in (*choices, ("shuffle", Shuffle)):
            if getattr(self, name) not in get_args(of):
                raise SettingError(
                    f"{name} is one of " + ", ".join(get_args(of)), repr(getattr(self, name)), "Correct it"
                )
        if sum(isinstance(f, History) for f in self.query) > 1:
            raise SettingError(
                "A query tower reads one history", f"query={list(self.query)}", "Declare one History"
            )
        if any(isinstance(f, History) for f in self.candidate):
            raise SettingError(
                "A history belongs to the query tower", "History among the candidate's", "Move it to query"
            )
        for name, features in (("query", self.query), ("candidate", self.candidate)):
            columns = [f.column for f in features]
            if not features or len(set(columns)) != len(columns):
                raise SettingError(
                    f"The {name} tower reads at least one feature, each column once",
                    f"columns {columns}",
                    'Declare for example [Id("user_id"), Category("user_occupation_text")]',
                )

    @property
    def history(self) -> History | None:
        """The history that the query tower reads."""
        return next((f for f in self.query if isinstance(f, History)), None)

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
    spectrum: Spectrum | None = None
    bins: RatingBins | None = None
    vectors: Vectors | None = None


@dataclass(frozen=True, eq=False)
class Vectors:
    """A fitted model as numpy arrays: what answers.

    Attributes:
        tower: makes query vectors.
        users: those of the training users and of an unknown one, [U + 1, D].
        items: candidate vectors [N, D].
        bias: a term of each item alone [N], or None.
    """

    tower: QueryTower
    users: Floats
    items: Floats
    bias: Floats | None


@dataclass(frozen=True, eq=False)
class Answering:
    """A fitted TwoTower as a Scorer of given histories.

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
        """Size N of the catalogue."""
        return len(self.vectors.items)

    def score(self, users: Codes) -> Floats:
        """User codes [B] -> scores [B, N]; a code outside the histories has none."""
        unknown = len(self.vectors.users) - 1
        codes = np.append(self.known_as, unknown)
        known_as = codes[np.where((users < 0) | (users >= len(self.seen)), len(self.seen), users)]
        queries = self.vectors.tower(users, self.seen, known_as.astype(np.int32))
        scores: Floats = queries @ self.vectors.items.T
        return scores if self.vectors.bias is None else scores + self.vectors.bias


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
    ) -> FitHistory:
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
        if settings.history and settings.history.column not in {"", items.key}:
            raise FeatureError(
                "A history holds the candidates, by their id column",
                f"{settings.history!r}, while candidates are told apart by {items.key!r}",
                f"Declare History() or History({items.key!r})",
            )
        softmax = settings.softmax_for(len(items))
        loss = LossSettings(
            mask=settings.mask_for(softmax),
            add_positive=softmax == "sampled",
            l2=settings.l2,
            key=items.key if items.key in {f.column for f in settings.candidate} else None,
            unit=settings.unit,
            scale=1.0 / settings.temperature,
            dropout=settings.history.dropout if settings.history else 0.0,
        )
        seen = Histories.of(train)
        spectrum = self._spectrum(train)
        bins = None
        if settings.history and settings.history.by_rating and train.value is not None:
            bins = RatingBins.of(train.value)
        mesh = item_mesh(settings.devices)
        rows_per_shard = -(-(len(items) + 1) // mesh.size)
        towers, features = self._build(train, rows_per_shard * mesh.size, spectrum, bins)
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
            "user" if settings.history else "pair",
        )
        batches = Batches(
            train.user,
            train.item,
            len(users),
            len(items),
            plan,
            mesh.size,
            rows_per_shard,
            self._history_rows(seen, bins) if settings.history else None,
        )
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
        self._fitted = fitted = _Fitted(users, items, seen, run, softmax, spectrum, bins)
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
        vectors = self._vectors()
        queries = vectors.users[np.where((users < 0) | (users > len(self.users)), len(self.users), users)]
        scores: Floats = queries @ vectors.items.T
        return scores if vectors.bias is None else scores + vectors.bias

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
        return self._vectors().users

    @property
    def item_vectors(self) -> Floats:
        """Candidate vectors, [N, d]."""
        return self._vectors().items

    @property
    def item_bias(self) -> Floats | None:
        """A term of each item alone, [N]; None if the model has no prior."""
        return self._vectors().bias

    @property
    def query_tower(self) -> QueryTower:
        """What turns users and histories, new ones too, into query vectors; numpy alone."""
        return self._vectors().tower

    def query_vectors(self, histories: Histories, users: Codes | None = None) -> Floats:
        """Query vectors of any histories, [B, D]: of new users, or of known ones after one more item.

        Args:
            histories: item codes are the model's; one row per query.
            users: codes of the queries where their other features are known; None: unknown users.
        """
        rows = np.arange(len(histories), dtype=np.int32)
        tower = self._vectors().tower
        known = np.full(len(rows), len(self.users), dtype=np.int32) if users is None else users
        return tower(rows, histories, known)

    def remember(self, data: Dataset) -> None:
        """Count these interactions, instead of the training ones, as what users have had.

        Nothing is trained: a tower that reads histories answers from them, and they are left out of
        evaluation and lists as seen.
        """
        fitted = self._need()
        fitted.seen = Histories.of(data.recoded(fitted.users, fitted.items))
        fitted.vectors = None

    def answering(self, seen: Histories) -> Answering:
        """A scorer for other people, or longer histories, by their codes in `seen`; nothing is trained.

        Where `seen` has as many rows as the model has users, they are these users, and features such as
        an occupation hold. Else they are unknown users.

        Args:
            seen: what they had, in the model's item codes.
        """
        same = len(seen) == len(self.users)
        users = np.arange(len(seen)) if same else np.full(len(seen), len(self.users))
        return Answering(self._vectors(), seen, users.astype(np.int32))

    def _vectors(self) -> Vectors:
        fitted = self._need()
        if fitted.vectors is None:
            fitted.vectors = self._answering(fitted, fitted.run.towers)
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

    def _spectrum(self, train: Dataset) -> Spectrum | None:
        """The decomposition that the start and the closed-form tower share, if either is wanted."""
        settings = self.settings
        spectral = settings.spectral or SpectralSettings(dim=0)
        dim = max(settings.dim if settings.start == "spectral" else 0, spectral.dim)
        if not dim or (settings.spectral is None and settings.start != "spectral"):
            return None
        return decompose(
            train.user, train.item, train.timestamp, len(train.items), dim, spectral, settings.seed
        )

    def _build(
        self, train: Dataset, n_rows: int, spectrum: Spectrum | None, bins: RatingBins | None
    ) -> tuple[Towers, Features]:
        """Towers and encoded features, item rows padded to n_rows (a multiple of the devices)."""
        users, items, settings = train.users, train.items, self.settings
        rng = np.random.default_rng([settings.seed, 2])
        plain = [f for f in settings.query if not isinstance(f, History)]
        query, candidate = fit_encoders(plain, users), fit_encoders(settings.candidate, items)
        q = init_tower(query, settings.dim, settings.hidden, rng)
        c = init_tower(candidate, settings.dim, settings.hidden, rng)
        start = None
        if spectrum is not None and settings.start == "spectral":
            start = start_vectors(spectrum, settings.dim)
            tiny = rng.uniform(-0.005, 0.005, start.shape).astype(np.float32)  # what the data leave at zero
            start = np.where(start == 0.0, tiny, start)
        if start is not None and items.key in c["tables"]:
            c["tables"][items.key][: len(items)] = start
        key = c["tables"].get(items.key)
        if key is not None:
            c["tables"][items.key] = np.pad(key, ((0, n_rows - len(key)), (0, 0)))
        history = None
        if settings.history is not None:
            table = start
            if table is None:
                table = rng.uniform(-0.05, 0.05, (len(items), settings.dim)).astype(np.float32)
            history = HistoryTable(
                jnp.asarray(np.pad(table, ((0, n_rows - len(table)), (0, 0)))),
                None if bins is None else jnp.zeros(len(bins)),
                jnp.zeros(()) if settings.history.by_recency and train.timestamp is not None else None,
            )
        bias = item_prior(train, settings.prior, settings.prior_power)
        towers = Towers(
            as_tower(q, history),
            as_tower(c),
            None if bias is None else jnp.asarray(np.pad(bias, (0, n_rows - len(bias)))),
        )
        return towers, Features(
            {n: _arrays(encode_with_unknown(e, users)) for n, e in query.items()},
            {n: _arrays(pad_rows(encode_with_unknown(e, items), n_rows)) for n, e in candidate.items()},
        )

    def _history_rows(self, seen: Histories, bins: RatingBins | None) -> UserRows:
        """What the step reads of each user's history."""
        age = None
        if self.settings.history and self.settings.history.by_recency and seen.time is not None:
            rows = np.repeat(np.arange(len(seen)), seen.lengths)
            age = ages(rows, seen.time, len(seen))
        of_rating = None if bins is None or seen.value is None else bins(seen.value)
        return UserRows(seen.items, seen.start, of_rating, age)

    def _learned(self, fitted: _Fitted) -> Features:
        """The features in which the id of a user without training interactions is an unknown one."""
        features, key = fitted.run.features, fitted.users.key
        cold = np.flatnonzero(fitted.seen.lengths == 0)
        if not len(cold) or not any(isinstance(f, Category) and f.column == key for f in self.settings.query):
            return features
        codes, weights = features.query[key]
        return Features(
            dict(features.query) | {key: (codes.at[cold].set(len(fitted.users)), weights)}, features.candidate
        )

    def _answering(self, fitted: _Fitted, towers: Towers) -> Vectors:
        """The towers as numpy arrays, the closed-form one beside them."""
        settings, n_items = self.settings, len(fitted.items)
        embedded, candidates = _both_towers(settings.unit, towers, self._learned(fitted))
        base = np.zeros((1, settings.dim), np.float32) if embedded is None else np.asarray(embedded)
        items = np.asarray(candidates)[:n_items]
        bias = None if towers.bias is None else np.asarray(towers.bias)[:n_items]
        table = towers.query.history
        history = None
        if table is not None:
            history = HistoryWeights(
                np.asarray(table.table)[:n_items],
                fitted.bins,
                None if table.rating is None else np.asarray(table.rating),
                0.0 if table.recency is None else float(table.recency),
            )
        layers = tuple((np.asarray(x.weight), np.asarray(x.bias)) for x in towers.query.layers)
        tower = QueryTower(base, history, layers, settings.unit, 1.0 / settings.temperature)
        everyone = np.arange(len(fitted.users) + 1, dtype=np.int32)
        users = tower(everyone, fitted.seen)
        spectral = settings.spectral
        if spectral is None or not spectral.dim or fitted.spectrum is None:
            return Vectors(tower, users, items, bias)
        head, beside = closed_form(fitted.spectrum, spectral)
        sample = np.flatnonzero(fitted.seen.lengths)[:SPREAD_USERS].astype(np.int32)
        alone = QueryTower(np.zeros((1, 0), np.float32), head=head)(sample, fitted.seen)
        trained = users[sample] @ items.T
        ratio = _spread(trained if bias is None else trained + bias) / max(_spread(alone @ beside.T), 1e-12)
        tower = replace(tower, head=head, head_scale=float(spectral.weight * ratio))
        return Vectors(tower, tower(everyone, fitted.seen), np.concatenate([items, beside], axis=1), bias)

    def _validation(
        self, fitted: _Fitted, data: Dataset, k: Sequence[int]
    ) -> Callable[[Towers], Mapping[str, float]]:
        test = data.recoded(fitted.users, fitted.items)

        def validate(towers: Towers) -> Mapping[str, float]:
            fitted.vectors = self._answering(fitted, towers)
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


def item_prior(train: Dataset, prior: Prior, power: float) -> Floats | None:
    """The log of each item's share of the interactions, in parts of an even share, times `power`, [N].

    "recent" halves an interaction's weight for each tenth of the data's time span before its end.
    """
    if prior == "none":
        return None
    weight = None
    if prior == "recent" and train.timestamp is not None:
        age = (train.timestamp.max() - train.timestamp).astype(np.float64)
        weight = 0.5 ** (10.0 * age / max(float(age.max()), 1.0))
    counts = np.bincount(train.item, weights=weight, minlength=len(train.items)) + 0.5
    bias: Floats = (power * np.log(counts / counts.mean())).astype(np.float32)
    return bias


def _spread(scores: Floats) -> float:
    """Mean over users of the standard deviation of their scores."""
    return float(scores.std(axis=1).mean()) if len(scores) else 0.0


@functools.partial(jax.jit, static_argnums=0)
def _both_towers(
    of_unit_length: bool, towers: Towers, features: Features
) -> tuple[jax.Array | None, jax.Array]:
    """Summed embeddings of all users [U + 1, d], None without user features, and candidate vectors."""
    candidates = towers.candidate(features.candidate)
    if of_unit_length:
        candidates = unit(candidates)
    return towers.query.embed(features.query) if features.query else None, candidates


def _arrays(encoded: Encoded) -> tuple[jax.Array, jax.Array | None]:
    weights = None if encoded.weights is None else jnp.asarray(encoded.weights)
    return jnp.asarray(encoded.codes), weights
