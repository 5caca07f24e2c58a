"""BackupAndRestore: an interrupted ``fit`` continues with the same bits as one that was not interrupted."""

from __future__ import annotations

import os
from pathlib import Path

from fastmlp._base import checks
from fastmlp._training.state import OptimizerState, TensorNames, TrainingState
from fastmlp.callbacks.base import Callback, Logs
from fastmlp.callbacks.checkpoint import BatchCounter, SaveFrequency
from fastmlp.errors import ModelFileError, UnsupportedError

__all__ = ["BackupAndRestore"]

_FORMAT = "fastmlp backup"
_VERSION = 1
_ELSEWHERE = "name another folder, or delete it to begin anew"


class BackupAndRestore(Callback):
    """Back up the training state, so that the same program, killed and run again, ends with the same bits as if it had not been killed.

    It may be killed at any moment: a backup is complete or absent, and the batches after the last one are trained again. A backup holds the
    weights, the optimizer's state and learning rate, the position in the epoch and in the data, and the state of EarlyStopping,
    ReduceLROnPlateau and ModelCheckpoint. The returned history begins where training was resumed. Data, arguments and callbacks must be the
    same.

    Args:
        backup_dir: Folder for the backups, which nothing else uses.
        save_freq: ``"epoch"``, or a number of batches.
        double_checkpoint: Whether to keep the previous backup too, in case the disk damages the latest.
        delete_checkpoint: Whether to delete the backups at the end of training.

    Raises:
        ModelFileError: The backup is damaged, or the file is no backup.
        ValueError: The backup is of another model, another optimizer or other data.

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
        save_freq: SaveFrequency = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if save_freq is False:
            raise UnsupportedError("save_freq=False, which saves when preemption is announced, is not in fastmlp; give a number")
        self.backup_dir = Path(checks.path("backup_dir", backup_dir))
        self.save_freq = save_freq
        self.double_checkpoint = checks.check_bool("double_checkpoint", double_checkpoint)
        self.delete_checkpoint = checks.check_bool("delete_checkpoint", delete_checkpoint)
        self._counter = BatchCounter("BackupAndRestore", save_freq)
        self._latest = self.backup_dir / "latest.safetensors"
        self._previous = self.backup_dir / "previous.safetensors"
        self._resumed: TrainingState | None = None

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
        resumed, self._resumed = self._resumed, None
        if resumed is not None and resumed.position is not None and resumed.position["batches"]:
            resumed.restore_learning_rate(self.model)  # other callbacks have just seen the epoch begin a second time
            self._counter.is_time(resumed.position["batches"] - 1)
            self._counter.waiting = 0

    def _batches_until_pause(self) -> int | None:
        return self._counter.left()

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
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

        state = TrainingState.capture(self.model, fit=True)
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self._latest.exists():
            self._previous.unlink(missing_ok=True)
            os.link(self._latest, self._previous)
        document = {"format": _FORMAT, "version": _VERSION, **state.document()}
        model_file.write(self._latest.resolve(), document, state.tensors(self._names()))

    def _load(self, path: Path) -> None:
        from fastmlp._base import model_file

        model, names = self.model, self._names()
        with model_file.ModelFile(path) as file:
            document = file.document
            if document.get("format") != _FORMAT or document.get("version") != _VERSION:
                raise file.fail("it is not a backup of this version of fastmlp; delete the folder to begin anew")
            shapes = {name: shape for name, shape in file.shapes.items() if name.startswith("weight/")}
            if shapes != dict(zip(names.weights, (weight.shape for weight in model.get_weights()), strict=True)):
                raise ValueError(f"the backup in {self.backup_dir} is of another model; {_ELSEWHERE}")
            state = TrainingState.read(names, document, file.read(file.shapes))
        try:
            OptimizerState(0, state.slots).check(model)
        except ValueError as error:
            raise ValueError(f"the backup in {self.backup_dir} is of another optimizer; {_ELSEWHERE}") from error
        try:
            model.fit_progress.check_data(document["progress"])
        except ValueError as error:
            raise ValueError(f"{self.backup_dir} holds {error}; give fit what it had, or delete {self.backup_dir}") from None
        state.restore(model)
        self._resumed = state

    def _names(self) -> TensorNames:
        weights, learned = len(self.model.weights), len(self.model._learned())
        return TensorNames([f"weight/{index}" for index in range(weights)], [str(index) for index in range(learned)], "slot")
