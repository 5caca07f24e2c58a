"""``SequentialClassifier`` and ``SequentialRegressor``: any model of fastmlp as an estimator."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp import losses, optimizers
from fastmlp._base.seeding import seeded
from fastmlp._training.advice import SCORES, output_form
from fastmlp.losses import Loss
from fastmlp.models import Model, clone_model
from fastmlp.sklearn._data import SEEDS, ClassLabels, as_float32

__all__ = ["SequentialClassifier", "SequentialRegressor"]

ROUTES = ("model", "optimizer", "loss")
"""Parameters that pass further ones on, as ``optimizer__learning_rate``."""


class SequentialEstimator(BaseEstimator, ABC):
    """The base class of both estimators."""

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
        X : array-like or sparse matrix of shape (n_samples, ...)
            The samples.
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

    def _fit(self, x: Any, y: Any, sample_weight: Any, eval_set: Any, epochs: int, *, new: bool) -> Self:
        x, y = self._validate(x, y, reset=new)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        encoded = self._read_targets(y, reset=new)
        by_class = self._class_weights(y)
        if by_class is not None:
            weight = by_class if weight is None else weight * by_class
        if new:
            self._start(x, encoded)
        validation = None
        if eval_set is not None:
            x_val, y_val = self._validate(eval_set[0], eval_set[1], reset=False)
            validation = (as_float32(x_val), self._targets(self._read_targets(y_val, reset=False)), *eval_set[2:])
        history = self.model_.fit(
            as_float32(x),
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

    def _validate(self, x: Any, y: Any, reset: bool) -> tuple[Any, Any]:
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

    def _start(self, x: Any, encoded: np.ndarray) -> None:
        """Build and compile a new model."""
        generator = check_random_state(self.random_state)
        with seeded(int(generator.randint(SEEDS))):
            model = self._build_model(x.shape[1], encoded)
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
        self.model_, self.n_outputs_, self._dtype = model, int(outputs), x.dtype

    def _build_model(self, features: int, encoded: np.ndarray) -> Any:
        routed = self._routed_to("model")
        if isinstance(self.model, Model):
            if routed:
                raise ValueError(f"model__{next(iter(routed))} needs a function as model, which takes it as an argument")
            return clone_model(self.model)
        accepted = inspect.signature(self.model).parameters
        sizes = {"n_features": features, **self._sizes(encoded)}
        model = self.model(**{name: size for name, size in sizes.items() if name in accepted}, **routed)
        if not isinstance(model, Model):
            raise TypeError(f"model must be a model of fastmlp or a function that returns one; it returned {type(model).__name__}")
        return model

    def _has_model(self) -> bool:
        return "model_" in vars(self)

    def _predict_outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse="csr", allow_nd=True, dtype=(np.float32, np.float64), reset=False)
        return np.asarray(self.model_.predict(as_float32(x), verbose=0), self._dtype)

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


class SequentialClassifier(ClassifierMixin, SequentialEstimator):
    """Any model of fastmlp as a classifier of scikit-learn.

    Parameters
    ----------
    model : Model or callable
        A model, of which each ``fit`` trains a copy with new weights; or a function that returns a new one. The function may take
        ``n_features``, ``n_classes`` and ``n_outputs`` (1 for two classes), and parameters that are set as ``model__units=64``. If the
        model is compiled, its optimizer, loss and metrics are used.
    optimizer : str, Optimizer or None, default=None
        Instead of that of the model; 'adam' if there is none. Its arguments can be set: ``optimizer__learning_rate=0.01``.
    loss : str, Loss or None, default=None
        Instead of that of the model; if there is none, the cross-entropy for its outputs, which may be scores. ``loss__label_smoothing``
        and the like are passed on.
    metrics : list or None, default=None
        Instead of those of the model.
    epochs, batch_size, validation_split, shuffle, callbacks, verbose
        As in :meth:`fastmlp.Model.fit`; 10 epochs of batches of 32 by default.
    class_weight : dict, 'balanced' or None, default=None
        The weight of each class, by its label.
    warm_start : bool, default=False
        Whether ``fit`` trains the model of the last call further.
    random_state : int, RandomState or None, default=None
        Determines initial weights, the order of the samples and dropout.

    Attributes
    ----------
    model_ : Model
        The trained model.
    history_ : dict
        Loss and metrics of each epoch of the last call.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_outputs_, n_features_in_, feature_names_in_
        Outputs of the model, and features.

    Example
    -------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from fastmlp import layers, models
    >>> from fastmlp.sklearn import SequentialClassifier
    >>> def build(n_features, n_classes, units=16):
    ...     hidden = layers.Dense(units, activation="tanh", input_shape=(n_features,))
    ...     return models.Sequential([hidden, layers.Dense(n_classes, activation="softmax")])
    >>> x, y = load_iris(return_X_y=True)
    >>> classifier = SequentialClassifier(build, epochs=30, random_state=0)
    >>> grid = {"model__units": [4, 16], "optimizer__learning_rate": [0.001, 0.01]}
    >>> bool(GridSearchCV(classifier, grid, cv=3).fit(x, y).best_score_ > 0.9)
    True
    """

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
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        **routed: Any,
    ) -> None:
        super().__init__(
            model,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            epochs=epochs,
            batch_size=batch_size,
            validation_split=validation_split,
            shuffle=shuffle,
            callbacks=callbacks,
            verbose=verbose,
            warm_start=warm_start,
            random_state=random_state,
            **routed,
        )
        self.class_weight = class_weight

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, *, eval_set: Any = None) -> Self:
        """Train for one epoch on the given samples.

        Parameters
        ----------
        X, y, sample_weight, eval_set
            See :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes; required in the first call.

        Returns
        -------
        self : object
            The trained classifier.
        """
        if _check_partial_fit_first_call(self, classes):
            self._labels = ClassLabels(y, classes)
        return self._fit(X, y, sample_weight, eval_set, 1, new=not self._has_model())

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            The samples.

        Returns
        -------
        y : array of shape (n_samples,) or (n_samples, n_classes)
            Class labels; a label indicator matrix for multilabel targets.
        """
        probabilities = self.predict_proba(X)
        return self._labels.decode(probabilities > 0.5 if self._labels.multilabel else probabilities.argmax(axis=1))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            The samples.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            The probability of each class, in the order of ``classes_``.
        """
        outputs = self._predict_outputs(X).astype(np.float64)
        one_of_all = self.n_outputs_ > 1 and not self._labels.multilabel
        if getattr(self._loss, "from_logits", False):
            from scipy.special import expit, softmax

            outputs = softmax(outputs, axis=1) if one_of_all else expit(outputs)
        if one_of_all or self._labels.multilabel:
            return outputs
        return np.hstack([1 - outputs, outputs]) if len(self.classes_) > 1 else np.ones_like(outputs)

    def _read_targets(self, y: Any, reset: bool) -> np.ndarray:
        if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if (reset and "model_" in vars(self)) or "_labels" not in vars(self):
            self._labels = ClassLabels(y)
            self.classes_ = self._labels.classes
        return self._labels.encode(y)

    def _sizes(self, encoded: np.ndarray) -> dict[str, int]:
        return {"n_classes": len(self.classes_), "n_outputs": self._labels.columns}

    def _default_loss(self, outputs: int, *, scores: bool) -> Loss:
        if outputs == 1 or self._labels.multilabel:
            return losses.BinaryCrossentropy(from_logits=scores)
        return losses.SparseCategoricalCrossentropy(from_logits=scores)

    def _targets(self, encoded: np.ndarray) -> np.ndarray:
        outputs, classes = self.n_outputs_, len(self.classes_)
        if not (outputs == classes or (outputs == 1 and classes <= 2)):
            wanted = "1 or 2 outputs" if classes <= 2 else f"{classes} outputs"
            raise ValueError(f"the model has {outputs} outputs, but y has {classes} classes: {self.classes_}; it needs {wanted}")
        return self._labels.targets(encoded, outputs, indices=getattr(self._loss, "kind", "").startswith("sparse_"))

    def _class_weights(self, y: Any) -> np.ndarray | None:
        return None if self.class_weight is None else np.asarray(compute_sample_weight(self.class_weight, y))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class SequentialRegressor(RegressorMixin, SequentialEstimator):
    """Any model of fastmlp as a regressor of scikit-learn.

    Parameters
    ----------
    model : Model or callable
        See :class:`SequentialClassifier`; a function may take ``n_features`` and ``n_outputs``.
    optimizer, loss, metrics, epochs, batch_size, validation_split, shuffle, callbacks, verbose, warm_start, random_state
        See :class:`SequentialClassifier`. The loss is the mean squared error if neither it nor the model has one.

    Attributes
    ----------
    model_, history_, n_outputs_, n_features_in_, feature_names_in_
        See :class:`SequentialClassifier`.

    Example
    -------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastmlp import layers, models
    >>> from fastmlp.sklearn import SequentialRegressor
    >>> model = models.Sequential([layers.Dense(16, activation="relu"), layers.Dense(1)])
    >>> x, y = load_diabetes(return_X_y=True)
    >>> regressor = SequentialRegressor(model, epochs=50, optimizer="adam", optimizer__learning_rate=0.01, random_state=0)
    >>> make_pipeline(StandardScaler(), regressor).fit(x, (y - 152) / 77).score(x, (y - 152) / 77) > 0.4
    True
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Self:
        """Train for one epoch on the given samples; see :meth:`fit`."""
        return self._fit(X, y, sample_weight, eval_set, 1, new=not self._has_model())

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted targets.
        """
        outputs = self._predict_outputs(X)
        return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs

    def _read_targets(self, y: Any, reset: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return np.asarray(as_float32(y)).reshape(len(y), -1)

    def _sizes(self, encoded: np.ndarray) -> dict[str, int]:
        return {"n_outputs": encoded.shape[1]}

    def _default_loss(self, outputs: int, *, scores: bool) -> Loss:
        return losses.MeanSquaredError()

    def _targets(self, encoded: np.ndarray) -> np.ndarray:
        return encoded

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
