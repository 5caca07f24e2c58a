"""The training state: everything that training changes, captured from a model between two batches and restored to a similar model.

Saving, copying, :class:`~fastmlp.callbacks.BackupAndRestore` and :class:`~fastmlp.callbacks.LearningRateFinder` use it, so training that
is stopped, saved and resumed ends with the same bits as uninterrupted training. Layers and the arguments of ``compile`` are not part of the
state.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "FitState", "OptimizerState", "TensorNames", "TrainingState"]

Array: TypeAlias = NDArray[np.float32]


class Accumulator(Protocol):
    """The accumulator of an epoch: a :class:`~fastmlp._training.accumulators.MetricAccumulator`."""

    def state(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...


class Source(Protocol):
    """The batches of a ``fit``, and the position in them: a ``BatchSampler`` or a ``BatchStream``."""

    first: int | None
    number: int

    def describe(self) -> str: ...
    def end_epoch(self) -> None: ...


class StatefulCallback(Protocol):
    """The methods of callbacks that this module uses."""

    def _fit_state(self) -> dict[str, Any]: ...
    def _restore_fit_state(self, state: Mapping[str, Any]) -> None: ...


class Callbacks(Protocol):
    """The callbacks of a ``fit``: a :class:`~fastmlp.callbacks.CallbackList`."""

    @property
    def callbacks(self) -> Sequence[StatefulCallback]: ...


class FitState:
    """The position of a running ``fit``, between two batches.

    Args:
        source: The batches.
        listeners: The callbacks.
        epoch: Index of the initial epoch.
    """

    def __init__(self, source: Source, listeners: Callbacks, epoch: int) -> None:
        self._source = source
        self._listeners = listeners
        self.epoch = epoch
        self.batches = 0
        """Completed batches of the epoch."""
        self._accumulator: Accumulator | None = None
        self._interrupted: Mapping[str, Any] = {}

    def begin_epoch(self, epoch: int, accumulator: Accumulator) -> None:
        """Called when an epoch begins, or continues after an interruption; then ``accumulator`` is restored."""
        self.epoch = epoch
        self._accumulator = accumulator
        if self.batches:
            accumulator.restore(self._interrupted)

    def end_epoch(self) -> None:
        """Called after all batches of the epoch."""
        self._source.end_epoch()
        self.epoch += 1
        self.batches = 0

    def position(self) -> dict[str, Any]:
        """The position, as JSON values."""
        return {
            "epoch": self.epoch,
            "batches": self.batches,
            "tally": self._accumulator.state() if self._accumulator is not None and self.batches else {},
            "first": self._source.first,
            "number": self._source.number,
            "data": self._source.describe(),
        }

    def check_data(self, position: Mapping[str, Any]) -> None:
        """Raise ValueError if ``position`` is in the middle of a pass over other data."""
        inside_a_pass = position["batches"] or position["first"] is not None
        if inside_a_pass and position["data"] != self._source.describe():
            raise ValueError(f"an epoch of {position['data']}, but this fit has {self._source.describe()}")

    def restore(self, position: Mapping[str, Any], *, stopped: bool = False) -> None:
        """Continue from a :meth:`position`; if the fit was ``stopped`` there, it does not train further epochs."""
        self.epoch = sys.maxsize if stopped else position["epoch"]
        self.batches, self._interrupted = position["batches"], position["tally"]
        self._source.first, self._source.number = position["first"], position["number"]

    def named_callbacks(self) -> Iterator[tuple[str, StatefulCallback]]:
        """Each callback with a name that is the same in another run: its class, and its index among callbacks of that class."""
        seen: Counter[str] = Counter()
        for callback in self._listeners.callbacks:
            name = type(callback).__name__
            yield f"{name}/{seen[name]}", callback
            seen[name] += 1


class StatefulWeight(Protocol):
    """The method of :class:`~fastmlp._graph.weights.Weight` that this module uses."""

    def store(self, value: np.ndarray) -> None: ...


class StatefulOptimizer(Protocol):
    """The attributes of :class:`~fastmlp.optimizers.Optimizer` that this module uses."""

    rate_source: Any

    @property
    def follows_schedule(self) -> bool: ...


class ConnectedModel(Protocol):
    """The attributes of a model that :class:`OptimizerState` uses."""

    _configured: bool
    _network: Any

    @property
    def network(self) -> Any: ...
    def _configured_network(self) -> Any: ...
    def _learned(self) -> Sequence[tuple[int, StatefulWeight]]: ...


class StatefulModel(ConnectedModel, Protocol):
    """The attributes of :class:`~fastmlp.Model` that :class:`TrainingState` uses."""

    fit_progress: FitState | None
    stop_training: bool

    @property
    def compiled(self) -> bool: ...
    @property
    def optimizer(self) -> StatefulOptimizer: ...
    @property
    def _weights(self) -> Sequence[StatefulWeight]: ...
    def get_weights(self) -> list[np.ndarray]: ...
    def training_state(self) -> dict[str, int]: ...
    def restore_training_state(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """The iterations and slots of the optimizer of a compiled model."""

    iterations: int
    """Number of batches trained on."""
    slots: dict[str, list[Array]]
    """By slot name, an array for each learned weight, frozen or not; empty for an optimizer without slots or before training."""

    @classmethod
    def capture(cls, model: ConnectedModel) -> Self | None:
        """The current state; None before the network is configured for the optimizer."""
        network = model._network
        if network is None or not model._configured:
            return None
        slots = {name: [network.get_slot(name, index) for index, _ in model._learned()] for name in network.slot_names}
        return cls(network.iterations, slots)

    def restore(self, model: ConnectedModel) -> None:
        """Restore the state in a compiled model with the same weights; slots that its optimizer lacks are ignored."""
        network = model._configured_network()
        for name, values in self.slots.items():
            if name in network.slot_names:
                for (index, _), value in zip(model._learned(), values, strict=True):
                    network.set_slot(name, index, value)
        network.iterations = int(self.iterations)

    def check(self, model: ConnectedModel) -> None:
        """Raise ValueError unless these are the slots of the model's optimizer, with matching shapes."""
        network = model._configured_network()
        if tuple(self.slots) != (expected := tuple(network.slot_names)):
            raise ValueError(f"the optimizer's state should be {', '.join(expected) or 'empty'}, got {', '.join(self.slots) or 'none'}")
        for name, values in self.slots.items():
            for (index, _), value in zip(model._learned(), values, strict=True):
                if value.shape != (shape := network.slot_shape(name, index)):
                    weight = network.plan.parameters[index].name
                    raise ValueError(f"the optimizer's {name} of {weight} should have the shape {shape}, got {value.shape}")


@dataclass(frozen=True, slots=True)
class TensorNames:
    """The names of the arrays of a :class:`TrainingState` in a file."""

    weights: Sequence[str]
    """In the order of ``Model.get_weights()``."""
    learned: Sequence[str]
    """The weights that have slots."""
    optimizer: str
    """Prefix of the names of slots."""

    def of_slot(self, slot: str) -> list[str]:
        """The names of a slot's arrays."""
        return [f"{self.optimizer}/{slot}/{name}" for name in self.learned]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything that training changes, between two batches."""

    weights: list[Array]
    """In the order of ``Model.get_weights()``."""
    slots: dict[str, list[Array]]
    """See :class:`OptimizerState`."""
    counters: dict[str, Any]
    """``Model.training_state()``: iterations, epochs and the seed, which determine all random numbers of training."""
    learning_rate: Any = None
    """A number or a schedule; None keeps that of the optimizer."""
    position: dict[str, Any] | None = None
    """The position of a running ``fit``, see :class:`FitState`; None outside ``fit``."""
    stopped: bool = False
    """Whether ``stop_training`` was set in that ``fit``."""
    callbacks: dict[str, dict[str, Any]] | None = None
    """The states of callbacks, by the names of :meth:`FitState.named_callbacks`; None outside ``fit``."""

    @classmethod
    def capture(cls, model: StatefulModel, *, optimizer: bool = True, fit: bool = False) -> Self:
        """Capture the current state of a model.

        Args:
            model: The model, between two batches.
            optimizer: Whether to include the optimizer's slots and iterations; otherwise iterations are 0.
            fit: Whether to include the position and the callbacks of the running ``fit``.
        """
        kept = OptimizerState.capture(model) if optimizer else None
        running = model.fit_progress if fit else None
        return cls(
            model.get_weights(),
            {} if kept is None else kept.slots,
            model.training_state() | {"iterations": 0 if kept is None else kept.iterations},
            model.optimizer.rate_source if optimizer and model.compiled else None,
            None if running is None else running.position(),
            running is not None and model.stop_training,
            None if running is None else {name: callback._fit_state() for name, callback in running.named_callbacks()},
        )

    def restore(self, model: StatefulModel) -> None:
        """Restore the state in a model that is built and, if the state has slots, compiled with the same optimizer.

        Raises:
            ValueError: If the slots belong to another optimizer, or the counters are malformed.
        """
        for weight, value in zip(model._weights, self.weights, strict=True):
            weight.store(value)
        if self.slots:
            optimizer = OptimizerState(0, self.slots)
            optimizer.check(model)
            optimizer.restore(model)
        model.restore_training_state(self.counters)
        if self.position is not None and model.fit_progress is not None:
            model.fit_progress.restore(self.position, stopped=self.stopped)
            for name, callback in model.fit_progress.named_callbacks():
                if state := (self.callbacks or {}).get(name):
                    callback._restore_fit_state(state)
        self.restore_learning_rate(model)

    def restore_learning_rate(self, model: StatefulModel) -> None:
        """Restore the learning rate of the optimizer; a number does not replace a schedule."""
        if self.learning_rate is not None and not (isinstance(self.learning_rate, float) and model.optimizer.follows_schedule):
            model.optimizer.rate_source = self.learning_rate

    # File format: a document of JSON values, and tensors

    def document(self) -> dict[str, Any]:
        """Everything except arrays, as JSON values."""
        return {
            "training": self.counters,
            "learning_rate": self.learning_rate if isinstance(self.learning_rate, float) else None,
            "slots": {name: len(values) for name, values in self.slots.items()},
            "progress": self.position,
            "stopped": self.stopped,
            "callbacks": {name: _without_arrays(state) for name, state in (self.callbacks or {}).items()},
        }

    def tensors(self, names: TensorNames) -> dict[str, Array]:
        """The arrays by name in a file."""
        tensors = dict(zip(names.weights, self.weights, strict=True))
        for slot, values in self.slots.items():
            tensors |= zip(names.of_slot(slot), values, strict=True)
        for callback, state in (self.callbacks or {}).items():
            for name, values in _arrays(state).items():
                for index, array in enumerate(values):
                    tensors[f"callback/{callback}/{name}/{index}"] = np.ascontiguousarray(array, np.float32)
        return tensors

    @classmethod
    def read(cls, names: TensorNames, document: Mapping[str, Any], tensors: Mapping[str, Array]) -> Self:
        """The state that :meth:`document` and :meth:`tensors` described; only ``training`` and ``slots`` have to be there.

        Raises:
            KeyError: The tensor of this name is missing.
        """
        callbacks = {
            name: {
                **stored["numbers"],
                **{key: [tensors[f"callback/{name}/{key}/{i}"] for i in range(count)] for key, count in stored["arrays"].items()},
            }
            for name, stored in document.get("callbacks", {}).items()
        }
        return cls(
            [tensors[name] for name in names.weights],
            {slot: [tensors[name] for name in names.of_slot(slot)] for slot in document["slots"]},
            dict(document["training"]),
            document.get("learning_rate"),
            document.get("progress"),
            document.get("stopped", False),
            callbacks,
        )


def _arrays(state: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
    """The entries of a callback's state that are lists of arrays."""
    return {name: value for name, value in state.items() if isinstance(value, list) and any(isinstance(item, np.ndarray) for item in value)}


def _without_arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    arrays = _arrays(state)
    return {
        "numbers": {name: value for name, value in state.items() if name not in arrays},
        "arrays": {name: len(values) for name, values in arrays.items()},
    }
