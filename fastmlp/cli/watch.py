"""The progress line of a training on the command line."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastmlp._base.progress import ProgressLine

if TYPE_CHECKING:
    from fastmlp.callbacks import Callback

__all__ = ["Watch"]

_PIPED_LINES = 10
"""The number of progress lines without a terminal."""


class Watch:
    """Draws the progress line of training, and times training without the evaluation on the test samples.

    Args:
        name: Stands before the count of epochs.
        epochs: The maximum number of epochs.
        values: Which of the logs to show.
    """

    def __init__(self, name: str, epochs: int, values: tuple[str, ...] = ("loss", "accuracy", "val_accuracy")) -> None:
        self.seconds = 0.0
        self._values = values
        self._line = ProgressLine(epochs, name=name, unit="epoch", lines=_PIPED_LINES, stream=sys.stderr)

    def __enter__(self) -> None:
        self._line.__enter__()

    def __exit__(self, *details: object) -> None:
        self._line.__exit__(*details)

    def callback(self) -> Callback:
        """The callback for ``fit``."""
        from fastmlp.callbacks import Callback

        watch = self

        class Watcher(Callback):
            started = 0.0
            done = 0
            shown: Mapping[str, float] = {}

            def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
                self.started = time.perf_counter()

            def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
                watch.seconds += time.perf_counter() - self.started
                self.started = math.inf

            def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
                logs = logs or {}
                watch.seconds += max(0.0, time.perf_counter() - self.started)  # 0 if the epoch ended with a test
                self.done, self.shown = epoch + 1, {name: logs[name] for name in watch._values if name in logs}
                watch._line.show(self.done, self.shown)

            def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
                if 0 < self.done < watch._line.total:  # a callback stopped the training
                    watch._line.total = self.done
                    watch._line.finish(self.shown)

        return Watcher()
