"""``SequentialClassifier`` and ``SequentialRegressor``: any model of fastmlp as an estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call

from fastmlp import losses
from fastmlp.losses import Loss
from fastmlp.models import Model
from fastmlp.sklearn._data import ClassLabels, as_float32
from fastmlp.sklearn._sequential_base import SequentialEstimator

__all__ = ["SequentialClassifier", "SequentialRegressor"]


class SequentialClassifier(ClassifierMixin, SequentialEstimator):
    """Any model of fastmlp as a classifier of scikit-learn.

    Parameters
    ----------
    model : Model or callable
        A model, of which each ``fit`` trains a copy with new weights; or a function that returns a new one. The function may take
        ``n_features``, ``n_classes`` and ``n_outputs`` (1 for two classes); ``table``, the training samples as they are, to adapt a
        TableEncoder to them; and parameters that are set as ``model__units=64``. If the model is compiled, its optimizer, loss and
        metrics are used.
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
        return self._fit(X, y, sample_weight, eval_set, 1, new=not self._has_model(), incremental=True)

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, ...)
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
        X : array-like, sparse matrix or frame of shape (n_samples, ...)
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
        if reset or "_labels" not in vars(self):
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
        See :class:`SequentialClassifier`; a function may take ``n_features``, ``n_outputs`` and ``table``.
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
        return self._fit(X, y, sample_weight, eval_set, 1, new=not self._has_model(), incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, ...)
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
