"""The base class of all models: compiling, calling, describing and storing them."""

from __future__ import annotations

import html
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

import fastmlp._models.attributes as attributes
import fastmlp._models.summary as summary
from fastmlp import _core
from fastmlp._base import checks, custom_objects, keras_names, keywords, naming, settings
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters import choose_adapter, unwrap_single
from fastmlp._data.columns import Columns
from fastmlp._data.outputs import check_out
from fastmlp._engine import backends
from fastmlp._engine.spec import SparseRows
from fastmlp._graph import lowering, symbolic
from fastmlp._graph.nest import Nest
from fastmlp._graph.symbolic import Graph, holds_tensors
from fastmlp._models.gradients import Differentiable
from fastmlp._models.storage import storage
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.state import OptimizerState, TrainingState
from fastmlp._training.typing import LossesLike, LossWeights, MetricsLike, OptimizerLike
from fastmlp.callbacks import History
from fastmlp.errors import UnsupportedError
from fastmlp.layers import Layer
from fastmlp.metrics import Metric
from fastmlp.optimizers import Optimizer

_COMPILE_IGNORED = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")
"""Arguments of Keras' compile that change how, not what, is computed; fastmlp always runs compiled."""

_SETTINGS = frozenset({"loss", "metrics", "optimizer", "stop_training", "trainable"})
"""Attributes that programs set, or think they do."""


MODEL_CLASSES: dict[str, type[Model]] = {}
"""The classes of models by name, from which configurations are rebuilt."""

M = TypeVar("M", bound="type[Model]")

Tensors: TypeAlias = symbolic.Tensor | Sequence[symbolic.Tensor] | Mapping[str, symbolic.Tensor]


def model_class(kind: M) -> M:
    """Marks a class of models that is made by name. Its module is the public one, so that a pickle of it imports all that models need."""
    MODEL_CLASSES[kind.__name__] = kind
    kind.__module__ = "fastmlp.models"
    return kind


@keras_names.answering("Model")
class Model(Differentiable):
    """A network that can be compiled, trained, evaluated, asked for predictions and saved.

    ``Model(inputs, outputs)`` is a functional model, the layers between some inputs and some outputs; see
    :class:`~fastmlp._models.functional.Functional`.

    Args:
        inputs: Tensors of ``Input``; several in a list or a dict.
        outputs: Tensors that layers returned; several in a list or a dict.
        name: The model's name.
        trainable: False to freeze all layers.
    """

    _outputs_form: Nest = Nest.of_one("output")

    def __new__(cls, *args: Any, **options: Any) -> Self:
        if cls is Model:
            return cast(Self, super().__new__(MODEL_CLASSES["Functional"]))
        return super().__new__(cls)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "call" in cls.__dict__:
            raise UnsupportedError(
                f"{cls.__name__} has a call of its own, which is not in fastmlp: the engines do not run Python; connect its layers, "
                "Model(inputs, outputs)"
            )
        if Model in cls.__bases__ and not cls.__module__.startswith("fastmlp."):
            cls.__bases__ = tuple(MODEL_CLASSES["Functional"] if base is Model else base for base in cls.__bases__)

    def __init__(
        self, inputs: Tensors | None = None, outputs: Tensors | None = None, name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__()  # the classes of models arrange inputs and outputs
        self.name = name or naming.automatic(type(self).__name__)
        self.calls: weakref.WeakSet[symbolic.Call] = weakref.WeakSet()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__ and not name.startswith("_") and not hasattr(type(self), name):
            settings.refuse_misspelled(type(self).__name__, name, _SETTINGS)
        object.__setattr__(self, name, value)

    # As a layer of another model

    def connect(self, rows: Sequence[Shape]) -> tuple[Shape, ...]:
        """Take part in another model, called on tensors whose rows have these shapes; the shapes of what comes out."""
        if self._row_shape() is None and len(rows) == 1:
            self._build_from(rows[0])
        wanted = [tensor.row for tensor in self.graph.inputs]
        if list(rows) != wanted:
            raise ValueError(f"model {self.name!r} takes samples of shape {_listed(wanted)}, but is called on {_listed(rows)}")
        return tuple(tensor.row for tensor in self.graph.outputs)

    def in_order(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Tensors from a dict, in the order of the model's inputs."""
        return list(inputs.values())

    def chains(self) -> list[Any]:
        """None: a model has an input and an output of its own, also as part of a ``Sequential``."""
        return []

    def row_after(self, row: Shape) -> Shape:
        """The shape of a row of the predictions, where rows of this shape come in: for models with one input and one output."""
        rows = self.connect([row])
        if len(rows) != 1:
            raise ValueError(
                f"model {self.name!r} has {len(rows)} outputs, which a chain of layers can't go on from; use Model(inputs, outputs)"
            )
        return rows[0]

    def arrange_outputs(self, outputs: Sequence[Any]) -> Any:
        """Outputs one by one, in the form the model gives them: one alone, a list or a dict."""
        return outputs[0]

    # Predicting

    def __call__(self, x: Any, training: bool | None = None, out: NDArray[np.float32] | None = None) -> Any:
        """The output for a few samples, as fast as possible: ``x`` is converted but not checked for NaN, which lead to NaN outputs.

        Args:
            x: ``(samples, features)``, also a sparse matrix, or one sample ``(features,)``; a table, or a dict of the values of one
                sample, if the model begins with a TableEncoder.
            training: True to switch dropout on.
            out: A float32 array ``(samples, outputs)``, C-contiguous, that the output is written to, for models with one output; a loop
                that passes the same array in every call allocates none.

        Returns:
            A float32 array ``(samples, outputs)``, which also has the method ``numpy()``; with ``out``, that array.

        Raises:
            TypeError: x are not numbers, or ``out`` is not a float32 array.
            ValueError: x do not fit the model, or ``out`` has another shape, is not C-contiguous, read-only, or shares memory with x.

        Example:

        >>> import numpy as np
        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(2, input_shape=(3,))])
        >>> model(np.zeros(3)).shape
        (1, 2)
        >>> y = np.empty((1, 2), np.float32)
        >>> model(np.zeros(3), out=y) is y
        True
        """
        forward = self._forward
        if forward is None or training:
            return self._call(x, training, out)
        try:
            return forward(x, out)
        except (TypeError, ValueError):
            return self._call(x, training, out)  # which says more about what is wrong with x or out

    def _call(self, x: Any, training: bool | None, out: Any) -> Any:
        if holds_tensors(x):
            if out is not None:
                raise TypeError("out is for arrays: a model that is called on tensors computes nothing yet")
            return symbolic.apply(self, x, {"training": training})
        shape = self._row_shape()
        data = choose_adapter(unwrap_single(x, sample_shape=shape))
        if not self._encoders:
            data = data.as_batch(shape)
        return self._run(self._inputs(data, check_finite=False), training, out)

    def _run(self, inputs: np.ndarray | SparseRows, training: bool | None, out: Any) -> Any:
        """The output for samples as an engine reads them, written to ``out`` if that is not None."""
        network = self._connected_network()
        if out is None:
            return self._as_tensors(self._arranged(self._apply(network, inputs, training)))
        if self._outputs_form.form != "single":
            raise UnsupportedError(f"out is for models with one output, but this one has {self._outputs_form.count}; omit it")
        check_out(out, (len(inputs), *self._require_plan().row()), inputs)
        out[...] = self._arranged(self._apply(network, inputs, training))
        return out

    def _apply(self, network: Any, inputs: Any, training: bool | None) -> np.ndarray:
        """Predictions as in training, or where that is None, with those layers as in training that were called so."""
        if training or (training is None and lowering.is_as_in_training(network.plan)):
            return np.asarray(network.apply(inputs, training=True if training else None, draw=self._draws.next()))
        return np.asarray(network.predict(inputs))

    def _as_tensors(self, predictions: Any) -> Any:
        """Predictions that have ``numpy()``, as tensors have."""
        if isinstance(predictions, dict):
            return {name: self._as_tensors(part) for name, part in predictions.items()}
        if isinstance(predictions, list):
            return [self._as_tensors(part) for part in predictions]
        return predictions.view(_core.Predictions)

    # Compiling

    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: LossesLike = None,
        loss_weights: LossWeights = None,
        metrics: MetricsLike = None,
        weighted_metrics: MetricsLike = None,
        *,
        engine: backends.EngineName | None = None,
        skip_zeros: backends.SkipZeros = "auto",
        **options: Any,
    ) -> None:
        """Set how the model is trained. Weights stay; the optimizer starts anew, unless it is the same object as before.

        Args:
            optimizer: A name or an object: ``"adam"``, ``Adam(1e-3)``.
            loss: A name or an object of :mod:`fastmlp.losses`: ``"mse"``, ``Huber(0.5)``, ``"sparse_categorical_crossentropy"``, or
                ``"crossentropy"`` for the cross-entropy that the targets call for; or a function of your own that returns the loss of
                each sample and its gradient. With several outputs, a list or dict of them.
            loss_weights: Factor of each output's loss, 1 by default: a number, or with several outputs a list or dict.
            metrics: One or several names or objects: ``"accuracy"``, ``"mae"``, ``BinaryAccuracy(threshold=0.8)``.
            weighted_metrics: The same, but these use the sample weights.
            engine: ``"native"``, the default, or ``"reference"``, the readable NumPy one: the same numbers, slowly.
            skip_zeros: When the first layer skips zeros in x. ``"auto"`` looks at x and skips where that is faster; True always, False
                never, a number if less than this fraction of x is not zero. The numbers are the same, to the bit.
            options: Keras' ``jit_compile``, ``run_eagerly``, ``steps_per_execution`` and ``auto_scale_loss`` are accepted and change
                nothing.

        Example:

        >>> from fastmlp import layers, models
        >>> model = models.Sequential([layers.Dense(10, activation="softmax", input_shape=(784,))])
        >>> model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        checks.reject_unknown(Model.compile, {name: value for name, value in options.items() if name not in _COMPILE_IGNORED}, {})
        self._set_compiled(
            CompileConfig(
                self._outputs_form, optimizer, loss, loss_weights, metrics, weighted_metrics, engine or backends.DEFAULT, skip_zeros
            )
        )

    def _set_compiled(self, compiled: CompileConfig) -> None:
        with self._exclusively("compile"), self._connecting.lock:
            before = self._compiled
            kept = self._objective, self._configured, self._trained, self._outdated
            state = OptimizerState.capture(self) if before is not None and before.optimizer is compiled.optimizer else None
            if self._network is not None and compiled.engine != (before.engine if before else backends.DEFAULT):
                self._disconnect()
            self._compiled, self._objective, self._configured = compiled, None, False
            self._trained = self._outdated = False
            try:
                self._follow_layers()
            except BaseException:  # the model stays compiled as it was
                self._compiled = before
                self._objective, self._configured, self._trained, self._outdated = kept
                raise
            if self._network is not None:
                backends.set_skip_zeros(self._network, compiled.skip_zeros)
            compiled.optimizer.attach(self)
            if state is not None and compiled.configurable and self.built:
                state.restore(self)

    def _follow_layers(self) -> None:
        """Describe the network anew if layers have been frozen or released, or models inside the model extended, since that was done."""
        if self._plan_is_stale and self.plan is not None and lowering.make_plan(self.graph)[0] != self.plan:
            self._adopt(self.graph)

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
        return [metric for _, metric in self._compiled.metrics()] if self._compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of the values that ``evaluate`` returns: ``["loss", "accuracy"]``."""
        compiled = self._require_compiled("looking at metrics_names")
        if not self.built or not compiled.resolvable:
            return ["loss", *(name for name, _ in compiled.metrics())]
        return list(self._current_objective().log_names)

    def metric_direction(self, name: str) -> bool | None:
        """True if a higher value of the loss or metric ``name`` is better, False if a lower is, None if there is none of that name."""
        return self._require_compiled("metric_direction").direction(name, self._require_plan())

    # Describing and storing

    @keywords.answering
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
            expand_nested: Whether to show the layers of models that are part of the model.
            show_trainable: Whether to add a column for it.
            layer_range: Names of the first and the last layer to show.
        """
        shown = self.layers
        if layer_range is not None:
            first, last = (shown.index(self.get_layer(name)) for name in layer_range)
            shown = shown[min(first, last) : max(first, last) + 1]
        summary.print_summary(
            self.name,
            shown,
            self._optimizer_parameters(),
            line_length,
            positions,
            print_fn,
            show_trainable,
            self._connections_to_show(),
            expand_nested,
            Columns(self.column_names()).describe(),
        )

    def _connections_to_show(self) -> Graph | None:
        """The graph, of models whose layers are not connected in their order."""
        return None

    def _optimizer_parameters(self) -> int:
        """Elements of the optimizer's state as Keras counts them: its slots and the numbers beside them; 0 before training."""
        if self._network is None or self._compiled is None or not self._configured or not self._network.iterations:
            return 0
        network, optimizer = self._network, self._compiled.optimizer
        trained = [index for index, weight in enumerate(self._weights) if weight.trainable]
        sizes = [math.prod(network.slot_shape(slot, index)) for index in trained for slot in network.slot_names]
        return sum(sizes) + optimizer.number_for_nothing * sizes.count(0) + optimizer.count_scalars()

    @keywords.answering
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or index."""
        if (name is None) == (index is None):
            raise ValueError("pass either a name or an index")
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
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Model:
        """A new model with the layers that :meth:`get_config` of a functional model described, and fresh weights."""
        return MODEL_CLASSES["Functional"].from_config(config, custom_objects)

    def to_json(self, **kwargs: Any) -> str:
        """The layers with their arguments and connections as JSON, in Keras' form; :func:`fastmlp.models.model_from_json` reads it.

        Args:
            kwargs: Those of ``json.dumps``: ``indent=2``.
        """
        return storage().to_json(self, kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of ``compile``, as JSON values; None if it was not called."""
        self._record_losses()
        return self._compiled.get_config() if self._compiled else None

    def _record_losses(self) -> None:
        """Record custom losses, so that copies and files have their programs."""
        if self._compiled is not None and self.plan is not None:
            self._compiled.record_losses(self.plan)

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile as :meth:`get_compile_config` described."""
        self._set_compiled(CompileConfig.from_config(self._outputs_form, config))

    @keywords.answering
    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        *,
        include_optimizer: bool = True,
        save_format: str | None = None,
    ) -> None:
        """Write the model to a file: layers, weights, optimizer state; see :func:`fastmlp.load_model`.

        Args:
            filepath: Where to. The name's ending chooses the format: ``.safetensors``, or Keras' ``.keras`` and ``.h5``, which need h5py.
                Or an open binary file.
            overwrite: Whether a file that is there may be replaced.
            zipped: Accepted for Keras' sake; a model is always one file.
            include_optimizer: Whether to save the optimizer's state too.
            save_format: ``"safetensors"``, ``"keras"`` or ``"h5"``, for an open file; by default the name's ending.
        """
        storage().save_model(self, filepath, overwrite, zipped, include_optimizer=include_optimizer, save_format=save_format)

    @keywords.answering
    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
        """Write the weights and the optimizer's state to a file whose name ends in ``.weights.h5``, which Keras loads too.

        Args:
            filepath: Where to.
            overwrite: Whether a file that is there may be replaced.
            max_shard_size: None: weights are one file.
        """
        storage().save_weights(self, filepath, overwrite, max_shard_size)

    @keywords.answering
    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Take the weights from a ``.weights.h5`` file or from a saved model; layers are matched by their order.

        Args:
            filepath: The file.
            skip_mismatch: Whether layers with other shapes keep their weights, with a warning, instead of being an error.
        """
        storage().load_weights(self, filepath, skip_mismatch)

    def __reduce__(self) -> tuple[Any, ...]:
        self._record_losses()
        with custom_objects.collecting() as found:
            config = self.get_config()
        state = {
            "compiled": self._compiled,
            "training": TrainingState.capture(self),
            "history": self.history,
            "custom_objects": found,
            "columns": self._columns.names,
            "class_names": self.class_names,
            "attributes": attributes.of_subclass(self, config, found),
        }
        return _unpickle, (type(self), config, state)

    def __repr__(self) -> str:
        size = f": {self.count_params():,} parameters in {len(self.layers)} layers" if self.built else ""
        return f"<{type(self).__name__} name={self.name}, built={self.built}{size}>"

    def _repr_html_(self) -> str:
        """The summary, for notebooks."""
        lines: list[str] = []
        if self.layers:
            self.summary(print_fn=lines.append)
        return f"<pre>{html.escape(chr(10).join(lines) or repr(self))}</pre>"


def own_config(kind: str, config: Any) -> Any:
    """A model's configuration in fastmlp's form, which Keras may have written."""
    given = config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(given, list) or not any(isinstance(layer, Mapping) and "class_name" in layer for layer in given):
        return config
    return storage().read_config(kind, config)


def _listed(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(str, shapes))


def _unpickle(cls: type[Model], config: dict[str, Any], state: dict[str, Any]) -> Model:
    """What pickle and copy.deepcopy make a model from."""
    with custom_objects.CustomObjectScope(state["custom_objects"]):
        model = cls.from_config(config)
    attributes.restore(model, state["attributes"])
    if state["compiled"] is not None:
        model._set_compiled(state["compiled"])
    training: TrainingState = state["training"]
    training.restore(model)
    history: History | None = state["history"]
    if history is not None:
        history.set_model(model)
    model.history = history
    model._set_columns(state["columns"])
    model.class_names = state["class_names"]
    return model
