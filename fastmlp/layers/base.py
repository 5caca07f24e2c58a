"""The base class of all layers.

A layer validates its arguments, infers its output shape, owns its weights, and lists in :meth:`Layer.operations` the operations that the
engines run. It computes nothing itself.

Shapes named ``row`` are those of one sample, without the batch axis.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias, TypedDict, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastmlp import constraints, regularizers
from fastmlp._base import checks, custom_objects, keras_names, naming, settings, shapes
from fastmlp._base.arguments import Converted
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.registry import Configurable
from fastmlp._base.shapes import BatchShape, BatchShapeLike, Shape, ShapeLike
from fastmlp._graph import symbolic
from fastmlp._graph.eager import compute
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.initializers import Initializer
from fastmlp.variables import Variable

__all__ = ["Layer", "assign_all"]

_UNSUPPORTED = {
    "activity_regularizer": "only Dense has it; add an ActivityRegularization layer after this one",
    **dict.fromkeys((f"{weight}_{rule}" for weight in ("kernel", "bias") for rule in ("regularizer", "constraint")), "only Dense has it"),
    "lora_rank": "train all weights",
    "lora_alpha": "train all weights",
    "quantization_config": "weights are float32",
    "noise_shape": "every element is dropped independently",
    "autocast": "everything is float32",
}


_RULES: Mapping[str, Any] = {"regularizer": regularizers, "constraint": constraints}
"""What a weight can have, and the module that defines it."""


class LayerOptions(TypedDict, total=False):
    """Keyword arguments of every layer; see :class:`Layer`."""

    name: str | None
    input_shape: ShapeLike | None
    input_dim: int | None
    batch_input_shape: BatchShapeLike | None
    trainable: bool
    dtype: DTypeLike | StoredConfig | None


Built: TypeAlias = tuple[Shape | None, Shape | None, list[Weight]]
"""A layer's input row, output row and weights."""


@keras_names.answering("Layer")
class Layer(Configurable):
    """The base class of all layers.

    Args:
        name: A name that is unique in its model; by default derived from the class.
        input_shape: For the first layer of a model: the shape of one sample, without the batch axis.
        input_dim: The number of features, if samples are vectors; the same as ``input_shape=(input_dim,)``.
        batch_input_shape: The shape of the data with the batch axis in front, such as ``(None, 784)``.
        trainable: False freezes the layer; see :attr:`trainable`.
        dtype: None or ``"float32"``.

    Raises:
        TypeError: An unknown argument, or a value of the wrong type.
        ValueError: More than one of ``input_shape``, ``input_dim`` and ``batch_input_shape``.
        UnsupportedError: An argument of Keras that fastmlp does not have.
    """

    weightless: ClassVar[bool] = False
    """True for layers without weights, which have 0 parameters even before they are built."""
    ruled: ClassVar[tuple[str, ...]] = ()
    """The weights that have a regularizer and a constraint, as ``kernel_regularizer=`` and ``kernel_constraint=``."""

    _rule_arguments: ClassVar[tuple[str, ...]] = ()
    """The names of these arguments."""

    only_in_keras: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Arguments in Keras' files that this class does not have, each with the value that disables it."""

    further_arguments: ClassVar[tuple[str, ...]] = ("input_shape", "input_dim", "batch_input_shape", "trainable", "dtype")
    """Arguments of the constructor that are not in its signature."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "ruled" in vars(cls):
            rules = {f"{weight}_{rule}": kind for weight in cls.ruled for rule, kind in _RULES.items()}
            for name, kind in rules.items():
                argument: Converted[Any] = Converted(kind.get, kind.serialize, optional=True)
                argument.__set_name__(cls, name)
                setattr(cls, name, argument)
            cls.further_arguments = cls._rule_arguments = tuple(rules)

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        shape = shapes.pop_input_shape(options)
        self._trainable = checks.check_bool("trainable", options.pop("trainable", True))
        checks.float32_only(options.pop("dtype", None))
        for rule in self._rule_arguments:
            setattr(self, rule, options.pop(rule, None))
        checks.reject_unknown(type(self), options, _UNSUPPORTED)
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError(f"name must be a non-empty string, got {name!r}")
        self._name = name or naming.automatic(type(self).__name__)
        self.declared_shape: Shape | None = shape
        """The shape of a sample that was passed to the constructor."""
        self.input_row: Shape | None = None
        """The shape of an input sample, without the batch axis; None before the layer is built."""
        self.output_row: Shape | None = None
        """The shape of an output sample."""
        self._weights: list[Weight] = []
        self._chains: weakref.WeakSet[symbolic.ModelLike] = weakref.WeakSet()
        self.calls: weakref.WeakSet[symbolic.Call] = weakref.WeakSet()
        """The calls of the layer that a model or a tensor still refers to."""
        self.models: weakref.WeakSet[symbolic.ModelLike] = weakref.WeakSet()
        """The built models that the layer is part of."""

    @property
    def name(self) -> str:
        """The layer's name, unique in its models; it can be changed."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        if not isinstance(value, str) or not value:
            raise TypeError(f"name must be a non-empty string, got {value!r}")
        for model in self.models:
            model.check_new_name(self, value)
        self._take_effect({"_name": value})

    @property
    def built(self) -> bool:
        """True once the input shape is known, and with it the weights."""
        return self.input_row is not None

    @property
    def input_shape(self) -> BatchShape | list[BatchShape] | None:
        """The input shape with the batch axis, ``(None, features)``; a list for layers with several inputs; None before ``build``."""
        return None if self.input_row is None else (None, *self.input_row)

    @property
    def output_shape(self) -> BatchShape | None:
        """The output shape with the batch axis, ``(None, units)``; None before the layer is built."""
        return None if self.output_row is None else (None, *self.output_row)

    @property
    def input(self) -> symbolic.Tensor | list[symbolic.Tensor]:
        """The symbolic tensor that the layer was called on; a list of several.

        Raises:
            ValueError: The layer was never called, or more than once.
        """
        inputs = symbolic.only_call(self).inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> symbolic.Tensor:
        """The symbolic tensor that the call of the layer returned.

        ``Model(model.input, model.get_layer("name").output)`` is a model that ends with this layer and shares its weights.

        Raises:
            ValueError: The layer was never called, or more than once.
        """
        return self.arrange_outputs(symbolic.only_call(self).outputs)

    @property
    def trainable(self) -> bool:
        """Whether training changes the layer's weights. After a model has been trained, a change takes effect with the next ``compile``.

        A frozen batch normalization also uses its moving statistics in training, and does not update them.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._take_effect({"_trainable": checks.check_bool("trainable", value)}, freezing=True)

    def set_trainable(self, value: bool) -> None:
        """Set :attr:`trainable` without notifying the models."""
        self._trainable = value

    def trains(self, weight: Weight) -> bool:
        """Whether the optimizer updates this weight of the layer."""
        return self.trainable and weight.trainable

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that the optimizer updates."""
        return [weight for weight in self._weights if self.trains(weight)]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that the optimizer does not update: moving statistics, and all weights of a frozen layer."""
        return [weight for weight in self._weights if not self.trains(weight)]

    @property
    def weights(self) -> list[Variable]:
        """The layer's weights, in the order of :meth:`get_weights`, as live :class:`~fastmlp.Variable` objects; ``[]`` before it is
        built."""
        return list(self._weights)

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def path(self) -> str:
        """The name; for a layer of exactly one ``Sequential`` model, the model's name and the layer's: ``sequential/dense``."""
        chains = self.chains()
        return f"{chains[0].name}/{self.name}" if len(chains) == 1 else self.name

    def build(self, input_shape: BatchShapeLike) -> None:
        """Create the weights.

        Args:
            input_shape: The shape of the data with the batch axis in front: ``layer.build((None, 784))``. A shape of one size is that of a
                sample.

        Raises:
            ValueError: The layer does not support this shape, or has weights for another one.
        """
        self.build_rows(shapes.row_of_batch("input_shape", input_shape))

    def build_rows(self, row: Shape) -> None:
        """Create the weights for samples of this shape."""
        if self.built and row != self.input_row and self._weights:
            raise ValueError(f"layer {self.name!r} has weights for samples of shape {self.input_row}, got {row}; make a new layer")
        weights = self._weights if self.built else self.make_weights(row)
        self.input_row, self.output_row, self._weights = row, self.row_after(row), weights
        for weight in weights:
            weight.layer = weakref.ref(self)

    def check_in_model(self) -> None:
        """Raise an error if the layer can only be called on arrays, not be part of a model."""

    def before_building(self) -> Built:
        """The state that :meth:`undo_building` restores."""
        return self.input_row, self.output_row, self._weights

    def undo_building(self, before: Built) -> None:
        """Restore the state before the layer was built for a model, or for data, that turned out to be invalid."""
        self.input_row, self.output_row, self._weights = before

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        """New weights for samples of this shape; most layers have none."""
        return []

    def new_weight(self, name: str, shape: Shape, initializer: Initializer, *, flat: bool = False) -> Weight:
        """A new trainable weight, with the layer's regularizer and constraint of that name."""
        regularizer, constraint = getattr(self, f"{name}_regularizer", None), getattr(self, f"{name}_constraint", None)
        return Weight(self.name, name, shape, initializer, regularizer, constraint, flat=flat)

    def compute_output_shape(self, input_shape: BatchShapeLike) -> BatchShape:
        """The output shape for inputs of a shape, both with the batch axis in front.

        Args:
            input_shape: ``(None, 784)``, or a list of such shapes for a layer with several inputs.

        Raises:
            ValueError: The layer does not support this shape.

        Example:

        >>> from fastmlp import layers
        >>> layers.Dense(10).compute_output_shape((None, 784))
        (None, 10)
        """
        row = self.row_after(shapes.row_of_batch("input_shape", input_shape))
        return shapes.batch_axis(input_shape) + row

    def row_after(self, input_shape: Shape) -> Shape:
        """The shape of an output sample for input samples of this shape.

        Raises:
            ValueError: The layer does not support the shape.
        """
        return input_shape

    def _change_setting(self, name: str, value: object) -> None:
        before, after, changed = settings.changed_by(self, name, value)
        if (self.built or self._weights) and changed:
            row = self.input_row or ()
            new = after.make_weights(row) if self._weights else []
            if [(one.name, one.shape) for one in new] != [(one.name, one.shape) for one in self._weights] or (
                self.built and before.row_after(row) != after.row_after(row)
            ):
                raise AttributeError(
                    f"{name} of layer {self.name!r} can't become {value!r}: the layer is built, and its weights or its output would have "
                    f"other shapes; make a new layer, {type(self).__name__}({name}={value!r}, ...), and a new model"
                )
            changed["_rules"] = [other.rules for other in new]
        self._take_effect(changed)

    def _take_effect(self, changes: dict[str, Any], *, freezing: bool = False) -> None:
        """Change attributes here and in the models that the layer is part of; on an error nothing changes."""
        for model in self.models:
            model.refuse_while_training(f"layer {self.name!r} can't be changed")
        before = {name: self.__dict__.get(name) for name in changes} | {"_rules": [weight.rules for weight in self._weights]}
        self._update(changes)
        try:
            for model in list(self.models):
                model.layers_changed(freezing=freezing)
        except BaseException:
            self._update(before)
            for model in list(self.models):
                model.layers_changed(freezing=freezing)
            raise

    def _update(self, changes: dict[str, Any]) -> None:
        rules = changes.pop("_rules", None)
        self.__dict__.update(changes)
        for index, weight in enumerate(self._weights):
            weight.owner = self.name
            if rules is not None:
                weight.rules = rules[index]

    def _refuse_unknown(self, name: str) -> None:
        advice = _UNSUPPORTED.get(name) or keras_names.advice("Layer", name)
        if advice:
            raise AttributeError(f"{name} of {type(self).__name__} is not in fastmlp; {advice}")
        settings.refuse_misspelled(type(self).__name__, name, settings.settings_of(type(self)) | {"trainable"})

    @property
    def differs_in_training(self) -> bool:
        """Whether the output in training differs from the one in inference, as it does for dropout."""
        return False

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        """The operations that the engines run, in order, for input samples of shape ``input_shape``."""
        return ()

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """The shapes of the weights by name, in the order of :meth:`get_weights`; no values are copied or drawn."""
        return {weight.name: weight.shape for weight in self._weights}

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Copies of the weights: ``[kernel, bias]`` for Dense; ``[]`` before the layer is built."""
        return [weight.read() for weight in self._weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace the values of all weights.

        Args:
            weights: Arrays of the same shapes, in the order of :meth:`get_weights`.

        Raises:
            ValueError: The layer is not built, or an array has another shape or is not finite; then nothing changes.
        """
        if not self.built:
            raise ValueError(
                f"layer {self.name!r} has no weights yet because its input shape is unknown; pass input_shape=, or build the model"
            )
        assign_all(self._weights, weights, f"layer {self.name!r}")

    def count_params(self) -> int:
        """The number of elements in all weights.

        Raises:
            ValueError: The layer is not built.
        """
        if not self.built and not self.weightless:
            raise ValueError(f"the input shape of layer {self.name!r} is not known yet; pass input_shape=, or build the model")
        return sum(weight.size for weight in self._weights)

    def count_trainable(self) -> int:
        """The number of elements in the weights that the optimizer updates."""
        return sum(weight.size for weight in self._weights if self.trains(weight))

    def get_config(self) -> Config:
        return {"name": self.name} | ({} if self.trainable else {"trainable": False}) | super().get_config()

    def require_vector(self, input_shape: Shape) -> int:
        """The number of features of samples that are vectors; a ValueError for other shapes."""
        if len(input_shape) != 1:
            raise ValueError(f"layer {self.name!r} needs samples that are vectors, got shape {input_shape}; put a Flatten() before it")
        return input_shape[0]

    def require_features(self, input_shape: Shape) -> int:
        """The number of features along the last axis of samples; a ValueError if samples are single numbers."""
        if not input_shape:
            raise ValueError(f"layer {self.name!r} needs samples with at least one axis, got single numbers; put a Reshape((1,)) before it")
        return input_shape[-1]

    @overload
    def __call__(self, inputs: symbolic.Tensors, *, training: bool | None = None, mask: None = None) -> symbolic.Tensor: ...
    @overload
    def __call__(
        self,
        inputs: ArrayLike | Sequence[ArrayLike] | Mapping[str, ArrayLike],
        *,
        training: bool | None = None,
        mask: None = None,
    ) -> NDArray[np.float32]: ...
    def __call__(self, inputs: Any, **options: Any) -> symbolic.Tensor | NDArray[np.float32]:
        """Apply the layer: to a symbolic tensor, to define a model, or to an array, which is computed immediately.

        A layer that is called several times uses the same weights each time.

        Args:
            inputs: A tensor that ``Input`` or another layer returned, or an array ``(samples, …)``; a list or a dict of these for layers
                with several inputs.
            training: For an array: True runs the layer as in training, with dropout and the statistics of this batch.
            mask: None; masks are not supported.

        Returns:
            A tensor for ``Model(inputs, outputs)``, or a float32 array.

        Raises:
            ValueError: The layer does not support inputs of this shape.
            TypeError: Arrays and tensors are mixed, or an unknown argument.

        Example:

        >>> import numpy as np
        >>> from fastmlp import layers
        >>> layers.ReLU()(np.array([[-1.0, 2.0]]))
        array([[0., 2.]], dtype=float32)
        """
        if symbolic.holds_any_tensor(inputs):
            return self.arrange_outputs(symbolic.as_tensors(self.name, symbolic.apply(self, inputs, options)))
        return compute(self, inputs, **options)

    def connect(self, rows: Sequence[Shape]) -> tuple[Shape, ...]:
        """Build the layer for tensors with samples of these shapes, and return the shapes of the output samples."""
        if len(rows) != 1:
            raise ValueError(f"layer {self.name!r} takes one tensor, got {len(rows)}; merge them first, for example with Concatenate")
        self.build_rows(rows[0])
        return (self.row_after(rows[0]),)

    def in_order(self, inputs: Mapping[str, Any]) -> list[Any]:
        """The values of a dict of inputs, in the order of the layer's inputs."""
        return list(inputs.values())

    def chains(self) -> list[symbolic.ModelLike]:
        """The built ``Sequential`` models that the layer is part of."""
        return [model for model in self._chains if model.built]

    def arrange_outputs(self, outputs: Sequence[symbolic.Tensor]) -> symbolic.Tensor:
        """The return value of a call: a layer has one output."""
        return outputs[0]

    def __reduce__(self) -> tuple[Callable[[type[Layer], Config, _State], Layer], tuple[type[Layer], Config, _State]]:
        with custom_objects.collecting() as found:
            config = self.get_config()
        state: _State = {"rows": (self.input_row, self.output_row), "weights": self.get_weights(), "custom_objects": found}
        return _unpickle, (type(self), config, state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class _State(TypedDict):
    """What a pickle holds besides the configuration."""

    rows: tuple[Shape | None, Shape | None]
    weights: list[NDArray[np.float32]]
    custom_objects: dict[str, object]


class LayerWeight:
    """A class attribute that returns the layer's weight of this name: an error before the layer is built, None if it has no such weight."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, layer: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, layer: Layer, owner: type | None = None) -> Any: ...
    def __get__(self, layer: Layer | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        if not layer.built and not layer._weights:
            raise AttributeError(
                f"layer {layer.name!r} has no {self._name} yet because its input shape is unknown; pass input_shape=, or build the model"
            )
        return next((weight for weight in layer._weights if weight.name == self._name), None)

    def __set__(self, layer: Layer, value: object) -> None:
        raise AttributeError(f"the {self._name} of layer {layer.name!r} is a variable; change it with layer.{self._name}.assign(value)")


def _unpickle(cls: type[Layer], config: Config, state: _State) -> Layer:
    """The layer that pickle and copy.deepcopy return: of the same name, with copies of the weights, and part of no model."""
    with custom_objects.CustomObjectScope(state["custom_objects"]):
        layer = cls.from_config(config)
    row = state["rows"][0]
    if state["weights"] and row is not None:
        layer.build_rows(row)
        layer.set_weights(state["weights"])
    layer.input_row, layer.output_row = state["rows"]
    return layer


def assign_all(targets: Sequence[Weight], values: Any, owner: str) -> None:
    """Assign ``values`` to ``targets``; if any value is invalid, nothing changes."""
    if values is None or isinstance(values, (str, bytes, Mapping)) or not np.iterable(values):
        raise TypeError(f"{owner} takes a list of {len(targets)} arrays, as get_weights() returns it, got {values!r:.80}")
    values = list(values)
    if len(values) != len(targets):
        wanted = ", ".join(f"{weight.name} {weight.shape}" for weight in targets[:6]) + (", ..." if len(targets) > 6 else "")
        raise ValueError(f"{owner} has {len(targets)} arrays ({wanted}), got {len(values)}")
    for weight, value in zip(targets, [weight.check(value) for weight, value in zip(targets, values, strict=True)], strict=True):
        weight.store(value)
