"""Tables as samples of estimators: with strings, categories, dates or missing values, which a TableEncoder reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import _check_feature_names, _check_y, _num_samples, validate_data

from fastmlp import layers
from fastmlp._base.seeding import seeded
from fastmlp._data.adapters import choose_adapter
from fastmlp._data.tables.columns import read_column
from fastmlp._data.tables.read_rows import ReadTable
from fastmlp._data.tables.source import open_table
from fastmlp.layers import TableEncoder
from fastmlp.models import Model, Sequential
from fastmlp.sklearn._data import as_float32

__all__ = ["TableReader", "adapted", "holds_only_numbers", "reads_table", "take", "validate_table"]

_PREFIX = "encoder__"


def holds_only_numbers(x: Any) -> bool:
    """Whether all values of a frame are numbers or booleans, and none is missing; also if it is no frame."""
    columns = choose_adapter(x).columns()
    return columns is None or all(_is_complete(f"column {label!r} of X", column) for label, column in columns)


def reads_table(model: Model) -> bool:
    """Whether a model begins with an encoder."""
    return bool(model._tables())


def _is_complete(label: str, column: Any) -> bool:
    read = read_column(label, column)
    return read.content == "booleans" or (read.content == "numbers" and not np.isnan(read.array).any())


def take(table: Any, which: np.ndarray) -> Any:
    """The samples of a table with these indices, as a table of the same kind."""
    if isinstance(table, Mapping):
        return {name: take(column, which) for name, column in table.items()}
    if isinstance(table, (list, tuple)):
        return [table[index] for index in which]
    return choose_adapter(table).take(which)


def validate_table(estimator: Any, x: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
    """A table as it is, and the targets as an array.

    Args:
        estimator: The estimator.
        x: The table.
        y: The targets.
        reset: Whether to learn the number of columns and their names. Otherwise the encoder compares them.

    Raises:
        TypeError: ``x`` is no table.
        ValueError: There are no targets, or not one for each sample.
    """
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None")
    table = open_table(x, "X")
    y = _check_y(y, multi_output=True, y_numeric=not is_classifier(estimator), estimator=estimator)
    if table.samples != _num_samples(y):
        raise ValueError(f"X has {table.samples} samples, but y has {_num_samples(y)} targets; pass one target for each sample")
    if reset:
        _check_feature_names(estimator, x, reset=True)
        estimator.n_features_in_ = table.count
    return x, y


def adapted(settings: Any, table: Any, seed: int) -> TableEncoder:
    """A new encoder for a table, whose initial vectors are drawn from ``seed``; with the settings of another, if that is passed."""
    with seeded(seed):
        encoder = _encoder_like(settings)
        encoder.adapt(table)
    return encoder


def _encoder_like(given: Any, **changed: Any) -> TableEncoder:
    """A new encoder with the settings of another, if that is passed, but for those that are changed."""
    config = given.get_config() if isinstance(given, TableEncoder) else {}
    return TableEncoder.from_config({**config, "schema": None, **changed})


class TableReader(BaseEstimator):
    """An estimator with a parameter ``encoder``, whose network begins with that encoder if it is trained on a table."""

    encoder: Any
    n_features_in_: int
    _model: Sequential
    _encoder: TableEncoder | None = None  # the encoder of the network that fit is going to build

    @property
    def encoder_(self) -> TableEncoder | None:
        """The encoder of the columns, adapted to the training samples; None if the network reads numbers as they are."""
        if "_model" in vars(self):
            first = self._model.layers[0]
            return first if isinstance(first, TableEncoder) else None
        raise AttributeError(f"this {type(self).__name__} has no encoder yet; call fit first")

    def set_params(self, **params: Any) -> Self:
        """Set parameters, such as ``alpha=0.01``; a setting of the encoder, such as ``encoder__bins=16``, makes ``encoder`` a TableEncoder.

        Returns
        -------
        self : object
            The estimator.
        """
        nested = {name: value for name, value in params.items() if name.startswith(_PREFIX)}
        super().set_params(**{name: value for name, value in params.items() if name not in nested})
        if nested:
            self.encoder = _encoder_like(self.encoder, **{name.removeprefix(_PREFIX): value for name, value in nested.items()})
        return self

    def _begins_with_table(self, x: Any) -> bool:
        """Whether a network that is trained on these samples begins with an encoder."""
        if self.encoder is None or isinstance(self.encoder, str):
            return self.encoder == "table" or (self.encoder == "auto" and not holds_only_numbers(x))
        return True

    def _validate_input(self, x: Any, y: Any, reset: bool, table: bool) -> tuple[Any, Any]:
        """The samples and targets of ``fit``, checked; a table stays as it is."""
        if table:
            return validate_table(self, x, y, reset=reset)
        numeric = not is_classifier(self)
        with self._advising_encoder():
            return validate_data(
                self, x, y, accept_sparse="csr", multi_output=True, y_numeric=numeric, dtype=(np.float64, np.float32), reset=reset
            )

    @contextmanager
    def _advising_encoder(self) -> Iterator[None]:
        """Adds the parameter ``encoder`` to the message of scikit-learn about strings and missing values."""
        try:
            yield
        except ValueError as error:
            if "could not convert string" in str(error) or "Input X contains NaN" in str(error):
                fitted = " and was fitted on numbers" if "_model" in vars(self) else ""
                advice = f'fit it with encoder="table" to read strings and missing values; it has encoder={self.encoder!r}{fitted}'
                raise ValueError(f"{error}\n{type(self).__name__}: {advice}") from error
            raise

    def _first_width(self) -> int:
        """The number of columns that the first dense layer of a new network reads."""
        return self.n_features_in_ if self._encoder is None else sum(column["columns"] for column in self._encoder.describe())

    def _first_layer(self) -> Any:
        """The first layer of a new network: an input for numbers, or an encoder."""
        if "_model" not in vars(self):
            return layers.Input(shape=(self.n_features_in_,)) if self._encoder is None else self._encoder
        encoder = self.encoder_
        return layers.Input(shape=(self.n_features_in_,)) if encoder is None else TableEncoder.from_config(encoder.get_config())

    def _read(self, x: Any, title: str) -> Any:
        """Samples as the network reads them."""
        encoder = self._encoder if "_model" not in vars(self) else self.encoder_
        return as_float32(x) if encoder is None else encoder.read_table(x, title).view(ReadTable)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        reads_any = self.encoder == "table" or isinstance(self.encoder, TableEncoder)
        tags.input_tags.sparse = not reads_any
        tags.input_tags.string = tags.input_tags.categorical = tags.input_tags.allow_nan = reads_any
        return tags
