"""Activation functions, by name or as an object: ``Dense(8, activation="relu")`` is the same as ``Dense(8, activation=activations.relu)``.

==================  ==========================================================  ======================================
name                f(z)                                                        arguments and their defaults
==================  ==========================================================  ======================================
``linear``          z
``relu``            max(z, 0); in general min(z, max_value) where               ``negative_slope=0.0, max_value=None,
                    z > threshold, else negative_slope · (z − threshold)        threshold=0.0``
``relu6``           min(max(z, 0), 6)
``leaky_relu``      z where z > 0, else negative_slope · z                      ``negative_slope=0.2``
``elu``             z where z > 0, else alpha · (eᶻ − 1)                        ``alpha=1.0``
``selu``            1.0507 · elu(z) with alpha 1.6733
``celu``            z where z > 0, else alpha · (e^(z/alpha) − 1)               ``alpha=1.0``
``gelu``            z · Φ(z), Φ the normal distribution function; approximate:  ``approximate=False``
                    ½z · (1 + tanh(√(2/π) · (z + 0.044715 · z³)))
``silu``            z · sigmoid(z); also ``swish``
``mish``            z · tanh(softplus(z))
``softplus``        log(1 + eᶻ)
``softsign``        z / (1 + abs(z))
``sigmoid``         1 / (1 + e⁻ᶻ)
``log_sigmoid``     log(sigmoid(z))
``hard_sigmoid``    min(max(z/6 + ½, 0), 1)
``hard_silu``       z · hard_sigmoid(z); also ``hard_swish``
``tanh``            tanh(z)
``hard_tanh``       min(max(z, −1), 1)
``exponential``     eᶻ
``hard_shrink``     z where abs(z) > threshold, else 0                          ``threshold=0.5``
``soft_shrink``     sign(z) · max(abs(z) − threshold, 0)                        ``threshold=0.5``
``tanh_shrink``     z − tanh(z)
``threshold``       z where z > threshold, else default_value                   ``threshold, default_value``, both required
``squareplus``      ½(z + √(z² + b))                                            ``b=4``
``sparse_plus``     ¼(z + 1)² between −1 and 1, 0 below, z above
``sparse_sigmoid``  min(max(½(z + 1), 0), 1)
``softmax``         exp(zⱼ) / Σₖ exp(zₖ) over the features of a sample          ``axis=-1`` (of an array)
``log_softmax``     log(softmax(z))                                             ``axis=-1`` (of an array)
``sparsemax``       max(zⱼ − τ, 0), with the τ for which the sum is 1           ``axis=-1`` (of an array)
``glu``             zⱼ · sigmoid(zⱼ₊ₙ): of 2n features the second half gates    ``axis=-1`` (of an array)
                    the first, which leaves n features
==================  ==========================================================  ======================================

At a kink the derivative is the one from the left, and 0 where an upper limit begins. ``docs/activations.md`` plots all of them.

An :class:`Activation` names a function, which the engines compute as part of a network. Called on an array, it computes the function:

>>> from fastmlp import activations
>>> activations.relu([-2.0, 3.0, 8.0], max_value=6.0)
array([0., 3., 6.], dtype=float32)

A user-defined activation is a function of arrays, ``lambda z: z * ops.sigmoid(z)``, or a pair of functions, the value and its derivative;
see :func:`custom`.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base import checks, custom_objects, keras_names
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.custom_activation import Derivative, Value
from fastmlp._base.custom_objects import CustomObjectScope
from fastmlp._base.numeric import as_native
from fastmlp._engine import backends
from fastmlp._engine.spec import BackwardFunction, Function, Node, Plan
from fastmlp.errors import UnsupportedError

if TYPE_CHECKING:
    from fastmlp.ops._activation import RecordedActivation

__all__ = [
    "Activation",
    "celu",
    "custom",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "make",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]

_PROBE = object()
"""An activation called on this returns itself with the arguments of the call: how ``get`` reads ``lambda x: relu(x, max_value=6)``."""


class ActivationFields(TypedDict):
    """The fields of a :class:`~fastmlp._engine.spec.Node` that describe its activation."""

    activation: str
    alpha: float
    threshold: float
    max_value: float
    functions: tuple[Function, BackwardFunction] | None


@dataclass(frozen=True, slots=True, repr=False)
class Activation:
    """One activation function with its constants. Users get one by its name in this module, by :func:`get` or by :func:`make`.

    Args:
        kind: The engines' name for it: a name of the table above, ``gelu_tanh``, ``general_relu`` or ``custom``.
        alpha: The negative slope of ``leaky_relu`` and ``general_relu``, alpha of ``elu`` and ``celu``, b of ``squareplus``,
            default_value of ``threshold``.
        threshold: The threshold of ``general_relu``, ``hard_shrink``, ``soft_shrink`` and ``threshold``.
        max_value: The maximum of ``general_relu``.
        functions: Of a ``custom`` activation: its value, and from z and the gradient of the value the gradient by z.

    Example:

    >>> from fastmlp import activations
    >>> activations.relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    kind: str
    alpha: float = 0.0
    threshold: float = 0.0
    max_value: float = math.inf
    functions: tuple[Function, BackwardFunction] | None = None

    @property
    def elementwise(self) -> bool:
        """False for softmax, log_softmax, sparsemax, glu, and user-defined functions whose outputs depend on all features of a sample."""
        recorded = self._recorded
        return not recorded.rowwise if recorded is not None else self.kind not in backends.module("native").ROWWISE_ACTIVATIONS

    def width(self, features: int) -> int:
        """The number of output features for this number of input features.

        Raises:
            ValueError: ``glu`` gets an odd number of features.
        """
        recorded = self._recorded
        if recorded is not None:
            recorded.prepare(features)
        if self.kind != "glu":
            return features
        if features % 2:
            raise ValueError(f"glu splits the features into two halves, so their number must be even, got {features}")
        return features // 2

    @property
    def _recorded(self) -> RecordedActivation | None:
        """The user-defined function, if fastmlp found its derivative."""
        owner = getattr(self.functions[0], "__self__", None) if self.functions is not None else None
        return owner if owner is not None and hasattr(owner, "documents") else None

    def fields(self) -> ActivationFields:
        """The fields of a :class:`~fastmlp._engine.spec.Node` that computes the function."""
        return {
            "activation": self.kind,
            "alpha": self.alpha,
            "threshold": self.threshold,
            "max_value": self.max_value,
            "functions": self.functions,
        }

    def __call__(self, x: ArrayLike, *arguments: Any, **options: Any) -> NDArray[np.float32]:
        """The function of each element of an array; softmax, log_softmax, sparsemax and glu are computed along an axis.

        Args:
            x: Real numbers of any shape.
            arguments: The function's arguments in the order of the table above; by default those of this object.
            options: The same by name: ``activations.gelu(x, approximate=True)``.

        Returns:
            A float32 array of the shape of ``x``; glu halves its axis.

        Raises:
            TypeError: ``x`` does not hold real numbers, or the function has no such argument.
            ValueError: An argument is out of range.
        """
        axis = -1
        if not self.elementwise:
            axis = _only_axis(*arguments, **options)
        elif arguments or options or self == threshold:
            return make(_NAME_OF.get(self.kind, self.kind), *arguments, **options)(x)
        if getattr(x, "is_symbolic", False):
            return cast("NDArray[np.float32]", self._applied(x, axis))
        if x is _PROBE:
            return cast("NDArray[np.float32]", self)  # _read, which passed the probe, knows
        array = np.asarray(x)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"x must hold real numbers, got dtype {array.dtype}")
        array = as_native(array, np.float32)
        rows = np.moveaxis(array, axis, -1) if not self.elementwise else array.reshape(1, -1)
        if rows.size == 0:
            return array
        if self.functions is not None:
            return self.functions[0](array) if self.elementwise else np.moveaxis(self.functions[0](rows), -1, axis)
        features = rows.shape[-1]
        outputs = self.width(features)
        network = backends.module("native").Network(Plan((features, outputs), (Node("activation", (0,), 1, **self.fields()),), (), 1))
        result = network.predict(as_native(rows, np.float32).reshape(-1, features)).reshape(*rows.shape[:-1], outputs)
        return result.reshape(array.shape) if self.elementwise else np.moveaxis(result, -1, axis)

    def _applied(self, x: Any, axis: int) -> Any:
        """The function of a symbolic value."""
        from fastmlp.ops.activations import applied

        recorded = self._recorded
        if recorded is not None and recorded.function is not None:
            return recorded.function(x)
        return applied(self.kind, x, axis, self.alpha, self.threshold, self.max_value)

    def __repr__(self) -> str:
        changed = (field for field in dataclasses.fields(self) if field.name == "kind" or getattr(self, field.name) != field.default)
        return f"Activation({', '.join(f'{field.name}={getattr(self, field.name)!r}' for field in changed)})"


# Activations with arguments, by the names users know


def _relu(negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Activation:
    slope = checks.check_float("negative_slope", negative_slope, 0.0)
    minimum = checks.check_float("threshold", threshold, 0.0)
    maximum = math.inf if max_value is None else checks.check_float("max_value", max_value, 0.0)
    if minimum == 0 and maximum == math.inf:
        return Activation("leaky_relu", slope) if slope else relu
    if (slope, minimum, maximum) == (0, 0, 6):
        return relu6
    return Activation("general_relu", slope, minimum, maximum)


def _leaky_relu(negative_slope: float = 0.2) -> Activation:
    return Activation("leaky_relu", checks.check_float("negative_slope", negative_slope, 0.0))


def _elu(alpha: float = 1.0) -> Activation:
    return Activation("elu", checks.check_float("alpha", alpha, 0.0))


def _celu(alpha: float = 1.0) -> Activation:
    if checks.check_float("alpha", alpha, 0.0) == 0:
        raise ValueError("alpha of celu must be greater than 0, because celu divides by it")
    return Activation("celu", float(alpha))


def _gelu(approximate: bool = False) -> Activation:
    return Activation("gelu_tanh" if checks.check_bool("approximate", approximate) else "gelu")


def _hard_shrink(threshold: float = 0.5) -> Activation:
    return Activation("hard_shrink", threshold=checks.check_float("threshold", threshold, 0.0))


def _soft_shrink(threshold: float = 0.5) -> Activation:
    return Activation("soft_shrink", threshold=checks.check_float("threshold", threshold, 0.0))


def _threshold(threshold: float, default_value: float) -> Activation:
    return Activation("threshold", checks.check_float("default_value", default_value), checks.check_float("threshold", threshold))


def _squareplus(b: float = 4) -> Activation:
    return Activation("squareplus", checks.check_float("b", b, 0.0))


def _only_axis(axis: int = -1) -> int:
    return axis


_MAKERS: dict[str, Callable[..., Activation]] = {
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "soft_shrink": _soft_shrink,
    "threshold": _threshold,
    "squareplus": _squareplus,
}
_FIELD_OF = {"negative_slope": "alpha", "default_value": "alpha", "b": "alpha"}
"""Arguments that an :class:`Activation` stores in a field of another name."""
_NAME_OF = {"general_relu": "relu", "gelu_tanh": "gelu"}

linear = Activation("linear")
relu = Activation("relu")
relu6 = Activation("relu6")
leaky_relu = Activation("leaky_relu", 0.2)
elu = Activation("elu", 1.0)
selu = Activation("selu")
celu = Activation("celu", 1.0)
gelu = Activation("gelu")
silu = swish = Activation("silu")
mish = Activation("mish")
softplus = Activation("softplus")
softsign = Activation("softsign")
sigmoid = Activation("sigmoid")
log_sigmoid = Activation("log_sigmoid")
hard_sigmoid = Activation("hard_sigmoid")
hard_silu = hard_swish = Activation("hard_silu")
tanh = Activation("tanh")
hard_tanh = Activation("hard_tanh")
exponential = Activation("exponential")
hard_shrink = Activation("hard_shrink", threshold=0.5)
soft_shrink = Activation("soft_shrink", threshold=0.5)
tanh_shrink = Activation("tanh_shrink")
threshold = Activation("threshold", threshold=math.inf)
"""Without its arguments it is no activation: :func:`get` refuses it."""
squareplus = Activation("squareplus", 4.0)
sparse_plus = Activation("sparse_plus")
sparse_sigmoid = Activation("sparse_sigmoid")
softmax = Activation("softmax")
log_softmax = Activation("log_softmax")
sparsemax = Activation("sparsemax")
glu = Activation("glu")

_LISTED = (
    *(linear, relu, relu6, leaky_relu, elu, selu, celu, gelu, silu, mish, softplus, softsign, sigmoid, log_sigmoid),
    *(hard_sigmoid, hard_silu, tanh, hard_tanh, exponential, hard_shrink, soft_shrink, tanh_shrink, squareplus, sparse_plus),
    *(sparse_sigmoid, softmax, log_softmax, sparsemax, glu),
)
_BY_NAME = {activation.kind: activation for activation in _LISTED}
_ALIASES = {"swish": silu, "hard_swish": hard_silu}


def make(name: str, *arguments: Any, **options: Any) -> Activation:
    """The activation of this name with arguments from the table above.

    Raises:
        TypeError: The activation has no such argument.
        ValueError: An argument is out of range.

    Example:

    >>> from fastmlp import activations
    >>> activations.make("elu", alpha=0.5)
    Activation(kind='elu', alpha=0.5)
    """
    maker = _MAKERS.get(name)
    if maker is None:
        raise TypeError(f"{name} has no arguments other than x")
    try:
        inspect.signature(maker).bind(*arguments, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}; its arguments are {_argument_names(maker)}") from None
    return maker(*arguments, **options)


ArrayFunction: TypeAlias = Callable[[NDArray[np.float32]], ArrayLike]
"""From an array to an array of the same shape, element by element."""


def custom(value: ArrayFunction, derivative: ArrayFunction) -> Activation:
    """An activation from two user-defined functions; ``Dense(8, activation=(value, derivative))`` is short for it.

    Where ``value`` uses only what :mod:`fastmlp.ops` can record, pass it alone, ``Dense(8, activation=value)``: fastmlp finds the
    derivative, and files hold the function as a program.

    The native engine can't call Python, so a model with such an activation runs on the reference engine, in NumPy, whatever engine
    ``compile`` selects; for small layers this is about six times slower. Each function is called once per batch. Such a model can't be
    saved with the functions, because files never contain code.

    Args:
        value: Returns f(z), element by element, for a float32 array z of any shape, and does not modify z.
        derivative: Returns f'(z) in the same way. On its first use it is compared with finite differences of ``value``.

    Raises:
        TypeError: One of the two is not a function.
        ValueError: On first use: a result has a shape other than that of z, or the derivative does not match the value.

    Example:

    >>> import numpy as np
    >>> from fastmlp import activations, layers
    >>> bent = activations.custom(lambda z: np.arctan(z), lambda z: 1 / (1 + z * z))
    >>> layer = layers.Dense(8, activation=bent)
    """
    for name, function in (("value", value), ("derivative", derivative)):
        if not callable(function):
            raise TypeError(f"{name} must be a function of an array, got {function!r}")
    checked = Value(value)
    return Activation("custom", functions=(checked, Derivative(checked, derivative).backward))


class ActivationLayer(Protocol):
    """A layer that applies an activation, such as ``LeakyReLU(0.1)``, in the place of the activation."""

    @property
    def activation(self) -> Activation: ...


ActivationLike: TypeAlias = (
    str | Activation | ActivationLayer | tuple[ArrayFunction, ArrayFunction] | Callable[[Any], Any] | StoredConfig | None
)
"""What :func:`get` accepts."""


def get(identifier: ActivationLike) -> Activation:
    """The activation that an argument such as ``activation`` refers to.

    Args:
        identifier: A name, None (linear), an :class:`Activation`, an activation layer, a configuration, a pair of functions (see
            :func:`custom`), a function that only calls an activation, ``lambda x: activations.relu(x, max_value=6)``, or any other function
            of arrays, which is recorded and differentiated, and runs on the reference engine: ``lambda x: x * ops.sigmoid(x)``.

    Raises:
        ValueError: Nothing has this name.
        TypeError: It is none of these.

    Example:

    >>> from fastmlp import activations
    >>> activations.get("leaky_relu")
    Activation(kind='leaky_relu', alpha=0.2)
    """
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return _named("threshold") if identifier == threshold else identifier
    if isinstance(identifier, str):
        return _named(identifier)
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, tuple) and len(identifier) == 2:
        return custom(*identifier)
    of_layer = getattr(identifier, "activation", None)  # Dense(8, activation=LeakyReLU(0.1))
    if isinstance(of_layer, Activation):
        return of_layer
    if callable(identifier):
        return _read(identifier)
    raise TypeError(
        f"activation must be one of {', '.join(_BY_NAME)}, a function of arrays, or a pair of functions (value, derivative), "
        f"got {identifier!r}"
    )


def _named(name: str) -> Activation:
    custom = custom_objects.find(name)
    if custom is not None:
        return get(custom)
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in _ALIASES:
        return _ALIASES[name]
    if name == "threshold":
        raise TypeError(
            "threshold has two required arguments; use activation=lambda x: activations.threshold(x, threshold=1.0, default_value=0.0)"
        )
    advice = keras_names.advice("activations", name)
    if advice:
        raise UnsupportedError(f"the activation {name!r} is not in fastmlp; {advice}")
    if of_file := custom_objects.missing("activation", name):
        raise ValueError(of_file)
    raise ValueError(f"unknown activation {name!r}; there are {', '.join(_BY_NAME)}")


def _read(function: Callable[[Any], Any]) -> Activation:
    """The activation that a user-defined function does nothing but call, or the function itself, recorded."""
    try:
        result = function(_PROBE)
    except Exception:  # a function that computes something itself can't do so with the probe
        result = None
    if isinstance(result, Activation):
        return result
    from fastmlp.ops._activation import RecordedActivation

    return _of_recorded(RecordedActivation(function, getattr(function, "__name__", type(function).__name__)))


def _of_recorded(recorded: RecordedActivation) -> Activation:
    return Activation("custom", functions=(recorded.value, recorded.backward))


def serialize(activation: Activation) -> str | Config:
    """The activation's name, or its name and arguments where these differ from the defaults."""
    recorded = activation._recorded
    if recorded is not None and (programs := recorded.documents()):
        name = recorded.name if recorded.function is None else custom_objects.get_registered_name(recorded.function)
        return {"class": custom_objects.FUNCTION, "config": {"name": name}, "programs": programs}
    if recorded is not None:
        return custom_objects.describe_function(recorded.function, recorded.name)
    if activation.functions is not None:
        value = activation.functions[0]
        return custom_objects.describe_function(activation, getattr(value, "name", None))
    name = _NAME_OF.get(activation.kind, activation.kind)
    if _BY_NAME.get(name) == activation:
        return name
    config: Config
    if name == "gelu":
        config = {"approximate": True}
    else:
        config = {
            argument: getattr(activation, _FIELD_OF.get(argument, argument)) for argument in inspect.signature(_MAKERS[name]).parameters
        }
    if config.get("max_value") == math.inf:
        config["max_value"] = None
    return {"class": name, "config": config}


def deserialize(config: str | StoredConfig, custom_objects: Mapping[str, object] | None = None) -> Activation:
    """The activation that :func:`serialize` described.

    Args:
        config: The return value of :func:`serialize`.
        custom_objects: User-defined activations by name, as pairs of functions.

    Raises:
        ValueError: The configuration is malformed, or names an unknown activation.
    """
    with CustomObjectScope(custom_objects):
        return _deserialize(config)


def _deserialize(data: str | StoredConfig) -> Activation:
    if not isinstance(data, Mapping):
        return get(data)
    name, config = data.get("class"), data.get("config")
    if name == custom_objects.FUNCTION and isinstance(config, Mapping):
        own_name = config.get("name")
        if "programs" in data and isinstance(own_name, str) and custom_objects.find(own_name) is None:
            from fastmlp.ops._activation import RecordedActivation

            return _of_recorded(RecordedActivation.read(own_name, data["programs"]))
        return get(custom_objects.named_function("activation", config))
    maker = _MAKERS.get(name) if isinstance(name, str) else None
    if maker is None or not isinstance(config, Mapping) or set(config) != set(inspect.signature(maker).parameters):
        raise ValueError(f"the configuration of an activation is not valid, got {data!r:.200}")
    return maker(**config)


def _argument_names(maker: Callable[..., Any]) -> str:
    return ", ".join(inspect.signature(maker).parameters)


def __getattr__(name: str) -> object:
    return keras_names.missing("activations", name)
