"""What every metric can do: be told targets and predictions, give its value so far, begin again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np

from fastmlp._base import checks, naming
from fastmlp._base.numeric import quietly
from fastmlp._base.registry import Configurable
from fastmlp._engine.spec import Metric as PlanMetric
from fastmlp.errors import UnsupportedError
from fastmlp.variables import Variable

END_IN_PROBABILITIES = "end the model in a sigmoid or softmax, and leave from_logits out of the loss"


class Metric(Configurable):
    """The base of all metrics.

    A metric of your own is a subclass with ``update_state`` and ``result``; give an object of it to ``compile``. What it adds up it
    keeps in variables made by :meth:`add_weight`, which are set to zero before each pass, or in attributes that its own ``reset_state``
    clears. It runs in Python once for each batch, where fastmlp's own metrics run in the engine or once for thousands of rows.

    Args:
        name: The key in ``History.history`` and in ``evaluate(return_dict=True)``.

    Example:

    >>> from fastmlp import metrics
    >>> metric = metrics.BinaryAccuracy()
    >>> metric.update_state([0, 1, 1, 1], [0.2, 0.9, 0.4, 0.7])
    >>> metric.result()
    0.75
    """

    higher_is_better: ClassVar[bool | None] = None
    """None where neither is."""
    is_mean: ClassVar[bool] = False
    """Whether the value is the mean of a number that each row has."""
    takes_chunks: ClassVar[bool] = False
    """Whether several batches may be handed over as one, with the same result."""
    _in_pass: bool = False
    """Whether a model is measuring with it, so that a value is one of many on the way."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "result" in cls.__dict__ and cls.__module__.partition(".")[0] == "fastmlp":  # the user's own run with the user's np.seterr
            type.__setattr__(cls, "result", quietly(cls.__dict__["result"]))

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        if options.pop("from_logits", False):
            raise UnsupportedError("metrics read predictions, not logits; let the last layer end in a softmax or sigmoid")
        checks.reject_unknown(type(self), options, {"label_smoothing": "smooth the targets yourself"})
        self.name = name or naming.automatic(type(self).__name__)
        with suppress(AttributeError):  # a metric of the user's own may make its variables after this call
            self.reset_state()

    def add_weight(self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None) -> Variable:
        """A variable for what is added up; change it with ``assign`` and ``assign_add``.

        Args:
            shape: Its shape, () for a number.
            initializer: What it begins with, zeros by default.
            dtype: float32 by default.
            name: Its name.

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
        if isinstance(shape, str):  # as older programs call it: add_weight("total", initializer="zeros")
            shape, name = (), shape
        checks.float32_only(dtype)
        shape = tuple(shape) if np.iterable(shape) else (shape,)
        variable = Variable("zeros" if initializer is None else initializer, shape, np.float32, trainable=False, name=name)
        self.__dict__.setdefault("_variables", []).append(variable)
        return variable

    def add_variable(self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None) -> Variable:
        """:meth:`add_weight`."""
        return self.add_weight(shape, initializer, dtype, name)

    @property
    def variables(self) -> list[Variable]:
        """Those made by :meth:`add_weight`."""
        return list(self.__dict__.get("_variables", ()))

    @property
    def sparse(self) -> bool | None:
        """True when the targets are integer labels, False when there is a column per output, None for either."""
        return None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take note of some rows.

        Args:
            y_true: ``(rows, outputs)``, or class numbers ``(rows,)`` where the metric reads such.
            y_pred: Predictions ``(rows, outputs)``.
            sample_weight: How much each row counts, ``(rows,)``.
        """
        raise NotImplementedError(f"{type(self).__name__} must have a method update_state(y_true, y_pred, sample_weight=None)")

    def result(self) -> Any:
        """The value over all rows since the last :meth:`reset_state`: a float, or an array of several."""
        raise NotImplementedError(f"{type(self).__name__} must have a method result()")

    def reset_state(self) -> None:
        """Forget all rows: set all variables to zero."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape))

    def advice_for_scores(self) -> str | None:
        """What to do where the model predicts scores of any size and the metric reads probabilities; None where it can use them."""
        return None

    def _fit_state(self) -> dict[str, Any] | None:
        """What has been added up since :meth:`reset_state`, as JSON values, for a ``fit`` that goes on later; None if unknown."""
        return {"variables": [to_json(variable.value) for variable in self.variables]} if self.variables else None

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`_fit_state` gave."""
        for variable, value in zip(self.variables, state["variables"], strict=True):
            variable.assign(from_json(value))

    def __call__(self, *args: Any, **options: Any) -> Any:
        """:meth:`update_state` with the same arguments, then :meth:`result`."""
        self.update_state(*args, **options)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class RowMetric(Metric):
    """A metric of checked rows: subclasses note them in ``_add(y, p, weight)``, whose arrays have one row each.

    The weight is ``(rows,)``, ``(rows, outputs)`` or None.
    """

    takes_chunks = True

    @property
    def sparse(self) -> bool | None:
        return False

    @quietly
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(*as_rows(self.name, y_true, y_pred, sample_weight, self._target_shape, labels=bool(self.sparse)))

    def _target_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the targets of predictions ``(rows, outputs)``, where they are no labels."""
        return shape

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        raise NotImplementedError(f"{type(self).__name__} must have the methods update_state(y_true, y_pred, sample_weight) and result()")


class MeanOfRows(RowMetric):
    """The mean of one number a row: Σ weight·value / Σ weight."""

    is_mean = True

    def reset_state(self) -> None:
        self.total = self.count = 0.0

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0

    def _fit_state(self) -> dict[str, Any]:
        return {"sums": to_json([self.total, self.count])}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self.total, self.count = from_json(state["sums"]).tolist()

    def _add(self, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None) -> None:
        if weight is not None and weight.ndim > 1:
            self._add_elements(np.asarray(self.element_values(y, p), np.float32), weight)
        else:
            self._add_values(np.asarray(self.row_values(y, p), np.float32), weight)

    def _add_elements(self, values: np.ndarray, weight: np.ndarray) -> None:
        """Values and weights ``(rows, …)`` of the same shape."""
        rows = len(values)
        self.total = float(in_order(self.total, (values * weight).reshape(rows, -1).mean(axis=1)))
        self.count = float(in_order(self.count, weight.reshape(rows, -1).mean(axis=1)))

    def _add_values(self, values: np.ndarray, weight: np.ndarray | None) -> None:
        self.total = float(in_order(self.total, values if weight is None else values * weight))
        self.count = self.count + len(values) if weight is None else float(in_order(self.count, weight))

    def row_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The number of each row, ``(rows,)``."""
        raise NotImplementedError(f"{type(self).__name__} must have a method row_values(y, p) that returns a number for each row")

    def element_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The number of each element, ``(rows, outputs)``, whose mean over a row is that of the row."""
        raise ValueError(f"{self.name} has one value for each row, so sample_weight must have one number for each row: ({len(p)},)")


class EngineMetric(MeanOfRows):
    """A mean over the rows that the engines compute themselves while they train; used on its own it runs in NumPy."""

    kind: ClassVar[str]
    """The engines' name of the metric."""
    higher_is_better = False
    elementwise: ClassVar[bool] = False
    """Whether it is a mean over the elements of a row; see :class:`fastmlp.losses.Loss`."""
    threshold: float = 0.5
    from_logits: bool = False
    parameters: tuple[float, ...] = ()
    smoothing: float = 0.0

    @property
    def sparse(self) -> bool:
        return self.kind.startswith("sparse_")

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name or naming.snake_case(type(self).__name__), dtype, **options)

    def in_plan(self, weighted: bool) -> PlanMetric:
        """What the engines are told."""
        return PlanMetric(self.kind, weighted, self.threshold, self.from_logits, self.parameters, self.smoothing)

    def row_values(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        from fastmlp.reference.metrics import make_metric

        return make_metric(self.in_plan(weighted=False))(y, p)


def in_order(total: Any, values: np.ndarray) -> Any:
    """``total`` + values[0] + values[1] + …, one after the other in float64: the same however the values are cut into calls."""
    terms = np.concatenate([np.broadcast_to(np.asarray(total, np.float64), values.shape[1:])[None], values])
    return np.add.accumulate(terms, axis=0)[-1]


def as_rows(
    name: str,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    target_shape: Callable[[tuple[int, ...]], tuple[int, ...]],
    *,
    labels: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Targets, predictions ``(rows, outputs)`` and weights of rows or elements or None, as float32; with ``labels`` targets are int64."""
    checks.present(y_true=y_true, y_pred=y_pred)
    p = np.asarray(y_pred, np.float32)
    y = np.asarray(y_true)
    if p.ndim == 1:
        p = p[:, None]
    if p.ndim > 2:
        return _along_last_axis(name, y, p, sample_weight, target_shape, labels=labels)
    if p.ndim != 2:
        raise ValueError(f"{name}: y_pred has shape {np.shape(y_pred)}, but (rows, outputs) is wanted")
    if labels:
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if y.shape != p.shape[:1]:
            raise ValueError(f"{name}: y_true has shape {np.shape(y_true)}, but for y_pred {p.shape} it must be class numbers ({len(p)},)")
        y = y.astype(np.int64)
        if y.size and (y.min() < 0 or y.max() >= p.shape[1]):
            wrong = y.min() if y.min() < 0 else y.max()
            raise ValueError(f"{name}: y_true holds the class number {wrong}, but y_pred has {p.shape[1]} columns")
    else:
        y = y[:, None] if y.ndim == 1 else y
        wanted = target_shape(p.shape)
        if y.shape != wanted:
            same = "they must have the same" if wanted == p.shape else f"for that y_true must have {wanted}"
            raise ValueError(f"{name}: y_true has shape {np.shape(y_true)}, but y_pred {np.shape(y_pred)}; {same}")
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
            f"{name}: sample_weight has shape {weight.shape}, but there is one weight per row, ({len(p)},), or one per element, {p.shape}"
        )
    return y, p, np.broadcast_to(weight, p.shape[:1])


def by_element(weight: np.ndarray | None, p: np.ndarray) -> np.ndarray | None:
    """A weight for each element of predictions, where there are weights of rows or of elements."""
    return None if weight is None else np.broadcast_to(weight if weight.ndim == 2 else weight[:, None], p.shape)


def _along_last_axis(
    name: str,
    y: np.ndarray,
    p: np.ndarray,
    sample_weight: Any,
    target_shape: Callable[[tuple[int, ...]], tuple[int, ...]],
    *,
    labels: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Predictions of more axes as rows along the last one; a sample's weight is that of all its rows, unless each has its own."""
    wanted = p.shape[:-1] if labels else target_shape(p.shape)
    if y.shape not in (wanted, (*wanted, 1) if labels else wanted):
        raise ValueError(f"{name}: y_true has shape {y.shape}, but for y_pred {p.shape} it must have {wanted}")
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float32)
    if weight is not None:
        if weight.shape == (len(p), 1):
            weight = weight[:, 0]
        if weight.shape not in ((), p.shape[:1], p.shape[:-1]):
            raise ValueError(f"{name}: sample_weight has shape {weight.shape}, but there is one weight per row: ({len(p)},)")
        weight = np.broadcast_to(weight.reshape(weight.shape + (1,) * (p.ndim - 1 - weight.ndim)), p.shape[:-1]).reshape(-1)
    y = y.reshape(-1) if labels else y.reshape(-1, wanted[-1])
    return as_rows(name, y, p.reshape(-1, p.shape[-1]), weight, target_shape, labels=labels)


@quietly
def divide(a: Any, b: Any) -> Any:
    """a / b in float64, 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.divide(a, b, out=np.zeros(a.shape), where=b != 0)


def to_json(values: Any) -> dict[str, Any]:
    """Numbers as JSON values that hold every bit, of NaN too."""
    array = np.asarray(values, np.float64)
    return {"shape": list(array.shape), "float64": array.astype("<f8").tobytes().hex()}


def from_json(stored: Mapping[str, Any]) -> np.ndarray:
    """The float64 array that :func:`to_json` stored."""
    return np.frombuffer(bytes.fromhex(stored["float64"]), "<f8").astype(np.float64).reshape(stored["shape"])


@quietly
def plain(value: Any) -> Any:
    """A float for a single value, a float32 array for several."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array.astype(np.float32)
