"""What the multilayer perceptrons for classification and regression share: parameters, training, predictions, weights as arrays."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import fastmlp.sklearn._network as networks
from fastmlp.callbacks.base import Logs
from fastmlp.layers import TableEncoder
from fastmlp.layers.normalization import NORMALIZATIONS
from fastmlp.models import Sequential
from fastmlp.sklearn._data import MERGED_SAMPLES, NOT_FINITE, SEEDS, as_float32, merged
from fastmlp.sklearn._network import Output
from fastmlp.sklearn._solvers import Monitor, minimize
from fastmlp.sklearn._tables import TableReader, adapted, take

AUTO_BATCH = 200
"""The batch size ``"auto"``, unless there are fewer samples."""

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [str, list, tuple, callable],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), HasMethods("get_config")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "loss": [str, HasMethods("get_config"), callable],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "normalization": [StrOptions(set(NORMALIZATIONS)), list, tuple, None],
    "optimizer": [str, HasMethods("get_config"), None],
    "scoring": [str, callable, None],
    "callbacks": [list, tuple, HasMethods("on_epoch_end"), None],
    "progress": ["boolean"],
    "encoder": [StrOptions({"auto", "table"}), TableEncoder, None],
}

Parts: TypeAlias = tuple[
    tuple[Any, np.ndarray, np.ndarray | None],
    tuple[Any, Any, np.ndarray, np.ndarray | None] | None,
]
"""Samples, encoded targets and weights to train on; samples, targets as given and encoded, and weights to validate on."""


def trains_in_steps(estimator: Any) -> bool:
    """Whether an estimator has ``partial_fit``; if not, an AttributeError says why."""
    if estimator._uses_lbfgs:
        raise AttributeError(f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic.")
    return True


class Validation:
    """Validation samples, and how they are scored.

    Args:
        estimator: The estimator.
        x, encoded: Samples and targets as the network takes them.
        given: Samples and targets as ``scoring`` takes them.
        weight: Sample weights, or None.
    """

    def __init__(self, estimator: Any, x: Any, encoded: np.ndarray, given: tuple[Any, Any], weight: np.ndarray | None) -> None:
        self._x, self._encoded, self._weight = x, encoded, weight
        self._estimator, self._given = estimator, given

    @property
    def data(self) -> tuple[Any, ...]:
        """``validation_data`` of the network's ``fit``."""
        weight = () if self._weight is None else (as_float32(self._weight),)
        return (self._x, self._estimator._targets(self._encoded), *weight)

    def score(self) -> float:
        """The score of ``scoring``; by default accuracy or R²."""
        e = self._estimator
        if isinstance(e.scoring, str) and e.scoring == "loss":
            x, y, *weight = self.data
            return -float(e._model.evaluate(x, y, verbose=0, sample_weight=weight[0] if weight else None, return_dict=True)["loss"])
        if e.scoring is None:
            predicted = e._model.predict(self._x, verbose=0)
            return float(e._score_of(predicted, self._encoded, self._weight)) if np.isfinite(predicted).all() else np.nan
        from sklearn.metrics import check_scoring

        weights = {} if self._weight is None or callable(e.scoring) else {"sample_weight": self._weight}
        scored = copy.copy(e)
        scored.__dict__.pop("feature_names_in_", None)  # the samples were checked, and no longer have names
        return float(check_scoring(scored, scoring=e.scoring)(scored, *self._given, **weights))


class MultilayerPerceptron(TableReader, ABC):
    """The base class of both estimators."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS
    _output: Output

    # The parameters, which classes with a docstring of their own declare in their constructors
    hidden_layer_sizes: Any
    activation: Any
    solver: str
    alpha: float
    batch_size: int | str
    max_iter: int
    shuffle: bool
    random_state: Any
    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    loss: Any
    dropout: Any
    normalization: Any
    optimizer: Any
    scoring: Any
    callbacks: Any
    progress: bool
    validation_scores_: list[float] | None
    best_validation_score_: float | None

    def _assign(self, given: dict[str, Any]) -> None:
        """Assign the arguments of the constructor, the local variables there."""
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # What a classifier and a regressor do differently

    @abstractmethod
    def _read_targets(self, y: Any, reset: bool) -> np.ndarray:
        """The encoded targets; with ``reset``, learns the classes first."""

    @abstractmethod
    def _make_output(self, encoded: np.ndarray) -> Output:
        """The output layer for these targets."""

    @abstractmethod
    def _targets(self, encoded: np.ndarray) -> np.ndarray:
        """Targets as the loss reads them."""

    @abstractmethod
    def _score_of(self, predicted: np.ndarray, encoded: np.ndarray, weight: np.ndarray | None) -> float:
        """The score of the network's predictions, all finite."""

    def _check_same_classes(self, y: Any) -> None:
        """Raise a ValueError if training from the current weights needs other classes."""

    def _loss_constant(self, y: np.ndarray, weight: np.ndarray | None) -> float:
        """The difference between scikit-learn's loss and that of the network, which does not depend on its weights."""
        return 0.0

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        """The weight of each sample by its class."""
        return None

    # Training

    def _fit(self, x: Any, y: Any, sample_weight: Any, eval_set: Any, incremental: bool) -> Self:
        hidden = networks.hidden_sizes(self.hidden_layer_sizes)
        first = not self._has_weights() or (not self.warm_start and not incremental)
        new = first or "_model" not in vars(self)
        table = self._begins_with_table(x) if new else self.encoder_ is not None
        x, y = self._validate_input(x, y, first, table)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, y if table else x)
        if self.warm_start and not incremental and not first:
            self._check_same_classes(y)
        encoded = self._read_targets(y, reset=first and not incremental)
        by_class = self._class_weights(y, incremental)
        if by_class is not None:
            weight = by_class if weight is None else weight * by_class
        generator = check_random_state(self.random_state)
        structure = self._structure(hidden)
        parts: Parts | None = None
        if new:
            output, encoder = self._make_output(encoded), None
            if table:  # the encoder learns the training samples only, and the weights depend on it
                parts = self._split(x, y, encoded, weight, eval_set, generator, output, table)
                encoder = adapted(self.encoder, parts[0][0], int(generator.randint(SEEDS)))
            self.__dict__.pop("_model", None)
            self._encoder = encoder
            self._dtype, self._built = np.dtype(np.float64) if table else x.dtype, structure
            self._start([self._first_width(), *hidden], output, generator, keep_weights=not first)
        elif structure != self._built:
            raise ValueError(
                "the parameters of the network have changed since the last call, so its weights can't be kept: set warm_start=False "
                f"and call fit. It was built with {self._built}, and now has {structure}"
            )
        else:
            self._load_edited_weights()
        training, held_out = parts or self._split(x, y, encoded, weight, eval_set, generator, self._output, table)
        validation: Validation | None = None
        if held_out is not None:
            x_val, y_val, encoded_val, w_val = held_out
            validation = Validation(self, self._read(x_val, "X of the validation samples"), encoded_val, (x_val, y_val), w_val)
            if self.validation_scores_ is None:
                self.validation_scores_, self.best_validation_score_ = [], -np.inf
        try:
            self._train(self._read(training[0], "X"), *training[1:], validation, incremental)
        finally:
            self._forget_arrays()
        return self

    def _structure(self, hidden: list[int]) -> dict[str, Any]:
        """The parameters that a network is built from."""
        return {
            "hidden_layer_sizes": hidden,
            "activation": self.activation,
            "dropout": self.dropout,
            "normalization": self.normalization,
            "loss": self.loss,
            "encoder": self.encoder,
        }

    def _start(self, sizes: list[int], output: Output, generator: Any, keep_weights: bool) -> None:
        """Draw weights for the network, and reset the attributes that describe training."""
        self._output = output
        self.n_iter_ = self.t_ = 0
        self.n_outputs_, self.out_activation_, self.n_layers_ = output.units, output.name, len(sizes) + 1
        if not keep_weights:
            self._forget_arrays()
            self._arrays = networks.initial_weights([*sizes, output.units], self.activation, generator)
        self._seed = int(generator.randint(SEEDS))
        self.__dict__.pop("_best_weights", None)
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_ = self.best_validation_score_ = None

    def _build(self, penalty: float) -> Sequential:
        """The network, with this L2 penalty."""
        if "_model" in vars(self):
            networks.set_penalty(self._model, penalty)
        else:
            self._model = self._new_network(penalty)
            self._model.seed = self._seed
            self._encoder = None
            self._set_arrays(*self._arrays)
            self._forget_arrays()
        return self._model

    def _new_network(self, penalty: float = 0.0, *, predicts: bool = False) -> Sequential:
        hidden = networks.hidden_sizes(self.hidden_layer_sizes)
        return networks.build_network(
            self._first_layer(), hidden, self._output, self.activation, self.dropout, self.normalization, penalty, predicts=predicts
        )

    def _split(
        self,
        x: Any,
        y: Any,
        encoded: np.ndarray,
        weight: np.ndarray | None,
        eval_set: Any,
        generator: Any,
        output: Output,
        table: bool,
    ) -> Parts:
        """The training samples, and the validation samples: ``eval_set``, or some of ``x`` if early stopping needs them."""
        if eval_set is not None:
            x_val, y_val, w_val = self._read_eval_set(eval_set, table)
            return (x, encoded, weight), (x_val, y_val, self._read_targets(y_val, reset=False), w_val)
        if not self.early_stopping or self._uses_lbfgs:
            return (x, encoded, weight), None
        from sklearn.model_selection import train_test_split

        stratify = encoded.reshape(-1, 1).astype(bool) if is_classifier(self) and output.units == 1 else None
        everything = [np.arange(len(encoded)) if table else x, y, encoded, *([] if weight is None else [weight])]
        parts = train_test_split(*everything, random_state=generator, test_size=self.validation_fraction, stratify=stratify)
        if parts[1].shape[0] < 2:
            raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
        x, x_val = (take(x, which) for which in parts[:2]) if table else parts[:2]
        weights = (None, None) if weight is None else (parts[6], parts[7])
        return (x, parts[4], weights[0]), (x_val, parts[3], parts[5], weights[1])

    def _read_eval_set(self, eval_set: Any, table: bool) -> tuple[Any, Any, np.ndarray | None]:
        given = eval_set[0] if isinstance(eval_set, list) and len(eval_set) == 1 else eval_set
        if not isinstance(given, tuple) or len(given) not in (2, 3):
            raise ValueError(f"eval_set must be a tuple (X, y) or (X, y, sample_weight), got {type(eval_set).__name__}")
        x, y = self._validate_input(given[0], given[1], False, table)
        return x, y, _check_sample_weight(given[2], y if table else x) if len(given) == 3 else None

    def _batch_size(self, samples: int) -> int:
        if self._uses_lbfgs or getattr(self.optimizer, "full_batch", False):
            return samples
        if isinstance(self.batch_size, str):
            return min(AUTO_BATCH, samples)
        if self.batch_size > samples:
            warnings.warn(
                f"Got batch_size={self.batch_size}, larger than the number of samples, {samples}. It is going to be clipped", stacklevel=2
            )
        return min(int(self.batch_size), samples)

    def _train(self, x: Any, encoded: np.ndarray, weight: np.ndarray | None, validation: Validation | None, incremental: bool) -> None:
        """Train the network: the whole of ``fit`` is one call of the network's own."""
        samples = len(encoded)
        batch_size = self._batch_size(samples)
        if batch_size == samples <= MERGED_SAMPLES:
            x, encoded, weight = merged(x, encoded, weight)
        rows = len(encoded)
        batch_size = min(batch_size, rows)
        total = float(rows if weight is None else weight.sum())
        if not total > 0:
            raise ValueError("the sum of the sample weights must be > 0")
        if weight is not None:  # the mean weight is 1, so that the mean over a batch is that over its weights
            weight = None if np.all(weight == weight[0]) else as_float32(weight * (rows / total))
        y, model = self._targets(encoded), self._build(self.alpha / 2 * rows / (total * batch_size))
        if not incremental or not model.compiled:
            metrics = ["mse"] if self._sums_columns else None
            optimizer = networks.make_optimizer(self)
            model.compile(optimizer, self._output.loss, loss_weights=self._output.weight, weighted_metrics=metrics)
        constant = self._loss_constant(y, weight)
        self.n_iter_ = 0
        if self._uses_lbfgs:
            self.n_iter_ = minimize(model, x, y, weight, self)
            self.loss_ = self._loss_of(model.evaluate(x, y, verbose=0, sample_weight=weight, return_dict=True)) + constant
            if validation is not None and self.validation_scores_ is not None:
                self.validation_scores_.append(validation.score())
            return
        if self.early_stopping and "_best_weights" not in vars(self) and self.best_validation_score_ not in (None, -np.inf):
            self._best_weights = model.get_weights()
        score = None if validation is None else validation.score
        monitor = Monitor(self, samples, lambda logs: self._loss_of(logs) + constant, score, incremental)
        further = list(self.callbacks or ()) if isinstance(self.callbacks, (list, tuple, type(None))) else [self.callbacks]
        try:
            model.fit(
                x,
                y,
                batch_size,
                epochs=1 if incremental else self.max_iter,
                verbose=self.progress,
                callbacks=[monitor, *further],
                shuffle=self.shuffle,
                sample_weight=weight,
                validation_data=validation.data if validation is not None and (further or self.progress) else None,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        if "_best_weights" in vars(self) and (not incremental or model.stop_training):
            model.set_weights(self._best_weights)
            if not incremental:
                del self._best_weights
        elif monitor.diverged:
            raise ValueError(f"{NOT_FINITE}. The loss became NaN or infinite in epoch {self.n_iter_}; a smaller learning rate may help.")

    @property
    def _uses_lbfgs(self) -> bool:
        return self.solver == "lbfgs" and self.optimizer is None

    @property
    def _sums_columns(self) -> bool:
        """Whether scikit-learn minimizes the sum of the squared errors of several targets, but reports their mean."""
        return isinstance(self.loss, str) and self.loss == "squared_error" and self.n_outputs_ > 1

    def _loss_of(self, logs: Logs) -> float:
        """The loss of scikit-learn up to a constant, from the logs of an epoch."""
        if self._sums_columns:
            return float(logs["loss"] - (self.n_outputs_ - 1) / 2 * logs["mse"])
        return float(logs["loss"])

    # Weights as arrays

    def _has_weights(self) -> bool:
        return "_model" in vars(self) or "_arrays" in vars(self)

    def _current_arrays(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        if "_arrays" not in vars(self):
            if "_model" not in vars(self):
                raise AttributeError(f"this {type(self).__name__} has no weights yet; call fit first")
            weights = [layer.get_weights() for layer in networks.dense_layers(self._model)]
            coefs, intercepts = ([pair[i].astype(self._dtype) for pair in weights] for i in (0, 1))
            self._arrays = coefs, intercepts
            self._unedited = copy.deepcopy(self._arrays)
        return self._arrays

    def _set_arrays(self, coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> None:
        for layer, coef, intercept in zip(networks.dense_layers(self._model), coefs, intercepts, strict=True):
            layer.set_weights([np.asarray(coef, np.float32), np.asarray(intercept, np.float32)])

    def _forget_arrays(self) -> None:
        for name in ("_arrays", "_unedited"):
            self.__dict__.pop(name, None)

    def _load_edited_weights(self) -> None:
        """Copy ``coefs_`` and ``intercepts_`` to the network if a user has changed them."""
        if "_arrays" in vars(self) and not all(
            one is other or np.array_equal(one, other)
            for edited, before in zip(self._arrays, vars(self).get("_unedited", ((), ())), strict=True)
            for one, other in zip(edited, before, strict=True)
        ):
            self._set_arrays(*self._arrays)
            self._unedited = copy.deepcopy(self._arrays)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights between each layer and the next, ``(inputs, outputs)``. They can be edited."""
        return self._current_arrays()[0]

    @coefs_.setter
    def coefs_(self, value: list[np.ndarray]) -> None:
        self._replace_arrays(value, None)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer after the first, ``(outputs,)``. They can be edited."""
        return self._current_arrays()[1]

    @intercepts_.setter
    def intercepts_(self, value: list[np.ndarray]) -> None:
        self._replace_arrays(None, value)

    def _replace_arrays(self, coefs: list[np.ndarray] | None, intercepts: list[np.ndarray] | None) -> None:
        before: tuple[list[np.ndarray], list[np.ndarray]] = self._current_arrays() if self._has_weights() else ([], [])
        self._arrays = before[0] if coefs is None else coefs, before[1] if intercepts is None else intercepts

    @property
    def _optimizer(self) -> Any:
        """The optimizer of the network."""
        return self._model.optimizer

    # Predictions

    def _predict_outputs(self, x: Any) -> np.ndarray:
        """What the network returns: scores, probabilities or values, ``(samples, outputs)``."""
        check_is_fitted(self)
        self._load_edited_weights()
        if self.encoder_ is None:
            with self._advising_encoder():
                x = validate_data(self, x, accept_sparse="csr", reset=False)
        return np.asarray(self._model.predict(self._read(x, "X"), verbose=0), self._dtype)

    def to_fastmlp(self) -> Sequential:
        """A copy of the network as a fastmlp model, with the output activation of predictions: for ``save`` and the tools of fastmlp.

        If the estimator has an ``encoder_``, the model begins with a copy of it and takes tables. A classifier's model returns
        probabilities, ``(samples, outputs)``: with a logistic output, that of the second class; and has ``class_names``.
        """
        check_is_fitted(self)
        self._load_edited_weights()
        model = self._new_network(predicts=True)
        model.set_weights(self._model.get_weights())
        return model

    def __sklearn_is_fitted__(self) -> bool:
        return "_model" in vars(self)
