"""This module is the training loop: batches through the compiled step, callbacks, resume at any step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from butaca.errors import CheckpointError, DivergenceError
from butaca.train.batch import Batch
from butaca.train.batches import Batches
from butaca.train.callbacks import Callback, FitHistory
from butaca.train.checkpoints import Saved, check_same_run, read_checkpoint, write_checkpoint
from butaca.train.layout import Features, Towers
from butaca.train.processes import first_says, is_first, put, whole
from butaca.train.shares import place_batch
from butaca.train.step import LossSettings, StepLoss, make_init, make_step

Validate = Callable[[Towers], Mapping[str, float]]


class TrainingRun:
    """Holds the state of one call of fit, which callbacks see, save and restore.

    Args:
        towers, features: on the mesh.
        batches: the training data.
        settings, mesh, optimizer: of the step.
        validate: called with the towers after each epoch; its metrics join the logs as "val_<name>".
        description: settings and data fingerprint; a checkpoint of another one is refused.
    """

    def __init__(
        self,
        towers: Towers,
        features: Features,
        *,
        batches: Batches,
        settings: LossSettings,
        mesh: Mesh,
        optimizer: optax.GradientTransformation,
        validate: Validate | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        self.towers, self.features, self.batches, self.mesh = towers, features, batches, mesh
        self.settings, self.validate, self.description = settings, validate, dict(description or {})
        self.optimizer_state = make_init(optimizer, mesh, key=settings.key)(towers)
        self._step = make_step(settings, mesh, optimizer=optimizer)
        self._seen_batches: dict[int, tuple[Batch, Batch]] = {}
        self.history = FitHistory()
        self.callbacks: list[Callback] = [self.history]
        self.epochs, self.steps_per_epoch = 0, len(batches)
        self.seed = (batches.plan.seed * 1_000_003) % 2**32  # seeds far apart share no step's draws
        self.epoch, self.step = 0, 0
        self.stop_training = False

    def fit(
        self, epochs: int, callbacks: Sequence[Callback] = (), *, resume: str | Path | None = None
    ) -> FitHistory:
        """Trains up to `epochs` epochs in all; with `resume`, from that folder's checkpoint on."""
        self.epochs = epochs
        self.callbacks = [self.history, *callbacks]
        for callback in self.callbacks:
            callback.set_run(self)
        if resume is not None:
            self._load(Path(resume))
        self._tell(lambda c: c.on_train_begin({}))
        logs: dict[str, float] = {}
        try:
            while self.epoch < epochs and not self.stop_training:
                logs = self._epoch()
            if not all_finite(self.towers):
                raise self._diverged("parameters that are no numbers")
        finally:  # bars and writers are closed whatever happened
            self._tell(lambda c: c.on_train_end(logs))
        return self.history

    def _epoch(self) -> dict[str, float]:
        epoch, losses = self.epoch, StepLoss(jnp.nan, jnp.nan)
        self._tell(lambda c: c.on_epoch_begin(epoch, {}))
        for batch in self._on_devices(self.batches.epoch(epoch, start=self.step)):
            count = np.uint32((self.seed + epoch * self.steps_per_epoch + self.step) % 2**32)
            self.towers, self.optimizer_state, losses = self._step(
                self.towers, self.optimizer_state, self.features, batch, count
            )
            at, self.step = self.step, self.step + 1
            for callback in self.callbacks:
                callback.on_train_batch_end(at, {"loss": losses.loss})
        logs = loss_logs(losses)
        if not all(map(math.isfinite, logs.values())):
            raise self._diverged(f"a loss of {logs['total_loss']}")
        if self.validate is not None:
            metrics = self.validate(self.towers)
            values = first_says(lambda: [np.array([float(v) for v in metrics.values()])])[0]
            logs |= {f"val_{name}": v for name, v in zip(metrics, values.tolist(), strict=True)}
        self.epoch, self.step = epoch + 1, 0
        self._tell(lambda c: c.on_epoch_end(epoch, logs))
        return logs

    def _diverged(self, received: str) -> DivergenceError:
        """Returns the error of a run that diverged, with its learning rate where that is kept."""
        rate = learning_rate(self.optimizer_state)
        of = "" if rate is None else f", with a learning rate of {rate:g}"
        return DivergenceError(
            "Training goes on while its loss is a number",
            f"{received} in epoch {self.epoch + 1} of {self.epochs}{of}",
            "Lower the optimizer's learning rate, to a tenth for a beginning (without optimizer= it is "
            "Adagrad's 0.5; on the command line, that of --settings)",
        )

    def _on_devices(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Yields batches on the devices; those that repeat (fixed for all epochs) are sent there once."""
        for batch in batches:
            held = self._seen_batches.get(id(batch))
            if held is None:
                held = (batch, self._placed(batch))
                if self.batches.repeats:
                    self._seen_batches[id(batch)] = held
            yield held[1]

    def _placed(self, batch: Batch) -> Batch:
        if self.mesh.is_multi_process:
            return place_batch(batch, self.batches, mesh=self.mesh)
        return cast(Batch, jax.tree.map(jnp.asarray, batch))

    def _tell(self, event: Callable[[Callback], None]) -> None:
        for callback in self.callbacks:
            event(callback)

    # What callbacks ask for.

    def parameters(self) -> dict[str, np.ndarray]:
        """Returns every parameter by name, such as "query/tables/user_id"."""
        return named_leaves(self.towers)

    def restore(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Puts parameters back, on the mesh."""
        self.towers = with_leaves(self.towers, parameters, n_rows=self.batches.n_items + 1)

    def save(self, folder: Path) -> None:
        """Writes a checkpoint of everything: of several processes all call this, and the first one writes."""
        arrays = {f"towers/{n}": a for n, a in named_leaves(self.towers).items()}
        if not all(np.isfinite(a).all() for a in arrays.values() if a.dtype.kind == "f"):
            raise self._diverged("parameters that are no numbers")
        arrays |= {f"optimizer/{n}": a for n, a in named_leaves(self.optimizer_state).items()}
        states = []
        for i, callback in enumerate(self.callbacks):
            values, held = callback.state()
            states.append({"kind": type(callback).__name__, "values": values})
            arrays |= {f"callback/{i}/{n}": a for n, a in held.items()}
        epoch, step = self.epoch, self.step
        if step == self.steps_per_epoch:
            epoch, step = epoch + 1, 0
        if is_first():
            write_checkpoint(folder, Saved(arrays, epoch, step, states, self.description))

    def _load(self, folder: Path) -> None:
        saved = read_checkpoint(folder)
        check_same_run(saved, self.description, folder=folder)
        if (saved.epoch, saved.step) > (self.epochs, 0):
            at = f"epoch {saved.epoch}" + (f", step {saved.step}" if saved.step else "")
            raise CheckpointError(
                "Training resumes from a checkpoint that is not past its end",
                f"one after {at} in {folder}, to train {self.epochs} epochs in all",
                f"Ask for {saved.epoch + (saved.step > 0)} epochs or more, or fit without resume",
            )
        kinds = [state["kind"] for state in saved.callbacks]
        mine = [type(c).__name__ for c in self.callbacks]
        if [k for k in kinds if k != "Progress"] != [m for m in mine if m != "Progress"]:
            raise CheckpointError(
                "Training resumes with the callbacks it began with",
                f"{', '.join(mine)}, where the checkpoint has {', '.join(kinds)}",
                "Pass the same callbacks in the same order",
            )
        states = [(i, s) for i, s in enumerate(saved.callbacks) if s["kind"] != "Progress"]
        for callback, (i, state) in zip(
            (c for c in self.callbacks if type(c).__name__ != "Progress"), states, strict=True
        ):
            callback.load_state(state["values"], _under(saved.arrays, f"callback/{i}/"))
        self.restore(_under(saved.arrays, "towers/"))
        state = _under(saved.arrays, "optimizer/")
        self.optimizer_state = with_leaves(self.optimizer_state, state, n_rows=self.batches.n_items + 1)
        self.epoch, self.step = saved.epoch, saved.step


@jax.jit
def _all_finite(leaves: list[jax.Array]) -> jax.Array:
    return jnp.all(jnp.stack([jnp.isfinite(x).all() for x in leaves]))


def all_finite(tree: Any) -> bool:
    """Says whether every real number of a tree of arrays is one: no nan, nothing infinite."""
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return not leaves or bool(_all_finite(leaves))


def learning_rate(state: Any) -> float | None:
    """Returns the learning rate that an optimizer's state keeps (`optax.inject_hyperparams`), or None."""
    kept = getattr(state, "hyperparams", {})
    return float(kept["learning_rate"]) if "learning_rate" in kept else None


def loss_logs(losses: StepLoss) -> dict[str, float]:
    """Returns the three losses under the notebook's names; each is a batch's sum (the last batch's)."""
    loss, regularization = float(losses.loss), float(losses.regularization)
    return {"loss": loss, "regularization_loss": regularization, "total_loss": loss + regularization}


def named_leaves(tree: Any) -> dict[str, np.ndarray]:
    """Returns the arrays of a tree by path: "query/tables/user_id"."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(map(_plain, path)): whole(leaf) for path, leaf in leaves}


def with_leaves(tree: Any, arrays: Mapping[str, np.ndarray], *, n_rows: int) -> Any:
    """Returns the tree with its arrays replaced by name, each where the old one lies.

    Args:
        tree: of arrays on a mesh.
        arrays: by path, of a run on as many devices or on others.
        n_rows: of tables that are split over devices; rows beyond are padding, as many as the devices ask
            for, and stay as they are.

    Raises:
        CheckpointError: an array is missing or has another shape.
    """

    def replaced(path: Any, old: Any) -> Any:
        name = "/".join(map(_plain, path))
        new = arrays.get(name)
        if new is not None and _but_for_padding(new.shape, old.shape, n_rows):
            new = np.concatenate([new[:n_rows], whole(old)[n_rows:]])
        if new is None or new.shape != old.shape:
            raise CheckpointError(
                "A checkpoint holds every array of the run that resumes it",
                f"{name}: {'nothing' if new is None else new.shape} for {old.shape}",
                "Resume with the same optimizer and features",
            )
        return put(new.astype(old.dtype, copy=False), old.sharding)

    return jax.tree_util.tree_map_with_path(replaced, tree)


def _but_for_padding(new: tuple[int, ...], old: tuple[int, ...], n_rows: int) -> bool:
    """Says whether two shapes differ in rows beyond n_rows alone."""
    return new != old and new[1:] == old[1:] and min(new[:1] + old[:1]) >= n_rows


def _under(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _plain(key: Any) -> str:
    for attribute in ("name", "key", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
