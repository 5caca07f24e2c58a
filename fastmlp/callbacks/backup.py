"""BackupAndRestore: an interrupted ``fit`` goes on where it was, with the bits of one that was not interrupted."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._base import checks
from fastmlp.callbacks.base import Callback, Logs
from fastmlp.callbacks.checkpoint import BatchCounter
from fastmlp.errors import ModelFileError, UnsupportedError

__all__ = ["BackupAndRestore"]

_FORMAT = "fastmlp backup"
_VERSION = 1


class BackupAndRestore(Callback):
    """Write down where training stands, so that the same program, killed and run again, ends with the bits it would have had.

    That holds for a kill at any moment: a backup is complete or not there, and whatever came after the last one is trained again. It keeps
    the weights, the optimizer's state and learning rate, the place in the epoch and in the data, and what EarlyStopping,
    ReduceLROnPlateau and ModelCheckpoint remember. The returned history begins where training went on. Data, arguments and
    callbacks must be the same.

    Args:
        backup_dir: A folder of its own.
        save_freq: ``"epoch"``, or a number of batches.
        double_checkpoint: Whether to keep the last but one backup too, for the case that the disk damages the last.
        delete_checkpoint: Whether to delete the backup when training has ended.

    Raises:
        ModelFileError: The backup is damaged, or of something else.
        ValueError: The backup is of another model, or of other data.

    Example:

    >>> import numpy as np
    >>> from fastmlp import callbacks, layers, models
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> history = model.fit(np.eye(2), np.ones(2), epochs=3, verbose=0, callbacks=[callbacks.BackupAndRestore("backup")])
    """

    _runs_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if save_freq is False:
            raise UnsupportedError("save_freq=False waits for an announced preemption, which is not in fastmlp; give a number of batches")
        self.backup_dir = Path(checks.path("backup_dir", backup_dir))
        self.save_freq = save_freq
        self.double_checkpoint = checks.check_bool("double_checkpoint", double_checkpoint)
        self.delete_checkpoint = checks.check_bool("delete_checkpoint", delete_checkpoint)
        self._counter = BatchCounter("BackupAndRestore", save_freq)
        self._latest = self.backup_dir / "latest.safetensors"
        self._previous = self.backup_dir / "previous.safetensors"
        self._resumed: dict[str, Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._counter = BatchCounter("BackupAndRestore", self.save_freq)
        self._resumed = None
        if not self._latest.exists():
            return
        try:
            self._load(self._latest)
        except ModelFileError:
            if not self._previous.exists():
                raise
            self._load(self._previous)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._counter.new_epoch()
        if self._resumed is not None:
            if self._resumed["progress"]["batches"]:
                self._set_rate(self._resumed)  # other callbacks have just seen the epoch begin a second time
                self._counter.is_time(self._resumed["progress"]["batches"] - 1)
                self._counter.waiting = 0
            self._resumed = None

    def _batches_until_pause(self) -> int | None:
        return self._counter.left()

    def _pause(self, batch: int, logs: Logs, rows: int) -> None:
        if self._counter.is_time(batch):
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint and self.backup_dir.is_dir():
            self._latest.unlink(missing_ok=True)
            self._previous.unlink(missing_ok=True)
            if not any(self.backup_dir.iterdir()):
                self.backup_dir.rmdir()

    def _save(self) -> None:
        from fastmlp._base import model_file

        model = self.model
        progress = model.fit_progress
        optimizer = model._optimizer_state() or {"slots": {}}
        tensors = _numbered("weight", model.get_weights())
        for name, values in optimizer["slots"].items():
            tensors |= _numbered(f"slot/{name}", values)
        states = {}
        for key, callback in _named(progress.listeners.callbacks):
            state = callback._fit_state()
            arrays = {name: value for name, value in state.items() if _is_arrays(value)}
            for name, values in arrays.items():
                tensors |= _numbered(f"callback/{key}/{name}", values)
            numbers = {name: value for name, value in state.items() if name not in arrays}
            states[key] = {"numbers": numbers, "arrays": {name: len(values) for name, values in arrays.items()}}
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "training": model.training_state(),
            "learning_rate": model.optimizer.rate,
            "slots": {name: len(values) for name, values in optimizer["slots"].items()},
            "progress": progress.state(),
            "stopped": model.stop_training,
            "callbacks": states,
        }
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._latest.exists():
            self._previous.unlink(missing_ok=True)
            os.link(self._latest, self._previous)
        model_file.write(self._latest.resolve(), document, tensors)

    def _load(self, path: Path) -> None:
        from fastmlp._base import model_file

        model = self.model
        with model_file.ModelFile(path) as file:
            document = file.document
            if document.get("format") != _FORMAT or document.get("version") != _VERSION:
                raise file.fail("it is not a backup of this version of fastmlp; delete the folder to begin anew")
            tensors = file.read(file.shapes)
        weights = model.get_weights()
        stored = [tensors.get(f"weight/{index}") for index in range(len(weights))]
        if [w.shape for w in weights] != [None if w is None else w.shape for w in stored] or f"weight/{len(weights)}" in tensors:
            raise ValueError(f"the backup in {self.backup_dir} is of another model; name another folder, or delete it to begin anew")
        if tuple(document["slots"]) != tuple(model.network.slot_names):
            raise ValueError(f"the backup in {self.backup_dir} is of another optimizer; name another folder, or delete it to begin anew")
        model.fit_progress.restore(document["progress"], self.backup_dir)
        model.set_weights(stored)
        slots = {name: _collected(tensors, f"slot/{name}", count) for name, count in document["slots"].items()}
        model._restore_optimizer_state({"iterations": 0, "slots": slots})
        model.restore_training_state(document["training"])
        for key, callback in _named(model.fit_progress.listeners.callbacks):
            kept = document["callbacks"].get(key)
            if kept and (kept["numbers"] or kept["arrays"]):
                arrays = {name: _collected(tensors, f"callback/{key}/{name}", count) for name, count in kept["arrays"].items()}
                callback._restore_fit_state({**kept["numbers"], **arrays})
        self._set_rate(document)
        self._resumed = document
        if document["stopped"]:
            model.fit_progress.epoch = sys.maxsize  # nothing is left to train

    def _set_rate(self, document: Mapping[str, Any]) -> None:
        if not self.model.optimizer.follows_schedule:
            self.model.optimizer.learning_rate = document["learning_rate"]


def _named(callbacks: list[Callback]) -> Iterator[tuple[str, Callback]]:
    """Each callback with a name that it has in another run too: its class, and which one of that class it is."""
    seen: Counter[str] = Counter()
    for callback in callbacks:
        name = type(callback).__name__
        yield f"{name}/{seen[name]}", callback
        seen[name] += 1


def _is_arrays(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, np.ndarray) for item in value)


def _numbered(prefix: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{index}": np.ascontiguousarray(array, np.float32) for index, array in enumerate(arrays)}


def _collected(tensors: Mapping[str, np.ndarray], prefix: str, count: int) -> list[np.ndarray]:
    return [tensors[f"{prefix}/{index}"] for index in range(count)]
