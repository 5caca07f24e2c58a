"""Base classes of metrics: updated with targets and predictions, read with ``result``, cleared with ``reset_state``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastmlp._base import checks, naming
from fastmlp._base.arguments import Text
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable
from fastmlp._engine.spec import Metric as MetricSpec
from fastmlp.errors import UnsupportedError
from fastmlp.initializers import Initializer
from fastmlp.losses import Loss
from fastmlp.variables import Variable

END_IN_PROBABILITIES = "end the model in a sigmoid or softmax, and leave from_logits out of the loss"


class Metric(Configurable):
    """Base class of all metrics.

    A custom metric is a subclass with ``update_state`` and ``result``; pass an object of it to ``compile``. It keeps its state in variables
    created by :meth:`add_weight`, which are set to zero before each pass over the data, or in attributes that its own ``reset_state``
    clears. It runs in Python once per batch, whereas fastmlp's own metrics run in the engine or once for thousands of samples.

    Args:
        name: The key in ``History.history`` and in ``evaluate(return_dict=True)``.
        dtype: Accepted as in Keras; metrics are computed in float32 and summed in float64.

    Raises:
        UnsupportedError: ``from_logits`` or ``label_smoothing`` is set where a metric has no such argument.

    Example:

    >>> from fastmlp import metrics
    >>> metric = metrics.BinaryAccuracy()
    >>> metric.update_state([0, 1, 1, 1], [0.2, 0.9, 0.4, 0.7])
    >>> metric.result()
    0.75
    """

    higher_is_better: ClassVar[bool | None] = None
    """None if neither direction is better."""
    is_mean: ClassVar[bool] = False
    """Whether the result is the mean of one value per sample."""
    takes_chunks: ClassVar[bool] = False
    """Whether several batches may be passed as one, with the same result."""
    _in_pass: bool = False
    """True while a model passes over its data, so that results are intermediate."""

    name = Text()

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "result" in cls.__dict__ and cls.__module__.partition(".")[0] == "fastmlp":  # users' metrics keep the user's np.seterr
            type.__setattr__(cls, "result", quietly(cls.__dict__["result"]))

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, **options: object) -> None:
        if options.pop("from_logits", False):
            raise UnsupportedError("metrics read predictions, not logits; let the last layer end in a softmax or sigmoid")
        checks.reject_unknown(type(self), options, {"label_smoothing": "smooth the targets yourself"})
        self.name = name or naming.automatic(type(self).__name__)
        with suppress(AttributeError):  # a custom metric may create its variables after this call
            self.reset_state()

    def add_weight(
        self,
        shape: int | Sequence[int] | str = (),
        initializer: str | Initializer | ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        name: str | None = None,
    ) -> Variable:
        """Creates a variable for the metric's state; change it with ``assign`` and ``assign_add``.

        Args:
            shape: The shape, () for a scalar.
            initializer: The initial value, or an initializer or its name; zeros by default.
            dtype: ``"float32"`` or None.
            name: The name of the variable.

        Returns:
            The variable, float32, which :meth:`reset_state` sets to zero.

        Example:

        >>> import numpy as np
        >>> from fastmlp import metrics
        >>> class LargestError(metrics.Metric):
        ...     def __init__(self, name="largest_error"):
        ...         super().__init__(name=name)
        ...         self.largest = self.add_weight(name="largest", initializer="zeros")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.largest.assign(np.maximum(self.largest, np.abs(y_true - y_pred).max()))
        ...     def result(self):
        ...         return self.largest
        >>> metric = LargestError()
        >>> metric.update_state(np.array([1.0, 2.0]), np.array([1.5, 2.25]))
        >>> float(metric.result())
        0.5
        """
        if isinstance(shape, str):  # older Keras: add_weight("total", initializer="zeros")
            name, shape = shape, ()
        checks.float32_only(dtype)
        sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        variable = Variable("zeros" if initializer is None else initializer, sizes, np.float32, trainable=False, name=name)
        self.__dict__.setdefault("_variables", []).append(variable)
        return variable

    def add_variable(
        self,
        shape: int | Sequence[int] | str = (),
        initializer: str | Initializer | ArrayLike | None = None,
        dtype: DTypeLike | None = None,
        aggregation: str | None = "sum",
        name: str | None = None,
    ) -> Variable:
        """The same as :meth:`add_weight`; ``aggregation`` over devices is accepted for compatibility with Keras, as there is one."""
        return self.add_weight(shape, initializer, dtype, name)

    @property
    def variables(self) -> list[Variable]:
        """The variables created by :meth:`add_weight`."""
        return list(self.__dict__.get("_variables", ()))

    @property
    def sparse(self) -> bool | None:
        """True if targets are integer class labels, False if they have one column per output, None if either will do."""
        return None

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        """Adds samples to the metric.

        Args:
            y_true: Targets ``(samples, outputs)``, or integer class labels ``(samples,)`` for sparse metrics.
            y_pred: Predictions ``(samples, outputs)``.
            sample_weight: The weight of each sample, ``(samples,)``.

        Raises:
            ValueError: The shapes do not fit, or a class label is out of range.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update_state(y_true, y_pred, sample_weight=None)")

    def result(self) -> Any:
        """Returns the value over all samples since the last :meth:`reset_state`: a float or an array; what converts to one, if custom."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def reset_state(self) -> None:
        """Forgets all samples: sets all variables to zero."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape))

    def advice_for_logits(self) -> str | None:
        """Advice for models that output logits while the metric needs probabilities; None if logits are fine."""
        return None

    def _fit_state(self) -> Config | None:
        """The state since :meth:`reset_state` in JSON values, to resume a ``fit`` from; None if unknown."""
        return {"variables": [to_json(variable.value) for variable in self.variables]} if self.variables else None

    def _restore_fit_state(self, state: StoredConfig) -> None:
        """Restores the state that :meth:`_fit_state` returned."""
        for variable, value in zip(self.variables, state["variables"], strict=True):
            variable.assign(from_json(value))

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Calls :meth:`update_state` with the arguments and returns :meth:`result`."""
        self.update_state(*args, **options)
        return self.result()


class SampleMetric(Metric):
    """Base class of metrics that read validated samples: subclasses implement ``_add(y, p, weight)``.

    The arrays have one row per sample; the weight is ``(samples,)``, ``(samples, outputs)`` or None.
    """

    takes_chunks = True

    @property
    def sparse(self) -> bool | None:
        return False

    @quietly
    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._add(*as_samples(self.name, y_true, y_pred, sample_weight, self._target_shape, labels=bool(self.sparse)))

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the targets (if not class labels) for predictions of this shape."""
        return shape

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define update_state(y_true, y_pred, sample_weight) and result()")


class MeanOverSamples(SampleMetric):
    """The mean of one value per sample: Σ weight·value / Σ weight. Subclasses define :meth:`sample_values`."""

    is_mean = True

    def reset_state(self) -> None:
        self.total = self.count = 0.0

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def _fit_state(self) -> Config:
        return {"sums": to_json([self.total, self.count])}

    def _restore_fit_state(self, state: StoredConfig) -> None:
        self.total, self.count = from_json(state["sums"]).tolist()

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if weight is not None and weight.ndim > 1:
            self._add_elements(np.asarray(self.element_values(y, p), np.float32), weight)
        else:
            self._add_values(np.asarray(self.sample_values(y, p), np.float32), weight)

    def _add_elements(self, values: np.ndarray, weight: np.ndarray) -> None:
        """Values and weights ``(samples, …)`` of the same shape."""
        count = len(values)
        self.total = float(ordered_sum(self.total, (values * weight).reshape(count, -1).mean(axis=1)))
        self.count = float(ordered_sum(self.count, weight.reshape(count, -1).mean(axis=1)))

    def _add_values(self, values: np.ndarray, weight: np.ndarray | None) -> None:
        self.total = float(ordered_sum(self.total, values if weight is None else values * weight))
        self.count = self.count + len(values) if weight is None else float(ordered_sum(self.count, weight))

    def sample_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The value of each sample, ``(samples,)``, from targets and predictions ``(samples, outputs)``."""
        raise NotImplementedError(f"{type(self).__name__} must define sample_values(y, p), which returns one value per sample")

    def element_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The value of each element, ``(samples, outputs)``; the value of a sample is the mean over its outputs."""
        raise ValueError(f"{self.name} has one value per sample, so sample_weight must have shape ({len(p)},)")


class EngineMetric(MeanOverSamples):
    """A mean over samples that the engines compute while they train; outside a model it runs in NumPy."""

    kind: ClassVar[str]
    """The name of the metric in the engines."""
    higher_is_better = False
    elementwise: ClassVar[bool] = False
    """True if the metric is a mean over a sample's elements; see :class:`fastmlp.losses.Loss`."""
    threshold: float = 0.5
    from_logits: bool = False
    parameters: tuple[float, ...] = ()
    smoothing: float = 0.0

    @property
    def sparse(self) -> bool:
        return self.kind.startswith("sparse_")

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, **options: object) -> None:
        super().__init__(name or naming.snake_case(type(self).__name__), dtype, **options)

    def to_spec(self, weighted: bool) -> MetricSpec:
        """The metric as the engines read it."""
        return MetricSpec(self.kind, weighted, self.threshold, self.from_logits, self.parameters, self.smoothing)

    def sample_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        from fastmlp.reference.metrics import make_metric

        return make_metric(self.to_spec(weighted=False))(y, p)


MetricLike: TypeAlias = str | Metric | type[Metric] | Loss | Callable[[np.ndarray, np.ndarray], ArrayLike] | StoredConfig
"""A metric by name, as an object, as a class, as a loss, as a function, or as ``serialize`` returned it."""


def ordered_sum(total: ArrayLike, values: np.ndarray) -> np.ndarray:
    """``total`` + values[0] + values[1] + …, added in sequence in float64, so that the sum does not depend on the chunks."""
    terms = np.concatenate([np.broadcast_to(np.asarray(total, np.float64), values.shape[1:])[None], values])
    return np.asarray(np.add.accumulate(terms, axis=0)[-1])


def as_samples(
    name: str,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    target_shape: Callable[[tuple[int, ...]], tuple[int, ...]],
    *,
    labels: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns targets, predictions ``(samples, outputs)``, and the weights of samples or elements or None, as float32.

    With ``labels``, targets are int64 class labels ``(samples,)``.
    """
    checks.present(y_true=y_true, y_pred=y_pred)
    p = np.asarray(y_pred, np.float32)
    y = np.asarray(y_true)
    if p.ndim == 1:
        p = p[:, None]
    if p.ndim > 2:
        return _flatten_positions(name, y, p, sample_weight, target_shape, labels=labels)
    if p.ndim != 2:
        raise ValueError(f"{name}: y_pred must have shape (samples, outputs), got {np.shape(y_pred)}")
    if labels:
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if y.shape != p.shape[:1]:
            raise ValueError(f"{name}: y_true has shape {np.shape(y_true)}, but for y_pred {p.shape} it must be class labels ({len(p)},)")
        y = y.astype(np.int64)
        if y.size and (y.min() < 0 or y.max() >= p.shape[1]):
            wrong = y.min() if y.min() < 0 else y.max()
            raise ValueError(f"{name}: y_true holds the class label {wrong}, but y_pred has {p.shape[1]} columns")
    else:
        y = y[:, None] if y.ndim == 1 else y
        expected = target_shape(p.shape)
        if y.shape != expected:
            advice = "the shapes must be equal" if expected == p.shape else f"y_true must have shape {expected}"
            raise ValueError(f"{name}: y_true has shape {np.shape(y_true)} and y_pred {np.shape(y_pred)}; {advice}")
        y = y.astype(np.float32, copy=False)
    if sample_weight is None:
        return y, p, None
    weight = np.asarray(sample_weight, np.float32)
    if weight.ndim == 2 and weight.shape[1] == 1:
        weight = weight[:, 0]
    if weight.ndim == 2 and weight.shape == p.shape:
        return y, p, weight
    if weight.ndim and weight.shape != p.shape[:1]:
        raise ValueError(
            f"{name}: sample_weight has shape {weight.shape}, but must have one weight per sample, ({len(p)},), or per element, {p.shape}"
        )
    return y, p, np.broadcast_to(weight, p.shape[:1])


def by_element(weight: np.ndarray | None, p: np.ndarray) -> np.ndarray | None:
    """Weights of samples or elements as weights of elements."""
    return None if weight is None else np.broadcast_to(weight if weight.ndim == 2 else weight[:, None], p.shape)


def _flatten_positions(
    name: str,
    y: np.ndarray,
    p: np.ndarray,
    sample_weight: ArrayLike | None,
    target_shape: Callable[[tuple[int, ...]], tuple[int, ...]],
    *,
    labels: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Predictions ``(samples, …, outputs)`` with every position as a sample of its own, which has its sample's weight by default."""
    expected = p.shape[:-1] if labels else target_shape(p.shape)
    if y.shape not in (expected, (*expected, 1) if labels else expected):
        raise ValueError(f"{name}: y_true has shape {y.shape}, but for y_pred {p.shape} it must have {expected}")
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
    if weight is not None:
        if weight.shape == (len(p), 1):
            weight = weight[:, 0]
        if weight.shape not in ((), p.shape[:1], p.shape[:-1]):
            raise ValueError(f"{name}: sample_weight has shape {weight.shape}, but must have one weight per sample: ({len(p)},)")
        weight = np.broadcast_to(weight.reshape(weight.shape + (1,) * (p.ndim - 1 - weight.ndim)), p.shape[:-1]).reshape(-1)
    y = y.reshape(-1) if labels else y.reshape(-1, expected[-1])
    return as_samples(name, y, p.reshape(-1, p.shape[-1]), weight, target_shape, labels=labels)


@quietly
def divide(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """a / b in float64, 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.divide(a, b, out=np.zeros(a.shape), where=b != 0)


def to_json(values: ArrayLike) -> Config:
    """Numbers as JSON values that preserve every bit, including those of NaN."""
    array = np.asarray(values, np.float64)
    return {"shape": list(array.shape), "float64": array.astype("<f8").tobytes().hex()}


def from_json(stored: StoredConfig) -> NDArray[np.float64]:
    """The float64 array that :func:`to_json` stored."""
    return np.frombuffer(bytes.fromhex(stored["float64"]), "<f8").astype(np.float64).reshape(stored["shape"])


@quietly
def plain(value: ArrayLike) -> float | NDArray[np.float32]:
    """A single value as a float, several as a float32 array."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array.astype(np.float32)
