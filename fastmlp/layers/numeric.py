"""Layers that encode numbers, which helps networks on tables: a Dense layer alone is slow to learn steps and thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import initializers
from fastmlp._base.arguments import Converted, Integer, Real
from fastmlp._base.numeric import quiet
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.tables.bins import checked_edges, edges_of
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight
from fastmlp.layers.preprocessing import batches_of

__all__ = ["PeriodicEmbedding", "PiecewiseLinearEncoding"]

Edges = tuple[float, ...]


def _checked_edges(given: object) -> tuple[Edges, ...]:
    """Edges that were passed to the constructor, rounded to float32."""
    if not isinstance(given, (list, tuple, np.ndarray)):
        raise TypeError(f"edges must be a list with the edges of each feature, got {given!r:.80}")
    return tuple(checked_edges(f"edges[{index}]", edges) for index, edges in enumerate(given))


def _as_lists(edges: tuple[Edges, ...] | None) -> list[list[float]] | None:
    return None if edges is None else [list(part) for part in edges]


class PiecewiseLinearEncoding(Layer):
    """Replaces each feature by its places in bins: 1 in the bins below the value, 0 in those above it, linear from 0 to 1 in its own.

    For edges e₀ < e₁ < … < e_B, the outputs are ``(x − e_b) / (e_b₊₁ − e_b)``, b = 0 … B − 1, clipped to [0, 1]. The first is clipped to
    [−1, 1] instead, the last to [0, 2], so that values outside of the bins can be told apart. A missing value, NaN, becomes 0 in all bins.
    A linear layer on top is a piecewise linear function of each feature, which has bends where the data are dense.

    Samples ``(features,)`` become ``(Σ bins,)``; the outputs of the first feature come first. A feature with two values has one bin, a
    constant one has none. No gradient passes through the layer, so layers before it can't be trained: it usually is the first.

    Gorishniy, Rubachev, Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning".

    Args:
        num_bins: The maximum number of bins of each feature that :meth:`adapt` finds, ≥ 1.
        edges: The edges of the bins of each feature: ascending numbers, at least two, or none for a feature to leave out. By default
            :meth:`adapt` finds them.
        options: See :class:`Layer`.

    Raises:
        ValueError: Edges do not ascend; or, when the layer is built, they do not fit the features, or are not known yet.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers
    >>> encoding = layers.PiecewiseLinearEncoding(num_bins=2)
    >>> encoding.adapt(np.array([[0.0], [1.0], [3.0]]))
    >>> encoding([[0.5], [2.0], [4.0], [np.nan]])
    array([[0.5, 0. ],
           [1. , 0.5],
           [1. , 1.5],
           [0. , 0. ]], dtype=float32)
    """

    in_keras = False
    weightless = True

    num_bins = Integer()
    edges = Converted(_checked_edges, _as_lists, optional=True)

    def __init__(self, num_bins: int = 32, edges: Sequence[ArrayLike] | None = None, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.num_bins = num_bins
        self.edges = edges
        self.feature_names: tuple[str, ...] | None = None
        """The columns of the frame that :meth:`adapt` was called on; a model that starts with this layer selects them in other frames."""

    def adapt(self, data: ArrayLike | Iterable[ArrayLike | tuple[ArrayLike, ...]]) -> None:
        """Find the edges of each feature's bins, which replace previous ones.

        Args:
            data: An array ``(samples, features)``, or an iterable of such batches, or of tuples whose first item is a batch. NaN does not
                count.

        Raises:
            ValueError: There are no samples, no feature has two values, or values are infinite.
            RuntimeError: The layer is part of a model, and the number of bins would change.
        """
        parts = [(choose_adapter(batch).feature_names, _rows(batch)) for batch in batches_of(data)]
        rows = np.concatenate([part for _, part in parts]) if parts else np.zeros((0, 0), np.float32)
        if not rows.size:
            raise ValueError("adapt got no samples; pass training data")
        edges = tuple(edges_of(column, self.num_bins) for column in rows.T)
        if not any(edges):
            raise ValueError("no feature of the data has two different values, so there are no bins")
        changes: dict[str, Any] = {"edges": edges}
        if self.models or self.calls:
            if (len(edges),) != self.input_row or (_width(edges),) != self.output_row:
                raise RuntimeError(
                    f"layer {self.name!r} is part of a model and maps samples of shape {self.input_row} to {self.output_row}, but for this "
                    f"data it would map ({len(edges)},) to ({_width(edges)},); make a new layer and a new model"
                )
        else:
            changes |= {"input_row": None, "output_row": None}
        names = parts[0][0]
        self._take_effect(changes | {"feature_names": None if names is None else tuple(map(str, names))})

    def row_after(self, input_shape: Shape) -> Shape:
        edges, features = self._known_edges(), self.require_vector(input_shape)
        if len(edges) != features:
            raise ValueError(f"layer {self.name!r} has edges for {len(edges)} features, but samples have {features}")
        if not any(edges):
            raise ValueError(f"layer {self.name!r} has no bins: pass edges of at least one feature")
        return (_width(edges),)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("piecewise_linear", settings={"edges": self._known_edges()}),)

    def _known_edges(self) -> tuple[Edges, ...]:
        if self.edges is None:
            raise ValueError(f"layer {self.name!r} has no edges yet: call adapt(data), or pass edges=")
        return self.edges


def _width(edges: Iterable[Edges]) -> int:
    return sum(len(part) - 1 for part in edges if part)


def _rows(batch: ArrayLike) -> NDArray[np.float32]:
    """The rows of a batch as float32, with NaN."""
    array = choose_adapter(batch).as_array("data")
    if array.ndim != 2:
        raise ValueError(f"adapt takes (samples, features), got shape {array.shape}; reshape it: data.reshape(len(data), -1)")
    with quiet():
        rows = array.astype(np.float32)
    if np.isinf(rows).any():
        r, c = np.argwhere(np.isinf(rows))[0]
        raise ValueError(f"data[{r}, {c}] is {array[r, c]}; remove these samples, or replace the values by NaN")
    return rows


class PeriodicEmbedding(Layer):
    """Replaces each feature by sines and cosines of its multiples, whose frequencies are learned.

    Samples ``(features,)`` become ``(features, 2·frequencies)``: for the feature x with coefficients c₁ … c_k, ``sin(2π·c₁·x)``, …,
    ``sin(2π·c_k·x)``, then the cosines. With a Dense layer along the last axis and a Flatten on top, this is the embedding "PLR (lite)" of
    the paper. Features should have about mean 0 and variance 1: put a Normalization before it.

    Gorishniy, Rubachev, Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning".

    Args:
        frequencies: The number of coefficients of each feature, ≥ 1.
        sigma: The standard deviation of the normal distribution that the coefficients are drawn from, > 0. The larger, the faster the
            outputs change with the feature. The most important argument to tune, from 0.01 to 10.
        options: See :class:`Layer`.

    Example:

    >>> from fastmlp import layers, models
    >>> stack = [layers.PeriodicEmbedding(16, sigma=0.1), layers.Dense(8, "relu"), layers.Flatten(), layers.Dense(1)]
    >>> model = models.Sequential([layers.Input((5,)), layers.Normalization(), *stack])
    >>> model.layers[1].output_shape
    (None, 5, 32)
    """

    in_keras = False
    coefficients = LayerWeight("The coefficients ``(features, frequencies)``, a :class:`~fastmlp.Variable`.")

    frequencies = Integer()
    sigma = Real(above=0)

    def __init__(self, frequencies: int = 16, sigma: float = 0.1, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.frequencies, self.sigma = frequencies, sigma

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        shape = (self.require_vector(input_shape), self.frequencies)
        return [self.new_weight("coefficients", shape, initializers.RandomNormal(stddev=self.sigma))]

    def row_after(self, input_shape: Shape) -> Shape:
        return (self.require_vector(input_shape), 2 * self.frequencies)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("periodic"),)
