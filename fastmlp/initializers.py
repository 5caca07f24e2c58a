"""What the weights are before training.

Every initializer draws from a NumPy ``Generator``: from its own ``seed`` where it has one, else from the process's stream, which
``utils.set_random_seed`` makes repeatable.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base import checks, keras_names, seeding
from fastmlp._base.arguments import Choice, Converted, Integer, Real
from fastmlp._base.numeric import quiet
from fastmlp._base.registry import Configurable, Registry

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
    """The base of all initializers.

    Args:
        seed: An integer, for the same values at every call; None to draw from the process's stream.

    Example:

    >>> from fastmlp import initializers
    >>> initializers.GlorotUniform(seed=1)((784, 512)).shape
    (784, 512)
    """

    seed = Integer(0, optional=True)

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Fresh values as a float32 array of ``shape``."""
        if dtype is not None and np.dtype(dtype) != np.float32:
            raise TypeError(f"initializers give float32, not {np.dtype(dtype)}")
        if shape is None or isinstance(shape, str):
            raise TypeError(f"shape must be a tuple of integers such as (784, 10), got {shape!r}")
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        return self.sample(tuple(checks.check_int("a size in shape", size, 0) for size in sizes), seeding.draw_seed)

    def sample(self, shape: tuple[int, ...], unseeded: Any) -> np.ndarray:
        """Values for ``shape``; ``unseeded()`` gives the seed when the initializer has none of its own."""
        if type(self).__call__ is not Initializer.__call__:  # a class of the user's own, as Keras has them
            return _values_of(self, shape)
        seed = self.seed if self.seed is not None else unseeded()
        with quiet():
            return self.draw(shape, np.random.Generator(np.random.PCG64(seed))).astype(np.float32, copy=False)

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        """Values for ``shape`` from ``generator``."""
        raise NotImplementedError(f"{type(self).__name__} must have a method draw(shape, generator) that returns an array of this shape")


def _finite(value: Any) -> float | np.ndarray:
    """The value of a Constant: a finite number, or an array of such."""
    if np.ndim(value) == 0:
        return checks.check_float("value", value)
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"value must be a number or an array of numbers, got {value!r:.80}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"value must be finite, got {value!r:.80}")
    return array


class Constant(Initializer):
    """Every element is ``value``.

    Args:
        value: A number, or an array that fits the weights, or is broadcast to their shape.
    """

    value = Converted(_finite, lambda value: value if isinstance(value, float) else value.tolist())

    def __init__(self, value: Any = 0.0) -> None:
        super().__init__()
        self.value = value

    def sample(self, shape: tuple[int, ...], unseeded: Any) -> np.ndarray:
        try:
            return np.array(np.broadcast_to(np.asarray(self.value, np.float32), shape))
        except ValueError:
            raise ValueError(
                f"Constant has an array of shape {np.shape(self.value)}, which does not fit weights of shape {shape}"
            ) from None


class Zeros(Constant):
    """Every element is 0."""

    aliases = ("zero",)

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """Every element is 1."""

    aliases = ("one",)

    def __init__(self) -> None:
        super().__init__(1.0)


class RandomNormal(Initializer):
    """Normal with ``mean`` and ``stddev``."""

    aliases = ("normal",)

    mean = Real()
    stddev = Real(0)

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return generator.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normal with ``mean`` and ``stddev``, values further than two ``stddev`` from the mean drawn again."""

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return self.mean + self.stddev * draw_truncated(shape, generator)


class RandomUniform(Initializer):
    """Uniform between ``minval`` and ``maxval``."""

    aliases = ("uniform",)

    minval = Real()
    maxval = Real()

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval
        checks.check_float("maxval", maxval, self.minval)

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return generator.uniform(self.minval, self.maxval, shape)


class VarianceScaling(Initializer):
    """Values with variance ``scale / n``, where n is the number of inputs, of outputs, or the mean of both.

    Args:
        scale: Positive factor of the variance.
        mode: ``fan_in``, ``fan_out`` or ``fan_avg``.
        distribution: ``truncated_normal`` (cut at two standard deviations, the standard deviation corrected for the cut),
            ``untruncated_normal`` or ``uniform``.
        seed: See :class:`Initializer`.
        options: Keras' ``input_axes`` and ``output_axes`` are not in fastmlp: inputs are the first axis and outputs the last.
    """

    scale = Real(0)
    mode = Choice("fan_in", "fan_out", "fan_avg")
    distribution = Choice("truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        **options: Any,
    ) -> None:
        _refuse_axes(self, options)
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        field = math.prod(shape[:-2])  # of more axes than two the first are a receptive field, as in convolutions
        fan_in, fan_out = (shape[-2:][0] * field, shape[-1] * field) if shape else (1, 1)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0.0, math.sqrt(variance), shape)
        return math.sqrt(variance) / TRUNCATED_STDDEV * draw_truncated(shape, generator)


def _refuse_axes(initializer: Initializer, options: dict[str, Any]) -> None:
    advice = "the inputs of a weight are its first axis and the outputs its last"
    checks.reject_unknown(type(initializer).__name__, options, dict.fromkeys(("input_axes", "output_axes"), advice))


TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of a standard normal cut at ±2."""


def draw_truncated(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Standard normal values; those beyond ±2 are drawn again."""
    values = generator.standard_normal(shape)
    outside = np.abs(values) > 2
    while outside.any():
        values[outside] = generator.standard_normal(int(outside.sum()))
        outside = np.abs(values) > 2
    return values


class _Scaled(VarianceScaling):
    """A named choice of :class:`VarianceScaling`."""

    choice: tuple[float, str, str]

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(*self.choice, seed=seed, **options)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform in ±sqrt(6 / (inputs + outputs)).

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".
    """

    choice = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal with variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    choice = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform in ±sqrt(6 / inputs) (He et al. 2015, "Delving deep into rectifiers")."""

    choice = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal with variance 2 / inputs (He et al. 2015)."""

    choice = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform in ±sqrt(3 / inputs) (LeCun et al. 1998, "Efficient backprop")."""

    choice = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal with variance 1 / inputs (LeCun et al. 1998)."""

    choice = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """An orthogonal matrix: its rows, or its columns where it has more rows, have length 1 and stand at right angles.

    Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks".

    Args:
        gain: What the matrix is multiplied by.
        seed: See :class:`Initializer`.
    """

    aliases = ("orthogonal_initializer",)

    gain = Real()

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal gives matrices, but an array of shape {shape} is wanted")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diagonal(r))  # all orthogonal matrices become equally likely (Mezzadri 2007)
        return self.gain * (q.T if rows < columns else q).reshape(shape)


class Identity(Initializer):
    """A matrix with ``gain`` on the diagonal and zeros elsewhere, square or not."""

    aliases = ("identity_initializer",)

    gain = Real()

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain

    def sample(self, shape: tuple[int, ...], unseeded: Any) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity gives matrices, but an array of shape {shape} is wanted")
        return self.gain * np.eye(*shape, dtype=np.float32)


def _values_of(function: Callable[..., Any], shape: tuple[int, ...]) -> np.ndarray:
    """What a function of the user's own makes for weights of this shape."""
    try:
        inspect.signature(function).bind(shape, dtype="float32")
    except TypeError:
        values = function(shape)
    else:
        values = function(shape, dtype="float32")
    array = np.array(values, np.float32)
    if array.shape != shape:
        name = getattr(function, "__name__", type(function).__name__)
        raise ValueError(f"the initializer {name} returned an array of shape {array.shape} for weights of shape {shape}")
    return array


class FunctionInitializer(Initializer):
    """A function of your own: called with the shape, and with ``dtype="float32"`` if it takes that, it returns the values.

    Args:
        function: It.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def sample(self, shape: tuple[int, ...], unseeded: Any) -> np.ndarray:
        return _values_of(self.function, shape)

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
)

serialize, deserialize = registry.serialize, registry.deserialize


def get(identifier: Any) -> Initializer:
    """The initializer meant by a name (``"he_normal"``), a class, an object, a configuration or a function of the shape.

    None means ``"glorot_uniform"``, as for the weights of Keras' layers.
    """
    return registry.get("glorot_uniform" if identifier is None else identifier)


def __getattr__(name: str) -> Any:
    return keras_names.missing("initializers", name)
