"""Initializers: the values that weights have before training.

Every initializer draws from a NumPy ``Generator``, seeded by its own ``seed`` or else by the process's random stream, which
``utils.set_random_seed`` makes reproducible.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastmlp._base import checks, keras_names, seeding
from fastmlp._base.arguments import Choice, Converted, Integer, Real
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import quiet
from fastmlp._base.registry import Configurable, Registry
from fastmlp._base.shapes import Shape

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "get",
]


class Initializer(Configurable):
    """The base class of all initializers.

    A subclass implements :meth:`draw`, or ``__call__(shape, dtype=None)`` as Keras' initializers do.

    Args:
        seed: An integer ≥ 0 makes every call return the same values. By default each call draws new ones from the process's random stream.

    Example:

    >>> from fastmlp import initializers
    >>> initializers.GlorotUniform(seed=1)((784, 512)).shape
    (784, 512)
    """

    seed = Integer(0, optional=True)

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: int | Sequence[int], dtype: DTypeLike | None = None) -> NDArray[np.float32]:
        """Initial values for an array of this shape.

        Args:
            shape: The shape, ``(inputs, units)`` for a kernel.
            dtype: None or float32.

        Returns:
            A float32 array of shape ``shape``.

        Raises:
            TypeError: The shape is not a tuple of integers, or ``dtype`` is not float32.
            ValueError: A size is negative, or the initializer does not support arrays of this shape.
        """
        if dtype is not None and np.dtype(dtype) != np.float32:
            raise TypeError(f"initializers return float32 arrays, not {np.dtype(dtype)}")
        return self.sample(_sizes(shape), seeding.draw_seed)

    def sample(self, shape: Shape, draw_seed: Callable[[], int]) -> NDArray[np.float32]:
        """Values for ``shape``; ``draw_seed()`` returns the seed to use when the initializer has none of its own."""
        if type(self).__call__ is not Initializer.__call__:  # a user-defined class that implements __call__, as Keras' do
            return _call(self, shape)
        seed = self.seed if self.seed is not None else draw_seed()
        with quiet():
            return self.draw(shape, np.random.Generator(np.random.PCG64(seed))).astype(np.float32, copy=False)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.floating]:
        """Values for ``shape``, drawn from ``generator``."""
        raise NotImplementedError(f"{type(self).__name__} must have a method draw(shape, generator) that returns an array of this shape")


def _finite(value: ArrayLike) -> float | NDArray[np.float64]:
    """The value of a Constant: a finite number, or an array of finite numbers."""
    if np.ndim(value) == 0:
        return checks.check_float("value", value)
    try:
        array: NDArray[np.float64] = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"value must be a number or an array of numbers, got {value!r:.80}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"value must be finite, got {value!r:.80}")
    return array


def _sizes(shape: object) -> Shape:
    if isinstance(shape, int):
        return (checks.check_int("a size in shape", shape, 0),)
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise TypeError(f"shape must be a tuple of integers such as (784, 10), got {shape!r}")
    return tuple(checks.check_int("a size in shape", size, 0) for size in shape)


class Constant(Initializer):
    """Every element is ``value``.

    Args:
        value: A number, or an array of the weights' shape or one that broadcasts to it.
    """

    value = Converted(_finite, lambda value: value if isinstance(value, float) else value.tolist())

    def __init__(self, value: ArrayLike = 0.0) -> None:
        super().__init__()
        self.value = value

    def sample(self, shape: Shape, draw_seed: Callable[[], int]) -> NDArray[np.float32]:
        try:
            return np.array(np.broadcast_to(np.asarray(self.value, np.float32), shape))
        except ValueError:
            raise ValueError(
                f"the value of Constant has shape {np.shape(self.value)}, which can't be broadcast to weights of shape {shape}"
            ) from None


class Zeros(Constant):
    """Every element is 0."""

    aliases = ("zero",)

    def __init__(self) -> None:
        super().__init__(0.0)

    def sample(self, shape: Shape, draw_seed: Callable[[], int]) -> NDArray[np.float32]:
        return np.zeros(shape, np.float32)


class Ones(Constant):
    """Every element is 1."""

    aliases = ("one",)

    def __init__(self) -> None:
        super().__init__(1.0)


class RandomNormal(Initializer):
    """Normally distributed values.

    Args:
        mean: Mean of the distribution.
        stddev: Standard deviation, ≥ 0.
        seed: See :class:`Initializer`.
    """

    aliases = ("normal",)

    mean = Real()
    stddev = Real(0)

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.floating]:
        return generator.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normally distributed values; those more than two standard deviations from the mean are drawn again.

    Args:
        mean: Mean of the distribution before it is truncated.
        stddev: Its standard deviation before it is truncated, ≥ 0.
        seed: See :class:`Initializer`.
    """

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.floating]:
        return self.mean + self.stddev * draw_truncated(shape, generator)


class RandomUniform(Initializer):
    """Uniformly distributed values.

    Args:
        minval: The minimum.
        maxval: The maximum, ≥ ``minval``.
        seed: See :class:`Initializer`.
    """

    aliases = ("uniform",)

    minval = Real()
    maxval = Real()

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval
        checks.check_float("maxval", maxval, self.minval)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.floating]:
        return generator.uniform(self.minval, self.maxval, shape)


class VarianceScaling(Initializer):
    """Random values with mean 0 and variance ``scale / n``, where n is the number of inputs, of outputs, or the mean of both.

    Args:
        scale: Factor of the variance, ≥ 0.
        mode: What n is: ``"fan_in"``, the inputs; ``"fan_out"``, the outputs; ``"fan_avg"``, the mean of both.
        distribution: ``"truncated_normal"`` (truncated at two standard deviations, with the standard deviation corrected for that),
            ``"untruncated_normal"`` or ``"uniform"``.
        seed: See :class:`Initializer`.
        options: Keras' ``input_axes`` and ``output_axes`` are not supported: the last axis of a weight is the outputs, the one before it
            the inputs.

    Raises:
        ValueError: An unknown ``mode`` or ``distribution``, or a negative ``scale``.

    Example:

    >>> from fastmlp import initializers
    >>> kernel = initializers.VarianceScaling(2.0, mode="fan_in", distribution="uniform", seed=0)((100, 50))
    >>> bool(abs(kernel.var() - 2 / 100) < 1e-3)
    True
    """

    scale = Real(0)
    mode = Choice("fan_in", "fan_out", "fan_avg")
    distribution = Choice("truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self,
        scale: float = 1.0,
        mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
        distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal",
        seed: int | None = None,
        **options: object,
    ) -> None:
        _refuse_axes(self, options)
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.floating]:
        field = math.prod(shape[:-2])  # with more than two axes the first ones are a receptive field, as in convolutions
        fan_in, fan_out = (shape[-2:][0] * field, shape[-1] * field) if shape else (1, 1)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0.0, math.sqrt(variance), shape)
        return math.sqrt(variance) / TRUNCATED_STDDEV * draw_truncated(shape, generator)


_AXES = dict.fromkeys(("input_axes", "output_axes"), "the last axis of a weight is the outputs, the one before it the inputs")


def _refuse_axes(initializer: Initializer, options: dict[str, object]) -> None:
    checks.reject_unknown(type(initializer).__name__, options, _AXES)


TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of a standard normal distribution truncated at ±2."""


def draw_truncated(shape: Shape, generator: np.random.Generator) -> NDArray[np.float64]:
    """Standard normal values; those beyond ±2 are drawn again."""
    values = generator.standard_normal(shape)
    outside = np.abs(values) > 2
    while outside.any():
        values[outside] = generator.standard_normal(int(outside.sum()))
        outside = np.abs(values) > 2
    return values


class _Scaled(VarianceScaling):
    """A :class:`VarianceScaling` with fixed arguments.

    Args:
        seed: See :class:`Initializer`.
        options: See :class:`VarianceScaling`.
    """

    arguments: tuple[float, Literal["fan_in", "fan_out", "fan_avg"], Literal["truncated_normal", "uniform"]]
    """scale, mode and distribution."""

    def __init__(self, seed: int | None = None, **options: object) -> None:
        _refuse_axes(self, options)
        super().__init__(*self.arguments, seed)

    def get_config(self) -> Config:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform between ±sqrt(6 / (inputs + outputs)), the default of ``Dense`` kernels.

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".
    """

    arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal with variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    arguments = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform between ±sqrt(6 / inputs) (He et al. 2015, "Delving deep into rectifiers")."""

    arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal with variance 2 / inputs (He et al. 2015)."""

    arguments = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform between ±sqrt(3 / inputs) (LeCun et al. 1998, "Efficient backprop")."""

    arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal with variance 1 / inputs (LeCun et al. 1998)."""

    arguments = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """A random orthogonal matrix: its rows, or its columns if there are fewer of them, are orthonormal.

    An array with more than two axes is an orthogonal matrix with all but the last axis flattened. Saxe et al. 2014, "Exact solutions to
    the nonlinear dynamics of learning in deep linear neural networks".

    Args:
        gain: Factor that the matrix is multiplied by.
        seed: See :class:`Initializer`.

    Raises:
        ValueError: When called with a shape of fewer than two axes.
    """

    aliases = ("orthogonal_initializer",)

    gain = Real()

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.floating]:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape with at least two axes, such as (784, 10), got {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diagonal(r))  # all orthogonal matrices become equally likely (Mezzadri 2007)
        return self.gain * (q.T if rows < columns else q).reshape(shape)


class Identity(Initializer):
    """A matrix with ``gain`` on the diagonal and zeros elsewhere; it need not be square.

    Args:
        gain: The value on the diagonal.

    Raises:
        ValueError: When called with a shape that does not have two axes.
    """

    aliases = ("identity_initializer",)

    gain = Real()

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain

    def sample(self, shape: Shape, draw_seed: Callable[[], int]) -> NDArray[np.float32]:
        if len(shape) != 2:
            raise ValueError(f"Identity needs a shape with two axes, such as (784, 10), got {shape}")
        return self.gain * np.eye(*shape, dtype=np.float32)


InitializerFunction: TypeAlias = Callable[..., ArrayLike]
"""From a shape, and the keyword ``dtype`` if it has such an argument, to an array of that shape."""


def _call(function: InitializerFunction, shape: Shape) -> NDArray[np.float32]:
    """The values that a user-defined function returns for weights of this shape."""
    try:
        inspect.signature(function).bind(shape, dtype="float32")
    except TypeError:
        values = function(shape)
    else:
        values = function(shape, dtype="float32")
    array: NDArray[np.float32] = np.array(values, np.float32)
    if array.shape != shape:
        name = getattr(function, "__name__", type(function).__name__)
        raise ValueError(f"the initializer {name} returned an array of shape {array.shape} for weights of shape {shape}")
    return array


class FunctionInitializer(Initializer):
    """A user-defined function as an initializer.

    Args:
        function: Called with the shape, and with ``dtype="float32"`` if it has that argument; returns an array of this shape.
    """

    def __init__(self, function: InitializerFunction) -> None:
        super().__init__()
        self.function = function

    def sample(self, shape: Shape, draw_seed: Callable[[], int]) -> NDArray[np.float32]:
        return _call(self.function, shape)

    def __repr__(self) -> str:
        return f"FunctionInitializer({self.function!r})"


zeros, ones, constant = Zeros, Ones, Constant
random_normal, random_uniform, truncated_normal, variance_scaling = RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
orthogonal, identity = OrthogonalInitializer, IdentityInitializer = Orthogonal, Identity

registry: Registry[Initializer] = Registry(
    "initializer",
    Initializer,
    (
        Zeros,
        Ones,
        Constant,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        GlorotUniform,
        GlorotNormal,
        HeUniform,
        HeNormal,
        LecunUniform,
        LecunNormal,
        Orthogonal,
        Identity,
    ),
    "initializers",
    FunctionInitializer,
    immutable=True,
)

serialize, deserialize = registry.serialize, registry.deserialize

InitializerLike: TypeAlias = str | Initializer | type[Initializer] | InitializerFunction | StoredConfig | None
"""What :func:`get` accepts."""


def get(identifier: InitializerLike) -> Initializer:
    """The initializer that an argument such as ``kernel_initializer`` refers to.

    Args:
        identifier: A name (``"he_normal"``), a class, an object, a configuration, or a function from a shape to an array. None means
            ``"glorot_uniform"``, as for the weights of Keras' layers.

    Raises:
        ValueError: Nothing has this name.
        TypeError: It is none of these.

    Example:

    >>> from fastmlp import initializers
    >>> initializers.get("he_normal")
    HeNormal(seed=None)
    """
    return registry.get("glorot_uniform" if identifier is None else identifier)


def __getattr__(name: str) -> object:
    return keras_names.missing("initializers", name)
