"""The state of a training: everything that training changes, captured from a model at one moment and restored into a model like it.

Saving, copying, :class:`~fastmlp.callbacks.BackupAndRestore` and :class:`~fastmlp.callbacks.LearningRateFinder` all use it, so a training
that is stopped, saved and resumed ends with the same bits as one that was not stopped. It refuses to describe a model: layers and the
arguments of ``compile`` are not state.
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
    """What adds up an epoch: a :class:`~fastmlp._training.accumulators.MetricAccumulator`."""

    def state(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...


class Source(Protocol):
    """The batches of a ``fit``, and the position in them: a ``BatchSampler`` or a ``BatchStream``."""

    first: int | None
    number: int

    def describe(self) -> str: ...
    def end_epoch(self) -> None: ...


class StatefulCallback(Protocol):
    """What a callback has for this module."""

    def _fit_state(self) -> dict[str, Any]: ...
    def _restore_fit_state(self, state: Mapping[str, Any]) -> None: ...


class Callbacks(Protocol):
    """The callbacks of a ``fit``: a :class:`~fastmlp.callbacks.CallbackList`."""

    @property
    def callbacks(self) -> Sequence[StatefulCallback]: ...


class FitState:
    """The position of a running ``fit``, between two batches.

    Args:
        source: Its batches.
        listeners: Its callbacks.
        epoch: The first epoch, counted from 0.
    """

    def __init__(self, source: Source, listeners: Callbacks, epoch: int) -> None:
        self._source = source
        self._listeners = listeners
        self.epoch = epoch
        self.batches = 0
        """Batches done in the epoch."""
        self._accumulator: Accumulator | None = None
        self._interrupted: Mapping[str, Any] = {}

    def begin_epoch(self, epoch: int, accumulator: Accumulator) -> None:
        """Called when an epoch begins, or continues after it was interrupted: then ``accumulator`` continues too."""
        self.epoch = epoch
        self._accumulator = accumulator
        if self.batches:
            accumulator.restore(self._interrupted)

    def end_epoch(self) -> None:
        """Called when all batches of the epoch are done."""
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
        """A ValueError if ``position`` is inside a pass over other data."""
        inside_a_pass = position["batches"] or position["first"] is not None
        if inside_a_pass and position["data"] != self._source.describe():
            raise ValueError(f"an epoch of {position['data']}, but this fit has {self._source.describe()}")

    def restore(self, position: Mapping[str, Any], *, stopped: bool = False) -> None:
        """Continue from a :meth:`position`; a fit that was ``stopped`` there trains no more epochs."""
        self.epoch = sys.maxsize if stopped else position["epoch"]
        self.batches, self._interrupted = position["batches"], position["tally"]
        self._source.first, self._source.number = position["first"], position["number"]

    def named_callbacks(self) -> Iterator[tuple[str, StatefulCallback]]:
        """Each callback with a name that it has in another run too: its class, and its number among those of the class."""
        seen: Counter[str] = Counter()
        for callback in self._listeners.callbacks:
            name = type(callback).__name__
            yield f"{name}/{seen[name]}", callback
            seen[name] += 1


class StatefulWeight(Protocol):
    """What a :class:`~fastmlp._graph.weights.Weight` has for this module."""

    def store(self, value: np.ndarray) -> None: ...


class StatefulOptimizer(Protocol):
    """What an :class:`~fastmlp.optimizers.Optimizer` has for this module."""

    rate_source: Any

    @property
    def follows_schedule(self) -> bool: ...


class ConnectedModel(Protocol):
    """What a model has for :class:`OptimizerState`."""

    _configured: bool
    _network: Any

    @property
    def network(self) -> Any: ...
    def _configured_network(self) -> Any: ...
    def _learned(self) -> Sequence[tuple[int, StatefulWeight]]: ...


class StatefulModel(ConnectedModel, Protocol):
    """What a :class:`~fastmlp.Model` has for :class:`TrainingState`."""

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
    """What the optimizer of a compiled model has counted and accumulated."""

    iterations: int
    """Batches trained on."""
    slots: dict[str, list[Array]]
    """By name, an array for each weight that is learned, frozen or not; ``{}`` for an optimizer without slots, or for a fresh one."""

    @classmethod
    def capture(cls, model: ConnectedModel) -> Self | None:
        """The state now; None before the network is configured for the optimizer, when there is none."""
        network = model._network
        if network is None or not model._configured:
            return None
        slots = {name: [network.get_slot(name, index) for index, _ in model._learned()] for name in network.slot_names}
        return cls(network.iterations, slots)

    def restore(self, model: ConnectedModel) -> None:
        """Continue from here in a compiled model with the same weights; slots that its optimizer lacks are left out."""
        network = model._configured_network()
        for name, values in self.slots.items():
            if name in network.slot_names:
                for (index, _), value in zip(model._learned(), values, strict=True):
                    network.set_slot(name, index, value)
        network.iterations = int(self.iterations)

    def check(self, model: ConnectedModel) -> None:
        """A ValueError unless these are the slots of the model's optimizer, in the right shapes."""
        network = model.network
        if tuple(self.slots) != (expected := tuple(network.slot_names)):
            raise ValueError(f"the optimizer's state should be {', '.join(expected) or 'empty'}, got {', '.join(self.slots) or 'none'}")
        for name, values in self.slots.items():
            for (index, _), value in zip(model._learned(), values, strict=True):
                if value.shape != (shape := network.slot_shape(name, index)):
                    weight = network.plan.parameters[index].name
                    raise ValueError(f"the optimizer's {name} of {weight} should have the shape {shape}, got {value.shape}")


@dataclass(frozen=True, slots=True)
class TensorNames:
    """The names that the arrays of a :class:`TrainingState` have in a file."""

    weights: Sequence[str]
    """In the order of ``Model.get_weights()``."""
    learned: Sequence[str]
    """Of the weights that have slots."""
    optimizer: str
    """What the names of slots begin with."""

    def of_slot(self, slot: str) -> list[str]:
        """The names of a slot's arrays."""
        return [f"{self.optimizer}/{slot}/{name}" for name in self.learned]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything that training changes, at one moment between two batches."""

    weights: list[Array]
    """In the order of ``Model.get_weights()``."""
    slots: dict[str, list[Array]]
    """See :class:`OptimizerState`."""
    counters: dict[str, Any]
    """``Model.training_state()``: iterations, epochs and the seed, from which every random number of a training follows."""
    learning_rate: Any = None
    """A number or a schedule; None leaves the one that the optimizer has."""
    position: dict[str, Any] | None = None
    """The position of a running ``fit``, see :class:`FitState`; None outside."""
    stopped: bool = False
    """Whether that ``fit`` was asked to end."""
    callbacks: dict[str, dict[str, Any]] | None = None
    """What its callbacks have to remember, by the names of :meth:`FitState.named_callbacks`; None without a ``fit``."""

    @classmethod
    def capture(cls, model: StatefulModel, *, optimizer: bool = True, fit: bool = False) -> Self:
        """The state of a model now.

        Args:
            model: The model, between two batches.
            optimizer: Whether to include the optimizer's slots and iterations; without them the iterations are 0.
            fit: Whether to include the position and the callbacks of the ``fit`` that is running.
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
        """Continue from here, in a model that is built and, if the state has slots, compiled, as the one it was captured from was.

        Raises:
            ValueError: The slots are of another optimizer, or the counters are malformed.
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
        """Give the optimizer the learning rate it had; a number does not replace a schedule."""
        if self.learning_rate is not None and not (isinstance(self.learning_rate, float) and model.optimizer.follows_schedule):
            model.optimizer.rate_source = self.learning_rate

    # As a file: a document of JSON values, and tensors

    def document(self) -> dict[str, Any]:
        """All but the arrays, as JSON values."""
        return {
            "training": self.counters,
            "learning_rate": self.learning_rate if isinstance(self.learning_rate, float) else None,
            "slots": {name: len(values) for name, values in self.slots.items()},
            "progress": self.position,
            "stopped": self.stopped,
            "callbacks": {name: _without_arrays(state) for name, state in (self.callbacks or {}).items()},
        }

    def tensors(self, names: TensorNames) -> dict[str, Array]:
        """The arrays by their names in a file."""
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
    """The values of a callback's state that are lists of arrays."""
    return {name: value for name, value in state.items() if isinstance(value, list) and any(isinstance(item, np.ndarray) for item in value)}


def _without_arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    arrays = _arrays(state)
    return {
        "numbers": {name: value for name, value in state.items() if name not in arrays},
        "arrays": {name: len(values) for name, values in arrays.items()},
    }
