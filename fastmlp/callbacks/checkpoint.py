"""ModelCheckpoint: saves the model every epoch, every few batches, or whenever it is the best so far."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fastmlp._base import checks, progress
from fastmlp._base.typing import Mode
from fastmlp.callbacks.base import Logs
from fastmlp.callbacks.monitoring import MonitorCallback, as_text, from_text

__all__ = ["BatchCounter", "ModelCheckpoint", "SaveFrequency"]

SaveFrequency: TypeAlias = Literal["epoch"] | int


class BatchCounter:
    """Counts batches across epochs, to save every so many.

    Args:
        owner: Name of the callback, for messages.
        save_freq: ``"epoch"``, or a number of batches.
    """

    def __init__(self, owner: str, save_freq: SaveFrequency) -> None:
        if not isinstance(save_freq, str):
            checks.check_int("save_freq", save_freq)
        elif save_freq != "epoch":
            raise ValueError(f"save_freq of {owner} must be 'epoch' or a number of batches, got {save_freq!r}")
        self.every: int | None = None if save_freq == "epoch" else save_freq
        self.waiting = 0
        self._last = -1

    def left(self) -> int | None:
        """Batches until the next save; None if it is at the end of the epoch."""
        return None if self.every is None else self.every - self.waiting

    def new_epoch(self) -> None:
        """Called at the start of an epoch: the next batch is number 0."""
        self._last = -1

    def is_time(self, batch: int) -> bool:
        """Whether to save, now that ``batch`` is done."""
        self.waiting += batch - self._last
        self._last = batch
        if self.every is None or self.waiting < self.every:
            return False
        self.waiting = 0
        return True


class ModelCheckpoint(MonitorCallback):
    """Save the model at regular intervals, or whenever it improves; files are written atomically, so none is ever incomplete.

    Args:
        filepath: Path of the file. ``{epoch}`` is replaced by the number of the epoch, counted from 1, ``{batch}`` by the number of the
            batch, and names of logs by their values: ``"{epoch:02d}-{val_loss:.2f}.safetensors"``. The suffix chooses the format, as in
            ``model.save``.
        monitor: Name of the metric to monitor, a key of the logs.
        verbose: 1 to print a message for each action.
        save_best_only: Whether to save only when the monitored metric has improved.
        save_weights_only: Whether to save with ``model.save_weights`` instead of ``model.save``.
        mode: ``"min"``, ``"max"``, or ``"auto"``, which follows from the metric.
        save_freq: ``"epoch"``, or a number of batches. The engine is interrupted exactly there, and nowhere else because of it.
        initial_value_threshold: Initial best value of the monitored metric.

    Example:

    >>> from fastmlp.callbacks import ModelCheckpoint
    >>> best = ModelCheckpoint("best.safetensors", monitor="val_accuracy", save_best_only=True)
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Mode = "auto",
        save_freq: SaveFrequency = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.filepath = checks.path("filepath", filepath)
        self.verbose = verbose
        self.save_best_only = checks.check_bool("save_best_only", save_best_only)
        self.save_weights_only = checks.check_bool("save_weights_only", save_weights_only)
        self.save_freq = save_freq
        self._counter = BatchCounter("ModelCheckpoint", save_freq)
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        self._counter.new_epoch()

    def _batches_until_pause(self) -> int | None:
        return self._counter.left()

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
        if self._counter.is_time(batch):
            self._consider(self._epoch, {"batch": batch + 1, **logs})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._consider(epoch, logs or {})

    def _consider(self, epoch: int, logs: Mapping[str, Any]) -> None:
        path = self._path(epoch, logs)
        if not self._is_wanted(epoch, logs, path):
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._say(f"\nEpoch {epoch + 1}: finished saving model to {path}\n")

    def _is_wanted(self, epoch: int, logs: Mapping[str, Any], path: str) -> bool:
        where = f"\nEpoch {epoch + 1}:"
        current = self._current(logs) if self.save_best_only else None
        if current is None:
            self._say(f"{where} saving model to {path}\n")
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._improves(current, self.best):
            self._say(f"{where} {self.monitor} did not improve from {best}\n")
            return False
        self._say(f"{where} {self.monitor} improved from {best} to {current:.5f}, saving model to {path}\n")
        self.best = current
        return True

    def _path(self, epoch: int, logs: Mapping[str, Any]) -> str:
        try:
            return self.filepath.format(epoch=epoch + 1, **logs)
        except KeyError as error:
            available = ", ".join(["epoch", *logs])
            raise KeyError(f"filepath {self.filepath!r} asks for {error}, which is not available; there are {available}") from None

    def _say(self, text: str) -> None:
        if self.verbose:
            progress.write(text)

    def _fit_state(self) -> dict[str, Any]:
        return {"best": as_text(self.best), "waiting": self._counter.waiting}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self.best, self._counter.waiting = from_text(state["best"]), state["waiting"]
