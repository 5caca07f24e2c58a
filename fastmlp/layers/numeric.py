"""Layers that encode numbers, which helps networks on tables: a Dense layer alone is slow to learn steps and thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import activations, initializers
from fastmlp._base.arguments import Converted, Integer, Real
from fastmlp._base.numeric import quiet
from fastmlp._base.shapes import Shape
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.tables.bins import checked_edges, edges_of
from fastmlp._graph.operation import Operation
from fastmlp._graph.weights import Weight
from fastmlp.activations import ActivationLike
from fastmlp.constraints import ConstraintLike
from fastmlp.initializers import Initializer, InitializerLike
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight
from fastmlp.layers.preprocessing import batches_of
from fastmlp.regularizers import RegularizerLike

__all__ = ["PeriodicEmbedding", "PiecewiseLinearEmbedding", "PiecewiseLinearEncoding"]

Edges = tuple[float, ...]

MAX_BINS = 255
"""The maximum number of bins of a feature in an embedding; the engine's limit."""


def _checked_edges(given: object) -> tuple[Edges, ...]:
    """Edges that were passed to the constructor, rounded to float32."""
    if not isinstance(given, (list, tuple, np.ndarray)):
        raise TypeError(f"edges must be a list with the edges of each feature, got {given!r:.80}")
    return tuple(checked_edges(f"edges[{index}]", edges) for index, edges in enumerate(given))


def _as_lists(edges: tuple[Edges, ...] | None) -> list[list[float]] | None:
    return None if edges is None else [list(part) for part in edges]


class _Binned(Layer):
    """Base class of layers that read numbers in bins."""

    in_keras = False

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
            before = self._known_edges()
            if len(edges) != len(before) or self._sizes(edges) != self._sizes(before):
                raise RuntimeError(
                    f"layer {self.name!r} is part of a model and reads {len(before)} features in {_width(before)} bins, but this data has "
                    f"{len(edges)} features in {_width(edges)} bins; make a new layer and a new model"
                )
        else:
            changes |= {"input_row": None, "output_row": None}
        names = parts[0][0]
        self._take_effect(changes | {"feature_names": None if names is None else tuple(map(str, names))})

    def _sizes(self, edges: tuple[Edges, ...]) -> object:
        """What shapes of weights and outputs depend on."""
        return _width(edges)

    def _edges_for(self, input_shape: Shape) -> tuple[Edges, ...]:
        """The edges, of samples of this shape."""
        edges, features = self._known_edges(), self.require_vector(input_shape)
        if len(edges) != features:
            raise ValueError(f"layer {self.name!r} has edges for {len(edges)} features, but samples have {features}")
        if not any(edges):
            raise ValueError(f"layer {self.name!r} has no bins: pass edges of at least one feature")
        return edges

    def _known_edges(self) -> tuple[Edges, ...]:
        if self.edges is None:
            raise ValueError(f"layer {self.name!r} has no edges yet: call adapt(data), or pass edges=")
        return self.edges


class PiecewiseLinearEncoding(_Binned):
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

    weightless = True

    def row_after(self, input_shape: Shape) -> Shape:
        return (_width(self._edges_for(input_shape)),)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        return (Operation("piecewise_linear", settings={"edges": self._known_edges()}),)


class PiecewiseLinearEmbedding(_Binned):
    """Replaces each feature by a learned vector, the activation of a piecewise linear function with bends at the edges of bins.

    It is the same as a :class:`PiecewiseLinearEncoding` followed by a Dense layer for each feature of its own, but its time does not depend
    on the number of bins. Samples ``(features,)`` become ``(features, dim)``; put a Flatten between it and a Dense layer. Features without
    edges are left out. A missing value, NaN, becomes the activation of the bias. No gradient passes through the layer to what is before it.

    Gorishniy, Rubachev, Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning".

    Args:
        dim: The size of each vector, ≥ 1.
        num_bins: See :class:`PiecewiseLinearEncoding`; at most 255.
        edges: See :class:`PiecewiseLinearEncoding`.
        activation: Applied to the vectors, elementwise.
        embeddings_initializer: Initializer of the table ``(Σ (1 + bins), dim)``, which has the bias of each feature, then a row for each of
            its bins. By default uniform within ±1/√bins, with the mean number of bins.
        embeddings_regularizer: Penalty on the table added to the loss: ``"l2"``, …
        embeddings_constraint: Constraint applied to the table after each update: ``"max_norm"``, …
        options: See :class:`Layer`.

    Raises:
        ValueError: Edges do not ascend; or, when the layer is built, they do not fit the features, or are not known yet.

    Example:

    >>> import numpy as np
    >>> from fastmlp import layers, models
    >>> x = np.random.default_rng(0).normal(size=(1000, 3))
    >>> embedding = layers.PiecewiseLinearEmbedding(dim=8, num_bins=16)
    >>> embedding.adapt(x)
    >>> model = models.Sequential([embedding, layers.Flatten(), layers.Dense(1)])
    >>> model(x[:2]).shape, embedding.output_shape
    ((2, 1), (None, 3, 8))
    """

    ruled = ("embeddings",)
    embeddings = LayerWeight("The table ``(Σ (1 + bins), dim)``, a :class:`~fastmlp.Variable`.")

    dim = Integer()
    activation = Converted(activations.get, activations.serialize)
    embeddings_initializer = Converted(initializers.get, initializers.serialize, optional=True, omit=None)

    def __init__(
        self,
        dim: int,
        num_bins: int = 32,
        edges: Sequence[ArrayLike] | None = None,
        activation: ActivationLike = "relu",
        embeddings_initializer: InitializerLike | None = None,
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        rules = {"embeddings_regularizer": embeddings_regularizer, "embeddings_constraint": embeddings_constraint}
        super().__init__(num_bins, edges, **rules, **options)
        self.dim, self.activation, self.embeddings_initializer = dim, activation, embeddings_initializer
        if not self.activation.elementwise:
            raise ValueError(f"the activation must be elementwise, got {activation!r}; add it as a layer")
        most = max(map(len, self.edges or ()), default=0)
        if max(num_bins, most - 1) > MAX_BINS:
            raise ValueError(f"a feature can have up to {MAX_BINS} bins, got {max(num_bins, most - 1)}")

    def _sizes(self, edges: tuple[Edges, ...]) -> object:
        return rows_of_table(edges), sum(map(bool, edges))

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        edges = self._edges_for(input_shape)
        return [self.new_weight("embeddings", (rows_of_table(edges), self.dim), self.embeddings_initializer or table_initializer(edges))]

    def row_after(self, input_shape: Shape) -> Shape:
        return (sum(map(bool, self._edges_for(input_shape))), self.dim)

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        edges = self._known_edges()
        return (Operation("piecewise_linear_embedding", settings={"edges": edges}), Operation("activation", self.activation))


def rows_of_table(edges: Iterable[Edges]) -> int:
    """The rows of the table of an embedding: a bias and one for each bin of each feature."""
    return sum(map(len, edges))


def table_initializer(edges: Iterable[Edges]) -> Initializer:
    """The default initializer of an embedding's table: as of a dense layer for each feature in PyTorch."""
    counts = [len(part) - 1 for part in edges if part]
    limit = (len(counts) / max(sum(counts), 1)) ** 0.5
    return initializers.RandomUniform(-limit, limit)


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
