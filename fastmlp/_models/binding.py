"""The base class of models that holds the plan, the engine's network and the weights."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import _core, errors
from fastmlp._base import checks, forks, seeding
from fastmlp._data import conversion
from fastmlp._engine import backends
from fastmlp._engine.network import Network
from fastmlp._engine.network import Trainer as StepTrainer
from fastmlp._engine.spec import Parameter, Plan
from fastmlp._graph import lowering
from fastmlp._graph.derived import linear_objective
from fastmlp._graph.symbolic import Graph
from fastmlp._graph.weights import Weight
from fastmlp._models.table_inputs import encoders_of
from fastmlp._training import advice
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.constraining import ConstrainedTrainer, apply_constraints, function_constraints
from fastmlp._training.objective import ResolvedObjective
from fastmlp._training.state import OptimizerState
from fastmlp.layers import InputLayer, Layer, TableEncoder, assign_all
from fastmlp.optimizers import Optimizer
from fastmlp.variables import Variable


class NetworkBinding:
    """Layers, the plan that they are lowered to, and the engine's network that runs it.

    The network is created when it is first needed, and discarded, with its weights kept, when layers are added or another engine is
    chosen.
    """

    name: str
    stop_training: bool = False
    """Set it to end training after the batch or epoch."""
    _arranges: bool = False
    """Whether predictions have another form than the engine's array ``[samples, outputs]``."""

    def __init__(self) -> None:
        self.seed = seeding.draw_seed()
        self._draws = seeding.Counter()  # counts the calls that draw noise
        self.epochs_trained = 0
        self.plan: Plan | None = None
        self._trainable = True
        self._integer_features: tuple[conversion.IntegerFeatures, ...] = ()
        self._gaps: np.ndarray | None = None
        self._encoders: Mapping[int, TableEncoder] = {}  # by the index of the input that is a table
        self._weights: list[Weight] = []
        self._places: dict[int, int] = {}
        self._network: Network | None = None
        self._compiled: CompileConfig | None = None
        self._training_lock = forks.Lock()  # held by a call that trains
        self._constrained: Sequence[tuple[int, Parameter]] = ()  # parameters with constraints that are functions
        self._forward: Network | None = None  # the network, if model(x) can pass arrays to it directly
        self._configured = False  # whether the network knows the loss and the optimizer
        self._objective: ResolvedObjective | None = None
        self._connecting = forks.Lock(threading.RLock)  # guards the network and its configuration
        self._trained = False  # since compile
        self._outdated = False  # whether layers have been frozen or released since then
        self._plan_is_stale = False  # whether the layers may differ from those of the plan
        self.models: weakref.WeakSet[NetworkBinding] = weakref.WeakSet()
        """The built models that contain this one."""
        self._shares_weights = False  # whether other models, whose training changes them, have some of the weights too

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input layer."""
        raise NotImplementedError

    @property
    def graph(self) -> Graph:
        """The graph of the layers, which must be built."""
        raise NotImplementedError

    def _row_shape(self) -> tuple[int, ...] | None:
        """The shape of a sample of x, without the batch axis; None before it is known."""
        raise NotImplementedError

    def _build_from(self, row_shape: tuple[int, ...]) -> None:
        """Build the layers for samples of this shape."""
        raise NotImplementedError

    def before_building(self) -> Any:
        """The state that :meth:`undo_building` restores; each kind of model has its own."""

    def undo_building(self, before: Any) -> None:
        """Restore the state before the model was built for data, or as part of a model, that turned out to be invalid."""

    # The network

    @property
    def built(self) -> bool:
        """Whether the shape of a sample is known, and with it all weights."""
        return self.plan is not None

    @property
    def network(self) -> Any:
        """The engine's network, configured if the model is compiled; None before the model is built."""
        if not self.built:
            return None
        compiled = self._compiled
        return self._configured_network() if compiled and compiled.resolvable else self._connected_network()

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """``(None, features)``: the shape of x, with None for the number of samples."""
        return (None, *self._require_shape())

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """``(None, outputs)``: the shape of the predictions, with None for the number of samples."""
        self._require_shape()
        return self.graph.outputs[0].shape

    def _require_shape(self) -> tuple[int, ...]:
        shape = self._row_shape()
        if shape is None:
            raise ValueError(
                "the model is not built: it does not know its input shape; begin it with Input(shape=...), or call build or fit"
            )
        return shape

    def _is_untrained(self) -> bool:
        return self._network is None or not self._network.iterations

    def _require_plan(self) -> Plan:
        plan = self.plan
        if plan is None:
            self._require_layers()
            self._require_shape()
            with self._connecting.lock:
                if self.plan is None:  # another thread may have made it
                    self._adopt(self.graph)  # raises an error that names what is missing
                plan = self.plan
        assert plan is not None
        return plan

    def _adopt(self, graph: Graph) -> None:
        """Make the plan of ``graph``, after layers have been added, removed or changed."""
        with self._connecting.lock:
            self._forget_plan()
            self.plan, self._weights = lowering.make_plan(graph)
            self._places = {}
            self._arranges = type(self)._arranges or bool(self.plan.rows)
            self._integer_features, self._gaps = lowering.numbers_read(self.plan), lowering.gaps_read(self.plan)
            self._encoders = encoders_of(graph)
            self._constrained = function_constraints(self.plan)
            self._plan_is_stale = False
        for weight in self._weights:
            weight.models.add(self)
        for layer in _every(self.layers):
            layer.models.add(self)
        sharing = {model for weight in self._weights if len(weight.models) > 1 for model in weight.models}
        for model in sharing if len(sharing) > 1 else ():
            model._forward, model._shares_weights = None, True

    def _forget_plan(self) -> None:
        for model in self.models:
            model._plan_is_stale = True
        if self.plan is None:
            return
        self._disconnect()
        for weight in self._weights:
            weight.models.discard(self)
        for layer in _every(self.layers):
            layer.models.discard(self)
        self.plan, self._weights, self._integer_features, self._gaps, self._encoders = None, [], (), None, {}

    def _sync_shared_weights(self, network: Network, *, training: bool = False) -> None:
        """Copy weights that other models have changed into this network; before training, make it the one they read the weights from."""
        for index, weight in enumerate(self._weights):
            weight.lend(network, index, move=training)

    def _connected_network(self) -> Network:
        network = self._network
        if network is None:
            with self._connecting.lock:
                if self._network is None:
                    self._connect()
                network = self._network
        assert network is not None
        if self._shares_weights:
            self._sync_shared_weights(network)
        return network

    def _connect(self) -> None:
        engine = self._compiled.engine if self._compiled else backends.DEFAULT
        network = backends.make_network(engine, self._require_plan(), self.seed)
        backends.set_skip_zeros(network, self._compiled.skip_zeros if self._compiled else "auto")
        for index, weight in enumerate(self._weights):
            weight.attach(network, index)
        if not self._shares_weights:  # weights may be in the network of a model that no longer exists
            self._sync_shared_weights(network, training=True)
        shape = self._require_shape()
        self._network = network
        self._configured = False
        direct = isinstance(network, _core.Network) and len(shape) == 1 and self._takes_arrays_directly()
        self._forward = network if direct else None

    def _takes_arrays_directly(self) -> bool:
        """Whether model(x) may pass an array to the network unchecked, and return the network's output unchanged."""
        plan = self._require_plan()
        return not (self._shares_weights or self._encoders or self._integer_features or plan.rows or lowering.is_as_in_training(plan))

    def _disconnect(self) -> None:
        with self._connecting.lock:
            for weight in self._weights:
                weight.detach(self._network)
            self._network = self._forward = self._objective = None
            self._configured = False

    def _refuse_outdated(self) -> None:
        if self._outdated:
            raise RuntimeError(
                "trainable was changed after the model was trained, and would not take effect; call compile again: "
                "model.compile(optimizer, loss), with the same optimizer to keep its state"
            )

    def _training_network(self) -> Network:
        self._refuse_outdated()
        if not self._trained:
            self._begin_training()
        network = self._configured_network()
        if self._shares_weights:
            self._sync_shared_weights(network, training=True)
        return network

    def _uses(self, optimizer: Optimizer) -> bool:
        """Whether the model is compiled with this optimizer."""
        return self._compiled is not None and self._compiled.optimizer is optimizer

    def _step_trainer(self, network: Network) -> StepTrainer:
        """The trainer that takes the network's training steps: the optimizer's, wrapped if constraints are functions."""
        assert self._compiled is not None
        trainer = self._compiled.optimizer.trainer(network)
        return ConstrainedTrainer(trainer, network, self._constrained) if self._constrained else trainer

    def _trainable_places(self) -> Mapping[int, int]:
        """The indices in the plan of :attr:`trainable_variables`, in this order, by their ids."""
        self._refuse_outdated()
        if not self._places:
            by_id = {id(weight): index for index, weight in enumerate(self._weights)}
            self._places = {id(weight): by_id[id(weight)] for weight in self.trainable_weights}
        return self._places

    def _apply_gradients(self, gradients: Sequence[np.ndarray | None]) -> None:
        """One step of the optimizer that the model is compiled with; None for parameters of the plan that stay."""
        config = self._compiled
        assert config is not None
        with self._exclusively("apply"):
            network = self._training_network()
            network.learning_rate = config.optimizer.rate
            try:
                network.apply_gradients(gradients)
            except errors.NonFiniteLossError as error:
                raise errors.NonFiniteWeightsError(
                    0, f"weights became NaN or infinite in this step; set weights again before you use the model. {error}"
                ) from None
            apply_constraints(network, self._constrained)

    def _begin_training(self) -> None:
        """Work done once, at the first training step after ``compile``."""
        assert self._compiled is not None
        self._compiled.optimizer.begin(self)
        if self._weights and not any(parameter.trainable for parameter in self._require_plan().parameters):
            checks.warn("the model has no trainable weights, so training changes nothing; set trainable = True on some layers")
        self._trained = True

    def _exclusively(self, method: str) -> AbstractContextManager[None]:
        """Hold the training lock during ``method``: one training call at a time, and none from a loss function."""
        return _Exclusively(self, method)

    def _is_training_here(self) -> bool:
        return self._training_lock.is_own

    # Changes of layers and optimizer

    def refuse_while_training(self, what: str) -> None:
        """Raise a RuntimeError if the model is being trained, here or in another thread: the engine has its plan already."""
        if self._training_lock.is_held:
            raise RuntimeError(f"{what} while the model {self.name!r} is being trained; change it before or after fit")

    def check_new_name(self, layer: object, name: str) -> None:
        """Raise a ValueError if another layer of the model has this name."""
        if any(other is not layer and other.name == name for other in self.layers):
            raise ValueError(f"the model {self.name!r} has a layer called {name!r} already; choose another name")

    def layers_changed(self, *, freezing: bool = False) -> None:
        """Called when attributes of layers have changed: makes a new plan, and keeps weights and the optimizer's state.

        With ``freezing``, if only ``trainable`` has changed, a model that has been trained needs a new ``compile`` for that.
        """
        if self.plan is None:
            return
        changed = lowering.make_plan(self.graph)[0] != self.plan
        if freezing:
            self._outdated = self._plan_is_stale = changed and self._trained
        if changed and not self._outdated:
            state = OptimizerState.capture(self)
            self._adopt(self.graph)
            if state is not None and state.iterations:
                state.restore(self)

    def optimizer_changed(self) -> None:
        """Called when attributes of the optimizer have changed: configures the engine again, and keeps the slots that still exist."""
        state = OptimizerState.capture(self)
        if state is not None:
            self._configured = False
            state.restore(self)

    def _configured_network(self) -> Network:
        network = self._connected_network()
        if self._configured:
            return network
        with self._connecting.lock:  # another thread may have configured it, or be compiling
            network = self._connected_network()
            if not self._configured:
                assert self._compiled is not None
                optimizer, plan = self._compiled.optimizer, self._require_plan()
                objectives = self._current_objective().objectives if self._compiled.is_trained else linear_objective(plan.output)
                network.configure(objectives, optimizer.update(plan.parameters))
                network.learning_rate = optimizer.rate
                self._configured = True
            return network

    def _current_objective(self) -> ResolvedObjective:
        """The objective the network is configured for: the same object until the model is compiled again."""
        objective = self._objective
        if objective is None:
            with self._connecting.lock:
                objective = self._objective
                if objective is None:
                    objective = self._objective = self._resolve_objective()
        return objective

    def _resolve_objective(self) -> ResolvedObjective:
        assert self._compiled is not None
        self._compiled.check_axes(1 + len(tensor.row) for tensor in self.graph.outputs)
        plan = self._require_plan()
        objective = self._compiled.resolve(plan)
        advice.warn_of_single_softmax(plan)
        self._compiled.warn(plan)
        return objective

    def _forget_objective(self) -> None:
        self._objective = None

    def _require_compiled(self, method: str) -> CompileConfig:
        if self._compiled is None:
            raise RuntimeError(f"the model must be compiled before {method}: model.compile(optimizer='adam', loss='mse')")
        return self._compiled

    def _require_layers(self) -> None:
        if not self.layers:
            raise ValueError("the model has no layers; add some, for example model.add(layers.Dense(10))")

    # Weights and state

    @property
    def weights(self) -> list[Variable]:
        """All weights, layer by layer, as live :class:`~fastmlp.Variable` objects; copies of their values are in :meth:`get_weights`."""
        return list(self._weights)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that gradients update: those of layers that are not frozen, without moving statistics."""
        return [weight for _, layer, weight in lowering.each_weight(self.layers) if layer.trains(weight)]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights of frozen layers, and moving statistics."""
        return [weight for _, layer, weight in lowering.each_weight(self.layers) if not layer.trains(weight)]

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def path(self) -> str:
        """The name."""
        return self.name

    def count_trainable(self) -> int:
        """The number of elements in the trainable weights."""
        return sum(weight.size for _, layer, weight in lowering.each_weight(self.layers) if layer.trains(weight))

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; it can be changed until a compiled model is trained, and then before ``compile``.

        Setting it sets it for every layer, those of models inside the model included.
        """
        own = [layer for layer in self.layers if not isinstance(layer, InputLayer)]
        return any(layer.trainable for layer in own) if own else self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        checks.check_bool("trainable", value)
        models = {self, *(model for layer in _every(self.layers) for model in layer.models)}
        for model in models:
            model.refuse_while_training("trainable can't be changed")
        self.set_trainable(bool(value))
        for model in models:
            model.layers_changed(freezing=True)

    def set_trainable(self, value: bool) -> None:
        """Set :attr:`trainable` without updating the plan."""
        self._trainable = value
        for layer in self.layers:
            layer.set_trainable(value)

    @property
    def differs_in_training(self) -> bool:
        """Whether some layer behaves differently in training, as dropout does."""
        return any(layer.differs_in_training for layer in self.layers)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, layer by layer: ``[kernel, bias, kernel, bias, …]``; ``[]`` before the model is built."""
        return [weight.read() for weight in self._weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace all weights by arrays of the same shapes, in the order of :meth:`get_weights`."""
        self._require_layers()
        self._require_shape()
        assign_all(self._weights, weights, f"model {self.name!r}")

    def count_params(self) -> int:
        """The number of elements in all weights."""
        self._require_shape()
        return sum(weight.size for weight in self._weights)

    def training_state(self) -> dict[str, int]:
        """The progress of training: ``iterations`` (updates), ``epochs``, and ``seed``, which determines shuffling and dropout."""
        network = self._network
        fresh = self._compiled is not None and not self._configured  # a new compile resets the optimizer
        return {
            "iterations": 0 if network is None or fresh else network.iterations,
            "epochs": self.epochs_trained,
            "seed": self.seed,
        }

    def restore_training_state(self, state: Mapping[str, object]) -> None:
        """Continue from a :meth:`training_state`; the model must be built and, if it had been trained, compiled."""
        missing = {"iterations", "epochs", "seed"} - set(state)
        if missing:
            raise ValueError(f"the training state lacks {', '.join(sorted(missing))}")
        iterations = checks.check_int("iterations", state["iterations"], 0)
        epochs = checks.check_int("epochs", state["epochs"], 0)
        seed = checks.check_int("seed", state["seed"], 0)
        if max(iterations, epochs, seed) >= 2**64:
            raise ValueError("iterations, epochs and seed must be integers < 2**64")
        if self.built:
            self.network.seed = seed
            self.network.iterations = iterations
        self.epochs_trained, self.seed = epochs, seed

    def _learned(self) -> list[tuple[int, Weight]]:
        """The weights that have slots of the optimizer, with their indices in the plan: all but moving statistics, frozen or not."""
        return [(index, weight) for index, weight in enumerate(self._weights) if weight.learned]


def _every(layers: Iterable[Any]) -> Iterator[Any]:
    """The layers and models, with those inside the models."""
    for layer in layers:
        yield layer
        if isinstance(layer, NetworkBinding):
            yield from _every(layer.layers)


class _Exclusively(AbstractContextManager[None]):
    """Holds a model's training lock; a class, because a generator takes as long as the step of a small network.

    Args:
        model: The model.
        method: The name of the method, for messages.
    """

    __slots__ = ("_method", "_model")

    def __init__(self, model: NetworkBinding, method: str) -> None:
        self._model, self._method = model, method

    def __enter__(self) -> None:
        model, method = self._model, self._method
        if model._network is not None and model._network.in_use_here:
            raise RuntimeError(errors.INSIDE_FUNCTION)
        if not model._training_lock.lock.acquire(blocking=False):
            if model._is_training_here():
                raise RuntimeError(f"{method} was called while the same model is being trained, from one of its callbacks")
            raise RuntimeError(f"{method} was called while another thread trains the same model; wait for it, or train a copy of the model")
        model._training_lock.holder = threading.get_ident()

    def __exit__(self, *exception: object) -> None:
        self._model._training_lock.holder = 0
        self._model._training_lock.lock.release()
