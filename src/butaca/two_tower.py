"""This module holds TwoTower, the estimator: it stores its settings, and reads as a Keras user expects.

Construct stores, fit learns, refit forgets.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import optax

from butaca.baselines.popularity import HALF_LIFE_SHARE
from butaca.checks import of_kind, several, shown, user_codes, whole_number
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories, leaving_lists
from butaca.errors import CollapseWarning, DivergenceError, NotFittedError, SettingError
from butaca.evaluate.collapse import collapse_of
from butaca.evaluate.protocol import NOTEBOOK_K, evaluate_scorer
from butaca.model.cold import ColdItems
from butaca.model.features import Feature, Id
from butaca.model.followers import FollowerSettings
from butaca.model.neighbours import NeighbourSettings
from butaca.model.query import QueryTower
from butaca.model.spectral_settings import SpectralSettings
from butaca.train.assemble import assemble
from butaca.train.batch import Candidates, Shuffle
from butaca.train.blend import Blend
from butaca.train.callbacks import Callback, FitHistory
from butaca.train.fitted import FittedState
from butaca.train.layout import Towers
from butaca.train.settings import MaskChoice, Prior, SoftmaxChoice, Start, TwoTowerSettings
from butaca.train.training_data import training_data
from butaca.train.vectors import HistoryScorer, Products, Vectors
from butaca.types import Codes, Floats

#: Where a data set comes from.
READ = "Read one with read_table or load_movielens"

#: Validation users whose lists are compared once training ends.
COLLAPSE_USERS = 200


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
        self._fitted: FittedState | None = None

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
        described = bool(resume) or any(hasattr(c, "folder") for c in callbacks)
        fitted = self._fitted = assemble(
            training_data(train, self.settings),
            self.settings,
            batch_size=batch_size,
            optimizer=optimizer,
            described=described,
        )
        run = fitted.run
        if validation_data is not None:
            run.validate = self._validation(fitted, validation_data, validation_k)
        try:
            history = run.fit(epochs, callbacks, resume=resume)
        except DivergenceError:
            self._fitted = None
            raise
        fitted.learned = replace(fitted.learned, towers=run.towers)
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
        return self._need().answering(self.settings)

    def _need(self) -> FittedState:
        if self._fitted is None:
            raise NotFittedError("A TwoTower scores after fit", "a new model", "Call fit(train) first")
        return self._fitted

    def _warn_of_collapse(self, validation: Dataset) -> None:
        """Warns with CollapseWarning if the validation users' lists are the same for everyone."""
        fitted = self._need()
        users = validation.recoded(fitted.users, fitted.items).user
        notice = collapse_of(self, users, seen=fitted.seen, n_users=COLLAPSE_USERS)
        if notice is not None:
            warnings.warn(str(notice), CollapseWarning, stacklevel=3)

    def _validation(
        self, fitted: FittedState, data: Dataset, k: Sequence[int]
    ) -> Callable[[Towers], Mapping[str, float]]:
        test = data.recoded(fitted.users, fitted.items)

        def validate(towers: Towers) -> Mapping[str, float]:
            fitted.vectors = fitted.vectors_of(towers, self.settings)
            try:
                gone = leaving_lists(fitted.seen, again=fitted.again)
                found = evaluate_scorer(self, test, seen=gone)
                return {**found.metrics(k), "ndcg": found.metric("ndcg", None)}
            finally:
                fitted.vectors = None

        return validate
