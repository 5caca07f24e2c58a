"""Layers: what a :class:`~fastmlp.models.Sequential` model is made of.

A layer checks its arguments, knows the shape it gives, owns its weights and says in :meth:`Layer.operations` which steps the engines have
to run. It computes nothing itself.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastmlp import activations, checks, constraints, initializers, naming, regularizers, shapes
from fastmlp.activations import Activation as ActivationFunction
from fastmlp.errors import UnsupportedError
from fastmlp.initializers import Initializer
from fastmlp.registry import Configurable, Registry
from fastmlp.shapes import Shape
from fastmlp.weights import Weight

__all__ = ["ELU", "Activation", "Dense", "Dropout", "Flatten", "Input", "InputLayer", "Layer", "LeakyReLU", "ReLU", "Softmax"]

_FREEZE = "every layer is trained; to keep weights fixed, train the layers that follow on predict's output"
_UNSUPPORTED = {
    "activity_regularizer": "use kernel_regularizer and bias_regularizer, or Dropout",
    "kernel_regularizer": "only Dense has it",
    "bias_regularizer": "only Dense has it",
    "kernel_constraint": "only Dense has it",
    "bias_constraint": "only Dense has it",
    "lora_rank": "train all weights",
    "lora_alpha": "train all weights",
    "quantization_config": "weights are float32",
    "noise_shape": "every element is dropped independently",
    "autocast": "everything is float32",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One step a layer asks for: ``dense`` (with the layer's weights), ``activation`` or ``dropout``."""

    op: str
    activation: ActivationFunction = activations.linear
    rate: float = 0.0


class Layer(Configurable):
    """The base of all layers.

    Args:
        name: Unique in its model; made from the class where it is left out.
        input_shape: For the first layer of a model: the shape of one row, without the batch axis.
        input_dim: The same for rows that are vectors.
    """

    weightless: ClassVar[bool] = False
    """True where there is nothing to build, so that the layer has 0 parameters from the start."""

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        shape = shapes.pop_input_shape(options)
        if not options.pop("trainable", True):
            raise UnsupportedError(f"{type(self).__name__}(trainable=False) is not in fastmlp yet; {_FREEZE}")
        checks.float32_only(options.pop("dtype", None))
        checks.reject_unknown(type(self).__name__, options, _UNSUPPORTED)
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError(f"name must be a non-empty string, got {name!r}")
        self.name = name or naming.automatic(type(self).__name__)
        self.declared_shape: Shape | None = shape
        """The shape of a row as given to the constructor."""
        self.input_shape: Shape | None = None
        self.output_shape: Shape | None = None
        self._weights: list[Weight] = []
        self._owner: weakref.ref[Any] | None = None

    @property
    def built(self) -> bool:
        """True once the layer knows the shape of its input and so has its weights."""
        return self.input_shape is not None

    @property
    def trainable(self) -> bool:
        """Always true."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not value:
            raise UnsupportedError(f"freezing layers is not in fastmlp yet; {_FREEZE}")

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Make the weights for rows of ``input_shape``, given without the batch axis."""
        shape = tuple(checks.whole_number("a size in input_shape", size) for size in input_shape)
        if self.built:
            if shape != self.input_shape and self._weights:
                raise ValueError(
                    f"layer {self.name!r} has weights for rows of shape {self.input_shape}, but now gets {shape}; make a new layer"
                )
        else:
            self._weights = self.make_weights(shape)
        self.input_shape = shape
        self.output_shape = self.compute_output_shape(shape)

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        """The weights for rows of this shape; most layers have none."""
        return []

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of a row after the layer."""
        return input_shape

    def operations(self) -> tuple[Operation, ...]:
        """The steps the engines run for this layer, first to last."""
        return ()

    @property
    def weights(self) -> list[np.ndarray]:
        """Copies of the weights; the same as :meth:`get_weights`."""
        return self.get_weights()

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

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        raise UnsupportedError(
            "calling a layer builds functional models, which are not in fastmlp yet; use Sequential([layer, layer, ...])"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def assign_all(targets: Sequence[Weight], values: Any, owner: str) -> None:
    """Set all of ``targets``, or none if any value does not fit."""
    values = list(values)
    if len(values) != len(targets):
        wanted = ", ".join(f"{weight.name} {weight.shape}" for weight in targets[:6]) + (", ..." if len(targets) > 6 else "")
        raise ValueError(f"{owner} has {len(targets)} arrays ({wanted}), got {len(values)}")
    for weight, value in zip(targets, [weight.check(value) for weight, value in zip(targets, values, strict=True)], strict=True):
        weight.assign(value)


class InputLayer(Layer):
    """The shape of one row of the data; see :func:`Input`."""

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if batch_shape is not None:
            if shape is not None:
                raise ValueError("give shape or batch_shape, not both")
            shape = shapes.without_batch_axis("batch_shape", batch_shape)
        elif "input_shape" in options:
            shape = options.pop("input_shape")
        if shape is None:
            raise ValueError("Input needs shape=, the shape of one row: Input(shape=(784,))")
        if batch_size is not None:
            checks.whole_number("batch_size", batch_size)
        checks.reject_unknown(
            "Input", options, dict.fromkeys(("sparse", "ragged", "tensor", "input_tensor", "optional"), "inputs are dense arrays")
        )
        super().__init__(name=name, dtype=dtype)
        self.build(shapes.row_shape("shape", shape))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "batch_shape": [None, *(self.input_shape or ())]}


def Input(
    shape: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    *,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **options: Any,
) -> InputLayer:
    """Say at the head of a model what one row of the data looks like, so that the model is built at once.

    Args:
        shape: The shape of one row, without the batch axis: ``(784,)``, or ``(28, 28)`` before a Flatten.
        batch_size: Checked and not used: any number of rows may come.
        dtype: None or ``"float32"``.
        batch_shape: The shape with the batch axis in front: ``(None, 784)``.
        name: The layer's name.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input(shape=(3,)), layers.Dense(2)])
    >>> model.count_params()
    8
    """
    return InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name, **options)


class Dense(Layer):
    """``activation(x @ kernel + bias)``: every output sees every input.

    Args:
        units: The number of outputs.
        activation: A name (``"relu"``), an activation, a pair of functions (value, derivative), or None for linear; see
            :mod:`fastmlp.activations` for the list.
        use_bias: Whether a bias is added.
        kernel_initializer: For the kernel ``(inputs, units)``.
        bias_initializer: For the bias ``(units,)``.
        kernel_regularizer: What the kernel adds to the loss: ``"l2"``, ``regularizers.L2(1e-4)``, …
        bias_regularizer: The same for the bias.
        kernel_constraint: What the kernel is brought back to after each update: ``"non_neg"``, ``constraints.MaxNorm(3)``, …
        bias_constraint: The same for the bias.

    Example:

    >>> from fastmlp import layers
    >>> layer = layers.Dense(4, activation="relu", input_shape=(3,))
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: None = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.units = checks.whole_number("units", units)
        self.activation = activations.get(activation)
        self.use_bias = checks.flag("use_bias", use_bias)
        self.kernel_initializer: Initializer = initializers.get(kernel_initializer)
        self.bias_initializer: Initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        if len(input_shape) != 1:
            raise ValueError(
                f"layer {self.name!r} takes rows that are vectors, but gets rows of shape {input_shape}; put a Flatten() before it"
            )
        shape = (input_shape[0], self.units)
        weights = [Weight(self.name, "kernel", shape, self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint)]
        if self.use_bias:
            weights.append(Weight(self.name, "bias", shape[1:], self.bias_initializer, self.bias_regularizer, self.bias_constraint))
        return weights

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (self.units,)

    def operations(self) -> tuple[Operation, ...]:
        return Operation("dense"), Operation("activation", self.activation)

    @property
    def kernel(self) -> np.ndarray:
        """A copy of the kernel ``(inputs, units)``."""
        return self._weight(0)

    @property
    def bias(self) -> np.ndarray | None:
        """A copy of the bias ``(units,)``, None without one."""
        return self._weight(1) if self.use_bias else None

    def _weight(self, index: int) -> np.ndarray:
        if not self.built:
            raise ValueError(
                f"layer {self.name!r} has no weights yet: it does not know its input shape; give input_shape=, or build the model"
            )
        return self._weights[index].read()

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.registry.serialize(self.kernel_initializer),
            "bias_initializer": initializers.registry.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


class _ActivationLayer(Layer):
    """A layer that only applies ``self.activation``."""

    weightless = True
    activation: ActivationFunction

    def operations(self) -> tuple[Operation, ...]:
        return (Operation("activation", self.activation),)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not self.activation.elementwise and len(input_shape) != 1:
            raise ValueError(
                f"layer {self.name!r} takes rows that are vectors, but gets rows of shape {input_shape}; put a Flatten() before it"
            )
        return input_shape


class Activation(_ActivationLayer):
    """An activation function as a layer of its own.

    Args:
        activation: A name (``"sigmoid"``), an activation, or a pair of functions (value, derivative); see :mod:`fastmlp.activations`.
    """

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "activation": activations.serialize(self.activation)}


class ReLU(_ActivationLayer):
    """``min(x, max_value)`` where x is above the threshold, ``negative_slope * (x - threshold)`` elsewhere; by default ``max(x, 0)``.

    Args:
        max_value: The largest output, at least 0; None for no limit.
        negative_slope: Slope up to the threshold, at least 0.
        threshold: Where the input begins to pass, at least 0.
    """

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.max_value = None if max_value is None else checks.number("max_value", max_value, 0.0)
        self.negative_slope = checks.number("negative_slope", negative_slope, 0.0)
        self.threshold = checks.number("threshold", threshold, 0.0)
        config = {"negative_slope": self.negative_slope, "max_value": self.max_value, "threshold": self.threshold}
        self.activation = activations.make("relu", **config)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}


class LeakyReLU(_ActivationLayer):
    """``x`` for x ≥ 0, ``negative_slope * x`` below.

    Args:
        negative_slope: Slope for negative input, 0.3 unless told (the name ``"leaky_relu"`` means 0.2). ``alpha=`` is accepted as well.
    """

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        self.negative_slope = checks.number("negative_slope", negative_slope, 0.0)
        self.activation = ActivationFunction("leaky_relu", self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "negative_slope": self.negative_slope}


class ELU(_ActivationLayer):
    """``x`` for x > 0, ``alpha * (exp(x) - 1)`` below (Clevert et al. 2016, "Fast and accurate deep network learning by ELUs").

    Args:
        alpha: How far below 0 the output may go, at least 0.
    """

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.make("elu", alpha=alpha)
        self.alpha = self.activation.alpha

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "alpha": self.alpha}


class Softmax(_ActivationLayer):
    """``exp(x) / sum(exp(x))`` over the columns of each row.

    Args:
        axis: -1; the only axis of a row.
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        if axis not in (-1, 1):
            raise UnsupportedError(f"Softmax(axis={axis!r}) is not in fastmlp yet; rows are vectors, so the axis is -1")
        self.activation = activations.softmax

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Dropout(Layer):
    """While training, set a random fraction of the inputs to 0 and scale the others up, so that their sum stays the same on average.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    Args:
        rate: The fraction to set to 0, from 0 up to but not including 1.
        seed: Not used: the model's seed decides, so that a resumed run drops the same elements.
    """

    weightless = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(noise_shape=noise_shape, **options)
        self.rate = checks.number("rate", rate, 0.0, 1.0, open_high=True)
        self.seed = None if seed is None else checks.whole_number("seed", seed, 0)

    def operations(self) -> tuple[Operation, ...]:
        return (Operation("dropout", rate=self.rate),) if self.rate else ()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "rate": self.rate, "seed": self.seed}


class Flatten(Layer):
    """Turn rows of any shape into vectors: ``(28, 28)`` becomes ``(784,)``. It costs nothing."""

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last"):
            raise UnsupportedError(f"Flatten(data_format={data_format!r}) is not in fastmlp yet; transpose the data to channels last")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


registry: Registry[Layer] = Registry(
    "layer",
    Layer,
    (InputLayer, Dense, Activation, Dropout, Flatten, ELU, ReLU, LeakyReLU, Softmax),
    elsewhere=dict.fromkeys(("Conv2D", "LSTM", "BatchNormalization", "Embedding"), "networks are made of Dense layers"),
)
