"""``MLPRegressor``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from fastmlp.sklearn._base import MultilayerPerceptron, trains_in_steps
from fastmlp.sklearn._data import as_float32
from fastmlp.sklearn._network import Output, regressor_output

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """Multilayer perceptron regressor, as ``sklearn.neural_network.MLPRegressor``, on fastmlp's engine in float32.

    Parameters and attributes have scikit-learn's names, defaults and meanings.

    Parameters
    ----------
    loss : str or Loss, default='squared_error'
        The loss: 'squared_error'; 'poisson', with an exponential output; or any of :mod:`fastmlp.losses`, such as 'huber'.
    hidden_layer_sizes, ..., encoder
        See :class:`MLPClassifier`. There is no ``class_weight``, and the default score is R².

    Attributes
    ----------
    coefs_, ..., feature_names_in_
        See :class:`MLPClassifier`. There is no ``classes_``.

    Example
    -------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastmlp.sklearn import MLPRegressor
    >>> x, y = load_diabetes(return_X_y=True)
    >>> regressor = MLPRegressor(loss="huber", max_iter=1000, learning_rate_init=0.01, random_state=0)
    >>> regressor.fit(StandardScaler().fit_transform(x), (y - y.mean()) / y.std()).predict(x[:2]).shape
    (2,)
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int | float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        normalization: Any = None,
        optimizer: Any = None,
        scoring: Any = None,
        callbacks: Any = None,
        progress: bool = False,
        encoder: Any = "auto",
    ) -> None:
        self._assign(locals())

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Self:
        """Fit the model to samples and targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        eval_set : tuple (X, y) or (X, y, sample_weight), default=None
            Samples that are scored after each epoch, in ``validation_scores_``, and that early stopping uses instead of a part of X.

        Returns
        -------
        self : object
            The fitted regressor.
        """
        return self._fit(X, y, sample_weight, eval_set, incremental=False)

    @available_if(trains_in_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, eval_set: Any = None) -> Self:
        """Train for one epoch on the given samples.

        Parameters
        ----------
        X, y, sample_weight, eval_set
            See :meth:`fit`, and :meth:`MLPClassifier.partial_fit` for ``early_stopping``.

        Returns
        -------
        self : object
            The trained regressor.
        """
        return self._fit(X, y, sample_weight, eval_set, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted targets.
        """
        outputs = self._predict_outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _read_targets(self, y: Any, reset: bool) -> np.ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return np.asarray(as_float32(y)).reshape(len(y), -1)

    def _make_output(self, encoded: np.ndarray) -> Output:
        return regressor_output(self.loss, encoded.shape[1])

    def _targets(self, encoded: np.ndarray) -> np.ndarray:
        return encoded

    def _score_of(self, predicted: np.ndarray, encoded: np.ndarray, weight: np.ndarray | None) -> float:
        from sklearn.metrics import r2_score

        return float(r2_score(encoded, predicted, sample_weight=weight))

    def _loss_constant(self, y: np.ndarray, weight: np.ndarray | None) -> float:
        if not (isinstance(self.loss, str) and self.loss == "poisson"):
            return 0.0
        from scipy.special import xlogy

        counts = y.astype(np.float64)
        return float(np.average((xlogy(counts, counts) - counts).sum(axis=1), weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
