"""Layers that preprocess data inside the model, so that predictions take the same raw data as training."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastmlp.layers.axes as axes
from fastmlp import initializers
from fastmlp._base.arguments import Boolean, Converted
from fastmlp._base.configs import Config
from fastmlp._base.numeric import as_native, quiet
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters import StreamAdapter, choose_adapter
from fastmlp._engine.spec import Constant
from fastmlp._graph.operation import Operation
from fastmlp._graph.symbolic import operator
from fastmlp._graph.weights import Weight
from fastmlp.errors import UnsupportedError
from fastmlp.layers.base import Layer, LayerOptions

__all__ = ["Normalization", "Rescaling"]

Constants = tuple[tuple[str, Constant], ...]


def _numbers(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """``value`` as an array of finite float64 numbers, or one of them."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or an array of numbers, got {value!r:.80}") from None
    if value is None or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {value!r:.80}")
    return array


def _for_each_column(name: str, values: np.ndarray, row: Shape) -> Constant:
    """``values`` for every element of a row, as NumPy broadcasts them."""
    try:
        fits = np.broadcast_shapes(values.shape, row) == row
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} has shape {values.shape}, which does not fit rows of shape {row}")
    return Constant(tuple(values.ravel().tolist()), values.shape, row)


@operator
class Rescaling(Layer):
    """``x * scale + offset``, for example ``Rescaling(1 / 255)`` for images.

    Args:
        scale: A number, or an array that broadcasts to the shape of a sample.
        offset: The same.
        options: See :class:`Layer`.

    Raises:
        ValueError: A value is not finite; or, when the layer is built, an array can't be broadcast to the shape of a sample.

    Example:

    >>> from fastmlp import layers, models
    >>> model = models.Sequential([layers.Input((28, 28)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)])
    >>> model.count_params()
    7850
    """

    weightless = True

    scale = Converted(lambda given: _numbers("scale", given), np.ndarray.tolist)
    offset = Converted(lambda given: _numbers("offset", given), np.ndarray.tolist)

    def __init__(self, scale: ArrayLike, offset: ArrayLike = 0.0, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.scale = scale
        self.offset = offset

    def row_after(self, input_shape: Shape) -> Shape:
        self._constants(input_shape)
        return input_shape

    def _constants(self, row: Shape) -> Constants:
        return (("scale", _for_each_column("scale", self.scale, row)), ("offset", _for_each_column("offset", self.offset, row)))

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("rescaling", settings={"constants": self._constants(input_shape)}),)


class Normalization(Layer):
    """``(x - mean) / sqrt(variance)``, with a mean and variance that are passed, or learned by :meth:`adapt` before training.

    Args:
        axis: -1 for one mean and variance per feature; None for one mean and variance of all features, which must be known before the
            layer is used.
        mean: The mean, a number or an array; by default it is learned.
        variance: The variance, a number or an array; by default it is learned.
        invert: Whether to undo the normalization instead: ``x * sqrt(variance) + mean``.
        options: See :class:`Layer`.

    Raises:
        ValueError: Only one of mean and variance is given, or the variance is negative.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers, models
    >>> x = np.array([[0.0, 10.0], [2.0, 30.0]])
    >>> normalization = layers.Normalization()
    >>> normalization.adapt(x)
    >>> models.Sequential([normalization])(x)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """

    FLOOR = 1e-7
    """The minimum standard deviation, used for features with a constant value."""

    invert = Boolean()

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: ArrayLike | None = None,
        variance: ArrayLike | None = None,
        invert: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        given = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given == 0):
            raise UnsupportedError(f"Normalization(axis={axis!r}) is not in fastmlp; the axis is -1, or None with mean= and variance=")
        if (mean is None) != (variance is None):
            raise ValueError(f"give both mean and variance, or neither, got mean={mean!r:.40} and variance={variance!r:.40}")
        self._learns_one = given is None and mean is None
        self.axis = None if given is None else int(given)
        self.mean_given = None if mean is None else _numbers("mean", mean)
        self.variance_given = None if variance is None else _numbers("variance", variance)
        if self.mean_given is not None and self.variance_given is not None:
            if self.mean_given.shape != self.variance_given.shape:
                raise ValueError(f"mean has shape {self.mean_given.shape}, but variance {self.variance_given.shape}")
            if (self.variance_given < 0).any():
                raise ValueError(f"variance must not be negative, got {variance!r:.40}")
        self.invert = invert
        self.feature_names: tuple[str, ...] | None = None
        """The columns of the frame that :meth:`adapt` was called on; a model that starts with this layer selects them in other frames."""

    @property
    def mean(self) -> NDArray[np.floating] | None:
        """The mean in use; None before there is one."""
        return self._moment(0, self.mean_given)

    @property
    def variance(self) -> NDArray[np.floating] | None:
        """The variance in use; None before there is one."""
        return self._moment(1, self.variance_given)

    def _moment(self, index: int, given: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
        if given is not None:
            return as_native(given, np.float32).copy()
        return self._weights[index].read() if self.built else None

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        if self.mean_given is not None:
            return []
        shape = (axes.require_last("Normalization", self.axis or -1, input_shape),)
        return [
            Weight(self.name, "mean", shape, initializers.get("zeros"), trainable=False),
            Weight(self.name, "variance", shape, initializers.get("ones"), trainable=False),
        ]

    def adapt(self, data: ArrayLike | Iterable[ArrayLike | tuple[ArrayLike, ...]]) -> None:
        """Compute the mean and variance of each feature, which replace previous ones.

        Args:
            data: An array ``(samples, features)``, or an iterable of such batches, or of tuples whose first item is a batch.

        Raises:
            ValueError: The layer has a fixed mean and variance, there are no samples, or values are not finite.
        """
        if self.mean_given is not None and not self._learns_one:
            raise ValueError(f"layer {self.name!r} has a fixed mean and variance, so there is nothing to learn")
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        names: Sequence[Hashable] | None = None
        largest = 0.0
        for batch in batches_of(data):
            labels = choose_adapter(batch).feature_names
            if names and labels and labels != names:
                raise ValueError(f"adapt got batches with the columns {names!r:.80} and {labels!r:.80}")
            names = names or labels
            rows = _rows(batch, whole=self._learns_one)
            if not len(rows):
                continue
            with quiet():
                largest = max(largest, float(np.abs(rows).max()))
                batch_mean, batch_variance = rows.mean(axis=0), rows.var(axis=0)
                if count and batch_mean.shape != mean.shape:
                    raise ValueError(f"adapt got batches of {mean.size} and of {batch_mean.size} columns")
                count += len(rows)
                share = len(rows) / count
                difference = batch_mean - mean
                variance = variance * (1 - share) + batch_variance * share + difference**2 * share * (1 - share)
                mean = mean + difference * share
        if not count:
            raise ValueError("adapt got no samples; pass training data")
        with quiet():
            fits = all(np.isfinite(moment.astype(np.float32)).all() for moment in (mean, variance))
        if not fits:
            raise ValueError(
                f"the data have values as large as {largest:.3g}, so their mean or variance is beyond float32 (3.4e38); scale the data down"
            )
        if self._learns_one:
            if self.built:
                raise ValueError(f"layer {self.name!r} is part of a built model; with axis=None, call adapt before the layer is used")
            self.mean_given, self.variance_given = mean.reshape(()), variance.reshape(())
            return
        self.build_rows(mean.shape)
        for weight, value in zip(self._weights, (mean, variance), strict=True):
            weight.assign(value)
        self.feature_names = None if names is None else tuple(map(str, names))

    def row_after(self, input_shape: Shape) -> Shape:
        if self.axis is not None:
            axes.require_last("Normalization", self.axis, input_shape)
        if self._learns_one and self.mean_given is None:
            raise ValueError(f"layer {self.name!r} has no mean and variance yet: call adapt(data), or pass mean= and variance=")
        self._constants(input_shape)
        return input_shape

    def _constants(self, row: Shape) -> Constants:
        if self.mean_given is None or self.variance_given is None:
            return ()
        return (
            ("mean", _for_each_column("mean", self.mean_given, row)),
            ("variance", _for_each_column("variance", self.variance_given, row)),
        )

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        mode = "invert" if self.invert else ""
        settings = {"constants": self._constants(input_shape), "epsilon": self.FLOOR, "mode": mode}
        groups = 1 if settings["constants"] else math.prod(input_shape[:-1])
        return (Operation("normalization", groups=groups, settings=settings),)

    def get_config(self) -> Config:
        return super().get_config() | {
            "axis": self.axis,
            "mean": None if self.mean_given is None else self.mean_given.tolist(),
            "variance": None if self.variance_given is None else self.variance_given.tolist(),
        }


def batches_of(given: Any) -> Iterator[Any]:
    """Batches of rows from an array, or from anything that gives batches."""
    data = choose_adapter(given)
    is_array = hasattr(given, "shape") or hasattr(given, "to_numpy")
    if not is_array and isinstance(given, (list, tuple)) and given:
        is_array = _is_row(given[0])
    if not is_array and not isinstance(data, StreamAdapter) and not isinstance(given, Iterable):
        raise TypeError(f"adapt takes an array, or an iterable of batches, got {given!r:.60}")
    for batch in [given] if is_array else data if isinstance(data, StreamAdapter) else given:
        yield batch[0] if isinstance(batch, tuple) else batch


def _is_row(item: Any) -> bool:
    """Whether an item of a list is a row, as a list or a tuple, and not a batch of rows or a tuple that begins with one."""
    return np.ndim(item[0]) == 0 if isinstance(item, tuple) and item else np.ndim(item) < 2


def _rows(batch: ArrayLike, *, whole: bool = False) -> NDArray[np.float64]:
    """The rows of a batch, float64; with ``whole`` all its numbers, as one column."""
    rows = choose_adapter(batch).as_array("data")
    if whole:
        rows = rows.reshape(-1, 1)
    if rows.ndim != 2:
        raise ValueError(f"adapt takes (rows, columns), got shape {rows.shape}; reshape it: data.reshape(len(data), -1)")
    rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        r, c = np.argwhere(~np.isfinite(rows))[0]
        raise ValueError(f"data[{r}, {c}] is {rows[r, c]}; remove these rows or fill the gaps before adapt")
    return rows
