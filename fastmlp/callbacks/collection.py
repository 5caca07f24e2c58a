"""CallbackList, and the two callbacks that it adds: History and ProgbarLogger."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp._base import progress
from fastmlp.callbacks.base import Callback, Logs, Params

if TYPE_CHECKING:
    from fastmlp._plotting.figures import Figure

__all__ = ["CallbackList", "History", "ProgbarLogger"]


class History(Callback):
    """Records the metrics of every epoch; returned by ``fit``.

    Attributes:
        history: ``{"loss": [first epoch, second epoch, …], "val_loss": […], …}``.
        epoch: The epochs that were run, counted from 0.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def plot(self) -> Figure:
        """Plot the loss and each metric over the epochs, training and validation in one panel; returns a matplotlib figure."""
        from fastmlp._plotting import drawing

        return drawing.plot_history(self)

    def __repr__(self) -> str:
        last = (f"{name} {progress.format_value(values[-1])}" for name, values in self.history.items() if values)
        return f"<History of {len(self.epoch)} epoch{'s' * (len(self.epoch) != 1)}{': ' * bool(self.history)}{', '.join(last)}>"

    def _repr_html_(self) -> str:
        """A table of the first, minimum, maximum and last value of each metric, for notebooks."""
        rows = []
        for name, recorded in self.history.items():
            values = [float(np.mean(value)) for value in recorded]
            cells = (values[0], np.nanmin(values), np.nanmax(values), values[-1]) if values and not np.isnan(values).all() else ("",) * 4
            texts = (cell if isinstance(cell, str) else progress.format_value(float(cell)) for cell in cells)
            rows.append(f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{text}</td>' for text in texts)}</tr>")
        header = "".join(f"<th>{title}</th>" for title in ("", "first", "minimum", "maximum", "last"))
        epochs = f"{len(self.epoch)} epoch{'s' * (len(self.epoch) != 1)}"
        return f"<table><caption>{epochs}</caption><thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def __getstate__(self) -> dict[str, Any]:
        return {"history": self.history, "epoch": self.epoch, "params": self.params}  # without the model, which refers to this history


class ProgbarLogger(Callback):
    """Prints the progress of ``fit``, ``evaluate`` and ``predict``, which add it unless ``verbose=0``."""

    def __init__(self) -> None:
        self._line: progress.ProgressLine | None = None
        self._in_fit = False
        self._validating = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        epochs = self.params["epochs"] if self.params else 1
        if epochs > 1:
            progress.write(f"Epoch {epoch + 1}/{epochs}\n")
        self._open()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._close(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._validating = self._in_fit  # whose validation has no line of its own
        if not self._validating:
            self._open()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._validating:
            self._close(logs)
        self._validating = False

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._open()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._close({})

    def advance(self, step: int, logs: Logs) -> None:
        """Draw that ``step`` steps of the epoch are done."""
        if self._line is not None and not self._validating:
            self._line.update(step, logs)

    def _abandon(self) -> None:
        """End the line that is being drawn, before an exception is shown."""
        if self._line is not None:
            self._line.abandon()
            self._line = None

    def _open(self) -> None:
        params = self.params or Params(verbose=1, epochs=1, steps=None)
        self._line = progress.ProgressLine(params["steps"] or 0, params["verbose"])

    def _close(self, logs: Logs | None) -> None:
        if self._line is not None:
            self._line.finish(logs or {})
            self._line = None


class CallbackList(Callback):
    """Several callbacks as one: the user's own, followed by a :class:`History` and the progress line.

    Args:
        callbacks: None, one callback, or several.
        add_history: Whether to add a History if there is none.
        verbose: 0 for no progress line.
        model: Passed to every callback.
        params: ``epochs`` and ``steps``, passed to every callback with ``verbose``.
    """

    def __init__(
        self,
        callbacks: Any = None,
        *,
        add_history: bool = False,
        verbose: int = 0,
        model: Any = None,
        params: Mapping[str, int | None] | None = None,
    ) -> None:
        self.callbacks = list(_flatten(callbacks))
        self.history = next((callback for callback in self.callbacks if isinstance(callback, History)), None)
        if self.history is None and add_history:
            self.history = History()
            self.callbacks.append(self.history)
        self.progress = next((callback for callback in self.callbacks if isinstance(callback, ProgbarLogger)), None)
        if self.progress is None and verbose:
            self.progress = ProgbarLogger()
            self.callbacks.append(self.progress)
        self.callbacks.sort(key=lambda callback: callback._runs_last)
        self.pausing = [callback for callback in self.callbacks if type(callback)._pause is not Callback._pause]
        self.set_model(model)
        self.set_params(cast(Params, {"verbose": verbose, **(params or {})}))

    def set_params(self, params: Params) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def listens_to_batches(self, phase: str) -> bool:
        """Whether a callback overrides a batch method of the phase ``"train"``, ``"test"`` or ``"predict"``."""
        return bool(self.batch_methods(phase, "begin") or self.batch_methods(phase, "end"))

    def batch_methods(self, phase: str, moment: str) -> list[Callable[[int, Logs], None]]:
        """The methods to call at the ``"begin"`` or the ``"end"`` of each batch, without those of callbacks that do not override them."""
        name = f"on_{phase}_batch_{moment}"
        names = (name, f"on_batch_{moment}") if phase == "train" else (name,)
        return [getattr(callback, name) for callback in self.callbacks if any(_overrides(callback, one) for one in names)]

    def advance(self, step: int, logs: Logs) -> None:
        """Draw in the progress line that ``step`` steps of the epoch are done."""
        if self.progress is not None:
            self.progress.advance(step, logs)

    def _batches_until_pause(self) -> int | None:
        return min((limit for callback in self.callbacks if (limit := callback._batches_until_pause()) is not None), default=None)

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
        for callback in self.pausing:
            callback._pause(batch, logs, samples)

    def _accepts_divergence(self, batch: int) -> bool:
        answers = [callback._accepts_divergence(batch) for callback in self.callbacks]  # all of them are asked
        return any(answers)

    def _abandon(self) -> None:
        """End the progress line, and close all files, before an exception is shown."""
        for callback in self.callbacks:
            callback._abandon()


def _overrides(callback: Callback, name: str) -> bool:
    """Whether a callback has a method of its own of this name."""
    return getattr(getattr(callback, name, None), "__func__", None) is not getattr(Callback, name)


def _broadcast(name: str) -> Callable[..., None]:
    counted = "epoch" in name or "batch" in name

    def call_all(self: CallbackList, *args: Any) -> None:
        if len(args) == counted:
            args = (*args, {})  # users' methods may have no default for logs
        for callback in self.callbacks:
            getattr(callback, name)(*args)

    call_all.__name__ = name
    call_all.__doc__ = f"Call ``{name}`` of every callback."
    return call_all


for _name in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(CallbackList, _name, _broadcast(_name))


def _flatten(callbacks: object) -> Iterable[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for item in callbacks:
            yield from _flatten(item)
    elif isinstance(callbacks, type):
        raise TypeError(f"callbacks holds the class {callbacks.__name__}; pass an instance: {callbacks.__name__}()")
    elif not isinstance(callbacks, Callback):
        raise TypeError(f"callbacks must be instances of fastmlp.callbacks.Callback, got {callbacks!r:.80}")
    else:
        yield callbacks
