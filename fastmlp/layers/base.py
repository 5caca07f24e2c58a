"""What all layers have in common.

A layer checks its arguments, knows the shape it gives, owns its weights and says in :meth:`Layer.operations` which steps the engines have
to run. It computes nothing itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from fastmlp import constraints, regularizers
from fastmlp._base import checks, custom_objects, keras_names, naming, settings, shapes
from fastmlp._base.arguments import Converted
from fastmlp._base.registry import Configurable
from fastmlp._base.shapes import Shape
from fastmlp._graph import symbolic
from fastmlp._graph.eager import compute
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.initializers import Initializer
from fastmlp.variables import Variable

__all__ = ["Layer", "assign_all"]

_UNSUPPORTED = {
    "activity_regularizer": "only Dense has it; put an ActivityRegularization layer behind this one",
    **dict.fromkeys((f"{weight}_{rule}" for weight in ("kernel", "bias") for rule in ("regularizer", "constraint")), "only Dense has it"),
    "lora_rank": "train all weights",
    "lora_alpha": "train all weights",
    "quantization_config": "weights are float32",
    "noise_shape": "every element is dropped independently",
    "autocast": "everything is float32",
}


_RULES: Mapping[str, Any] = {"regularizer": regularizers, "constraint": constraints}
"""What a weight may have, and what knows the names of such."""


@keras_names.answering("Layer")
class Layer(Configurable):
    """The base of all layers.

    Args:
        name: Unique in its model; made from the class where it is left out.
        input_shape: For the first layer of a model: the shape of one row, without the batch axis.
        input_dim: The same for rows that are vectors.
        trainable: False to freeze the layer: see :attr:`trainable`.
    """

    weightless: ClassVar[bool] = False
    """True where there is nothing to build, so that the layer has 0 parameters from the start."""
    ruled: ClassVar[tuple[str, ...]] = ()
    """The weights that take a penalty and a constraint, as ``kernel_regularizer=`` and ``kernel_constraint=``."""

    only_in_keras: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Arguments of Keras' class that this one has not, in Keras' files, each with the value that asks for nothing."""

    further_arguments: ClassVar[tuple[str, ...]] = ("input_shape", "input_dim", "batch_input_shape", "trainable", "dtype")
    """Arguments of the constructor that do not stand in its signature."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "ruled" in vars(cls):
            rules = {f"{weight}_{rule}": kind for weight in cls.ruled for rule, kind in _RULES.items()}
            for name, kind in rules.items():
                argument: Converted[Any] = Converted(kind.get, kind.serialize)
                argument.__set_name__(cls, name)
                setattr(cls, name, argument)
            cls.further_arguments = tuple(rules)

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        shape = shapes.pop_input_shape(options)
        self._trainable = checks.check_bool("trainable", options.pop("trainable", True))
        checks.float32_only(options.pop("dtype", None))
        for rule in [f"{weight}_{rule}" for weight in self.ruled for rule in _RULES]:
            setattr(self, rule, options.pop(rule, None))
        checks.reject_unknown(type(self), options, _UNSUPPORTED)
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError(f"name must be a non-empty string, got {name!r}")
        self._name = name or naming.automatic(type(self).__name__)
        self.declared_shape: Shape | None = shape
        """The shape of a row as given to the constructor."""
        self.input_row: Shape | None = None
        """The shape of a row that comes in, without the batch axis; None before the layer is built."""
        self.output_row: Shape | None = None
        self._weights: list[Weight] = []
        self._chains: weakref.WeakSet[Any] = weakref.WeakSet()
        self.calls: weakref.WeakSet[symbolic.Call] = weakref.WeakSet()
        """Where the layer was called, while a model or a tensor knows of it."""
        self.models: weakref.WeakSet[Any] = weakref.WeakSet()
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
        """True once the layer knows the shape of its input and so has its weights."""
        return self.input_row is not None

    @property
    def input_shape(self) -> Any:
        """``(None, features)``: the shape of what comes in, rows left open; a list where a layer takes several; None before ``build``."""
        return None if self.input_row is None else (None, *self.input_row)

    @property
    def output_shape(self) -> tuple[int | None, ...] | None:
        """``(None, units)``: the shape of what the layer gives, rows left open; None before the layer is built."""
        return None if self.output_row is None else (None, *self.output_row)

    @property
    def input(self) -> Any:
        """The tensor the layer was called on, a list if several; a ValueError unless it was called once."""
        inputs = symbolic.only_call(self).inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> Any:
        """The tensor the layer gave when it was called; a ValueError unless it was called once.

        A model up to this layer is ``Model(model.input, model.get_layer("name").output)``; the two share their weights.
        """
        return self.arrange_outputs(symbolic.only_call(self).outputs)

    @property
    def trainable(self) -> bool:
        """Whether training changes the layer's weights. It can be changed until a compiled model is trained, and then before ``compile``.

        A frozen batch normalization also uses its moving statistics while training, and leaves them as they are.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._take_effect({"_trainable": checks.check_bool("trainable", value)}, freezing=True)

    def set_trainable(self, value: bool) -> None:
        """Set :attr:`trainable` without telling the models."""
        self._trainable = value

    def trains(self, weight: Weight) -> bool:
        """Whether the optimizer moves this weight of the layer."""
        return self.trainable and weight.trainable

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes by gradients."""
        return [weight for weight in self._weights if self.trains(weight)]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The others: moving statistics, and all weights of a frozen layer."""
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
        """The name, with that of the only ``Sequential`` the layer is part of before it: ``sequential/dense``."""
        chains = self.chains()
        return f"{chains[0].name}/{self.name}" if len(chains) == 1 else self.name

    def build(self, input_shape: Any) -> None:
        """Make the weights for data of this shape, given with the batch axis in front: ``layer.build((None, 784))``.

        A shape of one size is that of a row.
        """
        self.build_rows(shapes.row_of_batch("input_shape", input_shape))

    def build_rows(self, row: Shape) -> None:
        """Make the weights for rows of this shape."""
        if self.built and row != self.input_row and self._weights:
            raise ValueError(f"layer {self.name!r} has weights for rows of shape {self.input_row}, but now gets {row}; make a new layer")
        weights = self._weights if self.built else self.make_weights(row)
        self.input_row, self.output_row, self._weights = row, self.row_after(row), weights
        for weight in weights:
            weight.layer = weakref.ref(self)

    def check_in_model(self) -> None:
        """Refuse to be put into a model, where a layer is called on arrays alone."""

    def before_building(self) -> Any:
        """What :meth:`undo_building` needs to leave the layer as it is now."""
        return self.input_row, self.output_row, self._weights

    def undo_building(self, before: Any) -> None:
        """Leave the layer as it was, after it was built for a model or for data that turned out wrong."""
        self.input_row, self.output_row, self._weights = before

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        """The weights for rows of this shape; most layers have none."""
        return []

    def new_weight(self, name: str, shape: Shape, initializer: Initializer, *, flat: bool = False) -> Weight:
        """A weight that is trained, with the penalty and the constraint this layer has for it."""
        rules = (getattr(self, f"{name}_{rule}", None) for rule in _RULES)
        return Weight(self.name, name, shape, initializer, *rules, flat=flat)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of what the layer gives for data of this shape, both with the batch axis in front.

        Example:

        >>> from fastmlp import layers
        >>> layers.Dense(10).compute_output_shape((None, 784))
        (None, 10)
        """
        row = self.row_after(shapes.row_of_batch("input_shape", input_shape))
        return (*input_shape[:1], *row) if len(input_shape) > 1 else row

    def row_after(self, input_shape: Shape) -> Shape:
        """The shape of a row after the layer."""
        return input_shape

    def _change_setting(self, name: str, value: Any) -> None:
        before, after, changed = settings.changed_by(self, name, value)
        if (self.built or self._weights) and changed:
            row = self.input_row or ()
            new = after.make_weights(row) if self._weights else []
            if [(one.name, one.shape) for one in new] != [(one.name, one.shape) for one in self._weights] or (
                self.built and before.row_after(row) != after.row_after(row)
            ):
                raise AttributeError(
                    f"{name} of layer {self.name!r} can't become {value!r}: the layer is built, and its weights or what it gives would "
                    f"have other shapes; make a new layer, {type(self).__name__}({name}={value!r}, ...), and a model of it"
                )
            changed["_rules"] = [other.rules for other in new]
        self._take_effect(changed)

    def _take_effect(self, changes: dict[str, Any], *, freezing: bool = False) -> None:
        """Change attributes here and in the models that the layer is part of; all or nothing."""
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
    def minds_training(self) -> bool:
        """Whether training makes a difference to what the layer gives, as it does for dropout."""
        return False

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        """The steps the engines run, first to last, where rows of ``input_shape`` come in."""
        return ()

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """The names of the layer's arrays with their shapes, in the order of :meth:`get_weights`; nothing is copied or drawn."""
        return {weight.name: weight.shape for weight in self._weights}

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the layer's arrays: ``[kernel, bias]`` for Dense, ``[]`` before the layer is built."""
        return [weight.read() for weight in self._weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace the layer's arrays by others of the same shapes."""
        if not self.built:
            raise ValueError(
                f"layer {self.name!r} has no weights yet: it does not know its input shape; give input_shape=, or build the model"
            )
        assign_all(self._weights, weights, f"layer {self.name!r}")

    def count_params(self) -> int:
        """The number of elements in all weights."""
        if not self.built and not self.weightless:
            raise ValueError(f"layer {self.name!r} does not know its input shape yet; give input_shape=, or build the model")
        return sum(weight.size for weight in self._weights)

    def count_trainable(self) -> int:
        """The number of elements in the weights that the optimizer moves."""
        return sum(weight.size for weight in self._weights if self.trains(weight))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name} | ({} if self.trainable else {"trainable": False}) | super().get_config()

    def require_vector(self, input_shape: Shape) -> int:
        """The columns of rows that are vectors; an error where they are not."""
        if len(input_shape) != 1:
            raise ValueError(
                f"layer {self.name!r} takes rows that are vectors, but gets rows of shape {input_shape}; put a Flatten() before it"
            )
        return input_shape[0]

    def require_columns(self, input_shape: Shape) -> int:
        """The columns along the last axis of rows; an error where there is none."""
        if not input_shape:
            raise ValueError(f"layer {self.name!r} takes rows with columns, but gets single numbers; put a Reshape((1,)) before it")
        return input_shape[-1]

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """What the layer gives for a tensor of ``Input`` or of another layer, to build a model from: ``Model(inputs, outputs)``.

        A layer may be called several times; it has its weights once. For an array it is computed at once; then ``training=True`` switches
        dropout on, and takes the statistics of these rows.

        Example:

        >>> import numpy as np
        >>> from fastmlp import layers
        >>> layers.ReLU()(np.array([[-1.0, 2.0]]))
        array([[0., 2.]], dtype=float32)
        """
        if symbolic.holds_any_tensor(inputs):
            return symbolic.apply(self, inputs, options)
        return compute(self, inputs, **options)

    def connect(self, rows: Sequence[Shape]) -> tuple[Shape, ...]:
        """Build the layer for tensors whose rows have these shapes; the shapes of what it gives."""
        if len(rows) != 1:
            raise ValueError(f"layer {self.name!r} takes one tensor, got {len(rows)}; merge them first, for example with Concatenate")
        self.build_rows(rows[0])
        return (self.row_after(rows[0]),)

    def in_order(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Tensors from a dict."""
        return list(inputs.values())

    def chains(self) -> list[Any]:
        """The built ``Sequential`` models the layer is part of."""
        return [model for model in self._chains if model.built]

    def arrange_outputs(self, outputs: Sequence[Any]) -> Any:
        """What a call returns: a layer has one output."""
        return outputs[0]

    def __reduce__(self) -> tuple[Any, ...]:
        with custom_objects.collecting() as found:
            config = self.get_config()
        state = {"rows": (self.input_row, self.output_row), "weights": self.get_weights(), "custom_objects": found}
        return _unpickle, (type(self), config, state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class LayerWeight:
    """Stands in a class of layers for a weight of this name: the weight once the layer is built, None where it was made without it."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, layer: Layer | None, owner: type | None = None) -> Any:
        if layer is None:
            return self
        if not layer.built and not layer._weights:
            raise AttributeError(
                f"layer {layer.name!r} has no {self._name} yet: it does not know its input shape; give input_shape=, or build the model"
            )
        return next((weight for weight in layer._weights if weight.name == self._name), None)

    def __set__(self, layer: Layer, value: Any) -> None:
        raise AttributeError(f"the {self._name} of layer {layer.name!r} is a variable; change it with layer.{self._name}.assign(value)")


def _unpickle(cls: type[Layer], config: dict[str, Any], state: dict[str, Any]) -> Layer:
    """What pickle and copy.deepcopy make a layer from: one of the same name with weights of the same values, in no model."""
    with custom_objects.CustomObjectScope(state["custom_objects"]):
        layer = cls.from_config(config)
    if state["weights"]:
        layer.build_rows(state["rows"][0])
        layer.set_weights(state["weights"])
    layer.input_row, layer.output_row = state["rows"]
    return layer


def assign_all(targets: Sequence[Weight], values: Any, owner: str) -> None:
    """Set all of ``targets``, or none if any value does not fit."""
    if values is None or isinstance(values, (str, bytes, Mapping)) or not np.iterable(values):
        raise TypeError(f"{owner} takes a list of {len(targets)} arrays, as get_weights() returns it, got {values!r:.80}")
    values = list(values)
    if len(values) != len(targets):
        wanted = ", ".join(f"{weight.name} {weight.shape}" for weight in targets[:6]) + (", ..." if len(targets) > 6 else "")
        raise ValueError(f"{owner} has {len(targets)} arrays ({wanted}), got {len(values)}")
    for weight, value in zip(targets, [weight.check(value) for weight, value in zip(targets, values, strict=True)], strict=True):
        weight.store(value)
