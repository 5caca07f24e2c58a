"""The base of all models: it owns a network, its weights, what it was compiled for, and how all of that is described."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastmlp import checks, data, elsewhere, engines, naming, planning, randomness, sparse, summary
from fastmlp.callbacks import History
from fastmlp.compiling import Compiled, Goal
from fastmlp.errors import UnsupportedError
from fastmlp.layers import Layer, assign_all
from fastmlp.metrics import Metric
from fastmlp.optimizers import Optimizer
from fastmlp.plan import Objective, Plan, Update
from fastmlp.training import Trainer
from fastmlp.weights import Weight

_COMPILE_IGNORED = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")
"""Arguments of Keras' compile that change how, not what, is computed; fastmlp always runs compiled."""


class Model(Trainer):
    """A network with weights that can be compiled, trained, evaluated, asked and saved.

    The engine's network is made when it is first needed. It is thrown away, its weights kept, when layers are added or another engine is
    chosen.
    """

    def __new__(cls, *args: Any, **options: Any) -> Self:
        if cls is Model:
            raise UnsupportedError("functional models are not in fastmlp; use Sequential([layer, layer, ...])")
        return super().__new__(cls)

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = name or naming.automatic(type(self).__name__)
        self.seed = randomness.draw_seed()
        self.epochs_trained = 0
        self._trainable = True
        self.plan: Plan | None = None
        self._weights: list[Weight] = []
        self._network: Any = None
        self._forward: Callable[[Any], np.ndarray] | None = None  # the network, when model(x) can go straight to it
        self._configured: tuple[Objective, Update] | None = None
        self._goal: Goal | None = None
        self._connecting = threading.RLock()

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input layer."""
        raise NotImplementedError

    # Predicting

    def __call__(self, x: Any, training: bool = False) -> np.ndarray:
        """The output for a few rows, as fast as can be: ``x`` is only converted, not searched for NaN; NaN in gives NaN out.

        Args:
            x: ``(rows, features)``, a sparse matrix too, or one row ``(features,)``.
            training: True to switch dropout on.

        Returns:
            A float32 array ``(rows, outputs)``.

        Example:

        >>> import numpy as np
        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(2, input_shape=(3,))])
        >>> model(np.zeros(3)).shape
        (1, 2)
        """
        forward = self._forward
        if forward is None or training:
            return self._call(x, training)
        try:
            return forward(x)
        except (TypeError, ValueError):
            return self._call(x, training)  # which says more about what is wrong with x

    def _call(self, x: Any, training: bool) -> np.ndarray:
        shape = self._row_shape()
        if not sparse.is_sparse(x):
            x = data.as_array("x", x)
            if shape is not None and len(shape) == 1 and shape[0] > 1 and x.ndim == 1:
                x = x[None]
        inputs = self._inputs(x, check_finite=False)
        network = self._connected_network()
        return np.asarray(network.apply(inputs, training=True) if training else network.predict(inputs))

    # The network

    @property
    def built(self) -> bool:
        """True once the shape of a row is known, and so all weights are."""
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
        """``(None, features)``: the shape of x, rows left open."""
        return (None, *self._require_shape())

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """``(None, outputs)``: the shape of the predictions, rows left open."""
        self._require_shape()
        return (None, *(self.layers[-1].output_shape or ()))

    def _require_shape(self) -> tuple[int, ...]:
        shape = self._row_shape()
        if shape is None:
            raise ValueError(
                "the model is not built: it does not know its input shape; begin it with Input(shape=...), or call build or fit"
            )
        return shape

    def _require_plan(self) -> Plan:
        if self.plan is None:
            self._require_layers()
            self._adopt(self._require_shape(), self.layers)  # which says what is missing
        assert self.plan is not None
        return self.plan

    def _adopt(self, input_shape: tuple[int, ...], layers: Sequence[Layer]) -> None:
        """Describe the network anew after layers have come or gone."""
        self._disconnect()
        self.plan, self._weights = planning.make_plan(input_shape, layers)

    def _connected_network(self) -> Any:
        if self._network is None:
            with self._connecting:
                if self._network is None:
                    self._connect()
        return self._network

    def _connect(self) -> None:
        engine = self._compiled.engine if self._compiled else engines.DEFAULT
        network = engines.make_network(engine, self._require_plan(), self.seed)
        engines.set_skip_zeros(network, self._compiled.skip_zeros if self._compiled else "auto")
        for index, weight in enumerate(self._weights):
            weight.attach(network, index)
        shape = self._require_shape()
        self._network = network
        self._configured = None
        takes_any_number = planning.numbers_read(self._require_plan()) is None
        self._forward = network if len(shape) == 1 and shape[0] > 1 and takes_any_number else None

    def _disconnect(self) -> None:
        for weight in self._weights:
            weight.detach()
        self._network = self._forward = self._configured = self._goal = None

    def _configured_network(self) -> Any:
        network = self._connected_network()
        assert self._compiled is not None
        goal = self._current_goal()
        wanted = (goal.objective, self._compiled.optimizer.update(self._require_plan().parameters))
        if self._configured is None:
            with self._connecting:
                network.configure(*wanted)
                network.learning_rate = self._compiled.optimizer.learning_rate
                self._configured = wanted
        return network

    def _current_goal(self) -> Goal:
        if self._goal is None:
            assert self._compiled is not None
            self._goal = self._compiled.goal(self._require_plan())
        return self._goal

    def _goal_for(self, y: Any) -> Goal:
        assert self._compiled is not None
        plan = self._require_plan()
        self._compiled.see_targets(y, plan.widths[plan.output])
        return self._current_goal()

    def _require_layers(self) -> None:
        if not self.layers:
            raise ValueError("the model has no layers; add some, for example model.add(layers.Dense(10))")

    # Compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        engine: str | None = None,
        skip_zeros: engines.SkipZeros = "auto",
        **options: Any,
    ) -> None:
        """Say how the model is trained. Weights stay; the optimizer starts anew, unless it is the object it was.

        Args:
            optimizer: A name or an object: ``"adam"``, ``Adam(1e-3)``.
            loss: A name or an object of :mod:`fastmlp.losses`: ``"mse"``, ``Huber(0.5)``, ``"sparse_categorical_crossentropy"``, or
                ``"crossentropy"`` for whichever cross-entropy the targets call for; or a function of your own that returns the loss of
                each row and its gradient.
            loss_weights: None; for models with several outputs.
            metrics: One or several names or objects: ``"accuracy"``, ``"mae"``, ``BinaryAccuracy(threshold=0.8)``.
            weighted_metrics: The same, but these use the sample weights.
            engine: ``"native"``, which is the default, or ``"reference"``, the readable NumPy one: the same numbers, slowly.
            skip_zeros: When the first layer visits only what is not zero in x. ``"auto"`` looks at x and does it where it is faster; True
                always, False never, a number where a smaller share of x is not zero. The numbers are the same, to the bit.
            options: Keras' ``jit_compile``, ``run_eagerly``, ``steps_per_execution`` and ``auto_scale_loss`` are accepted and change
                nothing.

        Example:

        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(10, activation="softmax", input_shape=(784,))])
        >>> model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        if loss_weights is not None:
            raise UnsupportedError(
                "loss_weights are for models with several outputs, which are not in fastmlp; scale the learning rate instead"
            )
        checks.reject_unknown("compile", {name: value for name, value in options.items() if name not in _COMPILE_IGNORED}, {})
        self._set_compiled(Compiled(optimizer, loss, metrics, weighted_metrics, engine or engines.DEFAULT, skip_zeros))

    def _set_compiled(self, compiled: Compiled) -> None:
        with self._exclusively("compile"):
            before = self._compiled
            state = self._optimizer_state() if before is not None and before.optimizer is compiled.optimizer else None
            if self._network is not None and compiled.engine != (before.engine if before else engines.DEFAULT):
                self._disconnect()
            self._compiled, self._goal, self._configured = compiled, None, None
            self._follow_layers()
            if self._network is not None:
                engines.set_skip_zeros(self._network, compiled.skip_zeros)
            compiled.optimizer.attach(self)
            if state is not None and compiled.resolvable and self.built:
                self._restore_optimizer_state(state)

    def _follow_layers(self) -> None:
        """Describe the network anew if layers have been frozen or released since that was done."""
        if self.plan is not None and planning.make_plan(self._require_shape(), self.layers)[0] != self.plan:
            self._adopt(self._require_shape(), self.layers)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; its ``learning_rate`` can be changed at any time."""
        return self._require_compiled("looking at its optimizer").optimizer

    @property
    def compiled(self) -> bool:
        """True once ``compile`` was called."""
        return self._compiled is not None

    @property
    def loss(self) -> Any:
        """The loss the model was compiled with, None without one."""
        return self._compiled.loss if self._compiled else None

    @property
    def metrics(self) -> list[str | Metric]:
        """The metrics the model was compiled with."""
        return [*self._compiled.metrics, *self._compiled.weighted_metrics] if self._compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns: ``["loss", "accuracy"]``."""
        compiled = self._require_compiled("looking at metrics_names")
        if not self.built or not compiled.resolvable:
            return ["loss", *(metric if isinstance(metric, str) else metric.name for metric in self.metrics)]
        return ["loss", *self._current_goal().names]

    def metric_direction(self, name: str) -> bool | None:
        """True if a higher value of the loss or metric ``name`` is better, False if a lower is, None if there is none of that name."""
        return self._require_compiled("metric_direction").direction(name, self._require_plan())

    # Weights and state

    @property
    def weights(self) -> list[np.ndarray]:
        """Copies of all weights; the same as :meth:`get_weights`."""
        return self.get_weights()

    @property
    def trainable_weights(self) -> list[np.ndarray]:
        """Copies of the weights that training changes by gradients: those of layers that are not frozen, without moving statistics."""
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[np.ndarray]:
        """Copies of the other weights."""
        return [weight for layer in self.layers for weight in layer.non_trainable_weights]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets it for every layer; a change takes effect at the next ``compile``."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = checks.flag("trainable", value)
        for layer in self.layers:
            layer.trainable = self._trainable

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, layer by layer: ``[kernel, bias, kernel, bias, …]``; ``[]`` before the model is built."""
        return [weight.read() for weight in self._weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights by arrays of the same shapes, in the order of :meth:`get_weights`."""
        self._require_layers()
        self._require_shape()
        assign_all(self._weights, weights, f"model {self.name!r}")

    def count_params(self) -> int:
        """The number of elements in all weights."""
        self._require_shape()
        return sum(weight.size for weight in self._weights)

    def training_state(self) -> dict[str, int]:
        """How far training has come: ``iterations`` (updates), ``epochs`` and ``seed``, which decides shuffling and dropout."""
        return {
            "iterations": self._network.iterations if self._network is not None else 0,
            "epochs": self.epochs_trained,
            "seed": self.seed,
        }

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`training_state`; the model must be built and, if it had been trained, compiled."""
        missing = {"iterations", "epochs", "seed"} - set(state)
        if missing:
            raise ValueError(f"the training state lacks {', '.join(sorted(missing))}")
        iterations = checks.whole_number("iterations", state["iterations"], 0)
        epochs = checks.whole_number("epochs", state["epochs"], 0)
        seed = checks.whole_number("seed", state["seed"], 0)
        if max(iterations, epochs, seed) >= 2**64:
            raise ValueError("iterations, epochs and seed must be below 2**64")
        self.epochs_trained, self.seed = epochs, seed
        if self.built:
            self.network.seed = seed
            self.network.iterations = iterations

    def _optimizer_state(self) -> dict[str, Any] | None:
        network = self._network
        if network is None or self._configured is None:
            return None
        slots = {name: [network.get_slot(name, index) for index, _ in self._learned()] for name in network.slot_names}
        return {"iterations": network.iterations, "slots": slots}

    def _learned(self) -> list[tuple[int, Weight]]:
        """The weights that have slots of the optimizer, with their indices in the plan: all but moving statistics, frozen or not."""
        return [(index, weight) for index, weight in enumerate(self._weights) if weight.trainable]

    def _restore_optimizer_state(self, state: Mapping[str, Any]) -> None:
        network = self._configured_network()
        for name, values in state["slots"].items():
            for (index, _), value in zip(self._learned(), values, strict=True):
                network.set_slot(name, index, value)
        network.iterations = state["iterations"]

    # Describing and storing

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: tuple[str, str] | None = None,
    ) -> None:
        """Print the layers with their shapes and numbers of parameters.

        Args:
            line_length: Characters in a line.
            positions: Where the columns end, as fractions of the line.
            print_fn: Gets the text instead of the standard output.
            expand_nested: Not used: models are not nested.
            show_trainable: Whether to add a column for it.
            layer_range: Names of the first and the last layer to show.
        """
        shown = self.layers
        if layer_range is not None:
            first, last = (shown.index(self.get_layer(name)) for name in layer_range)
            shown = shown[min(first, last) : max(first, last) + 1]
        summary.print_summary(self.name, shown, self._optimizer_parameters(), line_length, positions, print_fn, show_trainable)

    def _optimizer_parameters(self) -> int:
        """Elements of the optimizer's state as Keras counts them: its slots and the numbers beside them; 0 before training."""
        if self._network is None or self._compiled is None or self._configured is None or not self._network.iterations:
            return 0
        trained = sum(layer.count_trainable() for layer in self.layers)
        return len(self._network.slot_names) * trained + self._compiled.optimizer.count_scalars()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or index."""
        if (name is None) == (index is None):
            raise ValueError("give either a name or an index")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"there is no layer {index}; the model has {len(self.layers)}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"there is no layer {name!r}; there are {', '.join(layer.name for layer in self.layers)}")

    def get_config(self) -> dict[str, Any]:
        """The layers with their arguments, as JSON values."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Model:
        """A new model with the layers that :meth:`get_config` described, and fresh weights."""
        raise NotImplementedError

    def get_compile_config(self) -> dict[str, Any] | None:
        """What ``compile`` was told, as JSON values; None if it was not called."""
        return self._compiled.get_config() if self._compiled else None

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile as :meth:`get_compile_config` described."""
        self._set_compiled(Compiled.from_config(config))

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model to a file: layers, weights, optimizer state; see :func:`fastmlp.load_model`.

        Args:
            filepath: Where to. The name's ending chooses the format: ``.safetensors``, or Keras' ``.keras`` and ``.h5``, which need h5py.
            overwrite: Whether a file that is there may be replaced.
        """
        from fastmlp.saving import save_model

        save_model(self, filepath, overwrite=overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights and the optimizer's state to a file whose name ends in ``.weights.h5``, which Keras loads too.

        Args:
            filepath: Where to.
            overwrite: Whether a file that is there may be replaced.
        """
        from fastmlp.saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Take the weights from a ``.weights.h5`` file or from a saved model; layers are matched by their order.

        Args:
            filepath: The file.
            skip_mismatch: Whether layers with other shapes keep their weights, with a warning, instead of being an error.
        """
        from fastmlp.saving import load_weights

        load_weights(self, filepath, skip_mismatch)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "compile": self.get_compile_config(),
            "weights": self.get_weights(),
            "training": self.training_state(),
            "optimizer": self._optimizer_state(),
            "history": self.history,
        }
        return _unpickle, (type(self), self.get_config(), state)

    if not TYPE_CHECKING:  # checkers of types know what is there

        def __getattr__(self, name: str) -> Any:
            elsewhere.missing_attribute(self, "Model", name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _unpickle(cls: type[Model], config: dict[str, Any], state: dict[str, Any]) -> Model:
    """What pickle and copy.deepcopy make a model from."""
    model = cls.from_config(config)
    if state["compile"] is not None:
        model.compile_from_config(state["compile"])
    if model.built:
        model.set_weights(state["weights"])
        if state["optimizer"] is not None:
            model._restore_optimizer_state(state["optimizer"])
    model.restore_training_state(state["training"])
    history: History | None = state["history"]
    if history is not None:
        history.set_model(model)
    model.history = history
    return model
