"""This module holds what watches training: the callbacks of Keras's `fit`, with its method names.

A callback sees the run through `self.run` (see `Run`), set before `on_train_begin`. Logs hold floats
at the end of an epoch; at the end of a batch they hold values that are still being computed, and
turning one into a float waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from butaca.checks import check_type, finite_number, of_kind, path_of, whole_number
from butaca.errors import SettingError

Logs = Mapping[str, Any]


class Run(Protocol):
    """A Run says what a callback may ask of the training run."""

    epochs: int
    steps_per_epoch: int
    stop_training: bool

    def parameters(self) -> dict[str, np.ndarray]:
        """Returns every parameter by name, such as "query/tables/user_id", as numpy arrays."""
        ...

    def restore(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Puts parameters back."""
        ...

    def save(self, folder: Path) -> None:
        """Writes all that a resumed run needs; see checkpoints.py."""
        ...


class Callback:
    """A Callback watches training; every method of this base class does nothing. Override what you need."""

    run: Run

    def set_run(self, run: Run) -> None:
        """Takes the run that is about to begin; called once before training."""
        self.run = run

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Runs before the first epoch, or before the first epoch that is resumed."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Runs before an epoch's first batch; epochs count from 0."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Runs after a batch was handed to the devices."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Runs after an epoch, with its loss and validation metrics."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Runs after the last epoch, also when training stopped early."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Runs after `evaluate`, with its metrics."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Returns what a checkpoint keeps of this callback: JSON values and arrays."""
        return {}, {}

    def load_state(self, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Takes back what `state` gave, when training resumes."""


class FitHistory(Callback):
    """A FitHistory is the record that `fit` returns.

    Attributes:
        epoch: the epochs that ran, from 0.
        history: name -> one value per epoch, "loss" among them.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Appends the epoch's logs."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Returns the record so far."""
        return {"epoch": self.epoch, "history": self.history}, {}

    def load_state(self, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Continues a record."""
        self.epoch = list(values["epoch"])
        self.history = {name: list(row) for name, row in values["history"].items()}

    def __repr__(self) -> str:
        last = {name: row[-1] for name, row in self.history.items()}
        return f"FitHistory({len(self.epoch)} epochs, last {last})"


class TensorBoard(Callback):
    """Writes scalars and histograms for TensorBoard, without TensorFlow (notebook's cell 105).

    Scalars go to `<log_dir>/train` as epoch_<name>, validation's and `evaluate`'s to
    `<log_dir>/validation`, where Keras puts them.

    Args:
        log_dir: folder of this run.
        histogram_freq: epochs between histograms of every parameter; 0 writes none.
    """

    def __init__(self, log_dir: str | Path, histogram_freq: int = 1) -> None:
        path_of("log_dir", log_dir)
        if whole_number("histogram_freq", histogram_freq, least=None) < 0:
            raise SettingError("histogram_freq is 0 or more", str(histogram_freq), "Use 1 for every epoch")
        self.log_dir, self.histogram_freq = Path(log_dir), histogram_freq
        self._writers: dict[str, Any] = {}
        self._epoch = 0

    def _writer(self, kind: str) -> Any:
        if kind not in self._writers:
            from tensorboardX import SummaryWriter

            self._writers[kind] = SummaryWriter(str(self.log_dir / kind))
        return self._writers[kind]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes the epoch's scalars, and histograms when due."""
        self._epoch = epoch
        for name, value in (logs or {}).items():
            kind, plain = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
            self._writer(kind).add_scalar(f"epoch_{plain}", float(value), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for name, values in self.run.parameters().items():
                self._writer("train").add_histogram(name, values, epoch)
        self._flush()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Writes what `evaluate` measured."""
        for name, value in (logs or {}).items():
            self._writer("validation").add_scalar(f"evaluation_{name}", float(value), self._epoch)
        self._flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Flushes the writers, which stay open for `evaluate`."""
        self._flush()

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


class EarlyStopping(Callback):
    """Stops training when a metric no longer improves, and keeps the best parameters.

    Args:
        monitor: name in the epoch's logs; validation metrics start with "val_".
        patience: epochs without improvement that are allowed.
        min_delta: a smaller change does not count.
        mode: "max" or "min"; "auto" takes "min" for names with "loss".
        restore_best: put the best epoch's parameters back at the end.
    """

    def __init__(
        self,
        monitor: str = "val_factorized_top_k/top_10_categorical_accuracy",
        patience: int = 3,
        *,
        min_delta: float = 0.0,
        mode: Literal["auto", "min", "max"] = "auto",
        restore_best: bool = True,
    ) -> None:
        of_kind("monitor", monitor, kind=str, cure='Name one of the epoch\'s logs, such as "loss"')
        whole_number("patience", patience, least=0)
        finite_number("min_delta", min_delta)
        check_type("mode", mode, hint=Literal["auto", "min", "max"])
        self.monitor, self.patience, self.min_delta = monitor, patience, abs(min_delta)
        lower = "loss" in monitor if mode == "auto" else mode == "min"
        self.sign = -1.0 if lower else 1.0
        self.restore_best = restore_best
        self.best, self.best_epoch, self.wait = -math.inf, -1, 0
        self._best_parameters: dict[str, np.ndarray] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compares with the best epoch so far."""
        logs = logs or {}
        if self.monitor not in logs:
            raise SettingError(
                "EarlyStopping watches a name in the epoch's logs",
                f"{self.monitor!r}, while the logs hold {', '.join(logs) or 'nothing'}",
                "Pass validation_data to fit, or monitor='loss'",
            )
        value = self.sign * float(logs[self.monitor])
        if value > self.best + self.min_delta:
            self.best, self.best_epoch, self.wait = value, epoch, 0
            if self.restore_best:
                self._best_parameters = self.run.parameters()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.run.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Puts the best parameters back."""
        if self._best_parameters:
            self.run.restore(self._best_parameters)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Returns the best value, its epoch, the wait and the best parameters."""
        best = None if math.isinf(self.best) else self.best
        values = {"best": best, "best_epoch": self.best_epoch, "wait": self.wait}
        return values, self._best_parameters

    def load_state(self, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Takes back what `state` gave."""
        self.best = -math.inf if values["best"] is None else float(values["best"])
        self.best_epoch, self.wait = int(values["best_epoch"]), int(values["wait"])
        self._best_parameters = dict(arrays)
        self.run.stop_training |= 0 < self.wait >= self.patience  # it had stopped


class Checkpoint(Callback):
    """Saves the whole state of training, so that a killed run resumes to the same bits.

    `fit(..., resume=folder)` continues from it.

    Args:
        folder: where; one checkpoint is kept, replaced atomically.
        every_steps: batches between checkpoints; 0 saves at the end of each epoch only.
    """

    def __init__(self, folder: str | Path, every_steps: int = 0) -> None:
        path_of("folder", folder)
        if whole_number("every_steps", every_steps, least=None) < 0:
            raise SettingError("every_steps is 0 or more", str(every_steps), "Use 0 for once per epoch")
        self.folder, self.every_steps = Path(folder), every_steps

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Saves when due; an epoch's last batch waits for `on_epoch_end`."""
        last = batch + 1 == self.run.steps_per_epoch
        if self.every_steps and (batch + 1) % self.every_steps == 0 and not last:
            self.run.save(self.folder)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Saves; callbacks listed before this one have had their say."""
        self.run.save(self.folder)


class Progress(Callback):
    """Draws a bar over all batches with the last epoch's loss, by means of rich."""

    def __init__(self, console: Any = None) -> None:
        self.console = console
        self._bar: Any = None
        self._task: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Draws the bar."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            console=self.console,
        )
        self._bar.start()
        total = self.run.epochs * self.run.steps_per_epoch
        self._task = self._bar.add_task("", total=total, epoch=0, epochs=self.run.epochs, loss="...")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Shows the epoch."""
        done = epoch * self.run.steps_per_epoch
        self._bar.update(self._task, epoch=epoch + 1, completed=done)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Advances the bar."""
        self._bar.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Shows the loss."""
        self._bar.update(self._task, loss=f"{float((logs or {}).get('loss', math.nan)):,.0f}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leaves the finished bar on the screen."""
        self._bar.stop()
