"""This module holds TwoTower, the estimator: it stores its settings, and reads as a Keras user expects.

Construct stores, fit learns, refit forgets.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
import optax

from butaca.baselines.popularity import HALF_LIFE_SHARE
from butaca.checks import of_kind, several, shown, user_codes, whole_number
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories, leaving_lists
from butaca.errors import CollapseWarning, DivergenceError, FeatureError, NotFittedError, SettingError
from butaca.evaluate.collapse import collapse_of
from butaca.evaluate.protocol import NOTEBOOK_K, evaluate_scorer
from butaca.model.cold import ColdItems
from butaca.model.features import Feature, Id
from butaca.model.followers import FollowerSettings, followers
from butaca.model.neighbours import NeighbourSettings, neighbours
from butaca.model.pairs import ItemPairs
from butaca.model.query import QueryTower, RatingBins
from butaca.model.spectral import Spectrum
from butaca.model.spectral_settings import SpectralSettings
from butaca.train.batch import Candidates, Shuffle
from butaca.train.blend import Blend
from butaca.train.build import batch_plan, build_batches, build_towers, history_rows, spectrum_of
from butaca.train.callbacks import Callback, FitHistory
from butaca.train.cold_start import cold_items, learned_features, with_cold, with_newcomers
from butaca.train.layout import Features, Towers, feature_specs, item_mesh, place, tower_specs
from butaca.train.loop import TrainingRun
from butaca.train.processes import gathered
from butaca.train.settings import MaskChoice, Prior, SoftmaxChoice, Start, TwoTowerSettings
from butaca.train.step import LossSettings
from butaca.train.vectors import HistoryScorer, Products, Vectors, answering_vectors, blended
from butaca.types import Codes, Floats

#: Where a data set comes from.
READ = "Read one with read_table or load_movielens"

#: Validation users whose lists are compared once training ends.
COLLAPSE_USERS = 200


@dataclass(frozen=True)
class _Learned:
    """A _Learned holds what answers of a run, which can go to another process.

    Attributes:
        towers, features: as training left them.
        item: item code of each training pair.
    """

    towers: Towers
    features: Features
    item: Codes


@dataclass
class _Fitted:
    """Holds what fit learned; `run`, which trained, does not go along to another process."""

    users: Entities
    items: Entities
    seen: Histories
    run: TrainingRun
    learned: _Learned
    softmax: Candidates
    spectrum: Spectrum | None = None
    bins: RatingBins | None = None
    share: Floats | None = None
    counted: ItemPairs | None = None
    vectors: Vectors | None = None
    cold: ColdItems | None = None
    again: bool = False

    def __getstate__(self) -> dict[str, object]:
        """Returns what a copy, or another process, answers from."""
        state = {name: value for name, value in self.__dict__.items() if name != "run"}
        features, towers = gathered(self.learned.features), gathered(self.learned.towers)
        return state | {"learned": _Learned(towers, features, self.learned.item)}


class TwoTower:
    """A TwoTower has a query and a candidate tower; the score of a pair is the product of their vectors.

    Args:
        query, candidate: features of each tower.
        dim, and all that follow: fields of `TwoTowerSettings`, which documents each.

    The notebook's model: `TwoTower([Id("user_id")], [Id("movie_title")], dim=32,
    softmax="in_batch", mask="none", shuffle="once")`.
    """

    def __init__(
        self,
        query: Sequence[Feature] = (Id("user_id"),),
        candidate: Sequence[Feature] = (Id("movie_title"),),
        *,
        dim: int = 32,
        hidden: tuple[int, ...] = (),
        softmax: SoftmaxChoice = "auto",
        mask: MaskChoice = "auto",
        samples: int = 8192,
        sampling_power: float = 0.5,
        logq: bool = True,
        unit: bool = False,
        temperature: float = 1.0,
        prior: Prior = "none",
        prior_power: float = 1.0,
        prior_half_life: float = HALF_LIFE_SHARE,
        start: Start = "uniform",
        spectral: SpectralSettings | None = None,
        trusted_from: int = 0,
        trust_power: float = 0.75,
        followers: FollowerSettings | None = None,
        neighbours: NeighbourSettings | None = None,
        blend: Blend | None = None,
        cold_features: tuple[Feature, ...] = (),
        newcomer_features: tuple[Feature, ...] = (),
        l2: float = 0.0,
        dislikes: float = 0.0,
        shuffle: Shuffle = "epoch",
        seed: int = 42,
        devices: int | None = None,
    ) -> None:
        self.settings = TwoTowerSettings(
            query=tuple(several("query", query)),
            candidate=tuple(several("candidate", candidate)),
            dim=dim,
            hidden=tuple(several("hidden", hidden)),
            softmax=softmax,
            mask=mask,
            samples=samples,
            sampling_power=sampling_power,
            logq=logq,
            unit=unit,
            temperature=temperature,
            prior=prior,
            prior_power=prior_power,
            prior_half_life=prior_half_life,
            start=start,
            spectral=spectral,
            trusted_from=trusted_from,
            trust_power=trust_power,
            followers=followers,
            neighbours=neighbours,
            blend=blend,
            cold_features=tuple(several("cold_features", cold_features)),
            newcomer_features=tuple(several("newcomer_features", newcomer_features)),
            l2=l2,
            dislikes=dislikes,
            shuffle=shuffle,
            seed=seed,
            devices=devices,
        )
        self._fitted: _Fitted | None = None

    @classmethod
    def of(cls, settings: TwoTowerSettings) -> TwoTower:
        """Returns a model from settings."""
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
        *,
        batch_size: int = 8192,
        optimizer: optax.GradientTransformation | None = None,
        callbacks: Sequence[Callback] = (),
        validation_data: Dataset | None = None,
        validation_k: Sequence[int] = (10, 100),
        resume: str | Path | None = None,
    ) -> FitHistory:
        """Trains the model from new parameters.

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

        Warns:
            CollapseWarning: with validation_data, if the users' lists end as the same for everyone.

        Raises:
            DivergenceError: the loss, or a parameter, is no number any more.
            CheckpointError: what `resume` names is damaged, of another run, or past `epochs`.

        Returns:
            The history: losses are sums over the epoch's last batch, as in the notebook.
        """
        epochs, batch_size = whole_number("epochs", epochs), whole_number("batch_size", batch_size)
        for name, given in (("train", train), ("validation_data", validation_data)):
            if given is not None or name == "train":
                of_kind(name, given, kind=Dataset, cure=READ)
        callbacks = several("callbacks", callbacks)
        for callback in callbacks:
            of_kind("Each of callbacks", callback, kind=Callback, cure="Derive it from butaca.Callback")
        if optimizer is not None:
            of_kind("optimizer", optimizer, kind=optax.GradientTransformation, cure="Try optax.adam(0.02)")
        validation_k = [
            whole_number("Each of validation_k", one) for one in several("validation_k", validation_k)
        ]
        if resume is not None and not isinstance(resume, str | Path):
            raise SettingError("resume names a folder", f"resume={shown(resume)}", "Pass its path")
        settings = self.settings
        train = train.keyed_by(self._candidate_key(train))
        users, items = train.users, train.items
        self._check(train)
        softmax = settings.softmax_for(len(items))
        loss = LossSettings(
            mask=settings.mask_for(softmax),
            sampled=softmax == "sampled",
            l2=settings.l2,
            key=items.key if items.key in {f.column for f in settings.candidate} else None,
            unit=settings.unit,
            scale=1.0 / settings.temperature,
            dropout=settings.history.dropout if settings.history else 0.0,
        )
        seen = Histories.of(train)
        spectrum = spectrum_of(train, settings)
        bins = None
        if settings.history and settings.history.by_rating and train.value is not None:
            bins = RatingBins.of(train.value)
        mesh = item_mesh(settings.devices)
        rows_per_shard = -(-(len(items) + 1) // mesh.size)
        towers, features = build_towers(
            train, settings, n_rows=rows_per_shard * mesh.size, spectrum=spectrum, bins=bins
        )
        towers = place(towers, tower_specs(towers, loss.key), mesh=mesh)
        features = place(features, feature_specs(features), mesh=mesh)
        batches = build_batches(
            train,
            batch_plan(settings, batch_size, softmax=softmax),
            mesh=mesh,
            rows_per_shard=rows_per_shard,
            histories=history_rows(seen, settings.history, bins=bins) if settings.history else None,
            dislikes=settings.dislikes,
        )
        run = TrainingRun(
            towers,
            features,
            batches=batches,
            settings=loss,
            mesh=mesh,
            optimizer=optimizer or default_optimizer(),
            description={
                "settings": repr(replace(settings, blend=None, followers=None, neighbours=None)),
                "batch_size": batch_size,
                "data": train.fingerprint(),
            }
            if resume or any(hasattr(c, "folder") for c in callbacks)
            else None,
        )
        learned = _Learned(run.towers, run.features, train.item)
        share = None if settings.blend is None else settings.blend.share_in(train)
        fitted = _Fitted(users, items, seen, run, learned, softmax, spectrum, bins, share)
        if settings.followers is not None:
            fitted.counted = followers(seen, n_items=len(items), settings=settings.followers)
        if settings.neighbours is not None:
            fitted.counted = neighbours(seen, n_items=len(items), settings=settings.neighbours)
        fitted.again = train.again
        self._fitted = fitted
        if validation_data is not None:
            run.validate = self._validation(fitted, validation_data, validation_k)
        try:
            history = run.fit(epochs, callbacks, resume=resume)
        except DivergenceError:
            self._fitted = None
            raise
        fitted.learned = replace(learned, towers=run.towers)
        if validation_data is not None:
            self._warn_of_collapse(validation_data)
        jax.block_until_ready(run.towers)  # type: ignore[no-untyped-call]
        return history

    def train_on(self, epochs: int) -> FitHistory:
        """Trains on from where `fit` ended, up to `epochs` epochs in all, to the bits of one longer fit."""
        fitted = self._need()
        history = fitted.run.fit(whole_number("epochs", epochs))
        fitted.learned = replace(fitted.learned, towers=fitted.run.towers)
        fitted.vectors = None
        return history

    def evaluate(
        self,
        test: Dataset,
        k: Sequence[int] = NOTEBOOK_K,
        *,
        batch_size: int = 4096,
        exclude_seen: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> dict[str, float]:
        """Measures the exact top-k accuracy of every test pair among all items, under the notebook's names.

        Args:
            test: pairs to find.
            k: the k of top_k_categorical_accuracy.
            batch_size: for "loss", which is that of the last batch, as Keras prints it (cell 106).
            exclude_seen: leave out what each user had in training; the notebook does not.
            callbacks: told by `on_test_end`.
        """
        fitted = self._need()
        batch_size = whole_number("batch_size", batch_size)
        k = [whole_number("Each of k", one) for one in several("k", k)]
        test = of_kind("test", test, kind=Dataset, cure=READ).recoded(fitted.users, fitted.items)
        if not len(test):
            raise SettingError("An evaluation takes at least one test pair", "none", "Check the split")
        seen = fitted.seen if exclude_seen else None
        logs = evaluate_scorer(self, test, seen=seen, loss_batch=batch_size).metrics(k)
        for callback in callbacks:
            callback.on_test_end(logs)
        return logs

    # A Scorer.

    @property
    def n_items(self) -> int:
        """Returns the size N of the catalogue."""
        return len(self._need().items)

    def score(self, users: Codes) -> Floats:
        """Returns scores [B, N] of user codes [B]; an unknown code gets the tower's unknown user."""
        vectors, users = self._vectors(), user_codes(users)
        queries = vectors.users[np.where((users < 0) | (users > len(self.users)), len(self.users), users)]
        return vectors.scores(queries, vectors.tower.terms(users, self.seen))

    # What fit learned.

    @property
    def users(self) -> Entities:
        """Returns the users that the model was fitted on."""
        return self._need().users

    @property
    def items(self) -> Entities:
        """Returns the candidates."""
        return self._need().items

    @property
    def seen(self) -> Histories:
        """Returns what each user had in training."""
        return self._need().seen

    @property
    def softmax(self) -> Candidates:
        """Returns the softmax that was used, never "auto"."""
        return self._need().softmax

    @property
    def user_vectors(self) -> Floats:
        """Returns the query vectors, [U + 1, d]; the last is the unknown user's."""
        return self._vectors().users

    @property
    def item_vectors(self) -> Floats:
        """Returns the candidate vectors, [N, d]."""
        return self._vectors().items

    @property
    def item_bias(self) -> Floats | None:
        """Returns a term of each item alone, [N]; None if the model has no prior."""
        return self._vectors().bias

    @property
    def cold(self) -> ColdItems | None:
        """Returns what makes vectors of items known by their features alone; None without features."""
        return self._vectors().cold

    @property
    def query_tower(self) -> QueryTower:
        """Returns what turns users and histories, new ones too, into query vectors; it needs numpy alone."""
        return self._vectors().tower

    def query_vectors(self, histories: Histories, users: Codes | None = None) -> Floats:
        """Returns query vectors [B, D] of histories: of new users, or of known ones after one more item.

        Args:
            histories: item codes are the model's; one row per query.
            users: codes of the queries where their other features are known; None: unknown users.
        """
        of_kind("histories", histories, kind=Histories, cure="Make them with Histories.from_pairs")
        rows = np.arange(len(histories), dtype=np.int32)
        tower = self._vectors().tower
        known = np.full(len(rows), len(self.users), dtype=np.int32) if users is None else users
        return tower(rows, histories, known_as=known)

    def remember(self, data: Dataset) -> None:
        """Counts these interactions, instead of the training ones, as what users have had.

        Nothing is trained: a tower that reads histories answers from them, and they are left out of
        evaluation and lists as seen.
        """
        fitted = self._need()
        of_kind("data", data, kind=Dataset, cure=READ)
        fitted.seen = Histories.of(data.recoded(fitted.users, fitted.items))
        fitted.vectors = None

    def answering(self, seen: Histories) -> HistoryScorer:
        """Returns a scorer for other people, or longer histories, by their codes in `seen`; trains nothing.

        Where `seen` has as many rows as the model has users, they are these users, and features such as
        an occupation hold. Else they are unknown users.

        Args:
            seen: what they had, in the model's item codes.
        """
        of_kind("seen", seen, kind=Histories, cure="Make it with Histories.from_pairs")
        same = len(seen) == len(self.users)
        users = np.arange(len(seen)) if same else np.full(len(seen), len(self.users))
        return HistoryScorer(self._vectors(), seen, users.astype(np.int32))

    def products(self) -> Products:
        """Returns what hangs on a history alone as a Scorer, without any term of the items."""
        return Products(self._vectors(), self.seen)

    def _vectors(self) -> Vectors:
        fitted = self._need()
        if fitted.vectors is None:
            vectors = self._with_cold(fitted, self._answering(fitted, fitted.learned.towers))
            features = self.settings.newcomer_features
            fitted.vectors = with_newcomers(features, vectors, users=fitted.users, seen=fitted.seen)
        return fitted.vectors

    def _need(self) -> _Fitted:
        if self._fitted is None:
            raise NotFittedError("A TwoTower scores after fit", "a new model", "Call fit(train) first")
        return self._fitted

    def _check(self, train: Dataset) -> None:
        """Checks that there is something to learn from, and that a history is one of the candidates."""
        if not len(train):
            raise SettingError("Training needs interactions", "an empty data set", "Check the split")
        history, key = self.settings.history, train.items.key
        if self.settings.order is not None and train.timestamp is None:
            raise FeatureError(
                "A history with an order needs the time of each interaction",
                f"{self.settings.order!r} on {train.name!r}, which has no times",
                "Name their column with time_column=, or leave out the order (on the command line: --order "
                "none)",
            )
        if history and history.column not in {"", key}:
            raise FeatureError(
                "A history holds the candidates, by their id column",
                f"{history!r}, while candidates are told apart by {key!r}",
                f"Declare History() or History({key!r})",
            )

    def _candidate_key(self, train: Dataset) -> str:
        """Returns the column that says what a candidate is."""
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

    def _warn_of_collapse(self, validation: Dataset) -> None:
        """Warns with CollapseWarning if the validation users' lists are the same for everyone."""
        fitted = self._need()
        users = validation.recoded(fitted.users, fitted.items).user
        notice = collapse_of(self, users, seen=fitted.seen, n_users=COLLAPSE_USERS)
        if notice is not None:
            warnings.warn(str(notice), CollapseWarning, stacklevel=3)

    def _answering(self, fitted: _Fitted, towers: Towers) -> Vectors:
        """Returns the vectors of these towers as numpy arrays."""
        features = learned_features(gathered(fitted.learned.features), fitted.seen, key=fitted.users.key)
        towers, n_items = gathered(towers), len(fitted.items)
        vectors = answering_vectors(
            self.settings,
            towers,
            features=features,
            seen=fitted.seen,
            n_items=n_items,
            bins=fitted.bins,
            spectrum=fitted.spectrum,
            counted=fitted.counted,
        )
        blend = self.settings.blend
        return vectors if blend is None else blended(vectors, blend, share=fitted.share)

    def _with_cold(self, fitted: _Fitted, vectors: Vectors) -> Vectors:
        """Gives items without training interactions the rows that their features suggest, if any."""
        features, items = self.settings.cold_features, fitted.items
        if not features:
            return vectors
        count = np.bincount(fitted.learned.item, minlength=len(items))
        if fitted.cold is None:
            fitted.cold = cold_items(features, vectors, items=items, count=count, seen=fitted.seen)
        return (
            vectors
            if fitted.cold is None
            else with_cold(vectors, fitted.cold, items=items, count=count, seen=fitted.seen)
        )

    def _validation(
        self, fitted: _Fitted, data: Dataset, k: Sequence[int]
    ) -> Callable[[Towers], Mapping[str, float]]:
        test = data.recoded(fitted.users, fitted.items)

        def validate(towers: Towers) -> Mapping[str, float]:
            fitted.vectors = self._answering(fitted, towers)
            try:
                gone = leaving_lists(fitted.seen, again=fitted.again)
                found = evaluate_scorer(self, test, seen=gone)
                return {**found.metrics(k), "ndcg": found.metric("ndcg", None)}
            finally:
                fitted.vectors = None

        return validate


@functools.cache
def default_optimizer() -> optax.GradientTransformation:
    """Returns Adagrad 0.5, the notebook's; one object, so that its compiled step is found again."""
    return optax.adagrad(0.5)
