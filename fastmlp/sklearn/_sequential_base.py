"""What the estimators of any model share: parameters, building and training the model, predictions."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp import losses, optimizers
from fastmlp._base.seeding import seeded
from fastmlp._training.advice import SCORES, output_form
from fastmlp._training.validation import split_point
from fastmlp.losses import Loss
from fastmlp.models import Model, clone_model
from fastmlp.sklearn._data import SEEDS, as_float32
from fastmlp.sklearn._tables import holds_only_numbers, reads_table, take, validate_table

__all__ = ["SequentialEstimator"]

ROUTES = ("model", "optimizer", "loss")
"""Parameters that pass further ones on, as ``optimizer__learning_rate``."""


class SequentialEstimator(BaseEstimator, ABC):
    """The base class of both estimators."""

    n_features_in_: int

    def __init__(
        self,
        model: Model | Callable[..., Model],
        *,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        epochs: int = 10,
        batch_size: int = 32,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        random_state: Any = None,
        **routed: Any,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.shuffle = shuffle
        self.callbacks = callbacks
        self.verbose = verbose
        self.warm_start = warm_start
        self.random_state = random_state
        self._routed: dict[str, Any] = {}
        self._route(routed)

    # Parameters

    def _route(self, given: dict[str, Any]) -> None:
        for name in given:
            target, separator, _ = name.partition("__")
            if not separator or target not in ROUTES:
                known = ", ".join([*self._get_param_names(), *(f"{route}__…" for route in ROUTES)])
                raise ValueError(f"Invalid parameter {name!r} for estimator {type(self).__name__}. Valid parameters are: {known}.")
        self._routed.update(given)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, with those that are passed on to the model, the optimizer or the loss.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parameters that are estimators.

        Returns
        -------
        params : dict
            Names and values.
        """
        return {**super().get_params(deep), **self._routed}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, such as ``epochs=5``, ``optimizer__learning_rate=0.01`` or ``model__units=64``.

        Returns
        -------
        self : object
            The estimator.
        """
        routed = {name: value for name, value in params.items() if "__" in name or name not in self._get_param_names()}
        self._route(routed)
        super().set_params(**{name: value for name, value in params.items() if name not in routed})
        return self

    def _routed_to(self, target: str) -> dict[str, Any]:
        return {name.partition("__")[2]: value for name, value in self._routed.items() if name.startswith(f"{target}__")}

    # Differences between a classifier and a regressor

    @abstractmethod
    def _read_targets(self, y: Any, reset: bool) -> np.ndarray:
        """The encoded targets; with ``reset``, learns the classes first."""

    @abstractmethod
    def _sizes(self, encoded: np.ndarray) -> dict[str, int]:
        """The sizes that a function that builds the model may ask for."""

    @abstractmethod
    def _default_loss(self, outputs: int, *, scores: bool) -> Any:
        """The loss for a model with so many outputs, which may be scores."""

    @abstractmethod
    def _targets(self, encoded: np.ndarray) -> np.ndarray:
        """Targets as the loss reads them."""

    def _class_weights(self, y: Any) -> np.ndarray | None:
        """The weight of each sample by its class."""
        return None

    # Training

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Self:
        """Train a new model, or with ``warm_start`` the model of the last call, for ``epochs`` epochs.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, ...)
            The samples; any table, if the model begins with a TableEncoder.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        eval_set : tuple (X, y) or (X, y, sample_weight), default=None
            Validation samples, for callbacks and ``history_``.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, eval_set, self.epochs, new=not (self.warm_start and self._has_model()))

    def _fit(self, x: Any, y: Any, sample_weight: Any, eval_set: Any, epochs: int, *, new: bool, incremental: bool = False) -> Self:
        table = self._takes_table(x) if new else reads_table(self.model_)
        x, y = self._validate(x, y, reset=new, table=table)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, y if table else x)
        encoded = self._read_targets(y, reset=new and not incremental)
        by_class = self._class_weights(y)
        if by_class is not None:
            weight = by_class if weight is None else weight * by_class
        if new:
            self._start(x, encoded, 0.0 if eval_set is not None else self.validation_split, table=table)
        validation = None
        if eval_set is not None:
            x_val, y_val = self._validate(eval_set[0], eval_set[1], reset=False, table=table)
            targets = self._targets(self._read_targets(y_val, reset=False))
            validation = (x_val if table else as_float32(x_val), targets, *eval_set[2:])
        history = self.model_.fit(
            x if table else as_float32(x),
            self._targets(encoded),
            self.batch_size,
            epochs,
            verbose=self.verbose,
            callbacks=self.callbacks,
            validation_split=0.0 if validation else self.validation_split,
            validation_data=validation,
            shuffle=self.shuffle,
            sample_weight=None if weight is None else as_float32(weight),
        )
        self.history_ = history.history
        return self

    def _takes_table(self, x: Any) -> bool:
        """Whether a new model for these samples begins with an encoder of tables; if not, they must be numbers."""
        if isinstance(self.model, Model):
            return reads_table(self.model)
        return "table" in inspect.signature(self.model).parameters or not holds_only_numbers(x)

    def _validate(self, x: Any, y: Any, *, reset: bool, table: bool) -> tuple[Any, Any]:
        if table:
            return validate_table(self, x, y, reset=reset)
        return validate_data(
            self,
            x,
            y,
            accept_sparse="csr",
            allow_nd=True,
            multi_output=True,
            y_numeric=not is_classifier(self),
            dtype=(np.float32, np.float64),
            reset=reset,
        )

    def _start(self, x: Any, encoded: np.ndarray, validation_split: float, *, table: bool) -> None:
        """Build and compile a new model."""
        generator = check_random_state(self.random_state)
        with seeded(int(generator.randint(SEEDS))):
            if table and validation_split:
                x = take(x, np.arange(split_point(len(encoded), validation_split)))
            model = self._build_model(x, encoded)
            if table and not reads_table(model):
                raise ValueError(
                    "X is a table with strings or missing values, so the model must begin with a TableEncoder: let the function take the "
                    "argument table, the training samples, and adapt one to it"
                )
            if not model.built:
                model.build((None, *x.shape[1:]))
            compiled = model.get_compile_config() or {}
            outputs = model.output_shape[-1]
            scores = output_form(model.plan, model.plan.output) == SCORES
            loss = self.loss if self.loss is not None else compiled.get("loss")
            if loss is None or loss == "crossentropy":
                loss = self._default_loss(outputs, scores=scores)
            optimizer = self.optimizer if self.optimizer is not None else compiled.get("optimizer") or "adam"
            self._loss: Loss = _configured(losses.get(loss), self._routed_to("loss"))
            model.compile(
                _configured(optimizers.get(optimizer), self._routed_to("optimizer")),
                self._loss,
                loss_weights=compiled.get("loss_weights"),
                metrics=self.metrics if self.metrics is not None else compiled.get("metrics"),
                weighted_metrics=compiled.get("weighted_metrics"),
            )
        self.model_, self.n_outputs_, self._dtype = model, int(outputs), np.dtype(np.float64) if table else x.dtype

    def _build_model(self, x: Any, encoded: np.ndarray) -> Any:
        routed = self._routed_to("model")
        if isinstance(self.model, Model):
            if routed:
                raise ValueError(f"model__{next(iter(routed))} needs a function as model, which takes it as an argument")
            return clone_model(self.model)
        accepted = inspect.signature(self.model).parameters
        known = {"n_features": self.n_features_in_, "table": x, **self._sizes(encoded)}
        model = self.model(**{name: value for name, value in known.items() if name in accepted}, **routed)
        if not isinstance(model, Model):
            raise TypeError(f"model must be a model of fastmlp or a function that returns one; it returned {type(model).__name__}")
        return model

    def _has_model(self) -> bool:
        return "model_" in vars(self)

    def _predict_outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        if not reads_table(self.model_):
            x = as_float32(validate_data(self, x, accept_sparse="csr", allow_nd=True, dtype=(np.float32, np.float64), reset=False))
        return np.asarray(self.model_.predict(x, verbose=0), self._dtype)

    def __sklearn_is_fitted__(self) -> bool:
        return self._has_model()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _configured(item: Any, changed: dict[str, Any]) -> Any:
    """A copy of an optimizer or a loss with other arguments; a loss that is a function, as it is."""
    if not changed and isinstance(item, Loss):
        return item
    return type(item).from_config({**item.get_config(), **changed})
