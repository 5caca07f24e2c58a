"""Training as scikit-learn does it: what happens after each epoch of ``fit``, and the loop of L-BFGS."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp._base.numeric import quiet
from fastmlp.callbacks import Callback
from fastmlp.callbacks.base import Logs
from fastmlp.models import Sequential
from fastmlp.optimizers.minimizer import Minimizer, NetworkLoss

HISTORY = 10
"""Past steps that shape the next one of L-BFGS: SciPy's default."""
SMALLEST_CHANGE = 2.220446049250313e-09
"""L-BFGS ends when a step changes the loss by less than this fraction of it: SciPy's default."""
SMALLEST_RATE = 1e-6
"""An adaptive learning rate is not lowered below this."""


class Monitor(Callback):
    """Keeps the attributes of an estimator up to date after each epoch, and ends training as its parameters say.

    Args:
        estimator: The estimator.
        samples: The number of training samples.
        loss: Converts the logs of an epoch to the loss of scikit-learn.
        score: Returns the score of the validation samples; None without them.
        incremental: Whether this is ``partial_fit``.
    """

    diverged = False
    """Whether the loss, or a weight, became NaN or infinite."""

    def __init__(
        self,
        estimator: Any,
        samples: int,
        loss: Callable[[Logs], float],
        score: Callable[[], float] | None,
        incremental: bool,
    ) -> None:
        self._estimator, self._samples, self._incremental = estimator, samples, incremental
        self._loss, self._score = loss, score
        self._follows_rate = estimator.solver == "sgd" and estimator.optimizer is None

    def _accepts_divergence(self, batch: int) -> bool:
        self.diverged = True
        return True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        assert logs is not None
        e = self._estimator
        e.n_iter_ += 1
        e.t_ += self._samples
        e.loss_ = self._loss(logs)
        e.loss_curve_.append(e.loss_)
        if e.verbose:
            print(f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
        if self._score is not None:
            self._keep_score(math.nan if self.diverged else self._score())
        if not e.early_stopping:
            best = math.inf if e.best_loss_ is None else e.best_loss_
            e._no_improvement_count = e._no_improvement_count + 1 if e.loss_ > best - e.tol else 0
            e.best_loss_ = min(best, e.loss_)
        if self._follows_rate and e.learning_rate == "invscaling":
            self.model.optimizer.learning_rate = e.learning_rate_init / (e.t_ + 1) ** e.power_t
        if e._no_improvement_count > e.n_iter_no_change:
            self._end_or_lower_rate()
        elif not self._incremental and e.n_iter_ == e.max_iter and not self.diverged and not self.model.stop_training:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _keep_score(self, score: float) -> None:
        e = self._estimator
        e.validation_scores_.append(score)
        if e.verbose:
            print(f"Validation score: {score:f}")
        if e.early_stopping:
            e._no_improvement_count = e._no_improvement_count + 1 if score < e.best_validation_score_ + e.tol else 0
        if score > e.best_validation_score_:
            e.best_validation_score_ = score
            if e.early_stopping:
                e._best_weights = self.model.get_weights()

    def _end_or_lower_rate(self) -> None:
        e = self._estimator
        what = "Validation score" if e.early_stopping else "Training loss"
        message = f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} consecutive epochs."
        optimizer = self.model.optimizer
        if self._follows_rate and e.learning_rate == "adaptive" and optimizer.rate > SMALLEST_RATE:
            optimizer.learning_rate = optimizer.rate / 5
            e._no_improvement_count = 0
            message += f" Setting learning rate to {optimizer.rate:f}"
        else:
            self.model.stop_training = True
            message += " Stopping."
        if e.verbose:
            print(message)


def minimize(model: Sequential, x: Any, y: np.ndarray, weight: np.ndarray | None, estimator: Any) -> int:
    """Train a compiled model with L-BFGS until the gradient or a step is small enough, or a limit is reached; returns the steps."""
    samples, _ = model._read_training_samples(x, y, weight)
    function = NetworkLoss(model._training_network(), samples.batches(len(samples)))
    calls = 0

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal calls
        calls += 1
        return function(vector)

    minimizer = Minimizer(evaluate, HISTORY, first_step=1.0)
    vector = function.parameters()
    value, gradient = evaluate(vector)
    steps = 0
    ended = not math.isfinite(value) or np.abs(gradient).max() <= estimator.tol
    while not ended and steps < estimator.max_iter and calls < estimator.max_fun:
        with quiet():
            stepped = minimizer.step(vector, value, gradient)
        if stepped is None:
            ended = True
            break
        before, (vector, value, gradient) = value, stepped
        steps += 1
        if estimator.verbose:
            print(f"Iteration {steps}, loss = {value:.8f}")
        ended = np.abs(gradient).max() <= estimator.tol or before - value <= SMALLEST_CHANGE * max(abs(before), abs(value), 1.0)
    function.move(vector)
    if not ended:
        reached = f"iterations ({estimator.max_iter})" if steps >= estimator.max_iter else f"evaluations ({estimator.max_fun})"
        warnings.warn(
            f"lbfgs failed to converge after {steps} iterations: the maximum of {reached} was reached. Increase it, or scale the data "
            "as in sklearn.preprocessing.StandardScaler.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return steps
