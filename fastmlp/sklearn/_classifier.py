"""``MLPClassifier``."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from fastmlp.models import Sequential
from fastmlp.sklearn._base import MultilayerPerceptron, trains_in_steps
from fastmlp.sklearn._data import ClassLabels
from fastmlp.sklearn._network import Output, classifier_output

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """Multilayer perceptron classifier, as ``sklearn.neural_network.MLPClassifier``, on fastmlp's engine in float32.

    Parameters and attributes have scikit-learn's names, defaults and meanings; initial weights are the same for the same
    ``random_state``, but the order of the samples is another. The parameters from ``loss`` on are further ones.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        The number of units of each hidden layer.
    activation : str, object or list, default='relu'
        The activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu' or any of :mod:`fastmlp.activations`; or a list with
        one for each layer.
    solver : {'adam', 'sgd', 'lbfgs'}, default='adam'
        The optimizer.
    alpha : float, default=0.0001
        The L2 penalty, α/2·‖W‖² divided by the number of samples in a batch; not of intercepts.
    batch_size : int or 'auto', default='auto'
        Samples per batch; 'auto' is 200, or all samples if there are fewer.
    learning_rate : {'constant', 'invscaling', 'adaptive'} or schedule, default='constant'
        The learning rate of 'sgd'. Or a schedule of :mod:`fastmlp.optimizers.schedules` for any solver but 'lbfgs'.
    learning_rate_init : float, default=0.001
        The initial learning rate.
    power_t : float, default=0.5
        With 'invscaling', the rate after t samples is learning_rate_init / (t + 1)^power_t.
    max_iter : int, default=200
        The maximum number of epochs, or of steps of 'lbfgs'.
    shuffle : bool, default=True
        Whether each epoch has a new order of the samples.
    random_state : int, RandomState or None, default=None
        Determines initial weights, the order of the samples, dropout and the validation samples.
    tol : float, default=0.0001
        Training ends when the loss, or with early stopping the score, has not improved by this for ``n_iter_no_change`` epochs. With
        'lbfgs', when no element of the gradient is larger.
    verbose : bool, default=False
        Whether to print the loss of each epoch.
    warm_start : bool, default=False
        Whether ``fit`` continues from the current weights.
    momentum : float, default=0.9
        The momentum of 'sgd'.
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    early_stopping : bool, default=False
        Whether to end training by the score of validation samples, and to keep the weights of the best score.
    validation_fraction : float, default=0.1
        The fraction of the samples that are validation samples.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Parameters of 'adam'.
    n_iter_no_change : int or inf, default=10
        See ``tol``.
    max_fun : int, default=15000
        The maximum number of evaluations of the loss with 'lbfgs'.
    loss : str or Loss, default='log_loss'
        The loss: log loss, or any of :mod:`fastmlp.losses`, such as 'categorical_focal_crossentropy'.
    class_weight : dict, list of dict, 'balanced' or None, default=None
        The weight of each class, by its label; 'balanced' for weights inversely proportional to the classes' frequencies.
    dropout : float or list, default=0.0
        The dropout rate after the hidden layers, or after each.
    normalization : {'batch', 'layer', 'rms'}, list or None, default=None
        Normalization before the activations of the hidden layers, or of each.
    optimizer : str, Optimizer or None, default=None
        An optimizer of :mod:`fastmlp.optimizers`, instead of ``solver``. With a name, its learning rate is ``learning_rate_init``.
    scoring : str, callable or None, default=None
        The score for early stopping and ``validation_scores_``: a scorer of scikit-learn, 'loss' for the negative loss, None for the
        accuracy.
    callbacks : Callback, list or None, default=None
        Callbacks of :mod:`fastmlp.callbacks`. Solver 'lbfgs' calls none; ``optimizer=LBFGS()`` does.
    progress : bool, default=False
        Whether to show a progress bar; not with solver 'lbfgs'.
    encoder : {'auto', 'table'}, TableEncoder or None, default='auto'
        Whether X is a table, which a :class:`~fastmlp.layers.TableEncoder` reads that :meth:`fit`, or the first :meth:`partial_fit`,
        adapts to the training samples. With 'auto', frames of pandas, polars and pyarrow are tables if they have columns that are not
        numbers, or missing values; with 'table', or the settings of a TableEncoder, which is copied, any X is one; None for numbers only.
        Settings can be searched: ``encoder__bins``, ``encoder__embedding_dim``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    coefs_, intercepts_ : list of ndarray
        The weights of each layer, ``(inputs, outputs)``, and its biases. They can be edited. With an encoder, the first weights have a
        row for each of the columns that it returns.
    encoder_ : TableEncoder or None
        The encoder of the columns, which knows what becomes of each: ``encoder_.summary()``. None if X is no table.
    loss_ : float
        The loss of the last epoch.
    best_loss_ : float or None
        The smallest loss of an epoch; None with early stopping.
    loss_curve_ : list of float
        The loss of each epoch.
    validation_scores_, best_validation_score_ : list of float and float, or None
        The score after each epoch, and the best one; None without validation samples.
    n_iter_, t_ : int
        The number of epochs of the last call, and of training samples in all calls.
    n_layers_, n_outputs_ : int
        The number of layers, with that of the inputs, and of outputs.
    out_activation_ : str
        The activation of the output layer.
    n_features_in_, feature_names_in_ : int and ndarray
        The number of features, or columns of a table, and their names if X has any. Tables are read by these names, in any order.

    Example
    -------
    >>> from sklearn.datasets import load_digits
    >>> from fastmlp.sklearn import MLPClassifier
    >>> x, y = load_digits(return_X_y=True)
    >>> classifier = MLPClassifier((32,), dropout=0.1, early_stopping=True, random_state=0).fit(x[:1500], y[:1500])
    >>> classifier.score(x[1500:], y[1500:]) > 0.85
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MultilayerPerceptron._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
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
        """Fit the model to samples and labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Class labels of any type, or a label indicator matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        eval_set : tuple (X, y) or (X, y, sample_weight), default=None
            Samples that are scored after each epoch, in ``validation_scores_``, and that early stopping uses instead of a part of X.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        return self._fit(X, y, sample_weight, eval_set, incremental=False)

    @available_if(trains_in_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, *, eval_set: Any = None) -> Self:
        """Train for one epoch on the given samples.

        Parameters
        ----------
        X, y, sample_weight, eval_set
            See :meth:`fit`. With ``early_stopping``, ``validation_fraction`` of X, or ``eval_set``, is scored. Once the score has not
            improved for ``n_iter_no_change`` calls, the weights are those of the call with the best score, to which each further call
            that does not improve it returns.
        classes : array-like of shape (n_classes,), default=None
            All classes; required in the first call.

        Returns
        -------
        self : object
            The trained classifier.
        """
        if _check_partial_fit_first_call(self, classes):
            self._labels = ClassLabels(y, classes)
        return self._fit(X, y, sample_weight, eval_set, incremental=True)

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : array of shape (n_samples,) or (n_samples, n_classes)
            Class labels; a label indicator matrix for multilabel targets.
        """
        return self._labels_of(self._predict_outputs(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            The probability of each class, in the order of ``classes_``.
        """
        return self._probabilities(X).astype(self._dtype, copy=False)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            The logarithm of the probability of each class.
        """
        probabilities = self._probabilities(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities, out=probabilities).astype(self._dtype, copy=False)

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the scores of which :meth:`predict_proba` is the logistic function or the softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix, frame} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The score of the second of two classes, which is predicted if it is > 0; or that of each class.
        """
        outputs = self._predict_outputs(X)
        if not self._output.scores:
            with np.errstate(divide="ignore"):
                outputs = np.log(outputs) if self._output.name == "softmax" else np.log(outputs) - np.log1p(-outputs)
            if self.n_outputs_ == 2 and self._output.name == "softmax":
                outputs = outputs[:, 1:] - outputs[:, :1]
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def to_fastmlp(self) -> Sequential:
        model = super().to_fastmlp()
        labels = [] if self._labels.multilabel else self.classes_.tolist()
        if len(labels) > 1 and all(isinstance(label, (str, int, float)) for label in labels):
            model.class_names = labels
        return model

    def _probabilities(self, x: Any) -> np.ndarray:
        """The probability of each class, float64 ``(samples, classes)``."""
        outputs = self._predict_outputs(x).astype(np.float64)
        if self._output.scores:
            from scipy.special import expit, softmax

            outputs = softmax(outputs, axis=1) if self._output.name == "softmax" else expit(outputs)
        if self.n_outputs_ > 1 or self._labels.multilabel:
            return outputs
        return np.hstack([1 - outputs, outputs]) if len(self.classes_) > 1 else np.ones_like(outputs)

    def _labels_of(self, outputs: np.ndarray) -> Any:
        threshold = 0 if self._output.scores else 0.5
        if self._output.name == "softmax":
            return self._labels.decode(outputs.argmax(axis=1))
        positive = outputs > threshold
        if not self._labels.multilabel:
            positive = positive[:, 0].astype(int) if len(self.classes_) > 1 else np.zeros(len(outputs), int)
        return self._labels.decode(positive)

    def _read_targets(self, y: Any, reset: bool) -> np.ndarray:
        if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if reset or "_labels" not in vars(self):
            self._labels = ClassLabels(y)
            self.classes_ = self._labels.classes
        return self._labels.encode(y)

    def _check_same_classes(self, y: Any) -> None:
        classes = ClassLabels(y).classes
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {classes}"
            )

    def _make_output(self, encoded: np.ndarray) -> Output:
        return classifier_output(self.loss, len(self.classes_), self._labels.columns, self._labels.multilabel)

    def _targets(self, encoded: np.ndarray) -> np.ndarray:
        return self._labels.targets(encoded, self.n_outputs_, indices=self._output.indices)

    def _score_of(self, predicted: np.ndarray, encoded: np.ndarray, weight: np.ndarray | None) -> float:
        if self._output.name == "softmax":
            right = predicted.argmax(axis=1) == encoded
        else:
            right = ((predicted > (0 if self._output.scores else 0.5)) == encoded.reshape(len(encoded), -1)).all(axis=1)
        return float(np.average(right, weights=weight))

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples, which partial_fit has not; pass a dict with the weight of each class, such as "
                "dict(zip(classes, sklearn.utils.class_weight.compute_class_weight('balanced', classes=classes, y=y)))"
            )
        return np.asarray(compute_sample_weight(self.class_weight, y))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
