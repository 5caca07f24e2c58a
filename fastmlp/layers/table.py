"""The layer that encodes the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import numpy as np

from fastmlp import activations, initializers
from fastmlp._base import settings
from fastmlp._base.arguments import Converted, Integer
from fastmlp._base.configs import Config, StoredConfig
from fastmlp._base.shapes import Shape
from fastmlp._data.tables import constants
from fastmlp._data.tables.column_schema import KINDS, ColumnSchema
from fastmlp._data.tables.read_rows import ReadTable
from fastmlp._data.tables.schema import TableSchema
from fastmlp._engine.spec import Constant
from fastmlp._graph import symbolic
from fastmlp._graph.operation import Operation, parallel
from fastmlp._graph.weights import Weight
from fastmlp.layers.base import Layer, LayerOptions, LayerWeight
from fastmlp.layers.numeric import MAX_BINS, rows_of_table, table_initializer

__all__ = ["TableEncoder"]


_UNUSED = {
    "constant": "nothing, it is constant",
    "unique": "nothing, no category is repeated",
    "dropped": "nothing, it is dropped",
}


def _kinds(given: Mapping[Any, str] | None) -> dict[str, str]:
    if not isinstance(given, Mapping) or not all(kind in (*KINDS, "drop") for kind in given.values()):
        raise ValueError(f"kinds must map names of columns to {', '.join(map(repr, KINDS))} or 'drop', got {given!r:.80}")
    return {str(name): kind for name, kind in given.items()}


class TableEncoder(Layer):
    """Encodes the columns of a table: numbers, booleans, categories and dates, with or without missing values. The first layer of a model.

    :meth:`adapt` learns the columns of a table: their names and kinds, the range of numbers, the categories. A model whose first layer is
    adapted takes tables in ``fit``, ``evaluate``, ``predict`` and ``model(x)``: frames of pandas, polars and pyarrow, dicts of columns,
    lists of dicts or rows, arrays. It finds columns by their names, whatever their order, and ignores others. Files of the model hold all
    that was learned.

    ==============================  =================================================================================================
    column                          becomes
    ==============================  =================================================================================================
    numbers, booleans, dates, ...   a number, standardized and smoothly clipped to ±10; 0 where it is missing
    numbers with missing values     also a column that is 1 where they are missing
    numbers, of 2,000 samples       also a vector that is trained, a function with bends at the edges of up to ``bins`` bins; see
                                    :class:`PiecewiseLinearEmbedding`
    up to 8 categories              one-hot; all 0 for an unknown category
    more categories                 a vector that is trained; unknown categories share one with those seen only once
    constants, names                nothing
    ==============================  =================================================================================================

    A missing category is a category of its own if there were any in the table. Booleans count as 0 and 1, dates as days since the earliest
    one, durations in days. Strings are categories; :meth:`adapt` warns if nearly all of them are numbers.

    Args:
        bins: The maximum number of bins of a number. By default 32 if the table has at least 2,000 rows, otherwise there are none; 0 for
            none.
        bin_dim: The size of the vectors of numbers in bins, after a ReLU; 0 for a column for each bin instead, as of
            :class:`PiecewiseLinearEncoding`.
        max_one_hot: The maximum number of categories of a column that is encoded one-hot.
        embedding_dim: The size of the vectors of categories.
        kinds: The kinds of some columns by name, instead of those that :meth:`adapt` guesses: ``{"zip": "category", "id": "drop"}``. There
            are ``"number"``, ``"boolean"``, ``"category"``, ``"date"``, ``"duration"``, and ``"drop"`` to leave a column out.
        schema: What was learned, as :meth:`get_config` returns it.
        options: See :class:`Layer`; also ``embeddings_regularizer`` and ``embeddings_constraint``.

    Example:

    >>> from fastmlp import layers, models
    >>> table = {"age": [31, 39, None, 23], "city": ["Rome", "Oslo", "Rome", None]}
    >>> encoder = layers.TableEncoder()
    >>> encoder.adapt(table)
    >>> encoder({"city": ["Oslo", "Bern"], "age": [31, None]})
    array([[0., 0., 1., 0., 0.],
           [0., 1., 0., 0., 0.]], dtype=float32)
    >>> model = models.Sequential([encoder, layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")])
    >>> model.compile("adam", "binary_crossentropy")
    >>> history = model.fit(table, [1, 0, 0, 1], verbose=0)
    >>> model({"age": 50, "city": "Rome"}).shape
    (1, 1)
    """

    in_keras = False
    ruled = ("embeddings",)
    embeddings = LayerWeight("The vectors of categories ``(categories, embedding_dim)``; None if no column has that many categories.")
    number_embeddings = LayerWeight("The table of numbers ``(Σ (1 + bins), bin_dim)``, see PiecewiseLinearEmbedding; None without bins.")

    bins = Integer(0, MAX_BINS, optional=True)
    bin_dim = Integer(0)
    max_one_hot = Integer(0)
    embedding_dim = Integer()
    kinds = Converted(_kinds, optional=True)

    def __init__(
        self,
        bins: int | None = None,
        bin_dim: int = constants.BIN_DIM,
        max_one_hot: int = constants.MAX_ONE_HOT,
        embedding_dim: int = constants.EMBEDDING_DIM,
        kinds: Mapping[str, str] | None = None,
        schema: StoredConfig | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.bins, self.bin_dim, self.max_one_hot, self.embedding_dim, self.kinds = bins, bin_dim, max_one_hot, embedding_dim, kinds
        self._schema: TableSchema | None = None
        if schema is not None:
            self._begin(TableSchema.from_config(schema))

    def _begin(self, schema: TableSchema) -> None:
        """Build the layer for a table."""
        self._schema, self.input_row, self.output_row, self._weights = schema, None, None, []
        self.build_rows((schema.width,))

    def adapt(self, data: Any) -> None:
        """Learn the columns of a table, which replace those learned before.

        Args:
            data: The table, usually the training data: a frame, a dict of columns, a list of dicts or of rows, or an array.

        Raises:
            TypeError: It is no table, or a column holds values that no column can hold.
            ValueError: It has no rows or no column that varies, lacks a column in ``kinds``, or a number is infinite.
            RuntimeError: The layer is part of a model, whose shapes would change.
        """
        schema = TableSchema.learn(data, kinds=self.kinds, bins=self.bins, max_one_hot=self.max_one_hot)
        if self.models or self.calls:
            before, after = self._sizes(self._learned()), self._sizes(schema)
            if before != after:
                raise RuntimeError(
                    f"layer {self.name!r} is part of a model and reads {before[0]} columns, which become {before[1]}, with {before[2]} "
                    f"vectors of categories, but of this table {after[0]}, which become {after[1]}, with {after[2]} vectors; make a new "
                    "layer and a new model"
                )
            self._take_effect({"_schema": schema})
        else:
            self._begin(schema)

    @property
    def feature_names(self) -> list[str] | None:
        """The names of the columns of the table; None before :meth:`adapt`, and if they have no names."""
        return list(self._schema.names) if self._schema is not None and self._schema.named else None

    @property
    def input_names(self) -> tuple[str, ...] | None:
        """The names of the columns of the table in the order in which a model reads them: numbers, then categories."""
        return self._schema.order if self._schema is not None and self._schema.named else None

    def describe(self) -> list[dict[str, Any]]:
        """The columns of the table, in order: ``name``, ``kind``, ``missing`` (whether there were missing values), ``categories`` (their
        number), ``columns`` (how many columns it becomes) and ``becomes``, which says what they are."""
        return [
            {
                "name": column.name,
                "kind": column.kind,
                "missing": column.missing,
                "categories": len(column.categories),
                "columns": self._columns_of(column),
                "becomes": self._becomes(column),
            }
            for column in self._learned().columns
        ]

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the columns of the table, their kinds and what they become.

        Args:
            print_fn: Gets each line instead of the standard output.

        Example:

        >>> from fastmlp import layers
        >>> encoder = layers.TableEncoder()
        >>> encoder.adapt({"age": [31, 45, None], "city": ["Rome", "Oslo", "Rome"], "country": ["x", "x", "x"]})
        >>> encoder.summary()
        column   kind      becomes
        age      number    scaled, missing or not
        city     category  one-hot, 2 categories
        country  category  nothing, it is constant
        """
        rows = [("column", "kind", "becomes"), *((row["name"], row["kind"], row["becomes"]) for row in self.describe())]
        widths = [max(len(row[index]) for row in rows) for index in (0, 1)]
        for name, kind, becomes in rows:
            print_fn(f"{name:{widths[0]}}  {kind:{widths[1]}}  {becomes}")

    def _becomes(self, column: ColumnSchema) -> str:
        if column.encoding == "numeric":
            vector = f"vector of {self.bin_dim} in " if self.bin_dim else ""
            bins = f", {vector}{len(column.edges) - 1} bins" if column.edges else ""
            return f"scaled{', missing or not' if column.missing else ''}{bins}"
        count = f"{len(column.categories)} categories{' with missing' if column.missing else ''}"
        encodings = {"one_hot": f"one-hot, {count}", "embedded": f"vectors of {self.embedding_dim}, {count}", **_UNUSED}
        return encodings[column.encoding]

    def _columns_of(self, column: ColumnSchema) -> int:
        """The number of columns that a column of the table becomes."""
        if column.encoding == "numeric":
            return 1 + column.missing + (self.bin_dim or len(column.edges) - 1 if column.edges else 0)
        return {"one_hot": column.codes, "embedded": self.embedding_dim}.get(column.encoding, 0)

    def _sizes(self, schema: TableSchema) -> tuple[int, int, int]:
        """The numbers of columns of the input and of the output, and of vectors, on which a model depends."""
        return schema.width, sum(map(self._columns_of, schema.columns)), sum(column.codes for column in schema.embedded)

    def _learned(self) -> TableSchema:
        if self._schema is None:
            raise ValueError(f"layer {self.name!r} has not learned a table yet: call encoder.adapt(table) with the training data first")
        return self._schema

    def read_table(self, table: Any, title: str = "x", *, single: bool = False) -> np.ndarray:
        """A table as the samples ``(samples, columns)`` that the layer reads in a model.

        Args:
            table: The table.
            title: What to call it in messages.
            single: Whether a list or an array with one axis is a single sample if it has as many values as the table has columns.

        Raises:
            TypeError: It is no table.
            ValueError: It lacks columns, or a value is of another kind than in the table that was learned; the message says where.
        """
        return table.view(np.ndarray) if isinstance(table, ReadTable) else self._learned().read(table, title, single=single)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """The encoded columns of a table, float32 ``(samples, columns)``; or a tensor, for the tensor of an ``Input``."""
        if symbolic.holds_any_tensor(inputs):
            return super().__call__(inputs, **options)
        return super().__call__(self.read_table(inputs, "the table", single=True), **options)

    def check_in_model(self) -> None:
        self._learned()

    def row_after(self, input_shape: Shape) -> Shape:
        schema = self._learned()
        if input_shape != (schema.width,):
            raise ValueError(
                f"layer {self.name!r} reads samples of shape ({schema.width},), one number for each column of the table that varies, got "
                f"{input_shape}; begin the model with it, or with Input(({schema.width},)) before it"
            )
        return (self._sizes(schema)[1],)

    def make_weights(self, input_shape: Shape) -> list[Weight]:
        schema = self._learned()
        weights = []
        if vectors := self._sizes(schema)[2]:
            weights.append(self.new_weight("embeddings", (vectors, self.embedding_dim), initializers.get("uniform")))
        edges = [column.edges for column in schema.numbers]
        if self.bin_dim and (rows := rows_of_table(edges)):
            weights.append(self.new_weight("number_embeddings", (rows, self.bin_dim), table_initializer(edges)))
        return weights

    def operations(self, input_shape: Shape) -> tuple[Operation, ...]:
        schema = self._learned()
        numbers, one_hot, embedded = map(len, (schema.numbers, schema.one_hot, schema.embedded))
        branches: list[tuple[Operation, ...]] = []  # those with few columns first: a concatenation copies what is before it
        if numbers:
            scaling = tuple(
                (role, Constant(tuple(getattr(column, role) for column in schema.numbers), (numbers,), (numbers,)))
                for role in ("center", "scale")
            )
            fields = {"constants": scaling, "max_value": constants.LIMIT}
            branches.append((_columns(0, numbers), Operation("robust_scaling", settings=fields)))
        if incomplete := tuple(index for index, column in enumerate(schema.numbers) if column.missing):
            branches.append((_columns(0, numbers), Operation("missing", settings={"gathered": incomplete})))
        if one_hot:
            count = sum(column.codes for column in schema.one_hot)
            fields = {"mode": "multi_hot", "tokens": count, "drops": True}
            branches.append((_columns(numbers, one_hot), Operation("category_encoding", settings=fields, weights=(), columns=count)))
        if embedded:
            width = embedded * self.embedding_dim
            branches.append((_columns(numbers + one_hot, embedded), Operation("embedding", weights=("embeddings",), columns=width)))
        edges = tuple(column.edges for column in schema.numbers)
        if any(edges):
            branches.append((_columns(0, numbers), *self._in_bins(edges)))
        return (parallel(*branches),)

    def _in_bins(self, edges: tuple[tuple[float, ...], ...]) -> tuple[Operation, ...]:
        if not self.bin_dim:
            return (Operation("piecewise_linear", settings={"edges": edges}),)
        columns = sum(map(bool, edges)) * self.bin_dim
        settings = {"edges": edges, "roles": ("embeddings",)}
        embedding = Operation("piecewise_linear_embedding", settings=settings, weights=("number_embeddings",), columns=columns)
        return embedding, Operation("activation", activations.relu)

    def _change_setting(self, name: str, value: object) -> None:
        settings.Guarded._change_setting(self, name, value)

    def get_config(self) -> Config:
        return super().get_config() | {"schema": None if self._schema is None else self._schema.get_config()}


def _columns(first: int, count: int) -> Operation:
    return Operation("gather", settings={"gathered": np.arange(first, first + count)})
