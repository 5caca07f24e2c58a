"""Callbacks that log metrics to files: CSVLogger and TensorBoard."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

from fastmlp._base import checks, numeric
from fastmlp.callbacks._images import image_of, image_summary
from fastmlp.callbacks.base import Callback, Logs

__all__ = ["CSVLogger", "TensorBoard"]


class CSVLogger(Callback):
    """Append the metrics of every epoch to a CSV file.

    Columns that an existing file lacks are added, with ``NA`` in its rows; columns that a run lacks are ``NA`` in its rows.

    Args:
        filename: Path of the file.
        separator: Separator of the columns, one character.
        append: Whether to append to an existing file, which must be a log with the same separator; by default it is replaced.

    Raises:
        ValueError: At the start of training with ``append``, if the file is not such a log.

    Example:

    >>> from fastmlp.callbacks import CSVLogger
    >>> logger = CSVLogger("training.csv")
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = Path(checks.path("filename", filename))
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"separator must be one character, got {separator!r}")
        self.sep = separator
        self.append = checks.check_bool("append", append)
        self._file: TextIO | None = None
        self._columns: list[str] = []
        """Of the file; [] until the header is written."""
        self._seen: set[str] = set()
        """Names of the metrics of this run."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._abandon()
        self._seen = set()
        lines = self._read() if self.append and self.filename.exists() else []
        self._columns = lines[0] if lines else []
        self._file = self.filename.open("a" if lines else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self._file is None:
            return
        if not self._seen >= logs.keys():
            names = sorted(logs)
            if not self._seen and not any(name.startswith("val_") for name in names):  # a later epoch may have validation
                names += [f"val_{name}" for name in names if not self._columns or f"val_{name}" in self._columns]
            self._seen.update(names)
            self._widen(["epoch", *names])
        numbers = {**logs, "epoch": epoch}
        csv.writer(self._file, delimiter=self.sep).writerow([_cell(numbers.get(name, "NA")) for name in self._columns])
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._abandon()

    def _widen(self, names: list[str]) -> None:
        """Add the columns that the file lacks."""
        from fastmlp._base.files import replacing  # which imports json

        assert self._file is not None
        missing = [name for name in names if name not in self._columns]
        if not missing:
            return
        self._columns += missing
        if self._columns == missing:
            csv.writer(self._file, delimiter=self.sep).writerow(missing)
            return
        self._file.close()
        lines = self._read()
        with replacing(self.filename) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, delimiter=self.sep)
            rows.writerow(self._columns)
            rows.writerows([*line, *["NA"] * len(missing)] for line in lines[1:])
        self._file = self.filename.open("a", newline="", encoding="utf-8")

    def _read(self) -> list[list[str]]:
        """The rows of the file, the header first. Ends an incomplete last line, which a crash may have left."""
        with self.filename.open("r+", newline="", encoding="utf-8-sig") as file:
            text = file.read()
            if text and not text.endswith("\n"):
                file.write("\r\n")
        lines = [line for line in csv.reader(text.splitlines(keepends=True), delimiter=self.sep) if line]
        if lines and ("epoch" not in lines[0] or len(set(lines[0])) < len(lines[0])):
            raise ValueError(
                f"{self.filename} is not a log of CSVLogger with the separator {self.sep!r}: its first line has no column 'epoch'; "
                "choose another file, or append=False to replace this one"
            )
        for number, line in enumerate(lines, start=1):
            if len(line) != len(lines[0]):
                raise ValueError(
                    f"{self.filename}: row {number} has {len(line)} values for {len(lines[0])} columns; correct it, or choose another file"
                )
        return lines

    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _cell(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'


class TensorBoard(Callback):
    """Log metrics for TensorBoard: ``tensorboard --logdir logs``.

    Needs the ``tensorboard`` package, not TensorFlow: ``pip install "fastmlp[tensorboard]"``. Scalars are written to ``log_dir/train`` and
    ``log_dir/validation`` under Keras' names: ``epoch_loss``, ``epoch_learning_rate``, ``batch_loss``, ``evaluation_loss_vs_iterations``;
    for a metric with several values, their mean.

    Args:
        log_dir: Path of the folder.
        histogram_freq: Epochs between two histograms of all weights; 0 disables them.
        write_graph: Accepted for compatibility with Keras; there is no graph to write.
        write_images: Whether to write images of the weights with the histograms.
        write_steps_per_second: Whether to log the number of training batches per second.
        update_freq: When to log the means over the epoch so far: ``"epoch"``, a number of batches, or ``"batch"`` for 1.
        profile_batch: Not in fastmlp; a warning unless 0.
        embeddings_freq: Not in fastmlp; a warning unless 0.
        embeddings_metadata: Not in fastmlp; a warning unless None.

    Example:

    >>> from fastmlp.callbacks import TensorBoard
    >>> board = TensorBoard(log_dir="logs/first", histogram_freq=1)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Literal["batch", "epoch"] | int = "epoch",
        profile_batch: int | Sequence[int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: object = None,
    ) -> None:
        given = {"profile_batch": profile_batch, "embeddings_freq": embeddings_freq, "embeddings_metadata": embeddings_metadata}
        for name in (name for name, value in given.items() if value):
            instead = "fastmlp bench measures the machine" if name == "profile_batch" else "histogram_freq shows the weights"
            checks.warn(f"TensorBoard({name}=...) writes nothing, because it is not in fastmlp; {instead}")
        self.write_images = checks.check_bool("write_images", write_images)
        self.log_dir = Path(checks.path("log_dir", log_dir))
        self.histogram_freq = checks.check_int("histogram_freq", histogram_freq, 0)
        self.write_steps_per_second = checks.check_bool("write_steps_per_second", write_steps_per_second)
        if isinstance(update_freq, str) and update_freq not in ("batch", "epoch"):
            raise ValueError(f"update_freq must be 'batch', 'epoch' or a number of batches, got {update_freq!r}")
        self.update_freq: int | None = (
            {"batch": 1, "epoch": None}[update_freq] if isinstance(update_freq, str) else checks.check_int("update_freq", update_freq)
        )
        self._writers: dict[str, Any] = {}
        self._batches = 0  # in this fit
        self._last = -1  # batch of the epoch
        self._written = 0
        self._clock = self._epoch_clock = 0.0
        _event_writer()  # raises now, not after an epoch, if the package is missing

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = self._written = 0
        self._clock = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._last = -1
        self._epoch_clock = time.perf_counter()

    def _batches_until_pause(self) -> int | None:
        return None if self.update_freq is None else self.update_freq - self._batches % self.update_freq

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
        self._batches += batch - self._last
        self._last = batch
        if self.update_freq is None or self._batches % self.update_freq:
            return
        metrics = {f"batch_{name}": value for name, value in logs.items()}
        if self.write_steps_per_second:
            now = time.perf_counter()
            metrics["batch_steps_per_second"] = (self._batches - self._written) / (now - self._clock)
            self._clock, self._written = now, self._batches
        self._scalars("train", metrics, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        train["learning_rate"] = self.model.optimizer.rate
        if self.write_steps_per_second:
            train["steps_per_second"] = (self._last + 1) / (time.perf_counter() - self._epoch_clock)
        self._scalars("train", {f"epoch_{name}": value for name, value in train.items()}, epoch)
        validation = {f"epoch_{name.removeprefix('val_')}": value for name, value in logs.items() if name.startswith("val_")}
        self._scalars("validation", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(epoch)

    def on_test_end(self, logs: Logs | None = None) -> None:
        metrics = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
        self._scalars("validation", metrics, self.model.optimizer.iterations)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._abandon()

    def _abandon(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _scalars(self, part: str, metrics: Mapping[str, float], step: int) -> None:
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        if metrics:
            for name, value in metrics.items():
                self._write(part, scalar_pb(name, numeric.mean(value)), step)
            self._writers[part].flush()

    def _histograms(self, epoch: int) -> None:
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb

        for weight in self.model._weights:
            values = weight.read()
            self._write("train", histogram_pb(f"{weight.parameter().name}/histogram", values[np.isfinite(values)]), epoch)
            image = image_of(values) if self.write_images else None
            if image is not None:
                self._write("train", image_summary(f"{weight.parameter().name}/image", image), epoch)
        self._writers["train"].flush()

    def _write(self, part: str, summary: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        if part not in self._writers:
            self._writers[part] = _event_writer()(str(self.log_dir / part))
        self._writers[part].add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _event_writer() -> Any:
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise ImportError('TensorBoard needs the tensorboard package: pip install "fastmlp[tensorboard]"') from None
    return EventFileWriter
